use axum::Json;
use axum::extract::Extension;
use axum::response::{IntoResponse, Response};
use broker::{Broker, JournalHealth, ProviderHealth};
use http::StatusCode;
use serde_json::json;

/// The process runs. Depends on nothing.
pub(crate) async fn alive() -> Json<serde_json::Value> {
    Json(json!({"status": "ok"}))
}

/// The gateway can serve: its store answers. What works and should be looked at stands beside it.
pub(crate) async fn ready(Extension(broker): Extension<Broker>) -> Response {
    match broker.health().await {
        Ok(durability) => {
            let durability = match durability {
                broker::Durability::Durable => "durable",
                broker::Durability::BestEffort => "best-effort",
                broker::Durability::Memory => "memory",
            };
            Json(json!({
                "status": "ok",
                "store": {"status": "ok", "durability": durability},
                "journal": journal(broker.journal_health()),
                "providers": providers(&broker),
            }))
            .into_response()
        }
        Err(error) => {
            tracing::warn!(error = %error, "not ready");
            let body = json!({"status": "unavailable", "store": {"status": "unavailable"}});
            (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "1")], Json(body)).into_response()
        }
    }
}

fn journal(health: JournalHealth) -> serde_json::Value {
    let cost = "a crash between a provider's answer and the store's write can cost a person's consent";
    match health {
        JournalHealth::Works => json!({"status": "ok"}),
        JournalHealth::Fails => {
            json!({"status": "unavailable", "cost": cost, "remedy": "look at the disk under [store] journal"})
        }
        JournalHealth::Off => {
            json!({"status": "off", "cost": cost, "remedy": "name a folder on a local disk with journal in [store]"})
        }
    }
}

/// Those alone that something is wrong with.
fn providers(broker: &Broker) -> serde_json::Value {
    let troubled = broker.provider_healths().into_iter().filter(|health| health.paused || health.alarm.is_some());
    let view = |health: ProviderHealth| {
        let alarm = health.alarm.map(|alarm| json!({"reason": alarm.reason, "since": alarm.since.to_rfc3339()}));
        json!({"id": health.provider, "paused": health.paused, "alarm": alarm})
    };
    troubled.map(view).collect()
}
