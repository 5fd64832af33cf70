//! What a program that somebody logged in with may see and end: the services, how they stand, and what this very program may do there. What
//! other agents may do is the person's affair, at the gateway's own pages.

use protocol::{AccountId, ClientId, ProviderId, Scope, ScopeSet, UserId};
use serde::Serialize;

use super::exchange::Consent;
use super::scopes::Wish;
use super::{FrontError, ServiceState};
use crate::connections::{ConnectionName, ConnectionView};
use crate::records::{Agent, Connection};
use crate::{Api, Broker, BrokerError, Caller, Condition, Provider};

/// Every service, for one program.
#[derive(Debug, Serialize)]
pub struct Services {
    /// The person.
    pub user: UserId,
    /// The registration that their program has here.
    pub client_id: ClientId,
    /// The page on which the person sees and ends everything that they allowed.
    pub accounts_url: String,
    /// In the order of the configuration.
    pub services: Vec<Service>,
}

/// A service, and how a program stands with it.
#[derive(Debug, Serialize)]
pub struct Service {
    /// As it stands in paths.
    pub id: ProviderId,
    /// As people read it.
    pub name: String,
    /// `http`, or `mcp` for a service that is an MCP server.
    pub kind: &'static str,
    /// What to call instead of its API; of an MCP server, what to connect to.
    pub url: String,
    /// The base of its API, where that is the same for everybody.
    pub api_base: Option<String>,
    /// `connected`, `needs_reconnecting`, `not_connected` or `out_of_reach`.
    pub state: &'static str,
    /// The link for the person, where only they can go on.
    pub connect_url: Option<String>,
    /// What there is to be allowed.
    pub scopes: Vec<ServiceScope>,
}

/// One thing that a person may allow.
#[derive(Debug, Serialize)]
pub struct ServiceScope {
    /// As it is asked for.
    pub scope: Scope,
    /// The same in words.
    pub says: String,
    /// Whether the program has it now.
    pub granted: bool,
}

/// What there is to do before a program may do something.
#[derive(Debug, Serialize)]
pub struct Connecting {
    /// As in [`Service`].
    pub state: &'static str,
    /// The link for the person; `None` where there is nothing to do.
    pub connect_url: Option<String>,
}

/// What one program may do with one account.
#[derive(Debug, Serialize)]
pub struct OwnConnection {
    /// Where.
    pub service: ProviderId,
    /// The service as people read it.
    pub name: String,
    /// What the service calls the account.
    pub account: String,
    /// Tells two accounts apart.
    pub account_id: AccountId,
    /// How it does.
    #[serde(flatten)]
    pub condition: Condition,
    /// What the program may do.
    pub scopes: ScopeSet,
    /// RFC 3339.
    pub given: String,
    /// Whether other agents may use the account, too.
    pub shared_with_others: bool,
    /// The link for the person, where only they can make it work again.
    pub reconnect_url: Option<String>,
}

/// Everything that one program may do.
#[derive(Debug, Serialize)]
pub struct OwnConnections {
    /// The page on which the person sees and ends everything that they allowed.
    pub accounts_url: String,
    /// By the time they were connected.
    pub connections: Vec<OwnConnection>,
}

/// What was ended.
#[derive(Debug, Serialize)]
pub struct Ended {
    /// How many accounts the program could use at the service.
    pub ended: usize,
    /// Whether the program's login hung on one of them, and ended with it.
    pub login_ended: bool,
}

/// How far something is to be ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaching {
    /// What this program may do.
    Program,
    /// The connection itself, at the service as well.
    Service,
}

/// What a program stands with a service for.
struct Standing {
    state: ServiceState,
    granted: ScopeSet,
}

impl Broker {
    /// Every service, and how this program stands with each. Writes nothing.
    pub async fn services_for(&self, caller: &Caller) -> Result<Services, FrontError> {
        let agent = self.own_agent(caller).await?;
        let mut services = Vec::new();
        for provider in self.providers() {
            services.push(self.service_with(caller, &agent, provider).await?);
        }
        let (user, client_id) = (caller.user_id().clone(), caller.client_id().clone());
        Ok(Services { user, client_id, accounts_url: self.urls.accounts(), services })
    }

    /// One service, and how this program stands with it. Writes nothing.
    pub async fn service_for(&self, caller: &Caller, id: &str) -> Result<Service, FrontError> {
        let agent = self.own_agent(caller).await?;
        self.service_with(caller, &agent, self.service_named(id)?).await
    }

