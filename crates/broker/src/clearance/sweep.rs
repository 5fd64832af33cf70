//! Deletes what ended, and queues its tokens for the provider: under a lease, by whichever replica comes first.

use std::time::Duration;

use audit::Event;
use futures_util::future::try_join_all;
use protocol::{ProviderId, UserId};
use secret::Opaque;
use store::{Key, Lease};
use tokio::time::Instant;

use super::{Clearance, Run, Survey, TOGETHER};
use crate::connections::ConnectionName;
use crate::records::{Connection, ProviderSwitch, User};
use crate::{Broker, BrokerError};

/// Which providers are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    All,
    Listed,
}

impl Broker {
    /// Cleans up after the end of everything at a provider, wherever that is left to do. Runs as long as the gateway does, on every replica.
    /// All providers are looked at in the beginning and then now and again, since earlier versions listed none; otherwise those that are listed.
    pub async fn clear_providers(self) {
        let mut all_at = Instant::now();
        loop {
            let all = all_at <= Instant::now();
            for provider in self.providers_to_clear(if all { Which::All } else { Which::Listed }).await {
                if let Err(error) = self.clear(&provider).await {
                    tracing::warn!(provider_id = %provider, error = %error, "connections that ended wait to be cleared away");
                }
            }
            if all {
                all_at = Instant::now() + ALL_EVERY;
            }
            let _ = tokio::time::timeout(LOOK_EVERY, self.clearances.notified()).await;
        }
    }

    async fn providers_to_clear(&self, which: Which) -> Vec<ProviderId> {
        if which == Which::All {
            return self.providers().map(|provider| provider.id.clone()).collect();
        }
        // A store that does not answer now is asked again in a moment.
        let listed = self.vault.store().scan(&ProviderSwitch::clearances()).await.unwrap_or_default();
        let ids = listed.iter().filter_map(|key| ProviderId::parse(key.parts().first()?).ok());
        ids.filter(|id| self.provider(id).is_ok()).collect()
    }

    pub(super) fn cleared(&self) -> Event {
        self.event("connection_revoked").by("operator").reason("provider_revoked")
    }

    async fn clear(&self, provider: &ProviderId) -> Result<(), BrokerError> {
        let key = ProviderSwitch::key(provider);
        let Some(switch) = self.vault.get::<ProviderSwitch>(&key).await? else { return Ok(()) };
        let Some(clearance) = &switch.body.clearance else { return Ok(()) };
        let now = self.now();
        // What was under way when the word fell may still have become a connection, a dead one: looked for while consents last.
        let settled = clearance
            .looked
            .is_some_and(|looked| now.since(looked) < LOOK_AGAIN || looked.since(clearance.since) > CONSENTS_LAST);
        if settled {
            return Ok(());
        }
        let holder = Opaque::generate("", self.entropy.as_ref());
        let Some(lease) = self.vault.store().acquire(&key, holder.expose(), LEASE).await? else { return Ok(()) };
        let cleared = self.clear_under(&lease, provider).await;
        self.vault.store().release(&lease).await?;
        cleared
    }

    async fn clear_under(&self, lease: &Lease, provider: &ProviderId) -> Result<(), BrokerError> {
        let Some(held) = self.vault.get::<ProviderSwitch>(lease.key()).await? else { return Ok(()) };
        let (era, clearance) = (held.body.era, held.body.clearance);
        let users = self.vault.store().scan(&User::all()).await?;
        if let Some(Clearance { survey: None, before, .. }) = clearance {
            if let Some(before) = before.or(era.checked_sub(1)) {
                self.forget_run(&Run::of_era(provider, before)).await?;
            }
            let survey = self.survey(lease, provider, era, &users).await?;
            self.note_clearance(provider, era, |clearance| Clearance { survey: Some(survey), ..clearance }).await?;
        }
        let run = Run::of_era(provider, era);
        for some in users.chunks(AT_ONCE) {
            self.keep(lease).await?;
            let names = self.connections_of_all(provider, some).await?;
            for some in names.chunks(TOGETHER) {
                let mut ends = Vec::with_capacity(some.len());
                for name in some {
                    ends.push(self.clear_one(name, era, &run));
                }
                try_join_all(ends).await?;
            }
            self.revocations.notify_one();
        }
        let now = self.now();
        self.note_clearance(provider, era, |clearance| Clearance { looked: Some(now), ..clearance }).await
    }

    async fn clear_one(&self, name: &ConnectionName, era: u64, run: &Run) -> Result<(), BrokerError> {
        match self.vault.get::<Connection>(&name.key()).await {
            Ok(Some(held)) if held.body.era < era => {}
            Ok(_) => return Ok(()),
            Err(error @ (BrokerError::Sealed(_) | BrokerError::RecordForm(_))) => {
                tracing::error!(key = %name, error = %error, "a connection that ended does not open, and stays");
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        match self.end_connection(name, self.cleared(), Some(run)).await {
            Err(BrokerError::Unknown(_)) => Ok(()),
            ended => ended,
        }
    }

    /// Counts what is of an earlier era.
    async fn survey(
        &self,
        lease: &Lease,
        provider: &ProviderId,
        era: u64,
        users: &[Key],
    ) -> Result<Survey, BrokerError> {
        let mut survey = Survey::default();
        for some in users.chunks(AT_ONCE) {
            self.keep(lease).await?;
            for name in self.connections_of_all(provider, some).await? {
                self.count_ended(&name, era, &mut survey).await?;
            }
        }
        Ok(survey)
    }

    /// Notes how far the clearance of this era is; nothing where another one has begun.
    async fn note_clearance(
        &self,
        provider: &ProviderId,
        era: u64,
        change: impl Fn(Clearance) -> Clearance,
    ) -> Result<(), BrokerError> {
        let noted = |mut switch: ProviderSwitch| match switch.clearance.take() {
            Some(clearance) if switch.era == era => ProviderSwitch { clearance: Some(change(clearance)), ..switch },
            clearance => ProviderSwitch { clearance, ..switch },
        };
        self.turn_switch(provider, noted).await.map(drop)
    }

    async fn keep(&self, lease: &Lease) -> Result<(), BrokerError> {
        if self.vault.store().renew(lease, LEASE).await? { Ok(()) } else { Err(BrokerError::Contention) }
    }

    async fn connections_of_all(
        &self,
        provider: &ProviderId,
        users: &[Key],
    ) -> Result<Vec<ConnectionName>, BrokerError> {
        let mut names = Vec::new();
        for key in users {
            if let Some(user) = key.parts().first().and_then(|user| UserId::parse(user).ok()) {
                names.extend(self.connections_at(provider, &user).await?);
            }
        }
        Ok(names)
    }
}

const LOOK_EVERY: Duration = Duration::from_secs(5);
const ALL_EVERY: Duration = Duration::from_secs(3600);
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// Longer than a consent.
const CONSENTS_LAST: Duration = Duration::from_secs(15 * 60);
const LEASE: Duration = Duration::from_secs(30);
/// People whose connections are looked through between two renewals of the lease.
const AT_ONCE: usize = 64;
