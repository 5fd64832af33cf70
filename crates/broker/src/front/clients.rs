//! OAuth clients, wherever they are known from: the configuration, a registration, a metadata document.

use audit::Event;
use protocol::wire::AgentStatus;
use protocol::{AgentId, ClientId, ProviderId, ScopeSet};
use secret::{Opaque, SecretHash};
use store::{Life, Written};

use super::metadata::{ClientMetadata, MetadataProof};
use super::records::{OAuthClient, Origin, Proof};
use super::scopes::Wish;
use super::{ConfiguredClient, FrontError};
use crate::approve::status;
use crate::records::{Agent, Client, Door, KeptHash, Requested, Standing};
use crate::vault::Held;
use crate::{Broker, BrokerError, Unapproved};

/// A client as it is now: what is stored of it, brought up to date by whoever vouches for it.
pub(crate) struct Known {
    pub(crate) agent: Agent,
    /// What lies in the store; `None` where nobody has consented to it yet.
    stored: Option<Held<Agent>>,
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

    /// The same as far as the store and the configuration know it: nobody is asked.
    pub(crate) async fn remembered_client(&self, name: &str) -> Result<Known, FrontError> {
        if self.front.clients.contains_key(name) || ClientId::parse(name).is_ok() {
            return self.front_client(name).await;
        }
        match self.agent(&ClientId::of_name(name)).await? {
            Some(held) => Ok(Known { agent: held.body.clone(), stored: Some(held) }),
            None => self.front_client(name).await,
        }
    }

    /// Whether whoever vouches for an agent still does.
    pub(crate) fn is_known(&self, agent: &Agent) -> bool {
        match &agent.oauth {
            Some(OAuthClient { origin: Origin::Configured, name, .. }) => self.front.clients.contains_key(name),
            _ => true,
        }
    }

