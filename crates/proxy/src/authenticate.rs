use std::rc::Rc;

use broker::{Near, Seen};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use protocol::{Origin, Timestamp};
use tracing::Instrument;

use crate::core::named;
use crate::error::ProxyError;
use crate::route::{Entrance, Proxied};
use crate::upstream::Upstream;

/// Who calls, and whether it may be here at all (ATH 0.1, proxy): token, agent, provider, in the order of the protocol's table.
pub(crate) async fn authenticate(
    near: &Near,
    (origin, now): (Origin, Timestamp),
    headers: &HeaderMap,
    route: &Proxied,
    upstream: Option<&Upstream>,
) -> Result<Rc<Seen>, ProxyError> {
    let token = bearer(headers)?;
    let caller = match near.at_hand(token, now) {
        Some(caller) => caller,
        // Boxed, as everything is that is rare: a call on its usual way need not carry its size.
        None => Box::pin(near.look_up(&near.broker().asked_by(origin), token).instrument(named(&origin))).await?,
    };
    let named = named_agent(headers)?;
    if named.is_some_and(|named| named != caller.agent_id().as_str()) {
        return Err(ProxyError::AgentMismatch);
    }
    if !leads_there(&caller, route, upstream) {
        return Err(match route.entrance {
            // What MCP clients make of 403 is that the server is lost; a token for another resource is no good one.
            Entrance::Mcp => ProxyError::Audience,
            _ => ProxyError::ProviderMismatch,
        });
    }
    // On a provider's own host or path, an SDK that knows nothing of ATH sends no such header; an OAuth client does so nowhere.
    if named.is_none() && route.entrance == Entrance::Ath && caller.names_its_agent() {
        return Err(ProxyError::AgentMissing);
    }
    Ok(caller)
}

/// At the door for MCP clients to one service, a token for all of them is another resource's (MCP, authorization: servers accept tokens
/// for themselves alone). A tool calls with it all the same.
fn leads_there(caller: &Seen, route: &Proxied, upstream: Option<&Upstream>) -> bool {
    match upstream {
        Some(_) if route.is_door() && caller.is_for_every_service() => false,
        Some(upstream) => upstream.provider_id == *caller.provider_id(),
        None => route.entrance == Entrance::Mcp && caller.is_for_every_service(),
    }
}

/// `Bearer`, one space, and the token (RFC 6750 §2.1). The gate saw to it that there is one header at most.
fn bearer(headers: &HeaderMap) -> Result<&str, ProxyError> {
    let value = headers.get(AUTHORIZATION).ok_or(ProxyError::TokenMissing)?;
    let (scheme, token) =
        value.to_str().ok().and_then(|value| value.split_once(' ')).ok_or(ProxyError::TokenMissing)?;
    let form =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=');
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() || !token.bytes().all(form) {
        return Err(ProxyError::TokenMissing);
    }
    Ok(token)
}

/// The one `X-ATH-Agent-ID`; of two, neither is believed.
fn named_agent(headers: &HeaderMap) -> Result<Option<&str>, ProxyError> {
    let mut values = headers.get_all("x-ath-agent-id").iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| ProxyError::AgentMismatch),
        (Some(_), Some(_)) => Err(ProxyError::AgentMismatch),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(value: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, value.parse().expect("a value"));
        bearer(&headers).ok().map(str::to_owned)
    }

    #[test]
    fn only_one_form_of_bearer_is_read() {
        assert_eq!(token("Bearer ath_tk_x"), Some("ath_tk_x".to_owned()));
        assert_eq!(token("bearer a-._~+/=1"), Some("a-._~+/=1".to_owned()));
        for value in [
            "Bearer",
            "Bearer ",
            "Bearer  x",
            "Bearer x ",
            "Bearer\tx",
            "Bearer a b",
            "Bearer a,b",
            "Basic eDp4",
            "Bearer \"x\"",
            "x",
        ] {
            assert_eq!(token(value), None, "{value:?}");
        }
    }
}
