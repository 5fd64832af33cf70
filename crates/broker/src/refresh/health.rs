use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::{ProviderId, Timestamp};
use store::Key;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::RefreshFailure;

/// How each provider's OAuth server does, as this gateway has seen it.
pub(crate) struct Healths(BTreeMap<ProviderId, Arc<Health>>);

/// One provider's: how many may ask it at once, whether anybody may, and what its operator has to mend.
pub(crate) struct Health {
    permits: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Connections whose refresh failed since one succeeded.
    failed: HashSet<Key>,
    failures: u32,
    /// Nobody asks before this moment.
    open_until: Option<Instant>,
    /// Somebody tries whether it works again, since this moment.
    trial: Option<Instant>,
    alarm: Option<Alarm>,
}

/// Something that only an operator can mend: the provider does not accept the gateway's own client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// When it was first seen.
    pub since: Timestamp,
    /// The provider's word for it.
    pub reason: &'static str,
}

/// What an operator sees of a provider's OAuth server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderHealth {
    /// Which one.
    pub provider: ProviderId,
    /// Whether it is left alone for a while, since it failed again and again.
    pub paused: bool,
    /// What has to be mended.
    pub alarm: Option<Alarm>,
}

/// As what a refresh was let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    Usual,
    /// To see whether a provider works again that was left alone.
    Trial,
}

impl Healths {
    /// For these providers, each with how many refreshes it takes at once, and what is known of it already.
    pub(crate) fn new(providers: impl Iterator<Item = (ProviderId, usize, Option<Arc<Health>>)>) -> Self {
        let health = |at_once: usize| {
            Arc::new(Health { permits: Arc::new(Semaphore::new(at_once.max(1))), state: Mutex::default() })
        };
        let of = |(provider, at_once, known): (ProviderId, usize, Option<Arc<Health>>)| {
            (provider, known.unwrap_or_else(|| health(at_once)))
        };
        Self(providers.map(of).collect())
    }

    pub(crate) fn shared(&self, provider: &ProviderId) -> Option<Arc<Health>> {
        self.0.get(provider).cloned()
    }

    pub(crate) fn of(&self, provider: &ProviderId) -> Option<&Health> {
        self.0.get(provider).map(Arc::as_ref)
    }

    pub(crate) fn view(&self) -> Vec<ProviderHealth> {
        let view = |(provider, health): (&ProviderId, &Arc<Health>)| {
            let state = health.state();
            let paused = state.open_until.is_some_and(|until| Instant::now() < until);
            ProviderHealth { provider: provider.clone(), paused, alarm: state.alarm.clone() }
        };
        self.0.iter().map(view).collect()
    }
}

impl Health {
    /// One of the places at the provider, where one is free.
    pub(crate) fn free_place(&self) -> Option<OwnedSemaphorePermit> {
        self.permits.clone().try_acquire_owned().ok()
    }

    /// Waits for one of the places at the provider.
    pub(crate) async fn place(&self) -> Option<OwnedSemaphorePermit> {
        self.permits.clone().acquire_owned().await.ok()
    }

    /// Whether the provider may be asked now. While it is left alone only one tries it, when the pause is over.
    pub(crate) fn admit(&self) -> Result<Admission, RefreshFailure> {
        let mut state = self.state();
        let Some(until) = state.open_until else { return Ok(Admission::Usual) };
        let now = Instant::now();
        let tried = state.trial.is_some_and(|since| now.duration_since(since) < TRIAL);
        if now < until || tried {
            let retry_after = until.saturating_duration_since(now).max(Duration::from_secs(1));
            return Err(RefreshFailure::Unavailable { reason: "provider_paused", retry_after });
        }
        state.trial = Some(now);
        Ok(Admission::Trial)
    }

    /// Whoever was admitted did not come to asking it.
    pub(crate) fn not_asked(&self, admission: Admission) {
        if admission == Admission::Trial {
            self.state().trial = None;
        }
    }

