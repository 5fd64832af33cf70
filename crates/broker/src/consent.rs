use protocol::{AccountId, Scope, SessionId, UserId};
use secret::{Opaque, SecretHash};
use store::{Key, Life, Written};

use crate::authorize::TOMBSTONE;
use crate::records::{Agent, Connection, ConnectionState, Consented, Grant, KeptHash, Made, Session, Stage, User};
use crate::register::AUDIT;
use crate::text::shown;
use crate::urls::{Outcome, Urls};
use crate::vault::Held;
use crate::{Broker, BrokerError, Provider};

/// What a person has to know before they answer.
#[derive(Debug)]
pub struct ConsentView {
    /// The consent under way.
    pub session: SessionId,
    /// The name that the agent gives itself, cleaned for display.
    pub agent_name: String,
    /// The host that vouches for the agent.
    pub agent_host: String,
    /// Who made the agent, by its own account.
    pub developer: String,
    /// What the agent says it is for.
    pub purpose: Option<String>,
    /// The service it wants to use.
    pub provider_name: String,
    /// Where the person will sign in.
    pub provider_host: String,
    /// What it may do, scope and sentence.
    pub scopes: Vec<(Scope, String)>,
    /// The host that the browser is sent to at the end; `None` for the gateway's own page.
    pub returns_to: Option<String>,
    /// Accounts of this browser's user that cover the scopes already.
    pub accounts: Vec<AccountView>,
}

/// An account that is connected already.
#[derive(Debug)]
pub struct AccountView {
    /// Names it in the form.
    pub id: AccountId,
    /// As the provider calls it.
    pub label: String,
}

/// What follows a click.
#[derive(Debug)]
pub enum Next {
    /// To the provider, to sign in there.
    Provider(String),
    /// To the page that names the account.
    Confirm(SessionId),
    /// The consent is over.
    Ending(Ending),
}

/// Where a consent ends.
#[derive(Debug)]
pub enum Ending {
    /// At the agent's redirect URI.
    Redirect(String),
    /// At the gateway's own page, under this URL.
    Page(String),
}

/// What Allow led to.
#[derive(Debug)]
pub struct Allowed {
    /// For the session's own cookie: only the browser that holds it may go on.
    pub binding: Opaque,
    /// Where to.
    pub next: Next,
}

/// What Continue led to.
#[derive(Debug)]
pub struct Confirmed {
    /// For the browser's own cookie; `None` at a second click, and where people sign in at the gateway itself.
    pub signed_in: Option<Opaque>,
    /// Where to.
    pub ending: Ending,
}

/// What the page that names the account says.
#[derive(Debug)]
pub struct AccountPage {
    /// The agent that will be let in.
    pub agent_name: String,
    /// The service.
    pub provider_name: String,
    /// The account; `None` where the provider names nobody.
    pub label: Option<String>,
    /// What the agent may do there.
    pub scopes: Vec<(Scope, String)>,
}

/// What the gateway's last page says.
#[derive(Debug)]
pub enum DonePage {
    /// Allowed, and the agent that was let in; the code to hand over, where it did not go to a redirect URI.
    Allowed {
        /// Who was let in.
        agent_name: String,
        /// For the person to give to the agent.
        code: Option<String>,
    },
    /// The person refused.
    Refused,
    /// The provider failed; a fixed word says how.
    Failed {
        /// The service.
        provider_name: String,
        /// A fixed word.
        reason: String,
    },
}

impl Broker {
    /// What to show before the person answers. Changes nothing.
    pub async fn consent(&self, session: &SessionId, browser: Option<&str>) -> Result<ConsentView, BrokerError> {
        let record = self.open_session(session).await?.body;
        match record.stage {
            Stage::Pending => {}
            Stage::Consumed | Stage::Completed { .. } => return Err(BrokerError::SessionUsed),
            Stage::Denied { .. } => return Err(BrokerError::UserDenied),
            _ => return Err(BrokerError::SessionClaimed),
        }
        let agent = self.agent(&record.client_id).await?.ok_or(BrokerError::AgentNotRegistered)?.body;
        let provider = self.provider(&record.provider)?;
        let accounts = match self.browser_user(browser).await? {
            Some(user) => self.covering_accounts(&user, &record).await?,
            None => Vec::new(),
        };
        Ok(ConsentView {
            session: session.clone(),
            agent_name: shown(&agent.name, 80),
            agent_host: agent.agent_id.host(),
            developer: shown(&agent.developer, 80),
            purpose: agent.purpose.as_deref().map(|purpose| shown(purpose, 240)),
            provider_name: provider.display_name.clone(),
            provider_host: provider.oauth.authorize_host(),
            scopes: in_words(provider, &record),
            returns_to: record.redirect_uri.as_deref().and_then(host),
            accounts,
        })
    }

