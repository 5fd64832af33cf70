//! The server half of HTTP/1.1 (RFC 9112): one exchange at a time on a connection, each request read in one way or not at all.
//!
//! **Invariant:** every byte that a client sends belongs to exactly one request, by a framing that all readers agree on; after any
//! doubt the connection is closed, and nothing behind the doubt is looked at.
//!
//! **Invariant:** all reading and writing is done by the one task that drives the connection. A body only says that it wants more.

mod answer;
mod body;
mod chunked;
mod connection;
mod date;
mod error;
mod head;
mod input;
mod outlet;
#[cfg(test)]
mod tests;
mod upgrade;

pub use body::Body;
pub use chunked::{ChunkError, Chunked};
pub use connection::Connection;
pub use date::Date;
pub use error::{ConnectionError, HeadError, InputError};
pub use head::{Framing, Head, Persistence, read as read_head};
pub use upgrade::{OnUpgrade, Tunnel, Upgraded};
