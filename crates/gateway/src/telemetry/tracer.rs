//! Requests and calls on one core, as steps of traces.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::MatchedPath;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response};
use metrics::Door;
use protocol::{Origin, Refused, RequestId, Sampling, SpanId, TraceContext, is_trace_state};
use proxy::{Ended, Failed, Proxied};

use super::ids::Ids;
use super::outbox::Ring;
use super::span::{Finished, Place, Service, What};
use crate::config::Incoming;
use crate::system::{SystemEntropy, unix_nanos};

/// What one core writes down.
pub(crate) struct Tracer {
    ids: Ids,
    incoming: Incoming,
    services: Arc<[Place]>,
    ring: Ring,
}

/// A request that is under way. It is over when this is dropped.
pub(crate) struct Underway {
    tracer: Rc<Tracer>,
    context: TraceContext,
    parent: Option<SpanId>,
    link: Option<TraceContext>,
    begun: Instant,
    request: Option<RequestId>,
    answer: Option<What>,
}

impl Tracer {
    pub(super) fn new(ring: Ring, ratio: f64, incoming: Incoming, services: Arc<[Place]>) -> Self {
        Self { ids: Ids::new(&SystemEntropy, ratio), incoming, services, ring }
    }

    /// A request has come, with these headers: the step that it is, and what to keep where that is written down.
    pub(crate) fn begin(self: &Rc<Self>, origin: Origin, headers: &HeaderMap) -> (Origin, Option<Box<Underway>>) {
        let heard = if self.incoming == Incoming::Ignore { None } else { heard(headers) };
        let (context, parent, link) = match (self.incoming, heard) {
            (Incoming::Continue, Some(heard)) => (heard.step(self.ids.span()), Some(heard.span()), None),
            (_, heard) => (self.ids.begin(), None, heard),
        };
        let underway = (context.sampling() == Sampling::Recorded).then(|| {
            let (tracer, begun) = (self.clone(), Instant::now());
            Box::new(Underway { tracer, context, parent, link, begun, request: origin.request(), answer: None })
        });
        (origin.within(context), underway)
    }

    /// A call goes to an upstream: what it is told of it, and the step, where it is written down.
    pub(crate) fn calls(&self, origin: &Origin, route: Proxied, headers: &mut HeaderMap) -> Option<SpanId> {
        let context = origin.trace()?;
        let span = self.ids.span();
        if route.upstream().and_then(|number| self.services.get(number)).is_some_and(|service| service.told) {
            tell(&context.step(span), headers);
        }
        (context.sampling() == Sampling::Recorded).then_some(span)
    }

    pub(crate) fn ended(&self, call: &Ended<'_>, span: SpanId) {
        let service = self.service(call.route.upstream());
        let what = What::Call { method: call.method, status: Some(call.status), cut: !call.complete, service };
        self.called(call.origin, span, (call.took, call.waited, call.upstream_took), what);
    }

    pub(crate) fn failed(&self, call: &Failed<'_>, span: SpanId) {
        let service = self.service(call.route.upstream());
        let what = What::Call { method: call.method, status: None, cut: false, service };
        self.called(call.origin, span, (call.took, call.waited, call.took.saturating_sub(call.waited)), what);
    }

    fn called(&self, origin: &Origin, span: SpanId, (ago, waited, took): (Duration, Duration, Duration), what: What) {
        let Some(context) = origin.trace() else { return };
        let begun = unix_nanos().saturating_sub(nanos(ago)).saturating_add(nanos(waited));
        self.ring.put(Finished {
            context: context.step(span),
            parent: Some(context.span()),
            link: None,
            begun,
            ended: begun.saturating_add(nanos(took)),
            request: origin.request(),
            what,
        });
    }

    fn service(&self, number: Option<usize>) -> Option<Service> {
        Some(Service { all: self.services.clone(), number: number? })
    }
}

impl Underway {
    /// The head of its answer is there.
    pub(crate) fn answered<B>(
        mut self: Box<Self>,
        (door, upstream): (Door, Option<usize>),
        method: &Method,
        response: &mut Response<B>,
        refused: Option<Refused>,
    ) -> Box<Self> {
        self.answer = Some(What::Request {
            door,
            endpoint: response.extensions_mut().remove::<MatchedPath>(),
            method: verb(method),
            status: Some(response.status().as_u16()),
            refused: refused.map(|refused| refused.reason),
            service: self.tracer.service(upstream),
        });
        self
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        let ended = unix_nanos();
        let nobody = What::Request {
            door: Door::Control,
            endpoint: None,
            method: "_OTHER",
            status: None,
            refused: Some("client_gone"),
            service: None,
        };
        self.tracer.ring.put(Finished {
            context: self.context,
            parent: self.parent,
            link: self.link,
            begun: ended.saturating_sub(nanos(self.begun.elapsed())),
            ended,
            request: self.request,
            what: self.answer.take().unwrap_or(nobody),
        });
    }
}

/// One `traceparent`, and one that is well-formed: of two, nobody can say which is meant.
fn heard(headers: &HeaderMap) -> Option<TraceContext> {
    let mut values = headers.get_all(TRACEPARENT).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    TraceContext::parse(value.as_bytes())
}

/// Puts our own step in the place of the agent's. What its program wrote in `tracestate` goes along where it is the agent's own trace that
/// goes on, and in good form.
fn tell(step: &TraceContext, headers: &mut HeaderMap) {
    let continued = heard(headers).is_some_and(|heard| heard.trace() == step.trace());
    let state: Vec<&[u8]> = headers.get_all(TRACESTATE).iter().map(HeaderValue::as_bytes).collect();
    let state = state.join(&b","[..]);
    headers.remove(TRACESTATE);
    if continued
        && is_trace_state(&state)
        && let Ok(state) = HeaderValue::from_bytes(&state)
    {
        headers.insert(TRACESTATE, state);
    }
    if let Ok(value) = HeaderValue::from_str(&step.to_string()) {
        headers.insert(TRACEPARENT, value);
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A method that everybody knows, or the word for all others.
fn verb(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("_OTHER")
}

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

#[cfg(test)]
mod tests {
    use super::*;

    const HEARD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"));
        }
        map
    }

    fn step(trace: &str) -> TraceContext {
        TraceContext::parse(format!("00-{trace}-00f067aa0ba902b7-00").as_bytes()).expect("a step")
    }

    #[test]
    fn of_two_none_is_heard() {
        assert!(heard(&headers(&[("traceparent", HEARD)])).is_some());
        assert!(heard(&headers(&[("traceparent", HEARD), ("traceparent", HEARD)])).is_none());
        assert!(heard(&headers(&[("traceparent", "00-x")])).is_none());
    }

    #[test]
    fn a_state_goes_on_with_the_trace_that_it_is_of() {
        let sent = [("traceparent", HEARD), ("tracestate", "a=1"), ("tracestate", "b=2")];
        let mut own = headers(&sent);
        tell(&step("0af7651916cd43dd8448eb211c80319c"), &mut own);
        assert_eq!(own["traceparent"], "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-00");
        assert_eq!(own["tracestate"], "a=1,b=2");
        let mut other = headers(&sent);
        tell(&step("4bf92f3577b34da6a3ce929d0e0e4736"), &mut other);
        assert_eq!(other["traceparent"], "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00");
        assert!(!other.contains_key("tracestate"));
        let mut broken = headers(&[("traceparent", HEARD), ("tracestate", "a=1,a=2")]);
        tell(&step("0af7651916cd43dd8448eb211c80319c"), &mut broken);
        assert!(!broken.contains_key("tracestate"));
    }
}
