//! Devices and programs without a browser (RFC 8628): they show a code, a person types it in here, and they ask until it is done.

use std::time::Duration;

use protocol::SessionId;
use secret::{Opaque, SecretHash};
use store::{Life, Written};

use super::records::{FrontSession, UserCode, WaitingDevice};
use super::{DeviceAuthorization, FrontError, GrantProblem, GrantType, IssuedTokens, ProvenClient};
use crate::records::{KeptHash, Session, Stage};
use crate::{Broker, BrokerError};

impl Broker {
    /// Begins a device's authorization: a consent that its person finds by a code of eight letters.
    pub async fn begin_device_grant(
        &self,
        client: &ProvenClient,
        scope: Option<&str>,
        resources: &[String],
    ) -> Result<DeviceAuthorization, FrontError> {
        self.admit_handshake()?;
        client.insist_on(GrantType::DeviceCode)?;
        let wish = self.wish(scope, resources)?;
        self.check_switch(&wish.provider).await?;
        let (agent, asked) = self.enter_client(&client.name, &wish).await?;
        if asked.is_empty() {
            return Err(BrokerError::AgentUnapproved(crate::Unapproved::Pending).into());
        }
        let (id, _, session) = self.new_session(&agent, wish.provider, asked, String::new(), None, None);
        let secret = Opaque::generate(PREFIX, self.entropy.as_ref());
        let lives = session.expires.since(self.now());
        let user_code = self.free_user_code(&id, lives).await?;
        let front = FrontSession {
            client: client.name.clone(),
            words: wish.words,
            wished: wish.scopes,
            resource: wish.resource,
            challenge: None,
            nonce: None,
            device: Some(WaitingDevice { user_code: user_code.clone() }),
            only: None,
            lasts: None,
        };
        let session = Session { front: Some(front), ..session };
        let entry = UserCode { session: id.clone() };
        self.vault.insert(&UserCode::device_key(secret.expose()), &entry, Life::For(lives + TOLD_APART)).await?;
        self.begin_front(&id, &session).await?;
        Ok(DeviceAuthorization {
            device_code: secret,
            verification_uri: self.urls.oauth_device(),
            verification_uri_complete: self.urls.oauth_device_with(&user_code),
            user_code,
            expires_in: lives,
            interval: INTERVAL,
        })
    }

    async fn free_user_code(&self, id: &SessionId, lives: Duration) -> Result<String, BrokerError> {
        for _ in 0..RETRIES {
            let code = self.drawn_user_code();
            let entry = UserCode { session: id.clone() };
            if self.vault.insert(&UserCode::key(&code), &entry, Life::For(lives)).await? == Written::Done {
                return Ok(spoken(&code));
            }
        }
        Err(BrokerError::Contention)
    }

    /// Eight letters that make no words and cannot be taken for one another (RFC 8628 §6.1): 34 bits, good for ten minutes, and few tries
    /// for each address.
    fn drawn_user_code(&self) -> String {
        let mut code = String::new();
        while code.len() < LETTERS_IN_CODE {
            let mut byte = [0u8];
            self.entropy.fill(&mut byte);
            // What is beyond the last whole round of letters is drawn again: each letter is as likely as every other.
            let [byte] = byte;
            let at = usize::from(byte);
            if at < 256 / LETTERS.len() * LETTERS.len() {
                code.extend(LETTERS.get(at % LETTERS.len()).map(|letter| char::from(*letter)));
            }
        }
        code
    }

    /// The consent behind a code that a person typed in. Wrong ones are counted, and too many are answered by none.
    pub async fn device_consent(&self, typed: &str) -> Result<SessionId, BrokerError> {
        self.admit_user_code()?;
        let code: String = typed.chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_uppercase()).collect();
        let found = match code.len() {
            LETTERS_IN_CODE => self.vault.get::<UserCode>(&UserCode::key(&code)).await?,
            _ => None,
        };
        let Some(found) = found else { return Err(self.wrong_user_code()) };
        self.open_session(&found.body.session).await?;
        Ok(found.body.session)
    }

    /// A device asks whether its person has finished (RFC 8628 §3.4).
    pub(crate) async fn poll_device(&self, client: &ProvenClient, code: &str) -> Result<IssuedTokens, FrontError> {
        let unknown = FrontError::Grant(GrantProblem::DeviceCode);
        let Some(entry) = self.vault.get::<UserCode>(&UserCode::device_key(code)).await? else { return Err(unknown) };
        let id = entry.body.session;
        for _ in 0..RETRIES {
            let Some(held) = self.vault.get::<Session>(&Session::key(&id)).await? else { return Err(unknown) };
            if held.body.client_id != client.agent.client_id {
                return Err(unknown);
            }
            let over = held.body.expires <= self.now();
            match held.body.stage.clone() {
                Stage::Completed { consented, .. } if !over => {
                    let presented = KeptHash::of(SecretHash::of(code));
                    match self.issue_first(&client.agent, &id, held, consented, presented).await {
                        Err(FrontError::Broker(BrokerError::SessionClaimed)) => {}
                        outcome => return outcome,
                    }
                }
                Stage::Consumed { .. } => return Err(unknown),
                Stage::Denied { .. } | Stage::Failed { .. } => return Err(FrontError::AccessDenied),
                _ if over => return Err(FrontError::DeviceCodeExpired),
                _ => {
                    let turn = self.limits.device_polls.take(id.as_str(), self.now());
                    return Err(turn.map_or(FrontError::SlowDown, |()| FrontError::AuthorizationPending));
                }
            }
        }
        Err(BrokerError::Contention.into())
    }
}

/// As people read it aloud: `XXXX-XXXX`.
fn spoken(code: &str) -> String {
    let (one, other) = code.split_at(code.len() / 2);
    format!("{one}-{other}")
}

const PREFIX: &str = "ath_dc_";
/// How long an old device code is still told from one that never was.
const TOLD_APART: Duration = Duration::from_secs(60 * 60);
/// No vowels, and nothing that looks like something else.
const LETTERS: &[u8] = b"BCDFGHJKLMNPQRSTVWXZ";
const LETTERS_IN_CODE: usize = 8;
const INTERVAL: Duration = Duration::from_secs(5);
const RETRIES: usize = 8;
