//! `ath run`.

use crate::arguments::Run;
use crate::context::Context;
use crate::output::Outcome;
use crate::{Code, Failure};

#[expect(clippy::unused_async, reason = "what it will do waits for others")]
pub(crate) async fn run(_: &Context, _: &Run) -> Result<Outcome, Failure> {
    Err(Failure::new(Code::Local, "ath run is not there yet.", "Use a newer version."))
}
