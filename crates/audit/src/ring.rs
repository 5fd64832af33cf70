use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};

use protocol::{Clock, Timestamp};
use rtrb::{Consumer, Producer, RingBuffer};
use tokio::sync::Notify;

use crate::{AuditError, Call};

/// One core's way to the audit log: calls wait here until the writer comes by. It never waits, and takes no lock.
#[derive(Clone)]
pub struct Ring(Rc<Local>);

struct Local {
    calls: RefCell<Producer<(Timestamp, Call)>>,
    /// Places that are taken and not filled yet.
    reserved: Cell<usize>,
    bell: Bell,
    dead: Arc<AtomicBool>,
    clock: Arc<dyn Clock>,
}

/// A call's place in the ring, reserved before it is forwarded; free again where it is dropped.
pub struct Place(Rc<Local>);

/// Wakes the writer, where it has nothing to do.
#[derive(Clone, Default)]
pub(crate) struct Bell {
    asleep: Arc<AtomicBool>,
    rung: Arc<Notify>,
}

/// The writer's end.
pub(crate) type Calls = Consumer<(Timestamp, Call)>;

impl Ring {
    pub(crate) fn new(bell: Bell, dead: Arc<AtomicBool>, clock: Arc<dyn Clock>) -> (Self, Calls) {
        let (producer, consumer) = RingBuffer::new(SIZE);
        let local = Local { calls: RefCell::new(producer), reserved: Cell::new(0), bell, dead, clock };
        (Self(Rc::new(local)), consumer)
    }

    /// A place for a call that is about to be made.
    pub fn reserve(&self) -> Result<Place, AuditError> {
        let local = &self.0;
        let calls = local.calls.borrow();
        if local.dead.load(Ordering::Relaxed) || calls.is_abandoned() {
            return Err(AuditError::Dead);
        }
        let reserved = local.reserved.get();
        if calls.slots() <= reserved {
            return Err(AuditError::Full);
        }
        local.reserved.set(reserved + 1);
        drop(calls);
        Ok(Place(local.clone()))
    }
}

impl Place {
    /// Puts the record into the place.
    pub fn fill(self, call: Call) {
        let local = &self.0;
        let now = local.clock.now();
        // There is room: the place was reserved, and this core alone writes here.
        if local.calls.borrow_mut().push((now, call)).is_err() {
            tracing::error!("a call found no room in the audit log's ring");
        }
        local.bell.ring();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.reserved.set(self.0.reserved.get().saturating_sub(1));
    }
}

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ring")
    }
}

impl Bell {
    /// Costs a load while the writer is awake.
    fn ring(&self) {
        // What was pushed before has to be seen by whoever looks into the rings after saying that it sleeps.
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::Relaxed) {
            self.rung.notify_one();
        }
    }

    /// From now on somebody has to ring. The rings have to be looked into once more after this.
    pub(crate) fn sleep(&self) {
        self.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    pub(crate) fn wake(&self) {
        self.asleep.store(false, Ordering::Relaxed);
    }

    pub(crate) async fn rung(&self) {
        self.rung.notified().await;
    }
}

/// How many calls of one core may be under way or waiting.
const SIZE: usize = 65_536;

#[cfg(test)]
pub(crate) mod tests {
    use protocol::{AccountId, AgentId, ClientId, Loopback, ManualClock, ProviderId, Scope, ScopeSet, UserId};

    use super::*;
    use crate::{End, Who};

    pub(crate) fn call(millis: u64) -> Call {
        let who = Who::new(
            (
                &AgentId::parse("https://agent.test/a", Loopback::Refused).expect("an id"),
                &ClientId::parse("ath_00112233445566778899aabbccddeeff").expect("an id"),
            ),
            &UserId::parse("u_00112233445566778899aabbccddeeff").expect("an id"),
            (
                &ProviderId::parse("helpdesk").expect("an id"),
                &AccountId::parse("00112233445566778899aabbccddeeff").expect("an id"),
            ),
            &ScopeSet::default(),
        );
        Call {
            request_id: None,
            address: None,
            who: Arc::new(who),
            method: "GET",
            scope: Scope::parse("a").expect("a scope"),
            status: 200,
            bytes: 0,
            masked: 0,
            end: End::Complete,
            millis,
        }
    }

    #[test]
    fn a_place_that_was_given_is_there_when_it_is_filled() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_secs(1_790_000_000)));
        let dead = Arc::new(AtomicBool::new(false));
        let (ring, mut calls) = Ring::new(Bell::default(), dead.clone(), clock);
        let mut places: Vec<Place> = (0..SIZE).map(|_| ring.reserve().expect("a place")).collect();
        assert_eq!(ring.reserve().err(), Some(AuditError::Full));
        places.pop().expect("a place").fill(call(1));
        assert_eq!(ring.reserve().err(), Some(AuditError::Full), "it is filled, and not written yet");
        drop(places.pop());
        assert!(ring.reserve().is_ok(), "one that was dropped is free");
        assert_eq!(calls.pop().map(|(_, call)| call.millis), Ok(1));
        dead.store(true, Ordering::Relaxed);
        assert_eq!(ring.reserve().err(), Some(AuditError::Dead));
        dead.store(false, Ordering::Relaxed);
        drop(calls);
        assert_eq!(ring.reserve().err(), Some(AuditError::Dead), "nobody reads it any more");
    }
}
