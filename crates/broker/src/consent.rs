mod code;
mod page;
mod views;

use audit::Event;
use oauth::DpopKey;
use protocol::{AccountId, ProviderId, SessionId, UserId};
use secret::Opaque;
use store::{Key, Life, Written};

use crate::authorize::TOMBSTONE;
use crate::binding::key_of;
use crate::front::FrontSession;
use crate::records::{Agent, Arrived, Connection, KeptHash, Session, Stage, Work};
use crate::set_out::Onward;
use crate::text::named;
use crate::urls::{Outcome, Urls};
use crate::vault::Held;
use crate::{Broker, BrokerError, Provider};

use code::spoken;
pub(crate) use code::{code, session_of};
use page::in_words;
pub use views::{
    AccountPage, AccountView, Allowed, Choice, Confirmed, ConsentView, Destination, DonePage, Ending, Follows, Joins,
    Next,
};

impl Broker {
    /// What to show before the person answers. Changes nothing.
    pub async fn consent(&self, session: &SessionId, browser: Option<&str>) -> Result<ConsentView, BrokerError> {
        let record = self.open_session(session).await?.body;
        unanswered(&record.stage)?;
        let agent = self.asking_agent(&record).await?;
        self.consent_view(session, &record, &agent, browser).await
    }

    /// Allow: claims the session for this browser, and leads on; to the provider, or straight to the end where the person chose an
    /// account that covers the scopes already.
    pub async fn allow(
        &self,
        session: &SessionId,
        browser: Option<&str>,
        choice: &Choice,
    ) -> Result<Allowed, BrokerError> {
        let held = chosen(self.open_session(session).await?, choice);
        unanswered(&held.body.stage)?;
        self.asking_agent(&held.body).await?;
        self.insist_on_sign_in(browser).await?;
        self.insist_on_whom_it_is_for(&held.body, browser).await?;
        self.check_people(&held.body.provider, browser).await?;
        let binding = Opaque::generate("", self.entropy.as_ref());
        if let (Some(account), Some(browser)) = (&choice.account, self.live_browser(browser).await?) {
            let accounts = self.covering_accounts(&browser, &held.body).await?;
            let known = accounts.into_iter().find(|known| known.id == *account).ok_or(BrokerError::Field("account"))?;
            let work = Work::Grant { user: browser.user, account: known.id, label: Some(known.label) };
            let held = self.claim(session, held, KeptHash::of(binding.hash()), work.clone()).await?;
            let done = self.complete(session, held, binding.expose(), work).await?;
            return Ok(Allowed { binding, signed_in: None, next: Next::Ending(done.ending) });
        }
        let asked = match &held.body.renews {
            // What other agents may do with the connection does not shrink because one of them had its owner called. Whoever else holds
            // the link does not learn of it: where they prove to be the owner, the rest is asked for after that.
            Some(renews) if self.is_owners(browser, &renews.user, &held.body.provider).await? => {
                held.body.scopes.union(&renews.scopes)
            }
            _ => held.body.scopes.clone(),
        };
        let Onward { next, signed_in } = self.set_out(session, held, binding.expose(), asked, browser).await?;
        Ok(Allowed { binding, signed_in, next })
    }

    /// What is the operator's is not for everybody who comes along.
    async fn check_people(&self, provider: &ProviderId, browser: Option<&str>) -> Result<(), BrokerError> {
        let provider = self.provider(provider)?;
        if !provider.is_operators() {
            return Ok(());
        }
        let live = self.live_browser(browser).await?;
        let by = live.as_ref().and_then(|browser| browser.by.as_ref());
        if provider.people.include(by) { Ok(()) } else { Err(BrokerError::NotForYou) }
    }

    /// A link that one person was sent is not for another one.
    async fn insist_on_whom_it_is_for(&self, session: &Session, browser: Option<&str>) -> Result<(), BrokerError> {
        let Some(only) = session.front.as_ref().and_then(|front| front.only.as_ref()) else { return Ok(()) };
        match self.live_browser(browser).await? {
            Some(live) if live.user == *only => Ok(()),
            _ => Err(BrokerError::AccountElsewhere),
        }
    }

    async fn is_owners(
        &self,
        browser: Option<&str>,
        owner: &UserId,
        provider: &ProviderId,
    ) -> Result<bool, BrokerError> {
        let live = self.live_browser(browser).await?;
        Ok(live.is_some_and(|browser| browser.user == *owner && browser.may_use(provider)))
    }

    /// Deny: nobody needs to be signed in to refuse, unless it is a link for one person.
    pub async fn deny(&self, session: &SessionId, browser: Option<&str>) -> Result<Ending, BrokerError> {
        let held = self.open_session(session).await?;
        unanswered(&held.body.stage)?;
        self.insist_on_whom_it_is_for(&held.body, browser).await?;
        self.refuse(session, held, None).await
    }

