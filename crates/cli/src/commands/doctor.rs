//! `ath doctor`.

use crate::context::Context;
use crate::output::Outcome;
use crate::{Code, Failure};

#[expect(clippy::unused_async, reason = "what it will do waits for others")]
pub(crate) async fn run(_: &Context) -> Result<Outcome, Failure> {
    Err(Failure::new(Code::Local, "ath doctor is not there yet.", "Use a newer version."))
}
