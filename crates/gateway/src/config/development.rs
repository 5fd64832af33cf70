use protocol::Loopback;
use url::Url;

use super::key::{Form, Key};
use super::reader::{Place, Table};
use super::urls;

/// Looser rules for loopback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DevelopmentConfig {
    /// Whether agents, providers and the gateway itself may be at `http` on loopback.
    pub(crate) loopback: Loopback,
    /// Whether a made-up code passes where none was delivered.
    pub(crate) placeholder_codes: PlaceholderCodes,
}

/// What the token endpoint makes of a code that was not delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PlaceholderCodes {
    /// Only the code that was delivered passes.
    Refused,
    /// Where the flow ended on the gateway's own page, any non-empty one passes.
    Accepted,
}

/// The settings, and where each of them stands that is on.
pub(super) struct Written<'c> {
    pub(super) value: DevelopmentConfig,
    places: Vec<Place<'c>>,
}

pub(super) fn read<'c>(table: &Table<'c>) -> Written<'c> {
    let on: Vec<&Key> = KEYS.iter().filter(|key| table.boolean(key)).collect();
    let is_on = |wanted: &Key| on.iter().any(|key| key.name == wanted.name);
    Written {
        value: DevelopmentConfig {
            loopback: if is_on(&LOOPBACK_HTTP) { Loopback::Allowed } else { Loopback::Refused },
            placeholder_codes: if is_on(&PLACEHOLDER_CODES) {
                PlaceholderCodes::Accepted
            } else {
                PlaceholderCodes::Refused
            },
        },
        places: on.iter().filter_map(|key| table.written(key)).collect(),
    }
}

/// Refuses every setting that is on where others than this machine can reach the gateway.
pub(super) fn check(written: &Written<'_>, public_url: Option<&Url>) {
    if public_url.is_none_or(urls::is_loopback) {
        return;
    }
    for place in &written.places {
        place.problem("is refused unless gateway.public_url is on loopback; remove it");
    }
}

pub(super) const KEYS: &[Key] = &[LOOPBACK_HTTP, PLACEHOLDER_CODES];

const LOOPBACK_HTTP: Key = Key::optional(
    "loopback_http",
    Form::Boolean,
    "Whether agents, providers and public_url may be at http on loopback; false by default, since http has no secrets.",
);
const PLACEHOLDER_CODES: Key = Key::optional(
    "placeholder_codes",
    Form::Boolean,
    "Whether any non-empty code is taken at /ath/token where none was delivered, as test suites send it; false by default, since a code \
     proves who began.",
);
