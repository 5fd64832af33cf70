//! What has to do with the way in.

use http::StatusCode;
use protocol::{ErrorCode as C, Problem as P};

use super::{ProxyError, Row};

pub(super) fn row(error: &ProxyError) -> Row {
    match error {
        ProxyError::Audience => Row::new(
            (P::LoginRequired, C::TokenInvalid),
            "token_for_another_resource",
            "The token is for another resource.",
            "Get a token for the resource that resource_metadata in WWW-Authenticate names, and present that.",
        ),
        ProxyError::ForeignOrigin => Row::request(
            P::OperationNotAllowed,
            StatusCode::FORBIDDEN,
            "origin_not_allowed",
            "Web pages of this origin may not use this door.",
            "Ask the gateway's operator to list the page's origin under origins in [mcp].",
        ),
        _ => Row::request(
            P::NotFound,
            StatusCode::NOT_FOUND,
            "no_such_document",
            "A service's entrance is no authorization server, and what the service says of its own is not handed on.",
            "Read /.well-known/oauth-protected-resource of this entrance: it names the authorization server.",
        ),
    }
}
