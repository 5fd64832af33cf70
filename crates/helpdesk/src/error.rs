//! Everything that can be refused, and how each refusal looks on the wire.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use crate::scope::Scope;

/// Why a request is refused. Display is what the answer's `error_description` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// RFC 6749 §4.1.2.1 and §5.2, and malformed API requests.
    #[error("{0}")]
    InvalidRequest(&'static str),
    /// RFC 6749 §5.2
    #[error("The client is unknown or its secret is wrong.")]
    InvalidClient,
    /// RFC 6749 §5.2
    #[error("{0}")]
    InvalidGrant(&'static str),
    /// RFC 6749 §4.1.2.1 and §5.2
    #[error("The scope is missing, unknown or more than was granted.")]
    InvalidScope,
    /// RFC 6749 §5.2
    #[error("This server knows authorization_code and refresh_token.")]
    UnsupportedGrantType,
    /// RFC 6749 §4.1.2.1
    #[error("This server knows response_type=code.")]
    UnsupportedResponseType,
    /// RFC 8628 §3.5
    #[error("The user has not answered yet.")]
    AuthorizationPending,
    /// RFC 8628 §3.5
    #[error("The user has not answered yet, and the client asks too often.")]
    SlowDown,
    /// RFC 8628 §3.5
    #[error("The device code has expired.")]
    ExpiredToken,
    /// RFC 6749 §4.1.2.1
    #[error("The user said no.")]
    AccessDenied,
    /// RFC 6750 §3: no credentials, hence no error code in the challenge.
    #[error("The request carries no access token.")]
    MissingToken,
    /// RFC 6750 §3.1
    #[error("The access token has expired.")]
    TokenExpired,
    /// RFC 6750 §3.1
    #[error("The access token is unknown or was revoked.")]
    InvalidToken,
    /// RFC 6750 §3.1
    #[error("The access token does not cover this operation.")]
    InsufficientScope(Scope),
    #[error("There is nothing here.")]
    NotFound,
    #[error("This resource does not know the method.")]
    MethodNotAllowed,
    #[error("The ticket has changed since it was read.")]
    Conflict,
    #[error("The body is too large.")]
    TooLarge,
}

impl Error {
    /// The status, and the value of `error` in the answer.
    pub(crate) fn status_and_code(self) -> (StatusCode, &'static str) {
        match self {
            Self::InvalidRequest(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
            Self::InvalidClient => (StatusCode::UNAUTHORIZED, "invalid_client"),
            Self::InvalidGrant(_) => (StatusCode::BAD_REQUEST, "invalid_grant"),
            Self::InvalidScope => (StatusCode::BAD_REQUEST, "invalid_scope"),
            Self::AuthorizationPending => (StatusCode::BAD_REQUEST, "authorization_pending"),
            Self::SlowDown => (StatusCode::BAD_REQUEST, "slow_down"),
            Self::ExpiredToken => (StatusCode::BAD_REQUEST, "expired_token"),
            Self::UnsupportedGrantType => (StatusCode::BAD_REQUEST, "unsupported_grant_type"),
            Self::UnsupportedResponseType => (StatusCode::BAD_REQUEST, "unsupported_response_type"),
            Self::AccessDenied => (StatusCode::FORBIDDEN, "access_denied"),
            Self::MissingToken => (StatusCode::UNAUTHORIZED, "missing_token"),
            Self::TokenExpired => (StatusCode::UNAUTHORIZED, "token_expired"),
            Self::InvalidToken => (StatusCode::UNAUTHORIZED, "invalid_token"),
            Self::InsufficientScope(_) => (StatusCode::FORBIDDEN, "insufficient_scope"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::Conflict => (StatusCode::CONFLICT, "conflict"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large"),
        }
    }

    /// The `WWW-Authenticate` challenge of a 401 or 403 (RFC 6749 §5.2, RFC 6750 §3).
    fn challenge(self) -> Option<&'static str> {
        match self {
            Self::InvalidClient => Some(r#"Basic realm="acme-helpdesk""#),
            Self::MissingToken => Some(r#"Bearer realm="acme-helpdesk""#),
            Self::TokenExpired => Some(
                r#"Bearer realm="acme-helpdesk", error="invalid_token", error_description="The access token expired""#,
            ),
            Self::InvalidToken => Some(r#"Bearer realm="acme-helpdesk", error="invalid_token""#),
            Self::InsufficientScope(Scope::ReadTickets) => {
                Some(r#"Bearer realm="acme-helpdesk", error="insufficient_scope", scope="read:tickets""#)
            }
            Self::InsufficientScope(Scope::WriteTickets) => {
                Some(r#"Bearer realm="acme-helpdesk", error="insufficient_scope", scope="write:tickets""#)
            }
            _ => None,
        }
    }

    /// What is wrong with the token is said by the code alone, as legacy services do.
    fn body(self, code: &str) -> Value {
        match self {
            Self::MissingToken | Self::TokenExpired | Self::InvalidToken => json!({ "error": code }),
            Self::InsufficientScope(scope) => json!({ "error": code, "scope": scope.as_str() }),
            _ => json!({ "error": code, "error_description": self.to_string() }),
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, code) = self.status_and_code();
        let mut response = (status, [(header::CACHE_CONTROL, "no-store")], Json(self.body(code))).into_response();
        if let Some(challenge) = self.challenge() {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}
