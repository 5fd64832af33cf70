//! ATH 0.1 (Agent Trust Handshake): identifiers, scopes, attestations, wire types, error codes, and the clock.
//!
//! **Invariant:** no I/O and no state. `(input, key, now) -> Result<checked value, error>`.

mod attestation;
mod clock;
mod each;
mod error;
mod ids;
mod jws;
mod key;
mod origin;
mod problem;
mod scope;
mod trace;
pub mod wire;

pub use attestation::{Attestation, AttestationError, Attested, Audience};
pub use clock::{Clock, ManualClock, Timestamp};
pub use error::{ErrorCode, Refused};
pub use ids::{AccountId, AgentId, ClientId, IdError, Loopback, ProviderId, SessionId, UserId};
pub use key::{AgentKey, AgentPublicKey, KeyError};
pub use origin::{Origin, RequestId};
pub use problem::{Act, Problem};
pub use scope::{Scope, ScopeError, ScopeSet};
pub use trace::{Sampling, SpanId, TraceContext, TraceId, is_trace_state};
