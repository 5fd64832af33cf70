use std::rc::Rc;
use std::time::{Duration, Instant};

use audit::{Call, End, Place};
use broker::Seen;
use http::{Method, StatusCode, Uri};
use protocol::{Origin, Scope, SpanId};

use crate::observer::{Ended, Failed, Observer};
use crate::route::Proxied;

/// The record of one forwarded call, written when its answer's body has ended or was dropped. No path, no query, no header value.
pub(crate) struct Access {
    /// Reserved before the call was made.
    place: Option<Place>,
    origin: Origin,
    caller: Rc<Seen>,
    method: &'static str,
    scope: Scope,
    status: StatusCode,
    begun: Instant,
    bytes: u64,
    finds: u64,
    end: End,
    /// When the upstream was asked.
    asked: Instant,
    told: Told,
    answered: Option<Answered>,
}

/// Who is told of the call when it is over, and what only they want to know.
pub(crate) struct Told {
    pub(crate) observer: Rc<dyn Observer>,
    pub(crate) route: Proxied,
    pub(crate) span: Option<SpanId>,
}

/// The head of the answer.
struct Answered {
    upstream_took: Duration,
    uri: Option<Uri>,
}

impl Access {
    pub(crate) fn new(
        place: Place,
        (origin, begun): (Origin, Instant),
        caller: Rc<Seen>,
        (method, scope): (&Method, &Scope),
        told: Told,
    ) -> Self {
        Self {
            place: Some(place),
            origin,
            caller,
            method: named(method),
            scope: scope.clone(),
            status: StatusCode::BAD_GATEWAY,
            begun,
            bytes: 0,
            finds: 0,
            end: End::Cut,
            asked: Instant::now(),
            told,
            answered: None,
        }
    }

    /// The head of the upstream's answer is there.
    pub(crate) fn answered(&mut self, status: StatusCode, uri: Option<Uri>) {
        self.status = status;
        self.answered = Some(Answered { upstream_took: self.asked.elapsed(), uri });
    }

    /// It becomes a refusal all the same, and is told as one.
    pub(crate) fn refused(&mut self) {
        self.status = StatusCode::BAD_GATEWAY;
        self.answered = None;
    }

    pub(crate) fn sent(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// It holds a credential, and goes no further for it.
    pub(crate) fn echoed(&mut self, finds: u64) {
        self.finds = finds;
        self.end = End::Echoed;
    }

    pub(crate) fn ended(&mut self, finds: u64) {
        self.finds = finds;
        self.end = End::Complete;
    }

    /// What a tunnel has carried to the agent, frames and all, and how it ended.
    pub(crate) fn tunnelled(&mut self, bytes: u64, finds: u64, end: End) {
        self.bytes = bytes;
        self.finds = finds;
        self.end = end;
    }
}

impl Drop for Access {
    fn drop(&mut self) {
        let Some(place) = self.place.take() else { return };
        let took = self.begun.elapsed();
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let Told { observer, route, span } = &self.told;
        let (origin, method, waited) = (&self.origin, self.method, self.asked.duration_since(self.begun));
        match &self.answered {
            None => observer.failed(&Failed { origin, route: *route, method, waited, took, span: *span }),
            Some(Answered { upstream_took, uri }) => observer.ended(&Ended {
                origin,
                caller: &self.caller,
                route: *route,
                method,
                status: self.status.as_u16(),
                bytes: self.bytes,
                masked: self.finds,
                complete: matches!(self.end, End::Complete),
                waited,
                took,
                upstream_took: *upstream_took,
                uri: uri.as_ref(),
                span: *span,
            }),
        }
        tracing::debug!(
            target: "ath_gateway::access",
            event = "proxy_request",
            request_id = self.origin.request_id(),
            agent_id = %self.caller.agent_id(),
            provider_id = %self.caller.provider_id(),
            status = self.status.as_u16(),
            bytes = self.bytes,
            end = self.end.as_str(),
            millis,
        );
        place.fill(Call {
            request_id: self.origin.request(),
            address: self.origin.address(),
            who: self.caller.who().clone(),
            method: self.method,
            scope: self.scope.clone(),
            status: self.status.as_u16(),
            bytes: self.bytes,
            masked: self.finds,
            end: self.end,
            millis,
        });
    }
}

/// The gate lets no others through.
fn named(method: &Method) -> &'static str {
    let known = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
    let names = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    known.iter().zip(names).find(|(known, _)| *known == method).map_or("other", |(_, name)| name)
}
