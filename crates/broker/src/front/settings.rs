use std::collections::HashMap;
use std::time::Duration;

use policy::HostPattern;
use protocol::{ProviderId, ScopeSet};
use secret::SecretHash;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

/// How the gateway serves ordinary OAuth clients.
#[derive(Debug, Clone)]
pub struct FrontSettings {
    /// Whether it does at all.
    pub door: Door,
    /// Whether clients may register themselves (RFC 7591).
    pub registration: SelfRegistration,
    /// Whose client ID metadata documents are fetched.
    pub documents: ClientDocuments,
    /// Documents that are not fetched, by their URL: the operator vouches for them.
    pub pinned: HashMap<String, Map<String, Value>>,
    /// Schemes of native applications that redirect URIs may have besides https, and http on loopback: `cursor`.
    pub redirect_schemes: Vec<String>,
    /// Clients that the configuration names, by their client id.
    pub clients: HashMap<String, ConfiguredClient>,
    /// How long a refresh token that was just used brings the same successor once more.
    pub refresh_grace: Duration,
    /// How long a refresh token that nobody uses is good.
    pub refresh_idle: Duration,
    /// When a person is asked again at the latest.
    pub refresh_ends: Duration,
    /// How long a registration is kept that nobody has consented to.
    pub unused_clients: Duration,
    /// Whose word for its people is taken at the token endpoint.
    pub enterprise: Option<Enterprise>,
}

/// Whether ordinary OAuth clients are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// They are.
    Open,
    /// None of the endpoints is there.
    Closed,
}

/// Whether clients may register themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SelfRegistration {
    /// Everybody may.
    Open,
    /// Nobody may.
    Closed,
}

/// Whose client ID metadata documents are fetched.
#[derive(Debug, Clone)]
pub enum ClientDocuments {
    /// Nobody's, and it is not announced that any were.
    Off,
    /// Those at these hosts.
    At(Vec<HostPattern>),
    /// Everybody's.
    Everywhere,
}

/// A client that the configuration names.
#[derive(Debug, Clone)]
pub struct ConfiguredClient {
    /// The name that people are shown.
    pub name: String,
    /// Who made it.
    pub developer: String,
    /// Where people may be sent after a consent.
    pub redirect_uris: Vec<String>,
    /// How it proves who it is.
    pub proof: ConfiguredProof,
    /// What it may do at the token endpoint.
    pub grants: Vec<GrantType>,
    /// What it may ask for at all, by provider; `None` for whatever the approvals allow. Empty scopes mean all of the provider's.
    pub may: Option<Vec<(ProviderId, ScopeSet)>>,
    /// The audiences of the ID tokens that it may exchange (RFC 8693).
    pub id_token_audiences: Vec<String>,
    /// The providers whose tokens it may introspect, besides its own.
    pub introspects: Vec<ProviderId>,
}

/// How a configured client proves who it is.
#[derive(Debug, Clone)]
pub enum ConfiguredProof {
    /// Not at all: a public client.
    None,
    /// By one of these secrets.
    Secret(Vec<SecretHash>),
    /// By statements that one of these keys signs (RFC 7523): a JWK set.
    Keys(Value),
    /// The same, with the JWK set at this URL.
    KeysAt(Url),
}

/// What a client may present at the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum GrantType {
    /// RFC 6749 §4.1.
    #[serde(rename = "authorization_code")]
    AuthorizationCode,
    /// RFC 6749 §6.
    #[serde(rename = "refresh_token")]
    RefreshToken,
    /// RFC 6749 §4.4.
    #[serde(rename = "client_credentials")]
    ClientCredentials,
    /// RFC 8628.
    #[serde(rename = "urn:ietf:params:oauth:grant-type:device_code")]
    DeviceCode,
    /// RFC 8693.
    #[serde(rename = "urn:ietf:params:oauth:grant-type:token-exchange")]
    TokenExchange,
    /// RFC 7523 §2.1, with an identity assertion of the enterprise's (ID-JAG).
    #[serde(rename = "urn:ietf:params:oauth:grant-type:jwt-bearer")]
    JwtBearer,
}

impl GrantType {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::AuthorizationCode,
        Self::RefreshToken,
        Self::ClientCredentials,
        Self::DeviceCode,
        Self::TokenExchange,
        Self::JwtBearer,
    ];

    /// As a request writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
            Self::TokenExchange => "urn:ietf:params:oauth:grant-type:token-exchange",
            Self::JwtBearer => "urn:ietf:params:oauth:grant-type:jwt-bearer",
        }
    }

    /// The type that a request means.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant| grant.as_str() == text)
    }
}

/// An identity provider whose word for its people is taken at the token endpoint: the one that they sign in with at the gateway.
#[derive(Debug, Clone)]
pub struct Enterprise {
    /// Its issuer, character for character.
    pub issuer: String,
    /// Where its keys are.
    pub keys: EnterpriseKeys,
    /// Whether identity assertions (ID-JAG) are taken.
    pub identity_assertions: IdentityAssertions,
}

/// Where an enterprise's keys are.
#[derive(Debug, Clone)]
pub enum EnterpriseKeys {
    /// In the configuration: a JWK set.
    Given(Value),
    /// At this URL.
    At(Url),
}

/// Whether identity assertions are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentityAssertions {
    /// They are: the enterprise's word stands for the person's consent.
    Taken,
    /// They are not.
    Refused,
}

impl Default for FrontSettings {
    fn default() -> Self {
        Self {
            door: Door::Open,
            registration: SelfRegistration::Open,
            documents: ClientDocuments::Off,
            pinned: HashMap::new(),
            redirect_schemes: Vec::new(),
            clients: HashMap::new(),
            refresh_grace: Duration::from_secs(60),
            refresh_idle: Duration::from_secs(30 * 24 * 60 * 60),
            refresh_ends: Duration::from_secs(90 * 24 * 60 * 60),
            unused_clients: Duration::from_secs(24 * 60 * 60),
            enterprise: None,
        }
    }
}
