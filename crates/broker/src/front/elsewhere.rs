//! What a client that came by the door for all services may do at each of them. Its own token is for the service that the person came by; at
//! the others it has what the same person granted it there, and nothing where they granted nothing.

use std::hash::RandomState;
use std::sync::Mutex;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use protocol::{ProviderId, ScopeSet, Timestamp, UserId};
use secret::Opaque;

use super::FrontError;
use super::exchange::Consent;
use super::scopes::Wish;
use crate::connections::ConnectionName;
use crate::generations::Generations;
use crate::records::{Agent, Connection};
use crate::{Broker, BrokerError, Caller, Condition, Provider};

/// How a caller stands with one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceState {
    /// Calls can be made.
    Connected,
    /// The person has to sign in there again; with the link for them.
    NeedsReconnecting {
        /// The link for the person.
        connect_url: String,
    },
    /// The person has not allowed it yet; with the link for them.
    NotConnected {
        /// The link for the person.
        connect_url: String,
    },
    /// The caller's token is for another service alone.
    OutOfReach,
}

/// What a call at one service is made with.
pub enum Reach {
    /// The caller's own token.
    Own,
    /// A token for that service. It stays inside the gateway.
    Token(Opaque),
    /// Nothing, until the person has followed the link.
    Link(String),
}

/// What there is to do where a person allowed too little.
pub enum More {
    /// They have allowed it since: the call can be made.
    Granted,
    /// They can allow it, by this link.
    Link(String),
    /// The client cannot have it, whatever they say.
    Never,
}

/// Tokens for the other services, each for one caller's token. Held by the process alone: the agent never sees them, and after a restart
/// there are others.
pub(crate) struct Elsewhere(Mutex<Generations<Place, Opaque, RandomState>>);

type Place = ([u8; 32], ProviderId);

impl Default for Elsewhere {
    fn default() -> Self {
        Self(Mutex::new(Generations::new(MOST)))
    }
}

impl Elsewhere {
    fn get(&self, place: &Place) -> Option<Opaque> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get(place)
    }

    fn forget(&self, place: &Place) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(place);
    }

    fn insert(&self, place: Place, token: Opaque) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(place, token);
    }
}

impl Broker {
    /// What a call of this caller at a service is made with.
    pub async fn reach(&self, caller: &Caller, provider: &ProviderId) -> Result<Reach, FrontError> {
        if caller.provider_id() == provider {
            return Ok(Reach::Own);
        }
        if !caller.is_for_every_service() {
            return Err(FrontError::Target);
        }
        self.check_switch(provider).await?;
        let place = (caller.known().hash().bytes(), provider.clone());
        if let Some(token) = self.elsewhere.get(&place)
            && self.authenticate(token.expose()).await.is_ok()
        {
            return Ok(Reach::Token(token));
        }
        let (agent, wish) = self.wish_elsewhere(caller, provider).await?;
        let name = name_of(&agent)?;
        let (judged, asked) = self.judged_client(&agent, &wish)?;
        if let Some(consented) = self.consented(&judged, caller.user_id(), &wish, &asked, Consent::Theirs).await? {
            let issued = self.issue_alone(&judged, &name, &wish, &consented).await?;
            self.elsewhere.insert(place, issued.access_token.clone());
            return Ok(Reach::Token(issued.access_token));
        }
        let link = self.link_elsewhere(&agent, caller.user_id(), &wish).await?;
        let event = self.event("consent_missing").agent(&agent.agent_id).client(&agent.client_id);
        let event = event.user(caller.user_id()).provider(provider).denial("no consent at this service");
        self.audit.note(&event).map_err(BrokerError::from)?;
        Ok(Reach::Link(link))
    }

    /// The link by which the person allows more at another service than they did, where a call wanted one of these scopes. A token that has less than was granted since is not lent again.
    pub async fn more(&self, caller: &Caller, provider: &ProviderId, wanted: &ScopeSet) -> Result<More, FrontError> {
        let (agent, wish) = self.wish_elsewhere(caller, provider).await?;
        let (judged, asked) = self.judged_client(&agent, &wish)?;
        if asked.intersection(wanted).is_empty() {
            return Ok(More::Never);
        }
        let consented = self.consented(&judged, caller.user_id(), &wish, &asked, Consent::Theirs).await?;
        if consented.is_some_and(|consented| !consented.scopes.intersection(wanted).is_empty()) {
            self.elsewhere.forget(&(caller.known().hash().bytes(), provider.clone()));
            return Ok(More::Granted);
        }
        self.link_elsewhere(&agent, caller.user_id(), &wish).await.map(More::Link)
    }

