use std::time::Duration;

use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::error::ProxyError;
use crate::target::Target;
use crate::upload::Upload;

/// A fresh connection, by the protocol that ALPN chose.
pub(crate) enum Connection {
    Http1(http1::SendRequest<Upload>),
    Http2(http2::SendRequest<Upload>),
}

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

/// Connects to the target, and to no other host, within the connect timeout.
pub(crate) async fn connect(target: &Target, limit: Duration) -> Result<Connection, ProxyError> {
    match tokio::time::timeout(limit, open(target)).await {
        Ok(connected) => connected,
        Err(elapsed) => Err(ProxyError::Unreachable(Box::new(elapsed))),
    }
}

async fn open(target: &Target) -> Result<Connection, ProxyError> {
    let stream = tcp(target).await?;
    let Some((config, name)) = &target.tls else { return http1(stream).await };
    let stream = TlsConnector::from(config.clone()).connect(name.clone(), stream).await.map_err(unreachable)?;
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") { http2(stream).await } else { http1(stream).await }
}

/// A connection without TLS yet, which notices when the other side is dead.
pub(crate) async fn tcp(target: &Target) -> Result<TcpStream, ProxyError> {
    let stream = TcpStream::connect((target.host.as_str(), target.port)).await.map_err(unreachable)?;
    stream.set_nodelay(true).map_err(unreachable)?;
    let keepalive = TcpKeepalive::new().with_time(KEEP_ALIVE).with_interval(KEEP_ALIVE);
    SockRef::from(&stream).set_tcp_keepalive(&keepalive).map_err(unreachable)?;
    Ok(stream)
}

fn unreachable(error: std::io::Error) -> ProxyError {
    ProxyError::Unreachable(Box::new(error))
}

async fn http1(stream: impl AsyncRead + AsyncWrite + Unpin + 'static) -> Result<Connection, ProxyError> {
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(ProxyError::Malformed)?;
    tokio::task::spawn_local(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = %error, "an upstream connection ended");
        }
    });
    Ok(Connection::Http1(sender))
}

async fn http2(stream: impl AsyncRead + AsyncWrite + Unpin + 'static) -> Result<Connection, ProxyError> {
    let mut builder = http2::Builder::new(LocalExecutor);
    builder.timer(TokioTimer::new()).keep_alive_interval(KEEP_ALIVE).keep_alive_timeout(KEEP_ALIVE);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(ProxyError::Malformed)?;
    tokio::task::spawn_local(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = %error, "an upstream connection ended");
        }
    });
    Ok(Connection::Http2(sender))
}

/// A connection that answers no ping for this long is given up.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
