use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use protocol::{Clock, Timestamp};
use redb::{Database, Durability};
use tokio::sync::oneshot;

use crate::embedded::handle::Handle;
use crate::embedded::tables::{Tables, unavailable};
use crate::operation::{Operation, Outcome};
use crate::watchers::Watchers;
use crate::{Key, StoreError};

/// What the writer is asked for.
pub(super) enum Job {
    /// An operation, and who waits for it.
    Do { operation: Operation, answer: oneshot::Sender<Result<Outcome, StoreError>> },
    /// A read failed on the opening of this number.
    Doubt { number: u64 },
}

type Asked = (Operation, oneshot::Sender<Result<Outcome, StoreError>>);

/// The one thread that writes.
pub(super) struct Writer {
    handle: Arc<Handle>,
    clock: Arc<dyn Clock>,
    watchers: Watchers,
    trouble: Option<Trouble>,
    /// After the last trouble: trouble that comes again soon waits longer.
    pause: Duration,
    pauses: Pauses,
    calm_since: Instant,
}

/// How long the disk is left alone after it failed: doubled while it goes on failing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pauses {
    pub(super) first: Duration,
    pub(super) longest: Duration,
}

/// The disk has failed, and no write has succeeded since.
struct Trouble {
    next: Instant,
    /// What has to find room before anything is tried again, in bytes.
    room: usize,
    opened: Opened,
}

/// Whether the file has been opened anew since the failure.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Opened {
    Yes,
    NotYet,
}

impl Writer {
    pub(super) fn new(handle: Arc<Handle>, clock: Arc<dyn Clock>, watchers: Watchers, pauses: Pauses) -> Self {
        Self { handle, clock, watchers, trouble: None, pause: pauses.first, pauses, calm_since: Instant::now() }
    }

