mod ending;

use audit::Event;
use protocol::{AccountId, AgentId, ClientId, ProviderId, ScopeSet, UserId};
use serde::Serialize;
use store::{Key, Life, Write, Written};

use crate::complete::holds;
use crate::condition::Condition;
use crate::records::{Browser, Connection, Grant, ProviderSwitch, User};
use crate::text::named;
use crate::vault::{Fingerprint, Held};
use crate::{Broker, BrokerError};

/// Names a connection: whose, and with which account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionName {
    /// Whose.
    pub user: UserId,
    /// Where.
    pub provider: ProviderId,
    /// With which account there.
    pub account: AccountId,
}

/// The text is no connection's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a connection; `ath-gateway connections list` prints them")]
pub struct NameError;

impl ConnectionName {
    /// Reads `user/provider/account`.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let mut parts = text.split('/');
        let (Some(user), Some(provider), Some(account), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(NameError);
        };
        Ok(Self {
            user: UserId::parse(user).map_err(|_| NameError)?,
            provider: ProviderId::parse(provider).map_err(|_| NameError)?,
            account: AccountId::parse(account).map_err(|_| NameError)?,
        })
    }

    pub(crate) fn key(&self) -> Key {
        Connection::key(&self.user, &self.provider, &self.account)
    }

    pub(crate) fn of(key: &Key) -> Option<Self> {
        let [user, provider, account] = key.parts() else { return None };
        Self::parse(&format!("{user}/{provider}/{account}")).ok()
    }
}

impl std::fmt::Display for ConnectionName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.user, self.provider, self.account)
    }
}

/// A connection, as its owner and operators see it. Nothing of its tokens.
#[derive(Debug, Serialize)]
pub struct ConnectionView {
    /// Its name: `user/provider/account`.
    pub name: String,
    /// Whose.
    pub user_id: UserId,
    /// Where.
    pub provider_id: ProviderId,
    /// The service as people read it.
    pub provider_name: String,
    /// What the provider calls the account.
    pub label: String,
    /// How it does.
    #[serde(flatten)]
    pub condition: Condition,
    /// The link for its owner, where only they can make it work again, or work on, and some agent may use it.
    pub reconnect_url: Option<String>,
    /// RFC 3339.
    pub connected: String,
    /// What the provider granted.
    pub scopes: ScopeSet,
    /// The agents that may use it.
    pub agents: Vec<GrantView>,
}

impl ConnectionView {
    pub(crate) fn account_id(&self) -> Option<AccountId> {
        ConnectionName::parse(&self.name).ok().map(|name| name.account)
    }
}

/// What one agent may do with a connection.
#[derive(Debug, Serialize)]
pub struct GrantView {
    /// The registration.
    pub client_id: ClientId,
    /// The agent.
    pub agent_id: AgentId,
    /// The name it gives itself.
    pub agent_name: String,
    /// What it may do now.
    pub scopes: ScopeSet,
    /// The same in words.
    pub says: Vec<String>,
    /// RFC 3339.
    pub given: String,
}

/// What a person sees of what they allowed.
#[derive(Debug)]
pub struct AccountsPage {
    /// The accounts that whoever holds this browser may see.
    pub connections: Vec<ConnectionView>,
    /// How many more there are, which a sign-in at their own provider would show.
    pub elsewhere: usize,
}

