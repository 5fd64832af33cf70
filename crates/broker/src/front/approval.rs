//! What OAuth clients are approved for, and when they are written down for good.

use std::time::Duration;

use policy::Vouching;
use protocol::{ProviderId, ScopeSet};
use store::{Life, Written};

use super::FrontError;
use super::clients::Known;
use super::records::{OAuthClient, Origin};
use super::scopes::Wish;
use crate::records::{Agent, Client, Door, Requested, Standing};
use crate::{Broker, BrokerError, Unapproved};

impl Broker {
    /// What becomes of a wish by the operator's rules: the scopes that the person is asked for, and the client with what it was approved
    /// for, or waits for. Writes nothing.
    pub(crate) fn judged_client(&self, agent: &Agent, wish: &Wish) -> Result<(Agent, ScopeSet), FrontError> {
        if matches!(agent.standing, Standing::Suspended { .. }) {
            return Err(BrokerError::AgentUnapproved(Unapproved::Suspended).into());
        }
        let allowed = self.may_ask(agent, &wish.provider, &wish.scopes);
        if allowed.is_empty() {
            return Err(FrontError::Scope);
        }
        let agent = &self.without_what_ran_out(agent);
        let verdict = self.approvals.judge((&agent.agent_id, agent.vouched()), &wish.provider, &allowed);
        let mut requests = agent.requests.clone();
        let at = requests.iter().position(|request| request.provider_id == wish.provider.as_str());
        let earlier = at
            .and_then(|at| requests.get(at))
            .cloned()
            .unwrap_or_else(|| Requested { provider_id: wish.provider.to_string(), ..Requested::default() });
        let refused = ScopeSet::from_list(&earlier.denied.join(" "));
        let by_rule = verdict.approved.difference(&refused);
        let approved = earlier.approved.union(&by_rule);
        let pending = earlier.pending.union(&verdict.pending.difference(&refused)).difference(&approved);
        let now_known = Requested { approved, pending, reason: earlier.reason.or(verdict.reason), ..earlier };
        let asked = allowed.intersection(&now_known.approved);
        let waits = !allowed.intersection(&now_known.pending).is_empty();
        match at {
            Some(at) => requests.splice(at..=at, [now_known]).for_each(drop),
            None => requests.push(now_known),
        }
        // What a rule approves it approves again; what an operator approved runs out, and is theirs to renew.
        let agent = self.renewed(Agent { requests, ..agent.clone() });
        match (asked.is_empty(), waits) {
            (false, _) => Ok((agent, asked)),
            (true, true) => Ok((agent, ScopeSet::default())),
            (true, false) => Err(FrontError::AccessDenied),
        }
    }

    /// What a rule approves it approves again. What an operator approved has its time, and waits for them once more when that is over.
    fn without_what_ran_out(&self, agent: &Agent) -> Agent {
        if agent.approval_expires > self.now() {
            return agent.clone();
        }
        let requests = agent.requests.iter().cloned().map(|request| {
            let approved = self.by_rule(agent, &request);
            let pending = request.pending.union(&request.approved.difference(&approved));
            Requested { approved, pending, ..request }
        });
        Agent { requests: requests.collect(), ..agent.clone() }
    }

    /// The part of what was approved that needs no operator.
    fn by_rule(&self, agent: &Agent, request: &Requested) -> ScopeSet {
        let Ok(provider) = ProviderId::parse(&request.provider_id) else { return ScopeSet::default() };
        self.approvals.judge((&agent.agent_id, agent.vouched()), &provider, &request.approved).approved
    }

