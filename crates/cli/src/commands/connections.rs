//! `ath connections`: what this program may do, with which of the person's accounts.

use serde_json::json;

use super::table;
use crate::Failure;
use crate::context::Context;
use crate::output::Outcome;

pub(crate) async fn run(context: &Context) -> Result<Outcome, Failure> {
    let found = context.gateway()?.connections().await?;
    let rows: Vec<Vec<String>> = found
        .connections
        .iter()
        .map(|each| vec![each.service.clone(), each.account.clone(), each.state.replace('_', " "), each.says.clone()])
        .collect();
    let text = if rows.is_empty() { "Nothing is connected.\n".to_owned() } else { table(&rows) };
    Ok(Outcome::told(json!(found), text))
}
