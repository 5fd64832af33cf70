use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use api::Availability;
use broker::{Arrival, ClientCertificate};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Response, Version, header};
use http_body::{Frame, SizeHint};
use http_body_util::Either;
use http1::HeadError;
use hyper::body::{Body, Incoming};
use hyper::rt::bounds::Http2ServerConnExec;
use hyper::server::conn::http2;
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::TokioIo;
use limits::Room;
use protocol::{Origin, Refused, RequestId};
use proxy::{
    Asked, Dialect, Drain, Entrance, GateError, Inbound, NoSpace, Proxied, ProxyBody, ProxyError, Route, Space, Stage,
};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tracing::Instrument;

use crate::server::guests::Guest;
use crate::server::http2::builder;
use crate::server::line::{Line, Places, Socket};
use crate::server::memory::Held;
use crate::server::spoken::{Protocol, spoken};
use crate::server::state::{Busy, Late};
use crate::server::streams::{Executor, Flowing};
use crate::server::witness::{Own, way};
use crate::server::{Here, Present};
use crate::telemetry::Underway;
use crate::tls;
use crate::tls_door::{ClientProof, TlsDoor};

/// Serves one connection to its end; after shutdown, to the end of what is under way. A client that is slow to say what it speaks is
/// not waited for.
pub(super) async fn serve(mut stream: TcpStream, (peer, room): (SocketAddr, Room), present: Rc<Present>) {
    // A connection begins by the configuration that holds then; each of its requests is served by the one that it meets.
    let here = present.here();
    let timeouts = here.parts.timeouts;
    if let Err(error) = prepare(&stream, timeouts.write) {
        tracing::debug!(error = %error, %peer, "a connection was gone at once");
        return;
    }
    let _open = here.witness.connection();
    let Some(address) = Box::pin(here.parts.front.address(&mut stream, peer)).await else { return };
    let stay = if here.parts.front.trusted.trusts(address) {
        None
    } else {
        let Some(stay) = here.parts.houseful.enter(address) else { return here.witness.turned_away("address") };
        Some(stay)
    };
    let mut arrival = Arrival { address, certificate: ClientCertificate::Absent };
    let judged_by = Rc::new(JudgedBy(here.parts.client_proof.clone()));
    let Some(acceptor) = here.parts.tls.as_ref().map(TlsDoor::acceptor) else {
        // Boxed, so that an open connection keeps none of the room that its beginning took.
        let spoken = Box::pin(async {
            tokio::select! {
                spoken = tokio::time::timeout(timeouts.head, spoken(&mut stream)) => Some(spoken),
                () = silent(&here.parts.drain) => None,
            }
        });
        let Some(spoken) = spoken.await else { return };
        match spoken {
            Ok(Ok((protocol, early))) => {
                drop(here);
                Box::pin(converse((stream, early, (room, stay)), protocol, (arrival, judged_by), present)).await;
            }
            Ok(Err(error)) => tracing::debug!(error = %error, %peer, "a connection was gone at once"),
            Err(_) => {
                here.witness.turned_away("head");
                tracing::debug!(%peer, "a connection said nothing");
            }
        }
        return;
    };
    let shaken = Box::pin(tokio::time::timeout(timeouts.handshake, acceptor.accept(stream))).await;
    match shaken {
        Ok(Ok(stream)) => {
            let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            let protocol = if h2 { Protocol::Http2 } else { Protocol::Http1 };
            let presented = stream.get_ref().1.peer_certificates();
            arrival.certificate = tls::client_certificate(presented, judged_by.0.proxy_name.as_ref());
            drop(here);
            Box::pin(converse((stream, Bytes::new(), (room, stay)), protocol, (arrival, judged_by), present)).await;
        }
        Ok(Err(error)) => tracing::debug!(error = %error, %peer, "no TLS"),
        Err(_) => {
            here.witness.turned_away("handshake");
            tracing::debug!(%peer, "the TLS handshake took too long");
        }
    }
}

/// By what the certificate of a connection was judged. Kept in an `Rc`, so that requests count it on their core alone.
struct JudgedBy(Arc<ClientProof>);

/// The kernel ends what takes nothing for so long: a tunnel, too, which nobody here looks at.
fn prepare(stream: &TcpStream, write: Duration) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_user_timeout(Some(write))?;
    let keepalive = TcpKeepalive::new().with_time(KEEP_ALIVE).with_interval(KEEP_ALIVE);
    socket.set_tcp_keepalive(&keepalive)
}

