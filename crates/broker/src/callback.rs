use oauth::{Callback, CallbackError, IssuerError, TokenSet};
use protocol::{Scope, ScopeSet, SessionId};
use secret::{AuthorizationCode, CodeVerifier};
use store::{Life, Write, Written};

use crate::consent::{Ending, Next};
use crate::people::{Person, Standing};
use crate::records::{Connection, ConnectionState, Consented, KeptHash, Made, Session, Stage, Tokens, User};
use crate::register::AUDIT;
use crate::text::shown;
use crate::urls::Outcome;
use crate::vault::{Fingerprint, Held};
use crate::{Broker, BrokerError, Provider};

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
    /// Takes the provider's answer (RFC 6749 §4.1.2): from the browser that began, with the state that was sent, once.
    ///
    /// The exchange runs on when the browser hangs up: a code is good once, and what it was exchanged for must not be lost.
    pub async fn callback(
        &self,
        answer: ProviderAnswer,
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
        if !self.may_be_from(provider, &answer.callback) {
            tracing::warn!(provider_id = %provider.id, "the answer names another issuer than the configuration");
            return Err(BrokerError::IssuerMismatch);
        }
        match answer.callback {
            Callback::Code { code, .. } => {
                let (broker, browser) = (self.clone(), browser.map(str::to_owned));
                let consent = UnderWay { session: answer.session, held, binding, bound, asked, browser };
                self.detached(async move { broker.exchange(consent, code).await }).await
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
    fn may_be_from(&self, provider: &Provider, callback: &Callback) -> bool {
        match provider.oauth.issuer() {
            Some(issuer) => callback.check_issuer(Some(issuer)) != Err(IssuerError::Other),
            None => callback.issuer().is_none() || self.providers().nth(1).is_none(),
        }
    }

    /// Exchanges the code, learns who signed in, and stores the connection before anybody relies on it.
    async fn exchange(&self, consent: UnderWay, code: AuthorizationCode) -> Result<Next, BrokerError> {
        let UnderWay { session, held, binding, bound, asked, browser } = consent;
        let stage = Stage::Exchanging { binding: bound.clone(), asked: asked.clone() };
        let version = held.version.next();
        let held = Held { body: self.advance(&session, held, stage).await?, version };
        let provider = self.provider(&held.body.provider)?;

        let (tokens, identity) = match self.exchange_code(provider, &held.body, &code).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(provider_id = %provider.id, error = %error, reason = error.reason(), "the code was not exchanged");
                return self.fail(&session, held, bound, error.reason()).await.map(Next::Ending);
            }
        };
        let granted = granted(&tokens, &asked);
        let person = self.person(&provider.id, identity, browser.as_deref()).await?;
        let stored = self.connect(provider, &person, &tokens, &granted).await?;
        if let Stored::Narrower { missing } = &stored
            && asked == held.body.scopes
        {
            // The older connection could do more, and nothing shrinks silently: ask the provider once more, for all of it.
            let url = self.send_to_provider(&session, held, bound, asked.union(missing)).await?;
            return Ok(Next::Provider(url));
        }
        let made = Made {
            connection: matches!(stored, Stored::New).then(|| connection_key(provider, &person).to_string()),
            identity: person.made_identity.as_ref().map(ToString::to_string),
        };
        let consented = Consented {
            scopes: held.body.scopes.intersection(&granted),
            user: person.user,
            account: person.account,
            label: person.label.as_deref().map(|label| shown(label, 120)),
            made,
        };
        let known = person.standing == Standing::SignedIn && !matches!(stored, Stored::New);
        if known {
            return self.complete(&session, held, &binding, consented).await.map(Next::Ending);
        }
        self.advance(&session, held, Stage::Confirming { binding: bound, consented }).await?;
        Ok(Next::Confirm(session))
    }

    async fn exchange_code(
        &self,
        provider: &Provider,
        session: &Session,
        code: &AuthorizationCode,
    ) -> Result<(TokenSet, Option<oauth::Identity>), oauth::OAuthError> {
        let http = provider.http.as_ref();
        let verifier = CodeVerifier::new(session.verifier.expose());
        let resource = session.resource.as_deref();
        let tokens = provider.oauth.exchange(http, code, Some(&verifier), resource, self.now().as_secs()).await?;
        let identity = provider.oauth.identify(http, &tokens).await?;
        Ok((tokens, identity))
    }

    /// Stores the connection, or renews the one that is there. Durable when this returns.
    async fn connect(
        &self,
        provider: &Provider,
        person: &Person,
        tokens: &TokenSet,
        granted: &ScopeSet,
    ) -> Result<Stored, BrokerError> {
        let key = connection_key(provider, person);
        let fingerprint = provider.fingerprint();
        for _ in 0..RETRIES {
            let older = self.vault.get_marked::<Connection>(&key).await?;
            let missing = older.as_ref().and_then(|(held, mark)| missing(&held.body, mark, &fingerprint, granted));
            let connection = Connection {
                label: person.label.clone(),
                state: ConnectionState::Connected,
                scopes: granted.clone(),
                tokens: Tokens::new(tokens),
                attempt: None,
                connected: self.now(),
                renewed: None,
            };
            let (write, stored) = match &older {
                None => {
                    let bytes = self.vault.seal(&key, store::Version::FIRST, &fingerprint, &connection)?;
                    (Write::Insert { key: key.clone(), bytes, life: Life::Forever }, Stored::New)
                }
                Some((held, _)) => {
                    let bytes = self.vault.seal(&key, held.version.next(), &fingerprint, &connection)?;
                    let stored = missing.map_or(Stored::Renewed, |missing| Stored::Narrower { missing });
                    (Write::Swap { key: key.clone(), expected: held.version, bytes, life: Life::Forever }, stored)
                }
            };
            if self.vault.write(write).await? == Written::Done {
                self.vault.list(User::connections(&person.user), &key).await?;
                return Ok(stored);
            }
        }
        Err(BrokerError::Contention)
    }

    async fn fail(
        &self,
        session: &SessionId,
        held: Held<Session>,
        binding: KeptHash,
        reason: &str,
    ) -> Result<Ending, BrokerError> {
        let record = self.advance(session, held, Stage::Failed { binding, reason: reason.to_owned() }).await?;
        tracing::info!(
            target: AUDIT, event = "access_denied", agent_id = %record.agent_id, provider_id = %record.provider,
            requested_scopes = %record.scopes, denial_reason = reason,
        );
        Ok(Ending::Page(self.urls.done(session, Outcome::Refused)))
    }
}

