//! A code that a person types in at the provider (RFC 8628), while the gateway asks whether they have.
//!
//! The provider is asked by a task of this process, as long as it and the session live. Whoever asks next writes so into the session
//! first, by a swap: of several gateways one asks, and where one dies, another goes on as soon as its time to ask is over.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use oauth::{DeviceAnswer, OAuthError, Plaintext};
use protocol::{ScopeSet, SessionId, Timestamp};
use secret::DeviceCode;
use store::{Life, Written};

use crate::authorize::TOMBSTONE;
use crate::binding::key_of;
use crate::callback::UnderWay;
use crate::consent::{Destination, Next};
use crate::records::{Brought, Device, Kept, KeptHash, Session, Stage, Tokens, Whose};
use crate::text::shown;
use crate::vault::Held;
use crate::{Broker, BrokerError, Provider};

/// What the page with the code says.
#[derive(Debug)]
pub struct DevicePage {
    /// The agent that will be let in.
    pub agent_name: String,
    /// The service.
    pub provider_name: String,
    /// What the person types in.
    pub user_code: String,
    /// Where they do, as it is read.
    pub verification_uri: String,
    /// Where the link leads: the same, with the code in it where the provider offers that.
    pub link: String,
    /// How many minutes the code is still good for, rounded up.
    pub minutes: u64,
    /// After how many seconds looking again makes sense.
    pub look_again: u64,
    /// Where the browser is sent to at the end; `None` for the gateway's own page.
    pub returns_to: Option<Destination>,
}

/// Where somebody is who looks at that page.
#[derive(Debug)]
pub enum AtDevice {
    /// They have still to type it in.
    Waits(Box<DevicePage>),
    /// It goes on there.
    GoesOn(Next),
}

/// The sessions that a task of this process asks for.
#[derive(Default)]
pub(crate) struct Polls(Mutex<HashSet<SessionId>>);

impl Polls {
    fn begin(&self, session: &SessionId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(session.clone())
    }

    fn end(&self, session: &SessionId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(session);
    }
}

/// Takes a session off the list, also where its task ended by a panic.
struct Asking<'a> {
    broker: &'a Broker,
    session: &'a SessionId,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.broker.polls.end(self.session);
    }
}

/// When a task looks at its session again.
enum Look {
    At(Timestamp),
    /// There is nothing more to ask for.
    Never,
}

impl Broker {
    /// Asks the provider for codes, and leads to the page that shows them.
    pub(crate) async fn begin_device(
        &self,
        session: &SessionId,
        held: Held<Session>,
        binding: KeptHash,
        asked: ScopeSet,
    ) -> Result<Next, BrokerError> {
        let held = self.in_era(held).await?;
        let provider = self.provider(&held.body.provider)?;
        let scopes = provider.asks(&asked);
        // Where secrets of the provider's may travel by http, its page may be there as well.
        let plaintext = match provider.token_place.scheme() {
            "http" => Plaintext::Allowed,
            _ => Plaintext::Refused,
        };
        let authorized = provider.client()?.authorize_device(&self.outside(provider), &scopes, plaintext).await;
        let authorized = match authorized {
            Ok(authorized) => authorized,
            Err(error) => {
                let reason = error.reason();
                tracing::warn!(provider_id = %provider.id, error = %error, reason, "no code for a person to type in");
                self.heed_refusal(provider, &error);
                return self.fail(session, held, binding, reason).await.map(Next::Ending);
            }
        };
        self.provider_answered(provider);
        let now = self.now();
        let device = Device {
            code: Kept::new(authorized.device_code.expose()),
            user_code: authorized.user_code,
            verification_uri: authorized.verification_uri.as_str().to_owned(),
            complete: authorized.verification_uri_complete.map(|uri| uri.as_str().to_owned()),
            expires: now.plus(authorized.expires_in),
            interval: authorized.interval.as_secs(),
            next: now.plus(authorized.interval),
        };
        let expires = held.body.expires.max(device.expires);
        let held = Held { body: Session { expires, ..held.body }, version: held.version };
        self.advance(session, held, Stage::AtDevice { binding, asked, device }).await?;
        self.ask_behind(session);
        Ok(Next::Device(session.clone()))
    }

