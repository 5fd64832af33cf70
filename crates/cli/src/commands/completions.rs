//! `ath completions`.

use crate::arguments::Completions;
use crate::output::Outcome;
use crate::reference;

pub(crate) fn run(wanted: &Completions) -> Outcome {
    let printed = reference::completions(wanted.shell);
    Outcome::told(printed.data, printed.text)
}
