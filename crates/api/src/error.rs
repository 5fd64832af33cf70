//! The control plane's one table from refusal to status, code, sentence and remedy.

use std::collections::HashSet;
use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use broker::{BrokerError, CopyError, KeysError, Unapproved};
use http::{HeaderValue, StatusCode, header};
use protocol::wire::{ErrorBody, JsonError};
use protocol::{ErrorCode, Problem, Refused};
use secret::OpenError;
use serde_json::{Map, Value, json};

/// A refusal as its reader gets it: a fixed code, sentence and hint. What caused it goes to the log.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    code: ErrorCode,
    reason: &'static str,
    message: &'static str,
    hint: &'static str,
    details: Vec<(&'static str, Value)>,
    retry_after: Option<Duration>,
}

impl Refusal {
    /// The sentence for people.
    #[must_use]
    pub fn message(&self) -> &'static str {
        self.message
    }

    /// The fixed word for the finer reason.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.reason
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        self.hint
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// ATH's code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    fn new(code: ErrorCode, reason: &'static str, message: &'static str, hint: &'static str) -> Self {
        let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, code, reason, message, hint, details: Vec::new(), retry_after: None }
    }

    fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    fn with_detail(mut self, name: &'static str, value: Value) -> Self {
        self.details.push((name, value));
        self
    }

    fn with_retry(self, after: Duration) -> Self {
        Self { retry_after: Some(after), ..self }
    }

    /// A malformed request. The closed set of codes has none of its own for it; see docs/decisions.
    fn request(status: StatusCode, reason: &'static str, message: &'static str, hint: &'static str) -> Self {
        Self::new(ErrorCode::InvalidAttestation, reason, message, hint).with_status(status)
    }

    /// A body that is longer than any may be.
    #[must_use]
    pub fn body_too_large() -> Self {
        Self::request(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            "The request body is too large, or broke off.",
            "Send a JSON object of at most 64 KiB.",
        )
    }

    /// A body that did not come in time.
    #[must_use]
    pub fn body_too_slow() -> Self {
        Self::request(
            StatusCode::REQUEST_TIMEOUT,
            "body_too_slow",
            "The request body did not arrive in time.",
            "Send the whole body within 15 seconds.",
        )
    }

    /// There is no memory for a body.
    #[must_use]
    pub fn request_memory() -> Self {
        Self::new(
            ErrorCode::InternalError,
            "request_memory",
            "The requests that are under way take all the memory that there is for them.",
            "Try again after Retry-After.",
        )
        .with_status(StatusCode::SERVICE_UNAVAILABLE)
        .with_retry(Duration::from_secs(1))
    }

    /// A request that ended by a panic.
    #[must_use]
    pub fn fault() -> Self {
        Self::new(
            ErrorCode::InternalError,
            "fault",
            "The gateway failed at this request.",
            "Try again; tell the gateway's operator the request id.",
        )
    }

    pub(crate) fn malformed_json(error: &JsonError) -> Self {
        let refusal = Self::request(
            StatusCode::BAD_REQUEST,
            "malformed_json",
            "The request body is not an acceptable JSON object.",
            "Send one JSON object, no name in it twice.",
        );
        match error {
            JsonError::Malformed { line, column } => {
                refusal.with_detail("line", json!(line)).with_detail("column", json!(column))
            }
            JsonError::NotAnObject => refusal,
        }
    }

    pub(crate) fn field(name: &'static str) -> Self {
        Self::request(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            "A field is missing or of the wrong type.",
            "Send the field that details.field names, in the type of the ATH 0.1 schema.",
        )
        .with_detail("field", json!(name))
    }

    pub(crate) fn no_endpoint() -> Self {
        Self::request(
            StatusCode::NOT_FOUND,
            "not_found",
            "There is no such endpoint.",
            "The endpoints are listed at /.well-known/ath.json and in the documentation.",
        )
    }

    pub(crate) fn client_authentication() -> Self {
        Self::new(
            ErrorCode::AgentNotRegistered,
            "client_authentication",
            "The client is not authenticated.",
            "Send client_id and client_secret of a live registration; register again if the secret is lost.",
        )
        .with_status(StatusCode::UNAUTHORIZED)
    }
}

