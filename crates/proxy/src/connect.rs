use std::time::Duration;

use hyper_util::rt::TokioIo;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::error::ProxyError;
use crate::http1::{self, Wire};
use crate::shared::Multiplexed;
use crate::target::Target;
use crate::upstream::UpstreamProtocol;

/// A fresh connection, by the protocol that the configuration names or that ALPN chose.
pub(crate) enum Connection {
    Http1(Box<http1::Connection>),
    Http2(Multiplexed),
}

/// Runs what hyper spawns on this core.
#[derive(Clone)]
pub(crate) struct LocalExecutor;

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
    let Some((config, name)) = &target.tls else {
        return match target.protocol {
            UpstreamProtocol::Http2 => http2(stream).await,
            UpstreamProtocol::Auto | UpstreamProtocol::Http1 => Ok(http1(Wire::Plain(stream))),
        };
    };
    let stream = TlsConnector::from(config.clone()).connect(name.clone(), stream).await.map_err(unreachable)?;
    match (stream.get_ref().1.alpn_protocol() == Some(b"h2"), target.protocol) {
        (true, _) => http2(stream).await,
        (false, UpstreamProtocol::Http2) => {
            Err(ProxyError::Unreachable("the upstream does not speak HTTP/2, which `protocol` asks for".into()))
        }
        (false, _) => Ok(http1(Wire::Tls(Box::new(stream)))),
    }
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

fn http1(wire: Wire) -> Connection {
    Connection::Http1(http1::Connection::new(wire))
}

async fn http2(stream: impl AsyncRead + AsyncWrite + Unpin + 'static) -> Result<Connection, ProxyError> {
    Multiplexed::new(TokioIo::new(stream))
        .await
        .map(Connection::Http2)
        .map_err(|error| ProxyError::Malformed(error.into()))
}

const KEEP_ALIVE: Duration = Duration::from_secs(20);
