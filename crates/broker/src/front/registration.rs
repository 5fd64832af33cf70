//! Clients that register themselves (RFC 7591).

use protocol::{AgentId, ClientId};
use secret::Opaque;
use serde_json::{Map, Value, json};

use super::metadata::{ClientMetadata, MetadataProof};
use super::records::{OAuthClient, Origin, Proof};
use super::{Door, FrontError, SelfRegistration};
use crate::Broker;
use crate::records::{Agent, KeptHash};

impl Broker {
    /// Registers a client, and returns what it is registered with. Nobody vouches for it, and until somebody consents to it, it is kept
    /// for a day and no longer.
    pub async fn register_client(&self, metadata: Map<String, Value>) -> Result<Map<String, Value>, FrontError> {
        if self.front.registration == SelfRegistration::Closed || self.front.door == Door::Closed {
            return Err(FrontError::RegistrationClosed);
        }
        self.admit_handshake()?;
        self.admit_registering()?;
        let mut metadata = ClientMetadata::parse(&metadata, &self.front.redirect_schemes)?;
        metadata.grants.retain(|grant| self.is_for_anybody(*grant));
        if metadata.grants.is_empty() {
            return Err(FrontError::Metadata("grant_types"));
        }
        self.admit_registration()?;
        let client_id = ClientId::generate(self.entropy.as_ref());
        let mut answer = answer(&client_id, &metadata, self.now().as_secs());
        let mut secret = None;
        let proof = match metadata.proof {
            MetadataProof::None => Proof::None,
            MetadataProof::Basic | MetadataProof::Post => {
                let drawn = Opaque::generate("ath_secret_", self.entropy.as_ref());
                let hash = KeptHash::of(drawn.hash());
                secret = Some(drawn);
                Proof::Secret { hash }
            }
            MetadataProof::Keys(keys) => Proof::Keys { keys },
            MetadataProof::KeysAt(url) => Proof::KeysAt { url: url.into() },
        };
        let oauth = OAuthClient {
            name: client_id.to_string(),
            origin: Origin::Registered,
            proof,
            grants: metadata.grants,
            settled: None,
        };
        let agent_id = AgentId::of_client(self.urls.public(), client_id.as_str());
        let agent = Agent {
            name: metadata.name.unwrap_or_else(|| "A program without a name".to_owned()),
            redirect_uris: metadata.redirect_uris,
            ..self.new_client(client_id, agent_id, oauth)
        };
        let event = self.event("client_registered").by("policy").agent(&agent.agent_id).client(&agent.client_id);
        self.decide(event, self.keep_unused(&agent)).await?;
        if let Some(secret) = secret {
            answer.insert("client_secret".to_owned(), json!(secret.expose()));
            // RFC 7591 §3.2.1: 0 where it does not expire.
            answer.insert("client_secret_expires_at".to_owned(), json!(0));
        }
        Ok(answer)
    }
}

/// RFC 7591 §3.2.1: what the client is registered with, which need not be what it asked for.
fn answer(client_id: &ClientId, metadata: &ClientMetadata, now: u64) -> Map<String, Value> {
    let grants: Vec<&str> = metadata.grants.iter().map(|grant| grant.as_str()).collect();
    let method = match metadata.proof {
        MetadataProof::None => "none",
        MetadataProof::Basic => "client_secret_basic",
        MetadataProof::Post => "client_secret_post",
        MetadataProof::Keys(_) | MetadataProof::KeysAt(_) => "private_key_jwt",
    };
    let fixed = [
        ("client_id", json!(client_id)),
        ("client_id_issued_at", json!(now)),
        ("redirect_uris", json!(metadata.redirect_uris)),
        ("grant_types", json!(grants)),
        ("response_types", json!(["code"])),
        ("token_endpoint_auth_method", json!(method)),
    ];
    let optional = [
        ("client_name", metadata.name.as_ref().map(|name| json!(name))),
        ("client_uri", metadata.client_uri.as_ref().map(|uri| json!(uri))),
        ("scope", metadata.scope.as_ref().map(|scope| json!(scope))),
        ("jwks", if let MetadataProof::Keys(keys) = &metadata.proof { Some(keys.clone()) } else { None }),
        ("jwks_uri", if let MetadataProof::KeysAt(url) = &metadata.proof { Some(json!(url.as_str())) } else { None }),
    ];
    let optional = optional.into_iter().filter_map(|(name, value)| Some((name, value?)));
    fixed.into_iter().chain(optional).map(|(name, value)| (name.to_owned(), value)).collect()
}