    /// It answered, if not as it was asked: it is there.
    pub(crate) fn answered(&self) {
        let mut state = self.state();
        let alarm = state.alarm.take();
        *state = State { alarm, ..State::default() };
    }

    /// It answered as it should. Returns the alarm that is over with it.
    pub(crate) fn succeeded(&self) -> Option<Alarm> {
        let mut state = self.state();
        let alarm = state.alarm.take();
        *state = State::default();
        alarm
    }

    /// It failed in a way that may pass; the next connection asks after `pause` at the earliest where it is the provider that fails.
    pub(crate) fn failed(&self, connection: &Key, pause: Duration) {
        let mut state = self.state();
        state.trial = None;
        state.failures = state.failures.saturating_add(1);
        if state.failed.len() < CONNECTIONS {
            state.failed.insert(connection.clone());
        }
        // One connection's own trouble is not everybody's.
        if state.failures >= FAILURES && state.failed.len() >= CONNECTIONS {
            state.open_until = Some(Instant::now() + pause);
        }
    }

    /// It does not know the gateway's client. `true` where that is news.
    pub(crate) fn alarmed(&self, now: Timestamp, reason: &'static str) -> bool {
        let mut state = self.state();
        state.trial = None;
        let news = state.alarm.is_none();
        state.alarm.get_or_insert(Alarm { since: now, reason });
        news
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// So many failures in a row, of so many connections, and the provider is left alone.
const FAILURES: u32 = 5;
const CONNECTIONS: usize = 3;
/// A trial that was begun and never came to an end does not keep others from trying.
const TRIAL: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use protocol::UserId;

    use super::*;
    use crate::records::User;

    fn health() -> Healths {
        Healths::new([(ProviderId::parse("crm").expect("an id"), 2, None)].into_iter())
    }

    fn key(number: u8) -> Key {
        User::key(&UserId::parse(&format!("u_{number:032x}")).expect("an id"))
    }

    #[tokio::test(start_paused = true)]
    async fn a_provider_that_fails_everybody_is_left_alone_and_then_tried_by_one() {
        let healths = health();
        let crm = healths.of(&ProviderId::parse("crm").expect("an id")).expect("configured");
        let pause = Duration::from_secs(8);
        for number in [1, 2, 1, 2, 1, 2, 1] {
            crm.failed(&key(number), pause);
            assert!(crm.admit().is_ok(), "two connections are not everybody");
        }
        crm.failed(&key(3), pause);
        let closed = RefreshFailure::Unavailable { reason: "provider_paused", retry_after: pause };
        assert_eq!(crm.admit(), Err(closed));
        assert!(healths.view().first().is_some_and(|view| view.paused));
        tokio::time::advance(pause).await;
        assert!(crm.admit().is_ok(), "one tries");
        assert!(crm.admit().is_err(), "and no other");
        crm.not_asked(Admission::Usual);
        assert!(crm.admit().is_err(), "whoever was let through before does not count");
        crm.not_asked(Admission::Trial);
        assert_eq!(crm.admit(), Ok(Admission::Trial), "the next tries");
        assert_eq!(crm.succeeded(), None);
        assert_eq!([crm.admit(), crm.admit()], [Ok(Admission::Usual), Ok(Admission::Usual)]);
    }

    #[test]
    fn an_alarm_is_news_once() {
        let healths = health();
        let crm = healths.of(&ProviderId::parse("crm").expect("an id")).expect("configured");
        let now = Timestamp::from_secs(1_790_000_000);
        assert!(crm.alarmed(now, "invalid_client"));
        assert!(!crm.alarmed(now, "invalid_client"));
        assert!(crm.admit().is_ok(), "no grant is kept from trying");
        let alarm = Alarm { since: now, reason: "invalid_client" };
        assert_eq!(healths.view().first().and_then(|view| view.alarm.clone()), Some(alarm.clone()));
        assert_eq!(crm.succeeded(), Some(alarm));
    }
}
