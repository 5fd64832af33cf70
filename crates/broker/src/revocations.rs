use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use oauth::{OAuthError, RevokedToken};
use protocol::ProviderId;
use secret::Opaque;
use store::{Key, Life, Write};

use crate::binding::key_of;
use crate::clearance::Run;
use crate::records::{Later, Revocation, Tokens};
use crate::vault::Fingerprint;
use crate::{Broker, BrokerError, Provider, Way};

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

    /// Puts tokens into the queue; `mark` says which provider issued them. Durable when this returns; the provider is told soon.
    pub(crate) async fn queue_revocation(
        &self,
        provider: &ProviderId,
        mark: &Fingerprint,
        tokens: &Tokens,
    ) -> Result<(), BrokerError> {
        let writes = self.revocation(provider, mark, tokens, None)?;
        self.vault.write_all(writes).await?;
        self.revocations.notify_one();
        Ok(())
    }

    /// The writes that put tokens into the queue; none where the provider has no endpoint for it.
    pub(crate) fn revocation(
        &self,
        provider: &ProviderId,
        mark: &Fingerprint,
        tokens: &Tokens,
        run: Option<&Run>,
    ) -> Result<Vec<Write>, BrokerError> {
        if !self.provider(provider).is_ok_and(Provider::can_revoke) {
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
            mark: mark.clone(),
            later: Later::default(),
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
        let listed = self.vault.store().scan(&Revocation::all()).await?;
        let failing = Failing::default();
        // One that does not answer keeps nobody waiting for the others.
        let mut told = stream::iter(listed)
            .map(|key| {
                let failing = &failing;
                async move { self.tell_if_due(&key, failing).await }
            })
            .buffer_unordered(AT_ONCE);
        let mut outcome = Ok(());
        while let Some(told) = told.next().await {
            outcome = outcome.and(told);
        }
        outcome
    }

    async fn tell_if_due(&self, key: &Key, failing: &Failing) -> Result<(), BrokerError> {
        let read = match self.vault.get::<Revocation>(key).await {
            Err(BrokerError::Sealed(_) | BrokerError::RecordForm(_)) => return Ok(()),
            read => read?,
        };
        let Some(held) = read else {
            return self.vault.write(Write::Unlist { index: Revocation::all(), key: key.clone() }).await.map(drop);
        };
        // A gateway with another configuration may know the provider: the entry is left to it, and ends by itself.
        let provider = &held.body.provider;
        if self.now() < held.body.next || self.provider(provider).is_err() || failing.is_left_alone(provider) {
            return Ok(());
        }
        let holder = Opaque::generate("", self.entropy.as_ref());
        let Some(lease) = self.vault.store().acquire(key, holder.expose(), LEASE).await? else { return Ok(()) };
        let told = self.tell(key).await;
        self.vault.store().release(&lease).await?;
        match told {
            Ok(answer) => failing.note(provider, answer),
            Err(error) => tracing::warn!(error = %error, "a revocation waits"),
        }
        Ok(())
    }

    async fn tell(&self, key: &Key) -> Result<Answer, BrokerError> {
        let Some(held) = self.vault.get::<Revocation>(key).await? else { return Ok(Answer::Came) };
        let Ok(provider) = self.provider(&held.body.provider) else { return Ok(Answer::Came) };
        if !provider.is_marked(&held.body.mark) {
            // They were issued elsewhere, and go nowhere else.
            tracing::warn!(provider_id = %provider.id, "tokens of a provider that has moved are not revoked");
            let event = self.event("upstream_not_revoked").provider(&provider.id).reason("provider_moved");
            return self.decide(event, self.forget(key)).await.map(|()| Answer::Came);
        }
        let event = self.event("upstream_revoked").provider(&provider.id);
        match revoke(self, provider, &held.body.tokens).await {
            Ok(()) => {
                if let Some(run) = &held.body.run {
                    self.vault.list(run.done(), key).await?;
                }
                self.decide(event, self.forget(key)).await.map(|()| Answer::Came)
            }
            Err(error) if error.is_temporary() => {
                let attempts = held.body.attempts.saturating_add(1);
                let pause = FIRST_PAUSE.saturating_mul(2u32.saturating_pow(attempts.min(16))).min(LONGEST_PAUSE);
                tracing::warn!(provider_id = %provider.id, reason = error.reason(), attempts, "a revocation is tried again later");
                let later = Revocation { attempts, next: self.now().plus(pause), ..held.body };
                let life = Life::For(later.since.plus(GIVE_UP).since(self.now()));
                self.vault.swap(key, held.version, &later, life).await.map(|_| Answer::NoneCame)
            }
            Err(error) => {
                tracing::warn!(provider_id = %provider.id, reason = error.reason(), "the provider refuses a revocation");
                let event = self.event("upstream_not_revoked").provider(&provider.id).reason(error.reason());
                self.decide(event, self.forget(key)).await.map(|()| Answer::Came)
            }
        }
    }

    pub(crate) async fn forget(&self, key: &Key) -> Result<(), BrokerError> {
        let unlist = Write::Unlist { index: Revocation::all(), key: key.clone() };
        self.vault.write_all(vec![Write::Delete { key: key.clone() }, unlist]).await
    }
}

/// Whether a provider said anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Came,
    NoneCame,
}

/// How often each provider failed in a row, in one look at the queue: after a few times it is left alone until the next one.
#[derive(Default)]
struct Failing(Mutex<HashMap<ProviderId, usize>>);

impl Failing {
    fn is_left_alone(&self, provider: &ProviderId) -> bool {
        let failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.get(provider).is_some_and(|failures| *failures >= IN_A_ROW)
    }

    fn note(&self, provider: &ProviderId, answer: Answer) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Answer::Came => {
                failures.remove(provider);
            }
            Answer::NoneCame => *failures.entry(provider.clone()).or_default() += 1,
        }
    }
}

/// The refresh token first: with it goes, at most providers, all that came from it.
async fn revoke(broker: &Broker, provider: &Provider, tokens: &Tokens) -> Result<(), OAuthError> {
    // A key is its owner's to end, where they made it.
    let Way::OAuth { client, .. } = &provider.way else { return Ok(()) };
    let wanted = client.revoked_token();
    if let Some(refresh) = tokens.refresh().filter(|_| wanted != RevokedToken::Access) {
        let key = key_of(tokens.refresh_key());
        let prover = broker.prover(provider, client, key.as_ref());
        client.revoke(&broker.outside_by(&prover), &refresh).await?;
        if wanted == RevokedToken::Refresh {
            return Ok(());
        }
    }
    let key = key_of(tokens.key());
    let prover = broker.prover(provider, client, key.as_ref());
    client.revoke(&broker.outside_by(&prover), &tokens.access()).await
}

const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Longer than two calls of a provider's may take.
const LEASE: Duration = Duration::from_secs(90);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
const AT_ONCE: usize = 8;
const IN_A_ROW: usize = 3;
const GIVE_UP: Duration = Duration::from_secs(7 * 24 * 3600);
