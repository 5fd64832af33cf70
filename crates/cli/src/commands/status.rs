//! `ath status`: who is logged in, where, and until when.

use serde_json::json;

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
    let mut text = format!("{} at {}\n", services.user, gateway.url());
    text.push_str(&format!("client        {}\nkept in       {kept_in}\n", services.client_id));
    if let Some(expires) = &expires {
        text.push_str(&format!("access token  until {expires}, and renewed by itself\n"));
    }
    text.push_str(&format!("everything    {}\n", services.accounts_url));
    let data = json!({
        "gateway": gateway.url().as_str(), "user": services.user, "client_id": services.client_id, "kept_in": kept_in,
        "expires": expires, "accounts_url": services.accounts_url,
    });
    Ok(Outcome::told(data, text))
}