    /// What the page that names the account says. Changes nothing.
    pub async fn account_page(
        &self,
        session: &SessionId,
        binding: &str,
        browser: Option<&str>,
    ) -> Result<AccountPage, BrokerError> {
        let record = self.open_session(session).await?.body;
        let Stage::Confirming { binding: bound, arrived } = &record.stage else {
            return Err(BrokerError::SessionUsed);
        };
        if !bound.matches(binding) {
            return Err(BrokerError::StateMismatch);
        }
        let agent = self.asking_agent(&record).await?;
        let provider = self.provider(&record.provider)?;
        Ok(AccountPage {
            agent_name: agent.display_name(),
            provider_name: provider.display_name.clone(),
            label: arrived.label.as_deref().and_then(|label| named(label, 120)),
            scopes: in_words(provider, &record.scopes.intersection(&arrived.granted)),
            joins: self.joins(provider, arrived, browser).await?,
            returns_to: record.redirect_uri.as_deref().and_then(Destination::of),
        })
    }

    /// The person goes on with the account that was named: now it is connected, the browser is signed in, and the code is released.
    pub async fn confirm(
        &self,
        session: &SessionId,
        binding: &str,
        browser: Option<&str>,
    ) -> Result<Confirmed, BrokerError> {
        let held = self.open_session(session).await?;
        let bound = match &held.body.stage {
            Stage::Confirming { binding, .. }
            | Stage::Completing { binding, .. }
            | Stage::Completed { binding, .. } => binding.clone(),
            _ => return Err(BrokerError::SessionUsed),
        };
        if !bound.matches(binding) {
            return Err(BrokerError::StateMismatch);
        }
        let (held, work) = match held.body.stage.clone() {
            Stage::Confirming { arrived, .. } => {
                let arrived = self.still_theirs(&held.body, arrived, browser).await?;
                let work = Work::Connect { arrived: Box::new(arrived) };
                (self.claim(session, held, bound, work.clone()).await?, work)
            }
            // Begun before, and not brought to an end: it is carried out again, which changes nothing that was done.
            Stage::Completing { work, .. } => (held, work),
            // A second click, or a reloaded page: the same code, which is still good once.
            _ => return Ok(Confirmed { signed_in: None, ending: self.ending(session, &held.body, binding) }),
        };
        let greeting = self.greeting(&held.body.provider, browser).await?;
        let done = self.complete(session, held, binding, work).await?;
        Ok(Confirmed { signed_in: self.greet(greeting, &done, browser).await?, ending: done.ending })
    }

    /// The person takes it back after seeing the account: nothing was connected yet, and what the provider issued is given back to it.
    pub async fn undo(&self, session: &SessionId, binding: &str) -> Result<Ending, BrokerError> {
        let held = self.open_session(session).await?;
        let Stage::Confirming { binding: bound, arrived } = held.body.stage.clone() else {
            return Err(BrokerError::SessionUsed);
        };
        if !bound.matches(binding) {
            return Err(BrokerError::StateMismatch);
        }
        let provider = self.provider(&held.body.provider)?;
        // Where the account is connected, revoking could end the older tokens with the new ones.
        let connected = self.is_connected(provider, &arrived).await?;
        let ending = self.refuse(session, held, Some(bound)).await?;
        if !connected {
            self.queue_revocation(&provider.id, &arrived.mark, &arrived.tokens).await?;
        }
        Ok(ending)
    }

