//! Atomic operations over sealed records: Redis, embedded (redb), and memory for tests.
//!
//! **Invariant:** a store sees opaque bytes and holds no key. What it keeps is sealed or hashed before it comes here.
//!
//! **Invariant:** every atomic operation touches one hash tag, so that Redis Cluster works.
//!
//! To add a store: implement [`Store`], and run the conformance suite (`tests/conformance.rs` of this crate) against it.

mod copy;
mod embedded;
mod format;
mod key;
mod memory;
mod operation;
mod record;
mod redis;
mod watchers;

pub use copy::{Copied, CopyError};
pub use embedded::EmbeddedStore;
pub use key::{Index, Key, KeyError, Kind};
pub use memory::MemoryStore;
pub use record::{Cursor, Life, Page, Record, Version, Write, Written};
pub use redis::{
    RedisAddress, RedisAddressError, RedisDisk, RedisLogin, RedisOptions, RedisServers, RedisStore, RedisTls,
    RedisTopology,
};
pub use watchers::Observer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::broadcast;

use crate::operation::{Operation, Outcome};

/// What every store does. Each operation is atomic; "not there" is `None`, never an error.
#[async_trait]
pub trait Store: Send + Sync {
    /// The record under `key`, unless its life is over.
    async fn get(&self, key: &Key) -> Result<Option<Record>, StoreError>;

    /// The record under `key`, removed in the same step: of many callers exactly one gets it.
    async fn take(&self, key: &Key) -> Result<Option<Record>, StoreError>;

    /// Many writes, one durable acknowledgement. Each write is atomic; writes to different hash tags may be seen one by one, in order.
    /// Every write is tried, and each reports for itself. When this returns `Ok`, what was [`Written::Done`] survives a crash.
    async fn batch(&self, writes: Vec<Write>) -> Result<Vec<Written>, StoreError>;

    /// The keys that were listed in `index`: a hint. A key may stand there whose record is gone.
    async fn scan(&self, index: &Index) -> Result<Vec<Key>, StoreError>;

    /// Some of all records, from `from` on; from the beginning where it is `None`. Following the cursors to the end shows every record
    /// that was there all the while at least once, in whichever version; of those that come or go meanwhile, some.
    async fn records(&self, from: Option<&Cursor>) -> Result<Page, StoreError>;

    /// Takes the lease that guards the record under `key`, for `time`; `None` while anybody holds it. Each new holder gets a
    /// higher fencing number than all before.
    async fn acquire(&self, key: &Key, holder: &str, time: Duration) -> Result<Option<Lease>, StoreError>;

    /// Extends a lease that is still held to `time` from now; `false` when it was lost.
    async fn renew(&self, lease: &Lease, time: Duration) -> Result<bool, StoreError>;

    /// Gives a lease back; nothing happens where it was lost before.
    async fn release(&self, lease: &Lease) -> Result<(), StoreError>;

    /// Tells everybody who watches, on all replicas, that what they remember of `key` no longer holds. [`Write::Swap`] and
    /// [`Write::Delete`] do so by themselves.
    async fn announce(&self, key: &Key) -> Result<(), StoreError>;

    /// From now on, the keys whose records changed. A receiver that lags, or sees [`Invalidation::All`], forgets everything.
    fn watch(&self) -> broadcast::Receiver<Invalidation>;

    /// From now on, `observer` is told of changes, for as long as somebody else holds it; of those that this process makes, before they are
    /// acknowledged.
    fn observe(&self, observer: &Arc<dyn Observer>);

    /// Whether observers have been told of every change that was acknowledged anywhere half a second ago or earlier: whether what they
    /// remember may be relied on right now.
    fn is_fresh(&self) -> bool;

    /// Returns when no replica relies on anything older than the writes that were acknowledged before: every observer has been told,
    /// or what it remembers is no longer fresh.
    async fn propagated(&self);

    /// Copies everything, as it is at one moment, into the new file `to`, an absolute path on this machine. The store goes on meanwhile.
    async fn copy_to(&self, to: &Path) -> Result<Copied, CopyError>;

