//! The pages' one table from refusal to status and words for people.

use std::collections::HashSet;

use axum::response::{IntoResponse, Response};
use broker::{BrokerError, ClientDocumentError, FetchError, FrontError, ProxyProblem, ReconnectError, SignInError};
use http::StatusCode;
use protocol::{ErrorCode, Refused};
use secret::OpenError;

use crate::pages::{Problem, render};

/// Why a page was refused.
#[derive(Debug)]
pub(crate) enum PageError {
    /// The link or the form lacks something.
    Malformed,
    /// The form did not come from a page that this browser was shown.
    Forged,
    /// A device's consent, in a browser that its code was not typed into.
    DeviceCode,
    /// An OAuth client's request is none that a person could answer.
    Front(FrontError),
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
        let wait = match &self {
            Self::Broker(BrokerError::TooMany { .. }) | Self::Front(FrontError::TooMany { .. }) => Some("60"),
            Self::Broker(BrokerError::SignIn(error)) => retry_after(error),
            _ => (status == StatusCode::SERVICE_UNAVAILABLE).then_some("1"),
        };
        let mut response = with_retry_after(render(status, &problem), wait);
        let (code, reason) = plainly(&self);
        response.extensions_mut().insert(Refused { code, reason });
        response.extensions_mut().insert(Plain { code, reason, message: format!("{title}. {message}"), hint });
        response
    }
}

/// One row of the table, for documentation.
#[derive(Debug)]
pub struct PageRow {
    /// The page's; a program at the callback gets the one that ATH binds to the code.
    pub status: StatusCode,
    /// The page's heading.
    pub title: &'static str,
    /// What is wrong.
    pub message: &'static str,
    /// What to do.
    pub hint: &'static str,
    /// What a program is told at the callback.
    pub code: ErrorCode,
    /// The finer reason, one of a closed list.
    pub reason: &'static str,
}

impl PageRow {
    /// Every row, once.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let brokers = BrokerError::each().into_iter().map(PageError::Broker);
        // What of it is the broker's has the same rows.
        let fronts = FrontError::each().into_iter().filter(|error| !matches!(error, FrontError::Broker(_)));
        let fronts = fronts.map(PageError::Front);
        let errors =
            [PageError::Malformed, PageError::Forged, PageError::DeviceCode].into_iter().chain(brokers).chain(fronts);
        let rows = errors.map(|error| {
            let ((status, title, message, hint), (code, reason)) = (words(&error), plainly(&error));
            Self { status, title, message, hint, code, reason }
        });
        let mut told = HashSet::new();
        rows.filter(|row| told.insert((row.title, row.message, row.reason))).collect()
    }
}

/// The same refusal for programs (ATH 0.1: every error is `{code, message, details}`). Browsers get the page.
#[derive(Debug, Clone)]
pub(crate) struct Plain {
    pub(crate) code: ErrorCode,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    pub(crate) hint: &'static str,
}

fn plainly(error: &PageError) -> (ErrorCode, &'static str) {
    let PageError::Broker(error) = error else { return (ErrorCode::StateMismatch, "malformed_request") };
    match error {
        BrokerError::SessionNotFound => (ErrorCode::SessionNotFound, "session_not_found"),
        BrokerError::SessionUsed => (ErrorCode::SessionNotFound, "session_used"),
        BrokerError::SessionClaimed => (ErrorCode::SessionNotFound, "session_claimed"),
        BrokerError::SessionExpired => (ErrorCode::SessionExpired, "session_expired"),
        BrokerError::UserDenied => (ErrorCode::UserDenied, "user_denied"),
        BrokerError::AgentNotRegistered => (ErrorCode::AgentNotRegistered, "agent_not_registered"),
        BrokerError::AgentUnapproved(why) => (ErrorCode::AgentUnapproved, why.reason()),
        BrokerError::IssuerMismatch => (ErrorCode::StateMismatch, "issuer_mismatch"),
        BrokerError::Provider { reason, .. } => (ErrorCode::OAuthError, reason),
        BrokerError::Store(_) | BrokerError::TaskLost | BrokerError::Contention => {
            (ErrorCode::InternalError, "store_unavailable")
        }
        BrokerError::TooMany { .. } => (ErrorCode::InternalError, "rate_limited"),
        BrokerError::ProviderSuspended => (ErrorCode::OAuthError, "provider_suspended"),
        BrokerError::Overtaken => (ErrorCode::UserDenied, "connections_revoked"),
        BrokerError::NotForYou => (ErrorCode::UserDenied, "not_for_this_person"),
        BrokerError::Audit(_) => (ErrorCode::InternalError, "audit_unavailable"),
        BrokerError::Sealed(OpenError::UnknownKey(_)) => (ErrorCode::InternalError, "sealing_key_missing"),
        BrokerError::Sealed(_) | BrokerError::Seal(_) | BrokerError::RecordForm(_) => {
            (ErrorCode::InternalError, "record_unreadable")
        }
        _ => (ErrorCode::StateMismatch, "state_mismatch"),
    }
}

