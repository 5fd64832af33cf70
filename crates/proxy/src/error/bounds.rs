use http::StatusCode;
use protocol::ErrorCode;

use super::{ProxyError, Row};

/// Somebody takes more than there is for one, or for all.
pub(super) fn row(error: &ProxyError) -> Row {
    let row = Row {
        status: StatusCode::TOO_MANY_REQUESTS,
        code: ErrorCode::InternalError,
        reason: "too_many_at_once",
        message: "The agent has as many calls under way as it may have.",
        hint: "Let some of them end first; the limit is concurrent_calls_per_agent of the gateway's operator.",
    };
    match error {
        ProxyError::Slow => Row {
            status: StatusCode::REQUEST_TIMEOUT,
            code: ErrorCode::ScopeNotApproved,
            reason: "body_too_slow",
            message: "The body of the request does not come, or comes too slowly.",
            hint: "Begin the call when the body is at hand, and send it without pauses.",
        },
        ProxyError::Sockets => Row {
            reason: "too_many_sockets",
            message: "The agent has as many WebSockets open as it may have.",
            hint: "Close some of them first; the limit is sockets_per_agent of the gateway's operator.",
            ..row
        },
        ProxyError::Full => Row {
            status: StatusCode::SERVICE_UNAVAILABLE,
            reason: "provider_busy",
            message: "As many calls are under way to this provider as there may be.",
            hint: "Try again after Retry-After; other providers are not concerned.",
            ..row
        },
        ProxyError::Memory => Row {
            status: StatusCode::SERVICE_UNAVAILABLE,
            reason: "request_memory",
            message: "The requests that are under way take all the memory that there is for them.",
            hint: "Try again after Retry-After, with fewer headers and fewer requests at a time.",
            ..row
        },
        _ => row,
    }
}
