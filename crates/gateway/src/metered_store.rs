use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use metrics::{Metrics, StoreOperation};
use store::{
    Copied, CopyError, Cursor, Durability, Index, Invalidation, Key, Lease, Observer, Page, Record, Store, StoreError,
    Write, Written,
};
use tokio::sync::broadcast;

/// A store whose operations are timed.
pub(crate) struct MeteredStore {
    inner: Arc<dyn Store>,
    metrics: Metrics,
}

impl MeteredStore {
    pub(crate) fn new(inner: Arc<dyn Store>, metrics: Metrics) -> Self {
        Self { inner, metrics }
    }

    async fn timed<T>(
        &self,
        operation: StoreOperation,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let begun = Instant::now();
        let outcome = work.await;
        self.metrics.stored(operation, begun.elapsed(), outcome.is_err());
        outcome
    }
}

#[async_trait]
impl Store for MeteredStore {
    async fn get(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        self.timed(StoreOperation::Read, self.inner.get(key)).await
    }

    async fn take(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        self.timed(StoreOperation::Write, self.inner.take(key)).await
    }

    async fn batch(&self, writes: Vec<Write>) -> Result<Vec<Written>, StoreError> {
        self.timed(StoreOperation::Write, self.inner.batch(writes)).await
    }

    async fn scan(&self, index: &Index) -> Result<Vec<Key>, StoreError> {
        self.timed(StoreOperation::Read, self.inner.scan(index)).await
    }

    async fn records(&self, from: Option<&Cursor>) -> Result<Page, StoreError> {
        self.timed(StoreOperation::Read, self.inner.records(from)).await
    }

    async fn acquire(&self, key: &Key, holder: &str, time: Duration) -> Result<Option<Lease>, StoreError> {
        self.timed(StoreOperation::Lease, self.inner.acquire(key, holder, time)).await
    }

    async fn renew(&self, lease: &Lease, time: Duration) -> Result<bool, StoreError> {
        self.timed(StoreOperation::Lease, self.inner.renew(lease, time)).await
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        self.timed(StoreOperation::Lease, self.inner.release(lease)).await
    }

    async fn announce(&self, key: &Key) -> Result<(), StoreError> {
        self.timed(StoreOperation::Write, self.inner.announce(key)).await
    }

    fn watch(&self) -> broadcast::Receiver<Invalidation> {
        self.inner.watch()
    }

    fn observe(&self, observer: &Arc<dyn Observer>) {
        self.inner.observe(observer);
    }

    fn is_fresh(&self) -> bool {
        self.inner.is_fresh()
    }

    async fn propagated(&self) {
        let begun = Instant::now();
        self.inner.propagated().await;
        self.metrics.stored(StoreOperation::Propagate, begun.elapsed(), false);
    }

    async fn copy_to(&self, to: &Path) -> Result<Copied, CopyError> {
        self.inner.copy_to(to).await
    }

    fn is_exclusive(&self) -> bool {
        self.inner.is_exclusive()
    }

    async fn claim_format(&self) -> Result<(), StoreError> {
        self.inner.claim_format().await
    }

    async fn health(&self) -> Result<Durability, StoreError> {
        self.inner.health().await
    }
}
