use std::rc::Rc;
use std::time::Duration;

use http::{HeaderMap, Method};
use metrics::{Call, Door, Metrics, Recorder, Upstream};
use protocol::{Clock, Origin, Refused, SpanId};
use proxy::{Ended, Entrance, Failed, Observer, Proxied};

use crate::access_log::{AccessLog, Line, Page};
use crate::system::SystemClock;
use crate::telemetry::{Spans, Tracer, Underway};

/// What happens on all cores, written down.
#[derive(Clone)]
pub(crate) struct Records {
    pub(crate) metrics: Metrics,
    pub(crate) access_log: Option<AccessLog>,
    /// Of the upstreams, in their order: what their calls are counted under, and their ids.
    pub(crate) providers: std::sync::Arc<[(Upstream, String)]>,
    /// Where traces are written down.
    pub(crate) spans: Option<Spans>,
}

/// What happens on one core: counted, and logged where that is asked for.
pub(super) struct Witness {
    recorder: Recorder,
    page: Option<Rc<Page>>,
    providers: std::sync::Arc<[(Upstream, String)]>,
    tracer: Option<Rc<Tracer>>,
}

/// An answer of the gateway's own: of the control plane, or a refusal.
pub(super) struct Own<'a> {
    pub(super) origin: &'a Origin,
    /// The way it took, where it was a call.
    pub(super) route: Option<Proxied>,
    pub(super) method: &'a Method,
    pub(super) status: u16,
    pub(super) bytes: u64,
    pub(super) took: Duration,
    pub(super) refused: Option<Refused>,
}

/// An open connection, counted.
pub(super) struct Open(Recorder);

impl Records {
    /// For the core that this is called on.
    pub(super) fn witness(&self) -> Witness {
        let page = self.access_log.as_ref().map(AccessLog::page);
        let tracer = self.spans.as_ref().map(Spans::tracer);
        Witness { recorder: self.metrics.recorder(), page, providers: self.providers.clone(), tracer }
    }
}

impl Witness {
    /// The same under another configuration.
    pub(super) fn under(&self, records: &Records) -> Self {
        let tracer = records.spans.as_ref().map(Spans::tracer);
        Self { recorder: self.recorder.clone(), page: self.page.clone(), providers: records.providers.clone(), tracer }
    }

    /// Sees to it that lines do not stay here. Never returns where there are any.
    pub(super) fn page(&self) -> Option<Rc<Page>> {
        self.page.clone()
    }

    pub(super) fn connection(&self) -> Open {
        self.recorder.accepted();
        Open(self.recorder.clone())
    }

    /// Counts a connection that was not taken, or not kept, and why.
    pub(super) fn turned_away(&self, why: &'static str) {
        self.recorder.turned_away(why);
    }

    /// A request has come: the step of a trace that it is, and what to keep until it is answered, where that is written down.
    pub(super) fn begin(&self, origin: Origin, headers: &HeaderMap) -> (Origin, Option<Box<Underway>>) {
        let Some(tracer) = &self.tracer else { return (origin, None) };
        tracer.begin(origin, headers)
    }

    pub(super) fn answered(&self, own: &Own<'_>) {
        let (door, upstream) = way(own.route);
        let Own { status, bytes, took, .. } = *own;
        let (upstream, provider) = self.provider(upstream);
        self.recorder.call(&Call { upstream, door, status, took, upstream_took: None, bytes, masked: 0 });
        if let Some(refused) = own.refused {
            self.recorder.denied(refused.reason);
        }
        let Some(page) = &self.page else { return };
        page.write(&Line {
            at: SystemClock.now(),
            request_id: own.origin.request_id().unwrap_or_default(),
            client: own.origin.address(),
            door: door.name(),
            method: own.method.as_str(),
            provider,
            status,
            bytes,
            took,
            upstream_took: None,
            complete: true,
            refused: own.refused,
            agent: None,
            path: None,
        });
    }

    fn provider(&self, upstream: Option<usize>) -> (Option<Upstream>, Option<&str>) {
        let provider = upstream.and_then(|upstream| self.providers.get(upstream));
        provider.map(|(upstream, id)| (*upstream, id.as_str())).unzip()
    }
}

impl Observer for Witness {
    fn ended(&self, call: &Ended<'_>) {
        let (door, upstream) = way(Some(call.route));
        let Ended { status, bytes, masked, took, .. } = *call;
        let upstream_took = Some(call.upstream_took);
        let (upstream, provider) = self.provider(upstream);
        self.recorder.call(&Call { upstream, door, status, took, upstream_took, bytes, masked });
        if let Some((tracer, span)) = self.tracer.as_ref().zip(call.span) {
            tracer.ended(call, span);
        }
        let Some(page) = &self.page else { return };
        let shape = page.shape();
        page.write(&Line {
            at: SystemClock.now(),
            request_id: call.origin.request_id().unwrap_or_default(),
            client: call.origin.address(),
            door: door.name(),
            method: call.method,
            provider,
            status,
            bytes,
            took,
            upstream_took,
            complete: call.complete,
            refused: None,
            agent: shape.agents.then(|| call.caller.agent_id().as_str()),
            path: call.uri.map(http::Uri::path),
        });
    }

    fn calls(&self, origin: &Origin, route: Proxied, headers: &mut HeaderMap) -> Option<SpanId> {
        self.tracer.as_ref()?.calls(origin, route, headers)
    }

    fn failed(&self, call: &Failed<'_>) {
        if let Some((tracer, span)) = self.tracer.as_ref().zip(call.span) {
            tracer.failed(call, span);
        }
    }

    fn keeps_paths(&self) -> bool {
        self.page.as_ref().is_some_and(|page| page.shape().paths)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.closed();
    }
}

/// The door that a request came by, and the upstream that it is for.
pub(super) fn way(route: Option<Proxied>) -> (Door, Option<usize>) {
    let Some(route) = route else { return (Door::Control, None) };
    let door = match route.entrance() {
        Entrance::Ath => Door::Ath,
        Entrance::Prefix => Door::Path,
        Entrance::Host => Door::Host,
        Entrance::Mcp => Door::Mcp,
    };
    (door, route.upstream())
}
