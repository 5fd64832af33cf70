use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http::header::HOST;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper::rt::bounds::Http2ClientConnExec;
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioTimer;
use tokio::sync::Notify;

use crate::body::Download;
use crate::connect::LocalExecutor;
use crate::error::ProxyError;
use crate::pool::Failure;
use crate::upload::{Progress, Upload};

/// One core's HTTP/2 connections to one place: as many as the peer's limit of streams makes necessary.
#[derive(Default)]
pub(crate) struct Shared {
    connections: RefCell<Vec<Multiplexed>>,
    opening: RefCell<Vec<Rc<Opening>>>,
    spoken: Cell<Spoken>,
}

/// What the place was last found to speak.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Spoken {
    #[default]
    Unknown,
    Http1,
    Http2,
}

/// A connection that carries many requests at once.
pub(crate) struct Multiplexed {
    sender: http2::SendRequest<Upload>,
    limit: Box<dyn Limit>,
    streams: Rc<Cell<usize>>,
    heard: Rc<Cell<Instant>>,
}

/// How many streams the peer allows at present.
trait Limit {
    fn now(&self) -> usize;
}

/// A connection that a task of its own drives, until it ends: what it had not sent then has to come back.
struct Driven<T, E>(Rc<RefCell<Option<http2::Connection<T, Upload, E>>>>)
where
    T: Read + Write + Unpin + 'static,
    E: Http2ClientConnExec<Upload, T> + Unpin;

impl<T, E> Limit for Driven<T, E>
where
    T: Read + Write + Unpin + 'static,
    E: Http2ClientConnExec<Upload, T> + Unpin,
{
    fn now(&self) -> usize {
        self.0.borrow().as_ref().map_or(0, http2::Connection::current_max_send_streams)
    }
}

/// A place on a connection, free again when it is dropped.
#[derive(Clone)]
pub(crate) struct Slot(#[expect(dead_code, reason = "what counts is how many there are")] Rc<Taken>);

struct Taken(Rc<Cell<usize>>);

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

/// A connection with room for one more request, and the room.
pub(crate) struct Room {
    sender: http2::SendRequest<Upload>,
    slot: Slot,
    heard: Rc<Cell<Instant>>,
}

impl Room {
    /// Sends a request there, with scheme and authority.
    pub(crate) async fn send(
        self,
        request: Request<Upload>,
        upload: &Progress,
    ) -> Result<http::Response<Download>, Failure> {
        let Self { mut sender, slot, heard } = self;
        let trailers = if request.body().passes_trailers() { Trailers::Pass } else { Trailers::Drop };
        let mut request = request.map(|body| body.in_slot(slot.clone()));
        // It stands in `:authority`; some servers refuse it twice, as it may differ.
        let host = request.headers_mut().remove(HOST);
        match sender.try_send_request(request).await {
            Ok(response) => {
                heard.set(Instant::now());
                upload.answered();
                Ok(response.map(|body| Download::Shared(Stream { body, trailers, _slot: slot })))
            }
            Err(error) => Err(Failure::new(error, lost).with_host(host)),
        }
    }
}

/// A peer that says so has done nothing with a request (RFC 9113 §8.7): it is refused, or of a number above the last that it took.
fn lost(error: hyper::Error) -> ProxyError {
    let cause = std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<h2::Error>());
    let untouched = cause.is_some_and(|cause| {
        let refused = cause.is_reset() && cause.reason() == Some(h2::Reason::REFUSED_STREAM);
        cause.is_remote() && (cause.is_go_away() || refused)
    });
    if untouched { ProxyError::Untouched(error) } else { ProxyError::Malformed(error.into()) }
}

/// The body of an answer on a shared connection.
pub(crate) struct Stream {
    body: Incoming,
    trailers: Trailers,
    _slot: Slot,
}

/// What becomes of the upstream's trailers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trailers {
    Drop,
    /// The answer to a gRPC call says at its end how it went.
    Pass,
}

