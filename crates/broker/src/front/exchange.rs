//! Tokens for tokens (RFC 8693): for a client's own, which is for every service, one that is for a single service. And tokens for somebody
//! whom an enterprise's identity provider names: by an ID token that a trusted backend holds, or by an identity assertion for this gateway (ID-JAG). Never the upstream's token: what comes of it is a token for the gateway.

use protocol::UserId;
use secret::SecretHash;

use super::assertion::Somebody;
use super::machine::Within;
use super::records::FrontSession;
use super::request::Lives;
use super::scopes::{OPENID, Wish, is_of_openid};
use super::{FrontError, GrantProblem, GrantType, IssuedTokens, ProvenClient};
use crate::consent::about;
use crate::records::{Agent, Connection, Consented, Grant, SignedInBy, Token};
use crate::{Broker, BrokerError, Unapproved};

/// Whose word stands for a person's consent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consent {
    /// Their own alone.
    Theirs,
    /// That of the enterprise which the assertion comes from.
    Enterprises,
}

impl Broker {
    /// RFC 8693: an access token for the person whose ID token a backend holds, where they have consented to the backend.
    pub(crate) async fn exchange_id_token(
        &self,
        client: &ProvenClient,
        (subject_token, scope, resources): (&str, Option<&str>, &[String]),
    ) -> Result<IssuedTokens, FrontError> {
        client.insist_on(GrantType::TokenExchange)?;
        self.configured_and_proven(client)?;
        let audiences = self.front.clients.get(&client.name).map(|configured| configured.id_token_audiences.as_slice());
        let subject = self.verify_id_token(subject_token, audiences.unwrap_or_default()).await?;
        let wish = self.wish(scope, resources)?;
        let issued = self.for_subject(client, subject, &wish, Consent::Theirs).await?;
        Ok(IssuedTokens { issued_token_type: Some(ACCESS_TOKEN), ..issued })
    }

    /// ID-JAG (RFC 7523 §2.1): the same by the enterprise's word, which stands for the person's.
    pub(crate) async fn exchange_identity_assertion(
        &self,
        client: &ProvenClient,
        (assertion, scope, resources): (&str, Option<&str>, &[String]),
    ) -> Result<IssuedTokens, FrontError> {
        client.insist_on(GrantType::JwtBearer)?;
        let (subject, resource, granted) = self.verify_identity_assertion(assertion, &client.name).await?;
        // What the assertion says binds; the request may ask for less.
        let named: Vec<String> = resource.into_iter().chain(resources.iter().cloned()).collect();
        if granted.as_deref().is_some_and(|granted| granted.split(' ').all(is_of_openid)) {
            return Err(FrontError::Scope);
        }
        let wish = self.wish(granted.as_deref().or(scope), &named)?;
        let narrower = self.wish(scope, &named)?;
        let scopes = match scope {
            Some(_) => wish.scopes.intersection(&narrower.scopes),
            None => wish.scopes.clone(),
        };
        if scopes.is_empty() {
            return Err(FrontError::Scope);
        }
        self.for_subject(client, subject, &Wish { scopes, ..wish }, Consent::Enterprises).await
    }

    /// RFC 8693: a token for one service, for a client that the person let have one for every service. It ends with the login that the other
    /// one came of, and with its time.
    pub(crate) async fn exchange_access_token(
        &self,
        client: &ProvenClient,
        (subject_token, scope, resources): (&str, Option<&str>, &[String]),
    ) -> Result<IssuedTokens, FrontError> {
        client.insist_on(GrantType::TokenExchange)?;
        let useless = FrontError::Grant(GrantProblem::SubjectToken);
        let caller = match self.authenticate_program(subject_token).await {
            Ok(caller) => caller,
            Err(BrokerError::TokenInvalid | BrokerError::TokenExpired | BrokerError::TokenRevoked) => {
                return Err(useless);
            }
            Err(error) => return Err(error.into()),
        };
        if !caller.is_for_every_service() || *caller.client_id() != client.agent.client_id {
            return Err(useless);
        }
        let key = Token::key(SecretHash::of(subject_token));
        let subject = self.vault.get::<Token>(&key).await?.ok_or(useless)?.body;
        if resources.iter().any(|resource| self.is_every_service(resource)) {
            return Err(FrontError::Target);
        }
        // Who the person is, the login says, or nobody; and what asks for nothing of the service's is not answered with all of it.
        let of_openid = |scope: &str| scope.split(' ').any(|word| word == OPENID) || scope.split(' ').all(is_of_openid);
        if scope.is_some_and(of_openid) {
            return Err(FrontError::Scope);
        }
        let wish = self.wish(scope, resources)?;
        self.check_switch(&wish.provider).await?;
        let (agent, asked) = self.judged_client(&client.agent, &wish)?;
        let Some(consented) = self.consented(&agent, caller.user_id(), &wish, &asked, Consent::Theirs).await? else {
            let connect_url = self.connect_url(&client.name, caller.user_id(), &wish).await?;
            return Err(FrontError::ConsentRequired { connect_url });
        };
        let issued = self.issue_within(&agent, &client.name, &wish, &consented, &Within::of(&subject)).await?;
        Ok(IssuedTokens { issued_token_type: Some(ACCESS_TOKEN), ..issued })
    }

