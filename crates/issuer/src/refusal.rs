use std::borrow::Cow;
use std::collections::HashSet;
use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use broker::FrontError;
use http::{HeaderValue, StatusCode, header};
use protocol::{ErrorCode, Refused};
use serde_json::json;

use crate::own::{Body, Unread};
use crate::table::{self, row};

/// A refusal as an OAuth client gets it (RFC 6749 §5.2, RFC 6750 §3): a fixed code, a finer fixed word and what to do next. What caused it
/// goes to the log.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    error: &'static str,
    reason: &'static str,
    description: Cow<'static, str>,
    challenge: Challenge,
    connect_url: Option<Box<str>>,
    retry_after: Option<Duration>,
}

/// Which scheme the caller is asked to prove itself with, where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// None.
    None,
    /// The client's own secret (RFC 6749 §5.2): said to those alone that tried it.
    Basic,
    /// An access token (RFC 6750 §3), and nothing was wrong with what was presented: nothing was.
    Bearer,
    /// An access token, and another than this one.
    BearerFailed,
    /// An access token that carries this scope.
    BearerScope(&'static str),
}

impl Refusal {
    pub(crate) fn new(
        status: StatusCode,
        error: &'static str,
        reason: &'static str,
        description: impl Into<Cow<'static, str>>,
    ) -> Self {
        let description = description.into();
        let (challenge, connect_url, retry_after) = (Challenge::None, None, None);
        Self { status, error, reason, description, challenge, connect_url, retry_after }
    }

    pub(crate) fn bad_request(
        error: &'static str,
        reason: &'static str,
        description: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error, reason, description)
    }

    pub(crate) fn challenged(self, challenge: Challenge) -> Self {
        Self { challenge, ..self }
    }

    pub(crate) fn with_link(self, connect_url: String) -> Self {
        Self { connect_url: Some(connect_url.into()), ..self }
    }

    pub(crate) fn with_retry(self, after: Duration) -> Self {
        Self { retry_after: Some(after), ..self }
    }

    /// Asks for the secret again where that is how the client tried (RFC 6749 §5.2).
    pub(crate) fn answering_basic(self) -> Self {
        if self.error == "invalid_client" { self.challenged(Challenge::Basic) } else { self }
    }

    /// The HTTP status, where the refusal is an answer and not a redirect.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// `error`.
    #[must_use]
    pub fn error(&self) -> &'static str {
        self.error
    }

    /// The fixed word for the finer reason.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.reason
    }

    /// `error_description`: what is wrong and what to do, in the characters that RFC 6749 allows there.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The link for the person, where one has to act.
    #[must_use]
    pub fn connect_url(&self) -> Option<&str> {
        self.connect_url.as_deref()
    }

    /// A body that is longer than any may be.
    #[must_use]
    pub fn body_too_large() -> Self {
        Unread::TooLarge(Body::Form).into()
    }

    /// A body that did not come in time.
    #[must_use]
    pub fn body_too_slow() -> Self {
        Unread::TooSlow.into()
    }

    /// There is no memory for a body.
    #[must_use]
    pub fn request_memory() -> Self {
        Unread::NoMemory.into()
    }

    /// A request that ended by a panic.
    #[must_use]
    pub fn fault() -> Self {
        table::fault()
    }

    /// Every refusal there is at these endpoints, once, for documentation.
    #[must_use]
    pub fn rows() -> Vec<Self> {
        let brokers = FrontError::each().into_iter().map(|error| row(&error));
        let mut told = HashSet::new();
        let rows = Unread::each().into_iter().map(Self::from).chain(brokers);
        rows.filter(|row| told.insert((row.status, row.error, row.reason, row.description.clone()))).collect()
    }

    fn www_authenticate(&self) -> Option<HeaderValue> {
        let (error, description) = (self.error, &self.description);
        let value = match self.challenge {
            Challenge::None => return None,
            Challenge::Basic => r#"Basic realm="ath-gateway", charset="UTF-8""#.to_owned(),
            Challenge::Bearer => r#"Bearer realm="ath-gateway""#.to_owned(),
            Challenge::BearerFailed => {
                format!(r#"Bearer realm="ath-gateway", error="{error}", error_description="{description}""#)
            }
            Challenge::BearerScope(scope) => {
                format!(
                    r#"Bearer realm="ath-gateway", error="{error}", scope="{scope}", error_description="{description}""#
                )
            }
        };
        HeaderValue::from_str(&value).ok()
    }

    /// The word of the gateway's access log that comes nearest.
    fn code(&self) -> ErrorCode {
        match self.error {
            "invalid_client" => ErrorCode::AgentNotRegistered,
            "invalid_token" => ErrorCode::TokenInvalid,
            "invalid_scope" | "insufficient_scope" => ErrorCode::ScopeNotApproved,
            "invalid_target" => ErrorCode::ProviderNotApproved,
            "access_denied" => ErrorCode::UserDenied,
            "interaction_required" => ErrorCode::OAuthError,
            "temporarily_unavailable" | "server_error" => ErrorCode::InternalError,
            _ => ErrorCode::InvalidAttestation,
        }
    }
}

impl From<FrontError> for Refusal {
    fn from(error: FrontError) -> Self {
        let refusal = row(&error);
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
        let mut body = json!({"error": self.error, "error_description": self.description, "reason": self.reason});
        if let (Some(link), Some(body)) = (&self.connect_url, body.as_object_mut()) {
            body.insert("connect_url".to_owned(), json!(link));
        }
        let mut response = (self.status, Json(body)).into_response();
        response.extensions_mut().insert(Refused { code: self.code(), reason: self.reason });
        let headers = response.headers_mut();
        if let Some(challenge) = self.www_authenticate() {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(after) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds(after)));
        }
        response
    }
}

/// Rounded up: a client that comes back too early is refused again.
fn seconds(after: Duration) -> u64 {
    after.as_secs() + u64::from(after.subsec_nanos() > 0).max(u64::from(after.is_zero()))
}
