//! How a connection does, in fixed words for programs and in sentences for people.

use std::time::Duration;

use protocol::Timestamp;
use serde::Serialize;

use crate::Provider;
use crate::records::{Connection, ConnectionState};
use crate::vault::Fingerprint;

/// How a connection does.
#[derive(Debug, Clone, Serialize)]
pub struct Condition {
    /// `connected`, `refreshing`, `degraded`, `ending_soon` or `needs_reconnecting`.
    pub state: &'static str,
    /// A fixed word for why, where it is not just connected.
    pub reason: Option<String>,
    /// The same in a sentence.
    pub says: Option<&'static str>,
    /// Since when; RFC 3339.
    pub since: Option<String>,
    /// When the provider is asked again; RFC 3339.
    pub next_attempt: Option<String>,
    /// When the provider ends it whatever is done, where anybody knows; RFC 3339.
    pub ends: Option<String>,
}

impl Condition {
    /// Whether its owner can do something for it.
    #[must_use]
    pub fn can_be_renewed(&self) -> bool {
        self.needs_reconnecting() || self.state == ENDING_SOON
    }

    /// Whether only its owner can make it work again.
    #[must_use]
    pub fn needs_reconnecting(&self) -> bool {
        self.state == NEEDS_RECONNECTING
    }
}

impl Connection {
    /// How it does: `mark` names the provider that it was made with, `provider` is the one of now, where there still is one.
    pub(crate) fn condition(&self, provider: Option<&Provider>, mark: &Fingerprint, now: Timestamp) -> Condition {
        if provider.is_some_and(|provider| provider.fingerprint() != *mark) {
            return Condition::of(NEEDS_RECONNECTING).because("provider_moved");
        }
        if provider.is_some_and(|provider| provider.place_of(&self.tokens).is_err()) {
            return Condition::of(NEEDS_RECONNECTING).because("api_base_refused");
        }
        if provider.is_some_and(|provider| !provider.binds_as(&self.tokens)) {
            return Condition::of(NEEDS_RECONNECTING).because("tokens_bound_otherwise");
        }
        if let ConnectionState::ReconnectRequired { since, reason } = &self.state {
            return Condition { since: Some(since.to_rfc3339()), ..Condition::of(NEEDS_RECONNECTING).because(reason) };
        }
        let ends = provider.and_then(|provider| self.ends(provider)).map(Timestamp::to_rfc3339);
        Condition { ends, ..self.working_condition(provider, now) }
    }

    fn working_condition(&self, provider: Option<&Provider>, now: Timestamp) -> Condition {
        if let Some(attempt) = self.attempt.as_ref().filter(|attempt| now.since(attempt.started) < UNDER_WAY) {
            return Condition { since: Some(attempt.started.to_rfc3339()), ..Condition::of("refreshing") };
        }
        if let ConnectionState::Degraded { since, retry_at, reason, .. } = &self.state {
            let next_attempt = Some(retry_at.to_rfc3339());
            return Condition {
                since: Some(since.to_rfc3339()),
                next_attempt,
                ..Condition::of("degraded").because(reason)
            };
        }
        match provider.and_then(|provider| self.ending_soon(provider)) {
            Some(soon) if soon <= now => Condition::of(ENDING_SOON).because("lifetime"),
            _ => Condition::of("connected"),
        }
    }
}

impl Condition {
    fn of(state: &'static str) -> Self {
        Self { state, reason: None, says: None, since: None, next_attempt: None, ends: None }
    }

    fn because(self, reason: &str) -> Self {
        Self { reason: Some(reason.to_owned()), says: Some(in_words(reason)), ..self }
    }
}

/// The sentence for a reason.
fn in_words(reason: &str) -> &'static str {
    match reason {
        "invalid_grant" => {
            "The service has ended the access: somebody took it back there, a password was changed, or it was not used for too long."
        }
        "no_refresh_token" => "The access has run out, and the service gave nothing to renew it with.",
        "refresh_interrupted" => {
            "The gateway was cut off while it renewed the access, and this service lets nobody try that twice."
        }
        "provider_moved" => {
            "The service has another address, or another way to connect, in this gateway's configuration, where what it issued before is \
             not sent."
        }
        "key_refused" => "The service no longer takes the key: it was deleted there, or it has run out.",
        "sign_in_over" => {
            "The access has run out. It comes with your sign-in at this gateway, and is there again with the next one."
        }
        "api_base_refused" => {
            "The service's data is at an address that this gateway's configuration does not know, or no longer knows."
        }
        "tokens_bound_otherwise" => {
            "This gateway now uses another kind of access with the service than when the account was connected."
        }
        "connect" | "timeout" | "transport" | "unavailable" | "provider_unavailable" => {
            "The service could not be reached, or is overloaded."
        }
        "invalid_client"
        | "unauthorized_client"
        | "invalid_request"
        | "unsupported_grant_type"
        | "invalid_scope"
        | "invalid_target" => {
            "The service does not accept this gateway right now. Whoever runs the gateway has to look after it."
        }
        "lifetime" => "The service lets nobody stay connected for longer without signing in once more.",
        "store_unavailable" => "The gateway could not reach its store.",
        "refused" => "The service refused to renew the access, and did not say why.",
        _ => "The service did not answer as it should.",
    }
}

const NEEDS_RECONNECTING: &str = "needs_reconnecting";
const ENDING_SOON: &str = "ending_soon";
/// An attempt that is older was cut off.
const UNDER_WAY: Duration = Duration::from_secs(60);