/// 404 for whatever is no endpoint.
pub(crate) async fn not_found() -> impl IntoResponse {
    // As every refusal of a call: a service's path may have been here before.
    ([("ath-gateway-refusal", Problem::NotFound.as_str())], Refusal::no_endpoint())
}

/// 405 for an endpoint with another method; the `Allow` header names the right ones.
pub(crate) async fn method_not_allowed() -> Refusal {
    Refusal::other_method()
}

impl Refusal {
    fn other_method() -> Self {
        Self::request(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "The endpoint does not take this method.",
            "Use a method that the Allow header names.",
        )
    }

    /// Every refusal there is at the JSON endpoints, once, for documentation.
    #[must_use]
    pub fn rows() -> Vec<Self> {
        let own = [
            Self::body_too_large(),
            Self::body_too_slow(),
            Self::request_memory(),
            Self::fault(),
            Self::malformed_json(&JsonError::NotAnObject),
            Self::no_endpoint(),
            Self::other_method(),
        ];
        let rows = own.into_iter().chain(BrokerError::each().into_iter().map(|error| refusal(&error)));
        let mut told = HashSet::new();
        rows.filter(|row| told.insert((row.status, row.reason, row.message, row.hint))).collect()
    }
}

/// The table.
#[must_use]
#[expect(clippy::too_many_lines, reason = "one row for each refusal, in one place")]
pub fn refusal(error: &BrokerError) -> Refusal {
    use ErrorCode as C;
    match error {
        BrokerError::Field(name) => Refusal::field(name),
        BrokerError::GrantType => Refusal::request(
            StatusCode::BAD_REQUEST,
            "unsupported_grant_type",
            "The grant type is not supported.",
            "Send grant_type \"authorization_code\".",
        ),
        BrokerError::AttestationMissing => Refusal::new(
            C::InvalidAttestation,
            "attestation_missing",
            "The request carries no agent attestation.",
            "Send agent_attestation: a fresh ES256 JWT signed with the agent's key, with iss, sub, aud, iat, exp and jti.",
        ),
        BrokerError::Attestation(cause) => Refusal::new(
            C::InvalidAttestation,
            cause.reason(),
            "The agent attestation does not hold.",
            "Sign a fresh ES256 JWT: sub = agent_id, aud = this endpoint, iat = now, exp at most an hour later, a new jti.",
        ),
        BrokerError::AttestationReplayed => Refusal::new(
            C::InvalidAttestation,
            "attestation_replayed",
            "The agent attestation was presented before.",
            "Sign a fresh attestation with a new jti for every request.",
        ),
        BrokerError::IdentityDocument(cause) => Refusal::new(
            C::InvalidAttestation,
            cause.reason(),
            "The agent's identity document could not be used.",
            "Serve the identity document as JSON at agent_id, with the same agent_id and an EC P-256 public_key in it.",
        ),
        BrokerError::AgentId(_) => Refusal::new(
            C::InvalidAttestation,
            "agent_id_form",
            "agent_id is not an acceptable agent id.",
            "Use the https URL of the identity document, spelt canonically.",
        ),
        BrokerError::AlreadyRegistered => Refusal::new(
            C::Conflict,
            "already_registered",
            "The agent is registered already.",
            "Use the client_id and client_secret of that registration; if they are lost, delete it with a bearer attestation first.",
        ),
        BrokerError::AgentNotRegistered => Refusal::new(
            C::AgentNotRegistered,
            "agent_not_registered",
            "There is no such registration.",
            "Register at agent_registration_endpoint of /.well-known/ath.json.",
        ),
        BrokerError::ClientNotAuthenticated => Refusal::client_authentication(),
        BrokerError::AgentUnapproved(why) => Refusal::new(
            C::AgentUnapproved,
            why.reason(),
            "The registration is not approved right now.",
            match why {
                Unapproved::Pending => {
                    "Wait for the gateway's operator, who approves with `ath-gateway agents approve`."
                }
                Unapproved::Denied => "Ask the gateway's operator what agents may have here.",
                Unapproved::Expired => {
                    "Delete the registration and register again, or ask the gateway's operator to renew it."
                }
                Unapproved::Suspended => "Ask the gateway's operator why the agent was suspended.",
                Unapproved::KeyChanged => {
                    "Ask the gateway's operator to approve the new key with `ath-gateway agents approve`."
                }
            },
        ),
        BrokerError::NotForYou => Refusal::new(
            C::UserDenied,
            "not_for_this_person",
            "The operator's account is not for this person.",
            "Ask the gateway's operator who may have it.",
        ),
        BrokerError::ProviderNotApproved => Refusal::new(
            C::ProviderNotApproved,
            "provider_not_approved",
            "The agent is not approved for this provider.",
            "Ask for a provider of /.well-known/ath.json when registering.",
        ),
        BrokerError::ScopesNotApproved { denied } => Refusal::new(
            C::ScopeNotApproved,
            "scope_not_approved",
            "The agent is not approved for some of these scopes.",
            "Ask only for approved_scopes of the registration.",
        )
        .with_detail("denied_scopes", json!(denied)),
        BrokerError::NoScopeLeft => Refusal::new(
            C::ScopeNotApproved,
            "no_scope_left",
            "What was approved, consented to and asked for has nothing in common.",
            "Begin again with scopes that the person consents to.",
        ),
        BrokerError::RedirectMismatch => Refusal::request(
            StatusCode::BAD_REQUEST,
            "redirect_uri_mismatch",
            "user_redirect_uri is not one of the registered redirect URIs.",
            "Send a registered redirect URI exactly as registered, or leave it out.",
        ),
        BrokerError::RedirectForm => Refusal::request(
            StatusCode::BAD_REQUEST,
            "redirect_uri_form",
            "A redirect URI is not acceptable.",
            "Register at most 16 https URIs, or http URIs on loopback, without fragment or credentials.",
        ),
        BrokerError::StateMissing => Refusal::new(
            C::StateMismatch,
            "state_missing",
            "state is missing, empty, or longer than 1024 bytes.",
            "Send a fresh random state of at least 128 bits.",
        ),
        BrokerError::StateMismatch => Refusal::new(
            C::StateMismatch,
            "state_mismatch",
            "This answer does not belong to a consent that this browser began.",
            "Begin again from the agent, in one browser.",
        ),
        BrokerError::IssuerMismatch => Refusal::new(
            C::StateMismatch,
            "issuer_mismatch",
            "This answer comes from another provider than the one that was asked.",
            "Begin again from the agent; if it happens again, tell the gateway's operator.",
        ),
        BrokerError::SessionNotFound => Refusal::new(
            C::SessionNotFound,
            "session_not_found",
            "There is no such consent session.",
            "Begin again with POST /ath/authorize.",
        ),
        BrokerError::SessionUsed => Refusal::new(
            C::SessionNotFound,
            "session_used",
            "This consent session was used already.",
            "Begin again with POST /ath/authorize.",
        ),
        BrokerError::SessionExpired => Refusal::new(
            C::SessionExpired,
            "session_expired",
            "This consent session is older than ten minutes.",
            "Begin again with POST /ath/authorize.",
        ),
        BrokerError::ConsentPending => Refusal::new(
            C::SessionNotFound,
            "consent_pending",
            "The person has not finished the consent.",
            "Let the person finish at authorization_url, then present the code that comes of it.",
        ),
        BrokerError::SignIn(_) => Refusal::new(
            C::SessionNotFound,
            "sign_in_required",
            "The person is not signed in at the gateway.",
            "Let the person sign in, and finish the consent, at authorization_url.",
        ),
        BrokerError::SessionClaimed => Refusal::new(
            C::SessionNotFound,
            "session_claimed",
            "This consent is under way in another browser or another window.",
            "Go on where it began, or begin again from the agent.",
        ),
        BrokerError::CodeInvalid => Refusal::new(
            C::SessionNotFound,
            "code_invalid",
            "The code is not the one that this consent delivered.",
            "Present the code from the redirect or from the gateway's page; after five wrong ones the session is over.",
        ),
        BrokerError::UserDenied => Refusal::new(
            C::UserDenied,
            "user_denied",
            "The person refused.",
            "Do not ask again unless the person wants it.",
        ),
        BrokerError::TokenInvalid => Refusal::new(
            C::TokenInvalid,
            "token_invalid",
            "There is no such ATH token.",
            "Present the access_token from POST /ath/token.",
        ),
        BrokerError::TokenExpired => Refusal::new(
            C::TokenExpired,
            "token_expired",
            "The ATH token has expired.",
            "Begin again with POST /ath/authorize; where the consent still covers the scopes it is one click.",
        ),
        BrokerError::TokenRevoked => Refusal::new(
            C::TokenRevoked,
            "token_revoked",
            "The ATH token was revoked.",
            "Ask the person again with POST /ath/authorize, if they want it.",
        ),
        BrokerError::ForeignToken => Refusal::new(
            C::AgentIdentityMismatch,
            "foreign_token",
            "The token belongs to another agent.",
            "Revoke your own tokens only.",
        ),
        BrokerError::ProviderSuspended => Refusal::new(
            C::OAuthError,
            "provider_suspended",
            "The gateway's operator has stopped everything that goes to this provider.",
            "Try again later, or ask the gateway's operator.",
        )
        .with_status(StatusCode::SERVICE_UNAVAILABLE)
        .with_retry(Duration::from_secs(60)),
        BrokerError::Overtaken => Refusal::new(
            C::UserDenied,
            "connections_revoked",
            "The gateway's operator has ended everything at this provider while this consent was under way.",
            "Begin again with POST /ath/authorize.",
        ),
        BrokerError::TooMany { retry_after } => Refusal::new(
            C::InternalError,
            "rate_limited",
            "Too many requests in too short a time.",
            "Try again after Retry-After.",
        )
        .with_status(StatusCode::TOO_MANY_REQUESTS)
        .with_retry(*retry_after),
        BrokerError::Audit(_) => Refusal::new(
            C::InternalError,
            "audit_unavailable",
            "The gateway cannot record its decisions, so it takes none.",
            "Try again in a second; tell the gateway's operator if it goes on.",
        )
        .with_status(StatusCode::SERVICE_UNAVAILABLE)
        .with_retry(Duration::from_secs(1)),
        BrokerError::Unknown(what) => Refusal::request(
            StatusCode::NOT_FOUND,
            "unknown",
            "There is nothing of that name.",
            "The list commands of `ath-gateway` print the names that there are.",
        )
        .with_detail("what", json!(what)),
        BrokerError::AccountElsewhere | BrokerError::NotSignedIn | BrokerError::Reconnect(_) => Refusal::request(
            StatusCode::FORBIDDEN,
            "not_signed_in",
            "This is for the person in their browser.",
            "Open the page in a browser.",
        ),
        BrokerError::ReconnectRequired { provider, reconnect_url } => Refusal::new(
            C::OAuthError,
            "reconnect_required",
            "The person has to sign in at the provider again.",
            "Do not repeat the call. Hand details.reconnect_url to the person; once they have signed in there, this token works again.",
        )
        .with_detail("provider_id", json!(provider))
        .with_detail("reconnect_url", json!(reconnect_url)),
        BrokerError::Provider { reason, retry_after, .. } => {
            let refusal = Refusal::new(
                C::OAuthError,
                reason,
                "The provider's OAuth server failed.",
                "Try again later, or begin again with POST /ath/authorize; if it goes on, tell the gateway's operator.",
            );
            Refusal { retry_after: *retry_after, ..refusal }
        }
        BrokerError::Copy(why) => no_copy(why),
        BrokerError::Store(_) | BrokerError::Contention | BrokerError::TaskLost => Refusal::new(
            C::InternalError,
            "store_unavailable",
            "The gateway cannot reach its store.",
            "Try again in a second. What was begun may have been done all the same: a repetition then says so.",
        )
        .with_status(StatusCode::SERVICE_UNAVAILABLE)
        .with_retry(Duration::from_secs(1)),
        BrokerError::Sealed(OpenError::UnknownKey(_)) => Refusal::new(
            C::InternalError,
            "sealing_key_missing",
            "This gateway has not got the key that a record of its store is sealed with.",
            "Try again after Retry-After; if it goes on, tell the gateway's operator, who sees the keys with `ath-gateway keys status`.",
        )
        .with_status(StatusCode::SERVICE_UNAVAILABLE)
        .with_retry(Duration::from_secs(5)),
        BrokerError::Keys(error) => keys(error),
        BrokerError::Sealed(_) | BrokerError::Seal(_) | BrokerError::RecordForm(_) => Refusal::new(
            C::InternalError,
            "record_unreadable",
            "The gateway cannot read a record of its store.",
            "Tell the gateway's operator, with the request id.",
        ),
    }
}

