//! The control plane's JSON endpoints: `/ath/*`, discovery and health.
//!
//! **Invariant:** a handler reads a request, asks the broker, and writes the answer; decisions are the broker's. Every refusal goes
//! through the one table in `error.rs`.

mod admin;
mod body;
mod endpoints;
mod error;
mod health;

pub use admin::router as admin_router;
pub use error::{Refusal, refusal};
pub use health::{Availability, router as health_router};

use axum::Router;
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::{get, post};
#[cfg(doc)]
use broker::Broker;
use http::{HeaderValue, header};

/// The JSON endpoints, to be merged with the pages. Whoever serves them puts the request's own [`Broker`] beside each request, as an
/// extension: [`Broker::asked_by`], and an [`Availability`].
pub fn router() -> Router {
    Router::new()
        .route("/.well-known/ath.json", get(endpoints::discovery))
        .route("/.well-known/ath-app.json", get(endpoints::service))
        .route("/ath/agents/register", post(endpoints::register))
        .route("/ath/agents/{client_id}", get(endpoints::registration).delete(endpoints::deregister))
        .route("/ath/authorize", post(endpoints::authorize))
        .route("/ath/token", post(endpoints::token))
        .route("/ath/revoke", post(endpoints::revoke))
        .merge(health::router())
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::method_not_allowed)
        .layer(map_response(unstored))
}

/// Answers hold codes, secrets and decisions of one moment: nobody keeps them (RFC 6749 §5.1).
async fn unstored(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