    /// What the page with the code says, or where it goes on. Asks nobody itself, but sees to it that somebody does.
    pub async fn device_page(
        &self,
        session: &SessionId,
        binding: &str,
        browser: Option<&str>,
    ) -> Result<AtDevice, BrokerError> {
        let held = self.open_session(session).await?;
        let next = match held.body.stage.clone() {
            Stage::AtDevice { binding: bound, device, .. } if bound.matches(binding) => {
                self.ask_behind(session);
                return self.waiting(&held.body, &device).await.map(Box::new).map(AtDevice::Waits);
            }
            Stage::Brought { binding: bound, asked, brought } if bound.matches(binding) => {
                let consent = UnderWay {
                    session: session.clone(),
                    held,
                    binding: binding.to_owned(),
                    bound,
                    asked,
                    browser: browser.map(str::to_owned),
                };
                let broker = self.clone();
                let going = Box::pin(async move { Box::pin(broker.go_on_with(consent, brought)).await });
                self.detached(going).await?.next
            }
            Stage::Confirming { binding: bound, .. } if bound.matches(binding) => Next::Confirm(session.clone()),
            Stage::Failed { binding: bound, reason } if bound.matches(binding) => {
                Next::Ending(self.came_to_nothing(session, &held.body, &reason))
            }
            Stage::AtDevice { .. } | Stage::Brought { .. } | Stage::Confirming { .. } | Stage::Failed { .. } => {
                return Err(BrokerError::StateMismatch);
            }
            _ => return Err(BrokerError::SessionUsed),
        };
        Ok(AtDevice::GoesOn(next))
    }

    async fn waiting(&self, session: &Session, device: &Device) -> Result<DevicePage, BrokerError> {
        let agent = self.asking_agent(session).await?;
        let provider = self.provider(&session.provider)?;
        let left = device.expires.since(self.now()).as_secs();
        Ok(DevicePage {
            agent_name: agent.display_name(),
            provider_name: provider.display_name.clone(),
            user_code: shown(&device.user_code, 64),
            link: device.complete.clone().unwrap_or_else(|| device.verification_uri.clone()),
            verification_uri: device.verification_uri.clone(),
            minutes: left.div_ceil(60).max(1),
            look_again: device.interval.clamp(2, 10),
            returns_to: session.redirect_uri.as_deref().and_then(Destination::of),
        })
    }

    /// Goes on asking for a session, unless a task of this process does.
    fn ask_behind(&self, session: &SessionId) {
        if !self.polls.begin(session) {
            return;
        }
        let (broker, session) = (self.clone(), session.clone());
        self.background(async move {
            let _asking = Asking { broker: &broker, session: &session };
            while let Some(pause) = broker.until_next_look(&session).await {
                tokio::time::sleep(pause).await;
            }
        });
    }

    /// One look at the session, and how long to wait for the next one; `None` where the session has moved on, or has ended.
    async fn until_next_look(&self, session: &SessionId) -> Option<Duration> {
        match self.look_at_device(session).await {
            Ok(Look::At(next)) => Some(next.since(self.now()).clamp(SHORTEST, LONGEST)),
            Ok(Look::Never)
            | Err(
                BrokerError::SessionNotFound
                | BrokerError::SessionExpired
                | BrokerError::AgentNotRegistered
                | BrokerError::AgentUnapproved(_),
            ) => None,
            // Another gateway was faster, or the store is away.
            Err(error) => {
                tracing::debug!(error = %error, "a session at the provider's page is looked at again");
                Some(LOOK_AGAIN)
            }
        }
    }

    async fn look_at_device(&self, session: &SessionId) -> Result<Look, BrokerError> {
        let held = self.open_session(session).await?;
        let Stage::AtDevice { binding, asked, device } = held.body.stage.clone() else { return Ok(Look::Never) };
        let now = self.now();
        if now >= device.expires {
            self.fail(session, held, binding, "expired_token").await?;
            return Ok(Look::Never);
        }
        // A clock that was ahead when it was written keeps nobody waiting.
        let provider = self.provider(&held.body.provider)?;
        let turn = turn(provider, &device);
        if now < device.next && device.next.since(now) <= turn {
            return Ok(Look::At(device.next));
        }
        self.asking_agent(&held.body).await?;
        if held.body.era.unwrap_or_default() < self.era(&provider.id).await? {
            self.fail(session, held, binding, "connections_revoked").await?;
            return Ok(Look::Never);
        }
        let claimed = Device { next: now.plus(turn), ..device.clone() };
        let stage = Stage::AtDevice { binding: binding.clone(), asked: asked.clone(), device: claimed };
        let body = Session { stage, ..held.body };
        if self.write_session(session, held.version, &body).await? == Written::Refused {
            return Err(BrokerError::Contention);
        }
        let held = Held { body, version: held.version.next() };
        let broker = self.clone();
        let turn = Turn { session: session.clone(), held, binding, asked, device };
        // What the provider gives out is not lost where this task is cut.
        self.detached(Box::pin(async move { broker.ask_for_device(turn).await })).await
    }

