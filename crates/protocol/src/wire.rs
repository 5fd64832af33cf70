//! The JSON of ATH 0.1, as it goes over the wire.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{AgentId, ClientId, ErrorCode, ProviderId, Scope, ScopeSet, SessionId};
pub use jwt::{JsonError, object};

/// The protocol version spoken here.
pub const ATH_VERSION: &str = "0.1";

/// `GET /.well-known/ath.json`.
#[derive(Debug, Serialize)]
pub struct DiscoveryDocument {
    /// [`ATH_VERSION`].
    pub ath_version: &'static str,
    /// The gateway's public URL.
    pub gateway_id: String,
    /// `{public_url}/ath/agents/register`.
    pub agent_registration_endpoint: String,
    /// Every configured provider.
    pub supported_providers: Vec<ProviderInfo>,
}

/// One provider in the discovery document.
#[derive(Debug, Serialize)]
pub struct ProviderInfo {
    /// As it stands in paths.
    pub provider_id: ProviderId,
    /// As people read it.
    pub display_name: String,
    /// Free words about what it is.
    pub categories: Vec<String>,
    /// What an agent may ask for.
    pub available_scopes: Vec<Scope>,
    /// Always `OAUTH2`.
    pub auth_mode: &'static str,
    /// Always true: an agent registers first.
    pub agent_approval_required: bool,
}

/// What an agent serves at its `agent_id`. Unknown fields are ignored.
#[derive(Debug, Deserialize)]
pub struct AgentIdentityDocument {
    /// Must equal the URI it was fetched from.
    pub agent_id: String,
    /// The name that people are shown.
    pub name: String,
    /// Who made it.
    pub developer: DeveloperInfo,
    /// A JWK object or a PEM string.
    pub public_key: Value,
}

/// Who made an agent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeveloperInfo {
    /// A person's or an organisation's name.
    pub name: String,
    /// The developer's own identifier.
    pub id: String,
    /// An address for security matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
}

/// What of `POST /ath/agents/register` is read once the attestation holds.
#[derive(Debug, Deserialize)]
pub struct Registration {
    /// Who made the agent.
    pub developer: DeveloperInfo,
    /// At least one.
    pub requested_providers: Vec<ProviderScopeRequest>,
    /// What the agent is for, in a sentence for people.
    #[serde(default)]
    pub purpose: Option<String>,
    /// Where the browser may be sent at the end of a consent.
    #[serde(default)]
    pub redirect_uris: Option<Vec<String>>,
}

/// A provider and the scopes wanted there.
#[derive(Debug, Deserialize)]
pub struct ProviderScopeRequest {
    /// May name a provider that does not exist; that is denied with a reason, not refused.
    pub provider_id: String,
    /// May name scopes that do not exist; they are denied.
    pub scopes: Vec<String>,
}

/// Whether an agent may begin consents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentStatus {
    /// It may.
    Approved,
    /// Somebody has to decide first.
    Pending,
    /// It may not.
    Denied,
}

/// The answer to a registration.
#[derive(Debug, Serialize)]
pub struct RegistrationResponse {
    /// Names the registration.
    pub client_id: ClientId,
    /// Shown this once; the gateway keeps its hash.
    pub client_secret: String,
    /// Whether the agent may begin consents.
    pub agent_status: AgentStatus,
    /// One entry for each requested provider.
    pub approved_providers: Vec<ProviderApproval>,
    /// RFC 3339.
    pub approval_expires: String,
}

/// What was approved and denied at one provider. Both lists are always sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProviderApproval {
    /// As it was asked for.
    pub provider_id: String,
    /// The part of the request that holds.
    pub approved_scopes: Vec<String>,
    /// The rest of it.
    pub denied_scopes: Vec<String>,
    /// Why, in a sentence, where anything was denied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denial_reason: Option<String>,
}

/// The answer to `POST /ath/authorize`.
#[derive(Debug, Serialize)]
pub struct AuthorizationResponse {
    /// A URL of the gateway's, for the user's browser.
    pub authorization_url: String,
    /// To be presented at the token endpoint.
    pub ath_session_id: SessionId,
}

/// The answer to `POST /ath/token`.
#[derive(Debug, Serialize)]
pub struct TokenResponse {
    /// The ATH token; the gateway keeps its hash.
    pub access_token: String,
    /// Always `Bearer`.
    pub token_type: &'static str,
    /// Seconds.
    pub expires_in: u64,
    /// What the token carries.
    pub effective_scopes: ScopeSet,
    /// Where it is good.
    pub provider_id: ProviderId,
    /// For whom it is good.
    pub agent_id: AgentId,
    /// How the effective scopes came about.
    pub scope_intersection: ScopeIntersection,
}

/// `effective` = approved ∩ consented ∩ requested.
#[derive(Debug, Serialize)]
pub struct ScopeIntersection {
    /// What the gateway approved for the agent.
    pub agent_approved: ScopeSet,
    /// What the person consented to and the provider granted.
    pub user_consented: ScopeSet,
    /// What is left.
    pub effective: ScopeSet,
}

/// Every refusal under `/ath`.
#[derive(Debug, Serialize)]
pub struct ErrorBody {
    /// Of the closed set.
    pub code: ErrorCode,
    /// A fixed sentence.
    pub message: String,
    /// `reason`, `hint` and what else helps.
    pub details: serde_json::Map<String, Value>,
}
