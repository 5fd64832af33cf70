use std::time::Duration;

use crate::http_client::{TransportError, TransportErrorKind};

/// Why a provider did not do what it was asked for.
///
/// Only [`OAuthError::is_invalid_grant`] ends a grant. After every other error the tokens at hand are as good as before.
#[derive(Debug, thiserror::Error)]
pub enum OAuthError {
    /// The provider said no.
    #[error("the provider refused: {}", code.as_str())]
    Refused {
        /// Why, as far as it used the standard's words.
        code: ErrorCode,
    },
    /// The provider cannot answer now: 408, 429, 5xx, or one of the standard's codes for it.
    #[error("the provider cannot answer now")]
    Retry {
        /// The `Retry-After` header; at most a day.
        after: Option<Duration>,
        /// The HTTP status.
        status: Option<u16>,
    },
    /// There was no answer. The provider may have acted nevertheless: see [`TransportErrorKind`].
    #[error("the provider could not be asked")]
    Transport(#[source] TransportError),
    /// There was an answer that OAuth has no use for; says with a fixed word what is wrong about it.
    #[error("the provider's answer is of no use: {0}")]
    Nonsense(&'static str),
    /// The provider's metadata could not be read, so that nobody knows where to ask.
    #[error("the provider's metadata could not be read: {0}")]
    Undiscovered(#[source] Box<Self>),
    /// The provider's metadata names an endpoint on a host that the configuration does not know.
    #[error(
        "the provider's metadata names an endpoint at {host}, which is neither the issuer's host nor one of endpoint_hosts"
    )]
    OtherHost {
        /// As a URL has it.
        host: String,
    },
    /// The MCP server names an authorization server, or a document, that the configuration does not let it name.
    #[error("the MCP server leads to {server}, which is neither in its own domain nor one of authorization_servers")]
    OtherServer {
        /// The issuer, or the document's URL, as it was written.
        server: String,
    },
}

impl OAuthError {
    /// Whether the provider says that the code or refresh token is void, so that only a new consent helps.
    #[must_use]
    pub fn is_invalid_grant(&self) -> bool {
        matches!(self, Self::Refused { code: ErrorCode::InvalidGrant })
    }

    /// Whether time alone may heal it: the provider is overloaded, down, or out of reach.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Retry { .. } | Self::Transport(_) | Self::Undiscovered(_))
    }

    /// A fixed word that says what happened.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Refused { code } => code.as_str(),
            Self::Retry { .. } => "unavailable",
            Self::Transport(error) => match error.kind() {
                TransportErrorKind::Connect => "connect",
                TransportErrorKind::Timeout => "timeout",
                TransportErrorKind::TooLarge => "too_large",
                TransportErrorKind::Other => "transport",
            },
            Self::Nonsense(word) => word,
            Self::Undiscovered(error) => error.reason(),
            Self::OtherHost { .. } => "discovery_host",
            Self::OtherServer { .. } => "discovery_server",
        }
    }
}

impl From<TransportError> for OAuthError {
    fn from(error: TransportError) -> Self {
        Self::Transport(error)
    }
}

/// The `error` codes of a token endpoint (RFC 6749 §5.2, RFC 8628 §3.5, RFC 8707 §2, RFC 9449 §8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorCode {
    /// The code or refresh token is void, or was issued to another client or redirect URI.
    InvalidGrant,
    /// The gateway's own credentials are wrong: the operator's concern, and no grant's.
    InvalidClient,
    /// The provider dislikes the request's form: the settings do not fit.
    InvalidRequest,
    /// The gateway's client may not use this grant type.
    UnauthorizedClient,
    /// The provider does not know this grant type.
    UnsupportedGrantType,
    /// The scope is unknown, or more than was granted.
    InvalidScope,
    /// The resource is unknown.
    InvalidTarget,
    /// The person has not answered yet.
    AuthorizationPending,
    /// The same, and the gateway asks too often.
    SlowDown,
    /// The person's time to answer is over.
    ExpiredToken,
    /// The person said no.
    AccessDenied,
    /// The proof of possession needs a nonce of the provider's.
    UseDpopNonce,
    /// The operator has said that it is the gateway's client which is at fault.
    Operator,
    /// None of these; what was said instead is not carried.
    Other,
}

