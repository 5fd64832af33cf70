use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use metrics::Refresh;
use oauth::{DpopKey, OAuthError, TokenSet, TransportErrorKind};
use protocol::Timestamp;
use secret::{Opaque, RefreshToken};
use store::{Invalidation, Key, Lease, Life, Write, Written};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::Instant;

use super::again::Answered;
use super::journal::{Issued, Note};
use super::settle::Settled;
use super::{Need, RefreshFailure, SHORTLY, Step, ended, unavailable};
use crate::binding::key_of;
use crate::records::{Attempt, Connection, Rotation};
use crate::token_request::token_request;
use crate::vault::Held;
use crate::{Broker, BrokerError, Provider};

/// A refresh under the record's lease.
pub(super) struct Refreshing<'a> {
    pub(super) key: &'a Key,
    pub(super) provider: &'a Provider,
    lease: Lease,
    /// When the lease was taken, or extended.
    leased: Instant,
    /// Whether an attempt of this process may stand in the record: others would take it for a crash.
    stands: bool,
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
            match self.leased(key, provider).await? {
                Some(refreshing) if place.is_none() => {
                    // Its turn at the provider was given away while another replica was at it.
                    place = health.free_place();
                    if place.is_none() {
                        self.unlease(refreshing).await;
                        place = health.place().await;
                        continue;
                    }
                    return self.refresh_as_holder(refreshing, need).await;
                }
                Some(refreshing) => return self.refresh_as_holder(refreshing, need).await,
                // Another replica is at it, in a place of its own.
                None => place = None,
            }
            changed(&mut changes, key).await;
            let held = self.current(key, provider).await?;
            if let Some(failure) = ended(&held.body, self.now()) {
                return Err(failure);
            }
            if held.body.attempt.is_none() && need.is_met_by(&held.body, provider, self.now()) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(RefreshFailure::Unavailable { reason: "refresh_in_progress", retry_after: SHORTLY });
            }
        }
    }

    /// The record's lease: the one that was kept since the last attempt, or a new one.
    async fn leased<'a>(&self, key: &'a Key, provider: &'a Provider) -> Result<Option<Refreshing<'a>>, RefreshFailure> {
        let leased = Instant::now();
        let store = self.vault.store();
        let refreshing = |lease| Refreshing { key, provider, lease, leased, stands: false };
        if let Some(lease) = self.kept.take_lease(key)
            && store.renew(&lease, lease_time(provider)).await.map_err(|error| unavailable(&error.into()))?
        {
            return Ok(Some(refreshing(lease)));
        }
        let holder = Opaque::generate("", self.entropy.as_ref());
        let lease = store.acquire(key, holder.expose(), lease_time(provider)).await;
        Ok(lease.map_err(|error| unavailable(&error.into()))?.map(refreshing))
    }

    async fn refresh_as_holder(&self, mut refreshing: Refreshing<'_>, need: Need) -> Result<(), RefreshFailure> {
        let outcome = self.refresh_leased(&mut refreshing, need).await;
        self.unlease(refreshing).await;
        self.steps.reached(Step::Woken);
        outcome
    }

    /// Gives the lease back, unless somebody would then take for a crash what this process knows about.
    async fn unlease(&self, refreshing: Refreshing<'_>) {
        if refreshing.stands || !self.kept.unsettled_of(refreshing.key).is_empty() {
            return self.kept.keep_lease(refreshing.lease);
        }
        if let Err(error) = self.vault.store().release(&refreshing.lease).await {
            tracing::debug!(error = %error, "the lease ends by itself");
        }
    }

    async fn refresh_leased(&self, refreshing: &mut Refreshing<'_>, need: Need) -> Result<(), RefreshFailure> {
        for _ in 0..ROUNDS {
            if let Some(until) = self.kept.held_until() {
                tokio::time::sleep_until(until).await;
            }
            if self.kept.is_closed() {
                return Err(RefreshFailure::Unavailable { reason: "shutting_down", retry_after: SHORTLY });
            }
            self.put_back(refreshing.key).await?;
            let held = self.current(refreshing.key, refreshing.provider).await?;
            match self.is_current(&held.body, refreshing.provider).await {
                Ok(true) => {}
                // It ended with everything else at the provider, which gets no token of it any more.
                Ok(false) => return Err(RefreshFailure::ReconnectRequired),
                Err(error) => return Err(unavailable(&error)),
            }
            if let Some(failure) = ended(&held.body, self.now()) {
                return Err(failure);
            }
            if held.body.attempt.is_none() && need.is_met_by(&held.body, refreshing.provider, self.now()) {
                return Ok(());
            }
            let Some(token) = held.body.tokens.refresh() else {
                return self.without_refresh_token(refreshing, held).await;
            };
            let presentation = match self.presentation(&held.body, refreshing.provider).await? {
                Some(presentation) if presentation <= PRESENTATIONS || held.body.rotation == Rotation::Kept => {
                    presentation
                }
                // Whoever began it has come back, or somebody else has settled it.
                None => continue,
                Some(_) => return self.lost(refreshing, held, "refresh_interrupted").await,
            };
            self.prepare(refreshing.provider).await?;
            let health = self.healths.of(&refreshing.provider.id).ok_or(RefreshFailure::ReconnectRequired)?;
            let admission = health.admit()?;
            let asked = self.ask(refreshing, held, &token, presentation).await;
            let asked = asked.inspect_err(|_| health.not_asked(admission))?;
            if let Some(outcome) = self.conclude(refreshing, asked).await {
                return outcome;
            }
        }
        Err(RefreshFailure::Unavailable { reason: "refresh_superseded", retry_after: SHORTLY })
    }

    /// Learns where the provider is asked, before anything is written that says that it was.
    async fn prepare(&self, provider: &Provider) -> Result<(), RefreshFailure> {
        let Ok(client) = provider.client() else { return Err(RefreshFailure::ReconnectRequired) };
        let prepared = client.prepare(&self.outside(provider)).await;
        if client.has_moved() {
            tracing::error!(provider_id = %provider.id, "the metadata names another host for tokens than before, which is not heeded; see `check --online`");
        }
        prepared.map_err(|error| {
            tracing::warn!(provider_id = %provider.id, error = %error, reason = error.reason(), "the provider's metadata was not read");
            RefreshFailure::Unavailable { reason: "discovery_failed", retry_after: SHORTLY }
        })
    }

    /// The how-manieth presentation of its refresh token the next one is; `None` where the record has to be looked at again.
    async fn presentation(&self, connection: &Connection, provider: &Provider) -> Result<Option<u32>, RefreshFailure> {
        let Some(attempt) = &connection.attempt else { return Ok(Some(1)) };
        // This process knows what became of its own: nothing that would count.
        if attempt.holder == self.instance || self.kept.was_not_made(attempt, &self.boot) {
            return Ok(Some(attempt.presentation));
        }
        let journal = attempt.journal.as_deref();
        if journal.is_some() && !self.kept.covers(journal) {
            // The process that died may have the answer on its disk, and may be starting again.
            let seen = self.strangers.seen_for(&attempt.id);
            let soon = self.now().plus(MEANWHILE);
            if connection.tokens.expires.is_none_or(|expires| soon < expires) && seen < COMES_BACK_LATER {
                // Nobody needs it before: what is at hand works.
                return Err(RefreshFailure::Unavailable { reason: "refresh_interrupted", retry_after: SHORTLY });
            }
            // Where a second presentation is a theft, whoever may have the answer is waited for longer.
            let wait = if provider.rotation == crate::TokenRotation::SingleUse { COMES_BACK_LATER } else { COMES_BACK };
            if seen < wait {
                tokio::time::sleep(wait.saturating_sub(seen)).await;
                return Ok(None);
            }
        }
        Ok(Some(attempt.presentation.saturating_add(1)))
    }

    /// Writes the intent and presents the token; once more where the exchange broke off.
    async fn ask(
        &self,
        refreshing: &mut Refreshing<'_>,
        held: Held<Connection>,
        token: &RefreshToken,
        presentation: u32,
    ) -> Result<Asked, RefreshFailure> {
        let (held, attempt, answer) = self.ask_once(refreshing, held, token, presentation).await?;
        let broke_off =
            matches!(&answer, Err(OAuthError::Transport(error)) if error.kind() == TransportErrorKind::Other);
        if !broke_off || presentation > 1 {
            return Ok(Asked { held, attempt, answer });
        }
        // The provider may have replaced the token, and may answer it again for a moment.
        let (held, attempt, answer) = self.ask_once(refreshing, held, token, presentation + 1).await?;
        Ok(Asked { held, attempt, answer })
    }

    async fn ask_once(
        &self,
        refreshing: &mut Refreshing<'_>,
        held: Held<Connection>,
        token: &RefreshToken,
        presentation: u32,
    ) -> Result<(Held<Connection>, Attempt, Result<TokenSet, OAuthError>), RefreshFailure> {
        let journal = self.kept.journal.as_ref().filter(|journal| journal.works());
        let name = journal.map(|journal| journal.name().to_owned());
        let (mut held, mut attempt) = self.intend(refreshing, held, presentation, name).await?;
        let note = Note::Presenting { attempt: attempt.id.clone() };
        let place = self.kept.write(&self.vault, refreshing.key, &note).await;
        if place.is_none() && attempt.journal.is_some() {
            // Nobody may take the missing note for a proof that nothing was presented.
            (held, attempt) = self.intend(refreshing, held, presentation, None).await?;
        }
        let key = key_of(held.body.tokens.refresh_key());
        let answer = self.present(refreshing, token, key).await;
        self.kept.settled(place);
        Ok((held, attempt, answer?))
    }

    /// R1: proves that the store takes writes before the provider is asked, and tells a later crash from a quiet time.
    async fn intend(
        &self,
        refreshing: &mut Refreshing<'_>,
        held: Held<Connection>,
        presentation: u32,
        journal: Option<String>,
    ) -> Result<(Held<Connection>, Attempt), RefreshFailure> {
        let attempt = Attempt {
            id: Opaque::generate("", self.entropy.as_ref()).expose().to_owned(),
            started: self.now(),
            holder: self.instance.clone(),
            journal,
            boot: self.boot.clone(),
            presentation,
        };
        let body = Connection { attempt: Some(attempt.clone()), ..held.body };
        refreshing.stands = true;
        let held = self.write_leased(refreshing, held.version, body, Listing::List).await?;
        self.steps.reached(Step::Intended);
        Ok((held, attempt))
    }

    /// R2 to R5. The lease is extended while the provider takes its time.
    async fn present(
        &self,
        refreshing: &mut Refreshing<'_>,
        token: &RefreshToken,
        key: Option<DpopKey>,
    ) -> Result<Result<TokenSet, OAuthError>, RefreshFailure> {
        self.steps.reached(Step::Connecting);
        // A process that was stopped for long must not present what another has presented meanwhile.
        if refreshing.leased.elapsed() > SLACK && !self.extended(refreshing).await {
            return Err(RefreshFailure::Unavailable { reason: "refresh_superseded", retry_after: SHORTLY });
        }
        let provider = refreshing.provider;
        let Ok(client) = provider.client() else { return Err(RefreshFailure::ReconnectRequired) };
        let prover = self.prover(provider, client, key.as_ref());
        let outside = self.outside_by(&prover);
        let asking = token_request("refresh_token", &provider.id, client.refresh(&outside, token));
        self.steps.reached(Step::Sent);
        let answer = self.awaited(refreshing, asking).await;
        self.steps.reached(Step::Answered);
        Ok(answer)
    }

    /// The provider's answer, where this process still holds the lease; it is extended while the provider takes its time.
    pub(super) async fn under_lease(
        &self,
        refreshing: &mut Refreshing<'_>,
        asking: impl Future<Output = Answered>,
    ) -> Result<Answered, RefreshFailure> {
        if refreshing.leased.elapsed() > SLACK && !self.extended(refreshing).await {
            return Err(RefreshFailure::Unavailable { reason: "refresh_superseded", retry_after: SHORTLY });
        }
        Ok(self.awaited(refreshing, asking).await)
    }

    async fn awaited(&self, refreshing: &mut Refreshing<'_>, asking: impl Future<Output = Answered>) -> Answered {
        let mut asking = std::pin::pin!(asking);
        loop {
            match tokio::time::timeout(lease_time(refreshing.provider) / 3, &mut asking).await {
                Ok(answer) => {
                    let result = match &answer {
                        Ok(tokens) => {
                            self.hush(tokens);
                            Refresh::Ok
                        }
                        Err(error) if error.is_invalid_grant() => Refresh::Ended,
                        Err(_) => Refresh::Failed,
                    };
                    self.metrics.refreshed(refreshing.provider.id.as_str(), result);
                    return answer;
                }
                Err(_) => {
                    // Whatever comes of it, the answer is waited for: the token has been presented.
                    let _ = self.extended(refreshing).await;
                }
            }
        }
    }

    /// Sorts what came. `None`: the record has moved on, and is to be looked at again.
    async fn conclude(&self, refreshing: &mut Refreshing<'_>, asked: Asked) -> Option<Result<(), RefreshFailure>> {
        let Asked { held, attempt, answer } = asked;
        match answer {
            Ok(tokens) => {
                self.provider_answered(refreshing.provider);
                let issued = issued(refreshing.provider, &held.body, attempt, &tokens, self.now());
                let stored = self.store_issued(refreshing.key, refreshing.provider, issued).await;
                refreshing.stands = matches!(stored, Err(RefreshFailure::Store));
                Some(stored)
            }
            Err(error) if error.is_invalid_grant() => {
                self.provider_answered(refreshing.provider);
                self.refused(refreshing, &held, &attempt, error.reason()).await.transpose()
            }
            Err(error) => Some(self.failed(refreshing, held, &error).await),
        }
    }

    /// R6 to R8. From here on the pair is not lost: what the store does not take now, it is offered until it does.
    async fn store_issued(&self, key: &Key, provider: &Provider, issued: Issued) -> Result<(), RefreshFailure> {
        let answered = Instant::now();
        let place = self.kept.write(&self.vault, key, &Note::Issued(Box::new(issued.clone()))).await;
        let window_us = u64::try_from(answered.elapsed().as_micros()).unwrap_or(u64::MAX);
        tracing::debug!(provider_id = %provider.id, journaled = place.is_some(), window_us, "a refresh was journaled");
        self.kept.keep(key, issued.clone(), place);
        self.steps.reached(Step::Journaled);
        let deadline = Instant::now() + STORING;
        let mut pause = Duration::from_millis(20);
        loop {
            self.steps.reached(Step::Storing);
            match self.settle(key, &issued).await {
                Ok(settled) => {
                    self.steps.reached(Step::Stored);
                    self.kept.taken(key, &issued.attempt);
                    if settled == Settled::Stored {
                        self.note_refresh(self.event("token_refreshed"), key, provider);
                    }
                    return if settled == Settled::GivenBack { Err(RefreshFailure::ReconnectRequired) } else { Ok(()) };
                }
                Err(error) if Instant::now() + pause >= deadline => {
                    tracing::error!(provider_id = %provider.id, error = %error, "a renewed token waits for the store");
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
        refreshing: &mut Refreshing<'_>,
        read: store::Version,
        body: Connection,
        listing: Listing,
    ) -> Result<Held<Connection>, RefreshFailure> {
        let (key, mark) = (refreshing.key, refreshing.provider.fingerprint());
        let bytes = self.vault.seal(key, read.next(), &mark, &body).map_err(|error| unavailable(&error))?;
        let lease = refreshing.lease.clone();
        let swap = Write::SwapFenced { lease, expected: read, bytes, life: Life::Forever };
        // On the list before it stands; off it only when it does not: others may stand there by then.
        let writes = if listing == Listing::List { vec![swap, listing.write(key)] } else { vec![swap] };
        let written = self.vault.store().batch(writes).await;
        match written.map(|written| written.first().copied()) {
            Ok(Some(Written::Done)) => {
                refreshing.stands = listing == Listing::List;
                if listing == Listing::Unlist {
                    self.unlist(key).await;
                }
                Ok(Held { body, version: read.next() })
            }
            // Another holder took over; what it wrote counts.
            Ok(_) => {
                refreshing.stands = false;
                Err(RefreshFailure::Unavailable { reason: "refresh_superseded", retry_after: SHORTLY })
            }
            Err(error) => Err(unavailable(&error.into())),
        }
    }

    /// A hint that is left behind is found by whoever looks through them.
    pub(super) async fn unlist(&self, key: &Key) {
        if let Err(error) = self.vault.write(Listing::Unlist.write(key)).await {
            tracing::debug!(error = %error, "a settled attempt is still on the list");
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
    let renewed = provider.rebased(tokens, &before.tokens).bound_to(before.tokens.refresh_key());
    let rotation = before.tokens.rotation(&renewed);
    // A refresh never widens what was granted (RFC 6749 §6), and says nothing where it is silent.
    let scopes = tokens
        .scope
        .as_ref()
        .map(|_| provider.granted(tokens.scope.as_deref(), &before.scopes).intersection(&before.scopes));
    Issued {
        attempt: attempt.id,
        connection: before.id.clone(),
        presented: before.tokens.refresh_hash(),
        rank: before.rank.refreshed(),
        mark: provider.fingerprint(),
        tokens: renewed,
        scopes,
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
pub(crate) fn lease_time(provider: &Provider) -> Duration {
    2 * provider.timeout + STORING + SLACK
}

/// Once, and once more as the recovery after a crash.
const PRESENTATIONS: u32 = 2;
/// How often the record may move on under a refresh.
const ROUNDS: usize = 4;
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// A supervisor starts a process that died within this time, and providers that tolerate a second presentation do so for longer.
const COMES_BACK: Duration = Duration::from_secs(3);
/// So long it may take where nobody waits for it; still within what providers that tolerate it do.
const COMES_BACK_LATER: Duration = Duration::from_secs(10);
/// An access token that lives for longer than this is not waited with.
const MEANWHILE: Duration = Duration::from_secs(5);
/// How long the store may take, all in all, before others go on with what came.
const STORING: Duration = Duration::from_secs(4);
/// What may pass between taking a lease and presenting the token.
const SLACK: Duration = Duration::from_secs(5);