/// A consent between the provider's answer and its end.
struct UnderWay {
    session: SessionId,
    held: Held<Session>,
    binding: String,
    bound: KeptHash,
    asked: ScopeSet,
    browser: Option<String>,
}

enum Stored {
    New,
    Renewed,
    /// Renewed, and an older, working connection held scopes that this one lacks.
    Narrower {
        missing: ScopeSet,
    },
}

fn connection_key(provider: &Provider, person: &Person) -> store::Key {
    Connection::key(&person.user, &provider.id, &person.account)
}

/// What the provider granted: what it says, else what was asked (RFC 6749 §5.1).
fn granted(tokens: &TokenSet, asked: &ScopeSet) -> ScopeSet {
    match &tokens.scope {
        Some(scopes) => scopes.iter().filter_map(|scope| Scope::parse(scope).ok()).collect(),
        None => asked.clone(),
    }
}

fn missing(older: &Connection, mark: &Fingerprint, fingerprint: &Fingerprint, granted: &ScopeSet) -> Option<ScopeSet> {
    let works = mark == fingerprint && !matches!(older.state, ConnectionState::ReconnectRequired { .. });
    let missing = older.scopes.difference(granted);
    (works && !missing.is_empty()).then_some(missing)
}

const RETRIES: usize = 8;
