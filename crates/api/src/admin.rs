//! What an operator does with a running gateway. Served by a listener of its own, which asks for the admin key.

use std::path::Path as FilePath;

use axum::extract::{Extension, Path, Query};
use axum::routing::{get, post};
use axum::{Json, Router};
use broker::{
    AgentView, BackupView, Broker, ClearanceView, ConnectionName, ConnectionView, KeysView, RotationView, Selection,
    Switch,
};
use protocol::{ClientId, ProviderId, ScopeSet, UserId};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::body::JsonObject;
use crate::error::{self, Refusal};

/// The endpoints, without their authentication: whoever serves them sees to that first.
pub fn router() -> Router {
    Router::new()
        .route("/admin/agents", get(agents))
        .route("/admin/agents/{client_id}", axum::routing::delete(delete_agent))
        .route("/admin/agents/{client_id}/approve", post(approve))
        .route("/admin/agents/{client_id}/deny", post(deny))
        .route("/admin/agents/{client_id}/suspend", post(suspend))
        .route("/admin/connections", get(connections))
        .route("/admin/connections/{user}/{provider}/{account}", axum::routing::delete(revoke))
        .route("/admin/keys", get(keys))
        .route("/admin/keys/rotation", get(rotation).post(rotate))
        .route("/admin/users/{user_id}", axum::routing::delete(delete_user))
        .route("/admin/providers/{provider_id}/suspend", post(suspend_provider))
        .route("/admin/providers/{provider_id}/resume", post(resume_provider))
        .route("/admin/providers/{provider_id}/revoke", post(revoke_provider))
        .route("/admin/providers/{provider_id}/revoked", get(revoked))
        .route("/admin/store/backup", post(back_up))
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::method_not_allowed)
}

async fn agents(Extension(broker): Extension<Broker>) -> Result<Json<Vec<AgentView>>, Refusal> {
    Ok(Json(broker.agents().await?))
}

async fn approve(
    Extension(broker): Extension<Broker>,
    Path(client): Path<String>,
    JsonObject(request): JsonObject,
) -> Result<Json<AgentView>, Refusal> {
    Ok(Json(broker.approve_agent(&client_id(&client)?, &selection(&request)?).await?))
}

async fn deny(
    Extension(broker): Extension<Broker>,
    Path(client): Path<String>,
    JsonObject(request): JsonObject,
) -> Result<Json<AgentView>, Refusal> {
    let reason = text(&request, "reason")?;
    Ok(Json(broker.deny_agent(&client_id(&client)?, &selection(&request)?, reason).await?))
}

async fn suspend(
    Extension(broker): Extension<Broker>,
    Path(client): Path<String>,
    JsonObject(request): JsonObject,
) -> Result<Json<AgentView>, Refusal> {
    Ok(Json(broker.suspend_agent(&client_id(&client)?, text(&request, "reason")?).await?))
}

async fn delete_agent(
    Extension(broker): Extension<Broker>,
    Path(client): Path<String>,
) -> Result<Json<Value>, Refusal> {
    broker.delete_agent(&client_id(&client)?).await?;
    Ok(done("deleted"))
}

async fn connections(Extension(broker): Extension<Broker>) -> Result<Json<Vec<ConnectionView>>, Refusal> {
    Ok(Json(broker.connections().await?))
}

/// Which grant on the connection is meant; none, and the connection itself is.
#[derive(Deserialize)]
struct Of {
    client_id: Option<String>,
}

async fn revoke(
    Extension(broker): Extension<Broker>,
    Path((user, provider, account)): Path<(String, String, String)>,
    Query(of): Query<Of>,
) -> Result<Json<Value>, Refusal> {
    let name = ConnectionName::parse(&format!("{user}/{provider}/{account}"));
    let name = name.map_err(|_| Refusal::field("connection"))?;
    match of.client_id {
        Some(client) => broker.revoke_grant(&name, &client_id(&client)?).await?,
        None => broker.revoke_connection(&name).await?,
    }
    Ok(done("revoked"))
}

async fn keys(Extension(broker): Extension<Broker>) -> Result<Json<KeysView>, Refusal> {
    Ok(Json(broker.sealing_keys().await?))
}