/// In how many seconds another attempt at signing in makes sense, where that is known.
pub(crate) fn retry_after(error: &SignInError) -> Option<&'static str> {
    match error {
        SignInError::TooManyWrong => Some("60"),
        SignInError::Busy => Some("1"),
        _ => None,
    }
}

pub(crate) fn with_retry_after(mut response: Response, seconds: Option<&'static str>) -> Response {
    if let Some(seconds) = seconds {
        response.headers_mut().insert(http::header::RETRY_AFTER, http::HeaderValue::from_static(seconds));
    }
    response
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
        PageError::DeviceCode => (
            StatusCode::FORBIDDEN,
            "Type in the code first",
            "This is a device's or a program's request, which you answer in the browser that you typed its code into.",
            "If you started it, open /oauth/device and type in the code that it shows. If somebody sent you here, they want to act in your name.",
        ),
        PageError::Front(error) => front_words(error),
        PageError::Broker(error) => broker_words(error),
    }
}

/// What a person is told whom a client sent here in vain: nobody sends them on, since nobody knows who asks (RFC 6749 §4.1.2.1).
fn front_words(error: &FrontError) -> (StatusCode, &'static str, &'static str, &'static str) {
    const DEVELOPER: &str = "Tell whoever made the program; there is nothing that you can do here.";
    let bad = StatusCode::BAD_REQUEST;
    match error {
        FrontError::UnknownClient => (
            bad,
            "This program is not known here",
            "It named itself by a client_id that this gateway does not know, or has forgotten since nobody used it.",
            "Let the program connect anew, so that it registers again.",
        ),
        FrontError::ClientDocument(ClientDocumentError::Fetch(FetchError::Busy | FetchError::Unreachable)) => (
            StatusCode::BAD_GATEWAY,
            "The program could not be looked up",
            "It goes by the address of a document about itself, and that document cannot be had right now.",
            "Try again in a moment. If it stays so, tell whoever made the program.",
        ),
        FrontError::ClientDocument(_) => (
            bad,
            "This program's document does not fit",
            "It goes by the address of a document about itself, and there is none that this gateway takes.",
            DEVELOPER,
        ),
        FrontError::DocumentHost => (
            StatusCode::FORBIDDEN,
            "This program is not let in here",
            "It goes by a document at a host that this gateway does not ask.",
            "Ask whoever runs this gateway to add the host.",
        ),
        FrontError::RedirectUri => (
            bad,
            "This link would lead elsewhere",
            "The place to send you back to is none that the program is registered with.",
            DEVELOPER,
        ),
        FrontError::TooMany { .. } => (
            StatusCode::TOO_MANY_REQUESTS,
            "Too many requests",
            "Too much was asked from your network in too short a time.",
            "Try again in a minute.",
        ),
        FrontError::Broker(error) => broker_words(error),
        _ => (
            bad,
            "This link is not complete",
            "The program that sent you here left something out, or said it twice.",
            DEVELOPER,
        ),
    }
}

