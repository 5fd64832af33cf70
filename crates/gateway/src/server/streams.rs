//! The streams of HTTP/2 connections: each is watched by itself, as the connection goes on when one of them does not.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Body;
use slab::Slab;

use crate::server::state::State;

/// The streams that are being answered on one core.
#[derive(Default)]
pub(super) struct Streams(RefCell<Slab<Rc<Seat>>>);

/// One of them.
pub(super) struct Stream {
    streams: Rc<Streams>,
    seat: Rc<Seat>,
    key: usize,
}

struct Seat {
    connection: Arc<State>,
    /// A piece of the answer was handed out, and nobody has asked for the next one: since then the client is waited for.
    stuck: Cell<Option<u32>>,
    taken: Cell<u64>,
    cut: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// Runs what hyper spawns on this core: for each request that came, a task that ends with its stream.
#[derive(Clone, Default)]
pub(super) struct Executor {
    next: Rc<Cell<Option<Stream>>>,
}

/// The body of an answer, which tells when it is asked for.
pub(super) struct Flowing<B> {
    body: B,
    seat: Rc<Seat>,
}

impl Streams {
    /// One more, of that connection.
    fn begin(self: &Rc<Self>, connection: Arc<State>) -> Stream {
        let seat = Rc::new(Seat {
            connection,
            stuck: Cell::new(None),
            taken: Cell::new(0),
            cut: Cell::new(false),
            waker: RefCell::new(None),
        });
        let key = self.0.borrow_mut().insert(seat.clone());
        Stream { streams: self.clone(), seat, key }
    }

    /// Ends those whose client takes too little.
    pub(super) fn walk(&self, now: u32) {
        let mut woken = Vec::new();
        for (_, seat) in self.0.borrow().iter() {
            if seat.is_stalled(now) {
                seat.cut.set(true);
                seat.connection.strike();
                woken.extend(seat.waker.take());
            }
        }
        // With the last waker goes its task, and with that its seat: not while the seats are borrowed.
        woken.into_iter().for_each(Waker::wake);
    }
}

impl Seat {
    fn is_stalled(&self, now: u32) -> bool {
        let Some(since) = self.stuck.get() else { return false };
        let patience = self.connection.patience();
        if now.wrapping_sub(since) <= patience.write() || self.cut.get() {
            return false;
        }
        let slow = self.taken.replace(0) < patience.bytes();
        self.stuck.set(Some(now));
        slow
    }

    fn wait(&self, context: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            let former = waker.replace(context.waker().clone());
            drop(waker);
            drop(former);
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let seat = self.streams.0.borrow_mut().try_remove(self.key);
        drop(seat);
    }
}

impl Executor {
    /// The task that is spawned next is this stream's; what makes its answer's body tell how it goes.
    pub(super) fn announce(&self, streams: &Rc<Streams>, connection: &Arc<State>) -> Flow {
        let stream = streams.begin(connection.clone());
        let seat = stream.seat.clone();
        self.next.set(Some(stream));
        Flow(seat)
    }
}

/// What an answer's body goes through.
pub(super) struct Flow(Rc<Seat>);

impl Flow {
    pub(super) fn of<B>(self, body: B) -> Flowing<B> {
        Flowing { body, seat: self.0 }
    }
}

impl<F: Future + 'static> hyper::rt::Executor<F> for Executor {
    fn execute(&self, task: F) {
        let stream = self.next.take();
        tokio::task::spawn_local(async move {
            let Some(stream) = stream else {
                task.await;
                return;
            };
            let mut task = pin!(task);
            poll_fn(|context| {
                if stream.seat.cut.get() {
                    return Poll::Ready(());
                }
                stream.seat.wait(context);
                task.as_mut().poll(context).map(drop)
            })
            .await;
        });
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Flowing<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        let length = match &polled {
            Poll::Ready(Some(Ok(frame))) => frame.data_ref().map(Bytes::len),
            _ => None,
        };
        match (length, self.seat.stuck.get()) {
            (None, _) => self.seat.stuck.set(None),
            (Some(_), None) => {
                self.seat.stuck.set(Some(self.seat.connection.now()));
                self.seat.taken.set(0);
            }
            (Some(length), Some(_)) => self.seat.taken.set(self.seat.taken.get().saturating_add(length as u64)),
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
