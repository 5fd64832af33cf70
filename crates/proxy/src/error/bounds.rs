use http::StatusCode;
use protocol::{ErrorCode, Problem};

use super::{ProxyError, Row};

/// Somebody takes more than there is for one, or for all.
pub(super) fn row(error: &ProxyError) -> Row {
    let row = |problem, status, reason, message, hint| {
        Row::new((problem, ErrorCode::InternalError), reason, message, hint).with_status(status)
    };
    match error {
        ProxyError::Slow => Row::request(
            Problem::BadRequest,
            StatusCode::REQUEST_TIMEOUT,
            "body_too_slow",
            "The body of the request does not come, or comes too slowly.",
            "Begin the call when the body is at hand, and send it without pauses.",
        ),
        ProxyError::Sockets => row(
            Problem::RateLimited,
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_sockets",
            "The agent has as many WebSockets open as it may have.",
            "Close some of them first; the limit is sockets_per_agent of the gateway's operator.",
        ),
        ProxyError::Full => row(
            Problem::Unavailable,
            StatusCode::SERVICE_UNAVAILABLE,
            "provider_busy",
            "As many calls are under way to this provider as there may be.",
            "Try again after Retry-After; other providers are not concerned.",
        ),
        ProxyError::Memory => row(
            Problem::Unavailable,
            StatusCode::SERVICE_UNAVAILABLE,
            "request_memory",
            "The requests that are under way take all the memory that there is for them.",
            "Try again after Retry-After, with fewer headers and fewer requests at a time.",
        ),
        _ => row(
            Problem::RateLimited,
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_at_once",
            "The agent has as many calls under way as it may have.",
            "Let some of them end first; the limit is concurrent_calls_per_agent of the gateway's operator.",
        ),
    }
}
