//! OAuth clients, wherever they are known from: the configuration, a registration, a metadata document.

use protocol::{AgentId, ClientId, ScopeSet};
use secret::{Opaque, SecretHash};

use super::documents::ClientDocumentError;
use super::metadata::{ClientMetadata, MetadataProof};
use super::records::{OAuthClient, Origin, Proof};
use super::{ConfiguredClient, FrontError, GrantType, IdentityAssertions};
use crate::records::{Agent, KeptHash, Later, Requested, Standing};
use crate::vault::Held;
use crate::{Broker, FetchError};

/// A client as it is now: what is stored of it, brought up to date by whoever vouches for it.
pub(crate) struct Known {
    pub(crate) agent: Agent,
    /// What lies in the store; `None` where nobody has been asked for it yet.
    pub(super) stored: Option<Held<Agent>>,
}

impl Broker {
    /// The client that calls itself `name`. A metadata document may be fetched; nothing is written.
    pub(crate) async fn front_client(&self, name: &str) -> Result<Known, FrontError> {
        if let Some(configured) = self.front.clients.get(name) {
            let stored = self.agent(&ClientId::of_name(name)).await?;
            return Ok(Known { agent: self.as_configured(name, configured, stored.as_ref()), stored });
        }
        if let Ok(client) = ClientId::parse(name) {
            // The others have such a name in the records alone: whoever comes by it would pass by what vouches for them.
            let stored = self.agent(&client).await?.filter(|held| held.body.oauth.as_ref().is_some_and(is_registered));
            let stored = stored.ok_or(FrontError::UnknownClient)?;
            return Ok(Known { agent: stored.body.clone(), stored: Some(stored) });
        }
        if !name.contains("://") {
            return Err(FrontError::UnknownClient);
        }
        let (url, metadata) = self.client_document(name).await?;
        let stored = self.agent(&ClientId::of_name(name)).await?;
        let agent_id = AgentId::of_document(&url);
        Ok(Known { agent: self.as_document(name, agent_id, metadata, stored.as_ref()), stored })
    }

    /// The same, for somebody who proves to be it: where its document cannot be had at the moment, as it was when somebody last consented.
    pub(crate) async fn client_to_prove(&self, name: &str) -> Result<Known, FrontError> {
        match self.front_client(name).await {
            // Its server does not answer, or is not asked at the moment. What it has taken back, it has taken back.
            Err(
                gone @ (FrontError::ClientDocument(ClientDocumentError::Fetch(FetchError::Unreachable))
                | FrontError::TooMany { .. }),
            ) => {
                let held = self.agent(&ClientId::of_name(name)).await?.ok_or(gone)?;
                Ok(Known { agent: held.body.clone(), stored: Some(held) })
            }
            found => found,
        }
    }

    /// A registration as it counts now: `None` where nobody vouches for it any more, and with no more than it may have.
    pub(crate) fn as_it_counts(&self, held: Held<Agent>) -> Option<Held<Agent>> {
        let Some(oauth) = &held.body.oauth else { return Some(held) };
        match oauth.origin {
            Origin::Registered => Some(held),
            Origin::Document => self.is_document_taken(&oauth.name).then_some(held),
            Origin::Configured => {
                let configured = self.front.clients.get(&oauth.name)?;
                let requests = held.body.requests.iter().cloned().map(|request| narrowed(configured, request));
                let body = Agent { requests: requests.collect(), ..held.body.clone() };
                Some(Held { body, version: held.version })
            }
        }
    }

    fn as_configured(&self, name: &str, configured: &ConfiguredClient, stored: Option<&Held<Agent>>) -> Agent {
        let oauth = OAuthClient {
            name: name.to_owned(),
            origin: Origin::Configured,
            proof: Proof::Configured,
            grants: configured.grants.clone(),
            settled: None,
        };
        let fresh = self.new_client(ClientId::of_name(name), AgentId::of_client(self.urls.public(), name), oauth);
        Agent {
            name: configured.name.clone(),
            developer: configured.developer.clone(),
            redirect_uris: configured.redirect_uris.clone(),
            ..continued(fresh, stored)
        }
    }

