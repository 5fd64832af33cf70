use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::access::Access;
use crate::guard::Guard;
use crate::pool::Borrowed;
use crate::watch::Watch;

/// Why a body broke off.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The upstream's did.
    #[error("the upstream's answer broke off")]
    Upstream(#[source] hyper::Error),
    /// The caller's right to it was ended.
    #[error("access was ended while the answer ran")]
    Revoked,
}

/// The body of an answer: the gateway's own words, or what the upstream streams.
pub struct ProxyBody(Kind);

enum Kind {
    Own(Option<Bytes>),
    Streamed(Box<Streamed>),
}

/// An upstream's body on its way through the guard. Data alone: trailers are dropped.
pub(crate) struct Streamed {
    body: Incoming,
    guard: Guard,
    access: Access,
    watch: Watch,
    /// Goes back to the pool when the body has ended well; dropped, and closed with it, in every other case.
    connection: Option<Borrowed>,
    ended: bool,
}

impl ProxyBody {
    pub(crate) fn full(bytes: Vec<u8>) -> Self {
        Self(Kind::Own(Some(Bytes::from(bytes))))
    }

    pub(crate) fn streamed(streamed: Streamed) -> Self {
        Self(Kind::Streamed(Box::new(streamed)))
    }
}

impl Body for ProxyBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Kind::Own(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Streamed(streamed) => streamed.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Own(bytes) => bytes.is_none(),
            // An empty body is known to be over before it is asked for; any other has to be polled to its end.
            Kind::Streamed(streamed) => streamed.ended,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Own(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            // Masking keeps every length.
            Kind::Streamed(streamed) => streamed.body.size_hint(),
        }
    }
}

impl Streamed {
    /// An answer without a body (to HEAD, or 204, or 304) is over before it begins: nobody will poll it.
    pub(crate) fn new(
        body: Incoming,
        guard: Guard,
        access: Access,
        watch: Watch,
        connection: Option<Borrowed>,
    ) -> Self {
        let ended = body.is_end_stream();
        let mut streamed = Self { body, guard, access, watch, connection, ended };
        if ended {
            streamed.finish(Bytes::new());
        }
        streamed
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        while !self.ended {
            let polled = Pin::new(&mut self.body).poll_frame(context);
            let over = match polled {
                Poll::Ready(_) => self.watch.poll_busy(context),
                Poll::Pending => self.watch.poll_idle(context),
            };
            if over.is_ready() {
                // Dropped with the upstream's connection, and visibly broken for the agent.
                return Poll::Ready(Some(Err(BodyError::Revoked)));
            }
            let ready = match ready!(polled) {
                None => self.finish(Bytes::new()),
                // A body that breaks off stays visibly broken: the error ends the agent's connection or stream, too.
                Some(frame) => match frame.map_err(BodyError::Upstream)?.into_data() {
                    Err(_) => continue,
                    Ok(data) => {
                        let ready = self.guard.chunk(data);
                        // A body of known length is over with its last byte: nobody polls it for an end after that.
                        if self.body.is_end_stream() { self.finish(ready) } else { ready }
                    }
                },
            };
            if !ready.is_empty() {
                self.access.sent(ready.len());
                return Poll::Ready(Some(Ok(Frame::data(ready))));
            }
        }
        Poll::Ready(None)
    }

    /// The upstream's body is over: what may leave is `ready` and what was held back.
    fn finish(&mut self, ready: Bytes) -> Bytes {
        self.ended = true;
        let last = self.guard.end(ready);
        self.access.ended(self.guard.finds());
        if let Some(connection) = self.connection.take() {
            connection.give_back();
        }
        last
    }
}

/// The body of a request on its way to the upstream. Data alone: trailers are dropped.
pub(crate) struct Upload {
    /// `None` where there is nothing to send.
    body: Option<Incoming>,
    progress: Rc<Progress>,
}

/// How far an upload has come.
pub(crate) struct Progress {
    moved: Cell<Instant>,
    done: Cell<bool>,
}

impl Upload {
    pub(crate) fn new(body: Incoming) -> (Self, Rc<Progress>) {
        if body.is_end_stream() {
            return Self::empty();
        }
        let progress = Rc::new(Progress { moved: Cell::new(Instant::now()), done: Cell::new(false) });
        (Self { body: Some(body), progress: progress.clone() }, progress)
    }

    pub(crate) fn empty() -> (Self, Rc<Progress>) {
        let progress = Rc::new(Progress { moved: Cell::new(Instant::now()), done: Cell::new(true) });
        (Self { body: None, progress: progress.clone() }, progress)
    }
}

impl Progress {
    /// When a piece was last taken from the agent.
    pub(crate) fn moved(&self) -> Instant {
        self.moved.get()
    }

    /// Whether the upstream has had all of it.
    pub(crate) fn is_done(&self) -> bool {
        self.done.get()
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Self { body: Some(body), progress } = &mut *self else { return Poll::Ready(None) };
        loop {
            let frame = ready!(Pin::new(&mut *body).poll_frame(context));
            progress.moved.set(Instant::now());
            match frame {
                None => {
                    progress.done.set(true);
                    return Poll::Ready(None);
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    if body.is_end_stream() {
                        progress.done.set(true);
                    }
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
