use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

/// The body of a request on its way to the upstream. Data alone: trailers are dropped.
pub(crate) struct Upload {
    body: Source,
    progress: Rc<Progress>,
}

/// Where the body comes from.
enum Source {
    Agent(Incoming),
    /// What was sent before; `None` where there is nothing to send.
    Again(Option<Bytes>),
}

/// How far an upload has come.
pub(crate) struct Progress {
    moved: Cell<Instant>,
    done: Cell<bool>,
    copy: RefCell<Option<BytesMut>>,
}

/// Whether an upload may have to be sent a second time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// A copy is kept while it is sent, of up to [`MAX_COPY`].
    Perhaps,
    Never,
}

impl Upload {
    pub(crate) fn new(body: Incoming, repeat: Repeat, begun: Instant) -> (Self, Rc<Progress>) {
        if body.is_end_stream() {
            return Self::of(Bytes::new(), begun);
        }
        let long = body.size_hint().lower() > MAX_COPY as u64;
        let copy = (repeat == Repeat::Perhaps && !long).then(BytesMut::new);
        let progress = Progress { moved: Cell::new(begun), done: Cell::new(false), copy: RefCell::new(copy) };
        let progress = Rc::new(progress);
        (Self { body: Source::Agent(body), progress: progress.clone() }, progress)
    }

    /// What was sent before.
    pub(crate) fn again(body: Bytes) -> (Self, Rc<Progress>) {
        Self::of(body, Instant::now())
    }

    fn of(body: Bytes, begun: Instant) -> (Self, Rc<Progress>) {
        let (done, copy) = (Cell::new(body.is_empty()), RefCell::new(Some(BytesMut::from(&body[..]))));
        let progress = Rc::new(Progress { moved: Cell::new(begun), done, copy });
        (Self { body: Source::Again(Some(body).filter(|body| !body.is_empty())), progress: progress.clone() }, progress)
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

    /// What was sent, all of it; `None` where it was too long to be kept, or is still being sent.
    pub(crate) fn copy(&self) -> Option<Bytes> {
        if !self.is_done() {
            return None;
        }
        self.copy.borrow().clone().map(BytesMut::freeze)
    }

    fn keep(&self, data: &Bytes) {
        let mut copy = self.copy.borrow_mut();
        if let Some(kept) = copy.as_mut().filter(|kept| kept.len() + data.len() <= MAX_COPY) {
            kept.extend_from_slice(data);
        } else {
            *copy = None;
        }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Self { body, progress } = &mut *self;
        let body = match body {
            Source::Agent(body) => body,
            Source::Again(bytes) => {
                progress.done.set(true);
                return Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes))));
            }
        };
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
                    progress.keep(&data);
                    if body.is_end_stream() {
                        progress.done.set(true);
                    }
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            Source::Agent(body) => body.is_end_stream(),
            Source::Again(bytes) => bytes.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Source::Agent(body) => body.size_hint(),
            Source::Again(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
        }
    }
}

/// The largest body that is sent a second time.
const MAX_COPY: usize = 64 << 10;
