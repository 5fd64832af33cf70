//! How a consent goes on after Allow: over the browser to the provider, over a page of the gateway's, or straight on.

use futures_util::future::BoxFuture;
use oauth::{DpopKey, OAuthError, TokenSet};
use protocol::{ScopeSet, SessionId};
use secret::{AccessToken, IdToken, Opaque, SecretHash};

use crate::binding::key_of;
use crate::callback::UnderWay;
use crate::consent::Next;
use crate::records::{Brought, Connection, Kept, KeptHash, Session, Stage, Tokens, Whose};
use crate::sign_in::SubjectTokens;
use crate::vault::Held;
use crate::{Broker, BrokerError, Grant, Provider, StaticKey, SubjectToken, TokenExchange, Way};

/// Where a consent goes on, and who it signed in on the way.
#[derive(Debug)]
pub(crate) struct Onward {
    pub(crate) next: Next,
    /// For the browser's own cookie.
    pub(crate) signed_in: Option<Opaque>,
}

impl Onward {
    pub(crate) fn to(next: Next) -> Self {
        Self { next, signed_in: None }
    }
}

/// What is asked without anybody's word at the provider.
enum AtOnce {
    OperatorsKey,
    ClientCredentials,
    Exchange(TokenExchange, Box<SubjectTokens>),
}

impl Broker {
    /// Leads on to where the provider gives out what `asked` says; the session is claimed by whoever holds `binding`.
    pub(crate) fn set_out<'a>(
        &'a self,
        session: &'a SessionId,
        held: Held<Session>,
        binding: &'a str,
        asked: ScopeSet,
        browser: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Onward, BrokerError>> {
        Box::pin(async move {
            let provider = self.provider(&held.body.provider)?;
            let bound = KeptHash::of(SecretHash::of(binding));
            let at_once = match &provider.way {
                Way::OAuth { grant: Grant::AuthorizationCode, .. } => {
                    let url = self.send_to_provider(session, held, bound, asked).await?;
                    return Ok(Onward::to(Next::Provider(url)));
                }
                Way::OAuth { grant: Grant::DeviceCode, .. } => {
                    return self.begin_device(session, held, bound, asked).await.map(Onward::to);
                }
                Way::Key(StaticKey::Persons(_)) => {
                    let held = self.in_era(held).await?;
                    self.advance(session, held, Stage::Pasting { binding: bound, asked, wrong: 0 }).await?;
                    return Ok(Onward::to(Next::Key(session.clone())));
                }
                Way::Key(StaticKey::Operators(_)) => AtOnce::OperatorsKey,
                Way::OAuth { grant: Grant::ClientCredentials, .. } => AtOnce::ClientCredentials,
                Way::OAuth { grant: Grant::TokenExchange(exchange), .. } => {
                    let Some(tokens) = self.subject_tokens(exchange.subject, browser).await? else {
                        // What the sign-in brought is over, or was never kept: only another one brings it again.
                        self.sign_out(browser).await?;
                        return Ok(Onward::to(Next::SignIn(self.urls.sign_in(Some(session)))));
                    };
                    AtOnce::Exchange(exchange.clone(), Box::new(tokens))
                }
            };
            let held = self.in_era(held).await?;
            let asked = asked.union(&self.had_before(provider, &held.body, &at_once, browser).await?);
            let version = held.version.next();
            let stage = Stage::Exchanging { binding: bound.clone(), asked: asked.clone() };
            let held = Held { body: self.advance(session, held, stage).await?, version };
            let consent = UnderWay {
                session: session.clone(),
                held,
                binding: binding.to_owned(),
                bound,
                asked,
                browser: browser.map(str::to_owned),
            };
            let broker = self.clone();
            self.detached(Box::pin(async move { broker.ask_at_once(consent, at_once).await })).await
        })
    }

    /// The session with the provider's era from before it was asked for anything.
    pub(crate) async fn in_era(&self, held: Held<Session>) -> Result<Held<Session>, BrokerError> {
        let era = match held.body.era {
            Some(era) => era,
            None => self.era(&held.body.provider).await?,
        };
        // What the tokens will be bound to, where they are.
        let binds = self.provider(&held.body.provider)?.binds();
        let drawn = || DpopKey::draw(self.entropy.as_ref()).map(|key| Kept::new(&key.to_text()));
        let dpop = if binds { held.body.dpop.or_else(drawn) } else { None };
        Ok(Held { body: Session { era: Some(era), dpop, ..held.body }, version: held.version })
    }

    /// What this person's connection has already, where its name is known before anybody is asked: nothing shrinks silently.
    async fn had_before(
        &self,
        provider: &Provider,
        session: &Session,
        at_once: &AtOnce,
        browser: Option<&str>,
    ) -> Result<ScopeSet, BrokerError> {
        let Some(live) = self.live_browser(browser).await?.filter(|live| live.may_use(&provider.id)) else {
            return Ok(ScopeSet::default());
        };
        let account = self.account_of(provider, Some(at_once.name(provider)), session.resource.as_deref());
        let found = self.vault.get_marked::<Connection>(&Connection::key(&live.user, &provider.id, &account)).await?;
        let Some((held, mark)) = found else { return Ok(ScopeSet::default()) };
        let counts = mark == provider.fingerprint() && self.is_current(&held.body, provider).await?;
        Ok(if counts { held.body.scopes } else { ScopeSet::default() })
    }

