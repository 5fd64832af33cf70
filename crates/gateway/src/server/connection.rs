use std::cell::Cell;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use api::Availability;
use broker::{Arrival, ClientCertificate};
use http::{HeaderName, HeaderValue, Request, Response, Version, header};
use http_body_util::Either;
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use protocol::{Origin, Refused};
use proxy::{Dialect, Drain, ProxyBody, ProxyError, Route, Stage};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tracing::Instrument;

use crate::server::Here;
use crate::server::line::{Line, Socket};
use crate::server::witness::Own;
use crate::tls;

type Answer = Response<Either<ProxyBody, axum::body::Body>>;

/// Runs what hyper spawns on this core.
#[derive(Clone)]
struct LocalExecutor;

impl<F: Future + 'static> hyper::rt::Executor<F> for LocalExecutor {
    fn execute(&self, task: F) {
        tokio::task::spawn_local(async move {
            task.await;
        });
    }
}

/// Serves one connection to its end; after shutdown, to the end of what is under way. A client that is slow to say what it speaks is
/// not waited for.
pub(super) async fn serve(mut stream: TcpStream, peer: SocketAddr, here: Rc<Here>) {
    if let Err(error) = prepare(&stream) {
        tracing::debug!(error = %error, %peer, "a connection was gone at once");
        return;
    }
    let _open = here.witness.connection();
    let Some(address) = here.parts.front.address(&mut stream, peer).await else { return };
    let mut arrival = Arrival { address, certificate: ClientCertificate::Absent };
    let Some(acceptor) = here.parts.tls.clone() else {
        let spoken = tokio::select! {
            spoken = tokio::time::timeout(FIRST_BYTES, spoken(&stream)) => spoken,
            () = silent(&here.parts.drain) => return,
        };
        match spoken {
            Ok(Ok(protocol)) => converse(stream, protocol, arrival, here).await,
            Ok(Err(error)) => tracing::debug!(error = %error, %peer, "a connection was gone at once"),
            Err(_) => tracing::debug!(%peer, "a connection said nothing"),
        }
        return;
    };
    match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => {
            let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            let protocol = if h2 { Protocol::Http2 } else { Protocol::Http1 };
            let presented = stream.get_ref().1.peer_certificates();
            arrival.certificate = tls::client_certificate(presented, here.parts.proxy_name.as_ref());
            converse(stream, protocol, arrival, here).await;
        }
        Ok(Err(error)) => tracing::debug!(error = %error, %peer, "no TLS"),
        Err(_) => tracing::debug!(%peer, "the TLS handshake took too long"),
    }
}

/// What a connection speaks: by ALPN, or by its first bytes.
#[derive(Debug, Clone, Copy)]
enum Protocol {
    Http1,
    Http2,
}

fn prepare(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEP_ALIVE).with_interval(KEEP_ALIVE);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

/// Looks at the first bytes without taking them: HTTP/2 with prior knowledge begins with its preface (RFC 9113 §3.4).
async fn spoken(stream: &TcpStream) -> std::io::Result<Protocol> {
    let mut seen = [0; PREFACE.len()];
    loop {
        let length = stream.peek(&mut seen).await?;
        let begun = seen.get(..length).unwrap_or_default();
        if length == 0 || !PREFACE.starts_with(begun) {
            return Ok(Protocol::Http1);
        }
        if length == PREFACE.len() {
            return Ok(Protocol::Http2);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

async fn converse(stream: impl Socket, protocol: Protocol, arrival: Arrival, here: Rc<Here>) {
    let drain = here.parts.drain.clone();
    let mut builder = auto::Builder::new(LocalExecutor);
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_headers(MAX_HEADERS);
    builder.http1().half_close(true);
    builder.http2().timer(TokioTimer::new()).max_header_list_size(MAX_HEADER_LIST).max_concurrent_streams(MAX_STREAMS);
    builder.http2().enable_connect_protocol().keep_alive_interval(KEEP_ALIVE).keep_alive_timeout(KEEP_ALIVE);
    let builder = match protocol {
        Protocol::Http1 => builder.http1_only(),
        Protocol::Http2 => builder.http2_only(),
    };
    let asked = Rc::new(Cell::new(false));
    let mark = asked.clone();
    let service = service_fn(move |request| {
        mark.set(true);
        answer(request, arrival, here.clone())
    });
    let line = Line::new(stream);
    let lost = line.watched().lost();
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(line), service);
    let mut connection = std::pin::pin!(connection);
    // GOAWAY loses nothing: it says which streams are still answered. HTTP/1.1 can only hang up, which a request on its way may meet.
    let goodbye = match protocol {
        Protocol::Http1 => Stage::Closing,
        Protocol::Http2 => Stage::Leaving,
    };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = lost => {
            tracing::debug!(peer = %arrival.address, "a client is gone");
            return;
        }
        () = drain.reached(goodbye) => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection => ended,
                () = silent(&drain), if !asked.get() => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error, peer = %arrival.address, "a connection ended");
    }
}