#[expect(clippy::too_many_lines, reason = "one row for each refusal, in one place")]
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
        BrokerError::SignIn(error) => {
            let words = sign_in_words(error);
            (words.status, words.title, words.message, words.hint)
        }
        BrokerError::UserDenied => (
            StatusCode::FORBIDDEN,
            "Access was refused",
            "This request was refused; nothing was connected.",
            "You can close this page.",
        ),
        BrokerError::ConsentPending => (bad, "This is not finished yet", "The request is still being answered.", AGAIN),
        BrokerError::AgentNotRegistered | BrokerError::AgentUnapproved(_) | BrokerError::ProviderNotApproved => (
            StatusCode::FORBIDDEN,
            "The agent may not ask for this",
            "Its registration at this gateway is gone, or does not cover what it asks for.",
            "Nothing was connected. You can close this page.",
        ),
        BrokerError::NotForYou => (
            StatusCode::FORBIDDEN,
            "This account is not for you",
            "It belongs to whoever runs this gateway, who has said which people may let agents use it. You are not one of them, or are not \
             signed in as one.",
            "Nothing was connected. Ask whoever runs this gateway.",
        ),
        BrokerError::ProviderSuspended => (
            StatusCode::SERVICE_UNAVAILABLE,
            "This service is switched off here",
            "Whoever runs this gateway has stopped everything that goes to it for now.",
            "Nothing was connected. Try again later.",
        ),
        BrokerError::Overtaken => (
            StatusCode::CONFLICT,
            "Everything at this service was just ended",
            "Whoever runs this gateway has ended all connections to it, this one with them.",
            AGAIN,
        ),
        BrokerError::Provider { .. } | BrokerError::ReconnectRequired { .. } => (
            StatusCode::BAD_GATEWAY,
            "The service could not be reached",
            "The service you wanted to connect did not answer as it should.",
            "Nothing was connected. Try again later.",
        ),
        BrokerError::AccountElsewhere => (
            StatusCode::CONFLICT,
            "This account belongs to somebody else here",
            "You are signed in at this gateway as one person, and the account you just used at the service was connected by another.",
            "If both are you, or somebody else used this browser before: sign out at this gateway, then go back to the agent and begin again.",
        ),
        BrokerError::Reconnect(error) => reconnect_words(*error),
        BrokerError::NotSignedIn => (
            StatusCode::FORBIDDEN,
            "You are not signed in",
            "This browser is not signed in here, or no longer. Nothing was done.",
            "Open the accounts page again, and sign in.",
        ),
        BrokerError::Unknown(_) => (
            StatusCode::NOT_FOUND,
            "This is not there any more",
            "It may have been ended already.",
            "Open the accounts page again to see what there is.",
        ),
        BrokerError::TooMany { .. } => (
            StatusCode::TOO_MANY_REQUESTS,
            "Too many requests",
            "More came from here than this gateway takes.",
            "Wait a minute, then try again.",
        ),
        BrokerError::Audit(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "The gateway cannot answer right now",
            "It cannot record what it decides, so it decides nothing.",
            "Reload this page in a moment.",
        ),
        BrokerError::Store(_) | BrokerError::Contention | BrokerError::TaskLost => (
            StatusCode::SERVICE_UNAVAILABLE,
            "The gateway cannot answer right now",
            "It cannot reach its store, so it decides nothing.",
            "Reload this page in a moment.",
        ),
        BrokerError::Sealed(OpenError::UnknownKey(_)) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "The gateway cannot answer right now",
            "It has not got the key to one of its records, so it decides nothing.",
            "Reload this page in a moment.",
        ),
        BrokerError::Sealed(_) | BrokerError::Seal(_) | BrokerError::RecordForm(_) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "The gateway cannot read its records",
            "This is a fault of the gateway, not yours.",
            "Tell whoever runs it.",
        ),
        // What only the JSON endpoints can meet.
        BrokerError::Copy(_)
        | BrokerError::Field(_)
        | BrokerError::GrantType
        | BrokerError::Keys(_)
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

