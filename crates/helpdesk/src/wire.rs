//! The connection under an answer, where the answer is that it ends.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    time::Sleep,
};

/// What a handler can do to the connection that its request came by.
#[derive(Clone, Default)]
pub(crate) struct Wire(Arc<AtomicU8>);

impl Wire {
    /// Nothing more is written: the connection ends.
    pub(crate) fn cut(&self) {
        self.0.store(CUT, Ordering::Release);
    }

    /// Nothing more is written: the connection is reset.
    pub(crate) fn reset(&self) {
        self.0.store(RESET, Ordering::Release);
    }

    /// From now on every byte is written alone, after a pause.
    pub(crate) fn drip(&self) {
        self.0.store(DRIP, Ordering::Release);
    }
}

/// Accepts connections that a [`Wire`] leads to.
pub(crate) struct WiredListener(pub(crate) TcpListener);

impl Listener for WiredListener {
    type Io = WiredStream;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        // An event stream or a split echo is many small writes, each of which must arrive when it is made.
        drop(stream.set_nodelay(true));
        (WiredStream { stream, wire: Wire::default(), pause: None }, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, WiredListener>> for Wire {
    fn connect_info(stream: IncomingStream<'_, WiredListener>) -> Self {
        stream.io().wire.clone()
    }
}

pub(crate) struct WiredStream {
    stream: TcpStream,
    wire: Wire,
    pause: Option<Pin<Box<Sleep>>>,
}

impl AsyncRead for WiredStream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for WiredStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let bytes = match self.wire.0.load(Ordering::Acquire) {
            CUT => return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())),
            RESET => {
                self.stream.set_zero_linger()?;
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            DRIP => {
                let pause = self.pause.get_or_insert_with(|| Box::pin(tokio::time::sleep(BETWEEN_BYTES)));
                ready!(pause.as_mut().poll(context));
                self.pause = None;
                bytes.get(..1).unwrap_or(bytes)
            }
            _ => bytes,
        };
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

const CUT: u8 = 1;
const RESET: u8 = 2;
const DRIP: u8 = 3;

const BETWEEN_BYTES: Duration = Duration::from_millis(4);

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    use super::*;
    use crate::{Effect, Fault, Misbehaviour, TokenBehaviour, testing::Desk};

    /// What a client reads of the answer to a refresh, and how the connection ended.
    async fn read(fault: Fault) -> (String, io::Result<()>) {
        let desk = Desk::new();
        let told = Misbehaviour { fault, effect: Effect::None, times: None };
        desk.helpdesk.set_token_behaviour(TokenBehaviour::Misbehave(told));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(desk.helpdesk.clone().serve(listener, std::future::pending::<()>()));
        let mut stream = TcpStream::connect(address).await.unwrap();
        let body = "client_id=ath-gateway&client_secret=helpdesk-secret&grant_type=refresh_token&refresh_token=x";
        let head = format!(
            "POST /token HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-www-form-urlencoded\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + body).as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        let ended = stream.read_to_end(&mut bytes).await.map(drop);
        (String::from_utf8(bytes).unwrap(), ended)
    }

    #[tokio::test]
    async fn a_cut_connection_ends_without_a_byte() {
        let (text, ended) = read(Fault::CutConnection).await;
        assert_eq!(text, "");
        assert!(ended.is_ok());
    }

    #[tokio::test]
    async fn a_reset_connection_is_reset() {
        let (text, ended) = read(Fault::ResetConnection).await;
        assert_eq!(text, "");
        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }

    #[tokio::test]
    async fn a_body_breaks_off_in_its_middle() {
        for (fault, told) in [(Fault::CutInBody, true), (Fault::CutInChunks, false), (Fault::ResetInBody, true)] {
            let (text, _) = read(fault).await;
            assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{fault:?}: {text}");
            assert_eq!(text.contains("content-length"), told, "{fault:?}: {text}");
            assert!(text.contains("{\"access_token\"") && !text.contains('}'), "{fault:?}: {text}");
        }
    }
}
