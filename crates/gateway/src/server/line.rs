use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use limits::{Room, Stay};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::server::frames::{Found, Frames};
use crate::server::state::{Flushed, State};

/// A client's connection, which tells how it goes.
///
/// A client may say that it will send no more, and still wait for its answer; so the end of what it sends is no reason to end anything.
/// Nobody reads then who would notice that it is gone. The kernel does: it asks the other side now and then, and is told that there is
/// nobody.
pub(super) struct Line<S> {
    stream: S,
    state: Arc<State>,
    /// What was read to learn what it speaks.
    early: Bytes,
    /// Where many requests share it.
    frames: Option<Box<Frames>>,
    /// What it counts among, also when it has become a tunnel.
    _places: Places,
}

/// A connection's place among all, and among those of its address.
pub(super) type Places = (Room, Option<Stay>);

impl<S: Socket> Line<S> {
    /// `early` has been read of it already.
    pub(super) fn new(stream: S, state: Arc<State>, early: Bytes, places: Places) -> Self {
        if !early.is_empty() {
            state.heard();
        }
        Self { stream, state, early, frames: None, _places: places }
    }

    /// The same, speaking HTTP/2.
    pub(super) fn shared(self) -> Self {
        self.state.share();
        let frames = Frames::new(self.state.patience().control_frames);
        Self { frames: Some(Box::new(frames)), ..self }
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

    /// Looks at what has come.
    fn heard(&mut self, bytes: &[u8]) {
        self.state.heard();
        let Some(frames) = &mut self.frames else { return };
        let (found, work) = frames.read(bytes, self.state.now());
        self.state.use_turn(work);
        if found == Found::Flood {
            self.state.flood();
        }
    }

    /// Looks at what has left of these.
    fn wrote<'p>(&mut self, written: &Poll<Result<usize>>, pieces: impl Iterator<Item = &'p [u8]>) {
        match written {
            Poll::Pending => self.state.is_full(),
            Poll::Ready(Err(_)) => {}
            Poll::Ready(Ok(length)) => {
                self.state.took(*length);
                let Some(frames) = &mut self.frames else { return };
                let mut left = *length;
                for piece in pieces {
                    let piece = piece.get(..left).unwrap_or(piece);
                    frames.written(piece);
                    left -= piece.len();
                    if left == 0 {
                        break;
                    }
                }
            }
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
        if !line.early.is_empty() {
            let length = line.early.len().min(buffer.remaining());
            buffer.put_slice(line.early.get(..length).unwrap_or_default());
            line.early.advance(length);
            line.heard(buffer.filled().get(before..).unwrap_or_default());
            return Poll::Ready(Ok(()));
        }
        if line.state.is_flooding() {
            return Poll::Ready(Err(ErrorKind::ConnectionAborted.into()));
        }
        if line.state.turn() == 0 {
            // Others first.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let polled = Pin::new(&mut line.stream).poll_read(context, buffer);
        if matches!(polled, Poll::Ready(Ok(()))) {
            match buffer.filled().get(before..) {
                Some(bytes) if !bytes.is_empty() => line.heard(bytes),
                _ => line.state.finish(),
            }
        }
        polled
    }
}

impl<S: Socket> AsyncWrite for Line<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let line = self.get_mut();
        let polled = Pin::new(&mut line.stream).poll_write(context, bytes);
        line.wrote(&polled, std::iter::once(bytes));
        polled
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let line = self.get_mut();
        let polled = Pin::new(&mut line.stream).poll_write_vectored(context, pieces);
        line.wrote(&polled, pieces.iter().map(|piece| &**piece));
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
        let polled = Pin::new(&mut line.stream).poll_flush(context);
        line.state.flushed(if polled.is_pending() { Flushed::Partly } else { Flushed::Wholly });
        polled
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
