use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http1::Date;
use protocol::Clock as _;
use proxy::{Drain, Stage};
use slab::Slab;

use crate::server::state::{Look, Patience, State};
use crate::server::streams::Streams;
use crate::system::SystemClock;

/// The connections that are open on one core. Somebody walks by all of them once a second, and wakes what has to look at something: so
/// none of them needs a timer, and an ordinary request costs none a thought.
pub(super) struct Guests {
    seats: RefCell<Slab<Seat>>,
    streams: Rc<Streams>,
    /// Seconds, by the walks.
    now: Cell<u32>,
    date: Rc<Date>,
}

struct Seat {
    state: Arc<State>,
    waker: Option<Waker>,
}

/// One connection among them; leaves when it is dropped.
pub(super) struct Guest {
    guests: Rc<Guests>,
    key: usize,
    state: Arc<State>,
}

impl Guests {
    /// None yet.
    pub(super) fn new() -> Self {
        let date = Rc::new(Date::new(time()));
        Self { seats: RefCell::default(), streams: Rc::default(), now: Cell::new(0), date }
    }

    /// What HTTP/2 connections answer at present.
    pub(super) fn streams(&self) -> &Rc<Streams> {
        &self.streams
    }

    /// What time answers say it is.
    pub(super) fn date(&self) -> Rc<Date> {
        self.date.clone()
    }

    /// A new connection, and how long it may take.
    pub(super) fn arrive(self: &Rc<Self>, patience: Patience) -> Guest {
        let state = Arc::new(State::new(patience, self.now.get()));
        let key = self.seats.borrow_mut().insert(Seat { state: state.clone(), waker: None });
        Guest { guests: self.clone(), key, state }
    }

    /// Walks by, once a second and whenever the end comes closer. Never returns.
    pub(super) async fn watch(&self, drain: &Drain) {
        let mut next = Some(Stage::Leaving);
        loop {
            let stage = async {
                match next {
                    Some(stage) => drain.reached(stage).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = tokio::time::sleep(WALK) => {
                    self.walk();
                    // On the way out every connection looks by itself whether its time has come.
                    if next.is_none() {
                        self.wake(|_| true);
                    }
                }
                () = stage => {
                    next = if next == Some(Stage::Leaving) { Some(Stage::Closing) } else { None };
                    self.wake(|_| true);
                }
            }
        }
    }

    fn walk(&self) {
        let now = self.now.get().wrapping_add(1);
        self.now.set(now);
        self.date.turn(time());
        let look = if now.is_multiple_of(ASK) { Look::Closely } else { Look::Briefly };
        self.streams.walk(now);
        self.wake(|state| state.tick(now, look));
    }

    fn wake(&self, who: impl Fn(&State) -> bool) {
        let mut woken = Vec::new();
        for (_, seat) in self.seats.borrow_mut().iter_mut() {
            if who(&seat.state) {
                woken.extend(seat.waker.take());
            }
        }
        // With the last waker goes its task, and with that its seat: not while the seats are borrowed.
        woken.into_iter().for_each(Waker::wake);
    }
}

impl Guest {
    pub(super) fn state(&self) -> &Arc<State> {
        &self.state
    }

    /// Has the task woken when there is something to look at.
    pub(super) fn wait(&self, context: &Context<'_>) {
        let mut seats = self.guests.seats.borrow_mut();
        let Some(seat) = seats.get_mut(self.key) else { return };
        let known = seat.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker()));
        let former = if known { None } else { seat.waker.replace(context.waker().clone()) };
        drop(seats);
        drop(former);
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let seat = self.guests.seats.borrow_mut().try_remove(self.key);
        drop(seat);
    }
}

fn time() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(SystemClock.now().as_millis())
}

const WALK: Duration = Duration::from_secs(1);
/// After how many seconds each the kernel is asked for those that nobody reads from.
const ASK: u32 = 10;