    async fn ask_for_device(&self, turn: Turn) -> Result<Look, BrokerError> {
        let Turn { session, held, binding, asked, device } = turn;
        let provider = self.provider(&held.body.provider)?;
        let code = DeviceCode::new(device.code.expose());
        let (client, key) = (provider.client()?, key_of(held.body.dpop.as_ref()));
        let prover = self.prover(provider, client, key.as_ref());
        let answer = client.device_token(&self.outside_by(&prover), &code).await;
        let (interval, at_least) = match answer {
            Ok(DeviceAnswer::Issued(tokens)) => {
                self.provider_answered(provider);
                return self.brought(&session, held, binding, asked, *tokens).await;
            }
            Ok(DeviceAnswer::Pending) => (device.interval, Duration::ZERO),
            Ok(DeviceAnswer::SlowDown) => (device.interval.saturating_add(MORE_SLOWLY), Duration::ZERO),
            // RFC 8628 §3.5: less and less where it does not answer.
            Err(error) if error.is_temporary() => {
                tracing::warn!(provider_id = %provider.id, error = %error, reason = error.reason(), "the provider was not asked");
                let after =
                    if let OAuthError::Retry { after: Some(after), .. } = error { after } else { Duration::ZERO };
                (device.interval.saturating_mul(2).clamp(1, LONGEST.as_secs()), after)
            }
            Err(error) => {
                let reason = error.reason();
                tracing::warn!(provider_id = %provider.id, error = %error, reason, "the person's code brought nothing");
                self.heed_refusal(provider, &error);
                self.fail(&session, held, binding, reason).await?;
                return Ok(Look::Never);
            }
        };
        let next = self.now().plus(Duration::from_secs(interval).max(at_least));
        let stage = Stage::AtDevice { binding, asked, device: Device { interval, next, ..device } };
        let body = Session { stage, ..held.body };
        self.write_session(&session, held.version, &body).await?;
        Ok(Look::At(next))
    }

    /// The person has allowed it: what came waits in the session for their browser, which says who they are at the gateway.
    async fn brought(
        &self,
        session: &SessionId,
        held: Held<Session>,
        binding: KeptHash,
        asked: ScopeSet,
        tokens: oauth::TokenSet,
    ) -> Result<Look, BrokerError> {
        let provider = self.provider(&held.body.provider)?;
        self.hush(&tokens);
        let kept = Tokens::new(&tokens).bound_to(held.body.dpop.as_ref());
        let (client, key) = (provider.client()?, key_of(held.body.dpop.as_ref()));
        let prover = self.prover(provider, client, key.as_ref());
        let identity = match client.identify(&self.outside_by(&prover), &tokens).await {
            Ok(identity) => identity,
            Err(error) => {
                let reason = error.reason();
                tracing::warn!(provider_id = %provider.id, error = %error, reason, "the account was not named");
                self.give_back_brought(provider, &held.body, kept, None, None).await;
                self.fail(session, held, binding, reason).await?;
                return Ok(Look::Never);
            }
        };
        let tokens = match provider.based(tokens, identity.as_ref()) {
            Ok(tokens) => tokens,
            Err(refused) => {
                tracing::error!(provider_id = %provider.id, reason = %refused, "the place of the API is refused: see api_base_from.hosts");
                self.give_back_brought(provider, &held.body, kept, None, None).await;
                self.fail(session, held, binding, "api_base_refused").await?;
                return Ok(Look::Never);
            }
        };
        let whose =
            identity.map_or(Whose::Nobody { label: None }, |it| Whose::Person { subject: it.subject, label: it.label });
        let era = held.body.era.unwrap_or_default();
        let brought = Brought { tokens: Tokens::new(&tokens), words: tokens.scope, whose, era };
        // Who typed the code in at the last moment still has time to look at the account.
        let expires = held.body.expires.max(self.now().plus(TO_CONFIRM));
        let held = Held { body: Session { expires, ..held.body }, version: held.version };
        self.advance(session, held, Stage::Brought { binding, asked, brought }).await?;
        Ok(Look::Never)
    }

    async fn write_session(
        &self,
        session: &SessionId,
        read: store::Version,
        body: &Session,
    ) -> Result<Written, BrokerError> {
        self.vault.swap(&Session::key(session), read, body, Life::For(TOMBSTONE)).await
    }
}

/// Somebody's turn to ask the provider.
struct Turn {
    session: SessionId,
    held: Held<Session>,
    binding: KeptHash,
    asked: ScopeSet,
    device: Device,
}

/// How long whoever asks has the session for itself.
fn turn(provider: &Provider, device: &Device) -> Duration {
    provider.timeout + Duration::from_secs(device.interval)
}

/// In seconds (RFC 8628 §3.5).
const MORE_SLOWLY: u64 = 5;
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_secs(2);
const TO_CONFIRM: Duration = Duration::from_secs(5 * 60);
