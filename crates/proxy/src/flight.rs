use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use broker::{Near, Seen};
use limits::Place;
use protocol::Timestamp;
use slab::Slab;
use tokio::sync::Notify;

/// What is under way on one core. A round is made through all of it a few times a second, and wakes what has to look at something: its
/// caller may be over, or its time is. So no request needs a timer, or a place in a list that cores share.
#[derive(Default)]
pub(crate) struct Flights {
    slots: RefCell<Slab<Slot>>,
    begun: Notify,
}

struct Slot {
    caller: Rc<Seen>,
    /// Whom to wake: the task that waits for it.
    waker: Option<Waker>,
    due: Option<Instant>,
    /// A round has found the time that was set to be over.
    is_due: bool,
    /// A round has found the caller's time to be over.
    has_run_out: bool,
}

/// What a call counts among: its agent's, those at its upstream, and its agent's `WebSockets`.
pub(crate) type Places = [Option<Place>; 3];

/// One request, and its answer, while it is under way.
pub(crate) struct Flight {
    flights: Rc<Flights>,
    key: usize,
    /// What it counts among, as long as it is under way.
    _places: Places,
}

impl Flights {
    /// Something begins, which ends when what is returned is dropped.
    pub(crate) fn begin(self: &Rc<Self>, caller: Rc<Seen>, places: Places) -> Flight {
        let mut slots = self.slots.borrow_mut();
        if slots.is_empty() {
            self.begun.notify_one();
        }
        let key = slots.insert(Slot { caller, waker: None, due: None, is_due: false, has_run_out: false });
        Flight { flights: self.clone(), key, _places: places }
    }

    /// Makes the rounds, and has `near` forget what is over. Rests where nothing is under way, and ends where nothing is to come either.
    pub(crate) async fn watch(&self, near: &Near, more_may_come: impl Fn() -> bool) {
        let mut swept = Instant::now();
        while more_may_come() || !self.is_empty() {
            if self.is_empty() {
                // The end of the wait is as good as a beginning: both are followed by a round.
                let _ = tokio::time::timeout(SWEEP, self.begun.notified()).await;
            }
            tokio::time::sleep(ROUND).await;
            let now = Instant::now();
            self.look(now, near.now());
            if now.duration_since(swept) >= SWEEP {
                swept = now;
                near.sweep();
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.slots.borrow().is_empty()
    }

    fn look(&self, now: Instant, wall: Timestamp) {
        let mut woken = Vec::new();
        for (_, slot) in self.slots.borrow_mut().iter_mut() {
            slot.is_due = slot.due.is_some_and(|due| due <= now);
            slot.has_run_out = slot.caller.has_run_out(wall);
            if slot.is_due || slot.has_run_out || slot.caller.may_be_over() {
                woken.extend(slot.waker.take());
            }
        }
        // With the last waker goes its task, and with that perhaps another flight: not while the slots are borrowed.
        woken.into_iter().for_each(Waker::wake);
    }
}

impl Flight {
    /// The next round that finds something wakes the task.
    pub(crate) fn wait(&self, context: &Context<'_>) {
        let former = self.with(|slot| {
            let known = slot.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker()));
            if known { None } else { slot.waker.replace(context.waker().clone()) }
        });
        drop(former);
    }

    /// From the next round on that comes after `due` it is due; never, where there is no time.
    pub(crate) fn set_due(&self, due: Option<Instant>) {
        self.with(|slot| (slot.due, slot.is_due) = (due, false));
    }

    /// Whether a round has found the time that was set to be over.
    pub(crate) fn is_due(&self) -> bool {
        self.with(|slot| slot.is_due)
    }

    /// Whether a round has found the caller's time to be over.
    pub(crate) fn has_run_out(&self) -> bool {
        self.with(|slot| slot.has_run_out)
    }

    fn with<T: Default>(&self, look: impl FnOnce(&mut Slot) -> T) -> T {
        self.flights.slots.borrow_mut().get_mut(self.key).map(look).unwrap_or_default()
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let slot = self.flights.slots.borrow_mut().try_remove(self.key);
        drop(slot);
    }
}

/// How late something may be noticed.
const ROUND: Duration = Duration::from_millis(150);
/// How long a core keeps what it remembers of a caller that is over.
const SWEEP: Duration = Duration::from_secs(5);
