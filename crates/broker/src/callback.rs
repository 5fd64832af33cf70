use oauth::{Callback, CallbackError, IssuerError, TokenSet};
use protocol::{AccountId, ProviderId, ScopeSet, SessionId, UserId};
use secret::{AuthorizationCode, CodeVerifier, Opaque};
use store::{Life, Write, Written};

use crate::bases::BaseRefused;
use crate::binding::key_of;
use crate::consent::{Ending, Next, about};
use crate::people::Greeting;
use crate::records::{
    Arrived, Brought, Browser, Connection, ConnectionState, KeptHash, Later, Session, Stage, Tokens, User, Whose, Work,
};
use crate::set_out::Onward;
use crate::text::named;
use crate::token_request::token_request;
use crate::urls::Outcome;
use crate::vault::Held;
use crate::{Broker, BrokerError, NamesItself, Provider, ReturnPath, Way};

/// A provider's answer, as the browser brought it to the callback.
#[derive(Debug)]
pub struct ProviderAnswer {
    session: SessionId,
    state_secret: String,
    callback: Callback,
}

impl ProviderAnswer {
    /// Reads the query of the redirect: each parameter at most once, the state one that this gateway could have made.
    pub fn parse(query: &str) -> Result<Self, BrokerError> {
        let callback = Callback::parse(query).map_err(|_| BrokerError::StateMismatch)?;
        let (session, secret) = callback.state().rsplit_once('.').ok_or(BrokerError::StateMismatch)?;
        let session = SessionId::parse(session).map_err(|_| BrokerError::StateMismatch)?;
        Ok(Self { state_secret: secret.to_owned(), session, callback })
    }

    /// The consent that it belongs to, by its own word.
    #[must_use]
    pub fn session(&self) -> &SessionId {
        &self.session
    }
}

impl Broker {
    /// Takes the provider's answer (RFC 6749 §4.1.2): from the browser that began, with the state that was sent, once; `at` the
    /// provider's own callback, or at the one that providers share.
    ///
    /// The exchange runs on when the browser hangs up: a code is good once, and what it was exchanged for must not be lost.
    pub async fn callback(
        &self,
        answer: ProviderAnswer,
        at: Option<&ProviderId>,
        binding: Option<&str>,
        browser: Option<&str>,
    ) -> Result<Next, BrokerError> {
        let held = match self.open_session(&answer.session).await {
            Err(BrokerError::SessionNotFound) => return Err(BrokerError::StateMismatch),
            other => other?,
        };
        let Stage::Claimed { binding: bound, state, asked } = held.body.stage.clone() else {
            return Err(BrokerError::SessionUsed);
        };
        if !state.matches(&answer.state_secret) {
            return Err(BrokerError::StateMismatch);
        }
        let Some(binding) = binding.filter(|binding| bound.matches(binding)).map(str::to_owned) else {
            // Somebody passed the provider's URL on, and this is somebody else's code. If it becomes known, it must be of no use.
            self.fail(&answer.session, held, bound, "another_browser").await?;
            return Err(BrokerError::StateMismatch);
        };
        let provider = self.provider(&held.body.provider)?;
        // Whether its answers have to name it, its metadata says.
        if let Ok(client) = provider.client() {
            client.prepare(&self.outside(provider)).await.map_err(|error| BrokerError::Provider {
                reason: error.reason(),
                retry_after: None,
                source: Some(error),
            })?;
        }
        if !self.may_be_from(provider, at, &answer.callback) {
            tracing::warn!(provider_id = %provider.id, "the answer came to another callback, or names another issuer, than the configuration has");
            return Err(BrokerError::IssuerMismatch);
        }
        self.check_switch(&provider.id).await?;
        match answer.callback {
            Callback::Code { code, .. } => {
                let (broker, browser) = (self.clone(), browser.map(str::to_owned));
                let consent = UnderWay { session: answer.session, held, binding, bound, asked, browser };
                self.detached(async move { Box::pin(broker.exchange(consent, code)).await }).await
            }
            Callback::Error { code: CallbackError::AccessDenied, .. } => {
                self.refuse(&answer.session, held, Some(bound)).await.map(Next::Ending)
            }
            Callback::Error { .. } => {
                self.fail(&answer.session, held, bound, "authorization_failed").await.map(Next::Ending)
            }
        }
    }