    /// Allow: claims the session for this browser, and leads on; to the provider, or straight to the end where the person chose an
    /// account that covers the scopes already.
    pub async fn allow(
        &self,
        session: &SessionId,
        browser: Option<&str>,
        account: Option<&AccountId>,
    ) -> Result<Allowed, BrokerError> {
        let held = self.open_session(session).await?;
        match held.body.stage {
            Stage::Pending => {}
            Stage::Denied { .. } => return Err(BrokerError::UserDenied),
            Stage::Consumed => return Err(BrokerError::SessionUsed),
            _ => return Err(BrokerError::SessionClaimed),
        }
        self.insist_on_sign_in(browser).await?;
        let binding = Opaque::generate("", self.entropy.as_ref());
        if let (Some(account), Some(user)) = (account, self.browser_user(browser).await?) {
            let accounts = self.covering_accounts(&user, &held.body).await?;
            let known = accounts.into_iter().find(|known| known.id == *account).ok_or(BrokerError::Field("account"))?;
            let scopes = held.body.scopes.clone();
            let consented =
                Consented { user, account: known.id, label: Some(known.label), scopes, made: Made::default() };
            let ending = self.complete(session, held, binding.expose(), consented).await?;
            return Ok(Allowed { binding, next: Next::Ending(ending) });
        }
        let asked = held.body.scopes.clone();
        let url = self.send_to_provider(session, held, KeptHash::of(binding.hash()), asked).await?;
        Ok(Allowed { binding, next: Next::Provider(url) })
    }

    /// Deny: nobody needs to be signed in to refuse.
    pub async fn deny(&self, session: &SessionId) -> Result<Ending, BrokerError> {
        let held = self.open_session(session).await?;
        match held.body.stage {
            Stage::Pending => self.refuse(session, held, None).await,
            Stage::Consumed | Stage::Completed { .. } => Err(BrokerError::SessionUsed),
            _ => Err(BrokerError::SessionClaimed),
        }
    }

    /// What the page that names the account says. Changes nothing.
    pub async fn account_page(&self, session: &SessionId, binding: &str) -> Result<AccountPage, BrokerError> {
        let record = self.open_session(session).await?.body;
        let Stage::Confirming { binding: bound, consented } = &record.stage else {
            return Err(BrokerError::SessionUsed);
        };
        if !bound.matches(binding) {
            return Err(BrokerError::StateMismatch);
        }
        let agent = self.agent(&record.client_id).await?.ok_or(BrokerError::AgentNotRegistered)?.body;
        let provider = self.provider(&record.provider)?;
        let label = consented.label.as_deref().map(|label| shown(label, 120));
        let scopes = in_words_of(provider, &consented.scopes);
        Ok(AccountPage {
            agent_name: shown(&agent.name, 80),
            provider_name: provider.display_name.clone(),
            label,
            scopes,
        })
    }

    /// The person goes on with the account that was named: now the browser is signed in, and the code is released.
    pub async fn confirm(&self, session: &SessionId, binding: &str) -> Result<Confirmed, BrokerError> {
        let held = self.open_session(session).await?;
        match held.body.stage.clone() {
            Stage::Confirming { binding: bound, consented } if bound.matches(binding) => {
                let user = consented.user.clone();
                let ending = self.complete(session, held, binding, consented).await?;
                let signed_in = if self.sign_in.is_at_gateway() { None } else { Some(self.sign_in(&user).await?) };
                Ok(Confirmed { signed_in, ending })
            }
            // A second click, or a reloaded page: the same code, which is still good once.
            Stage::Completed { binding: bound, .. } if bound.matches(binding) => {
                Ok(Confirmed { signed_in: None, ending: self.ending(session, &held.body, binding) })
            }
            Stage::Confirming { .. } | Stage::Completed { .. } => Err(BrokerError::StateMismatch),
            _ => Err(BrokerError::SessionUsed),
        }
    }

    /// The person takes it back after seeing the account: what this consent brought into being goes again.
    pub async fn undo(&self, session: &SessionId, binding: &str) -> Result<Ending, BrokerError> {
        let held = self.open_session(session).await?;
        let Stage::Confirming { binding: bound, consented } = held.body.stage.clone() else {
            return Err(BrokerError::SessionUsed);
        };
        if !bound.matches(binding) {
            return Err(BrokerError::StateMismatch);
        }
        let ending = self.refuse(session, held, Some(bound)).await?;
        for made in [consented.made.connection, consented.made.identity].into_iter().flatten() {
            if let Ok(key) = Key::parse(&made) {
                self.vault.delete(&key).await?;
            }
        }
        Ok(ending)
    }

