//! What the helpdesk says of its API, in `OpenAPI` 3.1, to whoever asks. Where tokens come from is another matter, and not in it.

use axum::response::{IntoResponse, Response};
use http::header;

/// `GET /openapi.json`, without a token.
pub(crate) async fn get() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}

const DOCUMENT: &str = include_str!("openapi.json");

#[cfg(test)]
#[path = "openapi_tests.rs"]
mod tests;
