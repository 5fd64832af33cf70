use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use audit::Event;
use oauth::{ErrorCode, OAuthError};
use protocol::{AccountId, UserId};
use store::Key;
use tokio::time::Instant;

use super::RefreshFailure;
use super::attempt::{Listing, Refreshing};
use crate::records::{Attempt, Connection, ConnectionState};
use crate::vault::Held;
use crate::{Broker, Provider};

/// Attempts of other gateways that were seen to stand without a holder, and since when.
#[derive(Default)]
pub(crate) struct Strangers(Mutex<HashMap<String, Instant>>);

impl Strangers {
    /// For how long the attempt has been seen; nothing the first time.
    pub(super) fn seen_for(&self, attempt: &str) -> Duration {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MOST_STRANGERS {
            seen.clear();
        }
        seen.entry(attempt.to_owned()).or_insert_with(Instant::now).elapsed()
    }
}

impl Broker {
    /// The provider says that the refresh token is void: believed where nobody has put another one into the record meanwhile, and no
    /// other answer to it is left to try. `None`: the record is to be looked at again.
    pub(super) async fn refused(
        &self,
        refreshing: &mut Refreshing<'_>,
        held: &Held<Connection>,
        attempt: &Attempt,
        reason: &'static str,
    ) -> Result<Option<()>, RefreshFailure> {
        let now = self.current(refreshing.key, refreshing.provider).await?;
        if now.version != held.version {
            return Ok(None);
        }
        if let Some(alternate) = now.body.alternate.clone() {
            tracing::warn!(provider_id = %refreshing.provider.id, "going on with the other answer to a refresh token");
            let body = Connection { tokens: alternate, alternate: None, attempt: None, ..now.body };
            return self.write_leased(refreshing, now.version, body, Listing::Unlist).await.map(|_| None);
        }
        // After a crash it is not the person or the provider who ended it, and the reason says so.
        let reason = if attempt.presentation > 1 { "refresh_interrupted" } else { reason };
        self.lost(refreshing, now, reason).await.map(Some)
    }

    /// Only its owner can renew the connection.
    pub(super) async fn lost(
        &self,
        refreshing: &mut Refreshing<'_>,
        held: Held<Connection>,
        reason: &'static str,
    ) -> Result<(), RefreshFailure> {
        let state = ConnectionState::ReconnectRequired { since: self.now(), reason: reason.to_owned() };
        let lost = Connection { state, attempt: None, ..held.body };
        self.write_leased(refreshing, held.version, lost, Listing::Unlist).await?;
        let by = if reason == "invalid_grant" { "provider" } else { "gateway" };
        self.note_refresh(self.event("connection_lost").by(by).reason(reason), refreshing.key, refreshing.provider);
        Err(RefreshFailure::ReconnectRequired)
    }

    /// Anything but the end of the grant: the tokens at hand are as good as before, and the next attempt comes after a while.
    pub(super) async fn failed(
        &self,
        refreshing: &mut Refreshing<'_>,
        held: Held<Connection>,
        error: &OAuthError,
    ) -> Result<(), RefreshFailure> {
        let (provider, now) = (refreshing.provider, self.now());
        let (since, tries) = match &held.body.state {
            ConnectionState::Degraded { since, tries, .. } => (*since, tries.saturating_add(1)),
            _ => (now, 0),
        };
        let pause = self.pause(tries, error);
        let reason = error.reason();
        tracing::warn!(provider_id = %provider.id, error = %error, reason, pause_s = pause.as_secs(), "a token was not renewed");
        self.provider_failed(refreshing, error, pause);
        let state = ConnectionState::Degraded { since, retry_at: now.plus(pause), reason: reason.to_owned(), tries };
        let degraded = Connection { state, attempt: None, ..held.body };
        self.write_leased(refreshing, held.version, degraded, Listing::Unlist).await?;
        Err(RefreshFailure::Unavailable { reason, retry_after: pause })
    }

