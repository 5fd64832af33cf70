//! What the proxy answers by itself.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, PROXY_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use protocol::Problem;
use serde_json::json;

use crate::{Code, Exit, Failure};

/// The body of an answer.
pub(super) type Body = BoxBody<Bytes, BoxError>;
/// Why a body broke off.
pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The header by which a refusal of the gateway's, or of this program's in its name, is told from a service's answer.
pub(super) const REFUSAL: &str = "ath-gateway-refusal";

/// A body that is there already.
pub(super) fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed()
}

/// Nothing but a status.
pub(super) fn empty(status: StatusCode) -> Response<Body> {
    let mut answer = Response::new(whole(Bytes::new()));
    *answer.status_mut() = status;
    answer
}

/// A sentence for whoever reads a tool's complaint.
pub(super) fn sentence(status: StatusCode, text: &str) -> Response<Body> {
    let mut answer = Response::new(whole(format!("ath run: {text}\n")));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}

/// For a request to the proxy that does not carry its secret.
pub(super) fn stranger() -> Response<Body> {
    let text = "this proxy serves the command that it was started for, and no other";
    let mut answer = sentence(StatusCode::PROXY_AUTHENTICATION_REQUIRED, text);
    answer.headers_mut().insert(PROXY_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"ath run\""));
    answer
}

/// A failure on the way to the gateway, in the form of the gateway's own refusals (RFC 9457).
pub(super) fn refusal(failure: &Failure) -> Response<Body> {
    let status = match failure.code {
        Code::Gateway(problem) => StatusCode::from_u16(problem.status()).unwrap_or(StatusCode::BAD_GATEWAY),
        code if code.exit() == Exit::Denied => StatusCode::FORBIDDEN,
        Code::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::BAD_GATEWAY,
    };
    let body = json!({
        "type": "about:blank", "title": title(failure.code), "status": status.as_u16(), "detail": failure.message,
        "code": failure.code.as_str(), "hint": failure.hint, "connect_url": failure.connect_url,
        "request_id": failure.request_id, "retryable": failure.retryable,
    });
    let mut answer = Response::new(whole(body.to_string()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if let Ok(code) = HeaderValue::from_str(failure.code.as_str()) {
        answer.headers_mut().insert(REFUSAL, code);
    }
    answer
}

fn title(code: Code) -> &'static str {
    match code {
        Code::Gateway(problem) => problem.title(),
        _ => Problem::UpstreamUnreachable.title(),
    }
}