    fn as_configured(&self, name: &str, configured: &ConfiguredClient, stored: Option<&Held<Agent>>) -> Agent {
        let oauth = OAuthClient {
            name: name.to_owned(),
            origin: Origin::Configured,
            proof: Proof::Configured,
            grants: configured.grants.clone(),
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
        let oauth = OAuthClient { name: name.to_owned(), origin: Origin::Document, proof, grants: metadata.grants };
        let host = agent_id.host();
        let fresh = self.new_client(ClientId::of_name(name), agent_id, oauth);
        Agent {
            name: metadata.name.unwrap_or_else(|| host.clone()),
            developer: host,
            redirect_uris: metadata.redirect_uris,
            ..continued(fresh, stored)
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
            era: 1,
            key_fingerprint: String::new(),
            registered: now,
            approval_expires: now.plus(self.lifetimes.approval),
            oauth: Some(oauth),
        }
    }

    /// What becomes of a wish by the operator's rules: the scopes that the person is asked for, and the client with what it was approved
    /// for, or waits for. Writes nothing.
    pub(crate) fn judged_client(&self, agent: &Agent, wish: &Wish) -> Result<(Agent, ScopeSet), FrontError> {
        self.check_standing(agent)?;
        let allowed = self.may_ask(agent, &wish.provider, &wish.scopes);
        if allowed.is_empty() {
            return Err(FrontError::Scope);
        }
        let verdict = self.approvals.judge(&agent.agent_id, &wish.provider, &allowed);
        let mut requests = agent.requests.clone();
        let at = requests.iter().position(|request| request.provider_id == wish.provider.as_str());
        let earlier = at
            .and_then(|at| requests.get(at))
            .cloned()
            .unwrap_or_else(|| Requested { provider_id: wish.provider.to_string(), ..Requested::default() });
        let refused = ScopeSet::from_list(&earlier.denied.join(" "));
        let approved = earlier.approved.union(&verdict.approved.difference(&refused));
        let pending = earlier.pending.union(&verdict.pending.difference(&refused)).difference(&approved);
        let now_known = Requested { approved, pending, reason: earlier.reason.or(verdict.reason), ..earlier };
        let asked = allowed.intersection(&now_known.approved);
        let waits = !allowed.intersection(&now_known.pending).is_empty();
        match at {
            Some(at) => requests.splice(at..=at, [now_known]).for_each(drop),
            None => requests.push(now_known),
        }
        let agent = Agent { requests, ..agent.clone() };
        match (asked.is_empty(), waits) {
            (false, _) => Ok((agent, asked)),
            (true, true) => Ok((agent, ScopeSet::default())),
            (true, false) => Err(FrontError::AccessDenied),
        }
    }

    /// What the configuration lets a client ask for.
    fn may_ask(&self, agent: &Agent, provider: &ProviderId, scopes: &ScopeSet) -> ScopeSet {
        let configured = agent.oauth.as_ref().and_then(|oauth| match oauth.origin {
            Origin::Configured => self.front.clients.get(&oauth.name),
            Origin::Document | Origin::Registered => None,
        });
        let Some(may) = configured.and_then(|configured| configured.may.as_ref()) else { return scopes.clone() };
        match may.iter().find(|(at, _)| at == provider) {
            None => ScopeSet::default(),
            Some((_, all)) if all.is_empty() => scopes.clone(),
            Some((_, some)) => scopes.intersection(some),
        }
    }

    /// A client that is suspended, or whose approval is over, asks for nothing. What it was approved for is another question.
    fn check_standing(&self, agent: &Agent) -> Result<(), FrontError> {
        match agent.standing {
            Standing::Suspended { .. } => Err(BrokerError::AgentUnapproved(Unapproved::Suspended).into()),
            Standing::KeyChanged { .. } | Standing::Active => Ok(()),
        }
    }

    /// Writes a client as it is now, since somebody is about to consent to it: its approval begins anew.
    pub(crate) async fn enter_client(&self, known: Known, agent: Agent) -> Result<Agent, BrokerError> {
        let agent = Agent { approval_expires: self.now().plus(self.lifetimes.approval), ..agent };
        let (key, client_key) = (agent.own_key(), Client::key(&agent.client_id));
        let approved: ScopeSet = agent.requests.iter().flat_map(|request| request.approved.iter().cloned()).collect();
        let event = self.event("client_asked").by("policy").agent(&agent.agent_id).client(&agent.client_id);
        let event = match status(&agent) {
            AgentStatus::Pending => event.reason("waits for an operator"),
            AgentStatus::Approved | AgentStatus::Denied => event.effective(&approved),
        };
        let Some(stored) = known.stored else {
            let client = Client { agent_id: agent.agent_id.clone(), door: Door::OAuth };
            let effect = async {
                self.vault.insert(&client_key, &client, Life::Forever).await?;
                self.vault.list(Agent::all(), &client_key).await?;
                self.vault.insert(&key, &agent, Life::Forever).await
            };
            return self.entered(event, effect, &agent).await;
        };
        let effect = async {
            // A registration that nobody had consented to would have been forgotten.
            if let Some(client) = self.vault.get::<Client>(&client_key).await? {
                self.vault.swap(&client_key, client.version, &client.body, Life::Forever).await?;
            }
            self.vault.list(Agent::all(), &client_key).await?;
            self.vault.swap(&key, stored.version, &agent, Life::Forever).await
        };
        self.entered(event, effect, &agent).await
    }

    async fn entered(
        &self,
        event: Event,
        effect: impl Future<Output = Result<Written, BrokerError>>,
        agent: &Agent,
    ) -> Result<Agent, BrokerError> {
        match self.decide(event, effect).await? {
            Written::Done => Ok(agent.clone()),
            // Somebody else's consent came between; it entered the same client.
            Written::Refused => Ok(self.agent(&agent.client_id).await?.ok_or(BrokerError::Contention)?.body),
        }
    }

    /// Keeps a registration until somebody consents to it, or its time is over.
    pub(crate) async fn keep_unused(&self, agent: &Agent) -> Result<(), BrokerError> {
        let life = Life::For(self.front.unused_clients);
        let client = Client { agent_id: agent.agent_id.clone(), door: Door::OAuth };
        self.vault.insert(&Client::key(&agent.client_id), &client, life).await?;
        match self.vault.insert(&agent.own_key(), agent, life).await? {
            Written::Done => Ok(()),
            Written::Refused => Err(BrokerError::Contention),
        }
    }
}

/// A client that was entered before keeps what became of it here.
fn continued(fresh: Agent, stored: Option<&Held<Agent>>) -> Agent {
    let Some(Held { body: stored, .. }) = stored else { return fresh };
    Agent {
        requests: stored.requests.clone(),
        standing: stored.standing.clone(),
        era: stored.era,
        registered: stored.registered,
        approval_expires: stored.approval_expires,
        secret: stored.secret.clone(),
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
