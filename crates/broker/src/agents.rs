use audit::Event;
use protocol::wire::{AgentStatus, ProviderApproval};
use protocol::{AgentId, ClientId, ProviderId, ScopeSet};
use serde::Serialize;
use store::{Life, Write};

use crate::approve::{answers, status};
use crate::records::{Agent, Client, Requested, Standing};
use crate::{Broker, BrokerError};

/// A registration, as an operator sees it.
#[derive(Debug, Serialize)]
pub struct AgentView {
    /// Names the registration.
    pub client_id: ClientId,
    /// The agent's URI.
    pub agent_id: AgentId,
    /// The name it gives itself.
    pub name: String,
    /// Who made it, by its own account.
    pub developer: String,
    /// What it says it is for.
    pub purpose: Option<String>,
    /// `approved`, `pending` or `denied`.
    pub status: AgentStatus,
    /// Why it is not approved, where something else than its requests is the reason: `suspended` or `key_changed`.
    pub held_back: Option<&'static str>,
    /// What it asked for, and what became of it.
    pub providers: Vec<ProviderApproval>,
    /// What waits for an operator, `provider scope`.
    pub waiting: Vec<String>,
    /// Where people may be sent after a consent.
    pub redirect_uris: Vec<String>,
    /// RFC 3339.
    pub registered: String,
    /// RFC 3339.
    pub approval_expires: String,
}

/// Which part of an agent's requests an operator decides about. Empty lists mean all.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// These providers.
    pub providers: Vec<ProviderId>,
    /// These scopes.
    pub scopes: ScopeSet,
}

impl Selection {
    fn takes(&self, provider: &str) -> bool {
        self.providers.is_empty() || self.providers.iter().any(|selected| selected.as_str() == provider)
    }

    /// The part of `scopes` that is meant.
    fn of(&self, scopes: &ScopeSet) -> ScopeSet {
        if self.scopes.is_empty() { scopes.clone() } else { scopes.intersection(&self.scopes) }
    }
}

impl Broker {
    /// Every registration.
    pub async fn agents(&self) -> Result<Vec<AgentView>, BrokerError> {
        let mut agents = Vec::new();
        for key in self.vault.store().scan(&Agent::all()).await? {
            let Some(client) = key.parts().first().and_then(|client| ClientId::parse(client).ok()) else { continue };
            match self.agent(&client).await? {
                Some(held) => agents.push(view(&held.body)),
                None => drop(self.vault.write(Write::Unlist { index: Agent::all(), key }).await?),
            }
        }
        agents.sort_by(|one, other| one.registered.cmp(&other.registered));
        Ok(agents)
    }

    /// Lets an agent have what it asked for and waits for, and takes it back into service where it was suspended or changed its key.
    /// Its approval lasts as long as that of a new registration.
    pub async fn approve_agent(&self, client: &ClientId, what: &Selection) -> Result<AgentView, BrokerError> {
        let event = self.event("agent_approved");
        self.change_agent(client, event, |mut agent| {
            for request in agent.requests.iter_mut().filter(|request| what.takes(&request.provider_id)) {
                let Some(available) = self.available(&request.provider_id) else { continue };
                let refused: ScopeSet = ScopeSet::from_list(&request.denied.join(" "));
                // What was denied is approved only where it is named: `approve` alone lets in what waits.
                let wanted = if what.scopes.is_empty() {
                    request.pending.clone()
                } else {
                    what.of(&request.pending.union(&refused))
                };
                let wanted = wanted.intersection(&available);
                request.approved = request.approved.union(&wanted);
                request.pending = request.pending.difference(&wanted);
                request.denied.retain(|scope| !wanted.iter().any(|wanted| wanted.as_str() == scope));
                if request.pending.is_empty() && request.denied.is_empty() {
                    request.reason = None;
                }
            }
            if let Standing::KeyChanged { fingerprint, .. } = &agent.standing {
                agent.key_fingerprint.clone_from(fingerprint);
            }
            agent.standing = Standing::Active;
            agent.approval_expires = self.now().plus(self.lifetimes.approval);
            agent
        })
        .await
    }

