use std::cell::OnceCell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use audit::{AuditError, Event, Ring};
use broker::{Caller, Lent, Near, Seen};
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode, response};
use limits::{Corner, Place};
use policy::{CanonicalPath, Content, Denied, PathError, Permit, Ruling, Undecided};
use protocol::{Origin, Scope, Timestamp};
use tracing::{Instrument, Span};

use crate::access::{Access, Told};
use crate::authenticate::authenticate;
use crate::body::{Download, ProxyBody, Streamed};
use crate::drain::Drain;
use crate::error::{Asked, ProxyError};
use crate::flight::{Flights, Places};
use crate::forward::Call;
use crate::grpc::Dialect;
use crate::guard::{Echoed, Guard, Lents};
use crate::headers;
use crate::inbound::Inbound;
use crate::location::Rewriting;
use crate::mcp::{self, Rpc};
use crate::observer::Observer;
use crate::plane::DataPlane;
use crate::pools::Pools;
use crate::query;
use crate::reading::{self, ContentError};
use crate::route::{Entrance, Proxied};
use crate::space::Space;
use crate::upstream::Upstream;
use crate::watch::Watch;
use crate::websocket::{self, Handshake};

/// One core's half of the data plane: what no other core touches.
pub struct Core {
    plane: Arc<DataPlane>,
    /// Made when the first call to the upstream comes by here.
    pools: Vec<Rc<OnceCell<Box<Pools>>>>,
    /// What may be under way at each upstream.
    corners: Vec<Rc<Corner>>,
    near: Rc<Near>,
    flights: Rc<Flights>,
    ring: Ring,
    observer: Rc<dyn Observer>,
    drain: Drain,
}

/// What one core has of one upstream.
type Side = (Rc<OnceCell<Box<Pools>>>, Rc<Corner>);

/// Somebody who was let in by the door for MCP clients, and their place there for as long as this is kept.
pub struct Admitted {
    /// Who it is.
    pub caller: Caller,
    _place: Place,
}

impl Core {
    /// A core without connections yet; to be made where it is to run.
    #[must_use]
    pub fn new(plane: Arc<DataPlane>, observer: Rc<dyn Observer>, drain: Drain) -> Self {
        let (ring, near) = (plane.audit.ring(), Near::new(plane.broker.clone()));
        Self::with(plane, (ring, near), observer, drain, |_| None)
    }

    /// The same core under another configuration. Upstreams that are the same in both keep their connections, and what is counted there.
    #[must_use]
    pub fn renewed(&self, plane: Arc<DataPlane>, observer: Rc<dyn Observer>) -> Self {
        let near = self.near.under(plane.broker.clone());
        Self::with(plane, (self.ring.clone(), near), observer, self.drain.clone(), |upstream| {
            let number = self.plane.number_of(upstream)?;
            Some((self.pools.get(number)?.clone(), self.corners.get(number)?.clone()))
        })
    }

    fn with(
        plane: Arc<DataPlane>,
        (ring, near): (Ring, Near),
        observer: Rc<dyn Observer>,
        drain: Drain,
        known: impl Fn(&Arc<Upstream>) -> Option<Side>,
    ) -> Self {
        let side = |upstream: &Arc<Upstream>| {
            known(upstream).unwrap_or_else(|| (Rc::default(), upstream.concurrent_calls.corner("")))
        };
        let (pools, corners) = plane.upstreams.iter().map(side).unzip();
        let near = Rc::new(near);
        Self { plane, pools, corners, near, flights: Rc::default(), ring, observer, drain }
    }

    /// The shared half.
    #[must_use]
    pub fn plane(&self) -> &DataPlane {
        &self.plane
    }

    /// Sees to it that what is under way ends when it has to; for as long as there is such a core, and what it began.
    pub fn watch(self: &Rc<Self>) -> impl Future<Output = ()> + use<> {
        let (core, flights, near) = (Rc::downgrade(self), self.flights.clone(), self.near.clone());
        async move { flights.watch(&near, || core.strong_count() > 0).await }
    }