    /// Whether an answer can be this provider's (RFC 9207 §2.4): many have an issuer and send no `iss`, but a wrong one is never accepted.
    /// Where several share the callback, whoever names an issuer is not the one that is configured without.
    fn may_be_from(&self, provider: &Provider, at: Option<&ProviderId>, callback: &Callback) -> bool {
        let place = match provider.returns {
            ReturnPath::Own => at == Some(&provider.id),
            ReturnPath::Shared => at.is_none(),
        };
        let alone =
            provider.returns == ReturnPath::Own || self.providers().filter(|it| it.uses_callback()).nth(1).is_none();
        let Ok(client) = provider.client() else { return false };
        let always = client.names_itself() == oauth::NamesItself::Always;
        let names_itself = if always { NamesItself::Always } else { provider.names_itself };
        let issuer = match (client.issuer(), names_itself) {
            (Some(issuer), NamesItself::Always) => callback.check_issuer(Some(&issuer)).is_ok(),
            (Some(issuer), NamesItself::Perhaps) => callback.check_issuer(Some(&issuer)) != Err(IssuerError::Other),
            (None, _) => callback.issuer().is_none() || alone,
        };
        place && issuer
    }

    /// Exchanges the code, and learns whose account it is. What the provider issued lies sealed in the session until the person has seen
    /// which account they signed in with; where they have gone on with it in this browser before, at once.
    async fn exchange(&self, consent: UnderWay, code: AuthorizationCode) -> Result<Next, BrokerError> {
        let UnderWay { session, held, binding, bound, asked, browser } = consent;
        // Since the person was sent there: what was ended meanwhile ended this consent, too. Its code is of no use without the exchange.
        let present = self.era(&held.body.provider).await?;
        let era = held.body.era.unwrap_or(present);
        if era < present {
            self.fail(&session, held, bound, "connections_revoked").await?;
            return Err(BrokerError::Overtaken);
        }
        let stage = Stage::Exchanging { binding: bound.clone(), asked: asked.clone() };
        let version = held.version.next();
        let held = Held { body: self.advance(&session, held, stage).await?, version };
        let provider = self.provider(&held.body.provider)?;

        let consent = UnderWay { session, held, binding, bound, asked, browser };
        let tokens = match self.exchange_code(provider, &consent.held.body, &code).await {
            Ok(tokens) => tokens,
            Err(error) => return self.not_given(consent, provider, &error).await.map(|onward| onward.next),
        };
        let kept = Tokens::new(&tokens).bound_to(consent.held.body.dpop.as_ref());
        let key = key_of(consent.held.body.dpop.as_ref());
        let client = provider.client()?;
        let prover = self.prover(provider, client, key.as_ref());
        let identity = match client.identify(&self.outside_by(&prover), &tokens).await {
            Ok(identity) => identity,
            Err(error) => {
                let browser = consent.browser.as_deref();
                self.give_back_brought(provider, &consent.held.body, kept, None, browser).await;
                return self.not_given(consent, provider, &error).await.map(|onward| onward.next);
            }
        };
        let whose = match &identity {
            None => Whose::Nobody { label: None },
            Some(it) => Whose::Person { subject: it.subject.clone(), label: it.label.clone() },
        };
        let tokens = match provider.based(tokens, identity.as_ref()) {
            Ok(tokens) => tokens,
            Err(refused) => {
                let (subject, browser) = (whose.subject().map(str::to_owned), consent.browser.as_deref());
                self.give_back_brought(provider, &consent.held.body, kept, subject, browser).await;
                return self.no_place(consent, provider, &refused).await.map(|onward| onward.next);
            }
        };
        let brought = Brought { tokens: Tokens::new(&tokens), words: tokens.scope, whose, era };
        Box::pin(self.go_on_with(consent, brought)).await.map(|onward| onward.next)
    }

    /// The answer names a place of the API that the configuration does not know.
    pub(crate) async fn no_place(
        &self,
        consent: UnderWay,
        provider: &Provider,
        refused: &BaseRefused,
    ) -> Result<Onward, BrokerError> {
        tracing::error!(provider_id = %provider.id, reason = %refused, "the place of the API is refused: see api_base_from.hosts");
        let ending = self.fail(&consent.session, consent.held, consent.bound, "api_base_refused").await?;
        Ok(Onward::to(Next::Ending(ending)))
    }

