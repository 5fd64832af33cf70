//! Examples of every refusal, for the lists that documentation has of them.

use std::time::Duration;

use audit::AuditError;
use oauth::OAuthError;
use protocol::{AttestationError, IdError, ProviderId, ScopeSet, each};
use secret::{KeyId, OpenError, SealError};
use serde::de::Error as _;
use store::{CopyError, StoreError};

use crate::{
    BrokerError, ClientDocumentError, DocumentError, FetchError, FrontError, GrantProblem, KeySourceError, KeysError,
    ProxyProblem, ReconnectError, SignInError, Unapproved,
};

each!(BrokerError {
    Field(_) => [Field("provider_id")],
    NotForYou => [NotForYou],
    GrantType => [GrantType],
    AttestationMissing => [AttestationMissing],
    Attestation(_) => AttestationError::each().into_iter().map(Attestation),
    AttestationReplayed => [AttestationReplayed],
    IdentityDocument(_) => DocumentError::each().into_iter().map(IdentityDocument),
    AgentId(_) => [AgentId(IdError::Form(""))],
    AlreadyRegistered => [AlreadyRegistered],
    AgentNotRegistered => [AgentNotRegistered],
    ClientNotAuthenticated => [ClientNotAuthenticated],
    AgentUnapproved(_) => Unapproved::each().into_iter().map(AgentUnapproved),
    ProviderNotApproved => [ProviderNotApproved],
    ScopesNotApproved { .. } => [ScopesNotApproved { denied: ScopeSet::default() }],
    NoScopeLeft => [NoScopeLeft],
    RedirectMismatch => [RedirectMismatch],
    RedirectForm => [RedirectForm],
    StateMissing => [StateMissing],
    StateMismatch => [StateMismatch],
    IssuerMismatch => [IssuerMismatch],
    SessionNotFound => [SessionNotFound],
    SessionUsed => [SessionUsed],
    SessionExpired => [SessionExpired],
    ConsentPending => [ConsentPending],
    SessionClaimed => [SessionClaimed],
    CodeInvalid => [CodeInvalid],
    UserDenied => [UserDenied],
    SignIn(_) => SignInError::each().into_iter().map(SignIn),
    TokenInvalid => [TokenInvalid],
    TokenExpired => [TokenExpired],
    TokenRevoked => [TokenRevoked],
    ForeignToken => [ForeignToken],
    TooMany { .. } => [TooMany { retry_after: Duration::from_secs(1) }],
    Overtaken => [Overtaken],
    ProviderSuspended => [ProviderSuspended],
    ReconnectRequired { .. } => reconnect_required(),
    Reconnect(_) => ReconnectError::each().into_iter().map(Reconnect),
    Provider { .. } => PROVIDER_WORDS.map(|reason| Provider { reason, retry_after: None, source: None }),
    Store(_) => [Store(StoreError::Corrupt(String::new()))],
    Sealed(_) => unopened().into_iter().map(Sealed),
    Seal(_) => [Seal(SealError::TooLarge)],
    Keys(_) => KeysError::each().into_iter().map(Keys),
    RecordForm(_) => [RecordForm(serde_json::Error::custom(""))],
    Contention => [Contention],
    Audit(_) => [Audit(AuditError::Dead)],
    AccountElsewhere => [AccountElsewhere],
    NotSignedIn => [NotSignedIn],
    Unknown(_) => [Unknown("agent")],
    Copy(_) => CopyError::each().into_iter().map(Copy),
    TaskLost => [TaskLost],
});

each!(Unapproved {
    Pending => [Pending],
    Denied => [Denied],
    Expired => [Expired],
    Suspended => [Suspended],
    KeyChanged => [KeyChanged],
});

each!(ClientDocumentError {
    Url => [Url],
    Fetch(_) => FetchError::each().into_iter().map(Fetch),
    Form => [Form],
    OtherClient => [OtherClient],
    Metadata(_) => [Metadata("redirect_uris")],
});

each!(FetchError {
    Busy => [Busy],
    Unreachable => [Unreachable],
    Address => [Address],
    Status => [Status],
    TooLarge => [TooLarge],
    Kind => [Kind],
});

each!(DocumentError {
    Busy => [Busy],
    Unreachable => [Unreachable],
    Address => [Address],
    Status => [Status],
    TooLarge => [TooLarge],
    Form => [Form],
    OtherAgent => [OtherAgent],
    Key => [Key],
});

