use std::sync::Arc;

use audit::{Audit, Event};
use broker::{Broker, Caller, Lent};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, response};
use hyper::body::Incoming;
use policy::{CanonicalPath, Denied};
use protocol::Origin;
use secret::Entropy;
use url::Url;

use crate::access::Access;
use crate::authenticate::authenticate;
use crate::body::{ProxyBody, Streamed};
use crate::error::{ProxyError, refuse};
use crate::forward::Call;
use crate::guard::Guard;
use crate::headers;
use crate::location::Rewriting;
use crate::pool::Answered;
use crate::pools::Pools;
use crate::query;
use crate::route::{self, Proxied, Route};
use crate::upstream::{BodyGuard, Upstream};
use crate::watch::Watch;
use crate::websocket::{Handshake, Sockets};

/// What all cores share, and none changes.
pub struct DataPlane {
    broker: Broker,
    audit: Audit,
    upstreams: Vec<Upstream>,
    public_url: String,
    entropy: Arc<dyn Entropy>,
}

/// One core's half of the data plane: its pools of upstream connections.
pub struct Core {
    plane: Arc<DataPlane>,
    pools: Vec<Pools>,
    sockets: Sockets,
}

impl DataPlane {
    /// From the configured upstreams, with the gateway's public URL for links that lead back to it.
    #[must_use]
    pub fn new(
        broker: Broker,
        audit: Audit,
        upstreams: Vec<Upstream>,
        public_url: &Url,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self { broker, audit, upstreams, public_url: public_url.origin().ascii_serialization(), entropy }
    }

    /// Whether a request is to be forwarded, and where.
    #[must_use]
    pub fn route(&self, parts: &Parts) -> Route {
        route::route(&self.upstreams, parts)
    }
}

impl Core {
    /// A core without connections yet.
    #[must_use]
    pub fn new(plane: Arc<DataPlane>) -> Self {
        let pools = plane.upstreams.iter().map(|_| Pools::default()).collect();
        Self { plane, pools, sockets: Sockets::default() }
    }

    /// Tells every open WebSocket that the gateway goes, and returns when all have ended.
    pub async fn close_sockets(&self) {
        self.sockets.close().await;
    }

    /// The shared half.
    #[must_use]
    pub fn plane(&self) -> &DataPlane {
        &self.plane
    }

    /// Forwards a call that has passed the gate ([`crate::check`]), or refuses it. Where it comes from stands in its extensions, an
    /// [`Origin`].
    pub async fn serve(&self, route: Proxied, request: Request<Incoming>) -> Response<ProxyBody> {
        match self.forwarded(&route, request).await {
            Ok(response) => response,
            Err(error) => refuse(&error),
        }
    }

    fn violation(&self, origin: &Origin, caller: &Caller, denied: &Denied) -> ProxyError {
        let event = Event::new("scope_violation").from(origin).agent(caller.agent_id()).client(caller.client_id());
        let event = event.user(caller.user_id()).provider(caller.provider_id()).account(caller.account_id());
        let event = event.effective(caller.scopes()).denied(denied.wanted(), "no granted scope allows the operation");
        match self.plane.audit.note(&event) {
            Ok(()) => ProxyError::Denied { wanted: denied.wanted().clone() },
            Err(error) => error.into(),
        }
    }