/// The rows for links that lead nowhere.
fn reconnect_words(error: ReconnectError) -> (StatusCode, &'static str, &'static str, &'static str) {
    match error {
        ReconnectError::Unknown => (
            StatusCode::NOT_FOUND,
            "This link is not known",
            "It may be mistyped or cut off, or it is of another gateway.",
            "Let the agent try once more: it gets a new link where one is needed.",
        ),
        ReconnectError::Expired => (
            StatusCode::GONE,
            "This link has expired",
            "A link to reconnect is good for thirty days.",
            "Let the agent try once more: it gets a new link where one is needed.",
        ),
        ReconnectError::Ended => (
            StatusCode::GONE,
            "There is nothing to reconnect",
            "What this link was for was ended meanwhile: the account was disconnected, or the agent's access to it taken back.",
            "Nothing was done. If the agent should have access again, go to it and let it ask you.",
        ),
    }
}

/// What a page says about a sign-in that did not succeed.
pub(crate) struct SignInWords {
    pub(crate) status: StatusCode,
    pub(crate) title: &'static str,
    pub(crate) message: &'static str,
    pub(crate) hint: &'static str,
}

/// The rows for signing in at the gateway itself.
pub(crate) fn sign_in_words(error: &SignInError) -> SignInWords {
    let (status, title, message, hint) = match error {
        SignInError::Missing => (
            StatusCode::FORBIDDEN,
            "You are not signed in",
            "Somebody has to be signed in here, and this browser is not, or no longer. Nothing was done.",
            "Open the link from the agent again, and sign in.",
        ),
        SignInError::OtherMethod => (
            StatusCode::NOT_FOUND,
            "There is nothing to sign in to",
            "People do not sign in in this way at this gateway.",
            "Open the link that the agent gave you.",
        ),
        SignInError::WrongPassword => {
            (StatusCode::FORBIDDEN, "You are not signed in", "Name or password is wrong.", "Try again.")
        }
        SignInError::TooManyWrong => (
            StatusCode::TOO_MANY_REQUESTS,
            "You are not signed in",
            "There were too many wrong passwords in the last minute. Wait a minute, then try again.",
            "Wait a minute, then try again.",
        ),
        SignInError::Busy => (
            StatusCode::SERVICE_UNAVAILABLE,
            "You are not signed in",
            "Too many people are signing in at once. Try again in a moment.",
            "Try again in a moment.",
        ),
        SignInError::Refused => (
            StatusCode::FORBIDDEN,
            "You are not signed in",
            "The sign-in was broken off, or refused by the service that does it. Nothing was done.",
            "Open the link from the agent again, and sign in.",
        ),
        SignInError::Openid(_) => (
            StatusCode::BAD_GATEWAY,
            "The sign-in did not succeed",
            "The service that signs people in for this gateway did not answer as it should. Nobody was signed in.",
            "Try again later. If it happens again, tell whoever runs this gateway.",
        ),
        SignInError::Proxy(problem) => {
            (StatusCode::FORBIDDEN, "This gateway does not know who you are", proxy_words(*problem), BESIDE)
        }
    };
    SignInWords { status, title, message, hint }
}

fn proxy_words(problem: ProxyProblem) -> &'static str {
    match problem {
        ProxyProblem::SecretMissing => {
            "The request does not carry the secret by which the proxy in front proves itself. It did not come through the proxy, or the proxy does not send it."
        }
        ProxyProblem::SecretRepeated => {
            "The request carries the proxy's secret several times, so none of them is believed."
        }
        ProxyProblem::SecretWrong => {
            "The request carries another secret than the one that the proxy in front shares with this gateway."
        }
        ProxyProblem::CertificateMissing => {
            "The connection has no client certificate of the proxy in front. The request did not come through the proxy, or the proxy does not present it."
        }
        ProxyProblem::CertificateOther => {
            "The client certificate of the connection bears another name than the proxy in front."
        }
        ProxyProblem::UserMissing => "The proxy in front proved itself, and does not say who you are.",
        ProxyProblem::UserRepeated => {
            "The proxy in front names several users in one request, so none of them is believed."
        }
        ProxyProblem::UserForm => {
            "The name that the proxy in front gives you is empty, longer than 255 bytes, or has characters in it that no name has."
        }
    }
}

const BESIDE: &str = "Open the gateway at its public address, and sign in there. If that is what you did, tell whoever runs this gateway.";
