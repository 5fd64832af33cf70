//! Clients without a person (RFC 6749 §4.4): for services whose credential is the operator's, and for no other.

use protocol::{AccountId, ScopeSet, Timestamp, UserId};
use secret::{Opaque, SecretHash};
use store::{Key, Kind, Life, Written};

use super::records::{FrontToken, Origin};
use super::scopes::Wish;
use super::{ConfiguredProof, FrontError, GrantProblem, GrantType, IssuedTokens, ProvenClient};
use crate::consent::about;
use crate::records::{Agent, Arrived, Connection, Consented, Identity, Later, Session, SignIn, Token, Tokens};
use crate::{Broker, BrokerError, Grant, Provider, StaticKey, Unapproved, Way};

/// What a token hangs on besides its grant.
#[derive(Debug, Default)]
pub(crate) struct Within {
    /// Everything that came of one consent, which it ends with.
    family: Option<String>,
    /// When it ends at the latest.
    until: Option<Timestamp>,
}

impl Within {
    /// Of a token that it was given for.
    pub(crate) fn of(token: &Token) -> Self {
        let family = token.front.as_ref().and_then(|front| front.family.clone());
        Self { family, until: Some(token.expires) }
    }
}

impl Broker {
    /// A token in the client's own name. Nobody is asked: the operator has written down what the client may have.
    pub(crate) async fn machine_token(
        &self,
        client: &ProvenClient,
        scope: Option<&str>,
        resources: &[String],
    ) -> Result<IssuedTokens, FrontError> {
        client.insist_on(GrantType::ClientCredentials)?;
        // Nobody is asked: the operator has written down who may have what.
        self.configured_and_proven(client)?;
        let wish = self.wish(scope, resources)?;
        let provider = self.provider(&wish.provider)?;
        if !provider.is_operators() {
            return Err(FrontError::NeedsPerson);
        }
        self.check_switch(&provider.id).await?;
        let (agent, asked) = self.enter_client(&client.name, &wish).await?;
        if asked.is_empty() {
            return Err(BrokerError::AgentUnapproved(Unapproved::Pending).into());
        }
        let user = self.machine_user(&agent).await?;
        let account = self.operators_account(provider);
        let session = self.new_session(&agent, provider.id.clone(), asked.clone(), String::new(), None, None).2;
        let connection = match self.operators_connection(provider, &user, &account, &asked).await? {
            Some(id) => id,
            None => self.connect_operators(provider, &user, &account, &session).await?,
        };
        let consented = Consented { user, account, label: None, scopes: asked };
        let event = about(self.event("access_granted"), &session).by("operator").user(&consented.user);
        let event = event.account(&consented.account).effective(&consented.scopes);
        self.decide(event, self.give_grant(&session, &agent, &consented, &connection)).await?;
        self.issue_alone(&agent, &client.name, &wish, &consented).await
    }

    /// A client that the configuration names, and that has proven to be it.
    pub(crate) fn configured_and_proven(&self, client: &ProvenClient) -> Result<(), FrontError> {
        let oauth = client.agent.oauth.as_ref().filter(|oauth| oauth.origin == Origin::Configured);
        let configured = oauth.and_then(|oauth| self.front.clients.get(&oauth.name));
        match configured.map(|configured| &configured.proof) {
            None | Some(ConfiguredProof::None) => Err(FrontError::GrantNotAllowed),
            Some(_) => Ok(()),
        }
    }

    /// A token without a family: the client gets the next one as it got this.
    pub(crate) async fn issue_alone(
        &self,
        agent: &Agent,
        name: &str,
        wish: &Wish,
        consented: &Consented,
    ) -> Result<IssuedTokens, FrontError> {
        self.issue_within(agent, name, wish, consented, &Within::default()).await
    }

