//! Sessions of MCP servers (up to 2025-11-25): each belongs to the person and the client that it was opened for.
//!
//! What the server calls a session, the gateway seals together with whom it is for, and hands that out: without anything stored, on
//! whichever replica, nobody else's works, whatever they learn of it.

use broker::{Broker, Caller};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::error::ProxyError;

/// In a request the server's own name of the session takes the place of the one that was handed out; anybody else's is unknown.
pub(crate) fn unbind(headers: &mut HeaderMap, broker: &Broker, caller: &Caller) -> Result<(), ProxyError> {
    let Some(named) = only(headers)? else { return Ok(()) };
    let named = named.to_str().ok().and_then(|named| broker.session_behind(caller, named));
    let own = named.and_then(|own| HeaderValue::from_bytes(&own).ok()).ok_or(ProxyError::SessionUnknown)?;
    headers.insert(SESSION, own);
    Ok(())
}

/// In an answer the other way round.
pub(crate) fn bind(headers: &mut HeaderMap, broker: &Broker, caller: &Caller) -> Result<(), ProxyError> {
    let Ok(named) = only(headers) else { return Err(ProxyError::Framing) };
    let Some(own) = named else { return Ok(()) };
    let named = broker.hand_out_session(caller, own.as_bytes())?;
    let named = HeaderValue::try_from(named).map_err(|_| ProxyError::Framing)?;
    headers.insert(SESSION, named);
    Ok(())
}

/// Of two, nobody knows which one counts.
fn only(headers: &HeaderMap) -> Result<Option<&HeaderValue>, ProxyError> {
    let mut all = headers.get_all(SESSION).iter();
    match (all.next(), all.next()) {
        (only, None) => Ok(only),
        (_, Some(_)) => Err(ProxyError::SessionUnknown),
    }
}

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
