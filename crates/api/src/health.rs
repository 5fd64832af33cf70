use axum::Json;
use axum::Router;
use axum::extract::Extension;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use broker::{Broker, BrokerError, Durability, JournalHealth, ProviderHealth};
use http::StatusCode;
use serde_json::{Value, json};

/// Whether the gateway takes new work; beside each request, as an extension, by whoever serves these endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Availability {
    /// It does.
    Serving,
    /// It was told to stop, and finishes what is under way.
    Draining,
}

/// The endpoints for probes: they read, and hold nothing that is secret.
pub fn router() -> Router {
    Router::new().route("/health", get(ready)).route("/healthz", get(alive)).route("/readyz", get(ready))
}

/// The process runs. Depends on nothing.
async fn alive() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// The gateway can serve: it is to go on, its store answers, its keys are here, and what it does can be recorded. What works and should
/// be looked at stands beside it.
async fn ready(Extension(broker): Extension<Broker>, Extension(availability): Extension<Availability>) -> Response {
    let store = broker.health().await;
    let (keys, audit) = (broker.keys_health(), broker.audit_health());
    let parts = [("store", store.as_ref().err()), ("keys", keys.as_ref().err()), ("audit", audit.as_ref().err())];
    let missing: Vec<&str> = parts.iter().filter(|(_, error)| error.is_some()).map(|(name, _)| *name).collect();
    for (name, error) in parts {
        if let Some(error) = error {
            let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
            tracing::warn!(error = %error, cause, missing = name, "not ready");
        }
    }
    let status = match availability {
        Availability::Draining => "draining",
        Availability::Serving if missing.is_empty() => "ok",
        Availability::Serving => "unavailable",
    };
    let body = Json(json!({
        "status": status,
        "missing": missing,
        "store": store_view(&store),
        "keys": {"status": word(&keys)},
        "audit": {"status": word(&audit)},
        "journal": journal(broker.journal_health()),
        "providers": providers(&broker),
    }));
    if status == "ok" {
        return body.into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "1")], body).into_response()
}

fn store_view(health: &Result<Durability, BrokerError>) -> Value {
    let durability = match health {
        Ok(Durability::Durable) => "durable",
        Ok(Durability::BestEffort) => "best-effort",
        Ok(Durability::Memory) => "memory",
        Err(_) => return json!({"status": "unavailable"}),
    };
    json!({"status": "ok", "durability": durability})
}

fn word(health: &Result<(), BrokerError>) -> &'static str {
    if health.is_ok() { "ok" } else { "unavailable" }
}

fn journal(health: JournalHealth) -> Value {
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
fn providers(broker: &Broker) -> Value {
    let troubled = broker.provider_healths().into_iter().filter(|health| health.paused || health.alarm.is_some());
    let view = |health: ProviderHealth| {
        let alarm = health.alarm.map(|alarm| json!({"reason": alarm.reason, "since": alarm.since.to_rfc3339()}));
        json!({"id": health.provider, "paused": health.paused, "alarm": alarm})
    };
    troubled.map(view).collect()
}
