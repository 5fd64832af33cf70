//! The embedded store: one file, one process.
//!
//! One thread writes. It takes what has queued up, does all of it in one transaction, and answers when that is on the disk: many
//! writers share one fsync. Readers read a snapshot and wait for nobody. After an error of the disk the same thread opens the file anew;
//! until a write has succeeded again, writes are refused at once, and reads go on where they can.

mod copy;
mod device;
mod handle;
#[cfg(test)]
mod power_cut;
mod tables;
mod writer;

use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use protocol::Clock;
use redb::Database;
use tokio::sync::{broadcast, oneshot};

use crate::embedded::device::{Device, FileDevice};
use crate::embedded::handle::Handle;
use crate::embedded::writer::{Job, Pauses, Writer};
use crate::operation::{Operation, Outcome};
use crate::watchers::Watchers;
use crate::{
    Copied, CopyError, Cursor, Durability, Index, Invalidation, Key, Lease, Observer, Page, Record, Store, StoreError,
    Write, Written,
};

/// A store in one file, for one gateway.
pub struct EmbeddedStore {
    clock: Arc<dyn Clock>,
    handle: Arc<Handle>,
    watchers: Watchers,
    /// `None` once the store is being dropped.
    jobs: Option<SyncSender<Job>>,
    writer: Option<JoinHandle<()>>,
}

impl EmbeddedStore {
    /// Opens `gateway.redb` in `folder`; makes both where they are not there, readable by their owner alone.
    pub fn open(folder: &Path, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let path = file(folder);
        let failed = |error: std::io::Error| StoreError::Open(format!("{}: {error}", folder.display()));
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        Self::on(Arc::new(FileDevice::open(&path)?), clock, PAUSES).map_err(|error| match error {
            StoreError::Unavailable(cause) => StoreError::Open(format!("{}: {cause}", path.display())),
            other => other,
        })
    }

    /// Whether some process, perhaps this one, has the store in `folder` open. Makes and changes nothing.
    #[must_use]
    pub fn is_in_use(folder: &Path) -> bool {
        File::open(file(folder)).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    fn on(device: Arc<dyn Device>, clock: Arc<dyn Clock>, pauses: Pauses) -> Result<Self, StoreError> {
        let handle = Arc::new(Handle::open(device)?);
        let watchers = Watchers::new();
        let (jobs, queue) = sync_channel(QUEUE);
        let writer = Writer::new(handle.clone(), clock.clone(), watchers.clone(), pauses);
        let thread = std::thread::Builder::new().name("store-writer".to_owned());
        let thread = thread.spawn(move || writer.run(&queue));
        let thread = thread.map_err(|error| StoreError::Open(error.to_string()))?;
        Ok(Self { clock, handle, watchers, jobs: Some(jobs), writer: Some(thread) })
    }

    async fn apply(&self, operation: Operation) -> Result<Outcome, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.send(Job::Do { operation, answer })?;
        answered.await.unwrap_or_else(|_| Err(stopped()))
    }

    fn send(&self, job: Job) -> Result<(), StoreError> {
        self.jobs.as_ref().ok_or_else(stopped)?.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Unavailable("too many writes wait for the disk".into()),
            TrySendError::Disconnected(_) => stopped(),
        })
    }

    /// Reads a snapshot. After an error of the disk nothing is read any more until the file has been opened anew.
    fn read<T>(&self, read: impl FnOnce(&Database) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let current = self.handle.current();
        let outcome = read(&current.database);
        if matches!(outcome, Err(StoreError::Unavailable(_))) {
            // A full queue holds writes, which meet the same error.
            let _ = self.send(Job::Doubt { number: current.number });
        }
        outcome
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join("gateway.redb")
}

impl Drop for EmbeddedStore {
    /// Waits until what was queued is on the disk.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the store's writer ended by a panic");
        }
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    async fn get(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        let now = self.clock.now();
        let found = self.read(|database| tables::read(database, key))?;
        Ok(found.filter(|stored| stored.is_live(now)).map(|stored| stored.record))
    }

    async fn take(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        crate::taken(self.apply(Operation::Take(key.clone())).await?)
    }

    async fn batch(&self, writes: Vec<Write>) -> Result<Vec<Written>, StoreError> {
        crate::written(self.apply(Operation::Batch(writes)).await?)
    }

    async fn scan(&self, index: &Index) -> Result<Vec<Key>, StoreError> {
        self.read(|database| tables::scan(database, index))
    }

    async fn records(&self, from: Option<&Cursor>) -> Result<Page, StoreError> {
        let now = self.clock.now();
        self.read(|database| tables::page(database, from, now))
    }

    async fn acquire(&self, key: &Key, holder: &str, time: Duration) -> Result<Option<Lease>, StoreError> {
        let operation = Operation::Acquire { key: key.clone(), holder: holder.to_owned(), time };
        crate::acquired(&self.apply(operation).await?, key, holder)
    }

    async fn renew(&self, lease: &Lease, time: Duration) -> Result<bool, StoreError> {
        crate::held(&self.apply(lease.renewal(time)).await?)
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        self.apply(lease.end()).await.map(drop)
    }

    async fn announce(&self, key: &Key) -> Result<(), StoreError> {
        self.watchers.changed(vec![key.clone()]);
        Ok(())
    }

    fn watch(&self) -> broadcast::Receiver<Invalidation> {
        self.watchers.subscribe()
    }

    fn observe(&self, observer: &Arc<dyn Observer>) {
        self.watchers.observe(observer);
    }

    /// One process: it hears of every change before it is acknowledged.
    fn is_fresh(&self) -> bool {
        true
    }

    async fn propagated(&self) {}

    async fn copy_to(&self, to: &Path) -> Result<Copied, CopyError> {
        let (handle, to) = (self.handle.clone(), to.to_owned());
        let copying = tokio::task::spawn_blocking(move || {
            let owner = handle.device().owner().map_err(CopyError::Write)?;
            copy::copy(&handle.current().database, owner, &to)
        });
        copying.await.map_err(|error| CopyError::Store(StoreError::Unavailable(Box::new(error))))?
    }

    fn is_exclusive(&self) -> bool {
        true
    }

    /// The store is this process's alone, which said it when it opened the file.
    async fn claim_format(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn health(&self) -> Result<Durability, StoreError> {
        // An empty batch goes through the writer and the disk.
        self.apply(Operation::Batch(Vec::new())).await.map(|_| Durability::Durable)
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable("the store's writer has stopped".into())
}

/// The most operations that wait for the disk.
const QUEUE: usize = 4096;
const PAUSES: Pauses = Pauses { first: Duration::from_millis(250), longest: Duration::from_secs(2) };
