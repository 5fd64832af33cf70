use axum::Json;
use axum::extract::Extension;
use axum::response::{IntoResponse, Response};
use broker::Broker;
use http::StatusCode;
use serde_json::json;

/// The process runs. Depends on nothing.
pub(crate) async fn alive() -> Json<serde_json::Value> {
    Json(json!({"status": "ok"}))
}

/// The gateway can serve: its store answers.
pub(crate) async fn ready(Extension(broker): Extension<Broker>) -> Response {
    match broker.health().await {
        Ok(durability) => {
            let durability = match durability {
                broker::Durability::Durable => "durable",
                broker::Durability::BestEffort => "best-effort",
                broker::Durability::Memory => "memory",
            };
            Json(json!({"status": "ok", "store": {"status": "ok", "durability": durability}})).into_response()
        }
        Err(error) => {
            tracing::warn!(error = %error, "not ready");
            let body = json!({"status": "unavailable", "store": {"status": "unavailable"}});
            (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "1")], Json(body)).into_response()
        }
    }
}
