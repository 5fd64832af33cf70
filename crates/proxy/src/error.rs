//! The data plane's one table from refusal to status, code, sentence and remedy.

use std::time::Duration;

use broker::BrokerError;
use http::{HeaderValue, Response, StatusCode, header};
use policy::PathError;
use protocol::wire::ErrorBody;
use protocol::{ErrorCode, Refused, ScopeSet};
use secret::OpenError;
use serde_json::{Map, json};

use crate::body::ProxyBody;
use crate::gate::GateError;
use crate::grpc::{self, Dialect};
use crate::guard::Echoed;
use crate::http1::Http1Error;
use crate::websocket::HandshakeError;

mod bounds;
mod gate;
mod handshake;
mod upstream;

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
    /// The answer holds a credential, and the provider's answers are stopped for that.
    #[error("the upstream's answer holds a credential")]
    Echoed,
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

/// One row of the table.
struct Row {
    status: StatusCode,
    code: ErrorCode,
    reason: &'static str,
    message: &'static str,
    hint: &'static str,
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

/// The answer to a refusal. What caused it goes to the log, with the request id.
#[must_use]
pub fn refuse(error: &ProxyError, dialect: Dialect) -> Response<ProxyBody> {
    let row = row(error);
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    if row.status.is_server_error() {
        tracing::warn!(error = %error, cause, reason = row.reason, "not forwarded");
    } else {
        tracing::debug!(error = %error, cause, reason = row.reason, "not forwarded");
    }
    let mut details = Map::new();
    details.insert("reason".to_owned(), json!(row.reason));
    details.insert("hint".to_owned(), json!(row.hint));
    if let ProxyError::Denied { wanted } = error {
        details.insert("wanted_scopes".to_owned(), json!(wanted));
    }
    if let ProxyError::Broker(BrokerError::ReconnectRequired { reconnect_url, .. }) = error {
        details.insert("reconnect_url".to_owned(), json!(reconnect_url));
    }
    let body = ErrorBody { code: row.code, message: row.message.to_owned(), details };
    let body = serde_json::to_vec(&body).unwrap_or_default();
    let mut response = Response::new(());
    response.extensions_mut().insert(Refused { code: row.code, reason: row.reason });
    *response.status_mut() = row.status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let policy = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if row.status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"ath-gateway\""));
    }
    if row.status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
    }
    if matches!(error, ProxyError::Handshake(HandshakeError::Version)) {
        headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    }
    // A doubt about where a message ends ends the connection with it, as does a body whose rest is not waited for.
    if matches!(error, ProxyError::Gate(_) | ProxyError::Handshake(_) | ProxyError::Slow) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if let Some(after) = retry_after(error, row.status) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
    }
    match dialect {
        Dialect::Http => response.map(|()| ProxyBody::full(body)),
        Dialect::Grpc => grpc::refusal(response, row.reason, &format!("{} {}", row.message, row.hint), &body),
    }
}

fn retry_after(error: &ProxyError, status: StatusCode) -> Option<Duration> {
    match error {
        ProxyError::Broker(BrokerError::Provider { retry_after, .. }) => *retry_after,
        ProxyError::Broker(BrokerError::TooMany { retry_after }) => Some(*retry_after),
        ProxyError::Crowded | ProxyError::Sockets => Some(Duration::from_secs(1)),
        _ if status == StatusCode::SERVICE_UNAVAILABLE => Some(Duration::from_secs(1)),
        _ => None,
    }
}

fn unrecorded() -> Row {
    Row {
        status: StatusCode::SERVICE_UNAVAILABLE,
        code: ErrorCode::InternalError,
        reason: "audit_unavailable",
        message: "The gateway cannot record what it does, so it does nothing.",
        hint: "Try again after Retry-After.",
    }
}

