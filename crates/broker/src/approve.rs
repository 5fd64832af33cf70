use policy::{Verdict, Vouching};
use protocol::wire::{AgentStatus, ProviderApproval, Registration};
use protocol::{AgentId, ProviderId, Scope, ScopeSet};

use crate::documents::AgentIdentity;
use crate::records::{Agent, Requested, Standing};
use crate::vault::Held;
use crate::{Broker, BrokerError, Unapproved};

impl Broker {
    /// What becomes of a registration's requests, by the operator's rules; one entry for each provider that was asked for.
    pub(crate) fn judge_requests(&self, agent: &AgentId, registration: &Registration) -> Vec<Requested> {
        let mut requests: Vec<Requested> = Vec::new();
        for asked in &registration.requested_providers {
            let judged = self.judge_request(agent, &asked.provider_id, &asked.scopes);
            match requests.iter_mut().find(|known| known.provider_id == judged.provider_id) {
                Some(known) => {
                    known.approved = known.approved.union(&judged.approved);
                    known.pending = known.pending.union(&judged.pending);
                    known.denied.extend(judged.denied);
                    known.reason = known.reason.take().or(judged.reason);
                }
                None => requests.push(judged),
            }
        }
        requests
    }

    fn judge_request(&self, agent: &AgentId, provider_id: &str, scopes: &[String]) -> Requested {
        let provider_id = provider_id.to_owned();
        let Some(provider) = ProviderId::parse(&provider_id).ok().and_then(|id| self.provider(&id).ok()) else {
            let reason = Some("The gateway has no such provider; /.well-known/ath.json lists those it has.".to_owned());
            return Requested { provider_id, denied: scopes.to_vec(), reason, ..Requested::default() };
        };
        let available = provider.operations.scopes();
        let known = |scope: &&String| Scope::parse(scope).is_ok_and(|scope| available.contains(&scope));
        let (offered, unknown): (Vec<&String>, Vec<&String>) = scopes.iter().partition(known);
        let offered: ScopeSet = offered.into_iter().filter_map(|scope| Scope::parse(scope).ok()).collect();
        let Verdict { approved, pending, denied, reason } =
            self.approvals.judge((agent, Vouching::Host), &provider.id, &offered);
        let reason = match (reason, unknown.is_empty(), pending.is_empty(), denied.is_empty()) {
            (Some(reason), ..) => Some(reason),
            (None, false, ..) => {
                Some("The provider has no such scopes; /.well-known/ath.json lists those it has.".to_owned())
            }
            (None, _, false, _) => Some("Waits for the approval of the gateway's operator.".to_owned()),
            (None, _, _, false) => Some("Not allowed by the gateway's operator.".to_owned()),
            (None, true, true, true) => None,
        };
        let denied = denied.iter().map(ToString::to_string).chain(unknown.into_iter().cloned()).collect();
        Requested { provider_id, approved, pending, denied, reason }
    }

    /// A registration that waits, is denied or suspended, or whose time is over, begins nothing and carries nothing.
    pub(crate) fn check_approval(&self, agent: &Agent) -> Result<(), BrokerError> {
        let standing = match agent.standing {
            Standing::Suspended { .. } => Err(Unapproved::Suspended),
            Standing::KeyChanged { .. } => Err(Unapproved::KeyChanged),
            Standing::Active if agent.approval_expires <= self.now() => Err(Unapproved::Expired),
            Standing::Active => match status(agent) {
                AgentStatus::Approved => Ok(()),
                AgentStatus::Pending => Err(Unapproved::Pending),
                AgentStatus::Denied => Err(Unapproved::Denied),
            },
        };
        standing.map_err(BrokerError::AgentUnapproved)
    }

    /// Whether the key that an attestation was just verified with is the one that was approved. Whoever takes over the place of an
    /// identity document does not take over the agent: another key waits for an operator. One that the configuration vouches for
    /// changes with the configuration.
    pub(crate) async fn recognise(&self, held: &Held<Agent>, identity: &AgentIdentity) -> Result<(), BrokerError> {
        let fingerprint = identity.key.fingerprint();
        let agent = &held.body;
        if agent.key_fingerprint == fingerprint {
            return Ok(());
        }
        let key = Agent::key(&agent.agent_id);
        let event = self.event("agent_key_changed").agent(&agent.agent_id).client(&agent.client_id);
        if self.documents.is_pinned(&agent.agent_id) {
            let known = Agent { key_fingerprint: fingerprint, ..agent.clone() };
            let event = event.by("operator").reason("the configuration has another key");
            return self.decide(event, self.vault.replace(&key, held.version, &known)).await;
        }
        if matches!(agent.standing, Standing::Active) {
            let standing = Standing::KeyChanged { since: self.now(), fingerprint };
            let changed = Agent { standing, ..agent.clone() };
            let event = event.by("agent").reason("the identity document has another key; waits for an operator");
            self.decide(event, self.vault.replace(&key, held.version, &changed)).await?;
        }
        let unapproved = match agent.standing {
            Standing::Suspended { .. } => Unapproved::Suspended,
            Standing::Active | Standing::KeyChanged { .. } => Unapproved::KeyChanged,
        };
        Err(BrokerError::AgentUnapproved(unapproved))
    }
}

/// What an agent is told of its registration.
pub(crate) fn status(agent: &Agent) -> AgentStatus {
    let some = |scopes: fn(&Requested) -> &ScopeSet| agent.requests.iter().any(|request| !scopes(request).is_empty());
    match agent.standing {
        Standing::KeyChanged { .. } => AgentStatus::Pending,
        Standing::Active if some(|request| &request.approved) => AgentStatus::Approved,
        Standing::Active if some(|request| &request.pending) => AgentStatus::Pending,
        Standing::Active | Standing::Suspended { .. } => AgentStatus::Denied,
    }
}

/// The same, provider by provider. What waits is not approved yet, so it stands among what is denied, with the reason.
pub(crate) fn answers(requests: &[Requested]) -> Vec<ProviderApproval> {
    let texts = |scopes: &ScopeSet| scopes.iter().map(ToString::to_string).collect::<Vec<_>>();
    let answer = |request: &Requested| {
        let waiting = texts(&request.pending);
        ProviderApproval {
            provider_id: request.provider_id.clone(),
            approved_scopes: texts(&request.approved),
            denied_scopes: request.denied.iter().cloned().chain(waiting).collect(),
            denial_reason: request.reason.clone(),
        }
    };
    requests.iter().map(answer).collect()
}
