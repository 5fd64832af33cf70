use std::time::Duration;

use super::key::{Form, Key};
use super::reader::Table;

/// How long clients may take for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeoutsConfig {
    /// For the PROXY header, and for the TLS handshake.
    pub(crate) handshake: Duration,
    /// From the first byte of a request's head to its last.
    pub(crate) head: Duration,
    /// From one request to the next.
    pub(crate) idle: Duration,
    /// After each such time a body that is awaited must have come on.
    pub(crate) body: Duration,
    /// The same for an answer that waits to be taken.
    pub(crate) write: Duration,
    /// Between two questions whether an HTTP/2 client is still there.
    pub(crate) ping: Duration,
}

pub(super) fn read(table: &Table<'_>) -> Option<TimeoutsConfig> {
    let [handshake, head, idle, body, write, ping] =
        [&HANDSHAKE, &HEAD, &IDLE, &BODY, &WRITE, &PING].map(|key| table.duration(key));
    Some(TimeoutsConfig { handshake: handshake?, head: head?, idle: idle?, body: body?, write: write?, ping: ping? })
}

pub(super) const KEYS: &[Key] = &[HANDSHAKE, HEAD, IDLE, BODY, WRITE, PING];

const HANDSHAKE: Key = Key::default(
    "handshake",
    Form::Duration,
    "5s",
    "For the PROXY header and for the TLS handshake, each; 5s by default.",
);
const HEAD: Key = Key::default(
    "head",
    Form::Duration,
    "15s",
    "From the beginning of a connection, or the first byte of a later request, to the end of the request's head, however steadily it comes; \
     15s by default.",
);
const IDLE: Key = Key::default(
    "idle",
    Form::Duration,
    "75s",
    "For how long a connection without a request is kept; 75s by default, longer than the minute for which most proxies in front keep theirs.",
);
const BODY: Key = Key::default(
    "body",
    Form::Duration,
    "10s",
    "How often it is looked whether a request's body that is waited for comes on, by limits.bytes_per_second; 10s by default.",
);
const WRITE: Key = Key::default(
    "write",
    Form::Duration,
    "30s",
    "How often it is looked whether an answer that waits to be taken is taken, by limits.bytes_per_second; 30s by default.",
);
const PING: Key = Key::default(
    "http2_ping",
    Form::Duration,
    "30s",
    "How often an HTTP/2 client is asked whether it is still there, and for how long its answer is awaited; 30s by default.",
);
