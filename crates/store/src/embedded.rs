//! The embedded store: one file, one process.
//!
//! One thread writes. It takes what has queued up, does all of it in one transaction, and answers when that is on the disk: many
//! writers share one fsync. Readers read a snapshot and wait for nobody.

mod tables;
mod writer;

use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use protocol::Clock;
use redb::{Database, DatabaseError};
use tokio::sync::{broadcast, oneshot};

use crate::embedded::writer::Job;
use crate::operation::{Operation, Outcome};
use crate::watchers::Watchers;
use crate::{
    Cursor, Durability, Index, Invalidation, Key, Lease, Observer, Page, Record, Store, StoreError, Write, Written,
};

/// A store in one file, for one gateway.
pub struct EmbeddedStore {
    clock: Arc<dyn Clock>,
    database: Arc<Database>,
    watchers: Watchers,
    /// `None` once the store is being dropped.
    jobs: Option<mpsc::Sender<Job>>,
    writer: Option<JoinHandle<()>>,
}

impl EmbeddedStore {
    /// Opens `gateway.redb` in `folder`; makes both where they are not there, readable by their owner alone.
    pub fn open(folder: &Path, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let path = folder.join("gateway.redb");
        let failed = |error: &dyn std::fmt::Display| StoreError::Open(format!("{}: {error}", path.display()));
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| failed(&error))?;
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        file.map_err(|error| failed(&error))?;
        let database = Database::create(&path).map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => StoreError::Open(format!(
                "{} is in use by another process; an embedded store serves one gateway: stop the other, or use Redis for several",
                path.display()
            )),
            other => failed(&other),
        })?;
        tables::make(&database)?;
        let database = Arc::new(database);
        let watchers = Watchers::new();
        let (jobs, queue) = mpsc::channel();
        let (in_thread, clock_, watchers_) = (database.clone(), clock.clone(), watchers.clone());
        let writer = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer::run(&in_thread, &queue, clock_.as_ref(), &watchers_))
            .map_err(|error| failed(&error))?;
        Ok(Self { clock, database, watchers, jobs: Some(jobs), writer: Some(writer) })
    }

    async fn apply(&self, operation: Operation) -> Result<Outcome, StoreError> {
        let (answer, answered) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or_else(stopped)?;
        jobs.send(Job { operation, answer }).map_err(|_| stopped())?;
        answered.await.unwrap_or_else(|_| Err(stopped()))
    }
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
        Ok(tables::read(&self.database, key)?.filter(|stored| stored.is_live(now)).map(|stored| stored.record))
    }

    async fn take(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        crate::taken(self.apply(Operation::Take(key.clone())).await?)
    }

    async fn batch(&self, writes: Vec<Write>) -> Result<Vec<Written>, StoreError> {
        crate::written(self.apply(Operation::Batch(writes)).await?)
    }

    async fn scan(&self, index: &Index) -> Result<Vec<Key>, StoreError> {
        tables::scan(&self.database, index)
    }

    async fn records(&self, from: Option<&Cursor>) -> Result<Page, StoreError> {
        tables::page(&self.database, from, self.clock.now())
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

    fn observe(&self, observer: Arc<dyn Observer>) {
        self.watchers.observe(observer);
    }

    /// One process: it hears of every change before it is acknowledged.
    fn is_fresh(&self) -> bool {
        true
    }

    async fn propagated(&self) {}

    async fn health(&self) -> Result<Durability, StoreError> {
        // An empty batch goes through the writer and the disk.
        self.apply(Operation::Batch(Vec::new())).await.map(|_| Durability::Durable)
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable("the store's writer has stopped".into())
}
