//! The way from a tool call to the data plane.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use protocol::{Origin, ProviderId, TraceContext};

/// Puts a request on the way that every agent's request goes: authentication, policy, permit, guard and audit.
#[async_trait]
pub trait Calls: Send + Sync {
    /// Makes the call, and reads its answer as far as `most` bytes after the first `skip`.
    async fn call(&self, call: Call) -> Result<Answer, Unanswered>;

    /// A tool call begins; `heard` is what the client says of the trace that it is part of. `None` where nobody writes that down.
    fn begin(&self, origin: &Origin, heard: Option<TraceContext>) -> Option<Box<dyn ToolSpan>>;
}

/// A tool call that is under way, for whoever writes traces. It is over when this is dropped.
pub trait ToolSpan: Send + Sync {
    /// Where what the call does comes from.
    fn origin(&self) -> Origin;

    /// The call is over.
    fn end(self: Box<Self>, call: ToolCall);
}

/// What is written down of a tool call.
#[derive(Debug, Default)]
pub struct ToolCall {
    /// The tool's name, where it is one that the gateway gave.
    pub tool: Option<String>,
    /// Whose tool it is.
    pub provider: Option<ProviderId>,
    /// Why it did not succeed, as the metrics have it.
    pub failed: Option<&'static str>,
}

/// One request, as an agent would have sent it below `/ath/proxy/{provider}`.
#[derive(Debug)]
pub struct Call {
    /// Who asked, and under which name it is on record.
    pub origin: Origin,
    /// The service.
    pub provider: ProviderId,
    /// Path and query below the API's base; headers with the gateway's own token in `Authorization`; the whole body.
    pub request: Request<Bytes>,
    /// How many bytes of the answer's body are passed over.
    pub skip: u64,
    /// How many bytes of the answer's body are read after that.
    pub most: usize,
    /// How long the body may take, from its head on.
    pub patience: Duration,
    /// Whether these events of a stream are enough: it may stay open behind them.
    pub enough: fn(&[u8]) -> bool,
}

/// What came back: the service's answer, or the gateway's refusal.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: StatusCode,
    /// The headers, without those of the connection.
    pub headers: HeaderMap,
    /// The body, as far as it was read.
    pub body: Bytes,
    /// Whether there is more of it.
    pub rest: Rest,
    /// Whose answer it is.
    pub from: From,
}

/// Whether a body went on where reading it stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// That was all of it.
    None,
    /// There is more.
    More,
    /// It had not ended in time.
    Late,
}

/// Whose answer it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// The service's.
    Service,
    /// The gateway's own: a problem document (RFC 9457).
    Gateway,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// The service's answer broke off.
    #[error("the answer broke off")]
    Broken,
    /// The gateway ends.
    #[error("the gateway is going away")]
    Leaving,
}
