//! The record of decisions and calls: one sink for each gateway.
//!
//! Two classes. A *decision* (registration, approval, consent, grant, refresh, revocation) is on the disk before it is acknowledged:
//! [`Audit::record`]. A *call* has its place reserved before it is forwarded, and goes into a ring of its core's when its body has ended:
//! [`Ring::reserve`]. Both become lines of JSON, written by one thread, which empties the rings before it writes a decision.
//!
//! **Invariant:** when the sink fails, or is a full ring behind, nothing new is decided and nothing new is forwarded.
//!
//! **Invariant:** a line holds names, never a secret: no token, code, cookie, path or query.

mod call;
mod event;
mod ring;
mod sink;
mod writer;

pub use call::{Call, End, Who};
pub use event::Event;
pub use ring::{Place, Ring};
pub use sink::{FileSink, Sink, StandardOutput};
pub use writer::{Audit, AuditError};