impl ErrorCode {
    /// The standard's spelling; `refused` for [`ErrorCode::Other`].
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidClient => "invalid_client",
            Self::InvalidRequest => "invalid_request",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::AuthorizationPending => "authorization_pending",
            Self::SlowDown => "slow_down",
            Self::ExpiredToken => "expired_token",
            Self::AccessDenied => "access_denied",
            Self::UseDpopNonce => "use_dpop_nonce",
            Self::Operator => "operator_error",
            Self::Other => "refused",
        }
    }

    /// Whether the code says how to go on rather than that it is over.
    pub(crate) fn steers(self) -> bool {
        matches!(
            self,
            Self::InvalidClient
                | Self::AuthorizationPending
                | Self::SlowDown
                | Self::ExpiredToken
                | Self::AccessDenied
                | Self::UseDpopNonce
        )
    }

    /// Codes are compared as they are: `Invalid_Grant` is not the code that ends a grant.
    pub(crate) fn parse(text: &str) -> Self {
        match text {
            "invalid_grant" => Self::InvalidGrant,
            "invalid_client" => Self::InvalidClient,
            "invalid_request" => Self::InvalidRequest,
            "unauthorized_client" => Self::UnauthorizedClient,
            "unsupported_grant_type" => Self::UnsupportedGrantType,
            "invalid_scope" => Self::InvalidScope,
            "invalid_target" => Self::InvalidTarget,
            "authorization_pending" => Self::AuthorizationPending,
            "slow_down" => Self::SlowDown,
            "expired_token" => Self::ExpiredToken,
            "access_denied" => Self::AccessDenied,
            "use_dpop_nonce" => Self::UseDpopNonce,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    #[test]
    fn every_code_of_the_standard_is_read_and_written() {
        for code in [
            "invalid_grant",
            "invalid_client",
            "invalid_request",
            "unauthorized_client",
            "unsupported_grant_type",
            "invalid_scope",
            "invalid_target",
        ] {
            assert_eq!(ErrorCode::parse(code).as_str(), code);
        }
        for code in ["", "Invalid_Grant", "invalid_grant ", "invalid_verifier", "token_expired"] {
            assert_eq!(ErrorCode::parse(code), ErrorCode::Other, "{code:?}");
        }
    }

    #[test]
    fn errors_say_what_to_do() {
        let transport = |kind| OAuthError::from(TransportError::new(kind, "refused"));
        for (error, invalid_grant, temporary, reason) in [
            (OAuthError::Refused { code: ErrorCode::InvalidGrant }, true, false, "invalid_grant"),
            (OAuthError::Refused { code: ErrorCode::InvalidClient }, false, false, "invalid_client"),
            (OAuthError::Refused { code: ErrorCode::Other }, false, false, "refused"),
            (OAuthError::Retry { after: None, status: Some(503) }, false, true, "unavailable"),
            (transport(TransportErrorKind::Connect), false, true, "connect"),
            (transport(TransportErrorKind::Timeout), false, true, "timeout"),
            (transport(TransportErrorKind::TooLarge), false, true, "too_large"),
            (transport(TransportErrorKind::Other), false, true, "transport"),
            (OAuthError::Nonsense("redirect"), false, false, "redirect"),
        ] {
            assert_eq!(error.is_invalid_grant(), invalid_grant, "{error:?}");
            assert_eq!(error.is_temporary(), temporary, "{error:?}");
            assert_eq!(error.reason(), reason, "{error:?}");
        }
    }

    #[test]
    fn each_level_of_an_error_speaks_for_itself() {
        let error = OAuthError::from(TransportError::new(TransportErrorKind::Connect, "refused"));
        assert_eq!(error.to_string(), "the provider could not be asked");
        let transport = error.source().expect("the transport's error");
        assert_eq!(transport.to_string(), "no connection to the server");
        assert_eq!(transport.source().expect("what happened").to_string(), "refused");
    }
}
