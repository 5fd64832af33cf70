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
        .map(|each| {
            let account = each.account.clone().unwrap_or_else(|| each.account_id.clone());
            let state = each.state.replace('_', " ");
            vec![each.service.clone(), account, state, each.scopes.join(" "), each.says.clone().unwrap_or_default()]
        })
        .collect();
    let text = if rows.is_empty() { "Nothing is connected.\n".to_owned() } else { table(&rows) };
    Ok(Outcome::told(json!(found), text))
}