    /// What the person has to do so that this program may have `scopes` at a service: everything there where none are named.
    pub async fn connecting(&self, caller: &Caller, id: &str, scopes: ScopeSet) -> Result<Connecting, FrontError> {
        let agent = self.own_agent(caller).await?;
        let provider = self.service_named(id)?;
        let offered = provider.operations.scopes();
        if !scopes.is_subset(offered) {
            return Err(FrontError::Scope);
        }
        let scopes = if scopes.is_empty() { offered.clone() } else { scopes };
        let wish = self.wish_for(provider, scopes);
        self.check_switch(&provider.id).await?;
        let (judged, asked) = self.judged_client(&agent, &wish)?;
        let has = self.consented(&judged, caller.user_id(), &wish, &asked, Consent::Theirs).await?;
        if has.is_some_and(|has| asked.is_subset(&has.scopes)) {
            return Ok(Connecting { state: CONNECTED, connect_url: None });
        }
        let stands = self.standing_at(caller, &agent, provider, &wish).await?;
        let link = match &stands.state {
            ServiceState::NeedsReconnecting { connect_url } => connect_url.clone(),
            _ => self.link_for(&agent, caller.user_id(), &wish).await?,
        };
        Ok(Connecting { state: word(&stands.state), connect_url: Some(link) })
    }

    /// What this program may do, with which accounts.
    pub async fn connections_for(&self, caller: &Caller) -> Result<OwnConnections, FrontError> {
        self.own_agent(caller).await?;
        let views = self.connections_of(caller.user_id()).await?;
        let mut connections = Vec::new();
        for own in views.into_iter().filter_map(|view| own_part(view, caller.client_id())) {
            let link = || self.reconnect_url(caller.client_id(), &own.name_for(caller));
            let reconnect_url = own.condition.can_be_renewed().then(link).transpose()?;
            connections.push(OwnConnection { reconnect_url, ..own });
        }
        Ok(OwnConnections { accounts_url: self.urls.accounts(), connections })
    }

    /// Ends what this program may do at a service. The connection itself it ends only where no other agent may use it: that would be the
    /// person's to decide.
    pub async fn end_for(&self, caller: &Caller, id: &str, reaching: Reaching) -> Result<Ended, FrontError> {
        self.own_agent(caller).await?;
        let provider = ProviderId::parse(id).map_err(|_| FrontError::UnknownService)?;
        let views = self.connections_of(caller.user_id()).await?;
        let at = views.into_iter().filter(|view| view.provider_id == provider);
        let own: Vec<OwnConnection> = at.filter_map(|view| own_part(view, caller.client_id())).collect();
        if own.is_empty() && self.provider(&provider).is_err() {
            return Err(FrontError::UnknownService);
        }
        if reaching == Reaching::Service && own.iter().any(|connection| connection.shared_with_others) {
            return Err(FrontError::UsedByOthers);
        }
        for connection in &own {
            let name = connection.name_for(caller);
            // Each is one step: the end of a connection is that of every grant on it.
            match reaching {
                Reaching::Program => {
                    self.end_grant(&name, caller.client_id(), self.event("grant_revoked").by("agent")).await?;
                }
                Reaching::Service => self.disconnect(&name, self.event("connection_revoked").by("agent")).await?,
            }
        }
        let own_login = |connection: &OwnConnection| connection.account_id == *caller.account_id();
        let login_ended = provider == *caller.provider_id() && own.iter().any(own_login);
        Ok(Ended { ended: own.len(), login_ended })
    }

    async fn service_with(&self, caller: &Caller, agent: &Agent, provider: &Provider) -> Result<Service, FrontError> {
        let wish = self.wish_for(provider, provider.operations.scopes().clone());
        let stands = self.standing_at(caller, agent, provider, &wish).await?;
        let scope = |scope: &Scope| ServiceScope {
            scope: scope.clone(),
            says: provider.says(scope),
            granted: stands.granted.contains(scope),
        };
        let (kind, url) = match provider.api {
            Api::Http => ("http", wish.resource),
            Api::Mcp => ("mcp", self.urls.mcp(&provider.id)),
        };
        let same_for_all = provider.bases.is_none() && provider.api == Api::Http;
        let base = provider.api_base.as_str();
        Ok(Service {
            id: provider.id.clone(),
            name: provider.display_name.clone(),
            kind,
            url,
            api_base: same_for_all.then(|| base.strip_suffix('/').unwrap_or(base).to_owned()),
            state: word(&stands.state),
            scopes: provider.operations.scopes().iter().map(scope).collect(),
            connect_url: link_of(stands.state),
        })
    }