each!(SignInError {
    Missing => [Missing],
    OtherMethod => [OtherMethod],
    WrongPassword => [WrongPassword],
    TooManyWrong => [TooManyWrong],
    Busy => [Busy],
    Proxy(_) => ProxyProblem::each().into_iter().map(Proxy),
    Refused => [Refused],
    Openid(_) => [Openid(OAuthError::Nonsense(""))],
});

each!(ProxyProblem {
    SecretMissing => [SecretMissing],
    SecretRepeated => [SecretRepeated],
    SecretWrong => [SecretWrong],
    CertificateMissing => [CertificateMissing],
    CertificateOther => [CertificateOther],
    UserMissing => [UserMissing],
    UserRepeated => [UserRepeated],
    UserForm => [UserForm],
});

each!(ReconnectError {
    Unknown => [Unknown],
    Expired => [Expired],
    Ended => [Ended],
});

each!(KeysError {
    Missing(_) => [Missing(Vec::new())],
    NotHeld { .. } => KeyId::parse("00000000").map(|key| NotHeld { key, gateways: Vec::new() }),
    Source(_) => [Source(KeySourceError(String::new()))],
});

each!(FrontError {
    Parameter(_) => [Parameter("state")],
    ResponseType => [ResponseType],
    RequestObject => [RequestObject],
    InteractionRequired => [InteractionRequired],
    UnknownService => [UnknownService],
    OneServiceAlone => [OneServiceAlone],
    UsedByOthers => [UsedByOthers],
    ServiceNotChosen => [ServiceNotChosen],
    NeedsPerson => [NeedsPerson],
    KeysUnreachable => [KeysUnreachable],
    UnknownClient => [UnknownClient],
    ClientDocument(_) => ClientDocumentError::each().into_iter().map(ClientDocument),
    DocumentHost => [DocumentHost],
    ClientNotAuthenticated => [ClientNotAuthenticated],
    GrantNotAllowed => [GrantNotAllowed],
    GrantType => [GrantType],
    RedirectUri => [RedirectUri],
    Grant(_) => GrantProblem::each().into_iter().map(Grant),
    Scope => [Scope],
    Target => [Target],
    ConsentRequired { .. } => [ConsentRequired { connect_url: String::new() }],
    AuthorizationPending => [AuthorizationPending],
    SlowDown => [SlowDown],
    AccessDenied => [AccessDenied],
    DeviceCodeExpired => [DeviceCodeExpired],
    MetadataRedirect => [MetadataRedirect],
    Metadata(_) => [Metadata("redirect_uris")],
    RegistrationClosed => [RegistrationClosed],
    Token => [Token],
    TokenScope(_) => [TokenScope("openid")],
    TooMany { .. } => [TooMany { retry_after: Duration::from_secs(1) }],
    Broker(_) => BrokerError::each().into_iter().map(Broker),
});

each!(GrantProblem {
    Code => [Code],
    CodeUsed => [CodeUsed],
    CodeExpired => [CodeExpired],
    RedirectUri => [RedirectUri],
    Verifier => [Verifier],
    RefreshToken => [RefreshToken],
    RefreshTokenReused => [RefreshTokenReused],
    RefreshTokenExpired => [RefreshTokenExpired],
    Ended => [Ended],
    SubjectToken => [SubjectToken],
    DeviceCode => [DeviceCode],
    Assertion => [Assertion],
    AssertionReplayed => [AssertionReplayed],
    Nobody => [Nobody],
});

fn reconnect_required() -> Option<BrokerError> {
    let provider = ProviderId::parse("helpdesk").ok()?;
    Some(BrokerError::ReconnectRequired { provider, reconnect_url: String::new() })
}

fn unopened() -> Vec<OpenError> {
    let unknown = KeyId::parse("00000000").map(OpenError::UnknownKey);
    unknown.into_iter().chain([OpenError::Format, OpenError::Forged]).collect()
}

/// Not all of them: what a provider's server did wrong has many words, and docs/connections.md explains them.
const PROVIDER_WORDS: [&str; 8] = [
    "invalid_client",
    "unauthorized_client",
    "unavailable",
    "connect",
    "timeout",
    "refresh_paused",
    "provider_paused",
    "operators_key_refused",
];
