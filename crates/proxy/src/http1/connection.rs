use std::future::poll_fn;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use socket2::SockRef;
use tokio::io::{AsyncRead as _, ReadBuf};
use tokio_util::io::poll_read_buf;

use crate::http1::head::{self, Coding, Head, Persistence};
use crate::http1::sending::Sending;
use crate::http1::{Body, Http1Error, Wire};
use crate::owner::Owner;
use crate::pool::Pool;
use crate::upload::Upload;

/// A connection to an upstream, at rest or within an exchange.
pub(crate) struct Connection {
    wire: Wire,
    /// What came, and was not used yet.
    pub(super) read: BytesMut,
    pub(super) sending: Sending,
    /// Whose calls it carries.
    owner: Owner,
    /// Since when it has been at rest; `None` where it has never been.
    rested: Option<Instant>,
    /// How long the last answer was: the next one is likely to be as long, and is read at once.
    usual: usize,
}

/// Why there is no answer.
pub(crate) enum Failure {
    /// The upstream had closed a connection that was at rest: it has done nothing with the request, which may be sent again.
    Unsent(Box<Request<Upload>>),
    Lost(Http1Error),
}

impl Connection {
    /// A fresh one.
    pub(crate) fn new(wire: Wire) -> Box<Self> {
        let (read, sending, owner) = (BytesMut::new(), Sending::default(), Owner::ANYBODY);
        Box::new(Self { wire, read, sending, owner, rested: None, usual: HEAD_READ })
    }

    /// This connection, of this owner.
    pub(crate) fn of(mut self: Box<Self>, owner: Owner) -> Box<Self> {
        self.owner = owner;
        self
    }

    pub(crate) fn owner(&self) -> Owner {
        self.owner
    }

    /// Sends a request and waits for the head of its answer; the body of the answer goes on with the rest. When that has ended well,
    /// the connection goes `home`.
    pub(crate) async fn exchange(
        mut self: Box<Self>,
        request: Box<Request<Upload>>,
        home: &Rc<Pool>,
    ) -> Result<Response<Body>, Failure> {
        let coding = self.sending.begin(|out| head::write(&request, out));
        let (parts, upload) = (*request).into_parts();
        self.sending.follow(upload, coding);
        match self.answer(&parts.method).await {
            Ok(Head { response, framing, persistence }) => {
                // It answered early: whether it reads the rest of the request as such is in doubt.
                let persistence = if self.sending.has_ended() { persistence } else { Persistence::Closed };
                Ok(response.map(|()| Body::new(self, framing, persistence, home)))
            }
            Err(error) => Err(self.failed(parts, coding, error)),
        }
    }

    async fn answer(&mut self, method: &Method) -> Result<Head, Http1Error> {
        let (mut seen, mut interim) = (0, 0);
        loop {
            let head = poll_fn(|context| self.poll_answer(method, &mut seen, context)).await?;
            let status = head.response.status();
            if !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS {
                return Ok(head);
            }
            interim += 1;
            if interim > MAX_INTERIM {
                return Err(Http1Error::Interim);
            }
        }
    }

    fn poll_answer(
        &mut self,
        method: &Method,
        seen: &mut usize,
        context: &mut Context<'_>,
    ) -> Poll<Result<Head, Http1Error>> {
        self.send(context)?;
        loop {
            if self.read.len() > *seen
                && let Some(head) = head::read(&mut self.read, seen, method)?
            {
                return Poll::Ready(Ok(head));
            }
            if ready!(self.poll_read(self.usual, context))? == 0 {
                let end = if self.read.is_empty() { Http1Error::NoAnswer } else { Http1Error::Cut };
                return Poll::Ready(Err(end));
            }
        }
    }

    /// Sends what can be sent. An upstream may answer what it does not read to its end: that nothing more can be sent is no failure yet.
    pub(super) fn send(&mut self, context: &mut Context<'_>) -> Result<(), Http1Error> {
        if self.sending.has_ended() {
            return Ok(());
        }
        match self.sending.poll(&mut self.wire, context) {
            Poll::Ready(Err(Http1Error::Io(error))) => {
                tracing::debug!(error = %error, "an upstream takes no more of a request");
                self.sending.give_up();
                Ok(())
            }
            Poll::Ready(sent) => sent,
            Poll::Pending => Ok(()),
        }
    }

    /// Reads at least a byte, and up to about `size`; 0 where there will be no more.
    pub(super) fn poll_read(&mut self, size: usize, context: &mut Context<'_>) -> Poll<Result<usize, Http1Error>> {
        if self.read.capacity() - self.read.len() < size / 2 {
            self.read.reserve(size);
        }
        poll_read_buf(Pin::new(&mut self.wire), context, &mut self.read).map_err(Http1Error::Io)
    }

    /// Whether the upstream may not even have seen the request.
    fn failed(mut self: Box<Self>, parts: Parts, coding: Coding, error: Http1Error) -> Failure {
        let closed = matches!(error, Http1Error::NoAnswer | Http1Error::Io(_)) && self.read.is_empty();
        if self.rested.is_none() || !closed {
            return Failure::Lost(error);
        }
        // One without a body can be sent again as long as nothing has come of it, where a second time does no more than the first
        // (RFC 9110 §9.2.2). Any other, only where not a byte has left.
        let body = match self.sending.take_unbegun() {
            Some(body) => body,
            None if parts.method.is_idempotent() && coding == Coding::Length(0) => Upload::again(Vec::new()).0,
            None => return Failure::Lost(error),
        };
        Failure::Unsent(Box::new(Request::from_parts(parts, body)))
    }

    /// Goes to rest after an answer of so many bytes.
    pub(super) fn rest(&mut self, length: usize) {
        self.usual = (length + HEAD_READ / 2).clamp(HEAD_READ, MOST_READ);
        self.rested = Some(Instant::now());
        self.sending.wipe();
        if self.read.capacity() > KEPT_ROOM {
            self.read = BytesMut::new();
        }
    }

    /// Whether it still stands, for a request with `method`, after at most `limit` at rest. Not a byte may have come since.
    pub(crate) fn stands(&mut self, limit: Duration, method: &Method) -> bool {
        if self.rested.is_some_and(|since| since.elapsed() >= limit) {
            return false;
        }
        let mut byte = [0u8; 1];
        let mut byte = ReadBuf::new(&mut byte);
        let mut context = Context::from_waker(Waker::noop());
        // Costs nothing where the runtime has heard of nothing.
        if Pin::new(&mut self.wire).poll_read(&mut context, &mut byte).is_ready() {
            return false;
        }
        // What cannot be sent again asks the kernel, too.
        method.is_idempotent() || !self.wire.is_closed()
    }
}

impl Wire {
    /// Whether the other side has said that it is over.
    fn is_closed(&self) -> bool {
        let (stream, may_talk) = match self {
            Self::Plain(stream) => (stream, false),
            // Session tickets may come at any time.
            Self::Tls(stream) => (stream.get_ref().0, true),
            #[cfg(test)]
            Self::Memory(_) => return false,
        };
        match SockRef::from(stream).peek(&mut [MaybeUninit::uninit()]) {
            Ok(0) => true,
            Ok(_) => !may_talk,
            Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
        }
    }
}

/// How much is asked for where the size of what comes is not known.
const HEAD_READ: usize = 8 << 10;
/// How much is asked for where much is expected.
const MOST_READ: usize = 128 << 10;
/// What a connection at rest may keep.
const KEPT_ROOM: usize = 16 << 10;
const MAX_INTERIM: usize = 16;