    /// What the last page says. A code is shown to the browser that consented, and to no other.
    pub async fn done_page(&self, session: &SessionId, binding: Option<&str>) -> Result<DonePage, BrokerError> {
        let record = self.held_session(session).await?.body;
        let agent_name = match self.agent(&record.client_id).await? {
            Some(agent) => agent.body.display_name(),
            None => String::new(),
        };
        match &record.stage {
            Stage::Completed { binding: bound, consented, .. } => {
                let binding = binding.filter(|binding| bound.matches(binding)).ok_or(BrokerError::StateMismatch)?;
                if let Some(renews) = &record.renews {
                    let provider_name = self.provider(&record.provider)?.display_name.clone();
                    let same = renews.user == consented.user && renews.account == consented.account;
                    return Ok(if same {
                        DonePage::Renewed { agent_name, provider_name }
                    } else {
                        DonePage::OtherAccount { agent_name, provider_name }
                    });
                }
                let by_hand = record.redirect_uri.is_none() && record.front.is_none();
                let code = by_hand.then(|| spoken(&code(session, &record, binding)));
                Ok(DonePage::Allowed { agent_name, code })
            }
            Stage::Consumed { exchanged: Some(_) } => Ok(DonePage::Allowed { agent_name, code: None }),
            Stage::Consumed { exchanged: None } => Err(BrokerError::SessionUsed),
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
        let held = self.in_era(held).await?;
        let key = key_of(held.body.dpop.as_ref());
        let secret = Opaque::generate("", self.entropy.as_ref());
        let state = format!("{session}.{}", secret.expose());
        let challenge = oauth::pkce::challenge(&secret::CodeVerifier::new(held.body.verifier.expose()));
        let request = oauth::AuthorizationRequest {
            scopes: &provider.asks(&asked),
            state: &state,
            challenge: Some(&challenge),
            nonce: None,
            resource: held.body.resource.as_deref(),
            dpop_jkt: key.as_ref().map(DpopKey::thumbprint),
        };
        let url = provider.client()?.authorization_url(&self.outside(provider), &request).await.map_err(|error| {
            tracing::warn!(provider_id = %provider.id, error = %error, reason = error.reason(), "nobody can be sent to the provider");
            BrokerError::Provider { reason: error.reason(), retry_after: None, source: Some(error) }
        })?;
        self.advance(session, held, Stage::Claimed { binding, state: KeptHash::of(secret.hash()), asked }).await?;
        Ok(url)
    }

    /// Ends a session by refusal.
    pub(crate) async fn refuse(
        &self,
        session: &SessionId,
        held: Held<Session>,
        binding: Option<KeptHash>,
    ) -> Result<Ending, BrokerError> {
        let reason = "refused by the person";
        let event = about(self.event("access_denied"), &held.body).by("person").denied(&held.body.scopes, reason);
        let record = self.decide(event, self.advance(session, held, Stage::Denied { binding })).await?;
        let Some(uri) = &record.redirect_uri else {
            return Ok(Ending::Page(self.urls.done(session, Outcome::Refused)));
        };
        if record.front.is_some() {
            let answer = [("error", "access_denied"), ("error_description", "The person, or their provider, refused.")];
            return Ok(Ending::Redirect(self.answer_to(uri, Some(&record.state), &answer)));
        }
        let parameters = [
            ("error", "access_denied"),
            ("state", &record.state),
            ("ath_session_id", session.as_str()),
            ("iss", self.urls.public()),
        ];
        Ok(Ending::Redirect(Urls::with_parameters(uri, &parameters)))
    }

    /// The agent that asks, as it is now: one that was suspended meanwhile asks for nothing.
    pub(crate) async fn asking_agent(&self, session: &Session) -> Result<Agent, BrokerError> {
        let agent = self.agent(&session.client_id).await?.ok_or(BrokerError::AgentNotRegistered)?.body;
        self.check_approval(&agent)?;
        self.check_switch(&session.provider).await?;
        Ok(agent)
    }

    /// The person's word, on record before it is carried out.
    async fn claim(
        &self,
        session: &SessionId,
        held: Held<Session>,
        binding: KeptHash,
        work: Work,
    ) -> Result<Held<Session>, BrokerError> {
        let version = held.version.next();
        let body = self.advance(session, held, Stage::Completing { binding, work }).await?;
        Ok(Held { body, version })
    }

    /// Whether whoever goes on is still who came back from the provider.
    async fn still_theirs(
        &self,
        session: &Session,
        arrived: Arrived,
        browser: Option<&str>,
    ) -> Result<Arrived, BrokerError> {
        let provider = self.provider(&session.provider)?;
        let live = self.live_browser(browser).await?;
        let user = self.owner(provider, arrived.subject.as_deref(), live.as_ref()).await?;
        if arrived.user.is_some() && user != arrived.user {
            return Err(BrokerError::AccountElsewhere);
        }
        Ok(Arrived { user, ..arrived })
    }

    pub(crate) async fn is_connected(&self, provider: &Provider, arrived: &Arrived) -> Result<bool, BrokerError> {
        let Some(user) = &arrived.user else { return Ok(false) };
        let key = Connection::key(user, &provider.id, &arrived.account);
        let Some(held) = self.vault.get::<Connection>(&key).await? else { return Ok(false) };
        Ok(held.body.era >= self.era(&provider.id).await?)
    }

    async fn joins(&self, provider: &Provider, arrived: &Arrived, browser: Option<&str>) -> Result<Joins, BrokerError> {
        if self.live_browser(browser).await?.is_none() || self.is_connected(provider, arrived).await? {
            return Ok(Joins::Nothing);
        }
        Ok(Joins::Others)
    }
}

/// The session as the person wants it.
fn chosen(held: Held<Session>, choice: &Choice) -> Held<Session> {
    let Some(front) = held.body.front.clone() else { return held };
    let front = FrontSession { lasts: choice.lasts.or(front.lasts), ..front };
    Held { body: Session { front: Some(front), ..held.body }, version: held.version }
}

/// Only a session that nobody has answered can be answered.
fn unanswered(stage: &Stage) -> Result<(), BrokerError> {
    match stage {
        Stage::Pending => Ok(()),
        Stage::Consumed { .. } | Stage::Completed { .. } => Err(BrokerError::SessionUsed),
        Stage::Denied { .. } => Err(BrokerError::UserDenied),
        _ => Err(BrokerError::SessionClaimed),
    }
}

/// What every event of a consent says.
pub(crate) fn about(event: Event, session: &Session) -> Event {
    event.agent(&session.agent_id).client(&session.client_id).provider(&session.provider).requested(&session.scopes)
}

pub(crate) fn account_at(key: &Key, provider: &Provider) -> Option<AccountId> {
    let [_, at, account] = key.parts() else { return None };
    (at == provider.id.as_str()).then(|| AccountId::parse(account).ok()).flatten()
}
