use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use audit::Event;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use oauth::{OAuthError, TokenSet};
use protocol::{AccountId, Scope, ScopeSet, UserId};
use secret::Opaque;
use store::{Key, Lease, Life, Version, Write, Written};

use crate::records::{Attempt, Connection, ConnectionState, Tokens};
use crate::vault::Held;
use crate::{Broker, BrokerError, Provider};

/// Why a connection was not renewed. Cheap to copy: everybody who waited gets one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefreshFailure {
    /// The provider said that the grant is gone, or there is no refresh token.
    ReconnectRequired,
    /// The provider failed in a way that passes; names how.
    Temporary(&'static str),
    /// The provider does not accept the gateway's own client: the operator's matter, not the user's.
    Operator(&'static str),
    /// The store failed.
    Store,
}

impl RefreshFailure {
    /// A fixed word for the agent and the log.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::ReconnectRequired => "reconnect_required",
            Self::Temporary(reason) | Self::Operator(reason) => reason,
            Self::Store => "store_unavailable",
        }
    }
}

/// The refreshes that are under way in this process: one for each connection, awaited by everybody who needs it.
#[derive(Default)]
pub(crate) struct Refreshes(Mutex<HashMap<Key, UnderWay>>);

type UnderWay = Shared<BoxFuture<'static, Result<(), RefreshFailure>>>;

impl Broker {
    /// Renews a connection whose token was read at version `seen`; joins a refresh that is under way. When this returns `Ok`, the
    /// record was renewed, by whomever.
    ///
    /// The work runs in a task of its own: it goes on when every request that waited for it has been dropped.
    pub(crate) async fn refreshed(&self, key: &Key, provider: &Provider, seen: Version) -> Result<(), RefreshFailure> {
        let refresh = {
            let mut under_way = self.refreshes.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(refresh) = under_way.get(key) {
                refresh.clone()
            } else {
                let (broker, key_, provider) = (self.clone(), key.clone(), provider.id.clone());
                let task = self.spawn(async move {
                    let _done = Finished { broker: &broker, key: &key_ };
                    let outcome = match broker.provider(&provider) {
                        Ok(provider) => broker.refresh(&key_, provider, seen).await,
                        Err(_) => Err(RefreshFailure::ReconnectRequired),
                    };
                    outcome
                });
                let refresh =
                    task.map(|ended| ended.unwrap_or(Err(RefreshFailure::Temporary("task_lost")))).boxed().shared();
                under_way.insert(key.clone(), refresh.clone());
                refresh
            }
        };
        refresh.await
    }

    /// One refresh across all replicas: under the record's lease, with the record read again under it.
    async fn refresh(&self, key: &Key, provider: &Provider, seen: Version) -> Result<(), RefreshFailure> {
        let holder = Opaque::generate("", self.entropy.as_ref());
        let lease = match self.vault.store().acquire(key, holder.expose(), LEASE).await {
            Ok(Some(lease)) => lease,
            Ok(None) => return self.await_other(key, seen).await,
            Err(error) => return Err(unavailable(&error.into())),
        };
        let outcome = self.refresh_under(&lease, key, provider, seen).await;
        if let Err(error) = self.vault.store().release(&lease).await {
            tracing::debug!(error = %error, "the lease ends by itself");
        }
        outcome
    }

    async fn refresh_under(
        &self,
        lease: &Lease,
        key: &Key,
        provider: &Provider,
        seen: Version,
    ) -> Result<(), RefreshFailure> {
        let held = self.connection(key).await?;
        if held.version != seen && !held.body.is_due(self.now()) {
            return Ok(());
        }
        let Some(refresh) = held.body.tokens.refresh() else {
            self.mark_lost(lease, provider, held, "no_refresh_token").await?;
            return Err(RefreshFailure::ReconnectRequired);
        };
        // Written before the provider is asked: proves that the store takes writes, and tells a later crash from a quiet time.
        let intent = Connection { attempt: Some(Attempt { started: self.now() }), ..held.body };
        let held = self.write_fenced(lease, provider, held.version, intent).await?;
        let answer = provider.oauth.refresh(provider.http.as_ref(), &refresh, self.now().as_secs()).await;
        match answer {
            Ok(tokens) => self.store_renewed(lease, provider, held, &tokens).await,
            Err(error) if error.is_invalid_grant() => {
                // Believed only if nobody else has presented the token meanwhile.
                let now = self.connection(key).await?;
                if now.version != held.version {
                    return Ok(());
                }
                self.mark_lost(lease, provider, held, error.reason()).await?;
                Err(RefreshFailure::ReconnectRequired)
            }
            Err(error) => {
                let failure = classify(&error);
                tracing::warn!(provider_id = %provider.id, error = %error, reason = failure.reason(), "a token was not renewed");
                self.mark_degraded(lease, provider, held, failure).await?;
                Err(failure)
            }
        }
    }