fn row(error: &ProxyError) -> Row {
    let new = |code: ErrorCode, reason, message, hint| {
        let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Row { status, code, reason, message, hint }
    };
    match error {
        ProxyError::Gate(cause) => gate::row(*cause),
        ProxyError::Audit(_) => unrecorded(),
        ProxyError::TokenMissing => new(
            ErrorCode::TokenInvalid,
            "token_missing",
            "The request carries no ATH token.",
            "Send `Authorization: Bearer <access_token>` with the token from POST /ath/token.",
        ),
        ProxyError::AgentMismatch => new(
            ErrorCode::AgentIdentityMismatch,
            "agent_mismatch",
            "X-ATH-Agent-ID is not the agent that the token is bound to.",
            "Send the token's own agent_id, once.",
        ),
        ProxyError::AgentMissing => new(
            ErrorCode::AgentIdentityMismatch,
            "agent_id_missing",
            "X-ATH-Agent-ID is missing.",
            "Send `X-ATH-Agent-ID: <agent_id>` with every call under /ath/proxy.",
        ),
        ProxyError::ProviderMismatch => new(
            ErrorCode::ProviderMismatch,
            "provider_mismatch",
            "The token is not for this provider.",
            "Call the provider_id that POST /ath/token named, or ask for access to this one.",
        ),
        ProxyError::Path(cause) => Row {
            status: StatusCode::BAD_REQUEST,
            code: ErrorCode::ScopeNotApproved,
            reason: cause.reason(),
            message: "The path cannot be matched to an approved operation: it can be read in more than one way.",
            hint: "Send the path without dot segments, empty segments, `;`, or percent-encoded separators.",
        },
        ProxyError::QueryParameter => Row {
            status: StatusCode::BAD_REQUEST,
            code: ErrorCode::ScopeNotApproved,
            reason: "query_parameter",
            message: "The query carries an access token, or another method.",
            hint: "Send the ATH token in the Authorization header, the method on the request line, and neither in the query.",
        },
        ProxyError::CredentialParameter => Row {
            status: StatusCode::BAD_REQUEST,
            code: ErrorCode::ScopeNotApproved,
            reason: "credential_parameter",
            message: "The query has a parameter that carries the upstream's credential, which is the gateway's to set.",
            hint: "Send the call without that parameter.",
        },
        ProxyError::Handshake(cause) => handshake::row(*cause),
        ProxyError::NotSwitched => new(
            ErrorCode::OAuthError,
            "upstream_not_switched",
            "The upstream answered the handshake without opening a WebSocket.",
            "See whether the path is one that the service has a WebSocket at; over HTTP/1.1 its answer passes as it is.",
        ),
        ProxyError::Denied { .. } => new(
            ErrorCode::ScopeNotApproved,
            "operation_not_allowed",
            "No granted scope allows this operation.",
            "Ask for one of details.wanted_scopes with POST /ath/authorize; where it is empty, the operation is not offered at all.",
        ),
        ProxyError::Broker(error) => broker_row(error),
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
        | ProxyError::Echoed => upstream::row(error),
    }
}

fn broker_row(error: &BrokerError) -> Row {
    let new = |code: ErrorCode, reason, message, hint| {
        let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Row { status, code, reason, message, hint }
    };
    match error {
        BrokerError::TokenInvalid => new(
            ErrorCode::TokenInvalid,
            "token_invalid",
            "There is no such ATH token.",
            "Present the access_token from POST /ath/token; tokens of the upstream are never accepted here.",
        ),
        BrokerError::TokenExpired => new(
            ErrorCode::TokenExpired,
            "token_expired",
            "The ATH token has expired.",
            "Begin again with POST /ath/authorize; where the consent still covers the scopes it is one click.",
        ),
        BrokerError::TokenRevoked => new(
            ErrorCode::TokenRevoked,
            "token_revoked",
            "The ATH token, or what it hangs on, was revoked.",
            "Ask the person again with POST /ath/authorize, if they want it.",
        ),
        BrokerError::AgentUnapproved(why) => new(
            ErrorCode::AgentUnapproved,
            why.reason(),
            "The agent's registration is not approved right now.",
            "Ask the gateway's operator, who sees it with `ath-gateway agents list`; register again where the approval has expired.",
        ),
        BrokerError::ReconnectRequired { .. } => new(
            ErrorCode::OAuthError,
            "reconnect_required",
            "The person has to sign in at the provider again.",
            "Do not repeat the call. Hand details.reconnect_url to the person; once they have signed in there, this token works again.",
        ),
        BrokerError::Provider { reason: reason @ "operators_key_refused", .. } => new(
            ErrorCode::OAuthError,
            reason,
            "The service refuses the key that the gateway's operator has for it.",
            "Tell the gateway's operator; it works again when the key was changed.",
        ),
        BrokerError::Provider { reason, .. } => new(
            ErrorCode::OAuthError,
            reason,
            "The provider's OAuth server cannot renew the access token right now.",
            "Try again after Retry-After.",
        ),
        BrokerError::ProviderSuspended => Row {
            status: StatusCode::SERVICE_UNAVAILABLE,
            ..new(
                ErrorCode::OAuthError,
                "provider_suspended",
                "The gateway's operator has stopped everything that goes to this provider.",
                "Try again later, or ask the gateway's operator.",
            )
        },
        BrokerError::TooMany { .. } => Row {
            status: StatusCode::TOO_MANY_REQUESTS,
            ..new(
                ErrorCode::InternalError,
                "rate_limited",
                "Too many requests in too short a time.",
                "Try again after Retry-After.",
            )
        },
        BrokerError::Audit(_) => unrecorded(),
        BrokerError::Store(_) | BrokerError::Contention | BrokerError::TaskLost => Row {
            status: StatusCode::SERVICE_UNAVAILABLE,
            ..new(
                ErrorCode::InternalError,
                "store_unavailable",
                "The gateway cannot reach its store, so it forwards nothing.",
                "Try again after Retry-After.",
            )
        },
        BrokerError::Sealed(OpenError::UnknownKey(_)) => Row {
            status: StatusCode::SERVICE_UNAVAILABLE,
            ..new(
                ErrorCode::InternalError,
                "sealing_key_missing",
                "This gateway has not got the key that a record of its store is sealed with, so it forwards nothing.",
                "Try again after Retry-After; another gateway may have the key already.",
            )
        },
        _ => new(
            ErrorCode::InternalError,
            "fault",
            "The gateway failed at this request.",
            "Tell the gateway's operator the request id.",
        ),
    }
}
