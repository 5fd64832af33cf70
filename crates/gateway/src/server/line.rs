use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::server::guests::State;

/// A client's connection, which tells how it goes.
///
/// A client may say that it will send no more, and still wait for its answer; so the end of what it sends is no reason to end anything.
/// Nobody reads then who would notice that it is gone. The kernel does: it asks the other side now and then, and is told that there is
/// nobody.
pub(super) struct Line<S> {
    stream: S,
    state: Arc<State>,
}

impl<S: Socket> Line<S> {
    pub(super) fn new(stream: S, state: Arc<State>) -> Self {
        Self { stream, state }
    }

    /// Fails where the client is gone, when somebody wants to know.
    fn check(&self) -> Result<()> {
        if !self.state.is_doubted() {
            return Ok(());
        }
        match SockRef::from(self.stream.tcp()).take_error()? {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

/// What runs over TCP.
pub(super) trait Socket: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    fn tcp(&self) -> &TcpStream;
}

impl Socket for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Socket for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

impl<S: Socket> AsyncRead for Line<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let line = self.get_mut();
        let before = buffer.filled().len();
        let polled = Pin::new(&mut line.stream).poll_read(context, buffer);
        if matches!(polled, Poll::Ready(Ok(()))) && buffer.filled().len() == before {
            line.state.finish();
        }
        polled
    }
}

impl<S: Socket> AsyncWrite for Line<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let line = self.get_mut();
        let polled = Pin::new(&mut line.stream).poll_write(context, bytes);
        line.state.took_some(&polled);
        polled
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let line = self.get_mut();
        let polled = Pin::new(&mut line.stream).poll_write_vectored(context, pieces);
        line.state.took_some(&polled);
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let line = self.get_mut();
        if let Err(error) = line.check() {
            return Poll::Ready(Err(Error::new(ErrorKind::ConnectionReset, error)));
        }
        Pin::new(&mut line.stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

impl State {
    fn took_some(&self, written: &Poll<Result<usize>>) {
        if matches!(written, Poll::Ready(Ok(1..))) {
            self.took();
        }
    }
}
