use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use protocol::wire::ErrorBody;

use crate::error::Plain;

/// What every page is sent with.
///
/// `Referrer-Policy` is `same-origin`, not `no-referrer`: under the latter browsers send `Origin: null` with our own forms.
pub(crate) async fn secure(request: Request, next: Next) -> Response {
    let plain = wants_no_page(&request);
    let mut response = next.run(request).await;
    if let (true, Some(refusal)) = (plain, response.extensions_mut().remove::<Plain>()) {
        response = refused(response, &refusal);
    }
    let headers = response.headers_mut();
    for (name, value) in FIXED {
        set(headers, HeaderName::from_static(name), value);
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if !headers.contains_key(header::CONTENT_SECURITY_POLICY) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy("'self'"));
    }
    response
}

/// A program at the callback, which is ATH's own endpoint: it did not ask for HTML.
fn wants_no_page(request: &Request) -> bool {
    let accepts = |value: &HeaderValue| value.to_str().is_ok_and(|value| value.contains("text/html"));
    request.uri().path().starts_with("/ath/callback") && !request.headers().get_all(header::ACCEPT).iter().any(accepts)
}

fn refused(page: Response, refusal: &Plain) -> Response {
    let (mut parts, _) = page.into_parts();
    // The protocol binds a status to each code. What is not the client's doing, and what is a limit's, has its own.
    if parts.status.is_client_error() && parts.status != StatusCode::TOO_MANY_REQUESTS {
        parts.status = StatusCode::from_u16(refusal.code.status()).unwrap_or(parts.status);
    }
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let details = [("reason", refusal.reason), ("hint", refusal.hint)];
    let details = details.into_iter().map(|(name, text)| (name.to_owned(), text.into())).collect();
    let body = ErrorBody { code: refusal.code, message: refusal.message.clone(), details };
    Response::from_parts(parts, Body::from(serde_json::to_vec(&body).unwrap_or_default()))
}

/// The policy of a page that holds a form. Browsers apply `form-action` to every redirect that follows the POST, so it names where
/// providers (https, and loopback in development) and the agent's redirect URI may lead.
pub(crate) fn policy(form_action: &str) -> HeaderValue {
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; form-action {form_action}"
    );
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"))
}

/// `form-action` of the consent pages. Its grammar has no IPv6 addresses: browsers ignore `http://[::1]:*`, and complain.
pub(crate) const FORM_ACTION: &str = "'self' https: http://localhost:* http://127.0.0.1:*";

fn set(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}

const FIXED: [(&str, &str); 5] = [
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("x-frame-options", "DENY"),
];