    /// Forwards a call that has passed the gate ([`crate::check`]), or refuses it. What has to be read of it first is kept in `space`.
    pub async fn serve(
        &self,
        origin: Origin,
        route: Proxied,
        (parts, body): (Parts, Inbound),
        space: &mut dyn Space,
    ) -> Response<ProxyBody> {
        let dialect = Dialect::of(&parts);
        let at_server = self.is_at_server(&route);
        if let Some(preflight) = self.plane.origins.preflight(&parts).filter(|_| at_server) {
            return preflight;
        }
        let mut rpc = None;
        match self.forwarded(origin, &route, (parts, body, space), (dialect, &mut rpc)).await {
            Ok(response) => response,
            // What is said of it in the log is said under the request's name.
            Err(error) => {
                let asked = Asked { dialect, origin, route: Some(route) };
                let plain = named(&origin).in_scope(|| self.plane.refuse(&error, &asked));
                if at_server { mcp::refuse(&error, plain, rpc.as_ref()) } else { plain }
            }
        }
    }

    /// Whether it came by the door of an MCP server.
    fn is_at_server(&self, route: &Proxied) -> bool {
        let upstream = self.plane.upstream(route);
        route.entrance != Entrance::Ath && upstream.is_some_and(|upstream| upstream.mcp.is_some())
    }

    /// Whether somebody may come in by the door for MCP clients, and who it is.
    pub async fn admit(&self, origin: Origin, route: &Proxied, parts: &Parts) -> Result<Admitted, ProxyError> {
        self.plane.origins.check(&parts.headers).map_err(|_| ProxyError::ForeignOrigin)?;
        let now = self.near.now();
        let upstream = self.plane.upstream(route);
        let seen = authenticate(&self.near, (origin, now), &parts.headers, route, upstream).await?;
        seen.admit(now)?;
        let place = self.near.begin_visit(&seen).ok_or(ProxyError::Crowded)?;
        Ok(Admitted { caller: Caller::clone(&seen), _place: place })
    }

    fn violation(&self, origin: &Origin, caller: &Caller, path: CanonicalPath<'_>, denied: &Denied) -> ProxyError {
        if path.has_encoded_slash() && denied.wanted().is_empty() {
            // No rule speaks of an encoded slash there.
            return ProxyError::Path(PathError::AmbiguousEncoding);
        }
        let noted = self.note_violation(origin, caller, denied, "no granted scope allows the operation");
        noted.map_or_else(ProxyError::from, |()| ProxyError::Denied { wanted: denied.wanted().clone() })
    }

    fn note_violation(
        &self,
        origin: &Origin,
        caller: &Caller,
        denied: &Denied,
        why: &'static str,
    ) -> Result<(), AuditError> {
        let event = Event::new("scope_violation").from(origin).agent(caller.agent_id()).client(caller.client_id());
        let event = event.user(caller.user_id()).provider(caller.provider_id()).account(caller.account_id());
        self.plane.audit.note(&event.effective(caller.scopes()).denied(denied.wanted(), why))
    }

