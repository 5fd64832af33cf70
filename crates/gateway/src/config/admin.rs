use std::net::SocketAddr;

use zeroize::Zeroizing;

use super::key::{Form, Key};
use super::reader::Table;
use super::secrets;

/// The operators' door.
#[derive(Clone)]
pub(crate) struct AdminConfig {
    /// `None`: there is none.
    pub(crate) listen: Option<SocketAddr>,
    /// `None`: one is made at the first start, in the data folder.
    pub(crate) key: Option<Zeroizing<String>>,
    /// Who may read the metrics.
    pub(crate) metrics: MetricsDoor,
}

/// Who may read the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MetricsDoor {
    /// Whoever has the admin key.
    Key,
    /// Whoever reaches the listener.
    Open,
}

impl std::fmt::Debug for AdminConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AdminConfig({:?})", self.listen)
    }
}

pub(super) fn read(table: &Table<'_>) -> Option<AdminConfig> {
    let listen = table.parsed(&LISTEN, address);
    let key = if table.written(&KEY).is_some() { Some(secrets::one(table, &KEY)?) } else { None };
    if let Some(key) = key.as_ref().filter(|key| key.value.len() < SHORTEST) {
        key.place.clone().problem("is shorter than 32 bytes; `openssl rand -hex 32` prints one that is not");
    }
    let metrics = match table.text(&METRICS)?.value {
        "open" => MetricsDoor::Open,
        _ => MetricsDoor::Key,
    };
    let listen = listen?;
    if listen.value.is_some_and(|address| !address.ip().is_loopback()) {
        listen.place.warning(
            "is open to the network, and speaks plain http: whoever is on the way reads the admin key; listen on loopback",
        );
    }
    Some(AdminConfig { listen: listen.value, key: key.map(|key| key.value), metrics })
}

fn address(text: &str) -> Result<Option<SocketAddr>, &'static str> {
    if text == "off" {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| "is no address and port; write one such as \"127.0.0.1:4190\", or \"off\"")
}

pub(super) const KEYS: &[Key] = &[LISTEN, KEY, METRICS];

const LISTEN: Key = Key::default(
    "listen",
    Form::Text,
    "127.0.0.1:0",
    "The address and port for operators, or \"off\"; a free port on loopback by default, which the commands find in admin.json of the data \
     folder.",
);
const KEY: Key = Key::optional(
    "key",
    Form::Secret,
    "What operators' commands prove themselves with, at least 32 bytes; left out, one is made at the first start, in admin.key of the \
     data folder.",
);
const METRICS: Key = Key::default(
    "metrics",
    Form::OneOf(&["key", "open"]),
    "key",
    "Who may read /metrics there: whoever has the key, or, open, whoever reaches the listener; key by default.",
);
const SHORTEST: usize = 32;
