use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use broker::{Arrival, ClientCertificate};
use data_encoding::HEXLOWER;
use http::{HeaderName, HeaderValue, Request, Response};
use http_body_util::Either;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use protocol::Origin;
use proxy::{Core, ProxyBody, ProxyError, Route};
use secret::Entropy;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tracing::Instrument;

use crate::server::Parts;
use crate::system::SystemEntropy;
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
pub(super) async fn serve(stream: TcpStream, peer: SocketAddr, core: Rc<Core>, parts: Parts) {
    if let Err(error) = prepare(&stream) {
        tracing::debug!(error = %error, %peer, "a connection was gone at once");
        return;
    }
    let mut arrival = Arrival { address: peer.ip(), certificate: ClientCertificate::Absent };
    let Some(acceptor) = parts.tls.clone() else {
        match tokio::time::timeout(FIRST_BYTES, spoken(&stream)).await {
            Ok(Ok(protocol)) => converse(stream, protocol, arrival, core, parts).await,
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
            arrival.certificate = tls::client_certificate(presented, parts.proxy_name.as_ref());
            converse(stream, protocol, arrival, core, parts).await;
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

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    protocol: Protocol,
    arrival: Arrival,
    core: Rc<Core>,
    parts: Parts,
) {
    let shutdown = parts.shutdown.clone();
    let mut builder = auto::Builder::new(LocalExecutor);
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_headers(MAX_HEADERS);
    builder.http2().timer(TokioTimer::new()).max_header_list_size(MAX_HEADER_LIST).max_concurrent_streams(MAX_STREAMS);
    builder.http2().enable_connect_protocol().keep_alive_interval(KEEP_ALIVE).keep_alive_timeout(KEEP_ALIVE);
    let builder = match protocol {
        Protocol::Http1 => builder.http1_only(),
        Protocol::Http2 => builder.http2_only(),
    };
    let service = service_fn(move |request| answer(request, arrival, core.clone(), parts.clone()));
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error, peer = %arrival.address, "a connection ended");
    }
}

/// One request: named, routed, answered.
async fn answer(
    mut request: Request<Incoming>,
    arrival: Arrival,
    core: Rc<Core>,
    parts: Parts,
) -> Result<Answer, Infallible> {
    let id = request_id();
    let span = tracing::info_span!("request", request_id = id);
    request.extensions_mut().insert(Origin::new(&id, arrival.address));
    request.extensions_mut().insert(arrival);
    let mut response = routed(request, &core, &parts).instrument(span).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    Ok(response)
}

async fn routed(request: Request<Incoming>, core: &Core, parts: &Parts) -> Answer {
    let (head, body) = request.into_parts();
    if let Err(error) = proxy::check(&head) {
        return proxy::refuse(&ProxyError::Gate(error)).map(Either::Left);
    }
    let route = core.plane().route(&head);
    let mut request = Request::from_parts(head, body);
    match route {
        Route::Proxied(route) => core.serve(route, request).await.map(Either::Left),
        Route::Control => {
            let origin = request.extensions().get::<Origin>().cloned().unwrap_or_default();
            request.extensions_mut().insert(parts.broker.asked_by(origin));
            parts.control.call(request).await.map(Either::Right)
        }
    }
}

/// Sixteen hexadecimal digits, drawn here: what an agent sends under that name is its own affair.
fn request_id() -> String {
    let mut bytes = [0u8; 8];
    SystemEntropy.fill(&mut bytes);
    HEXLOWER.encode(&bytes)
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const FIRST_BYTES: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(10);
const HANDSHAKE: Duration = Duration::from_secs(5);
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
const KEEP_ALIVE: Duration = Duration::from_secs(30);
const MAX_HEADERS: usize = 100;
const MAX_HEADER_LIST: u32 = 32 * 1024;
const MAX_STREAMS: u32 = 100;
