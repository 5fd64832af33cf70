//! Clients that live in web pages (WHATWG Fetch): any may come, since none is known by a cookie here.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};

/// What a browser asks before it lets a page ask. It comes for endpoints alone, so what may be asked is what any of them takes.
pub(crate) async fn preflight() -> Response {
    let answer = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Authorization, Content-Type, MCP-Protocol-Version"),
        (header::ACCESS_CONTROL_MAX_AGE, "7200"),
    ];
    (StatusCode::NO_CONTENT, answer).into_response()
}

/// Lets every page read the answer, without credentials of the browser's own.
pub(crate) async fn open(mut response: Response) -> Response {
    for (name, value) in OPEN {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

const OPEN: [(HeaderName, &str); 2] = [
    (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    (header::ACCESS_CONTROL_EXPOSE_HEADERS, "WWW-Authenticate, Retry-After, X-Request-Id"),
];
