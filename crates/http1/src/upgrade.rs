use std::io::Result;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

/// What goes on over a connection that no longer carries HTTP.
pub trait Tunnel: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Tunnel for T {}

/// The connection, when the answer to its request has switched to another protocol (RFC 9110 §7.8).
pub struct OnUpgrade(oneshot::Receiver<Upgraded>);

/// A connection that no longer carries HTTP. Not a byte of it was read before.
pub struct Upgraded(Box<dyn Tunnel>);

/// It ended as HTTP.
#[derive(Debug, thiserror::Error)]
#[error("the connection ended before it was anything else")]
pub struct NotUpgraded;

pub(crate) type Waiting = oneshot::Sender<Upgraded>;

pub(crate) fn pair() -> (Waiting, OnUpgrade) {
    let (waiting, upgrade) = oneshot::channel();
    (waiting, OnUpgrade(upgrade))
}

impl Upgraded {
    pub(crate) fn new(line: impl Tunnel + 'static) -> Self {
        Self(Box::new(line))
    }
}

impl Future for OnUpgrade {
    type Output = std::result::Result<Upgraded, NotUpgraded>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map_err(|_| NotUpgraded)
    }
}

impl AsyncRead for Upgraded {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        Pin::new(&mut *self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut *self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut *self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut *self.0).poll_shutdown(context)
    }
}
