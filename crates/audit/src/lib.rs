//! The record of decisions and calls: one sink for each gateway.
//!
//! Two classes. A *decision* (registration, approval, consent, grant, refresh, revocation) is on the disk before it is acknowledged:
//! [`Audit::record`]. A *call* has its place reserved before it is forwarded, and is written when its body has ended:
//! [`Audit::reserve`]. Both are lines of JSON, in one order, written by one thread.
//!
//! **Invariant:** when the sink fails, or is a full ring behind, nothing new is decided and nothing new is forwarded.
//!
//! **Invariant:** a line holds names, never a secret: no token, code, cookie, path or query.

mod event;
mod sink;
mod writer;

pub use event::{Call, Event};
pub use sink::{FileSink, Sink, StandardOutput};
pub use writer::{Audit, AuditError, Place};
