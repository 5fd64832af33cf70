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
    // What is out of range was reported, and keeps the gateway from starting.
    let number = |key: &Key| {
        let written = table.integer(key).unwrap_or(1);
        (written, usize::try_from(written).unwrap_or(usize::MAX))
    };
    NumbersConfig {
        calls_per_agent: number(&CONCURRENT_CALLS_PER_AGENT).1,
        sockets_per_agent: number(&SOCKETS_PER_AGENT).1,
        connections: number(&CONNECTIONS).1,
        connections_per_address: number(&CONNECTIONS_PER_ADDRESS).1,
        streams: number(&STREAMS_PER_CONNECTION).0,
        control_frames: number(&CONTROL_FRAMES).0,
        bytes_per_second: u64::from(number(&BYTES_PER_SECOND).0),
        request_memory: number(&REQUEST_MEMORY).1.saturating_mul(1 << 20),
    }
}

pub(super) const CONCURRENT_CALLS_PER_AGENT: Key = Key::default(
    "concurrent_calls_per_agent",
    Form::Integer { least: 1, most: 1_000_000 },
    "1000",
    "Calls of each agent that are under way at a time, answers that stream among them; 1000 by default.",
);
pub(super) const SOCKETS_PER_AGENT: Key = Key::default(
    "sockets_per_agent",
    Form::Integer { least: 1, most: 1_000_000 },
    "500",
    "WebSockets of each agent that are open at a time, which count as calls, too; 500 by default.",
);
pub(super) const CONNECTIONS: Key = Key::default(
    "connections",
    Form::Integer { least: 1, most: 1_000_000 },
    "16384",
    "Connections of clients that are open at a time; 16384 by default, and never more than half of the files that the process may open.",
);
pub(super) const CONNECTIONS_PER_ADDRESS: Key = Key::default(
    "connections_per_address",
    Form::Integer { least: 1, most: 1_000_000 },
    "4096",
    "The same of each address, an IPv6 /64 being one; 4096 by default; the addresses in trusted_proxies have no such limit.",
);
pub(super) const STREAMS_PER_CONNECTION: Key = Key::default(
    "streams_per_connection",
    Form::Integer { least: 1, most: 10_000 },
    "100",
    "Requests of one HTTP/2 connection that are under way at a time; 100 by default.",
);
pub(super) const CONTROL_FRAMES: Key = Key::default(
    "control_frames",
    Form::Integer { least: 1, most: 1_000_000 },
    "1000",
    "HTTP/2 frames in a second that carry nothing (PING, SETTINGS, PRIORITY, WINDOW_UPDATE, RST_STREAM, empty ones), by one connection, \
     beside three for each frame that carries something; 1000 by default.",
);
pub(super) const BYTES_PER_SECOND: Key = Key::default(
    "bytes_per_second",
    Form::Integer { least: 1, most: 1 << 30 },
    "1024",
    "The least that must come of a body that is waited for, and be taken of an answer that waits; 1024 by default; streams of gRPC and \
     WebSockets may be slower.",
);
pub(super) const REQUEST_MEMORY: Key = Key::default(
    "request_memory",
    Form::Integer { least: 1, most: 1 << 20 },
    "64",
    "MiB for the heads of requests that are under way, and for the bodies that the gateway reads itself, of all clients together; 64 by \
     default.",
);