    /// The approval begins anew where all of it is by the rules; not at every turn, since each change of the record is heard by every
    /// gateway.
    fn renewed(&self, agent: Agent) -> Agent {
        let whole = self.lifetimes.approval;
        let near = agent.approval_expires.since(self.now()) < whole / 2;
        let by_rule = agent.requests.iter().all(|request| self.by_rule(&agent, request) == request.approved);
        if near && by_rule { Agent { approval_expires: self.now().plus(whole), ..agent } } else { agent }
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

    /// Writes a client as it is now, since somebody is to be asked for it; what it may ask them for. Nothing is written where nothing has
    /// changed. Until somebody has consented, it is kept for as long as a registration that nobody uses.
    pub(crate) async fn enter_client(&self, name: &str, wish: &Wish) -> Result<(Agent, ScopeSet), FrontError> {
        for _ in 0..RETRIES {
            let known = self.front_client(name).await?;
            let (agent, asked) = self.judged_client(&known.agent, wish)?;
            if self.keep_client(known, &agent).await? == Written::Done {
                return Ok((agent, asked));
            }
        }
        Err(BrokerError::Contention.into())
    }

    async fn keep_client(&self, known: Known, agent: &Agent) -> Result<Written, BrokerError> {
        let (key, client_key, life) = (agent.own_key(), Client::key(&agent.client_id), self.life_of_client(agent));
        if let Some(stored) = &known.stored {
            let young = agent.registered.plus(self.front.unused_clients / 2) > self.now();
            if says_the_same(&stored.body, agent) && (is_settled(agent) || young) {
                return Ok(Written::Done);
            }
        }
        let (waits, isnew) = (agent.requests.iter().any(|request| !request.pending.is_empty()), known.stored.is_none());
        let event = self.event("client_asked").by("policy").agent(&agent.agent_id).client(&agent.client_id);
        let event = if waits { event.reason("waits for an operator") } else { event };
        let effect = async {
            // Before the client itself where it is new: without the look-up nobody finds it.
            if isnew {
                self.keep_look_up(agent, life).await?;
            }
            if waits {
                self.vault.list(Agent::all(), &client_key).await?;
            }
            let written = match known.stored {
                Some(stored) => self.vault.swap(&key, stored.version, agent, life).await?,
                None => self.vault.insert(&key, agent, life).await?,
            };
            if written == Written::Done && !isnew {
                self.keep_look_up(agent, life).await?;
                // Somebody may have consented in between, and their word keeps it for good.
                if self.agent(&agent.client_id).await?.is_some_and(|now| is_settled(&now.body)) {
                    self.keep_look_up(agent, Life::Forever).await?;
                }
            }
            Ok(written)
        };
        self.decide(event, effect).await
    }

    /// From the first consent on a client is kept for good, and operators find it on their list.
    pub(crate) async fn settle_client(&self, agent: &Agent) -> Result<(), BrokerError> {
        if agent.oauth.is_none() || is_settled(agent) {
            return Ok(());
        }
        let client_key = Client::key(&agent.client_id);
        for _ in 0..RETRIES {
            let held = self.agent(&agent.client_id).await?.ok_or(BrokerError::AgentNotRegistered)?;
            if is_settled(&held.body) {
                return Ok(());
            }
            let settled = self.kept_by_a_word(held.body);
            self.keep_look_up(&settled, Life::Forever).await?;
            self.vault.list(Agent::all(), &client_key).await?;
            if self.vault.swap(&settled.own_key(), held.version, &settled, Life::Forever).await? == Written::Done {
                return Ok(());
            }
        }
        Err(BrokerError::Contention)
    }

    /// The client as an operator's word leaves it: kept for good, as by a person's consent.
    pub(crate) fn kept_by_a_word(&self, agent: Agent) -> Agent {
        let settle = |oauth: OAuthClient| OAuthClient { settled: oauth.settled.or(Some(self.now())), ..oauth };
        Agent { oauth: agent.oauth.map(settle), ..agent }
    }

    /// The look-up by client id; it says the same each time.
    pub(crate) async fn keep_look_up(&self, agent: &Agent, life: Life) -> Result<(), BrokerError> {
        let (key, entry) =
            (Client::key(&agent.client_id), Client { agent_id: agent.agent_id.clone(), door: Door::OAuth });
        for _ in 0..RETRIES {
            let written = match self.vault.get::<Client>(&key).await? {
                Some(held) => self.vault.swap(&key, held.version, &entry, life).await?,
                None => self.vault.insert(&key, &entry, life).await?,
            };
            if written == Written::Done {
                return Ok(());
            }
        }
        Err(BrokerError::Contention)
    }

    /// Keeps a registration until somebody consents to it, or its time is over.
    pub(crate) async fn keep_unused(&self, agent: &Agent) -> Result<(), BrokerError> {
        let life = Life::For(self.front.unused_clients);
        self.keep_look_up(agent, life).await?;
        match self.vault.insert(&agent.own_key(), agent, life).await? {
            Written::Done => Ok(()),
            Written::Refused => Err(BrokerError::Contention),
        }
    }

    fn life_of_client(&self, agent: &Agent) -> Life {
        if is_settled(agent) { Life::Forever } else { Life::For(self.front.unused_clients.max(LONGER_THAN_A_CONSENT)) }
    }
}

/// Whether somebody has consented to the client.
fn is_settled(agent: &Agent) -> bool {
    agent.oauth.as_ref().is_none_or(|oauth| oauth.settled.is_some())
}

/// Whether a record would say nothing new.
fn says_the_same(stored: &Agent, agent: &Agent) -> bool {
    let said = |agent: &Agent| {
        let of_itself = (&agent.name, &agent.developer, &agent.redirect_uris, &agent.oauth);
        serde_json::to_string(&(of_itself, &agent.requests, agent.approval_expires)).ok()
    };
    said(stored) == said(agent)
}

/// Who vouches for somebody matters to rules.
impl OAuthClient {
    pub(crate) fn vouched(&self) -> Vouching {
        match self.origin {
            Origin::Document => Vouching::Host,
            Origin::Configured => Vouching::Operator,
            Origin::Registered => Vouching::Nobody,
        }
    }
}

const RETRIES: usize = 16;
const LONGER_THAN_A_CONSENT: Duration = Duration::from_secs(60 * 60);