    fn provider_failed(&self, refreshing: &Refreshing<'_>, error: &OAuthError, pause: Duration) {
        let provider = refreshing.provider;
        self.heed_refusal(provider, error);
        let Some(health) = self.healths.of(&provider.id) else { return };
        match error {
            // What it says of one request says nothing of others.
            OAuthError::Refused { .. } => health.answered(),
            OAuthError::Retry { .. }
            | OAuthError::Transport(_)
            | OAuthError::Nonsense(_)
            | OAuthError::Undiscovered(_)
            | OAuthError::OtherHost { .. }
            | OAuthError::OtherServer { .. } => {
                health.failed(refreshing.key, pause);
            }
        }
    }

    /// A provider that does not accept the gateway's own client is the operator's matter, and no grant's.
    pub(crate) fn heed_refusal(&self, provider: &Provider, error: &OAuthError) {
        let code = match error {
            OAuthError::Refused {
                code: code @ (ErrorCode::InvalidClient | ErrorCode::UnauthorizedClient | ErrorCode::Operator),
            } => code.as_str(),
            _ => return,
        };
        if self.healths.of(&provider.id).is_some_and(|health| health.alarmed(self.now(), code)) {
            let remedy = "look at client_id and client_secret in its configuration; no grant is touched";
            tracing::error!(provider_id = %provider.id, reason = code, remedy, "the provider refuses the gateway's client");
            let event = self.event("provider_refuses_client").by("provider").provider(&provider.id).reason(code);
            self.note(&event);
        }
    }

    /// The service does not take the operator's key: likewise.
    pub(crate) fn heed_refused_key(&self, provider: &Provider) {
        if self.healths.of(&provider.id).is_some_and(|health| health.alarmed(self.now(), KEY_REFUSED)) {
            let remedy = "put a key that works where [provider.key] says; no grant is touched";
            tracing::error!(provider_id = %provider.id, reason = KEY_REFUSED, remedy, "the service refuses the operator's key");
            let event = self.event("provider_refuses_client").by("provider").provider(&provider.id).reason(KEY_REFUSED);
            self.note(&event);
        }
    }

    /// The provider knows the gateway's client, and answers.
    pub(crate) fn provider_answered(&self, provider: &Provider) {
        let over = self.healths.of(&provider.id).and_then(super::health::Health::succeeded);
        if let Some(alarm) = over {
            tracing::info!(provider_id = %provider.id, reason = alarm.reason, "the provider takes the gateway's client again");
        }
    }

    /// 1 s, 2 s, 4 s … 5 min, of which half is left to chance; or what the provider asks for, where that is longer.
    fn pause(&self, tries: u32, error: &OAuthError) -> Duration {
        let full = FIRST_PAUSE.saturating_mul(2u32.saturating_pow(tries.min(16))).min(LONGEST_PAUSE);
        let mut chance = [0; 2];
        self.entropy.fill(&mut chance);
        let pause = full.mul_f64(0.5 + f64::from(u16::from_be_bytes(chance)) / f64::from(u16::MAX) / 2.0);
        match error {
            OAuthError::Retry { after: Some(after), .. } => pause.max((*after).min(LONGEST_RETRY_AFTER)),
            _ => pause,
        }
    }

    /// A refresh is the provider's decision and has happened: it is recorded, and not undone where that fails.
    pub(super) fn note_refresh(&self, event: Event, connection: &Key, provider: &Provider) {
        let user = connection.parts().first().and_then(|user| UserId::parse(user).ok());
        let account = connection.parts().get(2).and_then(|account| AccountId::parse(account).ok());
        let event = match (user, account) {
            (Some(user), Some(account)) => event.user(&user).account(&account),
            _ => event,
        };
        self.note(&event.provider(&provider.id));
    }

    fn note(&self, event: &Event) {
        if let Err(error) = self.audit.note(event) {
            tracing::error!(error = %error, "a refresh was not recorded");
        }
    }
}

impl Connection {
    /// How long the provider is still left alone after it failed. A clock that was wrong when it was written keeps nobody waiting.
    pub(crate) fn pause(&self, now: protocol::Timestamp) -> Option<Duration> {
        match self.state {
            ConnectionState::Degraded { retry_at, .. } if now < retry_at => {
                Some(retry_at.since(now)).filter(|pause| *pause <= LONGEST_RETRY_AFTER)
            }
            _ => None,
        }
    }
}

pub(crate) const KEY_REFUSED: &str = "operators_key_refused";
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);
const MOST_STRANGERS: usize = 10_000;