    /// Writes until the store is dropped and the queue is empty.
    pub(super) fn run(mut self, queue: &Receiver<Job>) {
        loop {
            let wait = match &self.trouble {
                Some(trouble) => trouble.next.saturating_duration_since(Instant::now()),
                None => SWEEP_EVERY,
            };
            let first = match queue.recv_timeout(wait) {
                Ok(first) => Some(first),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            self.look_after_trouble();
            match first {
                Some(first) => {
                    let jobs = std::iter::once(first).chain(queue.try_iter().take(GROUP - 1));
                    let asked = jobs.filter_map(|job| self.asked(job)).collect();
                    self.serve(asked);
                }
                None if self.trouble.is_none() => self.sweep(),
                None => {}
            }
        }
    }

    fn asked(&mut self, job: Job) -> Option<Asked> {
        match job {
            Job::Do { operation, answer } => Some((operation, answer)),
            Job::Doubt { number } => {
                if self.trouble.is_none() && self.handle.current().number == number {
                    self.fail(&StoreError::Unavailable("a read failed".into()), 0);
                }
                None
            }
        }
    }

    /// All in one transaction: each is answered when it is on the disk, or none is done.
    fn serve(&mut self, asked: Vec<Asked>) {
        if self.trouble.is_some() {
            return refuse(asked);
        }
        let operations: Vec<&Operation> = asked.iter().map(|(operation, _)| operation).collect();
        match self.commit(&operations) {
            Ok(outcomes) => {
                for ((_, answer), outcome) in asked.into_iter().zip(outcomes) {
                    reply(answer, Ok(outcome));
                }
            }
            // One record is not what it should be: whoever did not ask for it is not refused with whoever did.
            Err(StoreError::Corrupt(what)) => match <[Asked; 1]>::try_from(asked) {
                Ok([(_, answer)]) => reply(answer, Err(StoreError::Corrupt(what))),
                Err(asked) => {
                    for one in asked {
                        self.serve(vec![one]);
                    }
                }
            },
            Err(error) => {
                let size = operations.iter().map(|operation| operation.size()).sum();
                self.fail(&error, size);
                refuse(asked);
            }
        }
    }

    fn commit(&self, operations: &[&Operation]) -> Result<Vec<Outcome>, StoreError> {
        let mut changed = Vec::new();
        let current = self.handle.current();
        let outcomes = guarded(|| commit(&current.database, operations, self.clock.now(), &mut changed))?;
        self.watchers.changed(changed);
        Ok(outcomes)
    }

    fn sweep(&mut self) {
        let current = self.handle.current();
        match guarded(|| sweep(&current.database, self.clock.now())) {
            Ok(()) => {}
            Err(StoreError::Corrupt(what)) => tracing::warn!(what, "records whose life is over were not swept"),
            Err(error) => self.fail(&error, 0),
        }
    }

    /// From here on writes are refused; the file is opened anew at once, so that reads go on.
    fn fail(&mut self, error: &StoreError, size: usize) {
        tracing::error!(error = %told(error), "the store's disk failed: writes are refused until it takes them again");
        self.pause = if self.calm_since.elapsed() > CALM { self.pauses.first } else { self.longer() };
        let room = size.saturating_mul(2).clamp(LEAST_ROOM, MOST_ROOM);
        self.trouble = Some(Trouble { next: Instant::now() + self.pause, room, opened: Opened::NotYet });
        self.open_again();
    }

    fn longer(&self) -> Duration {
        (self.pause * 2).min(self.pauses.longest)
    }

    fn open_again(&mut self) {
        let Some(trouble) = &mut self.trouble else { return };
        match guarded(|| self.handle.open_again()) {
            Ok(()) => {
                trouble.opened = Opened::Yes;
                // What was refused may have been written all the same.
                self.watchers.forget();
            }
            Err(error) => tracing::warn!(error = %told(&error), "the store cannot be opened again yet"),
        }
    }

    fn look_after_trouble(&mut self) {
        let pause = self.longer();
        let Some(trouble) = self.trouble.as_mut().filter(|trouble| trouble.next <= Instant::now()) else { return };
        self.pause = pause;
        trouble.next = Instant::now() + pause;
        if trouble.opened == Opened::NotYet {
            self.open_again();
        }
        let Some(trouble) = self.trouble.as_ref().filter(|trouble| trouble.opened == Opened::Yes) else { return };
        match self.handle.device().probe(trouble.room) {
            Ok(()) => {
                tracing::warn!("the store takes writes again");
                self.trouble = None;
                self.calm_since = Instant::now();
            }
            Err(error) => tracing::debug!(error = %error, "the store's disk still fails"),
        }
    }
}

/// Nobody waits any more where the caller was dropped; the write stands.
fn reply(answer: oneshot::Sender<Result<Outcome, StoreError>>, outcome: Result<Outcome, StoreError>) {
    let _ = answer.send(outcome);
}

fn refuse(asked: Vec<Asked>) {
    for (_, answer) in asked {
        reply(answer, Err(StoreError::Unavailable("the store's disk does not take writes".into())));
    }
}

fn told(error: &StoreError) -> String {
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    format!("{error}: {cause}")
}

/// A panic in the database's library is a failure like another: whatever it left behind goes when the file is opened anew.
fn guarded<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(StoreError::Unavailable("the database panicked".into())))
}

fn commit(
    database: &Database,
    operations: &[&Operation],
    now: Timestamp,
    changed: &mut Vec<Key>,
) -> Result<Vec<Outcome>, StoreError> {
    let mut transaction = database.begin_write().map_err(unavailable)?;
    transaction.set_durability(Durability::Immediate).map_err(unavailable)?;
    let outcomes = {
        let mut tables = Tables::open(&transaction)?;
        let outcomes: Result<Vec<Outcome>, StoreError> =
            operations.iter().map(|operation| operation.apply(&mut tables, now, changed)).collect();
        outcomes?
    };
    transaction.commit().map_err(unavailable)?;
    Ok(outcomes)
}

fn sweep(database: &Database, now: Timestamp) -> Result<(), StoreError> {
    let mut transaction = database.begin_write().map_err(unavailable)?;
    // What is swept is over in any case: the next durable commit may carry it to the disk.
    transaction.set_durability(Durability::None).map_err(unavailable)?;
    Tables::open(&transaction)?.sweep(now, SWEEP)?;
    transaction.commit().map_err(unavailable)
}

/// The most operations in one transaction: bounds how long the first of them waits.
const GROUP: usize = 256;
/// The most records that one sweep removes.
const SWEEP: usize = 1024;
const SWEEP_EVERY: Duration = Duration::from_secs(5);
/// Trouble after this long is new trouble.
const CALM: Duration = Duration::from_secs(30);
const LEAST_ROOM: usize = 256 * 1024;
const MOST_ROOM: usize = 16 * 1024 * 1024;
