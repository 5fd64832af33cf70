//! Refresh: one for each connection, whatever crashes, and what a provider issued is never lost (docs/decisions/0012).
//!
//! This file is what the rest of the broker sees: somebody needs a newer token and joins the refresh that is under way, or begins it.
//! `attempt.rs` is the way of one refresh, `settle.rs` puts what came into the record, `resume.rs` goes on with what a crash or a
//! failover left behind.

mod again;
mod attempt;
mod health;
mod journal;
mod outcome;
mod resume;
mod settle;
mod steps;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use protocol::{ProviderId, Timestamp};
use secret::SecretHash;
use store::Key;

use crate::records::{Connection, ConnectionState};
use crate::{Broker, BrokerError, Provider};

pub use health::{Alarm, ProviderHealth};
pub use journal::{JournalHealth, JournalParts};
pub use steps::{Step, Steps, Unwatched};

pub(crate) use attempt::lease_time;
pub(crate) use health::Healths;
#[cfg(test)]
pub(crate) use journal::Issued;
pub(crate) use journal::Kept;
pub(crate) use outcome::KEY_REFUSED;
pub(crate) use outcome::Strangers;
#[cfg(test)]
pub(crate) use settle::Settled;

/// Why a connection was not renewed. Cheap to copy: everybody who waited gets one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefreshFailure {
    /// Only its owner can renew it: the provider said that the grant is gone, or nobody can know any more.
    ReconnectRequired,
    /// It passes, or the operator can make it pass; names why, and when another attempt makes sense.
    Unavailable { reason: &'static str, retry_after: Duration },
    /// The store failed.
    Store,
}

impl RefreshFailure {
    /// A fixed word for the agent and the log.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::ReconnectRequired => "reconnect_required",
            Self::Unavailable { reason, .. } => reason,
            Self::Store => "store_unavailable",
        }
    }

    /// When another attempt makes sense.
    pub(crate) const fn retry_after(self) -> Duration {
        match self {
            Self::Unavailable { retry_after, .. } => retry_after,
            Self::ReconnectRequired | Self::Store => Duration::from_secs(1),
        }
    }
}

/// What somebody needs of a connection.
#[derive(Clone, Copy)]
pub(crate) enum Need {
    /// A token that is not about to expire.
    Live,
    /// Another token than the one with this hash, which the upstream no longer takes.
    Other(SecretHash),
    /// Tokens that were issued after this moment.
    Since(Timestamp),
    /// That no attempt stands which nobody works on.
    Rest,
}

impl Need {
    /// Whether the connection has it at `now`.
    pub(crate) fn is_met_by(self, connection: &Connection, provider: &Provider, now: Timestamp) -> bool {
        match self {
            Self::Live => !connection.is_due(now, provider),
            Self::Other(refused) => !connection.tokens.has_access(&refused),
            Self::Since(moment) => connection.renewed.unwrap_or(connection.connected) >= moment,
            Self::Rest => connection.attempt.is_none(),
        }
    }
}

/// How long somebody waits for a refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// To its end, once it has begun: there is nothing else to go on with.
    ToTheEnd,
    /// A moment: the token at hand still works.
    Briefly,
}

/// The refreshes that are under way in this process: one for each connection, awaited by everybody who needs it.
#[derive(Default)]
pub(crate) struct Refreshes(Mutex<HashMap<Key, UnderWay>>);

#[derive(Clone)]
struct UnderWay {
    done: Shared<BoxFuture<'static, Result<(), RefreshFailure>>>,
    /// Whether it waits no more for others at the same provider.
    begun: Arc<AtomicBool>,
}

impl Broker {
    /// Renews a connection; joins a refresh that is under way. When this returns `Ok`, the need was met, by whomever.
    ///
    /// The work runs in a task of its own: it goes on when every request that waited for it has been dropped.
    pub(crate) async fn refreshed(
        &self,
        key: &Key,
        provider: &Provider,
        need: Need,
        patience: Patience,
    ) -> Result<(), RefreshFailure> {
        for _ in 0..JOINS {
            let (refresh, joined) = self.refresh_under_way(key, &provider.id, need);
            refresh.awaited(patience).await?;
            // Another's need may have been met by what is not enough here.
            self.steps.reached(Step::Answering);
            if !joined || need.is_met_by(&self.current(key, provider).await?.body, provider, self.now()) {
                return Ok(());
            }
        }
        Err(RefreshFailure::Unavailable { reason: "refresh_in_progress", retry_after: SHORTLY })
    }

    /// The refresh of this connection, begun now where there is none; and whether there was one.
    fn refresh_under_way(&self, key: &Key, provider: &ProviderId, need: Need) -> (UnderWay, bool) {
        let mut under_way = self.refreshes.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(refresh) = under_way.get(key) {
            return (refresh.clone(), true);
        }
        self.steps.reached(Step::NeedSeen);
        let begun = Arc::new(AtomicBool::new(false));
        let (broker, key_, provider, begun_) = (self.clone(), key.clone(), provider.clone(), begun.clone());
        let task = self.spawn(async move {
            let _done = Finished { broker: &broker, key: &key_ };
            match broker.provider(&provider) {
                Ok(provider) => broker.refresh(&key_, provider, need, &begun_).await,
                Err(_) => Err(RefreshFailure::ReconnectRequired),
            }
        });
        let lost = RefreshFailure::Unavailable { reason: "task_lost", retry_after: SHORTLY };
        let done = task.map(move |ended| ended.unwrap_or(Err(lost))).boxed().shared();
        let refresh = UnderWay { done, begun };
        under_way.insert(key.clone(), refresh.clone());
        (refresh, false)
    }
}

impl UnderWay {
    async fn awaited(self, patience: Patience) -> Result<(), RefreshFailure> {
        match tokio::time::timeout(SHORTLY, self.done.clone()).await {
            Ok(outcome) => outcome,
            Err(_) if !self.begun.load(Ordering::Relaxed) => {
                Err(RefreshFailure::Unavailable { reason: "refresh_queued", retry_after: SHORTLY })
            }
            Err(_) if patience == Patience::Briefly => {
                Err(RefreshFailure::Unavailable { reason: "refresh_in_progress", retry_after: SHORTLY })
            }
            Err(_) => self.done.await,
        }
    }
}

/// Takes a refresh out of the list of those under way, also where it ended by a panic.
struct Finished<'a> {
    broker: &'a Broker,
    key: &'a Key,
}

impl Drop for Finished<'_> {
    fn drop(&mut self) {
        self.broker.refreshes.0.lock().unwrap_or_else(PoisonError::into_inner).remove(self.key);
    }
}

/// What a connection's state means for somebody who waits; `None` while it works or may come to.
fn ended(connection: &Connection, now: Timestamp) -> Option<RefreshFailure> {
    match &connection.state {
        ConnectionState::ReconnectRequired { .. } => Some(RefreshFailure::ReconnectRequired),
        ConnectionState::Degraded { .. } if connection.attempt.is_none() => connection
            .pause(now)
            .map(|pause| RefreshFailure::Unavailable { reason: "provider_unavailable", retry_after: pause }),
        ConnectionState::Connected | ConnectionState::Degraded { .. } => None,
    }
}

fn unavailable(error: &BrokerError) -> RefreshFailure {
    tracing::warn!(error = %error, "the store failed during a refresh");
    RefreshFailure::Store
}

/// Longer than this nobody waits for what has not begun, or for what can wait.
const SHORTLY: Duration = Duration::from_secs(1);
/// How often somebody joins a refresh that does not bring what is needed.
const JOINS: usize = 3;