    /// How a caller stands with a service. Writes nothing.
    pub async fn service_state(&self, caller: &Caller, provider: &Provider) -> Result<ServiceState, FrontError> {
        if *caller.provider_id() == provider.id {
            return Ok(self.state_at_own(caller, provider).await?);
        }
        if !caller.is_for_every_service() {
            return Ok(ServiceState::OutOfReach);
        }
        let (agent, wish) = self.wish_elsewhere(caller, &provider.id).await?;
        let (judged, asked) = match self.judged_client(&agent, &wish) {
            Ok(judged) => judged,
            // Not for this client, whatever the person says.
            Err(FrontError::Scope | FrontError::AccessDenied) => return Ok(ServiceState::OutOfReach),
            Err(error) => return Err(error),
        };
        if self.consented(&judged, caller.user_id(), &wish, &asked, Consent::Theirs).await?.is_some() {
            return Ok(ServiceState::Connected);
        }
        let connect_url = self.link_elsewhere(&agent, caller.user_id(), &wish).await?;
        Ok(ServiceState::NotConnected { connect_url })
    }

    /// What a client brings back when it has asked its person to follow a link, during one tool call; `None` where it cannot be sealed. It
    /// says nothing, and is of no use to anybody else, nor for another tool.
    #[must_use]
    pub fn round(&self, caller: &Caller, tool: &str) -> Option<String> {
        let ends = self.now().plus(ROUND_LIVES).as_secs();
        let plain = format!("{}\n{}\n{tool}\n{ends}", caller.client_id(), caller.user_id());
        let sealed = self.vault.seal_handed_out(ROUND, plain.as_bytes()).ok()?;
        Some(BASE64URL_NOPAD.encode(&sealed))
    }

    /// Whether this caller was asked, for this tool, and not long ago.
    #[must_use]
    pub fn is_round(&self, caller: &Caller, tool: &str, state: &str) -> bool {
        let sealed = BASE64URL_NOPAD.decode(state.as_bytes()).ok();
        let plain = sealed.and_then(|sealed| self.vault.open_handed_out(ROUND, &sealed).ok());
        let Some(plain) = plain.as_deref().and_then(|plain| str::from_utf8(plain).ok()) else { return false };
        let begins = format!("{}\n{}\n{tool}\n", caller.client_id(), caller.user_id());
        let ends = plain.strip_prefix(&begins).and_then(|ends| ends.parse().ok()).map(Timestamp::from_secs);
        ends.is_some_and(|ends| self.now() < ends)
    }

    /// Counts a tool call that came to nothing; `None` where it was for no service. The code is one of a closed list.
    pub fn count_tool_error(&self, provider: Option<&ProviderId>, code: &'static str) {
        self.metrics.tool_error(provider.map_or("none", ProviderId::as_str), code);
    }

    async fn state_at_own(&self, caller: &Caller, provider: &Provider) -> Result<ServiceState, BrokerError> {
        let name = ConnectionName {
            user: caller.user_id().clone(),
            provider: provider.id.clone(),
            account: caller.account_id().clone(),
        };
        let found = self.vault.get_marked::<Connection>(&name.key()).await?;
        let condition = found.map(|(held, mark)| held.body.condition(Some(provider), &mark, self.now()));
        if condition.as_ref().is_some_and(|condition: &Condition| !condition.needs_reconnecting()) {
            return Ok(ServiceState::Connected);
        }
        Ok(ServiceState::NeedsReconnecting { connect_url: self.reconnect_url(caller.client_id(), &name)? })
    }

    /// The client as it is now, and everything that it could have at a service.
    async fn wish_elsewhere(&self, caller: &Caller, provider: &ProviderId) -> Result<(Agent, Wish), FrontError> {
        let agent = self.agent(caller.client_id()).await?.ok_or(BrokerError::AgentNotRegistered)?.body;
        let scopes = self.provider(provider)?.operations.scopes().clone();
        let wish = Wish { provider: provider.clone(), resource: self.urls.mcp_for_all(), scopes, words: Vec::new() };
        Ok((agent, wish))
    }

    async fn link_elsewhere(&self, agent: &Agent, user: &UserId, wish: &Wish) -> Result<String, FrontError> {
        self.connect_url(&name_of(agent)?, user, wish).await
    }
}

/// As the client writes itself.
fn name_of(agent: &Agent) -> Result<String, FrontError> {
    agent.oauth.as_ref().map(|oauth| oauth.name.clone()).ok_or(FrontError::GrantNotAllowed)
}

const MOST: usize = 20_000;
const ROUND: &str = "round of a tool call";
const ROUND_LIVES: Duration = Duration::from_secs(10 * 60);
