use super::super::key::{Form, Key};
use super::super::reader::Table;

/// How much there may be at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NumbersConfig {
    /// Of each agent, in flight.
    pub(crate) calls_per_agent: usize,
    /// The same of `WebSockets`, which are calls, too.
    pub(crate) sockets_per_agent: usize,
    /// Of all clients.
    pub(crate) connections: usize,
    /// Of each address.
    pub(crate) connections_per_address: usize,
    /// Of each HTTP/2 connection.
    pub(crate) streams: u32,
    /// In a second, by each HTTP/2 connection, beside those that go with requests and answers.
    pub(crate) control_frames: u32,
    /// The least by which a body or an answer comes on.
    pub(crate) bytes_per_second: u64,
    /// Of heads, and of the control plane's bodies, in bytes.
    pub(crate) request_memory: usize,
}

pub(super) fn read(table: &Table<'_>) -> NumbersConfig {
    let number = |key: &Key, default: u32, most: u32| {
        let written = table.integer(key, 1..=most).unwrap_or(default);
        (written, usize::try_from(written).unwrap_or(usize::MAX))
    };
    NumbersConfig {
        calls_per_agent: number(&CONCURRENT_CALLS_PER_AGENT, 1000, 1_000_000).1,
        sockets_per_agent: number(&SOCKETS_PER_AGENT, 500, 1_000_000).1,
        connections: number(&CONNECTIONS, 16_384, 1_000_000).1,
        connections_per_address: number(&CONNECTIONS_PER_ADDRESS, 4096, 1_000_000).1,
        streams: number(&STREAMS_PER_CONNECTION, 100, 10_000).0,
        control_frames: number(&CONTROL_FRAMES, 1000, 1_000_000).0,
        bytes_per_second: u64::from(number(&BYTES_PER_SECOND, 1024, 1 << 30).0),
        request_memory: number(&REQUEST_MEMORY, 64, 1 << 20).1.saturating_mul(1 << 20),
    }
}

pub(super) const CONCURRENT_CALLS_PER_AGENT: Key = Key::optional(
    "concurrent_calls_per_agent",
    Form::Integer,
    "Calls of each agent that are under way at a time, answers that stream among them; 1000 by default.",
);
pub(super) const SOCKETS_PER_AGENT: Key = Key::optional(
    "sockets_per_agent",
    Form::Integer,
    "WebSockets of each agent that are open at a time, which count as calls, too; 500 by default.",
);
pub(super) const CONNECTIONS: Key = Key::optional(
    "connections",
    Form::Integer,
    "Connections of clients that are open at a time; 16384 by default, and never more than half of the files that the process may open.",
);
pub(super) const CONNECTIONS_PER_ADDRESS: Key = Key::optional(
    "connections_per_address",
    Form::Integer,
    "The same of each address, an IPv6 /64 being one; 4096 by default; the addresses in trusted_proxies have no such limit.",
);
pub(super) const STREAMS_PER_CONNECTION: Key = Key::optional(
    "streams_per_connection",
    Form::Integer,
    "Requests of one HTTP/2 connection that are under way at a time; 100 by default.",
);
pub(super) const CONTROL_FRAMES: Key = Key::optional(
    "control_frames",
    Form::Integer,
    "HTTP/2 frames in a second that carry nothing (PING, SETTINGS, PRIORITY, WINDOW_UPDATE, RST_STREAM, empty ones), by one connection, \
     beside three for each frame that carries something; 1000 by default.",
);
pub(super) const BYTES_PER_SECOND: Key = Key::optional(
    "bytes_per_second",
    Form::Integer,
    "The least that must come of a body that is waited for, and be taken of an answer that waits; 1024 by default; streams of gRPC and \
     WebSockets may be slower.",
);
pub(super) const REQUEST_MEMORY: Key = Key::optional(
    "request_memory",
    Form::Integer,
    "MiB for the heads of requests that are under way, and for the bodies that the gateway reads itself, of all clients together; 64 by \
     default.",
);
