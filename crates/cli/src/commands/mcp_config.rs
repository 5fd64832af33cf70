//! `ath mcp-config`.

use crate::arguments::McpConfig;
use crate::context::Context;
use crate::output::Outcome;
use crate::{Failure, reference};

pub(crate) fn run(context: &Context, wanted: &McpConfig) -> Result<Outcome, Failure> {
    let printed = reference::mcp_config(wanted, context.gateway()?.url())?;
    if let Some(note) = &printed.note {
        context.talk.say(note);
    }
    Ok(Outcome::told(printed.data, printed.text))
}
