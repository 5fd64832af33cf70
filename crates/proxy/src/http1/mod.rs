//! The upstream half of HTTP/1.1 (RFC 9112): one exchange at a time on a connection, driven by whoever waits for the answer and reads
//! its body. Nothing is spawned, and nothing is read that nobody has asked for.
//!
//! **Invariant:** a connection carries another exchange only when request and answer have both ended where their framing says, with
//! not a byte left over; after any doubt it is closed.

mod body;
mod connection;
mod error;
mod head;
mod sending;
#[cfg(test)]
mod tests;
mod wire;

pub(crate) use body::Body;
pub(crate) use connection::{Connection, Failure};
pub use error::Http1Error;
pub(crate) use wire::Wire;
