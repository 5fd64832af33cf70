use http::StatusCode;
use protocol::{ErrorCode, Problem};

use super::{ProxyError, Row};

/// The upstream did not answer, or not in a way that can be handed on.
pub(super) fn row(error: &ProxyError) -> Row {
    const LATER: &str = "Try again later; if it goes on, tell the gateway's operator the request id.";
    let row = |problem, reason, message| Row::new((problem, ErrorCode::OAuthError), reason, message, LATER);
    match error {
        ProxyError::Unreachable(_) | ProxyError::Untouched(_) => {
            row(Problem::UpstreamUnreachable, "upstream_unreachable", "The upstream cannot be reached.")
        }
        ProxyError::Timeout => {
            row(Problem::UpstreamTimeout, "upstream_timeout", "The upstream did not answer in time.")
                .with_status(StatusCode::GATEWAY_TIMEOUT)
        }
        ProxyError::Encoded => row(
            Problem::UpstreamFailed,
            "upstream_encoded",
            "The upstream compressed an answer that it was asked not to.",
        ),
        ProxyError::UpstreamRefused => Row::new(
            (Problem::UpstreamFailed, ErrorCode::OAuthError),
            "upstream_refused",
            "The MCP server refuses the call to this account.",
            "Do not repeat the call; whoever runs the MCP server can say what the account lacks.",
        ),
        ProxyError::UpstreamRedirects => Row::new(
            (Problem::UpstreamFailed, ErrorCode::OAuthError),
            "upstream_redirects",
            "The MCP server sends its clients to another URL, which the gateway does not follow.",
            "Tell the gateway's operator, who writes the URL that it leads to with mcp.",
        ),
        ProxyError::Echoed => Row::new(
            (Problem::CredentialEchoed, ErrorCode::OAuthError),
            "credential_echoed",
            "The upstream's answer holds the credential that the gateway sent, so it is not handed on.",
            "Do not repeat the call; the upstream has done what it asked for. Tell the gateway's operator the request id.",
        ),
        _ => row(Problem::UpstreamFailed, "upstream_malformed", "The upstream's answer is malformed."),
    }
}