    async fn for_subject(
        &self,
        client: &ProvenClient,
        subject: Somebody,
        wish: &Wish,
        consent: Consent,
    ) -> Result<IssuedTokens, FrontError> {
        self.check_switch(&wish.provider).await?;
        let Somebody { issuer, subject, label } = subject;
        let by = SignedInBy::Openid { issuer, client_id: String::new(), subject, label };
        let user = self.user_behind(&by).await?;
        let (agent, asked) = self.enter_client(&client.name, wish).await?;
        if asked.is_empty() {
            return Err(BrokerError::AgentUnapproved(Unapproved::Pending).into());
        }
        match self.consented(&agent, &user, wish, &asked, consent).await? {
            Some(consented) => self.issue_alone(&agent, &client.name, wish, &consented).await,
            None => {
                Err(FrontError::ConsentRequired { connect_url: self.connect_url(&client.name, &user, wish).await? })
            }
        }
    }

    /// The account of theirs that the client may use.
    pub(crate) async fn consented(
        &self,
        agent: &Agent,
        user: &UserId,
        wish: &Wish,
        asked: &protocol::ScopeSet,
        consent: Consent,
    ) -> Result<Option<Consented>, BrokerError> {
        let provider = self.provider(&wish.provider)?;
        for name in self.connections_at(&wish.provider, user).await? {
            let Some((held, mark)) = self.vault.get_marked::<Connection>(&name.key()).await? else { continue };
            let connection = held.body;
            let works = connection.works() && mark == provider.fingerprint();
            if !works || !self.is_current(&connection, provider).await? {
                continue;
            }
            let scopes = asked.intersection(&connection.scopes);
            let key = Grant::key(&agent.client_id, user, &wish.provider, &name.account);
            let grant = self.vault.get::<Grant>(&key).await?.map(|held| held.body);
            let now = self.now();
            let live = grant.filter(|grant| crate::complete::holds(grant, &connection, agent) && !grant.is_over(now));
            let given = live.map(|grant| scopes.intersection(&grant.allowed(now))).unwrap_or_default();
            let consented =
                |scopes| Consented { user: user.clone(), account: name.account.clone(), label: None, scopes };
            match consent {
                Consent::Theirs if !given.is_empty() => return Ok(Some(consented(given))),
                Consent::Enterprises if !scopes.is_empty() => {
                    let consented = consented(scopes);
                    let session =
                        self.new_session(agent, wish.provider.clone(), asked.clone(), String::new(), None, None).2;
                    let event = about(self.event("access_granted"), &session).by("provider").user(user);
                    let event =
                        event.reason("the enterprise's word").account(&name.account).effective(&consented.scopes);
                    self.decide(event, self.give_grant(&session, agent, &consented, &connection.id)).await?;
                    return Ok(Some(consented));
                }
                Consent::Theirs | Consent::Enterprises => {}
            }
        }
        Ok(None)
    }

    /// The link for a person who has not consented yet: theirs alone.
    pub(crate) async fn connect_url(&self, client: &str, user: &UserId, wish: &Wish) -> Result<String, FrontError> {
        let known = self.client_to_prove(client).await?;
        let front = FrontSession {
            client: client.to_owned(),
            words: wish.words.clone(),
            wished: wish.scopes.clone(),
            resource: wish.resource.clone(),
            challenge: None,
            nonce: None,
            device: None,
            only: Some(user.clone()),
            lasts: None,
        };
        let asked = self.sealed_request(&known, wish, front, (None, String::new()), Lives::AsALink, None).await?;
        Ok(self.urls.oauth_connect(&asked.sealed))
    }
}

/// RFC 8693 §3.
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
