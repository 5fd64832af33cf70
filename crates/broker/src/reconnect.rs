//! Links by which a person makes a connection work again: an ordinary consent, for the same agent, scopes and account.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use protocol::{AccountId, ClientId, ProviderId, SessionId, Timestamp, UserId};
use store::Life;

use crate::authorize::TOMBSTONE;
use crate::complete::holds;
use crate::condition::Condition;
use crate::connections::ConnectionName;
use crate::consent::about;
use crate::records::{Agent, Connection, Grant, Renews, Session};
use crate::text::shown;
use crate::vault::Fingerprint;
use crate::{Broker, BrokerError, Caller};

/// Why a link leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReconnectError {
    /// This gateway did not make it, or no longer has the key that it was sealed with.
    #[error("the link is none of this gateway's")]
    Unknown,
    /// It is older than thirty days.
    #[error("the link has expired")]
    Expired,
    /// The agent's access, the account or the person is gone.
    #[error("what the link would renew was ended")]
    Ended,
}

/// What the page behind a link says.
#[derive(Debug)]
pub struct ReconnectPage {
    /// The agent that could not go on.
    pub agent_name: String,
    /// The URI that it signs as.
    pub agent_id: String,
    /// The service.
    pub provider_name: String,
    /// How the connection does.
    pub condition: Condition,
    /// Who says that it has to be made anew.
    pub by: AskedBy,
}

impl ReconnectPage {
    /// Whether the service does not take the newest token that there is.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.by == AskedBy::Service
    }
}

/// Who says that a connection has to be made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedBy {
    /// Its record, if anybody.
    Record,
    /// The service, which does not take the newest token that there is.
    Service,
}

/// What a link stands for. Nothing of it can be read in the link.
struct Ticket {
    client: ClientId,
    name: ConnectionName,
    by: AskedBy,
}

/// What a consent for a link is made of.
pub(crate) struct Renewable {
    agent: Agent,
    grant: Grant,
    connection: Connection,
    mark: Fingerprint,
}

impl Broker {
    /// The refusal of a call whose connection needs its owner, with the link for them.
    pub(crate) fn reconnect_required(&self, caller: &Caller) -> BrokerError {
        self.reconnect_required_by(caller, AskedBy::Record)
    }

    /// The same where the service says so, and nothing in the record does.
    pub(crate) fn reconnect_required_by(&self, caller: &Caller, by: AskedBy) -> BrokerError {
        let provider = caller.provider_id().clone();
        let name = ConnectionName {
            user: caller.user_id().clone(),
            provider: provider.clone(),
            account: caller.account_id().clone(),
        };
        match self.reconnect_link(caller.client_id(), &name, by) {
            Ok(reconnect_url) => BrokerError::ReconnectRequired { provider, reconnect_url },
            Err(error) => error,
        }
    }

    /// The link for whoever owns a connection. Good for thirty days, any number of times; nothing is stored of it.
    pub(crate) fn reconnect_url(&self, client: &ClientId, name: &ConnectionName) -> Result<String, BrokerError> {
        self.reconnect_link(client, name, AskedBy::Record)
    }

    fn reconnect_link(&self, client: &ClientId, name: &ConnectionName, by: AskedBy) -> Result<String, BrokerError> {
        let ends = self.now().plus(LIFE).as_secs();
        let by = match by {
            AskedBy::Record => "",
            AskedBy::Service => "\nservice",
        };
        let plain = format!("{client}\n{}\n{}\n{}\n{ends}{by}", name.user, name.provider, name.account);
        let sealed = self.vault.seal_handed_out(KIND, plain.as_bytes())?;
        Ok(self.urls.reconnect(&BASE64URL_NOPAD.encode(&sealed)))
    }

    /// What the page behind a link says. Changes nothing.
    pub async fn reconnect_page(&self, ticket: &str) -> Result<ReconnectPage, BrokerError> {
        let Ticket { client, name, by } = self.ticket(ticket)?;
        let Renewable { agent, connection, mark, .. } = self.renewable(&client, &name).await?;
        let provider = self.provider(&name.provider)?;
        Ok(ReconnectPage {
            agent_name: agent.display_name(),
            agent_id: shown(agent.agent_id.as_str(), 200),
            provider_name: provider.display_name.clone(),
            condition: connection.condition(Some(provider), &mark, self.now()),
            by,
        })
    }

