use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::Poll;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::websocket::codec::{Codec, Step};
use crate::websocket::frame::{self, Violation};

/// One direction of a socket: from one side's frames to the other side. No more is read than has been written.
pub(crate) struct Lane<R, W> {
    reader: R,
    writer: W,
    codec: Codec,
    inbox: BytesMut,
    outbox: BytesMut,
    /// How many bytes have left.
    sent: u64,
    /// The last read filled the buffer: more is under way.
    busy: bool,
    closed: bool,
}

/// Why a direction is over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stop {
    /// Nothing follows it.
    #[error("a Close has passed")]
    Closed,
    /// Without a Close.
    #[error("the side that sends is gone")]
    Gone,
    /// Between two frames.
    #[error("it was asked to stop")]
    Asked,
    #[error("the side that sends broke the protocol: {0}")]
    Violation(#[from] Violation),
    #[error("one side cannot be reached: {0}")]
    Broken(#[from] io::Error),
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Lane<R, W> {
    pub(crate) fn new(reader: R, writer: W, codec: Codec) -> Self {
        Self {
            reader,
            writer,
            codec,
            inbox: BytesMut::new(),
            outbox: BytesMut::new(),
            sent: 0,
            busy: false,
            closed: false,
        }
    }

    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    pub(crate) fn codec(&self) -> &Codec {
        &self.codec
    }

    /// Carries frames until there is nothing more to carry, or until `asked` between two frames; what waits in this future then is not
    /// lost when it is dropped.
    pub(crate) async fn run(&mut self, asked: &Cell<bool>) -> Stop {
        loop {
            let step = self.steps(asked);
            if let Err(error) = self.flush().await {
                return Stop::Broken(error);
            }
            match step {
                Ok(Step::Closed) => {
                    self.closed = true;
                    return Stop::Closed;
                }
                Err(violation) => return Stop::Violation(violation),
                Ok(_) if asked.get() && self.codec.is_at_border() => return Stop::Asked,
                Ok(Step::Border) => continue,
                Ok(Step::Starved) => {}
            }
            match self.read(asked).await {
                Ok(Some(0)) => {
                    let ended = self.writer.shutdown().await;
                    return ended.map_or_else(Stop::Broken, |()| Stop::Gone);
                }
                Ok(_) => {}
                Err(error) => return Stop::Broken(error),
            }
        }
    }

    /// Steps until there is enough to be sent, or nothing more to be had.
    fn steps(&mut self, asked: &Cell<bool>) -> Result<Step, Violation> {
        loop {
            let step = self.codec.step(&mut self.inbox, &mut self.outbox)?;
            if step != Step::Border || asked.get() || self.outbox.len() >= PIECE {
                return Ok(step);
            }
        }
    }

    /// How much came; `None` where it was asked to stop while it waited between two frames.
    async fn read(&mut self, asked: &Cell<bool>) -> io::Result<Option<usize>> {
        // An idle socket keeps little.
        let room = if self.busy { PIECE } else { QUIET };
        if !self.busy && self.inbox.is_empty() && self.inbox.capacity() > 2 * QUIET {
            self.inbox = BytesMut::new();
        }
        self.inbox.reserve(room);
        let Self { reader, inbox, codec, .. } = self;
        let read = poll_fn(|context| {
            if asked.get() && codec.is_at_border() {
                return Poll::Ready(Ok(None));
            }
            pin!(reader.read_buf(inbox)).poll(context).map_ok(Some)
        })
        .await;
        self.busy = matches!(read, Ok(Some(came)) if came >= room);
        read
    }

    async fn flush(&mut self) -> io::Result<()> {
        if self.outbox.is_empty() {
            return Ok(());
        }
        while !self.outbox.is_empty() {
            let written = self.writer.write_buf(&mut self.outbox).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.sent += written as u64;
        }
        self.outbox = BytesMut::new();
        self.writer.flush().await
    }

    /// What has not left never does.
    pub(crate) fn abandon(&mut self) {
        self.closed |= !self.outbox.is_empty();
        self.outbox.clear();
    }

    /// Says nothing more, and waits for the side that sends to go.
    pub(crate) async fn leave(&mut self) {
        if let Err(error) = self.writer.shutdown().await {
            tracing::debug!(error = %error, "one side of a WebSocket was gone already");
        }
        self.exhaust().await;
    }

    /// Says Close, where a frame may be said and none was.
    pub(crate) async fn say_close(&mut self, code: u16, reason: &str, mask: Option<[u8; 4]>) {
        let saying = async {
            self.flush().await?;
            if self.codec.is_at_border() && !self.closed {
                self.outbox = frame::close(code, reason, mask);
                self.closed = true;
            }
            self.flush().await
        };
        if let Err(error) = saying.await {
            tracing::debug!(error = %error, "one side of a WebSocket was gone before the Close");
        }
    }

    /// Reads until the side that sends is gone, and keeps nothing.
    async fn exhaust(&mut self) {
        loop {
            self.inbox.clear();
            self.inbox.reserve(QUIET);
            if !matches!(self.reader.read_buf(&mut self.inbox).await, Ok(1..)) {
                return;
            }
        }
    }
}

/// How much is read at once, and kept, in one direction.
const PIECE: usize = 16 << 10;
/// The same while little comes.
const QUIET: usize = 2 << 10;
