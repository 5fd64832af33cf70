//! `ath services`: what there is, and how the person stands with each.

use serde_json::json;

use super::table;
use crate::Failure;
use crate::context::Context;
use crate::gateway::{Service, State};
use crate::output::Outcome;

pub(crate) async fn run(context: &Context) -> Result<Outcome, Failure> {
    let found = context.gateway()?.services().await?;
    let rows: Vec<Vec<String>> = found.services.iter().map(row).collect();
    let text = if rows.is_empty() { "This gateway has no services.\n".to_owned() } else { table(&rows) };
    Ok(Outcome::told(json!(found), text))
}

fn row(service: &Service) -> Vec<String> {
    let link = service.connect_url.iter().filter(|_| service.state != State::Connected).cloned();
    let words = [service.id.to_string(), service.name.clone(), service.state.as_str().replace('_', " ")];
    words.into_iter().chain(link).collect()
}