    /// Begins the consent of a link.
    pub async fn reconnect(&self, ticket: &str) -> Result<SessionId, BrokerError> {
        let Ticket { client, name, .. } = self.ticket(ticket)?;
        self.begin_renewal(&client, &name).await
    }

    /// The same for a connection of the person whose session this browser holds, and one of the agents that may use it.
    pub async fn renew_own(
        &self,
        browser: Option<&str>,
        name: &ConnectionName,
        client: &ClientId,
    ) -> Result<SessionId, BrokerError> {
        self.own(browser, name).await?;
        self.begin_renewal(client, name).await
    }

    async fn begin_renewal(&self, client: &ClientId, name: &ConnectionName) -> Result<SessionId, BrokerError> {
        self.admit_handshake()?;
        let Renewable { agent, grant, connection, .. } = self.renewable(client, name).await?;
        let scopes = grant.allowed(self.now()).intersection(&agent.approved(&name.provider));
        if scopes.is_empty() {
            return Err(ReconnectError::Ended.into());
        }
        // No code comes of it: the agent has its token.
        let begun = self.new_session(&agent, name.provider.clone(), scopes, String::new(), None, connection.resource);
        let (session, key, record) = begun;
        let renews = Renews { user: name.user.clone(), account: name.account.clone(), scopes: connection.scopes };
        let record = Session { renews: Some(renews), ..record };
        let event = about(self.event("authorization_started"), &record).by("person").account(&name.account);
        self.decide(event, self.vault.insert(&key, &record, Life::For(TOMBSTONE))).await?;
        Ok(session)
    }

    /// The agent, its grant and the connection, if all of them hold: what was ended is not begun anew from a link.
    pub(crate) async fn renewable(&self, client: &ClientId, name: &ConnectionName) -> Result<Renewable, BrokerError> {
        self.provider(&name.provider)?;
        let agent = self.agent(client).await?.ok_or(BrokerError::AgentNotRegistered)?.body;
        self.check_approval(&agent)?;
        self.check_switch(&name.provider).await?;
        if self.is_gone(&name.user).await? {
            return Err(ReconnectError::Ended.into());
        }
        let grant_key = Grant::key(client, &name.user, &name.provider, &name.account);
        let grant = self.vault.get::<Grant>(&grant_key).await?.ok_or(ReconnectError::Ended)?.body;
        let connection_key = Connection::key(&name.user, &name.provider, &name.account);
        let found = self.vault.get_marked::<Connection>(&connection_key).await?;
        let (held, mark) = found.ok_or(ReconnectError::Ended)?;
        if !holds(&grant, &held.body, &agent)
            || grant.is_over(self.now())
            || held.body.era < self.era(&name.provider).await?
        {
            return Err(ReconnectError::Ended.into());
        }
        Ok(Renewable { agent, grant, connection: held.body, mark })
    }

    fn ticket(&self, text: &str) -> Result<Ticket, ReconnectError> {
        let unknown = ReconnectError::Unknown;
        let sealed = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| unknown)?;
        let plain = self.vault.open_handed_out(KIND, &sealed).map_err(|_| unknown)?;
        let plain = str::from_utf8(&plain).map_err(|_| unknown)?;
        let mut lines = plain.split('\n');
        let mut line = || lines.next().ok_or(unknown);
        let (client, user, provider, account, ends) = (line()?, line()?, line()?, line()?, line()?);
        let ends = Timestamp::from_secs(ends.parse().map_err(|_| unknown)?);
        if ends <= self.now() {
            return Err(ReconnectError::Expired);
        }
        let name = ConnectionName {
            user: UserId::parse(user).map_err(|_| unknown)?,
            provider: ProviderId::parse(provider).map_err(|_| unknown)?,
            account: AccountId::parse(account).map_err(|_| unknown)?,
        };
        let by = if lines.next() == Some("service") { AskedBy::Service } else { AskedBy::Record };
        Ok(Ticket { client: ClientId::parse(client).map_err(|_| unknown)?, name, by })
    }
}

/// What the sealed part of a link is bound to.
const KIND: &str = "reconnect";
/// How long a link is good.
pub const LIFE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