/// For how long a connection is kept that has not asked for anything, where nothing new is taken any more.
async fn silent(drain: &Drain) {
    drain.reached(Stage::Closing).await;
    tokio::time::sleep(SILENCE).await;
}

/// One request: named, routed, answered.
async fn answer(request: Request<Incoming>, arrival: Arrival, here: Rc<Here>) -> Result<Answer, Infallible> {
    let (id, begun) = (here.names.draw(), Instant::now());
    let (head, body) = request.into_parts();
    let leaving = here.parts.drain.has_reached(Stage::Leaving) && head.version < Version::HTTP_2;
    let client = here.parts.front.trusted.client(arrival.address, &head.headers);
    let arrival = Arrival { address: *client.as_ref().unwrap_or(&arrival.address), ..arrival };
    let origin = Origin::new(id, arrival.address);
    let (dialect, method) = (Dialect::of(&head), head.method.clone());
    let checked = client.and_then(|_| proxy::check(&head));
    let routed = checked.map(|()| here.core.plane().route(&head));
    let route = match &routed {
        Ok(Route::Proxied(route)) => Some(*route),
        _ => None,
    };
    let mut response = match routed {
        Err(error) => proxy::refuse(&ProxyError::Gate(error), dialect).map(Either::Left),
        Ok(Route::Proxied(route)) => {
            // What is said on the usual way of a call is for whoever looks for a fault.
            let span = tracing::debug_span!("request", request_id = id.as_str());
            here.core.serve(origin, route, head, body).instrument(span).await.map(Either::Left)
        }
        Ok(Route::Control) => {
            let span = tracing::info_span!("request", request_id = id.as_str());
            let mut request = Request::from_parts(head, body);
            request.extensions_mut().insert(origin);
            request.extensions_mut().insert(arrival);
            request.extensions_mut().insert(here.parts.broker.asked_by(origin));
            request.extensions_mut().insert(availability(&here.parts.drain));
            // Boxed: the calls that are forwarded need not carry its size.
            Box::pin(here.parts.control.call(request).instrument(span)).await.map(Either::Right)
        }
    };
    let refused = response.extensions_mut().remove::<Refused>();
    // What is forwarded is told when its body has ended.
    if refused.is_some() || matches!(response.body(), Either::Right(_)) {
        let bytes = response.body().size_hint().exact().unwrap_or_default();
        let (status, took) = (response.status().as_u16(), begun.elapsed());
        here.witness.answered(&Own { origin: &origin, route, method: &method, status, bytes, took, refused });
    }
    if leaving {
        response.headers_mut().insert(header::CONNECTION, CLOSE);
    }
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    Ok(response)
}

/// What probes are told.
pub(crate) fn availability(drain: &Drain) -> Availability {
    if drain.has_reached(Stage::Leaving) { Availability::Draining } else { Availability::Serving }
}

const CLOSE: HeaderValue = HeaderValue::from_static("close");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const FIRST_BYTES: Duration = Duration::from_secs(30);
const SILENCE: Duration = Duration::from_secs(1);
const LOOK_AGAIN: Duration = Duration::from_millis(10);
const HANDSHAKE: Duration = Duration::from_secs(5);
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
const KEEP_ALIVE: Duration = Duration::from_secs(30);
const MAX_HEADERS: usize = 100;
const MAX_HEADER_LIST: u32 = 32 * 1024;
const MAX_STREAMS: u32 = 100;
