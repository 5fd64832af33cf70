use std::time::Duration;

use oauth::OAuthError;
use protocol::ProviderId;
use secret::Opaque;
use store::{Key, Life, Write};

use crate::clearance::Run;
use crate::records::{Revocation, Tokens};
use crate::{Broker, BrokerError, Provider};

impl Broker {
    /// Tells providers about tokens that ended here (RFC 7009), until they have taken notice. Runs as long as the gateway does, on every
    /// replica; each revocation is attempted by one of them at a time.
    pub async fn tell_providers(self) {
        loop {
            if let Err(error) = self.tell_due().await {
                tracing::debug!(error = %error, "revocations wait for the store");
            }
            let _ = tokio::time::timeout(LOOK_EVERY, self.revocations.notified()).await;
        }
    }

    /// Puts tokens into the queue. Durable when this returns; the provider is told soon.
    pub(crate) async fn queue_revocation(&self, provider: &ProviderId, tokens: &Tokens) -> Result<(), BrokerError> {
        let writes = self.revocation(provider, tokens, None)?;
        self.vault.write_all(writes).await?;
        self.revocations.notify_one();
        Ok(())
    }

    /// The writes that put tokens into the queue; none where the provider has no endpoint for it.
    pub(crate) fn revocation(
        &self,
        provider: &ProviderId,
        tokens: &Tokens,
        run: Option<&Run>,
    ) -> Result<Vec<Write>, BrokerError> {
        if !self.provider(provider).is_ok_and(|provider| provider.oauth.can_revoke()) {
            return Ok(Vec::new());
        }
        // Queued once, however often somebody finds that they are not needed.
        let key = Revocation::key(&tokens.name(provider));
        let now = self.now();
        let body = Revocation {
            provider: provider.clone(),
            tokens: tokens.clone(),
            since: now,
            attempts: 0,
            next: now,
            run: run.cloned(),
        };
        let bytes = self.vault.seal(&key, store::Version::FIRST, &[], &body)?;
        let mut writes = vec![
            Write::Insert { key: key.clone(), bytes, life: Life::For(GIVE_UP) },
            Write::List { index: Revocation::all(), key: key.clone() },
        ];
        writes.extend(run.map(|run| Write::List { index: run.queued(), key }));
        Ok(writes)
    }

    async fn tell_due(&self) -> Result<(), BrokerError> {
        for key in self.vault.store().scan(&Revocation::all()).await? {
            let read = match self.vault.get::<Revocation>(&key).await {
                Err(BrokerError::Sealed(_) | BrokerError::RecordForm(_)) => continue,
                read => read?,
            };
            let Some(held) = read else {
                self.vault.write(Write::Unlist { index: Revocation::all(), key }).await?;
                continue;
            };
            if self.now() < held.body.next {
                continue;
            }
            let holder = Opaque::generate("", self.entropy.as_ref());
            if let Some(lease) = self.vault.store().acquire(&key, holder.expose(), LEASE).await? {
                let told = self.tell(&key).await;
                self.vault.store().release(&lease).await?;
                if let Err(error) = told {
                    tracing::warn!(error = %error, "a revocation waits");
                }
            }
        }
        Ok(())
    }

    async fn tell(&self, key: &Key) -> Result<(), BrokerError> {
        let Some(held) = self.vault.get::<Revocation>(key).await? else { return Ok(()) };
        let Ok(provider) = self.provider(&held.body.provider) else { return self.forget(key).await };
        let event = self.event("upstream_revoked").provider(&provider.id);
        match revoke(provider, &held.body.tokens).await {
            Ok(()) => {
                if let Some(run) = &held.body.run {
                    self.vault.list(run.done(), key).await?;
                }
                self.decide(event, self.forget(key)).await
            }
            Err(error) if error.is_temporary() => {
                let attempts = held.body.attempts.saturating_add(1);
                let pause = FIRST_PAUSE.saturating_mul(2u32.saturating_pow(attempts.min(16))).min(LONGEST_PAUSE);
                tracing::warn!(provider_id = %provider.id, reason = error.reason(), attempts, "a revocation is tried again later");
                let later = Revocation { attempts, next: self.now().plus(pause), ..held.body };
                let life = Life::For(later.since.plus(GIVE_UP).since(self.now()));
                self.vault.swap(key, held.version, &later, life).await.map(drop)
            }
            Err(error) => {
                tracing::warn!(provider_id = %provider.id, reason = error.reason(), "the provider refuses a revocation");
                let event = self.event("upstream_not_revoked").provider(&provider.id).reason(error.reason());
                self.decide(event, self.forget(key)).await
            }
        }
    }

    pub(crate) async fn forget(&self, key: &Key) -> Result<(), BrokerError> {
        let unlist = Write::Unlist { index: Revocation::all(), key: key.clone() };
        self.vault.write_all(vec![Write::Delete { key: key.clone() }, unlist]).await
    }
}

/// The refresh token first: with it goes, at most providers, all that came from it.
async fn revoke(provider: &Provider, tokens: &Tokens) -> Result<(), OAuthError> {
    if let Some(refresh) = tokens.refresh() {
        provider.oauth.revoke(provider.http.as_ref(), &refresh).await?;
    }
    provider.oauth.revoke(provider.http.as_ref(), &tokens.access()).await
}

const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Longer than two calls of a provider's may take.
const LEASE: Duration = Duration::from_secs(90);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
const GIVE_UP: Duration = Duration::from_secs(7 * 24 * 3600);