    /// Refuses what an agent asked for, approved or waiting; holds for live tokens at once.
    pub async fn deny_agent(
        &self,
        client: &ClientId,
        what: &Selection,
        reason: Option<&str>,
    ) -> Result<AgentView, BrokerError> {
        let event = self.event("agent_denied").denial(reason.unwrap_or("refused by the operator"));
        self.change_agent(client, event, |mut agent| {
            for request in agent.requests.iter_mut().filter(|request| what.takes(&request.provider_id)) {
                let refused = what.of(&request.approved.union(&request.pending));
                request.approved = request.approved.difference(&refused);
                request.pending = request.pending.difference(&refused);
                request.denied.extend(refused.iter().map(ToString::to_string));
                request.reason = Some(reason.unwrap_or("Refused by the gateway's operator.").to_owned());
            }
            agent
        })
        .await
    }

    /// Takes an agent out of service. Its tokens and grants are dead from now on, also when it comes back.
    pub async fn suspend_agent(&self, client: &ClientId, reason: Option<&str>) -> Result<AgentView, BrokerError> {
        let event = self.event("agent_suspended").reason(reason.unwrap_or("by the operator"));
        self.change_agent(client, event, |mut agent| {
            agent.standing = Standing::Suspended { since: self.now(), reason: reason.map(str::to_owned) };
            agent.era += 1;
            agent
        })
        .await
    }

    /// Removes a registration with all that hangs on it. The agent may register anew, and has to ask everybody again.
    pub async fn delete_agent(&self, client: &ClientId) -> Result<(), BrokerError> {
        let agent = self.agent(client).await?.ok_or(BrokerError::Unknown("agent"))?.body;
        self.remove_agent(&agent, self.event("agent_deleted").by("operator")).await
    }

    pub(crate) async fn remove_agent(&self, agent: &Agent, event: Event) -> Result<(), BrokerError> {
        let client = Client::key(&agent.client_id);
        // The look-up last: without the registration it leads nowhere, and an attempt that broke off can be made again.
        let writes = vec![
            Write::Delete { key: agent.own_key() },
            Write::Unlist { index: Agent::all(), key: client.clone() },
            Write::Delete { key: client },
        ];
        let event = event.agent(&agent.agent_id).client(&agent.client_id);
        self.decide(event, self.vault.write_all(writes)).await?;
        self.everywhere().await;
        Ok(())
    }

    async fn change_agent(
        &self,
        client: &ClientId,
        event: Event,
        change: impl Fn(Agent) -> Agent,
    ) -> Result<AgentView, BrokerError> {
        for _ in 0..RETRIES {
            let held = self.agent(client).await?.ok_or(BrokerError::Unknown("agent"))?;
            let changed = self.kept_by_a_word(change(held.body));
            let approved: ScopeSet =
                changed.requests.iter().flat_map(|request| request.approved.iter().cloned()).collect();
            let event = event.clone().by("operator").agent(&changed.agent_id).client(client).effective(&approved);
            let key = changed.own_key();
            let effect = async {
                if changed.oauth.is_some() {
                    self.keep_look_up(&changed, Life::Forever).await?;
                }
                self.vault.replace(&key, held.version, &changed).await
            };
            match self.decide(event, effect).await {
                Err(BrokerError::Contention) => {}
                Err(error) => return Err(error),
                Ok(()) => {
                    self.everywhere().await;
                    return Ok(view(&changed));
                }
            }
        }
        Err(BrokerError::Contention)
    }

    fn available(&self, provider: &str) -> Option<ScopeSet> {
        let provider = ProviderId::parse(provider).ok()?;
        self.provider(&provider).ok().map(|provider| provider.operations.scopes().clone())
    }
}

fn view(agent: &Agent) -> AgentView {
    let waiting = |request: &Requested| {
        let provider = request.provider_id.clone();
        request.pending.iter().map(move |scope| format!("{provider} {scope}")).collect::<Vec<_>>()
    };
    AgentView {
        client_id: agent.client_id.clone(),
        agent_id: agent.agent_id.clone(),
        name: agent.name.clone(),
        developer: agent.developer.clone(),
        purpose: agent.purpose.clone(),
        status: status(agent),
        held_back: match agent.standing {
            Standing::Active => None,
            Standing::Suspended { .. } => Some("suspended"),
            Standing::KeyChanged { .. } => Some("key_changed"),
        },
        providers: answers(&agent.requests),
        waiting: agent.requests.iter().flat_map(waiting).collect(),
        redirect_uris: agent.redirect_uris.clone(),
        registered: agent.registered.to_rfc3339(),
        approval_expires: agent.approval_expires.to_rfc3339(),
    }
}

const RETRIES: usize = 8;