fn no_copy(why: &CopyError) -> Refusal {
    match why {
        CopyError::Path => Refusal::request(
            StatusCode::BAD_REQUEST,
            "backup_path",
            "A backup needs the absolute path of a file.",
            "Send `file`: a path on the gateway's machine that begins with `/`.",
        ),
        CopyError::Exists => Refusal::request(
            StatusCode::CONFLICT,
            "backup_exists",
            "There is a file of that name already.",
            "Name another one: a backup replaces nothing.",
        ),
        CopyError::Elsewhere => Refusal::request(
            StatusCode::CONFLICT,
            "backup_elsewhere",
            "The records of this gateway are not in a file of its own.",
            "Back up the Redis that they are in, by its own means: docs/backup.md says how.",
        ),
        CopyError::Write(_) | CopyError::Store(_) => Refusal::new(
            ErrorCode::InternalError,
            "backup_failed",
            "The backup could not be written; there is none.",
            "Name a folder on the gateway's machine where the gateway may write, with room; the gateway's log says what failed.",
        ),
    }
}

/// What an operator is told whose keys are not taken over.
fn keys(error: &KeysError) -> Refusal {
    let refused = |reason, message, hint| Refusal::request(StatusCode::CONFLICT, reason, message, hint);
    match error {
        KeysError::Missing(keys) => refused(
            "key_missing",
            "Records need a key that is not among those that were read; nothing was changed.",
            "Put the keys that details.key_ids names back into keys of [store], behind the one that seals, and ask again.",
        )
        .with_detail("key_ids", json!(keys.iter().map(ToString::to_string).collect::<Vec<_>>())),
        KeysError::NotHeld { key, gateways } => refused(
            "key_not_held",
            "Another gateway of this store has not got the new key and could not read what it seals; nothing was sealed with it.",
            "Give the key to every gateway first, behind the one that seals; `ath-gateway keys status` shows who lacks it.",
        )
        .with_detail("key_id", json!(key.to_string()))
        .with_detail("gateways", json!(gateways)),
        KeysError::Source(problem) => refused(
            "keys_unreadable",
            "The keys cannot be read again; those that the gateway has stay in use.",
            "Mend what details.problem names, and ask again; `ath-gateway check` finds problems of the configuration.",
        )
        .with_detail("problem", json!(problem.to_string())),
    }
}

impl From<BrokerError> for Refusal {
    fn from(error: BrokerError) -> Self {
        let refusal = refusal(&error);
        let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        if refusal.status.is_server_error() {
            tracing::warn!(error = %error, cause, reason = refusal.reason, "refused");
        } else {
            tracing::debug!(error = %error, cause, reason = refusal.reason, "refused");
        }
        refusal
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut details = Map::new();
        details.insert("reason".to_owned(), json!(self.reason));
        details.insert("hint".to_owned(), json!(self.hint));
        for (name, value) in self.details {
            details.insert(name.to_owned(), value);
        }
        let body = ErrorBody { code: self.code, message: self.message.to_owned(), details };
        let mut response = (self.status, Json(body)).into_response();
        response.extensions_mut().insert(Refused { code: self.code, reason: self.reason });
        if let Some(after) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
        }
        response
    }
}
