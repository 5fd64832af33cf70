//! What the page says that asks a person.

use policy::Vouching;
use protocol::{Scope, SessionId};

use super::account_at;
use super::views::{AccountView, ConsentView, Destination, Follows};
use crate::records::{Agent, Browser, Connection, Session, User};
use crate::text::{named, shown};
use crate::{Broker, BrokerError, Grant, Provider, StaticKey, Way};

impl Broker {
    /// What the page says of a consent, which need not lie in the store yet.
    pub(crate) async fn consent_view(
        &self,
        session: &SessionId,
        record: &Session,
        agent: &Agent,
        browser: Option<&str>,
    ) -> Result<ConsentView, BrokerError> {
        let provider = self.provider(&record.provider)?;
        let accounts = match self.live_browser(browser).await? {
            Some(browser) => self.covering_accounts(&browser, record).await?,
            None => Vec::new(),
        };
        let front = record.front.as_ref();
        let waits = front.map(|front| front.wished.intersection(&agent.pending(&record.provider))).unwrap_or_default();
        Ok(ConsentView {
            session: session.clone(),
            agent_name: agent.display_name(),
            agent_id: shown(agent.agent_id.as_str(), 200),
            vouched: agent.vouched(),
            developer: shown(&agent.developer, 80),
            purpose: agent.purpose.as_deref().and_then(|purpose| named(purpose, 240)),
            provider_name: provider.display_name.clone(),
            resource: front.map(|front| shown(&front.resource, 200)),
            device: front.and_then(|front| front.device.as_ref()).map(|device| device.user_code.clone()),
            lasts: front.map(|_| self.lasting()).unwrap_or_default(),
            follows: follows(provider),
            scopes: in_words(provider, &record.scopes.difference(&waits)),
            waits: in_words(provider, &waits),
            returns_to: record.redirect_uri.as_deref().and_then(Destination::of),
            accounts,
        })
    }

    /// The accounts at the session's provider that work, cover what is asked, and that whoever holds the browser may use.
    pub(super) async fn covering_accounts(
        &self,
        browser: &Browser,
        session: &Session,
    ) -> Result<Vec<AccountView>, BrokerError> {
        // Who came to sign in there once more is not offered to go without.
        if session.renews.is_some() || !browser.may_use(&session.provider) {
            return Ok(Vec::new());
        }
        let provider = self.provider(&session.provider)?;
        let (fingerprint, era) = (provider.fingerprint(), self.era(&provider.id).await?);
        let mut accounts = Vec::new();
        for key in self.vault.store().scan(&User::connections(&browser.user)).await? {
            let Some(id) = account_at(&key, provider) else { continue };
            let Some((held, mark)) = self.vault.get_marked::<Connection>(&key).await? else { continue };
            let works = held.body.works()
                && held.body.era >= era
                && mark == fingerprint
                && held.body.resource == session.resource;
            if works && session.scopes.is_subset(&held.body.scopes) {
                let label = held.body.label.and_then(|label| named(&label, 120));
                accounts.push(AccountView { id, label: label.unwrap_or_else(|| "your account".to_owned()) });
            }
        }
        Ok(accounts)
    }
}

impl Agent {
    /// Who says that the agent is what it says.
    pub(crate) fn vouched(&self) -> Vouching {
        match &self.oauth {
            None => Vouching::Host,
            Some(oauth) => oauth.vouched(),
        }
    }

    /// The name that people are shown: the agent's own, or where that is none, the host that vouches for it.
    pub(crate) fn display_name(&self) -> String {
        named(&self.name, 80).unwrap_or_else(|| self.agent_id.host())
    }
}

fn follows(provider: &Provider) -> Follows {
    match &provider.way {
        Way::OAuth { client, grant: Grant::AuthorizationCode } => Follows::SignIn(client.authorize_host()),
        Way::OAuth { grant: Grant::DeviceCode, .. } => {
            Follows::Code(provider.token_place.host_str().unwrap_or_default().to_owned())
        }
        Way::OAuth { grant: Grant::ClientCredentials, .. } | Way::Key(StaticKey::Operators(_)) => Follows::Nothing,
        Way::OAuth { grant: Grant::TokenExchange(_), .. } => Follows::SignedIn,
        Way::Key(StaticKey::Persons(key)) => Follows::Key(key.label.clone()),
    }
}

pub(super) fn in_words(provider: &Provider, scopes: &protocol::ScopeSet) -> Vec<(Scope, String)> {
    scopes.iter().map(|scope| (scope.clone(), provider.says(scope))).collect()
}
