//! `ath man`.

use crate::output::Outcome;
use crate::reference;

pub(crate) fn run() -> Outcome {
    let printed = reference::man();
    Outcome::told(printed.data, printed.text)
}
