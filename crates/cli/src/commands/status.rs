//! `ath status`: who is logged in, where, and until when.

use serde_json::json;

use super::table;
use crate::Failure;
use crate::context::Context;
use crate::credentials::Kept;
use crate::output::Outcome;

pub(crate) async fn run(context: &Context) -> Result<Outcome, Failure> {
    let gateway = context.gateway()?;
    let services = gateway.services().await?;
    let (kept_in, ends) = match (&context.settings.token, gateway.shelf().read().await?) {
        (Some(_), _) | (None, None) => ("environment", None),
        (None, Some(Kept { login, place })) => (place.as_str(), login.access.map(|access| access.ends)),
    };
    let expires = ends.map(protocol::Timestamp::to_rfc3339);
    let renewed = expires.as_ref().map(|ends| vec!["token until".to_owned(), format!("{ends}, renewed by itself")]);
    let row = |name: &str, value: &str| vec![name.to_owned(), value.to_owned()];
    let rows = [
        row("logged in as", &services.user),
        row("at", gateway.url().as_str()),
        row("client", &services.client_id),
        row("kept in", kept_in),
    ];
    let everything = row("everything", &services.accounts_url);
    let rows: Vec<Vec<String>> = rows.into_iter().chain(renewed).chain([everything]).collect();
    let data = json!({
        "gateway": gateway.url().as_str(), "user": services.user, "client_id": services.client_id, "kept_in": kept_in,
        "expires": expires, "accounts_url": services.accounts_url,
    });
    Ok(Outcome::told(data, table(&rows)))
}
