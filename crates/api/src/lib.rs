//! The control plane's JSON endpoints: `/ath/*`, discovery and health.
//!
//! **Invariant:** a handler reads a request, asks the broker, and writes the answer; decisions are the broker's. Every refusal goes
//! through the one table in `error.rs`.

mod body;
mod endpoints;
mod error;
mod health;

pub use error::{Refusal, refusal};

use axum::Router;
use axum::routing::{get, post};
use broker::Broker;

/// The JSON endpoints, to be merged with the pages.
pub fn router(broker: Broker) -> Router {
    Router::new()
        .route("/.well-known/ath.json", get(endpoints::discovery))
        .route("/ath/agents/register", post(endpoints::register))
        .route("/ath/agents/{client_id}", get(endpoints::registration).delete(endpoints::deregister))
        .route("/ath/authorize", post(endpoints::authorize))
        .route("/ath/token", post(endpoints::token))
        .route("/ath/revoke", post(endpoints::revoke))
        .route("/health", get(health::ready))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::method_not_allowed)
        .with_state(broker)
}
