use http::StatusCode;
use protocol::ErrorCode;

use super::{ProxyError, Row};

/// The upstream did not answer, or not in a way that can be handed on.
pub(super) fn row(error: &ProxyError) -> Row {
    let code = ErrorCode::OAuthError;
    let row = Row {
        status: StatusCode::from_u16(code.status()).unwrap_or(StatusCode::BAD_GATEWAY),
        code,
        reason: "upstream_malformed",
        message: "The upstream's answer is malformed.",
        hint: "Try again later; if it goes on, tell the gateway's operator the request id.",
    };
    match error {
        ProxyError::Unreachable(_) | ProxyError::Untouched(_) => {
            Row { reason: "upstream_unreachable", message: "The upstream cannot be reached.", ..row }
        }
        ProxyError::Timeout => Row {
            status: StatusCode::GATEWAY_TIMEOUT,
            reason: "upstream_timeout",
            message: "The upstream did not answer in time.",
            ..row
        },
        ProxyError::Encoded => Row {
            reason: "upstream_encoded",
            message: "The upstream compressed an answer that it was asked not to.",
            ..row
        },
        ProxyError::Echoed => Row {
            reason: "credential_echoed",
            message: "The upstream's answer holds the credential that the gateway sent, so it is not handed on.",
            hint: "Do not repeat the call; the upstream has done what it asked for. Tell the gateway's operator the request id.",
            ..row
        },
        _ => row,
    }
}