    /// What the last page says. A code is shown to the browser that consented, and to no other.
    pub async fn done_page(&self, session: &SessionId, binding: Option<&str>) -> Result<DonePage, BrokerError> {
        let record = self.vault.get::<Session>(&Session::key(session)).await?.ok_or(BrokerError::SessionNotFound)?.body;
        let agent_name = match self.agent(&record.client_id).await? {
            Some(agent) => shown(&agent.body.name, 80),
            None => String::new(),
        };
        match &record.stage {
            Stage::Completed { binding: bound, .. } => {
                let binding = binding.filter(|binding| bound.matches(binding)).ok_or(BrokerError::StateMismatch)?;
                let code = record.redirect_uri.is_none().then(|| spoken(&code(session, &record, binding)));
                Ok(DonePage::Allowed { agent_name, code })
            }
            Stage::Consumed => Ok(DonePage::Allowed { agent_name, code: None }),
            Stage::Denied { .. } => Ok(DonePage::Refused),
            Stage::Failed { reason, .. } => {
                let provider_name = self.provider(&record.provider)?.display_name.clone();
                Ok(DonePage::Failed { provider_name, reason: reason.clone() })
            }
            _ => Err(BrokerError::ConsentPending),
        }
    }

    /// A session that is not over yet.
    pub(crate) async fn open_session(&self, session: &SessionId) -> Result<Held<Session>, BrokerError> {
        let held = self.vault.get::<Session>(&Session::key(session)).await?.ok_or(BrokerError::SessionNotFound)?;
        if held.body.expires <= self.now() {
            return Err(BrokerError::SessionExpired);
        }
        Ok(held)
    }

    /// Moves a session one stage on; only one of several callers succeeds.
    pub(crate) async fn advance(
        &self,
        session: &SessionId,
        held: Held<Session>,
        stage: Stage,
    ) -> Result<Session, BrokerError> {
        let next = Session { stage, ..held.body };
        match self.vault.swap(&Session::key(session), held.version, &next, Life::For(TOMBSTONE)).await? {
            Written::Done => Ok(next),
            Written::Refused => Err(BrokerError::SessionClaimed),
        }
    }

    /// Claims the session and makes the provider's authorization URL, with a state of the gateway's own (256 random bits).
    pub(crate) async fn send_to_provider(
        &self,
        session: &SessionId,
        held: Held<Session>,
        binding: KeptHash,
        asked: protocol::ScopeSet,
    ) -> Result<String, BrokerError> {
        let provider = self.provider(&held.body.provider)?;
        let secret = Opaque::generate("", self.entropy.as_ref());
        let state = format!("{session}.{}", secret.expose());
        let challenge = oauth::pkce::challenge(&secret::CodeVerifier::new(held.body.verifier.expose()));
        let url = provider.oauth.authorization_url(&oauth::AuthorizationRequest {
            scopes: &Session::scope_list(&asked),
            state: &state,
            challenge: Some(&challenge),
            nonce: None,
            resource: held.body.resource.as_deref(),
        });
        self.advance(session, held, Stage::Claimed { binding, state: KeptHash::of(secret.hash()), asked }).await?;
        Ok(url)
    }

    /// Records what was consented to, durably, and releases the code.
    pub(crate) async fn complete(
        &self,
        session: &SessionId,
        held: Held<Session>,
        binding: &str,
        consented: Consented,
    ) -> Result<Ending, BrokerError> {
        let agent = self.agent(&held.body.client_id).await?.ok_or(BrokerError::AgentNotRegistered)?.body;
        self.grant(&held.body, &agent, &consented).await?;
        let code = KeptHash::of(SecretHash::of(&code(session, &held.body, binding)));
        let binding_hash = KeptHash::of(SecretHash::of(binding));
        let (user, scopes) = (consented.user.clone(), consented.scopes.clone());
        let stage = Stage::Completed { binding: binding_hash, consented, code, wrong_codes: 0 };
        let record = self.advance(session, held, stage).await?;
        tracing::info!(
            target: AUDIT, event = "access_granted", agent_id = %record.agent_id, user_id = %user,
            provider_id = %record.provider, requested_scopes = %record.scopes, effective_scopes = %scopes,
        );
        Ok(self.ending(session, &record, binding))
    }

    /// Where the browser goes once the code is released: RFC 6749 §4.1.2, with `iss` (RFC 9207).
    fn ending(&self, session: &SessionId, record: &Session, binding: &str) -> Ending {
        let Some(uri) = &record.redirect_uri else { return Ending::Page(self.urls.done(session, Outcome::Allowed)) };
        let code = code(session, record, binding);
        let parameters = [
            ("code", code.as_str()),
            ("state", &record.state),
            ("ath_session_id", session.as_str()),
            ("iss", self.urls.public()),
        ];
        Ending::Redirect(Urls::with_parameters(uri, &parameters))
    }

