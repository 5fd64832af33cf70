use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use oauth::{OAuthError, TokenSet, TransportErrorKind};
use protocol::{Scope, Timestamp};
use secret::{Opaque, RefreshToken};
use store::{Invalidation, Key, Lease, Life, Write, Written};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::Instant;

use super::journal::{Issued, Note};
use super::settle::Settled;
use super::{Need, RefreshFailure, SHORTLY, Step, ended, unavailable};
use crate::records::{Attempt, Connection, Rotation, Tokens};
use crate::vault::Held;
use crate::{Broker, BrokerError, Provider};

/// A refresh under the record's lease.
pub(super) struct Refreshing<'a> {
    pub(super) key: &'a Key,
    pub(super) provider: &'a Provider,
    lease: Lease,
    /// When the lease was taken, or extended.
    leased: Instant,
}

/// A refresh token that was presented, and what came of it.
struct Asked {
    held: Held<Connection>,
    attempt: Attempt,
    answer: Result<TokenSet, OAuthError>,
}

impl Broker {
    /// One refresh across all replicas, when its turn at the provider has come.
    pub(super) async fn refresh(
        &self,
        key: &Key,
        provider: &Provider,
        need: Need,
        begun: &AtomicBool,
    ) -> Result<(), RefreshFailure> {
        let health = self.healths.of(&provider.id).ok_or(RefreshFailure::ReconnectRequired)?;
        let mut place = health.place().await;
        begun.store(true, Ordering::Relaxed);
        if let Err(error) = self.check_switch(&provider.id).await {
            let suspended = RefreshFailure::Unavailable { reason: "provider_suspended", retry_after: SHORTLY };
            return Err(if matches!(error, BrokerError::ProviderSuspended) { suspended } else { unavailable(&error) });
        }
        let mut changes = self.vault.store().watch();
        let deadline = Instant::now() + lease_time(provider);
        loop {
            let holder = Opaque::generate("", self.entropy.as_ref());
            let leased = Instant::now();
            match self.vault.store().acquire(key, holder.expose(), lease_time(provider)).await {
                Ok(Some(lease)) => {
                    let mut refreshing = Refreshing { key, provider, lease, leased };
                    let outcome = self.refresh_leased(&mut refreshing, need).await;
                    if let Err(error) = self.vault.store().release(&refreshing.lease).await {
                        tracing::debug!(error = %error, "the lease ends by itself");
                    }
                    drop(place);
                    self.steps.reached(Step::Woken);
                    return outcome;
                }
                // Another replica is at it, in a place of its own.
                Ok(None) => place = None,
                Err(error) => return Err(unavailable(&error.into())),
            }
            changed(&mut changes, key).await;
            let held = self.current(key, provider).await?;
            if let Some(failure) = ended(&held.body, self.now()) {
                return Err(failure);
            }
            if held.body.attempt.is_none() && need.is_met_by(&held.body, self.now()) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(RefreshFailure::Unavailable { reason: "refresh_in_progress", retry_after: SHORTLY });
            }
        }
    }

    async fn refresh_leased(&self, refreshing: &mut Refreshing<'_>, need: Need) -> Result<(), RefreshFailure> {
        for _ in 0..ROUNDS {
            self.put_back(refreshing.key).await?;
            let held = self.current(refreshing.key, refreshing.provider).await?;
            if let Some(failure) = ended(&held.body, self.now()) {
                return Err(failure);
            }
            if held.body.attempt.is_none() && need.is_met_by(&held.body, self.now()) {
                return Ok(());
            }
            let Some(token) = held.body.tokens.refresh() else {
                return self.lost(refreshing, held, "no_refresh_token").await;
            };
            let presentation = match self.presentation(&held.body).await {
                Some(presentation) if presentation <= PRESENTATIONS || held.body.rotation == Rotation::Kept => {
                    presentation
                }
                // Whoever began it has come back, or somebody else has settled it.
                None => continue,
                Some(_) => return self.lost(refreshing, held, "refresh_interrupted").await,
            };
            let health = self.healths.of(&refreshing.provider.id).ok_or(RefreshFailure::ReconnectRequired)?;
            health.admit()?;
            let asked = self.ask(refreshing, held, &token, presentation).await.inspect_err(|_| health.not_asked())?;
            if let Some(outcome) = self.conclude(refreshing, asked).await {
                return outcome;
            }
        }
        Err(RefreshFailure::Unavailable { reason: "refresh_superseded", retry_after: SHORTLY })
    }

    /// The how-manieth presentation of its refresh token the next one is; `None` where the record has to be looked at again.
    async fn presentation(&self, connection: &Connection) -> Option<u32> {
        let Some(attempt) = &connection.attempt else { return Some(1) };
        // This process knows what became of its own: nothing that would count.
        if attempt.holder == self.instance || self.kept.was_not_made(&attempt.id, attempt.journal.as_deref()) {
            return Some(attempt.presentation);
        }
        let journal = attempt.journal.as_deref();
        if journal.is_some() && !self.kept.covers(journal) && self.strangers.first_sight(&attempt.id) {
            // The process that died may have the answer on its disk, and may be starting again.
            tokio::time::sleep(COMES_BACK).await;
            return None;
        }
        Some(attempt.presentation.saturating_add(1))
    }

    /// Writes the intent and presents the token; once more where the exchange broke off.
    async fn ask(
        &self,
        refreshing: &mut Refreshing<'_>,
        held: Held<Connection>,
        token: &RefreshToken,
        presentation: u32,
    ) -> Result<Asked, RefreshFailure> {
        let (held, attempt) = self.intend(refreshing, held, presentation).await?;
        let answer = self.present(refreshing, &attempt, token).await?;
        let broke_off =
            matches!(&answer, Err(OAuthError::Transport(error)) if error.kind() == TransportErrorKind::Other);
        if !broke_off || presentation > 1 {
            return Ok(Asked { held, attempt, answer });
        }
        // The provider may have replaced the token, and may answer it again for a moment.
        let (held, attempt) = self.intend(refreshing, held, presentation + 1).await?;
        let answer = self.present(refreshing, &attempt, token).await?;
        Ok(Asked { held, attempt, answer })
    }

    /// R1: proves that the store takes writes before the provider is asked, and tells a later crash from a quiet time.
    async fn intend(
        &self,
        refreshing: &Refreshing<'_>,
        held: Held<Connection>,
        presentation: u32,
    ) -> Result<(Held<Connection>, Attempt), RefreshFailure> {
        let attempt = Attempt {
            id: Opaque::generate("", self.entropy.as_ref()).expose().to_owned(),
            started: self.now(),
            holder: self.instance.clone(),
            journal: self
                .kept
                .journal
                .as_ref()
                .filter(|journal| journal.works())
                .map(|journal| journal.name().to_owned()),
            presentation,
        };
        let body = Connection { attempt: Some(attempt.clone()), ..held.body };
        let held = self.write_leased(refreshing, held.version, body, Listing::List).await?;
        self.steps.reached(Step::Intended);
        Ok((held, attempt))
    }

    /// R2 to R5. The lease is extended while the provider takes its time.
    async fn present(
        &self,
        refreshing: &mut Refreshing<'_>,
        attempt: &Attempt,
        token: &RefreshToken,
    ) -> Result<Result<TokenSet, OAuthError>, RefreshFailure> {
        if let Some(until) = self.kept.held_until() {
            tokio::time::sleep_until(until).await;
        }
        let note = Note::Presenting { attempt: attempt.id.clone() };
        let place = self.kept.write(&self.vault, refreshing.key, &note).await;
        self.steps.reached(Step::Connecting);
        // A process that was stopped for long must not present what another has presented meanwhile.
        if refreshing.leased.elapsed() > SLACK && !self.extended(refreshing).await {
            self.kept.settled(place);
            return Err(RefreshFailure::Unavailable { reason: "refresh_superseded", retry_after: SHORTLY });
        }
        let provider = refreshing.provider;
        let asking = provider.oauth.refresh(provider.http.as_ref(), token, self.now().as_secs());
        self.steps.reached(Step::Sent);
        let mut asking = std::pin::pin!(asking);
        let answer = loop {
            match tokio::time::timeout(lease_time(provider) / 3, &mut asking).await {
                Ok(answer) => break answer,
                Err(_) => {
                    // Whatever comes of it, the answer is waited for: the token has been presented.
                    let _ = self.extended(refreshing).await;
                }
            }
        };
        self.steps.reached(Step::Answered);
        self.kept.settled(place);
        Ok(answer)
    }

    /// Sorts what came. `None`: the record has moved on, and is to be looked at again.
    async fn conclude(&self, refreshing: &Refreshing<'_>, asked: Asked) -> Option<Result<(), RefreshFailure>> {
        let Asked { held, attempt, answer } = asked;
        match answer {
            Ok(tokens) => {
                self.provider_answered(refreshing.provider);
                let issued = issued(refreshing.provider, &held.body, attempt, &tokens, self.now());
                Some(self.store_issued(refreshing.key, refreshing.provider, issued).await)
            }
            Err(error) if error.is_invalid_grant() => {
                self.provider_answered(refreshing.provider);
                self.refused(refreshing, &held, &attempt, error.reason()).await.transpose()
            }
            Err(error) => Some(self.failed(refreshing, held, &attempt, &error).await),
        }
    }

    /// R6 to R8. From here on the pair is not lost: what the store does not take now, it is offered until it does.
    async fn store_issued(&self, key: &Key, provider: &Provider, issued: Issued) -> Result<(), RefreshFailure> {
        let answered = Instant::now();
        let place = self.kept.write(&self.vault, key, &Note::Issued(Box::new(issued.clone()))).await;
        let window_us = u64::try_from(answered.elapsed().as_micros()).unwrap_or(u64::MAX);
        tracing::debug!(provider_id = %provider.id, journaled = place.is_some(), window_us, "a refresh was journaled");
        self.steps.reached(Step::Journaled);
        let deadline = Instant::now() + STORING;
        let mut pause = Duration::from_millis(20);
        loop {
            self.steps.reached(Step::Storing);
            match self.settle(key, &issued).await {
                Ok(settled) => {
                    self.steps.reached(Step::Stored);
                    self.kept.settled(place);
                    if settled == Settled::Stored {
                        self.note_refresh(self.event("token_refreshed"), key, provider);
                    }
                    return if settled == Settled::GivenBack { Err(RefreshFailure::ReconnectRequired) } else { Ok(()) };
                }
                Err(error) if Instant::now() + pause >= deadline => {
                    tracing::error!(provider_id = %provider.id, error = %error, "a renewed token waits for the store");
                    self.kept.keep(key, issued, place);
                    return Err(RefreshFailure::Store);
                }
                Err(error) => {
                    tracing::warn!(provider_id = %provider.id, error = %error, "a renewed token is stored again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_millis(500));
                }
            }
        }
    }

    /// Writes the next version of a connection as the holder of its lease.
    pub(super) async fn write_leased(
        &self,
        refreshing: &Refreshing<'_>,
        read: store::Version,
        body: Connection,
        listing: Listing,
    ) -> Result<Held<Connection>, RefreshFailure> {
        let (key, mark) = (refreshing.key, refreshing.provider.fingerprint());
        let bytes = self.vault.seal(key, read.next(), &mark, &body).map_err(|error| unavailable(&error))?;
        let lease = refreshing.lease.clone();
        let swap = Write::SwapFenced { lease, expected: read, bytes, life: Life::Forever };
        let written = self.vault.store().batch(vec![swap, listing.write(key)]).await;
        match written.map(|written| written.first().copied()) {
            Ok(Some(Written::Done)) => Ok(Held { body, version: read.next() }),
            // Another holder took over; what it wrote counts.
            Ok(_) => Err(RefreshFailure::Unavailable { reason: "refresh_superseded", retry_after: SHORTLY }),
            Err(error) => Err(unavailable(&error.into())),
        }
    }

    /// The connection as it stands, of the provider that its tokens were issued by, and that may be used.
    pub(crate) async fn current(&self, key: &Key, provider: &Provider) -> Result<Held<Connection>, RefreshFailure> {
        let found = match self.vault.get_marked::<Connection>(key).await {
            Ok(found) => found,
            Err(error) => return Err(unavailable(&error)),
        };
        match found {
            Some((held, mark)) if mark == provider.fingerprint() => Ok(held),
            // Disconnected; or made with a provider that lived elsewhere, which must not see this one's tokens.
            Some(_) | None => Err(RefreshFailure::ReconnectRequired),
        }
    }

    async fn extended(&self, refreshing: &mut Refreshing<'_>) -> bool {
        let asked = Instant::now();
        match self.vault.store().renew(&refreshing.lease, lease_time(refreshing.provider)).await {
            Ok(true) => {
                refreshing.leased = asked;
                true
            }
            Ok(false) => false,
            Err(error) => {
                tracing::warn!(error = %error, "a lease was not extended");
                false
            }
        }
    }

    /// What this process could not store so far goes first: presenting the token that it replaces would be the end of it.
    async fn put_back(&self, key: &Key) -> Result<(), RefreshFailure> {
        self.settle_kept(key).await.map_err(|error: BrokerError| unavailable(&error))
    }
}