    async fn standing_at(
        &self,
        caller: &Caller,
        agent: &Agent,
        provider: &Provider,
        wish: &Wish,
    ) -> Result<Standing, FrontError> {
        let nothing = |state| Standing { state, granted: ScopeSet::default() };
        let (judged, asked) = match self.judged_client(agent, wish) {
            Ok(judged) => judged,
            // Not for this client, whatever the person says.
            Err(FrontError::Scope | FrontError::AccessDenied) => return Ok(nothing(ServiceState::OutOfReach)),
            Err(error) => return Err(error),
        };
        if let Some(consented) = self.consented(&judged, caller.user_id(), wish, &asked, Consent::Theirs).await? {
            return Ok(Standing { state: ServiceState::Connected, granted: consented.scopes });
        }
        if let Some(name) = self.dead_connection(caller, provider).await? {
            let connect_url = self.reconnect_url(caller.client_id(), &name)?;
            return Ok(nothing(ServiceState::NeedsReconnecting { connect_url }));
        }
        let connect_url = self.link_for(agent, caller.user_id(), wish).await?;
        Ok(nothing(ServiceState::NotConnected { connect_url }))
    }

    /// An account that this program may use, and that only its owner can make work again.
    async fn dead_connection(
        &self,
        caller: &Caller,
        provider: &Provider,
    ) -> Result<Option<ConnectionName>, BrokerError> {
        for name in self.connections_at(&provider.id, caller.user_id()).await? {
            let Some((held, mark)) = self.vault.get_marked::<Connection>(&name.key()).await? else { continue };
            if !held.body.condition(Some(provider), &mark, self.now()).needs_reconnecting() {
                continue;
            }
            let grants = self.grants_of(caller.user_id()).await?;
            let own = grants.iter().find(|grant| {
                grant.client_id == *caller.client_id() && grant.provider == provider.id && grant.account == name.account
            });
            if own.is_some_and(|grant| grant.revoked.is_none() && !grant.is_over(self.now())) {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    /// The client behind a token that is for every service.
    async fn own_agent(&self, caller: &Caller) -> Result<Agent, FrontError> {
        if !caller.is_for_every_service() {
            return Err(FrontError::OneServiceAlone);
        }
        Ok(self.agent(caller.client_id()).await?.ok_or(BrokerError::AgentNotRegistered)?.body)
    }

    fn service_named(&self, id: &str) -> Result<&Provider, FrontError> {
        let id = ProviderId::parse(id).map_err(|_| FrontError::UnknownService)?;
        self.provider(&id).map_err(|_| FrontError::UnknownService)
    }

    fn wish_for(&self, provider: &Provider, scopes: ScopeSet) -> Wish {
        // Never its own host: programs hold every URL against the gateway's.
        let path = provider.path_prefix.as_ref().map(|path| self.urls.at_path(path));
        let resource = path.unwrap_or_else(|| self.urls.proxied(&provider.id));
        Wish { provider: provider.id.clone(), resource, scopes, words: Vec::new() }
    }

    async fn link_for(&self, agent: &Agent, user: &UserId, wish: &Wish) -> Result<String, FrontError> {
        let name = agent.oauth.as_ref().map(|oauth| oauth.name.as_str()).ok_or(FrontError::GrantNotAllowed)?;
        self.connect_url(name, user, wish).await
    }
}

/// What one program may do with a connection; `None` where that is nothing.
fn own_part(view: ConnectionView, client: &ClientId) -> Option<OwnConnection> {
    let account_id = view.account_id()?;
    let shared_with_others = view.agents.iter().any(|agent| agent.client_id != *client);
    let own = view.agents.into_iter().find(|agent| agent.client_id == *client)?;
    Some(OwnConnection {
        service: view.provider_id,
        name: view.provider_name,
        account: view.label,
        account_id,
        condition: view.condition,
        scopes: own.scopes,
        given: own.given,
        shared_with_others,
        reconnect_url: None,
    })
}

impl OwnConnection {
    fn name_for(&self, caller: &Caller) -> ConnectionName {
        let user = caller.user_id().clone();
        ConnectionName { user, provider: self.service.clone(), account: self.account_id.clone() }
    }
}

fn word(state: &ServiceState) -> &'static str {
    match state {
        ServiceState::Connected => CONNECTED,
        ServiceState::NeedsReconnecting { .. } => "needs_reconnecting",
        ServiceState::NotConnected { .. } => "not_connected",
        ServiceState::OutOfReach => "out_of_reach",
    }
}

fn link_of(state: ServiceState) -> Option<String> {
    match state {
        ServiceState::NeedsReconnecting { connect_url } | ServiceState::NotConnected { connect_url } => {
            Some(connect_url)
        }
        ServiceState::Connected | ServiceState::OutOfReach => None,
    }
}

const CONNECTED: &str = "connected";
