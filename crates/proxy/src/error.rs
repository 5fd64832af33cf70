//! The data plane's one table from refusal to status, code, sentence and remedy.

use ::broker::BrokerError;
use http::StatusCode;
use policy::PathError;
use protocol::{ErrorCode, Problem, ScopeSet};

use crate::gate::GateError;
use crate::guard::Echoed;
use crate::http1::Http1Error;
use crate::reading::ContentError;
use crate::websocket::HandshakeError;

mod answer;
mod bounds;
mod broker;
mod content;
mod each;
mod entrance;
mod gate;
mod handshake;
mod row;
mod upstream;

pub use answer::Asked;
pub(crate) use answer::{Standing, link, refuse};
pub use row::Row;

/// Why a call was not forwarded, or its answer not handed on.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// Two servers could read the request differently.
    #[error("the request is ambiguous")]
    Gate(#[source] GateError),
    /// No bearer token, or not in the form of one.
    #[error("no bearer token")]
    TokenMissing,
    /// `X-ATH-Agent-ID` is another than the token's agent.
    #[error("another agent than the token's")]
    AgentMismatch,
    /// `X-ATH-Agent-ID` is missing.
    #[error("X-ATH-Agent-ID is missing")]
    AgentMissing,
    /// The token is for another provider than the path's.
    #[error("another provider than the token's")]
    ProviderMismatch,
    /// A web page of an origin that may not use the door for MCP clients.
    #[error("a page of a foreign origin")]
    ForeignOrigin,
    /// The token is for another resource than the MCP door's.
    #[error("another resource than the token's")]
    Audience,
    /// What OAuth clients look for at a server, and an entrance is none.
    #[error("an entrance has no such document")]
    NoDocument,
    /// The path has more than one reading.
    #[error("the path is ambiguous")]
    Path(#[source] PathError),
    /// A token in the query (RFC 6750 §2.3 advises against it, and upstreams would log it), or a method.
    #[error("the query carries a token or a method")]
    QueryParameter,
    /// A parameter of the query that the credential alone may have.
    #[error("the query carries the credential's parameter")]
    CredentialParameter,
    /// Not the handshake of a WebSocket as it is forwarded.
    #[error("the handshake of a WebSocket is wrong")]
    Handshake(#[source] HandshakeError),
    /// The upstream did not switch, and the agent could not be told otherwise.
    #[error("the upstream answered a handshake without switching")]
    NotSwitched,
    /// No granted scope allows the operation.
    #[error("no granted scope allows the operation")]
    Denied {
        /// The scopes that would.
        wanted: ScopeSet,
    },
    /// The body decides, and it cannot be read.
    #[error("the body of the request cannot be read")]
    Content(#[source] ContentError),
    /// No granted scope allows all that the body asks for.
    #[error("no granted scope allows what the body asks for")]
    ContentDenied {
        /// The scopes that would, each alone.
        wanted: ScopeSet,
    },
    /// The broker refused, or could not decide.
    #[error("the broker refused")]
    Broker(#[source] BrokerError),
    /// The call cannot be recorded.
    #[error("the audit log failed")]
    Audit(#[from] audit::AuditError),
    /// The agent sends its body too slowly.
    #[error("the body of the request does not come")]
    Slow,
    /// The agent has too many calls under way.
    #[error("the agent has too many calls under way")]
    Crowded,
    /// The agent has too many `WebSockets`.
    #[error("the agent has too many WebSockets open")]
    Sockets,
    /// Too many calls are under way at the upstream.
    #[error("too many calls are under way at the upstream")]
    Full,
    /// What requests may take of memory is taken.
    #[error("requests that are under way take all the memory that they may")]
    Memory,
    /// No connection to the upstream.
    #[error("the upstream cannot be reached")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No answer in time.
    #[error("the upstream did not answer in time")]
    Timeout,
    /// The upstream's answer is no HTTP, or broke off before its body.
    #[error("the upstream's answer is malformed")]
    Malformed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It says that it has done nothing with the request, which cannot be sent to it again.
    #[error("the upstream has not taken the request")]
    Untouched(#[source] hyper::Error),
    /// The upstream switched protocols (101), which nobody asked for, or not as it was asked to.
    #[error("the upstream switched protocols unasked, or not as it was asked to")]
    Switched,
    /// The length of the upstream's answer can be read in two ways.
    #[error("the length of the upstream's answer is ambiguous")]
    Framing,
    /// The answer is compressed although that was not asked for: the guard could not look into it.
    #[error("the upstream compressed an answer that it was asked not to")]
    Encoded,
    /// The session is nobody's, or somebody else's.
    #[error("no such session of this client's")]
    SessionUnknown,
    /// An MCP server refuses the call to this account (403).
    #[error("the MCP server refuses the call")]
    UpstreamRefused,
    /// An MCP server sends its client elsewhere.
    #[error("the MCP server redirects")]
    UpstreamRedirects,
    /// The answer holds a credential, and the provider's answers are stopped for that.
    #[error("the upstream's answer holds a credential")]
    Echoed,
}

impl ProxyError {
    /// The scopes that would have allowed the call, where no granted one does; of them there may be none.
    pub(crate) fn wanted(&self) -> Option<&ScopeSet> {
        match self {
            Self::Denied { wanted } | Self::ContentDenied { wanted } => Some(wanted),
            _ => None,
        }
    }
}

impl From<Echoed> for ProxyError {
    fn from(_: Echoed) -> Self {
        Self::Echoed
    }
}

impl From<BrokerError> for ProxyError {
    fn from(error: BrokerError) -> Self {
        match error {
            BrokerError::ScopesNotApproved { denied } => Self::Denied { wanted: denied },
            error => Self::Broker(error),
        }
    }
}

impl From<Http1Error> for ProxyError {
    fn from(error: Http1Error) -> Self {
        match error {
            Http1Error::Length => Self::Framing,
            Http1Error::Coding => Self::Encoded,
            Http1Error::Upload(_) | Http1Error::UploadLength => Self::Gate(GateError::Framing),
            error => Self::Malformed(Box::new(error)),
        }
    }
}

/// The table.
pub(crate) fn row(error: &ProxyError) -> Row {
    use {ErrorCode as C, Problem as P};
    match error {
        ProxyError::Gate(cause) => gate::row(*cause),
        ProxyError::Audit(_) => Row::unrecorded(),
        ProxyError::TokenMissing => Row::new(
            (P::LoginRequired, C::TokenInvalid),
            "token_missing",
            "The request carries no ATH token.",
            "Send `Authorization: Bearer <access_token>` with the token from POST /ath/token.",
        )
        .plainly("Send `Authorization: Bearer <access_token>` with a token for this service; resource_metadata in WWW-Authenticate leads to who issues it."),
        ProxyError::AgentMismatch => Row::new(
            (P::WrongAgent, C::AgentIdentityMismatch),
            "agent_mismatch",
            "X-ATH-Agent-ID is not the agent that the token is bound to.",
            "Send the token's own agent_id, once.",
        )
        .plainly("Leave X-ATH-Agent-ID out, or send the token's own agent_id, once."),
        ProxyError::AgentMissing => Row::new(
            (P::WrongAgent, C::AgentIdentityMismatch),
            "agent_id_missing",
            "X-ATH-Agent-ID is missing.",
            "Send `X-ATH-Agent-ID: <agent_id>` with every call under /ath/proxy.",
        ),
        ProxyError::ProviderMismatch => Row::new(
            (P::WrongService, C::ProviderMismatch),
            "provider_mismatch",
            "The token is not for this provider.",
            "Call the provider_id that POST /ath/token named, or ask for access to this one.",
        )
        .plainly("Present the token for this service; resource_metadata in WWW-Authenticate leads to who issues it."),
        ProxyError::NoDocument | ProxyError::Audience | ProxyError::ForeignOrigin => entrance::row(error),
        ProxyError::Path(cause) => Row::request(
            P::AmbiguousRequest,
            StatusCode::BAD_REQUEST,
            cause.reason(),
            "The path cannot be matched to an approved operation: it can be read in more than one way.",
            "Send the path without dot segments, empty segments, `;`, or percent-encoded separators.",
        ),
        ProxyError::QueryParameter => Row::request(
            P::BadRequest,
            StatusCode::BAD_REQUEST,
            "query_parameter",
            "The query carries an access token, or another method.",
            "Send the ATH token in the Authorization header, the method on the request line, and neither in the query.",
        ),
        ProxyError::CredentialParameter => Row::request(
            P::BadRequest,
            StatusCode::BAD_REQUEST,
            "credential_parameter",
            "The query has a parameter that carries the upstream's credential, which is the gateway's to set.",
            "Send the call without that parameter.",
        ),
        ProxyError::SessionUnknown => Row::request(
            P::NotFound,
            StatusCode::NOT_FOUND,
            "session_unknown",
            "There is no such session for this person and this client.",
            "Begin another one with initialize, and without Mcp-Session-Id.",
        ),
        ProxyError::Handshake(cause) => handshake::row(*cause),
        ProxyError::NotSwitched => Row::new(
            (P::UpstreamFailed, C::OAuthError),
            "upstream_not_switched",
            "The upstream answered the handshake without opening a WebSocket.",
            "See whether the path is one that the service has a WebSocket at; over HTTP/1.1 its answer passes as it is.",
        ),
        ProxyError::Denied { wanted } => {
            let (problem, plainly) = if wanted.is_empty() {
                (P::OperationNotAllowed, "No scope allows it; only the gateway's operator can change that.")
            } else {
                (P::InsufficientScope, "Ask for one of wanted_scopes where the token was issued.")
            };
            Row::new(
                (problem, C::ScopeNotApproved),
                "operation_not_allowed",
                "No granted scope allows this operation.",
                "Ask for one of details.wanted_scopes with POST /ath/authorize; where it is empty, the operation is not offered at all.",
            )
            .plainly(plainly)
        }
        ProxyError::Content(cause) => content::row(*cause),
        ProxyError::ContentDenied { wanted } => content::denied(wanted),
        ProxyError::Broker(error) => broker::row(error),
        ProxyError::Slow | ProxyError::Crowded | ProxyError::Sockets | ProxyError::Full | ProxyError::Memory => {
            bounds::row(error)
        }
        ProxyError::Unreachable(_)
        | ProxyError::Untouched(_)
        | ProxyError::Timeout
        | ProxyError::Malformed(_)
        | ProxyError::Switched
        | ProxyError::Framing
        | ProxyError::Encoded
        | ProxyError::UpstreamRefused
        | ProxyError::UpstreamRedirects
        | ProxyError::Echoed => upstream::row(error),
    }
}