    async fn ask_at_once(&self, consent: UnderWay, at_once: AtOnce) -> Result<Onward, BrokerError> {
        let provider = self.provider(&consent.held.body.provider)?;
        let (resource, dpop) = (consent.held.body.resource.as_deref(), consent.held.body.dpop.as_ref());
        let answer = match &at_once {
            AtOnce::OperatorsKey => None,
            AtOnce::ClientCredentials => Some(self.client_credentials(provider, &consent.asked, resource, dpop).await),
            AtOnce::Exchange(exchange, subject) => Some(self.exchanged(provider, exchange, subject, &consent).await),
        };
        let (tokens, words) = match answer.transpose() {
            Ok(None) => (Tokens::of_key(None), None),
            Ok(Some(set)) => match provider.based(set, None) {
                Ok(set) if matches!(at_once, AtOnce::ClientCredentials) => {
                    (Tokens::new(&set).asked_for_again(), set.scope)
                }
                Ok(set) => (Tokens::new(&set), set.scope),
                Err(refused) => return self.no_place(consent, provider, &refused).await,
            },
            Err(error) => return self.not_given(consent, provider, &error).await,
        };
        let whose =
            Whose::Service { name: at_once.name(provider).to_owned(), label: at_once.label(provider).to_owned() };
        let era = consent.held.body.era.unwrap_or_default();
        Box::pin(self.go_on_with(consent, Brought { tokens, words, whose, era })).await
    }

    /// The provider gave out nothing: the consent ends on a page that says why.
    pub(crate) async fn not_given(
        &self,
        consent: UnderWay,
        provider: &Provider,
        error: &OAuthError,
    ) -> Result<Onward, BrokerError> {
        let reason = error.reason();
        tracing::warn!(provider_id = %provider.id, error = %error, reason, "the provider gave out nothing");
        self.heed_refusal(provider, error);
        let ending = self.fail(&consent.session, consent.held, consent.bound, reason).await?;
        Ok(Onward::to(Next::Ending(ending)))
    }

    /// A token of the gateway's own client (RFC 6749 §4.4).
    pub(crate) async fn client_credentials(
        &self,
        provider: &Provider,
        scopes: &ScopeSet,
        resource: Option<&str>,
        dpop: Option<&Kept>,
    ) -> Result<TokenSet, OAuthError> {
        let Ok(client) = provider.client() else { return Err(OAuthError::Nonsense("no_client")) };
        let key = key_of(dpop);
        let prover = self.prover(provider, client, key.as_ref());
        let (outside, scopes) = (self.outside_by(&prover), provider.asks(scopes));
        let tokens = client.client_credentials(&outside, &scopes, resource).await?;
        self.hush(&tokens);
        self.provider_answered(provider);
        Ok(tokens)
    }

    async fn exchanged(
        &self,
        provider: &Provider,
        exchange: &TokenExchange,
        subject: &SubjectTokens,
        consent: &UnderWay,
    ) -> Result<TokenSet, OAuthError> {
        let Ok(client) = provider.client() else { return Err(OAuthError::Nonsense("no_client")) };
        let key = key_of(consent.held.body.dpop.as_ref());
        let prover = self.prover(provider, client, key.as_ref());
        let (outside, scopes) = (self.outside_by(&prover), provider.asks(&consent.asked));
        let (id_token, access_token) = (IdToken::new(subject.token.expose()), AccessToken::new(subject.token.expose()));
        let presented = match exchange.subject {
            SubjectToken::IdToken => oauth::Subject::IdToken(&id_token),
            SubjectToken::AccessToken => oauth::Subject::AccessToken(&access_token),
        };
        let tokens = client.exchange_token(&outside, presented, &exchange.wish, &scopes).await?;
        self.hush(&tokens);
        self.provider_answered(provider);
        Ok(tokens)
    }
}

impl AtOnce {
    /// The account's name in records: the same each time, for each person.
    fn name<'a>(&'a self, provider: &'a Provider) -> &'a str {
        match self {
            Self::OperatorsKey => OPERATORS_KEY,
            Self::ClientCredentials => provider.client().map_or("", oauth::Provider::client_id),
            Self::Exchange(_, subject) => &subject.name,
        }
    }

    /// What people read.
    fn label<'a>(&'a self, provider: &'a Provider) -> &'a str {
        match self {
            Self::OperatorsKey => "the key of this gateway's operator",
            Self::ClientCredentials => provider.client().map_or("", oauth::Provider::client_id),
            Self::Exchange(_, subject) => &subject.label,
        }
    }
}

/// What the operator's key is called in records.
pub(crate) const OPERATORS_KEY: &str = "the operator's key";