    fn as_document(
        &self,
        name: &str,
        agent_id: AgentId,
        metadata: ClientMetadata,
        stored: Option<&Held<Agent>>,
    ) -> Agent {
        let proof = match metadata.proof {
            // A document is public: there is no secret that it could share.
            MetadataProof::None | MetadataProof::Basic | MetadataProof::Post => Proof::None,
            MetadataProof::Keys(keys) => Proof::Keys { keys },
            MetadataProof::KeysAt(url) => Proof::KeysAt { url: url.into() },
        };
        let grants = metadata.grants.into_iter().filter(|grant| self.is_for_anybody(*grant)).collect();
        let oauth = OAuthClient { name: name.to_owned(), origin: Origin::Document, proof, grants, settled: None };
        let host = agent_id.host();
        let fresh = self.new_client(ClientId::of_name(name), agent_id, oauth);
        Agent {
            name: metadata.name.unwrap_or_else(|| host.clone()),
            developer: host,
            redirect_uris: metadata.redirect_uris,
            ..continued(fresh, stored)
        }
    }

    /// Whether clients that nobody wrote into the configuration may have a grant: with the others no person is asked.
    pub(crate) fn is_for_anybody(&self, grant: GrantType) -> bool {
        match grant {
            // Exchanged are their own tokens; those of others are for clients of the configuration alone.
            GrantType::AuthorizationCode
            | GrantType::RefreshToken
            | GrantType::DeviceCode
            | GrantType::TokenExchange => true,
            GrantType::ClientCredentials => false,
            GrantType::JwtBearer => {
                let enterprise = self.front.enterprise.as_ref();
                enterprise.is_some_and(|it| it.identity_assertions == IdentityAssertions::Taken)
            }
        }
    }

    pub(crate) fn new_client(&self, client_id: ClientId, agent_id: AgentId, oauth: OAuthClient) -> Agent {
        let now = self.now();
        // Nobody has this secret: ATH's endpoints are not for OAuth clients.
        let nobodys = Opaque::generate("", self.entropy.as_ref());
        Agent {
            agent_id,
            client_id,
            secret: KeptHash::of(nobodys.hash()),
            name: String::new(),
            developer: String::new(),
            purpose: None,
            redirect_uris: Vec::new(),
            requests: Vec::new(),
            standing: Standing::Active,
            // Its id may have been somebody's before: what was granted to one that an operator removed is not granted to this.
            era: now.as_millis(),
            key_fingerprint: String::new(),
            registered: now,
            approval_expires: now.plus(self.lifetimes.approval),
            oauth: Some(oauth),
            later: Later::default(),
        }
    }
}

/// What is left of what a configured client was approved for.
fn narrowed(configured: &ConfiguredClient, request: Requested) -> Requested {
    let Some(may) = &configured.may else { return request };
    let approved = match may.iter().find(|(at, _)| at.as_str() == request.provider_id) {
        None => ScopeSet::default(),
        Some((_, all)) if all.is_empty() => return request,
        Some((_, some)) => request.approved.intersection(some),
    };
    Requested { approved, ..request }
}

/// A client that was entered before keeps what became of it here.
fn continued(fresh: Agent, stored: Option<&Held<Agent>>) -> Agent {
    let Some(Held { body: stored, .. }) = stored else { return fresh };
    let settled = stored.oauth.as_ref().and_then(|oauth| oauth.settled);
    let oauth = fresh.oauth.map(|oauth| OAuthClient { settled, ..oauth });
    Agent {
        oauth,
        requests: stored.requests.clone(),
        standing: stored.standing.clone(),
        era: stored.era,
        registered: stored.registered,
        approval_expires: stored.approval_expires,
        secret: stored.secret.clone(),
        later: stored.later.clone(),
        ..fresh
    }
}

fn is_registered(client: &OAuthClient) -> bool {
    matches!(client.origin, Origin::Registered)
}

/// Whether one of the secrets is the one that was presented; in constant time for each.
pub(crate) fn is_one_of(secrets: &[SecretHash], presented: &str) -> bool {
    secrets.iter().fold(false, |found, secret| found | secret.matches(presented))
}