    /// The way of a request. Each step makes what the next one needs.
    async fn forwarded(&self, route: &Proxied, request: Request<Incoming>) -> Result<Response<ProxyBody>, ProxyError> {
        let (mut parts, body) = request.into_parts();
        let upstream = route.upstream.and_then(|number| self.plane.upstreams.get(number));
        let pools = route.upstream.and_then(|number| self.pools.get(number));
        let origin = parts.extensions.get::<Origin>().cloned().unwrap_or_default();
        let broker = self.plane.broker.asked_by(origin.clone());
        let caller = authenticate(&broker, &parts.headers, route, upstream).await?;
        let (upstream, pools) = upstream.zip(pools).ok_or(ProxyError::ProviderMismatch)?;

        let handshake = Handshake::read(&mut parts, upstream, &self.plane.entropy)?;
        let query = query::checked(&parts.uri)?;
        let path = CanonicalPath::parse(&route.path).map_err(ProxyError::Path)?;
        // A WebSocket is opened by a GET, whatever HTTP/2 calls it.
        let method = if handshake.is_some() { &Method::GET } else { &parts.method };
        let permit = upstream.operations.permit(caller.scopes(), method, path);
        let permit = permit.map_err(|denied| self.violation(&origin, &caller, &denied))?;
        broker.admit(&caller)?;

        // Before anything is sent: what cannot be recorded is not forwarded.
        let place = self.plane.audit.reserve()?;
        let lent = broker.lend(&caller).await?;
        query::without(query, &lent)?;
        // That may have taken as long as a renewal does: whoever was ended meanwhile sends nothing.
        let caller = broker.still_may(&caller, permit.scope()).await?;
        let mut access = Access::new(place, origin, caller.clone(), permit.method().clone(), permit.scope().clone());
        let call =
            Call { pools, upstream, permit: &permit, query, headers: &parts.headers, handshake: handshake.as_ref() };
        // Whatever is waited for, a renewed token or the end of an upload: who may no longer call sends nothing more.
        let (answered, lent) = tokio::select! {
            biased;
            () = broker.outlived(&caller, permit.scope()) => return Err(broker.end_of(&caller).into()),
            exchanged = call.exchange(&broker, &caller, body, lent) => exchanged?,
        };
        access.answered(answered.response.status());

        // The first is the one that was answered.
        let target = lent.first().map_or_else(
            || Ok(upstream.target.clone()),
            |lent| Ok::<_, ProxyError>(pools.of(upstream, lent)?.target),
        )?;
        let rewriting = Rewriting::new(upstream, &target, route.entrance, &self.plane.public_url);
        let watch = Watch::new(broker, caller, permit.scope().clone());
        if let Some(handshake) = handshake {
            return self.switched(upstream, handshake, answered, &rewriting, &lent, (access, watch));
        }
        Ok(respond(answered, &rewriting, Guard::new(&lent, upstream.guard), access, watch))
    }

    /// What becomes of a handshake: a tunnel, or an ordinary answer.
    fn switched(
        &self,
        to: &Upstream,
        handshake: Handshake,
        mut answered: Answered,
        rewriting: &Rewriting<'_>,
        lent: &[Lent],
        (access, watch): (Access, Watch),
    ) -> Result<Response<ProxyBody>, ProxyError> {
        let mut guard = Guard::new(lent, to.guard);
        if answered.response.status() != StatusCode::SWITCHING_PROTOCOLS {
            if handshake.is_connect() && answered.response.status().is_success() {
                return Err(ProxyError::NotSwitched);
            }
            return Ok(respond(answered, rewriting, guard, access, watch));
        }
        let upstream = hyper::upgrade::on(&mut answered.response);
        let (mut head, _) = answered.response.into_parts();
        clean(&mut head, rewriting, &mut guard);
        let guards = (to.guard == BodyGuard::Mask).then(|| (guard, Guard::new(lent, to.guard)));
        let (response, agreed) = handshake.agreed(head, upstream, guards, (access, watch));
        self.sockets.open(agreed);
        Ok(response)
    }
}

fn respond(
    answered: Answered,
    rewriting: &Rewriting<'_>,
    mut guard: Guard,
    access: Access,
    watch: Watch,
) -> Response<ProxyBody> {
    let (mut parts, body) = answered.response.into_parts();
    clean(&mut parts, rewriting, &mut guard);
    let streamed = Streamed::new(body, guard, access, watch, answered.connection);
    Response::from_parts(parts, ProxyBody::streamed(streamed))
}

/// What passes of an answer's head.
fn clean(parts: &mut response::Parts, rewriting: &Rewriting<'_>, guard: &mut Guard) {
    headers::incoming(&mut parts.headers);
    rewriting.apply(&mut parts.headers);
    guard.headers(&mut parts.headers);
    parts.extensions.clear();
    parts.version = http::Version::HTTP_11;
}
