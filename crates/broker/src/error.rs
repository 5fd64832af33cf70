use std::time::Duration;

use oauth::OAuthError;
use protocol::{AttestationError, ProviderId, ScopeSet};
use secret::{OpenError, SealError};
use store::{CopyError, StoreError};

use crate::{KeysError, ReconnectError, SignInError};

/// Why the broker refused. Each plane has one table from here to status, code and sentence.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The request's JSON lacks a field, or one is of the wrong type; names the field.
    #[error("the field `{0}` is missing or of the wrong type")]
    Field(&'static str),
    /// What the operator has is not for this person.
    #[error("the operator's account is not for this person")]
    NotForYou,
    /// `grant_type` is another than `authorization_code`.
    #[error("the grant type is not supported")]
    GrantType,
    /// The request carries no attestation, or something that is not even a string.
    #[error("the attestation is missing")]
    AttestationMissing,
    /// The attestation does not hold.
    #[error("the attestation does not hold")]
    Attestation(#[source] AttestationError),
    /// The attestation was presented before.
    #[error("the attestation was presented before")]
    AttestationReplayed,
    /// The agent's identity document could not be fetched or is not one.
    #[error("the agent's identity document is of no use")]
    IdentityDocument(#[source] DocumentError),
    /// The agent id has not the form of one.
    #[error("agent_id is no acceptable agent id")]
    AgentId(#[source] protocol::IdError),
    /// The agent is registered already.
    #[error("the agent is registered already")]
    AlreadyRegistered,
    /// No such registration.
    #[error("no such registration")]
    AgentNotRegistered,
    /// There is such a registration or not; the caller did not prove that it is its own.
    #[error("the client is not authenticated")]
    ClientNotAuthenticated,
    /// The registration does not hold right now.
    #[error("the registration is not approved: {}", .0.reason())]
    AgentUnapproved(Unapproved),
    /// The provider is not configured, or nothing was approved for the agent there.
    #[error("the agent is not approved for the provider")]
    ProviderNotApproved,
    /// Asked for more than was approved.
    #[error("scopes beyond the approved ones")]
    ScopesNotApproved {
        /// What was asked for too much.
        denied: ScopeSet,
    },
    /// Approved, consented and requested scopes have nothing in common.
    #[error("no scope is left")]
    NoScopeLeft,
    /// The redirect URI is not one of those registered.
    #[error("the redirect URI is not a registered one")]
    RedirectMismatch,
    /// A redirect URI of another form than https, or http on loopback.
    #[error("a redirect URI is not acceptable")]
    RedirectForm,
    /// `state` is missing, or longer than 1024 bytes.
    #[error("state is missing or too long")]
    StateMissing,
    /// The state that came back is not the one that was sent, or came to another browser.
    #[error("the state, or the browser, is not the one that began")]
    StateMismatch,
    /// The provider's answer names another issuer (RFC 9207).
    #[error("the answer comes from another issuer")]
    IssuerMismatch,
    /// No such session, or none of this client's.
    #[error("no such session")]
    SessionNotFound,
    /// The session was used already.
    #[error("the session was used already")]
    SessionUsed,
    /// The session is older than ten minutes.
    #[error("the session has expired")]
    SessionExpired,
    /// The person has not finished yet.
    #[error("the consent is not finished")]
    ConsentPending,
    /// Another browser, or an earlier click, has claimed the session.
    #[error("the session belongs to another browser")]
    SessionClaimed,
    /// The code is not the one that was delivered.
    #[error("the code is wrong")]
    CodeInvalid,
    /// The person refused.
    #[error("the person refused")]
    UserDenied,
    /// Nobody is signed in at the gateway.
    #[error("nobody is signed in at the gateway")]
    SignIn(#[source] SignInError),
    /// No such ATH token.
    #[error("no such token")]
    TokenInvalid,
    /// The ATH token's time is over.
    #[error("the token has expired")]
    TokenExpired,
    /// The ATH token, or what it hangs on, was revoked.
    #[error("the token was revoked")]
    TokenRevoked,
    /// The token that should be revoked belongs to another agent.
    #[error("the token belongs to another agent")]
    ForeignToken,
    /// Too much in too short a time.
    #[error("too many requests")]
    TooMany {
        /// When the next one has a chance.
        retry_after: Duration,
    },
    /// Everything at the provider was ended while this consent was under way.
    #[error("everything at the provider was ended meanwhile")]
    Overtaken,
    /// An operator has suspended the provider.
    #[error("the provider is suspended")]
    ProviderSuspended,
    /// The person has to sign in at the provider again.
    #[error("the connection to {provider} has to be renewed by its owner")]
    ReconnectRequired {
        /// Where.
        provider: ProviderId,
        /// The link for the person.
        reconnect_url: String,
    },
    /// A link of that kind leads nowhere.
    #[error("the link to reconnect leads nowhere")]
    Reconnect(#[from] ReconnectError),
    /// The provider's OAuth server failed; names why with a fixed word.
    #[error("the provider's OAuth server failed: {reason}")]
    Provider {
        /// A fixed word.
        reason: &'static str,
        /// When to try again, where that helps.
        retry_after: Option<Duration>,
        /// What happened, for the log.
        #[source]
        source: Option<OAuthError>,
    },
    /// The store does not answer.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// A record does not open.
    #[error("a record does not open")]
    Sealed(#[from] OpenError),
    /// A record cannot be sealed.
    #[error("a record cannot be sealed")]
    Seal(#[from] SealError),
    /// The sealing keys are not taken over as they are.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// A record opens and is none of this version's.
    #[error("a record is of unknown form")]
    RecordForm(#[source] serde_json::Error),
    /// Another writer was faster, several times over.
    #[error("too many writers at one record")]
    Contention,
    /// The audit log cannot be written, so nothing is decided.
    #[error("the audit log failed")]
    Audit(#[from] audit::AuditError),
    /// The account belongs to somebody else here than the person whose session the browser holds.
    #[error("the account belongs to another person's sign-in")]
    AccountElsewhere,
    /// Nobody is signed in in this browser.
    #[error("nobody is signed in")]
    NotSignedIn,
    /// There is no such thing that an operator could act upon.
    #[error("there is no such {0}")]
    Unknown(&'static str),
    /// There is no copy of the store.
    #[error("the store was not copied")]
    Copy(#[from] CopyError),
    /// A background task ended without an answer.
    #[error("a task ended without an answer")]
    TaskLost,
}

/// Why a registration does not hold right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unapproved {
    /// An operator has to look at it first.
    Pending,
    /// Nothing of what it asked for was approved.
    Denied,
    /// Its time is over.
    Expired,
    /// An operator suspended it.
    Suspended,
    /// Its identity document has another key than the one that was approved.
    KeyChanged,
}

impl Unapproved {
    /// The fixed word for `details.reason`.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Pending => "approval_pending",
            Self::Denied => "approval_denied",
            Self::Expired => "approval_expired",
            Self::Suspended => "agent_suspended",
            Self::KeyChanged => "agent_key_changed",
        }
    }
}

/// Why an identity document is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Its host, or all hosts together, are asked for too many.
    #[error("too many documents are asked for")]
    Busy,
    /// It could not be fetched in five seconds.
    #[error("it could not be fetched")]
    Unreachable,
    /// Its address is one that the gateway does not connect to.
    #[error("its address is private, loopback, link-local or otherwise refused")]
    Address,
    /// Another status than 200, a redirect among them.
    #[error("its server answered with another status than 200")]
    Status,
    /// More than 64 KiB.
    #[error("it is larger than 64 KiB")]
    TooLarge,
    /// Not the JSON of an identity document.
    #[error("it is not an ATH identity document")]
    Form,
    /// Its `agent_id` is not the URI it was fetched from.
    #[error("its agent_id is not the URI it was fetched from")]
    OtherAgent,
    /// Its public key is no EC P-256 key.
    #[error("its public_key is not an EC P-256 key")]
    Key,
}

impl DocumentError {
    /// The fixed word for `details.reason`.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Busy => "identity_busy",
            Self::Unreachable => "identity_unreachable",
            Self::Address => "identity_address_refused",
            Self::Status => "identity_status",
            Self::TooLarge => "identity_too_large",
            Self::Form => "identity_malformed",
            Self::OtherAgent => "identity_other_agent",
            Self::Key => "identity_key",
        }
    }
}