    /// What the provider gave out becomes somebody's, or waits until they have seen which account it is.
    pub(crate) async fn go_on_with(&self, consent: UnderWay, brought: Brought) -> Result<Onward, BrokerError> {
        let UnderWay { session, held, binding, bound, asked, browser } = consent;
        let browser = browser.as_deref();
        let provider = self.provider(&held.body.provider)?;
        let (tokens, subject) = (brought.tokens.clone(), brought.whose.subject().map(str::to_owned));
        let (arrived, course) = match self.judged(provider, &held.body, &asked, brought, browser).await {
            Ok(judged) => judged,
            Err(error) => {
                self.give_back_brought(provider, &held.body, tokens, subject, browser).await;
                // The code is spent: this consent cannot go on, and says so to whoever asks.
                self.fail(&session, held, bound, "interrupted").await?;
                return Err(error);
            }
        };
        match course {
            // The older connection can do more, and nothing shrinks silently: ask the provider once more, for all of it.
            Course::AskForAll(missing) => self.set_out(&session, held, &binding, asked.union(&missing), browser).await,
            Course::NameTheAccount => {
                self.advance(&session, held, Stage::Confirming { binding: bound, arrived }).await?;
                Ok(Onward::to(Next::Confirm(session)))
            }
            Course::GoOn => {
                // Who proved to be somebody whom this browser is signed in as, is that.
                let greeting = if provider.proves_who_it_is() {
                    Greeting::None
                } else {
                    self.greeting(&held.body.provider, browser).await?
                };
                let work = Work::Connect { arrived: Box::new(arrived) };
                let stage = Stage::Completing { binding: bound, work: work.clone() };
                let version = held.version.next();
                let held = Held { body: self.advance(&session, held, stage).await?, version };
                let done = self.complete(&session, held, &binding, work).await?;
                let signed_in = self.greet(greeting, &done, browser).await?;
                Ok(Onward { next: Next::Ending(done.ending), signed_in })
            }
        }
    }

    /// [`Unused`], put together and given back.
    pub(crate) async fn give_back_brought(
        &self,
        provider: &Provider,
        session: &Session,
        tokens: Tokens,
        subject: Option<String>,
        browser: Option<&str>,
    ) {
        let unused = Unused { session: session.clone(), tokens, subject };
        self.give_back_unused(provider, unused, browser).await;
    }

    /// Queues what no connection is made of, so that it does not live on unknown to anybody. Not where one of the people whom it may be of
    /// has connected an account there: at some providers that would end the older tokens with these.
    async fn give_back_unused(&self, provider: &Provider, unused: Unused, browser: Option<&str>) {
        if let Err(error) = self.try_give_back(provider, &unused, browser).await {
            tracing::warn!(provider_id = %provider.id, error = %error, "tokens that nobody uses were not given back");
        }
    }

    async fn try_give_back(
        &self,
        provider: &Provider,
        unused: &Unused,
        browser: Option<&str>,
    ) -> Result<(), BrokerError> {
        let renews = unused.session.renews.as_ref().map(|renews| renews.user.clone());
        let live = self.live_browser(browser).await?.map(|browser| browser.user);
        let linked = match &unused.subject {
            Some(subject) => self.linked(provider, subject).await?,
            None => None,
        };
        for user in [renews, live, linked].into_iter().flatten() {
            if !self.connections_at(&provider.id, &user).await?.is_empty() {
                return Ok(());
            }
        }
        self.queue_revocation(&provider.id, &provider.fingerprint(), &unused.tokens).await
    }

