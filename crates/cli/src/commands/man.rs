//! `ath man`.

use crate::output::Outcome;
use crate::{Code, Failure};

pub(crate) fn run() -> Result<Outcome, Failure> {
    Err(Failure::new(Code::Local, "ath man is not there yet.", "Use a newer version."))
}