    /// Ends a session by refusal.
    pub(crate) async fn refuse(
        &self,
        session: &SessionId,
        held: Held<Session>,
        binding: Option<KeptHash>,
    ) -> Result<Ending, BrokerError> {
        let record = self.advance(session, held, Stage::Denied { binding }).await?;
        tracing::info!(
            target: AUDIT, event = "access_denied", agent_id = %record.agent_id, provider_id = %record.provider,
            requested_scopes = %record.scopes, denial_reason = "refused by the person",
        );
        let Some(uri) = &record.redirect_uri else {
            return Ok(Ending::Page(self.urls.done(session, Outcome::Refused)));
        };
        let parameters = [
            ("error", "access_denied"),
            ("state", &record.state),
            ("ath_session_id", session.as_str()),
            ("iss", self.urls.public()),
        ];
        Ok(Ending::Redirect(Urls::with_parameters(uri, &parameters)))
    }

    /// Writes the grant, or unites it with the one that is there.
    async fn grant(&self, session: &Session, agent: &Agent, consented: &Consented) -> Result<(), BrokerError> {
        let key = Grant::key(&session.client_id, &consented.user, &session.provider, &consented.account);
        let approved = agent.approved(&session.provider);
        for _ in 0..RETRIES {
            let held = self.vault.get::<Grant>(&key).await?;
            let family = held.as_ref().map_or(1, |held| held.body.family + u64::from(held.body.revoked.is_some()));
            let earlier =
                held.as_ref().filter(|held| held.body.revoked.is_none()).map(|held| held.body.consented.clone());
            let united = earlier.unwrap_or_default().union(&consented.scopes);
            let grant = Grant {
                client_id: session.client_id.clone(),
                user: consented.user.clone(),
                provider: session.provider.clone(),
                account: consented.account.clone(),
                effective: united.intersection(&approved),
                approved: approved.clone(),
                consented: united,
                family,
                revoked: None,
            };
            let written = match held {
                Some(held) => self.vault.swap(&key, held.version, &grant, Life::Forever).await?,
                None => self.vault.insert(&key, &grant, Life::Forever).await?,
            };
            if written == Written::Done {
                return self.vault.list(crate::records::Client::grants(&session.client_id), &key).await;
            }
        }
        Err(BrokerError::Contention)
    }

    /// The user's accounts at the session's provider that work and cover what is asked.
    async fn covering_accounts(&self, user: &UserId, session: &Session) -> Result<Vec<AccountView>, BrokerError> {
        let provider = self.provider(&session.provider)?;
        let fingerprint = provider.fingerprint();
        let mut accounts = Vec::new();
        for key in self.vault.store().scan(&User::connections(user)).await? {
            let Some(id) = account_at(&key, provider) else { continue };
            let Some((held, mark)) = self.vault.get_marked::<Connection>(&key).await? else { continue };
            let works = !matches!(held.body.state, ConnectionState::ReconnectRequired { .. }) && mark == fingerprint;
            if works && session.scopes.is_subset(&held.body.scopes) {
                let label = held.body.label.unwrap_or_else(|| "your account".to_owned());
                accounts.push(AccountView { id, label: shown(&label, 120) });
            }
        }
        Ok(accounts)
    }
}

/// The one-time code of a session: made from the session and the secret that only the consenting browser holds, so that a reloaded
/// page shows the same code while the gateway keeps only its hash. In full where software carries it; 60 bits, good for ten minutes
/// and five tries, where a person does.
pub(crate) fn code(session: &SessionId, record: &Session, binding: &str) -> String {
    let digest = SecretHash::of(&format!("code\n{session}\n{binding}")).to_hex();
    if record.redirect_uri.is_some() {
        return format!("ath_code_{digest}");
    }
    let bytes = data_encoding::HEXLOWER.decode(digest.as_bytes()).unwrap_or_default();
    data_encoding::BASE32_NOPAD.encode(&bytes).get(..12).unwrap_or_default().to_owned()
}

/// A short code as people read it aloud: `XXXX-XXXX-XXXX`.
fn spoken(code: &str) -> String {
    code.as_bytes().chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join("-")
}

fn in_words(provider: &Provider, session: &Session) -> Vec<(Scope, String)> {
    in_words_of(provider, &session.scopes)
}

fn in_words_of(provider: &Provider, scopes: &protocol::ScopeSet) -> Vec<(Scope, String)> {
    scopes.iter().map(|scope| (scope.clone(), provider.says(scope))).collect()
}

fn account_at(key: &Key, provider: &Provider) -> Option<AccountId> {
    let [_, at, account] = key.parts() else { return None };
    (at == provider.id.as_str()).then(|| AccountId::parse(account).ok()).flatten()
}

fn host(uri: &str) -> Option<String> {
    url::Url::parse(uri).ok()?.host_str().map(str::to_owned)
}

const RETRIES: usize = 8;