    /// Whose account it is, and how the consent goes on. Writes nothing.
    async fn judged(
        &self,
        provider: &Provider,
        session: &Session,
        asked: &ScopeSet,
        brought: Brought,
        browser: Option<&str>,
    ) -> Result<(Arrived, Course), BrokerError> {
        let Brought { tokens, words, whose, era } = brought;
        let live = self.live_browser(browser).await?;
        let proven = whose.subject().filter(|_| provider.proves_who_it_is());
        let user = self.owner(provider, proven, live.as_ref()).await?;
        let subject = proven.map(str::to_owned);
        let resource = session.resource.as_deref();
        let account = match &whose {
            Whose::Person { subject: name, .. } | Whose::Service { name, .. } => {
                self.account_of(provider, Some(name), resource)
            }
            Whose::Nobody { .. } => {
                renewed(session, live.as_ref()).unwrap_or_else(|| self.account_of(provider, None, resource))
            }
        };
        // Nobody's account but the gateway's own is named, and the person has said yes to that already.
        let at_once = matches!(whose, Whose::Service { .. });
        let otherwise = if at_once { Course::GoOn } else { Course::NameTheAccount };
        let granted = provider.granted(words.as_deref(), asked);
        let label = whose.into_label().and_then(|label| named(&label, 120));
        let mark = provider.fingerprint();
        let tokens = tokens.bound_to(session.dpop.as_ref());
        let mut arrived = Arrived { tokens, granted, subject, label, account, user, era, mark };
        let Some(user) = arrived.user.clone() else { return Ok((arrived, otherwise)) };
        let key = Connection::key(&user, &provider.id, &arrived.account);
        let older = self.vault.get_marked::<Connection>(&key).await?;
        let Some((older, mark)) = older.filter(|(older, _)| older.body.era >= era) else {
            return Ok((arrived, otherwise));
        };
        let works = mark == provider.fingerprint() && older.body.works();
        let counts = works || renews(session, &user, &arrived.account);
        let spoken = words.is_some() && provider.scopes_are_answered() && mark == provider.fingerprint();
        if spoken || counts && matches!(provider.way, Way::Key(_)) {
            // By the answer's words; and a key can what it can: asking for it once more would change nothing.
            arrived.granted = provider.granted(words.as_deref(), &asked.union(&older.body.scopes));
        }
        let missing = older.body.scopes.difference(&arrived.granted);
        // Asked once, and not for what was asked for already.
        if counts && *asked == session.scopes && !missing.is_subset(asked) {
            return Ok((arrived, Course::AskForAll(missing)));
        }
        let known = live.is_some_and(|browser| browser.user == user && browser.may_use(&provider.id));
        let course = if known && provider.proves_who_it_is() { Course::GoOn } else { otherwise };
        Ok((arrived, course))
    }

    async fn exchange_code(
        &self,
        provider: &Provider,
        session: &Session,
        code: &AuthorizationCode,
    ) -> Result<TokenSet, oauth::OAuthError> {
        let verifier = CodeVerifier::new(session.verifier.expose());
        let resource = session.resource.as_deref();
        let Ok(client) = provider.client() else { return Err(oauth::OAuthError::Nonsense("no_client")) };
        let key = key_of(session.dpop.as_ref());
        let prover = self.prover(provider, client, key.as_ref());
        let outside = self.outside_by(&prover);
        let asking = client.exchange(&outside, code, Some(&verifier), resource);
        let tokens = token_request("authorization_code", &provider.id, asking).await?;
        self.hush(&tokens);
        self.provider_answered(provider);
        Ok(tokens)
    }

    /// Stores the connection, or renews the one that is there, and returns its id. Durable when this returns.
    pub(crate) async fn connect(
        &self,
        provider: &Provider,
        user: &UserId,
        session: &Session,
        arrived: &Arrived,
    ) -> Result<String, BrokerError> {
        let key = Connection::key(user, &provider.id, &arrived.account);
        let fingerprint = provider.fingerprint();
        self.refuse_overtaken(provider, user, arrived).await?;
        // On the list before it exists: whoever ends everything finds it.
        self.vault.list(User::connections(user), &key).await?;
        for _ in 0..RETRIES {
            let read = self.vault.get_marked::<Connection>(&key).await?;
            if read.as_ref().is_some_and(|(older, _)| older.body.era < arrived.era) {
                self.clear_away(&key).await?;
                self.vault.list(User::connections(user), &key).await?;
                continue;
            }
            // A refresh token that an older consent brought, and that still works at the same place.
            let keeps = read.as_ref().filter(|(older, mark)| older.body.works() && *mark == fingerprint);
            let tokens = keeps.map_or_else(
                || arrived.tokens.clone(),
                |(older, _)| arrived.tokens.clone().or_refresh_of(&older.body.tokens),
            );
            let older = read.map(|(older, _)| older);
            let id = older.as_ref().map_or_else(|| self.drawn_id(), |older| older.body.id.clone());
            let connection = Connection {
                id: id.clone(),
                resource: session.resource.clone(),
                label: arrived.label.clone(),
                state: ConnectionState::Connected,
                scopes: arrived.granted.clone(),
                tokens,
                attempt: None,
                rank: older.as_ref().map(|older| older.body.rank).unwrap_or_default().connected(),
                issued_to: None,
                alternate: None,
                rotation: older.as_ref().map_or_else(|| provider.rotation.into(), |older| older.body.rotation),
                connected: self.now(),
                era: arrived.era,
                renewed: None,
                ends: None,
                listed: older.as_ref().and_then(|older| older.body.listed),
                later: Later::default(),
            };
            let (connection, hint) = self.with_hint(&key, connection);
            let write = match &older {
                None => {
                    let bytes = self.vault.seal(&key, store::Version::FIRST, &fingerprint, &connection)?;
                    Write::Insert { key: key.clone(), bytes, life: Life::Forever }
                }
                Some(held) => {
                    let bytes = self.vault.seal(&key, held.version.next(), &fingerprint, &connection)?;
                    Write::Swap { key: key.clone(), expected: held.version, bytes, life: Life::Forever }
                }
            };
            let writes = std::iter::once(write).chain(hint).collect();
            if self.vault.store().batch(writes).await?.first() == Some(&Written::Done) {
                // Once more: whoever ended an earlier one may have struck this off with it.
                self.vault.list(User::connections(user), &key).await?;
                self.end_with_owner(user, &key).await?;
                return self.refuse_overtaken(provider, user, arrived).await.map(|()| id);
            }
        }
        Err(BrokerError::Contention)
    }

