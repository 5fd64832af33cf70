//! What is written down of a step when it is over: a small value, whose words come from closed lists.

use std::sync::Arc;

use axum::extract::MatchedPath;
use metrics::Door;
use protocol::{ProviderId, RequestId, SpanId, TraceContext};

/// A step of a trace that is over.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) context: TraceContext,
    pub(crate) parent: Option<SpanId>,
    /// Another trace that led to it.
    pub(crate) link: Option<TraceContext>,
    /// In nanoseconds since the Unix epoch.
    pub(crate) begun: u64,
    pub(crate) ended: u64,
    pub(crate) request: Option<RequestId>,
    pub(crate) what: What,
}

/// What was done.
#[derive(Debug)]
pub(crate) enum What {
    /// A request was answered.
    Request {
        door: Door,
        /// The endpoint of the control plane, as it is declared: no part of a path.
        endpoint: Option<MatchedPath>,
        method: &'static str,
        /// `None`: nobody waited for an answer.
        status: Option<u16>,
        refused: Option<&'static str>,
        service: Option<Service>,
    },
    /// An upstream was called.
    Call {
        method: &'static str,
        /// `None`: there was no answer that could be handed on.
        status: Option<u16>,
        cut: bool,
        service: Option<Service>,
    },
    /// An MCP client called a tool.
    Tool { tool: Option<String>, provider: Option<ProviderId>, failed: Option<&'static str> },
    /// A provider's OAuth server was asked.
    Token { grant: String, provider: String, failed: Option<String> },
}

/// One of the configured services.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) all: Arc<[Place]>,
    pub(crate) number: usize,
}

/// Where a configured service is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) provider: ProviderId,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Whether it is told which trace a call belongs to.
    pub(crate) told: bool,
}

impl Service {
    pub(crate) fn place(&self) -> Option<&Place> {
        self.all.get(self.number)
    }
}