    /// Stores the new pair. The old refresh token may be dead already, so this is tried for as long as the lease can be kept.
    async fn store_renewed(
        &self,
        lease: &Lease,
        provider: &Provider,
        held: Held<Connection>,
        tokens: &TokenSet,
    ) -> Result<(), RefreshFailure> {
        let scopes = tokens.scope.as_ref().map_or_else(
            || held.body.scopes.clone(),
            |scopes| scopes.iter().filter_map(|scope| Scope::parse(scope).ok()).collect::<ScopeSet>(),
        );
        let renewed = Connection {
            state: ConnectionState::Connected,
            tokens: Tokens::new(tokens),
            attempt: None,
            renewed: Some(self.now()),
            scopes,
            ..held.body
        };
        let mut pause = Duration::from_millis(50);
        for _ in 0..STORE_TRIES {
            match self.write_fenced(lease, provider, held.version, renewed.clone()).await {
                Ok(_) => {
                    self.note_refresh(self.event("token_refreshed"), lease.key(), provider);
                    return Ok(());
                }
                Err(RefreshFailure::Store) => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(2));
                    if let Err(error) = self.vault.store().renew(lease, LEASE).await {
                        tracing::warn!(error = %error, "a renewed token waits for the store");
                    }
                }
                Err(other) => {
                    if matches!(self.vault.get::<Connection>(lease.key()).await, Ok(None)) {
                        // Disconnected meanwhile: what just came is given back.
                        self.queue_revocation(&provider.id, &renewed.tokens)
                            .await
                            .map_err(|error| unavailable(&error))?;
                    }
                    return Err(other);
                }
            }
        }
        tracing::error!(provider_id = %provider.id, "a renewed token could not be stored: its owner may have to reconnect");
        Err(RefreshFailure::Store)
    }

    /// A refresh is the provider's decision and has happened: it is recorded, and not undone where that fails.
    fn note_refresh(&self, event: Event, connection: &Key, provider: &Provider) {
        let user = connection.parts().first().and_then(|user| UserId::parse(user).ok());
        let account = connection.parts().get(2).and_then(|account| AccountId::parse(account).ok());
        let event = match (user, account) {
            (Some(user), Some(account)) => event.user(&user).account(&account),
            _ => event,
        };
        if let Err(error) = self.audit.note(&event.provider(&provider.id)) {
            tracing::error!(error = %error, "a refresh was not recorded");
        }
    }

    async fn mark_lost(
        &self,
        lease: &Lease,
        provider: &Provider,
        held: Held<Connection>,
        reason: &str,
    ) -> Result<(), RefreshFailure> {
        let state = ConnectionState::ReconnectRequired { since: self.now(), reason: reason.to_owned() };
        self.note_refresh(self.event("connection_lost").by("provider").reason(reason), lease.key(), provider);
        let lost = Connection { state, attempt: None, ..held.body };
        self.write_fenced(lease, provider, held.version, lost).await.map(drop)
    }

    async fn mark_degraded(
        &self,
        lease: &Lease,
        provider: &Provider,
        held: Held<Connection>,
        failure: RefreshFailure,
    ) -> Result<(), RefreshFailure> {
        let now = self.now();
        let since = match held.body.state {
            ConnectionState::Degraded { since, .. } => since,
            _ => now,
        };
        let state =
            ConnectionState::Degraded { since, retry_at: now.plus(RETRY_PAUSE), reason: failure.reason().to_owned() };
        let degraded = Connection { state, attempt: None, ..held.body };
        self.write_fenced(lease, provider, held.version, degraded).await.map(drop)
    }

    /// Writes the next version of a connection as the holder of its lease.
    async fn write_fenced(
        &self,
        lease: &Lease,
        provider: &Provider,
        read: Version,
        body: Connection,
    ) -> Result<Held<Connection>, RefreshFailure> {
        let bytes = self.vault.seal(lease.key(), read.next(), &provider.fingerprint(), &body);
        let bytes = bytes.map_err(|error| unavailable(&error))?;
        let write = Write::SwapFenced { lease: lease.clone(), expected: read, bytes, life: Life::Forever };
        match self.vault.write(write).await {
            Ok(Written::Done) => Ok(Held { body, version: read.next() }),
            // Another holder took over; what it wrote counts.
            Ok(Written::Refused) => Err(RefreshFailure::Temporary("refresh_superseded")),
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// Another replica refreshes: waits until the record moves on, or the other's lease must be over.
    async fn await_other(&self, key: &Key, seen: Version) -> Result<(), RefreshFailure> {
        let mut changes = self.vault.store().watch();
        let deadline = tokio::time::Instant::now() + LEASE;
        loop {
            let held = self.connection(key).await?;
            if held.version != seen && held.body.attempt.is_none() {
                return match held.body.state {
                    ConnectionState::Connected => Ok(()),
                    ConnectionState::ReconnectRequired { .. } => Err(RefreshFailure::ReconnectRequired),
                    ConnectionState::Degraded { .. } => Err(RefreshFailure::Temporary("provider_unavailable")),
                };
            }
            if tokio::time::Instant::now() >= deadline {
                return Err(RefreshFailure::Temporary("refresh_in_progress"));
            }
            // A message wakes at once; the pause covers one that was lost.
            let _ = tokio::time::timeout(LOOK_AGAIN, changes.recv()).await;
        }
    }

    async fn connection(&self, key: &Key) -> Result<Held<Connection>, RefreshFailure> {
        match self.vault.get::<Connection>(key).await {
            Ok(Some(held)) => Ok(held),
            Ok(None) => Err(RefreshFailure::ReconnectRequired),
            Err(error) => Err(unavailable(&error)),
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

fn classify(error: &OAuthError) -> RefreshFailure {
    if error.is_temporary() {
        return RefreshFailure::Temporary(error.reason());
    }
    RefreshFailure::Operator(error.reason())
}

fn unavailable(error: &BrokerError) -> RefreshFailure {
    tracing::warn!(error = %error, "the store failed during a refresh");
    RefreshFailure::Store
}

/// Longer than the 30 seconds a provider is given, with room for storing what it answers.
const LEASE: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(200);
const RETRY_PAUSE: Duration = Duration::from_secs(5);
const STORE_TRIES: usize = 40;
