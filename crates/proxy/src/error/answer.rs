use std::time::Duration;

use ::broker::BrokerError;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use protocol::wire::ErrorBody;
use protocol::{Origin, Refused};
use serde_json::{Map, Value, json};

use super::{ProxyError, Row, row};
use crate::body::ProxyBody;
use crate::challenge::Challenge;
use crate::grpc::{self, Dialect};
use crate::headers::REFUSAL;
use crate::route::{Entrance, Proxied};
use crate::websocket::HandshakeError;

/// What a refusal is the answer to.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// What the client speaks.
    pub dialect: Dialect,
    /// Its request's name.
    pub origin: Origin,
    /// Where the request leads, as far as that can be told.
    pub route: Option<Proxied>,
}

/// What of the gateway's own stands in a refusal.
pub(crate) struct Standing<'a> {
    /// The public URL, without a slash at its end.
    pub(crate) public_url: &'a str,
    /// Of the entrance that the request came by.
    pub(crate) challenge: Option<&'a Challenge>,
}

/// The answer to a refusal. What caused it goes to the log, with the request id.
pub(crate) fn refuse(error: &ProxyError, asked: &Asked, standing: &Standing<'_>) -> Response<ProxyBody> {
    let row = row(error);
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    if row.status.is_server_error() {
        tracing::warn!(error = %error, cause, reason = row.reason, "not forwarded");
    } else {
        tracing::debug!(error = %error, cause, reason = row.reason, "not forwarded");
    }
    let mut response = Response::new(());
    response.extensions_mut().insert(Refused { code: row.code, reason: row.reason });
    *response.status_mut() = row.status;
    set_headers(response.headers_mut(), (error, &row), standing);
    let plain = matches!(asked.route.map(Proxied::entrance), Some(Entrance::Prefix | Entrance::Host | Entrance::Mcp));
    match asked.dialect {
        Dialect::Grpc => {
            let sentence = format!("{} {}", row.message, row.hint);
            grpc::refusal(response, row.reason, &sentence, &ath_body(error, &row))
        }
        Dialect::Http if plain => {
            let kind = HeaderValue::from_static("application/problem+json");
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            response.map(|()| ProxyBody::full(problem(error, &row, (asked, standing))))
        }
        Dialect::Http => response.map(|()| ProxyBody::full(ath_body(error, &row))),
    }
}

fn set_headers(headers: &mut HeaderMap, (error, row): (&ProxyError, &Row), standing: &Standing<'_>) {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let policy = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(HeaderName::from_static(REFUSAL), HeaderValue::from_static(row.problem.as_str()));
    if let Some(challenge) = Challenge::answer(standing.challenge, error, row) {
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    if row.status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
    }
    if matches!(error, ProxyError::Handshake(HandshakeError::Version)) {
        headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    }
    // A doubt about where a message ends ends the connection with it, as does a body whose rest is not waited for.
    if matches!(error, ProxyError::Gate(_) | ProxyError::Handshake(_) | ProxyError::Slow) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if let Some(after) = retry_after(error, row.status) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
    }
}

/// As ATH 0.1 has it.
fn ath_body(error: &ProxyError, row: &Row) -> Vec<u8> {
    let mut details = Map::new();
    details.insert("reason".to_owned(), json!(row.reason));
    details.insert("hint".to_owned(), json!(row.hint));
    if let Some(wanted) = error.wanted() {
        details.insert("wanted_scopes".to_owned(), json!(wanted));
    }
    if let Some(link) = link(error) {
        details.insert("reconnect_url".to_owned(), json!(link));
    }
    let body = ErrorBody { code: row.code, message: row.message.to_owned(), details };
    serde_json::to_vec(&body).unwrap_or_default()
}

/// A problem document (RFC 9457), for who came by a provider's own path or host.
fn problem(error: &ProxyError, row: &Row, (asked, standing): (&Asked, &Standing<'_>)) -> Vec<u8> {
    let (code, hint) = (row.problem.as_str(), row.plain_hint());
    let mut body = json!({
        "type": format!("{}/errors#{code}", standing.public_url),
        "title": row.problem.title(),
        "status": row.status.as_u16(),
        "detail": format!("{} {hint}", row.message),
        "code": code,
        "reason": row.reason,
        "hint": hint,
        "retryable": row.problem.is_retryable(),
    });
    let mut further = |name: &str, value: Value| {
        if let Some(body) = body.as_object_mut() {
            body.insert(name.to_owned(), value);
        }
    };
    if let Some(id) = asked.origin.request_id() {
        further("request_id", json!(id));
    }
    if let Some(wanted) = error.wanted()
        && !wanted.is_empty()
    {
        further("wanted_scopes", json!(wanted));
    }
    if let Some(link) = link(error) {
        further("connect_url", json!(link));
    }
    if asked.route.is_some_and(|route| route.entrance() == Entrance::Mcp) && row.status == StatusCode::UNAUTHORIZED {
        // What MCP clients show their person.
        further("error", json!("invalid_token"));
        further(
            "error_description",
            json!(format!("{} Log in at {} again from your MCP client.", row.message, standing.public_url)),
        );
    }
    serde_json::to_vec(&body).unwrap_or_default()
}

/// The person's.
pub(crate) fn link(error: &ProxyError) -> Option<&str> {
    match error {
        ProxyError::Broker(BrokerError::ReconnectRequired { reconnect_url, .. }) => Some(reconnect_url),
        _ => None,
    }
}

fn retry_after(error: &ProxyError, status: StatusCode) -> Option<Duration> {
    match error {
        ProxyError::Broker(BrokerError::Provider { retry_after, .. }) => *retry_after,
        ProxyError::Broker(BrokerError::TooMany { retry_after }) => Some(*retry_after),
        ProxyError::Crowded | ProxyError::Sockets => Some(Duration::from_secs(1)),
        _ if status == StatusCode::SERVICE_UNAVAILABLE => Some(Duration::from_secs(1)),
        _ => None,
    }
}
