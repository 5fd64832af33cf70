use serde::{Deserialize, Serialize};

/// The closed set of ATH error codes, and `CONFLICT` for a duplicate registration.
///
/// A finer reason goes into `details.reason` of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErrorCode {
    /// The attestation is missing, malformed, expired, replayed or not signed by the agent's key; or the request is malformed.
    InvalidAttestation,
    /// No such registration, or a wrong client secret.
    AgentNotRegistered,
    /// The registration is pending, denied, suspended or past its approval.
    AgentUnapproved,
    /// The agent was not approved for this provider.
    ProviderNotApproved,
    /// A scope lies outside what was approved, or no granted scope allows the operation.
    ScopeNotApproved,
    /// No such consent session, or it was used already.
    SessionNotFound,
    /// The consent session is older than ten minutes.
    SessionExpired,
    /// `state` is missing or is another one.
    StateMismatch,
    /// No such ATH token.
    TokenInvalid,
    /// The ATH token's hour is over.
    TokenExpired,
    /// The ATH token, its grant, its connection or its agent was revoked.
    TokenRevoked,
    /// The token belongs to another agent.
    AgentIdentityMismatch,
    /// The token belongs to another provider.
    ProviderMismatch,
    /// The person refused.
    UserDenied,
    /// The provider failed, or its sign-in has to be repeated.
    #[serde(rename = "OAUTH_ERROR")]
    OAuthError,
    /// The gateway could not decide, and therefore refused.
    InternalError,
    /// The agent is registered already.
    Conflict,
}

impl ErrorCode {
    /// The HTTP status that the specification binds to the code.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::SessionNotFound | Self::SessionExpired | Self::StateMismatch => 400,
            Self::InvalidAttestation | Self::TokenInvalid | Self::TokenExpired | Self::TokenRevoked => 401,
            Self::AgentNotRegistered
            | Self::AgentUnapproved
            | Self::ProviderNotApproved
            | Self::ScopeNotApproved
            | Self::AgentIdentityMismatch
            | Self::ProviderMismatch
            | Self::UserDenied => 403,
            Self::Conflict => 409,
            Self::InternalError => 500,
            Self::OAuthError => 502,
        }
    }
}

/// That an answer refuses, beside it as an extension: for counting, and for the access log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// As the client reads it.
    pub code: ErrorCode,
    /// The finer reason, one of a closed list.
    pub reason: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_written_as_the_schema_has_them() {
        let written = |code| serde_json::to_string(&code).expect("a code is a string");
        assert_eq!(written(ErrorCode::OAuthError), "\"OAUTH_ERROR\"");
        assert_eq!(written(ErrorCode::AgentIdentityMismatch), "\"AGENT_IDENTITY_MISMATCH\"");
        assert_eq!(written(ErrorCode::ScopeNotApproved), "\"SCOPE_NOT_APPROVED\"");
    }
}
