use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use protocol::{Clock, Timestamp};
use redb::{Database, Durability};
use tokio::sync::oneshot;

use crate::embedded::tables::{Tables, unavailable};
use crate::operation::{Operation, Outcome};
use crate::watchers::Watchers;
use crate::{Key, StoreError};

/// An operation, and who waits for it.
pub(super) struct Job {
    pub(super) operation: Operation,
    pub(super) answer: oneshot::Sender<Result<Outcome, StoreError>>,
}

/// Writes until the store is dropped and the queue is empty.
pub(super) fn run(database: &Database, queue: &Receiver<Job>, clock: &dyn Clock, watchers: &Watchers) {
    loop {
        match queue.recv_timeout(SWEEP_EVERY) {
            Ok(first) => {
                let jobs: Vec<Job> = std::iter::once(first).chain(queue.try_iter().take(GROUP - 1)).collect();
                commit_group(database, jobs, clock.now(), watchers);
            }
            Err(RecvTimeoutError::Timeout) => {
                if let Err(error) = sweep(database, clock.now()) {
                    tracing::warn!(error = %error, "records whose life is over were not swept");
                }
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// All jobs in one transaction: each is answered when it is on the disk, or none is done.
fn commit_group(database: &Database, jobs: Vec<Job>, now: Timestamp, watchers: &Watchers) {
    let mut changed = Vec::new();
    match commit(database, &jobs, now, &mut changed) {
        Ok(outcomes) => {
            watchers.changed(changed);
            for (job, outcome) in jobs.into_iter().zip(outcomes) {
                // Nobody waits any more where the caller was dropped; the write stands.
                let _ = job.answer.send(Ok(outcome));
            }
        }
        Err(error) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            let message = format!("{error}: {cause}");
            tracing::error!(error = message, "a group of writes was not committed");
            for job in jobs {
                let _ = job.answer.send(Err(StoreError::Unavailable(message.clone().into())));
            }
        }
    }
}

fn commit(
    database: &Database,
    jobs: &[Job],
    now: Timestamp,
    changed: &mut Vec<Key>,
) -> Result<Vec<Outcome>, StoreError> {
    let mut transaction = database.begin_write().map_err(unavailable)?;
    transaction.set_durability(Durability::Immediate).map_err(unavailable)?;
    let outcomes = {
        let mut tables = Tables::open(&transaction)?;
        let outcomes: Result<Vec<Outcome>, StoreError> =
            jobs.iter().map(|job| job.operation.apply(&mut tables, now, changed)).collect();
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
