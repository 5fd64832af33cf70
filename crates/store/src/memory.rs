use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use protocol::Clock;
use tokio::sync::broadcast;

use crate::operation::{LeaseRow, Operation, Outcome, Rows, Stored};
use crate::watchers::Watchers;
use crate::{
    Copied, CopyError, Cursor, Durability, Index, Invalidation, Key, Lease, Observer, Page, Record, Store, StoreError,
    Write, Written,
};

/// A store that goes with the process, for tests.
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    tables: Mutex<Tables>,
    watchers: Watchers,
}

#[derive(Default)]
struct Tables {
    records: BTreeMap<Key, Stored>,
    indexes: BTreeMap<String, BTreeSet<Key>>,
    leases: BTreeMap<Key, LeaseRow>,
}

impl MemoryStore {
    /// An empty store whose lives are counted by `clock`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, tables: Mutex::default(), watchers: Watchers::new() }
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn apply(&self, operation: &Operation) -> Result<Outcome, StoreError> {
        let mut changed = Vec::new();
        let outcome = operation.apply(&mut *self.tables(), self.clock.now(), &mut changed);
        self.watchers.changed(changed);
        outcome
    }
}

impl Rows for Tables {
    fn get(&self, key: &Key) -> Result<Option<Stored>, StoreError> {
        Ok(self.records.get(key).cloned())
    }

    fn put(&mut self, key: &Key, stored: &Stored) -> Result<(), StoreError> {
        self.records.insert(key.clone(), stored.clone());
        Ok(())
    }

    fn remove(&mut self, key: &Key) -> Result<(), StoreError> {
        self.records.remove(key);
        Ok(())
    }

    fn list(&mut self, index: &Index, key: &Key) -> Result<(), StoreError> {
        self.indexes.entry(index.as_str().to_owned()).or_default().insert(key.clone());
        Ok(())
    }

    fn unlist(&mut self, index: &Index, key: &Key) -> Result<(), StoreError> {
        if let Some(keys) = self.indexes.get_mut(index.as_str()) {
            keys.remove(key);
        }
        Ok(())
    }

    fn lease(&self, key: &Key) -> Result<Option<LeaseRow>, StoreError> {
        Ok(self.leases.get(key).cloned())
    }

    fn put_lease(&mut self, key: &Key, row: &LeaseRow) -> Result<(), StoreError> {
        self.leases.insert(key.clone(), row.clone());
        Ok(())
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn get(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        let now = self.clock.now();
        Ok(self.tables().records.get(key).filter(|stored| stored.is_live(now)).map(|stored| stored.record.clone()))
    }

    async fn take(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        crate::taken(self.apply(&Operation::Take(key.clone()))?)
    }

    async fn batch(&self, writes: Vec<Write>) -> Result<Vec<Written>, StoreError> {
        crate::written(self.apply(&Operation::Batch(writes))?)
    }

    async fn scan(&self, index: &Index) -> Result<Vec<Key>, StoreError> {
        Ok(self.tables().indexes.get(index.as_str()).into_iter().flatten().cloned().collect())
    }

    async fn records(&self, from: Option<&Cursor>) -> Result<Page, StoreError> {
        let (now, tables) = (self.clock.now(), self.tables());
        let from = from.and_then(|from| Key::parse(&from.0).ok()).map_or(Bound::Unbounded, Bound::Excluded);
        let rows: Vec<_> = tables.records.range((from, Bound::Unbounded)).take(crate::PAGE).collect();
        let next = (rows.len() == crate::PAGE).then(|| rows.last().map(|(key, _)| Cursor(key.to_string()))).flatten();
        let live = rows.into_iter().filter(|(_, stored)| stored.is_live(now));
        Ok(Page { records: live.map(|(key, stored)| (key.clone(), stored.record.clone())).collect(), next })
    }

    async fn acquire(&self, key: &Key, holder: &str, time: Duration) -> Result<Option<Lease>, StoreError> {
        let operation = Operation::Acquire { key: key.clone(), holder: holder.to_owned(), time };
        crate::acquired(&self.apply(&operation)?, key, holder)
    }

    async fn renew(&self, lease: &Lease, time: Duration) -> Result<bool, StoreError> {
        crate::held(&self.apply(&lease.renewal(time))?)
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        self.apply(&lease.end()).map(drop)
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

    async fn copy_to(&self, _to: &Path) -> Result<Copied, CopyError> {
        Err(CopyError::Elsewhere)
    }

    async fn claim_format(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn health(&self) -> Result<Durability, StoreError> {
        Ok(Durability::Memory)
    }
}