    /// What only the body can decide: it is read, judged, and goes on as it was read.
    async fn judged<'p>(
        &self,
        (origin, caller): (&Origin, &Rc<Seen>),
        undecided: &Undecided<'p>,
        upstream: &Upstream,
        (headers, query): (&HeaderMap, Option<&str>),
        (body, space, rpc): (Inbound, &mut dyn Space, &mut Option<Rpc>),
    ) -> Result<(Permit<'p>, Inbound), ProxyError> {
        reading::check_head(headers, query).map_err(ProxyError::Content)?;
        let flight = self.flights.begin(caller.clone(), Places::default());
        let read = reading::whole(body, upstream.read_body, (self.plane.pace, &flight), space).await?;
        if upstream.mcp.is_some() {
            *rpc = Rpc::peek(headers, &read);
        }
        let content = Content::read(undecided.wants(), &read, headers);
        let content = content.map_err(|error| ProxyError::Content(ContentError::Unreadable(error)))?;
        if caller.has_run_out(self.near.now()) {
            return Err(self.near.broker().end_of(caller).into());
        }
        match undecided.judge(&content) {
            Ok(permit) => Ok((permit, Inbound::from(read))),
            Err(denied) => {
                self.note_violation(origin, caller, &denied, "no granted scope allows what the body asks for")?;
                Err(ProxyError::ContentDenied { wanted: denied.wanted().clone() })
            }
        }
    }

    /// The way of a request. Each step makes what the next one needs.
    async fn forwarded(
        &self,
        origin: Origin,
        route: &Proxied,
        (mut parts, mut body, space): (Parts, Inbound, &mut dyn Space),
        (dialect, rpc): (Dialect, &mut Option<Rpc>),
    ) -> Result<Response<ProxyBody>, ProxyError> {
        let (begun, mut now) = (Instant::now(), self.near.now());
        let upstream = self.plane.upstream(route);
        let pools = route.upstream.and_then(|number| self.pools.get(number));
        if self.is_at_server(route) {
            self.plane.origins.check(&parts.headers).map_err(|_| ProxyError::ForeignOrigin)?;
        }
        let caller = authenticate(&self.near, (origin, now), &parts.headers, route, upstream).await?;
        let (upstream, pools) = upstream.zip(pools).ok_or(ProxyError::ProviderMismatch)?;
        let pools = pools.get_or_init(Box::default);

        let handshake = Handshake::read((&mut parts, &mut body), upstream, &self.plane.entropy)?;
        let query = query::checked(&parts.uri)?;
        let path = upstream.operations.path(route.path(&parts.uri, upstream)).map_err(ProxyError::Path)?;
        // A WebSocket is opened by a GET, whatever HTTP/2 calls it.
        let method = if handshake.is_some() { &Method::GET } else { &parts.method };
        let ruling = upstream.operations.decide(caller.effective(), method, path);
        let ruling = ruling.map_err(|denied| self.violation(&origin, &caller, path, &denied))?;
        caller.admit(now)?;
        let places = self.places(&caller, route, handshake.as_deref())?;
        let mut sent = begun;
        let permit = match ruling {
            Ruling::Permitted(permit) => permit,
            Ruling::Unread(undecided) => {
                let (permit, read) = Box::pin(self.judged(
                    (&origin, &caller),
                    &undecided,
                    upstream,
                    (&parts.headers, query),
                    (body, space, rpc),
                ))
                .await?;
                (body, sent, now) = (read, Instant::now(), self.near.now());
                permit
            }
        };

        if upstream.mcp.is_some() {
            mcp::unbind(&mut parts.headers, self.near.broker(), &caller)?;
        }
        // Before anything is sent: what cannot be recorded is not forwarded.
        let place = self.ring.reserve()?;
        let (caller, lent) = self.lent(origin, caller, permit.scope(), now).await?;
        query::without(query, &lent)?;
        let mut headers = headers::onward(parts.headers, upstream);
        let span = self.observer.calls(&origin, *route, &mut headers);
        let told = Told { observer: self.observer.clone(), route: *route, span };
        let mut access = Access::new(place, (origin, begun), caller.clone(), (permit.method(), permit.scope()), told);
        let flight = self.flights.begin(caller.clone(), places);
        let watch = Watch::new(self.near.clone(), origin, caller, permit.scope().clone(), flight);
        let uri = self.observer.keeps_paths().then(|| parts.uri.clone());
        let call = Call {
            pools,
            upstream,
            permit: &permit,
            query,
            headers,
            dialect,
            watch: &watch,
            pace: self.plane.pace,
            handshake: handshake.as_deref(),
        };
        // Whatever is waited for, a renewed token or the end of an upload: who may no longer call sends nothing more.
        let answered = watch.over(pin!(call.exchange(body, lent, sent))).await;
        let (mut answered, lents) = answered.ok_or_else(|| watch.broker().end_of(watch.caller()))??;
        if upstream.mcp.is_some() {
            if route.entrance != Entrance::Ath {
                mcp::heed(&answered, self.near.broker(), watch.caller())?;
            }
            mcp::bind(answered.headers_mut(), self.near.broker(), watch.caller())?;
        }
        let target =
            if Rewriting::concerns(answered.headers()) { Some(pools.of(upstream, &lents.lent)?.target) } else { None };
        let rewriting =
            target.as_deref().map(|target| Rewriting::new(upstream, target, route.entrance, &self.plane.public_url));
        // What fails before this is told as a refusal.
        access.answered(answered.status(), uri);
        if let Some(handshake) = handshake {
            let (about, rewriting) = ((upstream, *handshake), rewriting.as_ref());
            return Box::pin(self.switched(about, answered, rewriting, lents, (access, watch))).await;
        }
        respond(answered, rewriting.as_ref(), (Guard::new(lents, upstream.guard), dialect), access, watch).await
    }

    /// Room for one more call: of the agent's, and at the upstream.
    fn places(&self, caller: &Seen, route: &Proxied, opened: Option<&Handshake>) -> Result<Places, ProxyError> {
        let socket = opened.map(|_| self.near.open_socket(caller).ok_or(ProxyError::Sockets)).transpose()?;
        let own = self.near.begin_call(caller).ok_or(ProxyError::Crowded)?;
        let there = route.upstream.and_then(|number| self.corners.get(number));
        let there = there.map(|corner| corner.enter().ok_or(ProxyError::Full)).transpose()?;
        Ok([Some(own), there, socket])
    }

    /// The caller's credential. Where it is not at hand, that may take as long as a renewal does: whoever was ended meanwhile sends
    /// nothing.
    async fn lent(
        &self,
        origin: Origin,
        caller: Rc<Seen>,
        scope: &Scope,
        now: Timestamp,
    ) -> Result<(Rc<Seen>, Rc<Lent>), ProxyError> {
        if let Some(lent) = caller.lent(now).cloned() {
            return Ok((caller, lent));
        }
        let broker = self.near.broker().asked_by(origin);
        let lent = Box::pin(broker.lend(&caller).instrument(named(&origin))).await?;
        let caller = Box::pin(broker.still_may(&caller, scope)).await?;
        Ok((Rc::new(Seen::new(&broker, caller)), Rc::new(lent)))
    }

    /// What becomes of a handshake: a tunnel, or an ordinary answer.
    async fn switched(
        &self,
        (upstream, handshake): (&Upstream, Handshake),
        mut answered: Response<Download>,
        rewriting: Option<&Rewriting<'_>>,
        lents: Lents,
        (mut access, watch): (Access, Watch),
    ) -> Result<Response<ProxyBody>, ProxyError> {
        if answered.status() != StatusCode::SWITCHING_PROTOCOLS {
            if handshake.is_connect() && answered.status().is_success() {
                access.refused();
                return Err(ProxyError::NotSwitched);
            }
            let guard = (Guard::new(lents, upstream.guard), Dialect::Http);
            return respond(answered, rewriting, guard, access, watch).await;
        }
        let tunnel = hyper::upgrade::on(&mut answered);
        let (mut head, _) = answered.into_parts();
        let mut guard = Guard::new(lents.clone(), upstream.guard);
        if let Err(echoed) = clean(&mut head, rewriting, &mut guard) {
            access.echoed(guard.finds());
            access.refused();
            return Err(echoed.into());
        }
        let guards = upstream.guard.reads().then(|| (guard, Guard::new(lents, upstream.guard)));
        let (response, agreed) = handshake.agreed(head, tunnel, guards, (access, watch));
        websocket::open(agreed, self.drain.clone());
        Ok(response)
    }
}

