use std::time::Duration;

use super::key::{Form, Key};
use super::reader::Table;

/// How long things last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LifetimesConfig {
    /// An ATH token.
    pub(crate) token: Duration,
    /// A registration's approval.
    pub(crate) approval: Duration,
    /// A browser's sign-in at the gateway.
    pub(crate) browser: Duration,
}

pub(super) fn read(table: &Table<'_>) -> Option<LifetimesConfig> {
    let [token, approval, browser] = [&TOKEN, &APPROVAL, &BROWSER].map(|key| table.duration(key));
    Some(LifetimesConfig { token: token?, approval: approval?, browser: browser? })
}

pub(super) const KEYS: &[Key] = &[TOKEN, APPROVAL, BROWSER];

const TOKEN: Key = Key::default(
    "token",
    Form::Duration,
    "1h",
    "How long an agent's token is good for; 1h by default, as ATH 0.1 has it.",
);
const APPROVAL: Key = Key::default(
    "approval",
    Form::Duration,
    "90d",
    "How long a registered agent stays approved; 90d by default, so that agents nobody uses any more fall away.",
);
const BROWSER: Key = Key::default(
    "browser",
    Form::Duration,
    "12h",
    "How long a browser stays signed in at the gateway; 12h by default, a long working day.",
);
