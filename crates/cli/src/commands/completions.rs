//! `ath completions`.

use crate::arguments::Completions;
use crate::output::Outcome;
use crate::{Code, Failure};

pub(crate) fn run(_: &Completions) -> Result<Outcome, Failure> {
    Err(Failure::new(Code::Local, "ath completions is not there yet.", "Use a newer version."))
}