async fn converse(
    (stream, early, places): (impl Socket, Bytes, Places),
    protocol: Protocol,
    (arrival, judged_by): (Arrival, Rc<JudgedBy>),
    present: Rc<Present>,
) {
    let here = present.here();
    let guests = here.lasting.guests.clone();
    let guest = guests.arrive(here.patience);
    let line = Line::new(stream, guest.state().clone(), early, places);
    let (drain, state, date) = (here.parts.drain.clone(), guest.state().clone(), guests.date());
    let witness = here.witness.clone();
    let (timeouts, numbers) = (here.parts.timeouts, here.parts.numbers);
    // What is kept of one configuration ends with its last request.
    drop(here);
    let ended = match protocol {
        Protocol::Http1 => {
            let service = move |request: Result<Request<http1::Body>, HeadError>| {
                let request = request.map(|request| request.map(Inbound::Http1));
                answer(request, (arrival, judged_by.clone()), present.here(), state.ask())
            };
            Box::pin(drive(http1::Connection::new(line, service, date), &guest, &drain)).await
        }
        Protocol::Http2 => {
            let executor = Executor::default();
            let builder = builder(executor.clone(), &timeouts, &numbers);
            let service = service_fn(move |request: Request<Incoming>| {
                let request = Ok(request.map(Inbound::Http2));
                let flow = executor.announce(guests.streams(), &state);
                let answered = answer(request, (arrival, judged_by.clone()), present.here(), state.ask());
                // Boxed: neither the future nor what it is put into has to be moved about whole.
                Box::pin(async { Ok::<_, Infallible>(answered.await.map(|body| flow.of(body))) })
            });
            let line = TokioIo::new(line.shared());
            Box::pin(drive(builder.serve_connection(line, service), &guest, &drain)).await
        }
    };
    if let Some(word) = guest.state().late().and_then(Late::word) {
        witness.turned_away(word);
    }
    if let Err(error) = ended {
        tracing::debug!(error = error.as_ref(), peer = %arrival.address, "a connection ended");
    }
}

