use std::time::Duration;

use broker::Caller;
use http::{HeaderMap, Uri};
use protocol::{Origin, SpanId};

use crate::route::Proxied;

/// Told of every call that was forwarded and answered, on its core.
pub trait Observer {
    /// The answer has ended, or was dropped.
    fn ended(&self, call: &Ended<'_>);

    /// A call is about to be made, with these headers, which it may add to: which step of its trace the call is, where that is written down.
    fn calls(&self, _origin: &Origin, _route: Proxied, _headers: &mut HeaderMap) -> Option<SpanId> {
        None
    }

    /// A call got no answer that could be handed on.
    fn failed(&self, _call: &Failed<'_>) {}

    /// Whether it wants to know the path. Most do not, and then nobody keeps it.
    fn keeps_paths(&self) -> bool {
        false
    }
}

/// A call that was forwarded, and what became of its answer.
#[derive(Debug)]
pub struct Ended<'a> {
    /// Where it came from.
    pub origin: &'a Origin,
    /// Whose it was.
    pub caller: &'a Caller,
    /// The way it took.
    pub route: Proxied,
    /// As on the request line.
    pub method: &'static str,
    /// The answer's.
    pub status: u16,
    /// Of the answer's body.
    pub bytes: u64,
    /// Tokens that were masked in it.
    pub masked: u64,
    /// Whether the whole answer was handed on.
    pub complete: bool,
    /// From its head to the call to the upstream.
    pub waited: Duration,
    /// From its head to the last byte of the answer.
    pub took: Duration,
    /// From the call to the upstream to the head of its answer.
    pub upstream_took: Duration,
    /// As it came, with its query; where the observer keeps paths.
    pub uri: Option<&'a Uri>,
    /// What [`Observer::calls`] said.
    pub span: Option<SpanId>,
}

/// A call that was made, and whose answer did not come or is not handed on.
#[derive(Debug)]
pub struct Failed<'a> {
    /// Where it came from.
    pub origin: &'a Origin,
    /// The way it took.
    pub route: Proxied,
    /// As on the request line.
    pub method: &'static str,
    /// From its head to the call to the upstream.
    pub waited: Duration,
    /// From its head to the end of the matter.
    pub took: Duration,
    /// What [`Observer::calls`] said.
    pub span: Option<SpanId>,
}
