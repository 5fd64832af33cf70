use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http1::Date;
use protocol::Clock as _;
use proxy::{Drain, Stage};
use slab::Slab;

use crate::system::SystemClock;

/// The connections that are open on one core. Somebody walks by all of them once a second, and wakes what has to look at something: so
/// none of them needs a timer, and an ordinary request costs none a thought.
pub(super) struct Guests {
    seats: RefCell<Slab<Seat>>,
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

/// What is known of a connection, without asking it. Only its own core writes here; it is shared because a connection that becomes a
/// tunnel is handed on by those who want it to be sendable.
#[derive(Default)]
pub(super) struct State {
    /// Requests that are being answered.
    busy: AtomicU32,
    /// When it last came to rest, or took bytes.
    since: AtomicU32,
    /// What the time is, for those who write here.
    now: AtomicU32,
    asked: AtomicBool,
    /// It will send nothing more.
    finished: AtomicBool,
    /// Somebody should ask the kernel whether it is still there.
    doubted: AtomicBool,
}

/// A request that is being answered; over when it is dropped.
pub(super) struct Busy(Arc<State>);

impl Default for Guests {
    fn default() -> Self {
        Self { seats: RefCell::default(), now: Cell::default(), date: Rc::new(Date::new(time())) }
    }
}

impl Guests {
    /// What time answers say it is.
    pub(super) fn date(&self) -> Rc<Date> {
        self.date.clone()
    }

    /// A new connection.
    pub(super) fn arrive(self: &Rc<Self>) -> Guest {
        let state = Arc::new(State::default());
        state.since.store(self.now.get(), Ordering::Relaxed);
        state.now.store(self.now.get(), Ordering::Relaxed);
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
                () = tokio::time::sleep(WALK) => self.walk(),
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
        let ask = now.is_multiple_of(ASK);
        self.wake(|state| {
            state.now.store(now, Ordering::Relaxed);
            // Whoever waits for an answer is not read from, nor is whoever has said that it sends nothing more.
            if ask && (state.finished.load(Ordering::Relaxed) || state.busy.load(Ordering::Relaxed) > 0) {
                state.doubted.store(true, Ordering::Relaxed);
                return true;
            }
            state.is_overdue()
        });
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

impl State {
    /// A request has come.
    pub(super) fn ask(self: &Arc<Self>) -> Busy {
        self.asked.store(true, Ordering::Relaxed);
        self.busy.store(self.busy.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        Busy(self.clone())
    }

    /// Whether a request has ever come.
    pub(super) fn has_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// It took bytes.
    pub(super) fn took(&self) {
        self.since.store(self.now.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// It has said that it will send nothing more.
    pub(super) fn finish(&self) {
        self.finished.store(true, Ordering::Relaxed);
    }

    /// Whether to ask the kernel for it, now and once.
    pub(super) fn is_doubted(&self) -> bool {
        self.doubted.load(Ordering::Relaxed) && self.doubted.swap(false, Ordering::Relaxed)
    }

    /// Whether it is too slow to say what it wants.
    pub(super) fn is_overdue(&self) -> bool {
        let rested = self.now.load(Ordering::Relaxed).wrapping_sub(self.since.load(Ordering::Relaxed));
        self.busy.load(Ordering::Relaxed) == 0 && rested > HEAD_SECONDS
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.store(self.0.busy.load(Ordering::Relaxed).wrapping_sub(1), Ordering::Relaxed);
        self.0.took();
    }
}

fn time() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(SystemClock.now().as_millis())
}

const WALK: Duration = Duration::from_secs(1);
/// How many seconds a connection may take to say what it wants, from its beginning or from the end of the answer before.
const HEAD_SECONDS: u32 = 30;
/// After how many seconds each the kernel is asked for those that nobody reads from.
const ASK: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_says_nothing_is_overdue_and_whoever_waits_for_an_answer_is_not() {
        let guests = Rc::<Guests>::default();
        let (silent, waiting) = (guests.arrive(), guests.arrive());
        let busy = waiting.state().ask();
        for _ in 0..HEAD_SECONDS {
            guests.walk();
        }
        assert!(!silent.state().is_overdue(), "thirty seconds are allowed");
        guests.walk();
        assert!(silent.state().is_overdue() && !waiting.state().is_overdue());
        assert!(!silent.state().has_asked() && waiting.state().has_asked());
        drop(busy);
        assert!(!waiting.state().is_overdue(), "its time begins with the end of the answer");
        for _ in 0..=HEAD_SECONDS {
            guests.walk();
        }
        assert!(waiting.state().is_overdue());
        waiting.state().took();
        assert!(!waiting.state().is_overdue(), "it still takes what it was sent");
        drop(silent);
        assert_eq!(guests.seats.borrow().len(), 1);
    }

    #[test]
    fn whoever_is_not_read_from_is_asked_for_now_and_then() {
        let guests = Rc::<Guests>::default();
        let guest = guests.arrive();
        let looks = |guests: &Guests| (0..2 * ASK).filter(|_| (guests.walk(), guest.state().is_doubted()).1).count();
        assert_eq!(looks(&guests), 0);
        let busy = guest.state().ask();
        assert_eq!(looks(&guests), 2);
        drop(busy);
        assert_eq!(looks(&guests), 0);
        guest.state().finish();
        assert_eq!(looks(&guests), 2);
    }
}