/// Serves to the end; from the end of the gateway on, to the end of what is under way.
async fn drive<C: Conversation>(conversation: C, guest: &Guest, drain: &Drain) -> Result<(), Ended> {
    let mut conversation = pin!(conversation);
    let mut said = Goodbye::Unsaid;
    let mut told = None;
    let served = poll_fn(|context| {
        guest.state().begin_turn();
        if let Poll::Ready(ended) = conversation.as_mut().poll_on(context) {
            return Poll::Ready(Some(ended));
        }
        guest.wait(context);
        match guest.state().late() {
            None => told = None,
            // Its client may have begun another request, which is still answered: it has a moment to hear of the end.
            Some(Late::Idle) if C::LETS_GO && told.is_none() => {
                told = Some(guest.state().now());
                conversation.as_mut().say_goodbye();
                context.waker().wake_by_ref();
            }
            Some(Late::Idle) if told.is_some_and(|told| guest.state().now().wrapping_sub(told) <= LEAVE) => {}
            Some(_) => return Poll::Ready(Some(Ok(()))),
        }
        if said == Goodbye::Unsaid && drain.has_reached(C::GOODBYE) && guest.state().has_rested(C::RESTS) {
            said = Goodbye::Said;
            conversation.as_mut().say_goodbye();
            context.waker().wake_by_ref();
        }
        let silent = drain.has_reached(Stage::Closing) && !guest.state().has_asked();
        if silent { Poll::Ready(None) } else { Poll::Pending }
    });
    if let Some(ended) = served.await {
        return ended;
    }
    // It has not asked for anything, and nothing new is taken any more.
    let rest = poll_fn(|context| conversation.as_mut().poll_on(context));
    Box::pin(tokio::time::timeout(SILENCE, rest)).await.unwrap_or(Ok(()))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Goodbye {
    Unsaid,
    Said,
}

/// How a connection ended other than by agreement.
type Ended = Box<dyn std::error::Error + Send + Sync>;

/// One connection's HTTP.
trait Conversation {
    /// When it is told that the gateway goes. GOAWAY loses nothing: it says which streams are still answered. HTTP/1.1 can only hang up,
    /// which a request on its way may meet.
    const GOODBYE: Stage;
    /// For how many seconds one must have rested before it is told: who keeps connections for later may be about to use this one, and a
    /// request that meets its end cannot always be sent again. Until then its next answer says that it is the last.
    const RESTS: u32;
    /// Whether one that rests too long can be ended so that nothing is lost.
    const LETS_GO: bool;

    fn poll_on(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Ended>>;
    fn say_goodbye(self: Pin<&mut Self>);
}

impl<L, S, A> Conversation for http1::Connection<L, S, A, Attended>
where
    L: AsyncRead + AsyncWrite + Unpin + 'static,
    S: Fn(Result<Request<http1::Body>, HeadError>) -> A + Unpin,
    A: Future<Output = Response<Attended>>,
{
    const GOODBYE: Stage = Stage::Closing;
    const RESTS: u32 = 3;
    const LETS_GO: bool = false;

    fn poll_on(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Ended>> {
        self.poll(context).map_err(Ended::from)
    }

    fn say_goodbye(mut self: Pin<&mut Self>) {
        http1::Connection::say_goodbye(&mut self);
    }
}

impl<I, S> Conversation for http2::Connection<I, S, Executor>
where
    S: HttpService<Incoming, ResBody = Flowing<Attended>>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    S::Future: 'static,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    Executor: Http2ServerConnExec<S::Future, Flowing<Attended>>,
{
    const GOODBYE: Stage = Stage::Leaving;
    const RESTS: u32 = 0;
    const LETS_GO: bool = true;

    fn poll_on(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Ended>> {
        self.poll(context).map_err(Ended::from)
    }

    fn say_goodbye(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// The body of an answer, and that somebody waits for its end.
struct Attended {
    body: Either<ProxyBody, axum::body::Body>,
    _busy: Busy,
    /// Ends with it.
    _span: Option<Box<Underway>>,
}

impl Body for Attended {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// For how long a connection is kept that has not asked for anything, where nothing new is taken any more.
async fn silent(drain: &Drain) {
    drain.reached(Stage::Closing).await;
    tokio::time::sleep(SILENCE).await;
}

/// One request: named, routed, answered.
async fn answer(
    request: Result<Request<Inbound>, HeadError>,
    (arrival, judged_by): (Arrival, Rc<JudgedBy>),
    here: Rc<Here>,
    busy: Busy,
) -> Response<Attended> {
    let (id, begun) = (here.lasting.names.draw(), Instant::now());
    // Another configuration has other proxies: what was judged by the one before is worth nothing, and the client comes again.
    let outdated = !matches!(arrival.certificate, ClientCertificate::Absent)
        && !Arc::ptr_eq(&judged_by.0, &here.parts.client_proof);
    let arrival = if outdated { Arrival { certificate: ClientCertificate::Absent, ..arrival } } else { arrival };
    let request = match request {
        Ok(request) => request,
        Err(error) => return unread(&error, (id, begun), arrival, &here, busy),
    };
    let (head, body) = request.into_parts();
    let leaving = (outdated || here.parts.drain.has_reached(Stage::Leaving)) && head.version < Version::HTTP_2;
    if outdated && head.version >= Version::HTTP_2 {
        busy.state().let_go();
    }
    let client = here.parts.front.trusted.client(arrival.address, &head.headers);
    let arrival = Arrival { address: *client.as_ref().unwrap_or(&arrival.address), ..arrival };
    let (origin, span) = here.witness.begin(Origin::new(id, arrival.address), &head.headers);
    let (dialect, method) = (Dialect::of(&head), head.method.clone());
    let state = busy.state().clone();
    let taken = here.lasting.memory.hold(&state, &head);
    let checked = client.and_then(|_| proxy::check(&head));
    let routed = checked.and_then(|()| here.core.plane().route(&head)).map_err(ProxyError::Gate);
    let routed = taken.as_ref().map_err(|NoSpace| ProxyError::Memory).and(routed);
    let route = match &routed {
        Ok(Route::Proxied(route) | Route::Withheld(route) | Route::Mcp(route)) => Some(*route),
        _ => None,
    };
    let page = route.filter(|route| route.entrance() == Entrance::Mcp).map(|_| head.headers.clone());
    let mut response = match routed {
        Err(error) => {
            if matches!(error, ProxyError::Gate(_)) {
                state.offend();
            }
            // How it is told follows where the request would have led; nothing else does.
            let route = match here.core.plane().route(&head) {
                Ok(Route::Proxied(route) | Route::Withheld(route) | Route::Mcp(route)) => Some(route),
                _ => None,
            };
            here.core.plane().refuse(&error, &Asked { dialect, origin, route }).map(Either::Left)
        }
        Ok(Route::Withheld(_)) => {
            here.core.plane().refuse(&ProxyError::NoDocument, &Asked { dialect, origin, route }).map(Either::Left)
        }
        Ok(Route::Proxied(route)) => {
            // What is said on the usual way of a call is for whoever looks for a fault.
            let traceparent = origin.trace().map(tracing::field::display);
            let span = tracing::debug_span!("request", request_id = id.as_str(), traceparent);
            let (mut taken, mut none) = (taken, NoSpace);
            let space = taken.as_mut().map_or(&mut none as &mut dyn Space, |held| held);
            here.core.serve(origin, route, (head, body), space).instrument(span).await.map(Either::Left)
        }
        Ok(Route::Mcp(route)) => {
            let span = proxy::named(&origin);
            Box::pin(at_the_door((head, body), (origin, route), taken.ok(), &here).instrument(span)).await
        }
        Ok(Route::Control) => {
            let span = proxy::named(&origin);
            let mut request = Request::from_parts(head, body);
            request.extensions_mut().insert(origin);
            request.extensions_mut().insert(arrival);
            request.extensions_mut().insert(here.parts.broker.asked_by(origin));
            request.extensions_mut().insert(availability(&here.parts.drain));
            // Boxed: the calls that are forwarded need not carry its size.
            Box::pin(here.parts.control.call(request, taken.ok()).instrument(span)).await.map(Either::Right)
        }
    };
    if let Some(page) = page {
        here.core.plane().origins().open(&page, response.headers_mut());
    }
    let refused = response.extensions_mut().remove::<Refused>();
    let span = span.map(|span| span.answered(way(route), &method, &mut response, refused));
    // What is forwarded is told when its body has ended.
    if refused.is_some() || matches!(response.body(), Either::Right(_)) {
        let bytes = response.body().size_hint().exact().unwrap_or_default();
        let (status, took) = (response.status().as_u16(), begun.elapsed());
        // The calls that tools make are told by themselves.
        let route = route.filter(|_| matches!(response.body(), Either::Left(_)));
        here.witness.answered(&Own { origin: &origin, route, method: &method, status, bytes, took, refused });
    }
    if leaving {
        response.headers_mut().insert(header::CONNECTION, CLOSE);
    }
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response.map(|body| Attended { body, _busy: busy, _span: span })
}

/// A request of an MCP client: let in, and answered on the other runtime.
async fn at_the_door(
    (head, body): (Parts, Inbound),
    (origin, route): (Origin, Proxied),
    taken: Option<Held<'_>>,
    here: &Here,
) -> Response<Either<ProxyBody, axum::body::Body>> {
    let plane = here.core.plane();
    if let Some(preflight) = plane.origins().preflight(&head) {
        return preflight.map(Either::Left);
    }
    let admitted = match here.core.admit(origin, &route, &head).await {
        Ok(admitted) => admitted,
        Err(error) => {
            let asked = Asked { dialect: Dialect::Http, origin, route: Some(route) };
            return plane.refuse(&error, &asked).map(Either::Left);
        }
    };
    let caller = admitted.caller.clone();
    let only = route.upstream().map(|_| caller.provider_id().clone());
    let mut request = Request::from_parts(head, body);
    request.extensions_mut().insert(origin);
    request.extensions_mut().insert(here.parts.broker.asked_by(origin));
    request.extensions_mut().insert(mcp::Visit { caller, only, calls: here.letterbox.calls() });
    here.parts.control.call(request, taken).await.map(Either::Right)
}

/// What could not be read as a request.
fn unread(
    error: &HeadError,
    (id, begun): (RequestId, Instant),
    arrival: Arrival,
    here: &Here,
    busy: Busy,
) -> Response<Attended> {
    let (origin, span) = here.witness.begin(Origin::new(id, arrival.address), &http::HeaderMap::new());
    let asked = Asked { dialect: Dialect::Http, origin, route: None };
    let mut response = here.core.plane().refuse(&ProxyError::Gate(GateError::from(error)), &asked);
    let refused = response.extensions_mut().remove::<Refused>();
    let bytes = response.body().size_hint().exact().unwrap_or_default();
    let (status, took) = (response.status().as_u16(), begun.elapsed());
    let method = Method::from_bytes(UNREAD).unwrap_or_default();
    let span = span.map(|span| span.answered(way(None), &method, &mut response, refused));
    here.witness.answered(&Own { origin: &origin, route: None, method: &method, status, bytes, took, refused });
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response.map(|body| Attended { body: Either::Left(body), _busy: busy, _span: span })
}

/// What probes are told.
pub(crate) fn availability(drain: &Drain) -> Availability {
    if drain.has_reached(Stage::Leaving) { Availability::Draining } else { Availability::Serving }
}

const CLOSE: HeaderValue = HeaderValue::from_static("close");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const SILENCE: Duration = Duration::from_secs(1);
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// How many seconds an HTTP/2 connection that rests too long is kept after its client was told.
const LEAVE: u32 = 2;
/// In the place of a method, where there was none.
const UNREAD: &[u8] = b"-";