    /// The same for a token that hangs on another one.
    pub(crate) async fn issue_within(
        &self,
        agent: &Agent,
        name: &str,
        wish: &Wish,
        consented: &Consented,
        within: &Within,
    ) -> Result<IssuedTokens, FrontError> {
        let grant = self.live_grant(agent, &consented.user, &wish.provider, &consented.account).await?;
        let scopes = agent.approved(&wish.provider).intersection(&consented.scopes);
        if scopes.is_empty() {
            return Err(FrontError::AccessDenied);
        }
        let (now, secret) = (self.now(), Opaque::generate(crate::token::PREFIX, self.entropy.as_ref()));
        let longest = now.plus(self.lifetimes.token);
        let longest = within.until.unwrap_or(longest).min(longest);
        let token = Token {
            client_id: agent.client_id.clone(),
            agent_id: agent.agent_id.clone(),
            user: consented.user.clone(),
            provider: wish.provider.clone(),
            account: consented.account.clone(),
            family: grant.family,
            scopes: scopes.clone(),
            expires: grant.next_end(now).unwrap_or(longest).min(longest),
            revoked: None,
            front: Some(FrontToken {
                client: name.to_owned(),
                words: wish.words.clone(),
                resource: wish.resource.clone(),
                issued: now,
                family: within.family.clone(),
            }),
            later: Later::default(),
        };
        let event = self.event("token_issued").agent(&agent.agent_id).client(&agent.client_id).user(&consented.user);
        let event = event.provider(&wish.provider).account(&consented.account).effective(&scopes);
        let key = Token::key(secret.hash());
        self.decide(event, self.vault.insert(&key, &token, self.life_of_token())).await?;
        Ok(IssuedTokens {
            access_token: secret,
            expires_in: token.expires.since(now),
            refresh_token: None,
            id_token: None,
            scope: self.written(&wish.provider, &wish.words, &scopes),
            issued_token_type: None,
        })
    }

    /// The user that a client without a person is.
    async fn machine_user(&self, agent: &Agent) -> Result<UserId, BrokerError> {
        let name = SecretHash::of(&format!("machine\n{}", agent.client_id)).to_hex();
        let key = Key::new(Kind::Identity, &name, &[]);
        if let Some(known) = self.vault.get::<Identity>(&key).await?
            && !self.is_gone(&known.body.user).await?
        {
            return Ok(known.body.user);
        }
        let user = self.new_user(SignIn::Gateway("machine".to_owned())).await?;
        let link = Identity { user: user.clone() };
        let written = match self.vault.get::<Identity>(&key).await? {
            Some(gone) => self.vault.swap(&key, gone.version, &link, Life::Forever).await?,
            None => self.vault.insert(&key, &link, Life::Forever).await?,
        };
        match written {
            Written::Done => Ok(user),
            // Another request of the same client was faster.
            Written::Refused => Ok(self.vault.get::<Identity>(&key).await?.ok_or(BrokerError::Contention)?.body.user),
        }
    }

    fn operators_account(&self, provider: &Provider) -> AccountId {
        let name = provider.client().map_or(crate::set_out::OPERATORS_KEY, oauth::Provider::client_id);
        self.account_of(provider, Some(name), None)
    }

    async fn operators_connection(
        &self,
        provider: &Provider,
        user: &UserId,
        account: &AccountId,
        asked: &ScopeSet,
    ) -> Result<Option<String>, BrokerError> {
        let key = Connection::key(user, &provider.id, account);
        let Some((held, mark)) = self.vault.get_marked::<Connection>(&key).await? else { return Ok(None) };
        let works =
            held.body.works() && mark == provider.fingerprint() && self.is_current(&held.body, provider).await?;
        Ok((works && asked.is_subset(&held.body.scopes)).then_some(held.body.id))
    }

    async fn connect_operators(
        &self,
        provider: &Provider,
        user: &UserId,
        account: &AccountId,
        session: &Session,
    ) -> Result<String, FrontError> {
        let held = crate::vault::Held { body: session.clone(), version: store::Version::FIRST };
        let session = self.in_era(held).await?.body;
        let had = self.vault.get::<Connection>(&Connection::key(user, &provider.id, account)).await?;
        let asked = had.map_or_else(|| session.scopes.clone(), |had| session.scopes.union(&had.body.scopes));
        let (tokens, words) = match &provider.way {
            Way::Key(StaticKey::Operators(_)) => (Tokens::of_key(None), None),
            Way::OAuth { grant: Grant::ClientCredentials, .. } => {
                let set = self.client_credentials(provider, &asked, None, session.dpop.as_ref()).await;
                let set = set.map_err(|error| {
                    self.heed_refusal(provider, &error);
                    BrokerError::Provider { reason: error.reason(), retry_after: None, source: Some(error) }
                })?;
                let set = provider.based(set, None).map_err(|_| BrokerError::Provider {
                    reason: "api_base_refused",
                    retry_after: None,
                    source: None,
                })?;
                (Tokens::new(&set).asked_for_again(), set.scope)
            }
            _ => return Err(FrontError::NeedsPerson),
        };
        let arrived = Arrived {
            tokens: tokens.bound_to(session.dpop.as_ref()),
            granted: provider.granted(words.as_deref(), &asked),
            subject: None,
            label: None,
            account: account.clone(),
            user: Some(user.clone()),
            era: session.era.unwrap_or_default(),
            mark: provider.fingerprint(),
        };
        if arrived.granted.intersection(&session.scopes).is_empty() {
            return Err(FrontError::Grant(GrantProblem::Ended));
        }
        Ok(self.connect(provider, user, &session, &arrived).await?)
    }
}
