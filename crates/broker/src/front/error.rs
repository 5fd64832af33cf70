use std::time::Duration;

use super::ClientDocumentError;
use crate::BrokerError;

/// Why the OAuth door refused. `issuer` has the one table from here to RFC 6749's codes, sentences and statuses.
#[derive(Debug, thiserror::Error)]
pub enum FrontError {
    /// A parameter is missing, malformed, doubled or too long; names it.
    #[error("the parameter `{0}` is missing or malformed")]
    Parameter(&'static str),
    /// `response_type` is another than `code`.
    #[error("the response type is not supported")]
    ResponseType,
    /// Request objects (OpenID Connect Core §6) are not taken.
    #[error("request objects are not supported")]
    RequestObject,
    /// `prompt=none`: a person has to answer.
    #[error("a person has to answer")]
    InteractionRequired,
    /// There is no such client.
    #[error("there is no such client")]
    UnknownClient,
    /// The client's metadata document cannot be had, or says something else than it should.
    #[error("the client's metadata document is of no use")]
    ClientDocument(#[source] ClientDocumentError),
    /// The host of a metadata document is none of those whose documents are fetched.
    #[error("metadata documents of that host are not fetched")]
    DocumentHost,
    /// The client did not prove who it is.
    #[error("the client did not prove who it is")]
    ClientNotAuthenticated,
    /// The client is not registered for what it wants.
    #[error("the client may not use this grant")]
    GrantNotAllowed,
    /// There is no such grant type here.
    #[error("there is no such grant type")]
    GrantType,
    /// The redirect URI is none of the client's.
    #[error("the redirect URI is none of the client's")]
    RedirectUri,
    /// What was presented is of no use.
    #[error("what was presented is of no use: {}", .0.reason())]
    Grant(GrantProblem),
    /// A scope that there is not, or that the client may not have.
    #[error("a scope is unknown, or not the client's")]
    Scope,
    /// No such resource, or several, or none where more than one is possible.
    #[error("the resource is unknown, or not named")]
    Target,
    /// There is no such service.
    #[error("there is no such service")]
    UnknownService,
    /// The access token is for one service, and this is about all of them.
    #[error("the access token is for one service alone")]
    OneServiceAlone,
    /// Other agents may use the connection as well.
    #[error("other agents may use the connection")]
    UsedByOthers,
    /// The door for all services, and the request does not say by which one the person comes.
    #[error("the person has not chosen a service")]
    ServiceNotChosen,
    /// A client without a person cannot use this service: its credential is each person's own.
    #[error("the service needs a person")]
    NeedsPerson,
    /// The keys that a statement is to be verified with cannot be had at the moment.
    #[error("the keys of a statement cannot be had")]
    KeysUnreachable,
    /// Somebody has to consent first; with the link for them.
    #[error("the person has to consent first")]
    ConsentRequired {
        /// The link for the person.
        connect_url: String,
    },
    /// The device's person has not finished.
    #[error("the person has not finished")]
    AuthorizationPending,
    /// The device asks too often.
    #[error("the device asks too often")]
    SlowDown,
    /// The person, or an operator, refused.
    #[error("access was refused")]
    AccessDenied,
    /// The device code is too old.
    #[error("the device code has expired")]
    DeviceCodeExpired,
    /// A redirect URI in a registration is of a form that is not accepted.
    #[error("a redirect URI of the registration is not acceptable")]
    MetadataRedirect,
    /// Another field of a registration is not acceptable; names it.
    #[error("`{0}` of the registration is not acceptable")]
    Metadata(&'static str),
    /// Clients do not register themselves here.
    #[error("clients do not register themselves here")]
    RegistrationClosed,
    /// The access token that was presented is not good.
    #[error("the access token is not good")]
    Token,
    /// The access token is not for this.
    #[error("the access token lacks the scope `{0}`")]
    TokenScope(&'static str),
    /// Too much in too short a time.
    #[error("too many requests")]
    TooMany {
        /// When the next one has a chance.
        retry_after: Duration,
    },
    /// Everything else: store, keys, audit, a suspended provider.
    #[error("the broker refused")]
    Broker(#[source] BrokerError),
}

impl From<BrokerError> for FrontError {
    fn from(error: BrokerError) -> Self {
        match error {
            BrokerError::TooMany { retry_after } => Self::TooMany { retry_after },
            error => Self::Broker(error),
        }
    }
}

/// What is wrong with something that was presented at the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantProblem {
    /// No such authorization code, or another client's.
    Code,
    /// The code was used before: whatever came of it has ended.
    CodeUsed,
    /// The code's ten minutes are over.
    CodeExpired,
    /// `redirect_uri` is another than the one that the code was sent to.
    RedirectUri,
    /// `code_verifier` does not belong to the request's `code_challenge`.
    Verifier,
    /// No such refresh token, or another client's.
    RefreshToken,
    /// The refresh token was used before: everything that came of the same consent has ended.
    RefreshTokenReused,
    /// The refresh token's time is over.
    RefreshTokenExpired,
    /// What the token stood for was ended.
    Ended,
    /// The token to be exchanged is not good, another client's, or for one service alone.
    SubjectToken,
    /// No such device code, or another client's.
    DeviceCode,
    /// The statement's signature, issuer, audience or time does not hold.
    Assertion,
    /// The statement was presented before.
    AssertionReplayed,
    /// The statement speaks of nobody who is known here.
    Nobody,
}

impl GrantProblem {
    /// The fixed word for it.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Code => "code_invalid",
            Self::CodeUsed => "code_used",
            Self::CodeExpired => "code_expired",
            Self::RedirectUri => "redirect_uri_mismatch",
            Self::Verifier => "code_verifier_mismatch",
            Self::RefreshToken => "refresh_token_invalid",
            Self::RefreshTokenReused => "refresh_token_reused",
            Self::RefreshTokenExpired => "refresh_token_expired",
            Self::Ended => "grant_ended",
            Self::SubjectToken => "subject_token_invalid",
            Self::DeviceCode => "device_code_invalid",
            Self::Assertion => "assertion_invalid",
            Self::AssertionReplayed => "assertion_replayed",
            Self::Nobody => "subject_unknown",
        }
    }
}
