//! `ath mcp-config`.

use crate::arguments::McpConfig;
use crate::context::Context;
use crate::output::Outcome;
use crate::{Code, Failure};

pub(crate) fn run(_: &Context, _: &McpConfig) -> Result<Outcome, Failure> {
    Err(Failure::new(Code::Local, "ath mcp-config is not there yet.", "Use a newer version."))
}