impl Broker {
    /// What the person whose session this browser holds has connected; `None` where nobody is signed in.
    pub async fn accounts(&self, browser: Option<&str>) -> Result<Option<AccountsPage>, BrokerError> {
        let Some(browser) = self.live_browser(browser).await? else { return Ok(None) };
        let all = self.connections_of(&browser.user).await?;
        let (connections, hidden): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|connection| browser.may_use(&connection.provider_id));
        Ok(Some(AccountsPage { connections, elsewhere: hidden.len() }))
    }

    /// Ends a connection of the person whose session this browser holds, with every grant on it.
    pub async fn disconnect_own(&self, browser: Option<&str>, name: &ConnectionName) -> Result<(), BrokerError> {
        self.own(browser, name).await?;
        self.disconnect(name, self.event("connection_revoked").by("person")).await
    }

    /// Ends what one agent may do with a connection of the person whose session this browser holds.
    pub async fn end_grant_own(
        &self,
        browser: Option<&str>,
        name: &ConnectionName,
        client: &ClientId,
    ) -> Result<(), BrokerError> {
        self.own(browser, name).await?;
        self.end_grant(name, client, self.event("grant_revoked").by("person")).await
    }

    /// Every connection of everybody.
    pub async fn connections(&self) -> Result<Vec<ConnectionView>, BrokerError> {
        let mut connections = Vec::new();
        for key in self.vault.store().scan(&User::all()).await? {
            let Some(user) = key.parts().first().and_then(|user| UserId::parse(user).ok()) else { continue };
            connections.extend(self.connections_of(&user).await?);
        }
        Ok(connections)
    }

    /// Ends a connection by an operator's word.
    pub async fn revoke_connection(&self, name: &ConnectionName) -> Result<(), BrokerError> {
        self.disconnect(name, self.event("connection_revoked").by("operator")).await
    }

    /// Ends what one agent may do with a connection, by an operator's word.
    pub async fn revoke_grant(&self, name: &ConnectionName, client: &ClientId) -> Result<(), BrokerError> {
        self.end_grant(name, client, self.event("grant_revoked").by("operator")).await
    }

    /// Removes a person: connections, grants, tokens and sign-ins end with them.
    pub async fn delete_user(&self, user: &UserId) -> Result<(), BrokerError> {
        let known = self.vault.store().scan(&User::connections(user)).await?;
        if known.is_empty() && self.vault.get::<User>(&User::key(user)).await?.is_none() {
            return Err(BrokerError::Unknown("user"));
        }
        // The person first: with them every chain is cut. They stay on the list until the rest is done, so that it can be tried again.
        let event = self.event("user_deleted").by("operator").user(user);
        self.decide(event, self.vault.delete(&User::key(user))).await?;
        // Listed anew: what was connected until now is on it, and what comes later finds nobody.
        for key in self.vault.store().scan(&User::connections(user)).await? {
            let Some(name) = ConnectionName::of(&key) else { continue };
            match self.disconnect(&name, self.event("connection_revoked").by("operator")).await {
                Ok(()) | Err(BrokerError::Unknown(_)) => {}
                Err(error) => return Err(error),
            }
        }
        self.vault.write(Write::Unlist { index: User::all(), key: User::key(user) }).await?;
        self.everywhere().await;
        Ok(())
    }

    /// Stops everything that goes to a provider, or lets it go on.
    pub async fn switch_provider(&self, provider: &ProviderId, wanted: Switch) -> Result<(), BrokerError> {
        self.provider(provider).map_err(|_| BrokerError::Unknown("provider"))?;
        let (name, suspended) = match wanted {
            Switch::Suspend => ("provider_suspended", Some(self.now())),
            Switch::Resume => ("provider_resumed", None),
        };
        let event = self.event(name).by("operator").provider(provider);
        let turned = |switch| ProviderSwitch { suspended, ..switch };
        self.decide(event, self.turn_switch(provider, turned)).await?;
        self.everywhere().await;
        Ok(())
    }

    /// Writes the next state of a provider's switch, whatever it is by then, and returns it.
    pub(crate) async fn turn_switch(
        &self,
        provider: &ProviderId,
        change: impl Fn(ProviderSwitch) -> ProviderSwitch,
    ) -> Result<ProviderSwitch, BrokerError> {
        let key = ProviderSwitch::key(provider);
        for _ in 0..RETRIES {
            let held = self.vault.get::<ProviderSwitch>(&key).await?;
            let version = held.as_ref().map(|held| held.version);
            let body = change(held.map(|held| held.body).unwrap_or_default());
            let done = match version {
                Some(version) => self.vault.swap(&key, version, &body, Life::Forever).await?,
                None => self.vault.insert(&key, &body, Life::Forever).await?,
            };
            if done == Written::Done {
                // A new record is announced by nobody else.
                self.vault.store().announce(&key).await?;
                return Ok(body);
            }
        }
        Err(BrokerError::Contention)
    }

    pub(crate) async fn own(&self, browser: Option<&str>, name: &ConnectionName) -> Result<Browser, BrokerError> {
        let browser = self.live_browser(browser).await?.ok_or(BrokerError::NotSignedIn)?;
        // Another person's connection, and one that is not there, are refused alike.
        if browser.user != name.user || !browser.may_use(&name.provider) {
            return Err(BrokerError::Unknown("connection"));
        }
        Ok(browser)
    }

    pub(crate) async fn disconnect(&self, name: &ConnectionName, event: Event) -> Result<(), BrokerError> {
        self.end_connection(name, event, None).await?;
        self.revocations.notify_one();
        self.everywhere().await;
        Ok(())
    }

    pub(crate) async fn end_grant(
        &self,
        name: &ConnectionName,
        client: &ClientId,
        event: Event,
    ) -> Result<(), BrokerError> {
        let key = Grant::key(client, &name.user, &name.provider, &name.account);
        for _ in 0..RETRIES {
            let held = self.vault.get::<Grant>(&key).await?.ok_or(BrokerError::Unknown("grant"))?;
            // Written again where it stands there already: an earlier attempt may not have been durable. On record it is once.
            let again = held.body.revoked.is_some();
            let revoked = Grant { revoked: held.body.revoked.or(Some(self.now())), ..held.body };
            let event = event.clone().client(client).user(&name.user).provider(&name.provider).account(&name.account);
            let replace = self.vault.replace(&key, held.version, &revoked);
            let written = if again { replace.await } else { self.decide(event, replace).await };
            match written {
                Err(BrokerError::Contention) => {}
                Err(error) => return Err(error),
                Ok(()) => break,
            }
        }
        self.everywhere().await;
        Ok(())
    }

    pub(crate) async fn connections_of(&self, user: &UserId) -> Result<Vec<ConnectionView>, BrokerError> {
        let grants = self.grants_of(user).await?;
        let mut connections = Vec::new();
        for key in self.vault.store().scan(&User::connections(user)).await? {
            let Some(name) = ConnectionName::of(&key) else { continue };
            let read = match self.vault.get_marked::<Connection>(&key).await {
                Err(BrokerError::Sealed(_) | BrokerError::RecordForm(_)) => {
                    tracing::error!(key = %name, "a connection does not open, and is left out of the list");
                    continue;
                }
                read => read?,
            };
            let Some((held, mark)) = read else { continue };
            if held.body.era < self.era(&name.provider).await? {
                continue;
            }
            connections.push(self.connection_view(&name, &held.body, &mark, &grants).await?);
        }
        connections.sort_by(|one, other| one.connected.cmp(&other.connected));
        Ok(connections)
    }

    pub(crate) async fn grants_of(&self, user: &UserId) -> Result<Vec<Grant>, BrokerError> {
        let mut grants = Vec::new();
        for key in self.vault.store().scan(&User::grants(user)).await? {
            grants.extend(self.vault.get::<Grant>(&key).await?.map(|held: Held<Grant>| held.body));
        }
        Ok(grants)
    }

    async fn connection_view(
        &self,
        name: &ConnectionName,
        connection: &Connection,
        mark: &Fingerprint,
        grants: &[Grant],
    ) -> Result<ConnectionView, BrokerError> {
        let provider = self.provider(&name.provider).ok();
        let mut agents = Vec::new();
        for grant in grants.iter().filter(|grant| grant.provider == name.provider && grant.account == name.account) {
            let Some(agent) = self.agent(&grant.client_id).await? else { continue };
            if !holds(grant, connection, &agent.body) || grant.is_over(self.now()) {
                continue;
            }
            let scopes = grant.allowed(self.now()).intersection(&agent.body.approved(&grant.provider));
            let says = |scope| provider.map_or_else(|| format!("{scope}"), |provider| provider.says(scope));
            agents.push(GrantView {
                client_id: grant.client_id.clone(),
                agent_id: agent.body.agent_id.clone(),
                agent_name: agent.body.display_name(),
                says: scopes.iter().map(says).collect(),
                scopes,
                given: grant.given.to_rfc3339(),
            });
        }
        let condition = connection.condition(provider, mark, self.now());
        let asked_for = agents.first().filter(|_| condition.can_be_renewed());
        let reconnect_url = asked_for.map(|agent| self.reconnect_url(&agent.client_id, name)).transpose()?;
        let label = connection.label.as_deref().and_then(|label| named(label, 120));
        let label = label.unwrap_or_else(|| "your account".to_owned());
        Ok(ConnectionView {
            name: name.to_string(),
            user_id: name.user.clone(),
            provider_id: name.provider.clone(),
            provider_name: provider.map_or_else(|| name.provider.to_string(), |provider| provider.display_name.clone()),
            label,
            condition,
            reconnect_url,
            connected: connection.connected.to_rfc3339(),
            scopes: connection.scopes.clone(),
            agents,
        })
    }
}

/// What an operator wants of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// Nothing goes there any more.
    Suspend,
    /// It goes there again.
    Resume,
}

const RETRIES: usize = 8;