/// Whether a connection stands in the list of those that somebody works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listing {
    List,
    Unlist,
}

impl Listing {
    pub(super) fn write(self, key: &Key) -> Write {
        let (index, key) = (Connection::attempts(), key.clone());
        match self {
            Self::List => Write::List { index, key },
            Self::Unlist => Write::Unlist { index, key },
        }
    }
}

fn issued(provider: &Provider, before: &Connection, attempt: Attempt, tokens: &TokenSet, at: Timestamp) -> Issued {
    let renewed = Tokens::new(tokens);
    let rotation = before.tokens.rotation(&renewed);
    let scopes = tokens.scope.as_ref();
    Issued {
        attempt: attempt.id,
        connection: before.id.clone(),
        rank: before.rank.refreshed(),
        mark: provider.fingerprint(),
        tokens: renewed,
        scopes: scopes.map(|scopes| scopes.iter().filter_map(|scope| Scope::parse(scope).ok()).collect()),
        rotation,
        at,
    }
}

/// Returns when the record has changed, or after a pause that covers a message which was lost.
async fn changed(changes: &mut broadcast::Receiver<Invalidation>, key: &Key) {
    let told = async {
        loop {
            match changes.recv().await {
                Ok(Invalidation::Key(other)) if other != *key => {}
                Ok(_) | Err(RecvError::Lagged(_)) => return,
                // No more news: the pause it is.
                Err(RecvError::Closed) => std::future::pending::<()>().await,
            }
        }
    };
    let _ = tokio::time::timeout(LOOK_AGAIN, told).await;
}

/// Longer than two exchanges with the provider may take, with room for storing what comes of them.
fn lease_time(provider: &Provider) -> Duration {
    2 * provider.timeout + STORING + SLACK
}

/// Once, and once more as the recovery after a crash.
const PRESENTATIONS: u32 = 2;
/// How often the record may move on under a refresh.
const ROUNDS: usize = 4;
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// A supervisor starts a process that died within this time, and providers that tolerate a second presentation do so for longer.
const COMES_BACK: Duration = Duration::from_secs(3);
/// How long the store may take, all in all, before others go on with what came.
const STORING: Duration = Duration::from_secs(4);
/// What may pass between taking a lease and presenting the token.
const SLACK: Duration = Duration::from_secs(5);
