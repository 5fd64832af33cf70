//! What the authorization server says of itself (RFC 8414; `OpenID` Connect Discovery 1.0): what is on, and nothing else.

use axum::Json;
use axum::extract::Extension;
use axum::response::{IntoResponse, Response};
use broker::{
    Broker, ClientDocuments, ConfiguredClient, FrontSettings, GrantType, IdentityAssertions, SelfRegistration, Urls,
};
use http::{HeaderValue, header};
use serde_json::{Map, Value, json};

use crate::refusal::Refusal;

pub(crate) async fn metadata(Extension(broker): Extension<Broker>) -> Response {
    let providers = broker.providers().map(|provider| provider.id.as_str());
    let scopes = Some("openid").into_iter().chain(providers);
    let scopes: Vec<&str> = scopes.collect();
    kept(Json(document(broker.urls(), broker.front(), &scopes)))
}

/// RFC 7517 §5.
pub(crate) async fn keys(Extension(broker): Extension<Broker>) -> Result<Response, Refusal> {
    Ok(kept(Json(broker.issuer_keys().await?)))
}

/// What is no secret and seldom changes may be kept for a few minutes.
pub(crate) fn kept(answer: impl IntoResponse) -> Response {
    ([(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"))], answer).into_response()
}

fn document(urls: &Urls, settings: &FrontSettings, scopes: &[&str]) -> Value {
    let grants: Vec<&str> = grants(settings).into_iter().map(GrantType::as_str).collect();
    let mut document = json!({
        "issuer": urls.public(),
        "authorization_endpoint": urls.oauth_authorize(),
        "token_endpoint": urls.oauth_token(),
        "revocation_endpoint": urls.oauth_revoke(),
        "introspection_endpoint": urls.oauth_introspect(),
        "device_authorization_endpoint": urls.oauth_device_authorization(),
        "userinfo_endpoint": urls.oauth_userinfo(),
        "jwks_uri": urls.jwks(),
        "scopes_supported": scopes,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": grants,
        "token_endpoint_auth_methods_supported": METHODS,
        "token_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        "revocation_endpoint_auth_methods_supported": METHODS,
        "revocation_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        // Whoever has nothing to prove itself with is told nothing.
        "introspection_endpoint_auth_methods_supported": PROVING,
        "introspection_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "nonce"],
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        // Without it, OpenID has it true.
        "request_uri_parameter_supported": false,
    });
    if let Some(document) = document.as_object_mut() {
        document.extend(optional(urls, settings));
    }
    document
}

fn optional(urls: &Urls, settings: &FrontSettings) -> Map<String, Value> {
    let mut fields = Map::new();
    if settings.registration == SelfRegistration::Open {
        fields.insert("registration_endpoint".to_owned(), json!(urls.oauth_register()));
    }
    if !matches!(settings.documents, ClientDocuments::Off) {
        fields.insert("client_id_metadata_document_supported".to_owned(), json!(true));
    }
    if takes_identity_assertions(settings) {
        fields.insert("authorization_grant_profiles_supported".to_owned(), json!([ID_JAG]));
    }
    fields
}

fn grants(settings: &FrontSettings) -> Vec<GrantType> {
    let configured = |grant| settings.clients.values().any(|client: &ConfiguredClient| client.grants.contains(&grant));
    let is_on = |grant: &GrantType| match grant {
        GrantType::AuthorizationCode | GrantType::RefreshToken | GrantType::DeviceCode | GrantType::TokenExchange => {
            true
        }
        GrantType::ClientCredentials => configured(*grant),
        GrantType::JwtBearer => takes_identity_assertions(settings),
    };
    GrantType::ALL.into_iter().filter(is_on).collect()
}

fn takes_identity_assertions(settings: &FrontSettings) -> bool {
    let enterprise = settings.enterprise.as_ref();
    enterprise.is_some_and(|enterprise| enterprise.identity_assertions == IdentityAssertions::Taken)
}

const METHODS: [&str; 4] = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"];
const PROVING: [&str; 3] = ["client_secret_basic", "client_secret_post", "private_key_jwt"];
const ALGORITHMS: [&str; 5] = ["ES256", "ES384", "RS256", "PS256", "EdDSA"];
const ID_JAG: &str = "urn:ietf:params:oauth:grant-profile:id-jag";

#[cfg(test)]
#[path = "metadata_tests.rs"]
mod tests;