    /// Whether this process has the store for itself.
    fn is_exclusive(&self) -> bool {
        false
    }

    /// Says in which format this program writes, before it writes anything; refused where the store is in one that it does not read.
    async fn claim_format(&self) -> Result<(), StoreError>;

    /// Whether the store answers in a format that this program reads, and what its durability is worth.
    async fn health(&self) -> Result<Durability, StoreError>;
}

/// A held lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    key: Key,
    holder: String,
    fence: u64,
}

impl Lease {
    /// The record it guards.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Grows with every holder: a write fenced with an older number is refused.
    #[must_use]
    pub fn fence(&self) -> u64 {
        self.fence
    }

    fn renewal(&self, time: Duration) -> Operation {
        Operation::Renew { key: self.key.clone(), holder: self.holder.clone(), fence: self.fence, time }
    }

    fn end(&self) -> Operation {
        Operation::Release { key: self.key.clone(), holder: self.holder.clone(), fence: self.fence }
    }
}

/// What a watcher is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Invalidation {
    /// The record under this key changed or is gone.
    Key(Key),
    /// Messages may have been lost: whatever is remembered may be stale.
    All,
}

/// What an acknowledgement is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// An acknowledged write survives the crash of this machine, or of the Redis primary.
    Durable,
    /// An acknowledged write can be lost in a crash of the store.
    BestEffort,
    /// Nothing survives the process: the store for tests.
    Memory,
}

/// Why an operation was not done, or not known to be done.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store does not answer, or not in time; try again later.
    #[error("the store is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The store holds bytes that this program did not write.
    #[error("the store holds a record of unknown form under {0}")]
    Corrupt(String),
    /// A newer version has changed the form of what lies in the store.
    #[error(
        "the store is in format {written}, which a newer version wrote; this one reads formats up to {reads}: start the newer version again, or \
         put back the copy that was made before the upgrade (docs/upgrade.md)"
    )]
    Newer {
        /// The store's format.
        written: u32,
        /// The newest that this program reads.
        reads: u32,
    },
    /// What lies in the store is older than what this program still reads.
    #[error(
        "the store is in format {written}, and this version reads formats from {reads} on: start the version before this one first \
         (docs/upgrade.md)"
    )]
    Older {
        /// The store's format.
        written: u32,
        /// The oldest that this program reads.
        reads: u32,
    },
    /// Where the store's format should stand is something else.
    #[error(
        "what stands where the store says its format was not written by a gateway: look whether key_prefix, or path, of [store] is the right one"
    )]
    NoMark,
    /// The store cannot be opened as configured.
    #[error("the store cannot be opened: {0}")]
    Open(String),
}

fn taken(outcome: Outcome) -> Result<Option<Record>, StoreError> {
    match outcome {
        Outcome::Taken(record) => Ok(record),
        _ => Err(mixed_up()),
    }
}

fn written(outcome: Outcome) -> Result<Vec<Written>, StoreError> {
    match outcome {
        Outcome::Written(written) => Ok(written),
        _ => Err(mixed_up()),
    }
}

fn acquired(outcome: &Outcome, key: &Key, holder: &str) -> Result<Option<Lease>, StoreError> {
    match outcome {
        Outcome::Acquired(fence) => Ok(fence.map(|fence| Lease { key: key.clone(), holder: holder.to_owned(), fence })),
        _ => Err(mixed_up()),
    }
}

fn held(outcome: &Outcome) -> Result<bool, StoreError> {
    match outcome {
        Outcome::Held(held) => Ok(*held),
        _ => Err(mixed_up()),
    }
}

fn mixed_up() -> StoreError {
    StoreError::Unavailable("the answer belongs to another operation".into())
}

/// How many records a page has, about: few enough that nobody waits long behind a batch that writes them all.
const PAGE: usize = 256;

/// How many invalidations a slow watcher may be behind before it forgets everything.
const WATCH_BACKLOG: usize = 4096;
