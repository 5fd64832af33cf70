use axum::Json;
use axum::extract::{Extension, Path};
use broker::{Broker, ClientProof};
use data_encoding::BASE64;
use http::{HeaderMap, StatusCode, header};
use protocol::wire::{
    ATH_VERSION, AuthorizationResponse, DiscoveryDocument, ProviderInfo, RegistrationResponse, TokenResponse,
};
use serde_json::{Map, Value, json};

use crate::body::JsonObject;
use crate::error::Refusal;

/// What the gateway offers (ATH 0.1, gateway discovery).
pub(crate) async fn discovery(Extension(broker): Extension<Broker>) -> Json<DiscoveryDocument> {
    let supported_providers = broker
        .providers()
        .map(|provider| ProviderInfo {
            provider_id: provider.id.clone(),
            display_name: provider.display_name.clone(),
            categories: provider.categories.clone(),
            available_scopes: provider.operations.scopes().iter().cloned().collect(),
            auth_mode: "OAUTH2",
            agent_approval_required: true,
        })
        .collect();
    Json(DiscoveryDocument {
        ath_version: ATH_VERSION,
        gateway_id: broker.urls().public().to_owned(),
        agent_registration_endpoint: broker.urls().register(),
        supported_providers,
    })
}

/// What a provider that has a host name of its own says of itself there (ATH 0.1, service-side discovery).
pub(crate) async fn service(Extension(broker): Extension<Broker>, headers: HeaderMap) -> Result<Json<Value>, Refusal> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let provider = broker.provider_at(host).ok_or_else(Refusal::no_endpoint)?;
    let urls = broker.urls();
    Ok(Json(json!({
        "ath_version": ATH_VERSION,
        "app_id": provider.id,
        "name": provider.display_name,
        "auth": {
            "type": "oauth2",
            "authorization_endpoint": urls.authorize(),
            "token_endpoint": urls.token(),
            "registration_endpoint": urls.register(),
            "scopes_supported": provider.operations.scopes(),
            "agent_attestation_required": true,
        },
        "api_base": urls.at_host(host),
    })))
}

pub(crate) async fn register(
    Extension(broker): Extension<Broker>,
    JsonObject(request): JsonObject,
) -> Result<(StatusCode, Json<RegistrationResponse>), Refusal> {
    Ok((StatusCode::CREATED, Json(broker.register(request).await?)))
}

pub(crate) async fn registration(
    Extension(broker): Extension<Broker>,
    Path(client): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    let proof = OwnProof::read(&headers, &client)?;
    let view = broker.registration(&client, proof.as_proof()).await?;
    Ok(Json(json!({
        "client_id": view.client_id, "agent_id": view.agent_id, "agent_status": view.status,
        "approved_providers": view.approvals, "approval_expires": view.approval_expires,
    })))
}

pub(crate) async fn deregister(
    Extension(broker): Extension<Broker>,
    Path(client): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    let proof = OwnProof::read(&headers, &client)?;
    broker.deregister(&client, proof.as_proof()).await?;
    Ok(Json(json!({"status": "deleted"})))
}

pub(crate) async fn authorize(
    Extension(broker): Extension<Broker>,
    JsonObject(request): JsonObject,
) -> Result<Json<AuthorizationResponse>, Refusal> {
    Ok(Json(broker.authorize(request).await?))
}

pub(crate) async fn token(
    Extension(broker): Extension<Broker>,
    JsonObject(request): JsonObject,
) -> Result<Json<TokenResponse>, Refusal> {
    Ok(Json(broker.exchange_token(request).await?))
}

/// RFC 7009, with a JSON body. The answer is the same whether or not there was such a token.
pub(crate) async fn revoke(
    Extension(broker): Extension<Broker>,
    JsonObject(request): JsonObject,
) -> Result<Json<Value>, Refusal> {
    let text = |name: &str| request.get(name).and_then(Value::as_str);
    let (client, secret) = text("client_id").zip(text("client_secret")).ok_or_else(Refusal::client_authentication)?;
    let token = text("token").ok_or_else(|| Refusal::field("token"))?;
    broker.revoke(client, secret, token).await?;
    Ok(Json(Value::Object(Map::from_iter([("status".to_owned(), json!("revoked"))]))))
}

/// What the caller of a registration's own endpoint presented.
enum OwnProof {
    Secret(String),
    Attestation(String),
}

impl OwnProof {
    /// HTTP Basic with this very client id and its secret (RFC 7617), or a bearer attestation.
    fn read(headers: &HeaderMap, client: &str) -> Result<Self, Refusal> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return Err(Refusal::client_authentication()) };
        let (scheme, credentials) =
            value.to_str().ok().and_then(|value| value.split_once(' ')).ok_or_else(Refusal::client_authentication)?;
        if scheme.eq_ignore_ascii_case("bearer") {
            return Ok(Self::Attestation(credentials.to_owned()));
        }
        let decoded =
            scheme.eq_ignore_ascii_case("basic").then(|| BASE64.decode(credentials.as_bytes()).ok()).flatten();
        let pair =
            decoded.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(Refusal::client_authentication)?;
        match pair.split_once(':') {
            Some((id, secret)) if id == client => Ok(Self::Secret(secret.to_owned())),
            _ => Err(Refusal::client_authentication()),
        }
    }

    fn as_proof(&self) -> ClientProof<'_> {
        match self {
            Self::Secret(secret) => ClientProof::Secret(secret),
            Self::Attestation(jwt) => ClientProof::Attestation(jwt),
        }
    }
}
