use broker::{Broker, Caller};
use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, Response, StatusCode};

use crate::body::Download;
use crate::error::ProxyError;

/// What an MCP server's answer says to the gateway and not to the client: it does not take the token, or wants more of it; or it is
/// elsewhere. A client that saw that would look for a token at the server's own authorization server, or leave.
pub(crate) fn heed(answered: &Response<Download>, broker: &Broker, caller: &Caller) -> Result<(), ProxyError> {
    match answered.status() {
        StatusCode::UNAUTHORIZED => Err(broker.asks_owner(caller).into()),
        StatusCode::FORBIDDEN if wants_more(answered.headers()) => Err(broker.asks_owner(caller).into()),
        StatusCode::FORBIDDEN => Err(ProxyError::UpstreamRefused),
        StatusCode::MOVED_PERMANENTLY
        | StatusCode::FOUND
        | StatusCode::SEE_OTHER
        | StatusCode::TEMPORARY_REDIRECT
        | StatusCode::PERMANENT_REDIRECT => Err(ProxyError::UpstreamRedirects),
        _ => Ok(()),
    }
}

/// RFC 6750 §3.1.
fn wants_more(headers: &HeaderMap) -> bool {
    let mut challenges = headers.get_all(WWW_AUTHENTICATE).iter();
    challenges.any(|challenge| crate::expiry::says_error(challenge.as_bytes(), "insufficient_scope"))
}
