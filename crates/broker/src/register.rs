use protocol::wire::{AgentStatus, ProviderApproval, Registration, RegistrationResponse};
use protocol::{AgentId, Audience, ClientId, ScopeSet};
use secret::Opaque;
use serde_json::{Map, Value};
use store::{Life, Write, Written};
use url::Url;

use crate::approve::{answers, status};
use crate::documents::AgentIdentity;
use crate::front::is_registered;
use crate::records::{Agent, Client, Door, KeptHash, Later, Requested, Standing};
use crate::vault::Held;
use crate::{Broker, BrokerError};

/// How the caller of a registration's own endpoint proves that it is its own.
#[derive(Debug, Clone, Copy)]
pub enum ClientProof<'a> {
    /// HTTP Basic: client id and secret.
    Secret(&'a str),
    /// Bearer: a fresh attestation. A lost secret must not lock an agent out.
    Attestation(&'a str),
}

/// What an agent may read of its registration.
#[derive(Debug)]
pub struct RegistrationView {
    /// Whose it is.
    pub agent_id: AgentId,
    /// Its name.
    pub client_id: ClientId,
    /// Whether it may begin consents now.
    pub status: AgentStatus,
    /// What was approved.
    pub approvals: Vec<ProviderApproval>,
    /// RFC 3339.
    pub approval_expires: String,
}

impl Broker {
    /// Registers an agent (ATH 0.1, phase A). The attestation is judged before anything else is answered.
    pub async fn register(&self, request: Map<String, Value>) -> Result<RegistrationResponse, BrokerError> {
        self.admit_handshake()?;
        let presented =
            request.get("agent_attestation").and_then(Value::as_str).ok_or(BrokerError::AttestationMissing)?;
        let agent_id = request.get("agent_id").and_then(Value::as_str).ok_or(BrokerError::AttestationMissing)?;
        let agent_id = AgentId::parse(agent_id, self.development.loopback).map_err(BrokerError::AgentId)?;
        let audience = Audience::handshake(self.urls.public(), &self.urls.register());
        let (_, identity) = self.attested(&agent_id, presented, &audience).await?;

        let registration = fields(request)?;
        let key = Agent::key(&agent_id);
        if self.vault.get::<Agent>(&key).await?.is_some() {
            return Err(BrokerError::AlreadyRegistered);
        }
        let requests = self.judge_requests(&agent_id, &registration);
        let (agent, secret) = self.new_agent(agent_id, &identity, &registration, requests)?;
        let asked: ScopeSet = agent
            .requests
            .iter()
            .flat_map(|request| request.approved.union(&request.pending).iter().cloned().collect::<Vec<_>>())
            .collect();
        let approved: ScopeSet = agent.requests.iter().flat_map(|request| request.approved.iter().cloned()).collect();
        let event = match status(&agent) {
            AgentStatus::Denied => {
                self.event("agent_registration_denied").denial("nothing that was asked for is offered")
            }
            AgentStatus::Pending => self.event("agent_registered").reason("waits for an operator"),
            AgentStatus::Approved => self.event("agent_registered"),
        };
        let event = event.agent(&agent.agent_id).client(&agent.client_id).requested(&asked).effective(&approved);
        self.decide(event.by("policy"), self.enter(&agent)).await?;
        Ok(RegistrationResponse {
            client_id: agent.client_id.clone(),
            client_secret: secret.expose().to_owned(),
            agent_status: status(&agent),
            approved_providers: answers(&agent.requests),
            approval_expires: agent.approval_expires.to_rfc3339(),
        })
    }

    /// The look-up by client id and the list first: alone they lead nowhere, while a registration without them could neither be used nor
    /// be found by an operator.
    async fn enter(&self, agent: &Agent) -> Result<(), BrokerError> {
        let (key, client_key) = (Agent::key(&agent.agent_id), Client::key(&agent.client_id));
        self.vault
            .insert(&client_key, &Client { agent_id: agent.agent_id.clone(), door: Door::Ath }, Life::Forever)
            .await?;
        self.vault.list(Agent::all(), &client_key).await?;
        if self.vault.insert(&key, agent, Life::Forever).await? == Written::Refused {
            let unlist = Write::Unlist { index: Agent::all(), key: client_key.clone() };
            self.vault.write_all(vec![unlist, Write::Delete { key: client_key }]).await?;
            return Err(BrokerError::AlreadyRegistered);
        }
        Ok(())
    }

    /// An agent's own registration. Unknown and foreign ones are refused alike.
    pub async fn registration(&self, client: &str, proof: ClientProof<'_>) -> Result<RegistrationView, BrokerError> {
        let agent = self.proven_agent(client, proof).await?.body;
        Ok(RegistrationView {
            status: status(&agent),
            approval_expires: agent.approval_expires.to_rfc3339(),
            approvals: answers(&agent.requests),
            agent_id: agent.agent_id,
            client_id: agent.client_id,
        })
    }

    /// Ends a registration; every grant and token that hangs on it ends with it, on every replica.
    pub async fn deregister(&self, client: &str, proof: ClientProof<'_>) -> Result<(), BrokerError> {
        let agent = self.proven_agent(client, proof).await?.body;
        self.remove_agent(&agent, self.event("agent_deleted").by("agent")).await
    }

    /// The registration behind a client id; `None` where there is none.
    pub(crate) async fn agent(&self, client: &ClientId) -> Result<Option<Held<Agent>>, BrokerError> {
        let Some(entry) = self.vault.get::<Client>(&Client::key(client)).await? else { return Ok(None) };
        let agent = self.vault.get::<Agent>(&entry.body.agent_key()).await?;
        // The agent may have registered anew since: another client id, another registration.
        let agent = agent.filter(|agent| agent.body.client_id == *client);
        Ok(agent.and_then(|agent| self.as_it_counts(agent)))
    }

    /// The same, of an agent that registered by ATH: its endpoints are for no other.
    pub(crate) async fn ath_agent(&self, client: &ClientId) -> Result<Option<Held<Agent>>, BrokerError> {
        Ok(self.agent(client).await?.filter(|agent| agent.body.oauth.is_none()))
    }

    /// The registration whose client id and secret were presented.
    pub(crate) async fn authenticated_agent(&self, client: &str, secret: &str) -> Result<Held<Agent>, BrokerError> {
        let client = ClientId::parse(client).map_err(|_| BrokerError::ClientNotAuthenticated)?;
        self.admit_client(&client)?;
        let agent = self.ath_agent(&client).await?.filter(|agent| agent.body.secret.matches(secret));
        let agent = agent.ok_or_else(|| self.wrong_secret(&client))?;
        self.admit_proven(&client)?;
        Ok(agent)
    }

    async fn proven_agent(&self, client: &str, proof: ClientProof<'_>) -> Result<Held<Agent>, BrokerError> {
        let client = ClientId::parse(client).map_err(|_| BrokerError::ClientNotAuthenticated)?;
        self.admit_client(&client)?;
        let agent = self.ath_agent(&client).await?.ok_or_else(|| self.wrong_secret(&client))?;
        let proven = match proof {
            ClientProof::Secret(secret) => agent.body.secret.matches(secret),
            ClientProof::Attestation(presented) => {
                let audience = Audience::handshake(self.urls.public(), &self.urls.agent(&client));
                match self.attested(&agent.body.agent_id, presented, &audience).await {
                    Ok((_, identity)) => self.recognise(&agent, &identity).await.is_ok(),
                    Err(error @ (BrokerError::Store(_) | BrokerError::Sealed(_) | BrokerError::Audit(_))) => {
                        return Err(error);
                    }
                    Err(_) => false,
                }
            }
        };
        if !proven {
            return Err(self.wrong_secret(&client));
        }
        self.admit_proven(&client)?;
        Ok(agent)
    }

    fn new_agent(
        &self,
        agent_id: AgentId,
        identity: &AgentIdentity,
        registration: &Registration,
        requests: Vec<Requested>,
    ) -> Result<(Agent, Opaque), BrokerError> {
        let own = self.urls.callback();
        let redirect_uris: Vec<String> =
            registration.redirect_uris.iter().flatten().filter(|uri| **uri != own).cloned().collect();
        if redirect_uris.len() > MAX_REDIRECTS || !redirect_uris.iter().all(|uri| is_redirect(uri)) {
            return Err(BrokerError::RedirectForm);
        }
        let secret = Opaque::generate("ath_secret_", self.entropy.as_ref());
        let now = self.now();
        let agent = Agent {
            client_id: ClientId::generate(self.entropy.as_ref()),
            secret: KeptHash::of(secret.hash()),
            name: identity.name.clone(),
            developer: registration.developer.name.clone(),
            purpose: registration.purpose.clone(),
            redirect_uris,
            requests,
            standing: Standing::Active,
            era: 1,
            key_fingerprint: identity.key.fingerprint(),
            registered: now,
            approval_expires: now.plus(self.lifetimes.approval),
            oauth: None,
            agent_id,
            later: Later::default(),
        };
        Ok((agent, secret))
    }
}

impl Agent {
    /// Whether `uri` is one of those registered: exactly, but for the port of a loopback address (RFC 8252 §7.3).
    pub(crate) fn may_redirect_to(&self, uri: &str) -> bool {
        is_registered(&self.redirect_uris, uri)
    }
}

fn fields(request: Map<String, Value>) -> Result<Registration, BrokerError> {
    for name in ["developer", "requested_providers"] {
        if !request.contains_key(name) {
            return Err(BrokerError::Field(name));
        }
    }
    let registration: Registration = serde_json::from_value(Value::Object(request))
        .map_err(|_| BrokerError::Field("developer, requested_providers, purpose or redirect_uris"))?;
    let requested = &registration.requested_providers;
    let scopes: usize = requested.iter().map(|request| request.scopes.len()).sum();
    if requested.is_empty() || requested.len() > MAX_PROVIDERS || scopes > MAX_SCOPES {
        return Err(BrokerError::Field("requested_providers"));
    }
    Ok(registration)
}

/// `https`, or `http` on loopback (RFC 8252 §7.3), without fragment (RFC 6749 §3.1.2) or credentials, and written canonically.
fn is_redirect(uri: &str) -> bool {
    let Ok(url) = Url::parse(uri) else { return false };
    let scheme = url.scheme() == "https" || url.scheme() == "http" && is_loopback(&url);
    let plain = url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    let canonical = url.as_str() == uri || url.as_str().strip_suffix('/') == Some(uri);
    scheme && plain && canonical && uri.len() <= 2048
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

const MAX_REDIRECTS: usize = 16;
const MAX_PROVIDERS: usize = 64;
const MAX_SCOPES: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirect_uris_are_https_or_loopback() {
        for uri in
            ["https://agent.example/cb", "https://agent.example", "http://127.0.0.1:7777/cb", "http://localhost/cb?x=1"]
        {
            assert!(is_redirect(uri), "{uri}");
        }
        for uri in [
            "http://agent.example/cb",
            "https://agent.example/cb#f",
            "javascript:alert(1)",
            "//agent.example/cb",
            "/cb",
            "",
            "https://a@agent.example/",
            "https://agent.example/a/../b",
            "data:text/html,x",
            "http://localhost.evil.test/cb",
            "https://agent.example\\@evil.test/",
            "https:/agent.example",
            "ftp://127.0.0.1/",
        ] {
            assert!(!is_redirect(uri), "{uri}");
        }
    }
}