async fn rotation(Extension(broker): Extension<Broker>) -> Json<RotationView> {
    Json(broker.key_rotation())
}

async fn rotate(Extension(broker): Extension<Broker>) -> Result<Json<RotationView>, Refusal> {
    Ok(Json(broker.rotate_keys().await?))
}

async fn delete_user(Extension(broker): Extension<Broker>, Path(user): Path<String>) -> Result<Json<Value>, Refusal> {
    broker.delete_user(&user_id(&user)?).await?;
    Ok(done("deleted"))
}

async fn suspend_provider(
    Extension(broker): Extension<Broker>,
    Path(provider): Path<String>,
) -> Result<Json<Value>, Refusal> {
    broker.switch_provider(&provider_id(&provider)?, Switch::Suspend).await?;
    Ok(done("suspended"))
}

async fn resume_provider(
    Extension(broker): Extension<Broker>,
    Path(provider): Path<String>,
) -> Result<Json<Value>, Refusal> {
    broker.switch_provider(&provider_id(&provider)?, Switch::Resume).await?;
    Ok(done("resumed"))
}

async fn revoke_provider(
    Extension(broker): Extension<Broker>,
    Path(provider): Path<String>,
    JsonObject(request): JsonObject,
) -> Result<Json<ClearanceView>, Refusal> {
    let provider = provider_id(&provider)?;
    let view = match text(&request, "user_id")? {
        Some(user) => broker.revoke_user_at(&provider, &user_id(user)?).await?,
        None => broker.revoke_provider(&provider).await?,
    };
    Ok(Json(view))
}

/// Whose revocation is meant; nobody's, and everybody's is.
#[derive(Deserialize)]
struct By {
    user_id: Option<String>,
}

/// How far what follows a revocation is: all of it, or of one person's what became of telling the provider.
async fn revoked(
    Extension(broker): Extension<Broker>,
    Path(provider): Path<String>,
    Query(by): Query<By>,
) -> Result<Json<Value>, Refusal> {
    let provider = provider_id(&provider)?;
    Ok(Json(match by.user_id {
        Some(user) => json!({"revocations": broker.told_of_user(&provider, &user_id(&user)?).await?}),
        None => json!(broker.clearance(&provider).await?),
    }))
}

async fn back_up(
    Extension(broker): Extension<Broker>,
    JsonObject(request): JsonObject,
) -> Result<Json<BackupView>, Refusal> {
    let file = request.get("file").and_then(Value::as_str).ok_or_else(|| Refusal::field("file"))?;
    Ok(Json(broker.back_up(FilePath::new(file)).await?))
}

fn done(status: &'static str) -> Json<Value> {
    Json(json!({"status": status}))
}

fn client_id(text: &str) -> Result<ClientId, Refusal> {
    ClientId::parse(text).map_err(|_| Refusal::field("client_id"))
}

fn user_id(text: &str) -> Result<UserId, Refusal> {
    UserId::parse(text).map_err(|_| Refusal::field("user_id"))
}

fn provider_id(text: &str) -> Result<ProviderId, Refusal> {
    ProviderId::parse(text).map_err(|_| Refusal::field("provider_id"))
}

/// `{"providers": [...], "scopes": [...]}`; left out, all are meant.
fn selection(request: &Map<String, Value>) -> Result<Selection, Refusal> {
    let providers = texts(request, "providers")?;
    let providers: Result<Vec<ProviderId>, Refusal> = providers.iter().map(|id| provider_id(id)).collect();
    Ok(Selection { providers: providers?, scopes: ScopeSet::from_list(&texts(request, "scopes")?.join(" ")) })
}

fn texts(request: &Map<String, Value>, name: &'static str) -> Result<Vec<String>, Refusal> {
    let Some(value) = request.get(name) else { return Ok(Vec::new()) };
    let items = value.as_array().and_then(|items| {
        let texts = items.iter().map(|item| item.as_str().map(str::to_owned));
        texts.collect::<Option<Vec<String>>>()
    });
    items.ok_or_else(|| Refusal::field(name))
}

fn text<'a>(request: &'a Map<String, Value>, name: &'static str) -> Result<Option<&'a str>, Refusal> {
    match request.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.len() <= 500 => Ok(Some(text)),
        Some(_) => Err(Refusal::field(name)),
    }
}