    pub(crate) fn drawn_id(&self) -> String {
        Opaque::generate("", self.entropy.as_ref()).expose().to_owned()
    }

    pub(crate) async fn fail(
        &self,
        session: &SessionId,
        held: Held<Session>,
        binding: KeptHash,
        reason: &str,
    ) -> Result<Ending, BrokerError> {
        let event = about(self.event("access_denied"), &held.body).by("provider").denied(&held.body.scopes, reason);
        let stage = Stage::Failed { binding, reason: reason.to_owned() };
        let record = self.decide(event, self.advance(session, held, stage)).await?;
        Ok(self.came_to_nothing(session, &record, reason))
    }

    /// Where the browser goes when the provider failed: back to an OAuth client, which waits for an answer, else to a page.
    pub(crate) fn came_to_nothing(&self, session: &SessionId, record: &Session, reason: &str) -> Ending {
        match (&record.redirect_uri, &record.front) {
            (Some(uri), Some(_)) => {
                let told = format!(
                    "The service did not give the access ({reason}); try again, or tell the gateway's operator."
                );
                let answer = [("error", "server_error"), ("error_description", told.as_str())];
                Ending::Redirect(self.answer_to(uri, Some(&record.state), &answer))
            }
            _ => self.over(session),
        }
    }

    /// The page at the end of a consent that came to nothing.
    pub(crate) fn over(&self, session: &SessionId) -> Ending {
        Ending::Page(self.urls.done(session, Outcome::Refused))
    }
}

/// A consent between Allow and its end.
pub(crate) struct UnderWay {
    pub(crate) session: SessionId,
    pub(crate) held: Held<Session>,
    /// What the browser proves itself by, and its hash.
    pub(crate) binding: String,
    pub(crate) bound: KeptHash,
    pub(crate) asked: ScopeSet,
    /// The browser's own cookie.
    pub(crate) browser: Option<String>,
}

/// What a code was exchanged for, and nothing came of.
struct Unused {
    session: Session,
    tokens: Tokens,
    /// The provider's name for the account, where it was learned.
    subject: Option<String>,
}

/// How a consent goes on after the provider's answer.
enum Course {
    /// The page that names the account comes next.
    NameTheAccount,
    /// The person has gone on with this account in this browser before, or there is nothing to be named.
    GoOn,
    /// An older connection, one that works or is being renewed, holds these scopes, which the answer lacks.
    AskForAll(ScopeSet),
}

/// The account that a person came to renew, as far as this browser proves that it is theirs. It stands for the name that some providers do
/// not give.
fn renewed(session: &Session, live: Option<&Browser>) -> Option<AccountId> {
    let renews = session.renews.as_ref()?;
    let own = live.is_some_and(|browser| browser.user == renews.user && browser.may_use(&session.provider));
    own.then(|| renews.account.clone())
}

/// Whether a consent is there to make this account's connection work again.
pub(crate) fn renews(session: &Session, user: &UserId, account: &AccountId) -> bool {
    session.renews.as_ref().is_some_and(|renews| renews.user == *user && renews.account == *account)
}

const RETRIES: usize = 8;
