//! The pages' one table from refusal to status and words for people.

use axum::response::{IntoResponse, Response};
use broker::BrokerError;
use http::StatusCode;

use crate::pages::{Problem, render};

/// Why a page was refused.
#[derive(Debug)]
pub(crate) enum PageError {
    /// The link or the form lacks something.
    Malformed,
    /// The form did not come from a page that this browser was shown.
    Forged,
    /// The broker refused.
    Broker(BrokerError),
}

impl From<BrokerError> for PageError {
    fn from(error: BrokerError) -> Self {
        Self::Broker(error)
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let (status, title, message, hint) = words(&self);
        let problem = Problem { title, message, hint };
        match &self {
            Self::Broker(error) if status.is_server_error() => {
                let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
                tracing::warn!(error = %error, cause, "a page was refused");
            }
            _ => tracing::debug!(error = ?self, "a page was refused"),
        }
        let mut response = render(status, &problem);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(http::header::RETRY_AFTER, http::HeaderValue::from_static("1"));
        }
        response
    }
}

fn words(error: &PageError) -> (StatusCode, &'static str, &'static str, &'static str) {
    const AGAIN: &str = "Go back to the agent and begin again.";
    let bad = StatusCode::BAD_REQUEST;
    match error {
        PageError::Malformed => {
            (bad, "This link is not complete", "Something is missing from the address or the form.", AGAIN)
        }
        PageError::Forged => (
            StatusCode::FORBIDDEN,
            "This form was not sent from here",
            "The request did not come from a page that this browser was shown, so nothing was done.",
            "Open the link from the agent again, in a browser that accepts cookies.",
        ),
        PageError::Broker(error) => broker_words(error),
    }
}

fn broker_words(error: &BrokerError) -> (StatusCode, &'static str, &'static str, &'static str) {
    const AGAIN: &str = "Go back to the agent and begin again.";
    let bad = StatusCode::BAD_REQUEST;
    match error {
        BrokerError::SessionNotFound => {
            (bad, "This request is not known", "The link may be mistyped, or it is very old.", AGAIN)
        }
        BrokerError::SessionExpired => {
            (bad, "This request has expired", "A request for access is good for ten minutes.", AGAIN)
        }
        BrokerError::SessionUsed => (bad, "This request was answered already", "A link can be used once.", AGAIN),
        BrokerError::SessionClaimed => (
            StatusCode::CONFLICT,
            "This request is being answered elsewhere",
            "It was opened and allowed in another window or another browser, and only that one can go on.",
            "Go on there. If that was not you, do nothing here, and begin again from the agent.",
        ),
        BrokerError::StateMismatch | BrokerError::IssuerMismatch => (
            bad,
            "This answer does not belong here",
            "The sign-in was begun in another browser, or was answered by somebody else. Nothing was connected.",
            "If you followed a link that somebody sent you, close this page. Otherwise go back to the agent and begin again, in one browser.",
        ),
        BrokerError::UserDenied => (
            StatusCode::FORBIDDEN,
            "Access was refused",
            "This request was refused; nothing was connected.",
            "You can close this page.",
        ),
        BrokerError::ConsentPending => (bad, "This is not finished yet", "The request is still being answered.", AGAIN),
        BrokerError::AgentNotRegistered | BrokerError::AgentUnapproved | BrokerError::ProviderNotApproved => (
            StatusCode::FORBIDDEN,
            "The agent may not ask for this",
            "Its registration at this gateway is gone, or does not cover what it asks for.",
            "Nothing was connected. You can close this page.",
        ),
        BrokerError::Provider { .. } | BrokerError::ReconnectRequired { .. } => (
            StatusCode::BAD_GATEWAY,
            "The service could not be reached",
            "The service you wanted to connect did not answer as it should.",
            "Nothing was connected. Try again later.",
        ),
        BrokerError::Store(_) | BrokerError::Contention | BrokerError::TaskLost => (
            StatusCode::SERVICE_UNAVAILABLE,
            "The gateway cannot answer right now",
            "It cannot reach its store, so it decides nothing.",
            "Reload this page in a moment.",
        ),
        BrokerError::Sealed(_) | BrokerError::Seal(_) | BrokerError::RecordForm(_) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "The gateway cannot read its records",
            "This is a fault of the gateway, not yours.",
            "Tell whoever runs it.",
        ),
        // What only the JSON endpoints can meet.
        BrokerError::Field(_)
        | BrokerError::GrantType
        | BrokerError::AttestationMissing
        | BrokerError::Attestation(_)
        | BrokerError::AttestationReplayed
        | BrokerError::IdentityDocument(_)
        | BrokerError::AgentId(_)
        | BrokerError::AlreadyRegistered
        | BrokerError::ClientNotAuthenticated
        | BrokerError::ScopesNotApproved { .. }
        | BrokerError::NoScopeLeft
        | BrokerError::RedirectMismatch
        | BrokerError::RedirectForm
        | BrokerError::StateMissing
        | BrokerError::CodeInvalid
        | BrokerError::TokenInvalid
        | BrokerError::TokenExpired
        | BrokerError::TokenRevoked
        | BrokerError::ForeignToken => {
            (bad, "This request cannot be answered", "Something in it is not as it should be.", AGAIN)
        }
    }
}
