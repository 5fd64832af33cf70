//! Where finished steps and log records wait for their export: a ring for each core, which no other core touches, and a bounded queue for
//! everybody else. Nobody waits for room: what does not fit is counted.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use rtrb::{Consumer, Producer, RingBuffer};

use super::logs::Record;
use super::span::Finished;

/// Where to put them. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Outbox {
    steps: SyncSender<Finished>,
    records: SyncSender<Record>,
    shared: Arc<Shared>,
}

/// What was put there, for the exporter.
#[derive(Debug)]
pub(super) struct Inbox {
    pub(super) steps: Receiver<Finished>,
    pub(super) records: Receiver<Record>,
    pub(super) shared: Arc<Shared>,
}

#[derive(Debug, Default)]
pub(super) struct Shared {
    rings: Mutex<Vec<Consumer<Finished>>>,
    traces_dropped: AtomicU64,
    logs_dropped: AtomicU64,
}

/// One core's ring.
#[derive(Debug)]
pub(crate) struct Ring {
    ring: RefCell<Producer<Finished>>,
    shared: Arc<Shared>,
}

/// Which kind of record was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    Steps(u64),
    Records(u64),
}

impl Outbox {
    pub(super) fn new() -> (Self, Inbox) {
        let ((steps, steps_out), (records, records_out)) = (sync_channel(QUEUE), sync_channel(QUEUE));
        let shared = Arc::<Shared>::default();
        let inbox = Inbox { steps: steps_out, records: records_out, shared: shared.clone() };
        (Self { steps, records, shared }, inbox)
    }

    /// A ring for the core that this is called on.
    pub(super) fn ring(&self) -> Ring {
        let (producer, consumer) = RingBuffer::new(RING);
        self.shared.rings.lock().unwrap_or_else(PoisonError::into_inner).push(consumer);
        Ring { ring: RefCell::new(producer), shared: self.shared.clone() }
    }

    /// For whoever is on no core.
    pub(super) fn step(&self, step: Finished) {
        if self.steps.try_send(step).is_err() {
            self.shared.lost(Lost::Steps(1));
        }
    }

    pub(super) fn record(&self, record: Record) {
        if self.records.try_send(record).is_err() {
            self.shared.lost(Lost::Records(1));
        }
    }

    /// How many spans and how many log records did not reach the collector.
    pub(crate) fn dropped(&self) -> (u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(&self.shared.traces_dropped), read(&self.shared.logs_dropped))
    }
}

impl Ring {
    pub(super) fn put(&self, step: Finished) {
        if self.ring.borrow_mut().push(step).is_err() {
            self.shared.lost(Lost::Steps(1));
        }
    }
}

impl Shared {
    pub(super) fn lost(&self, lost: Lost) {
        match lost {
            Lost::Steps(count) => self.traces_dropped.fetch_add(count, Ordering::Relaxed),
            Lost::Records(count) => self.logs_dropped.fetch_add(count, Ordering::Relaxed),
        };
    }

    /// Takes what lies in the rings, as far as there is room; the ring of a core that has ended goes with its last step.
    pub(super) fn collect(&self, into: &mut Vec<Finished>, most: usize) {
        let mut rings = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        rings.retain_mut(|ring| {
            let ended = ring.is_abandoned();
            while into.len() < most {
                match ring.pop() {
                    Ok(step) => into.push(step),
                    Err(_) => return !ended,
                }
            }
            true
        });
    }
}

/// Steps that may wait on one core.
const RING: usize = 4096;
/// Steps and records that may wait for everybody else.
const QUEUE: usize = 4096;