/// For the rare ways: on the usual one there is nothing to say.
#[must_use]
pub fn named(origin: &Origin) -> Span {
    let trace = origin.trace().map(tracing::field::display);
    tracing::info_span!("request", request_id = origin.request_id(), traceparent = trace)
}

/// The upstream's answer, as far as it may be handed on.
async fn respond(
    answered: Response<Download>,
    rewriting: Option<&Rewriting<'_>>,
    (mut guard, dialect): (Guard, Dialect),
    mut access: Access,
    watch: Watch,
) -> Result<Response<ProxyBody>, ProxyError> {
    let (mut parts, body) = answered.into_parts();
    if let Err(echoed) = clean(&mut parts, rewriting, &mut guard) {
        access.echoed(guard.finds());
        access.refused();
        return Err(echoed.into());
    }
    let looks_first = guard.looks_first(&parts.headers);
    let mut streamed = Streamed::new(body, (guard, dialect), access, watch);
    if looks_first {
        // Nothing is waited for: most answers of some size come with their head.
        let looked = poll_fn(|context| Poll::Ready(streamed.look(context))).await;
        if let Err(echoed) = looked {
            streamed.refused();
            return Err(echoed.into());
        }
    }
    streamed.commit(&mut parts.headers);
    Ok(Response::from_parts(parts, ProxyBody::streamed(streamed)))
}

/// What passes of an answer's head.
fn clean(parts: &mut response::Parts, rewriting: Option<&Rewriting<'_>>, guard: &mut Guard) -> Result<(), Echoed> {
    headers::incoming(&mut parts.headers);
    if let Some(rewriting) = rewriting {
        rewriting.apply(&mut parts.headers);
    }
    parts.extensions.clear();
    parts.version = http::Version::HTTP_11;
    guard.headers(&mut parts.headers)
}