impl Body for Stream {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        loop {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) if !frame.is_data() && self.trailers == Trailers::Drop => {}
                frame => return Poll::Ready(frame),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Multiplexed {
    /// Takes over a fresh connection, and drives it.
    pub(crate) async fn new<T>(io: T) -> hyper::Result<Self>
    where
        T: Read + Write + Unpin + 'static,
    {
        let mut builder = http2::Builder::new(LocalExecutor);
        builder.timer(TokioTimer::new()).keep_alive_interval(KEEP_ALIVE).keep_alive_timeout(KEEP_ALIVE);
        builder.initial_stream_window_size(STREAM_WINDOW).initial_connection_window_size(CONNECTION_WINDOW);
        let (sender, connection) = builder.handshake(io).await?;
        let connection = Rc::new(RefCell::new(Some(connection)));
        let driven = connection.clone();
        tokio::task::spawn_local(async move {
            let ended = poll_fn(|context| match driven.borrow_mut().as_mut() {
                Some(connection) => Pin::new(connection).poll(context),
                None => Poll::Ready(Ok(())),
            });
            if let Err(error) = ended.await {
                tracing::debug!(error = %error, "an upstream connection ended");
            }
            drop(driven.take());
        });
        let limit: Box<dyn Limit> = Box::new(Driven(connection));
        Ok(Self { sender, limit, streams: Rc::default(), heard: Rc::new(Cell::new(Instant::now())) })
    }

    fn room(&self) -> Option<Room> {
        // A peer that allows none at present gets one, which waits there.
        if self.sender.is_closed() || self.streams.get() >= self.limit.now().clamp(1, MAX_STREAMS) {
            return None;
        }
        self.streams.set(self.streams.get() + 1);
        let slot = Slot(Rc::new(Taken(self.streams.clone())));
        Some(Room { sender: self.sender.clone(), slot, heard: self.heard.clone() })
    }

    fn is_idle(&self) -> bool {
        self.streams.get() == 0 && self.heard.get().elapsed() >= IDLE
    }
}

/// A connection that is being opened, and who waits for it.
#[derive(Default)]
pub(crate) struct Opening {
    waiting: Cell<usize>,
    ended: Notify,
    outcome: Cell<Outcome>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Outcome {
    /// Nothing is known: who opened it went away.
    #[default]
    Unknown,
    Opened,
    Failed,
}

/// The opener's own hold on it: dropped, it lets the waiting go on.
pub(crate) struct Opener<'a> {
    shared: &'a Shared,
    opening: Rc<Opening>,
}

impl Shared {
    /// Room on a connection that stands.
    pub(crate) fn room(&self) -> Option<Room> {
        let mut connections = self.connections.borrow_mut();
        if connections.len() > 1 {
            connections.retain(|connection| !connection.sender.is_closed() && !connection.is_idle());
        }
        connections.iter().find_map(Multiplexed::room)
    }

    /// What the place speaks, as far as is known.
    pub(crate) fn spoken(&self) -> Spoken {
        self.spoken.get()
    }

    /// Waits for a connection that somebody else opens, where one is being opened that would have room. `false` where there is none.
    pub(crate) async fn awaited(&self) -> Result<bool, ProxyError> {
        let found = self.opening.borrow().iter().find(|opening| opening.waiting.get() < MAX_STREAMS / 2).map(Rc::clone);
        let Some(opening) = found else { return Ok(false) };
        opening.waiting.set(opening.waiting.get() + 1);
        opening.ended.notified().await;
        match opening.outcome.get() {
            Outcome::Failed => {
                Err(ProxyError::Unreachable("a connection that was waited for could not be opened".into()))
            }
            Outcome::Opened | Outcome::Unknown => Ok(true),
        }
    }

    /// Says that a connection is being opened.
    pub(crate) fn open(&self) -> Opener<'_> {
        let opening = Rc::<Opening>::default();
        self.opening.borrow_mut().push(opening.clone());
        Opener { shared: self, opening }
    }

    /// Forgets connections that have said nothing for so long: requests that were sent on one would wait in vain.
    pub(crate) fn forget_silent(&self, limit: Duration) {
        self.connections.borrow_mut().retain(|connection| connection.heard.get().elapsed() < limit);
    }
}

impl Opener<'_> {
    /// It speaks HTTP/2: room on it for the opener.
    pub(crate) fn opened(self, connection: Multiplexed) -> Option<Room> {
        self.shared.spoken.set(Spoken::Http2);
        self.opening.outcome.set(Outcome::Opened);
        let room = connection.room();
        self.shared.connections.borrow_mut().push(connection);
        room
    }

    /// It speaks HTTP/1.1: a connection for each.
    pub(crate) fn opened_for_one(self) {
        self.shared.spoken.set(Spoken::Http1);
        self.opening.outcome.set(Outcome::Opened);
    }

    pub(crate) fn failed(self) {
        self.opening.outcome.set(Outcome::Failed);
    }
}

impl Drop for Opener<'_> {
    fn drop(&mut self) {
        self.shared.opening.borrow_mut().retain(|opening| !Rc::ptr_eq(opening, &self.opening));
        self.opening.ended.notify_waiters();
    }
}

/// A connection that answers no ping for this long is given up.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// How long one more connection than is needed is kept.
const IDLE: Duration = Duration::from_secs(50);
/// Streams on one connection, whatever the peer allows beyond.
const MAX_STREAMS: usize = 64;
/// What one stream may hold that its agent does not take.
const STREAM_WINDOW: u32 = 512 << 10;
/// Room for all streams of a connection: agents that do not take what they asked for keep no other's answer waiting.
const CONNECTION_WINDOW: u32 = 32 << 20;
