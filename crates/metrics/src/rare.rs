use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use crate::cells::{Seen, bucket};
use crate::recorder::{Cells, Recorder};
use crate::rows::Upstream;

/// Everything that is counted. Cheap to clone; all clones count into one.
#[derive(Debug, Clone, Default)]
pub struct Metrics(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// The providers' ids, by the number of their upstream. None is ever taken out: what was counted stays counted.
    upstreams: RwLock<Vec<String>>,
    cores: Mutex<Vec<Arc<Cells>>>,
    refreshes: Mutex<BTreeMap<(String, &'static str), u64>>,
    consents: Mutex<BTreeMap<(String, &'static str), u64>>,
    tool_errors: Mutex<BTreeMap<(String, &'static str), u64>>,
    store: [Operation; StoreOperation::ALL.len()],
    reloads: Mutex<Reloads>,
}

/// What came of reading the configuration again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    /// It holds.
    Done,
    /// It does not, and what held before goes on.
    Refused,
}

/// The start counts as the first one that was done.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reloads {
    pub(crate) done: u64,
    pub(crate) refused: u64,
    pub(crate) last_refused: bool,
    /// When the configuration that holds was read, in seconds since the Unix epoch.
    pub(crate) held_since: u64,
}

#[derive(Debug, Default)]
struct Operation {
    buckets: [AtomicU64; crate::cells::BOUNDS.len() + 1],
    nanos: AtomicU64,
    errors: AtomicU64,
}

/// What a provider's OAuth server made of a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresh {
    /// New tokens.
    Ok,
    /// `invalid_grant`.
    Ended,
    /// Anything else.
    Failed,
}

/// How far a consent came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// An agent asked for it.
    Begun,
    /// The person allowed it.
    Granted,
    /// The person did not.
    Denied,
}

/// What the store was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreOperation {
    /// A record, or many.
    Read,
    /// Changes.
    Write,
    /// A lease, or its end.
    Lease,
    /// That everybody has heard of a change.
    Propagate,
}

impl StoreOperation {
    const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Lease, Self::Propagate];

    const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Lease => "lease",
            Self::Propagate => "propagate",
        }
    }
}

impl Metrics {
    /// What calls of a provider are counted under, by its id.
    #[must_use]
    pub fn upstream(&self, id: &str) -> Upstream {
        let mut upstreams = self.0.upstreams.write().unwrap_or_else(PoisonError::into_inner);
        let known = upstreams.iter().position(|known| known == id);
        let number = known.unwrap_or_else(|| {
            upstreams.push(id.to_owned());
            upstreams.len() - 1
        });
        Upstream(u32::try_from(number).unwrap_or(u32::MAX))
    }

    /// Where one core counts; to be made on its thread.
    #[must_use]
    pub fn recorder(&self) -> Recorder {
        let (recorder, cells) = Recorder::new();
        self.0.cores.lock().unwrap_or_else(PoisonError::into_inner).push(cells);
        recorder
    }

    /// Counts what a provider answered to a refresh token.
    pub fn refreshed(&self, provider: &str, result: Refresh) {
        let word = match result {
            Refresh::Ok => "ok",
            Refresh::Ended => "ended",
            Refresh::Failed => "failed",
        };
        count(&self.0.refreshes, provider, word);
    }

    /// Counts a step of a consent.
    pub fn consent(&self, provider: &str, step: Consent) {
        let word = match step {
            Consent::Begun => "begun",
            Consent::Granted => "granted",
            Consent::Denied => "denied",
        };
        count(&self.0.consents, provider, word);
    }

    /// Counts a tool call of an MCP client that did not succeed: HTTP says of it that it did. The code is one of a closed list.
    pub fn tool_error(&self, provider: &str, code: &'static str) {
        count(&self.0.tool_errors, provider, code);
    }

    /// Counts an operation of the store.
    pub fn stored(&self, operation: StoreOperation, took: Duration, failed: bool) {
        let Some(cells) = self.0.store.get(operation as usize) else { return };
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        if let Some(bucket) = cells.buckets.get(bucket(nanos)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        cells.nanos.fetch_add(nanos, Ordering::Relaxed);
        cells.errors.fetch_add(u64::from(failed), Ordering::Relaxed);
    }

    /// Counts that the configuration was read again, at `now`, in seconds since the Unix epoch; so it is at the start.
    pub fn reloaded(&self, reload: Reload, now: u64) {
        let mut reloads = self.0.reloads.lock().unwrap_or_else(PoisonError::into_inner);
        reloads.last_refused = reload == Reload::Refused;
        match reload {
            Reload::Done => (reloads.done, reloads.held_since) = (reloads.done + 1, now),
            Reload::Refused => reloads.refused += 1,
        }
    }

    pub(crate) fn reloads(&self) -> Reloads {
        *self.0.reloads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn upstreams(&self) -> Vec<String> {
        self.0.upstreams.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn cores(&self) -> Vec<Arc<Cells>> {
        self.0.cores.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn refreshes(&self) -> BTreeMap<(String, &'static str), u64> {
        self.0.refreshes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn consents(&self) -> BTreeMap<(String, &'static str), u64> {
        self.0.consents.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn tool_errors(&self) -> BTreeMap<(String, &'static str), u64> {
        self.0.tool_errors.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// By operation: its times, and how often it failed.
    pub(crate) fn store(&self) -> impl Iterator<Item = (&'static str, Seen, u64)> {
        StoreOperation::ALL.into_iter().zip(&self.0.store).map(|(operation, cells)| {
            let buckets = cells.buckets.each_ref().map(|bucket| bucket.load(Ordering::Relaxed));
            let nanos = cells.nanos.load(Ordering::Relaxed);
            (operation.name(), Seen { buckets, nanos }, cells.errors.load(Ordering::Relaxed))
        })
    }
}

fn count(family: &Mutex<BTreeMap<(String, &'static str), u64>>, provider: &str, word: &'static str) {
    *family.lock().unwrap_or_else(PoisonError::into_inner).entry((provider.to_owned(), word)).or_default() += 1;
}
