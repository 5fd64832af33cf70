//! A key that a person made at the service, and pastes into a page of the gateway's.

use oauth::{KeyCheck, OAuthError};
use protocol::SessionId;
use store::{Life, Written};
use zeroize::Zeroizing;

use crate::authorize::TOMBSTONE;
use crate::callback::UnderWay;
use crate::consent::{Destination, Next};
use crate::records::{Brought, KeptHash, Session, Stage, Tokens, Whose};
use crate::set_out::Onward;
use crate::text::named;
use crate::vault::Held;
use crate::{Broker, BrokerError, KeyForm, PersonsKey, Provider, StaticKey, Way};

/// What the page says that asks for a key.
#[derive(Debug)]
pub struct KeyPage {
    /// The service.
    pub provider_name: String,
    /// What the service calls the key.
    pub label: String,
    /// Where people make one.
    pub help: Option<String>,
    /// What it consists of.
    pub form: KeyForm,
    /// The hosts that it is sent to, and no others.
    pub hosts: Vec<String>,
    /// Whether the service says whose it is; where it does not, the person may give it a name.
    pub names: Names,
    /// Where the browser is sent to at the end; `None` for the gateway's own page.
    pub returns_to: Option<Destination>,
}

/// Who names the account of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// The service.
    Service,
    /// The person who pastes it, if they like.
    Person,
}

/// What a person pasted. Does not print.
pub struct Pasted {
    key: Zeroizing<String>,
    user: Zeroizing<String>,
    name: String,
}

/// Where a pasted key leads.
#[derive(Debug)]
pub enum Pasting {
    /// On with the consent.
    GoesOn(Next),
    /// To the page once more.
    Again(KeyProblem),
}

/// Why a key is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyProblem {
    /// It has not the form of one.
    Form,
    /// The service does not take it.
    Refused,
    /// The service cannot be asked right now.
    Unasked,
}

impl std::fmt::Debug for Pasted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pasted([redacted])")
    }
}

impl Pasted {
    /// The key or password, the name that goes with a password, and what the person wants to call the account.
    #[must_use]
    pub fn new(key: String, user: String, name: String) -> Self {
        Self { key: Zeroizing::new(key), user: Zeroizing::new(user), name }
    }

    /// The key as it is kept: visible ASCII, of bounded length. What copying adds around it does not belong to it.
    fn read(&self, form: KeyForm) -> Option<Zeroizing<String>> {
        let (key, user) = (self.key.trim(), self.user.trim());
        let fits =
            |text: &str| !text.is_empty() && text.len() <= LONGEST && text.bytes().all(|byte| byte.is_ascii_graphic());
        // One of the gateway's own, which has nothing to do there.
        if key.starts_with("ath_") {
            return None;
        }
        let read = match form {
            KeyForm::Key => fits(key).then(|| Zeroizing::new(key.to_owned())),
            // RFC 7617 §2: the first colon ends the name.
            KeyForm::UserAndPassword => {
                let fit = fits(key) && fits(user) && !user.contains(':');
                fit.then(|| Zeroizing::new(format!("{user}:{key}")))
            }
        };
        // What is shorter is not looked for in answers.
        read.filter(|key| key.len() >= SHORTEST)
    }
}

impl Broker {
    /// What the page says that asks for a key. Changes nothing.
    pub async fn key_page(&self, session: &SessionId, binding: &str) -> Result<KeyPage, BrokerError> {
        let held = self.pasting(session, binding).await?.held;
        self.asking_agent(&held.body).await?;
        let provider = self.provider(&held.body.provider)?;
        let key = wanted(provider)?;
        let api = provider.api_base.host_str().unwrap_or_default();
        let port = provider.api_base.port().map(|port| format!(":{port}")).unwrap_or_default();
        let mut hosts = vec![format!("{api}{port}")];
        hosts.extend(key.check.as_ref().map(KeyCheck::host).filter(|host| !hosts.contains(host)));
        Ok(KeyPage {
            provider_name: provider.display_name.clone(),
            label: key.label.clone(),
            help: key.help.as_ref().map(ToString::to_string),
            form: key.form,
            hosts,
            names: if key.check.is_some() { Names::Service } else { Names::Person },
            returns_to: held.body.redirect_uri.as_deref().and_then(Destination::of),
        })
    }

    /// Takes a key from the browser that was asked for it, asks the service whose it is where it says so, and goes on.
    pub async fn paste(
        &self,
        session: &SessionId,
        binding: &str,
        browser: Option<&str>,
        pasted: Pasted,
    ) -> Result<Pasting, BrokerError> {
        let consent = self.pasting(session, binding).await?;
        let consent = UnderWay { browser: browser.map(str::to_owned), ..consent };
        self.asking_agent(&consent.held.body).await?;
        let provider = self.provider(&consent.held.body.provider)?;
        let Some(key) = pasted.read(wanted(provider)?.form) else { return Ok(Pasting::Again(KeyProblem::Form)) };
        self.unspoken.note(&key);
        let label = named(&pasted.name, 80);
        let broker = self.clone();
        self.detached(Box::pin(async move { broker.check_key(consent, &key, label).await })).await
    }

    /// The session while it waits for a key, in the browser that claimed it.
    async fn pasting(&self, session: &SessionId, binding: &str) -> Result<UnderWay, BrokerError> {
        let held = self.open_session(session).await?;
        let Stage::Pasting { binding: bound, asked, .. } = held.body.stage.clone() else {
            return Err(BrokerError::SessionUsed);
        };
        if !bound.matches(binding) {
            return Err(BrokerError::StateMismatch);
        }
        Ok(UnderWay { session: session.clone(), held, binding: binding.to_owned(), bound, asked, browser: None })
    }

    async fn check_key(&self, consent: UnderWay, key: &str, label: Option<String>) -> Result<Pasting, BrokerError> {
        let provider = self.provider(&consent.held.body.provider)?;
        let Stage::Pasting { wrong, .. } = consent.held.body.stage else { return Err(BrokerError::SessionUsed) };
        let Some(check) = &wanted(provider)?.check else {
            return self.with_key(consent, key, Whose::Nobody { label }).await;
        };
        // Counted before it is known: of several at once, none is free.
        let wrong = wrong.saturating_add(1);
        let consent = self.count_key(consent, wrong).await?;
        match check.whose(provider.http.as_ref(), &secret::AccessToken::new(key)).await {
            Ok(it) => {
                let whose = Whose::Person { subject: it.subject, label: it.label };
                self.with_key(consent, key, whose).await
            }
            Err(OAuthError::Refused { .. }) if wrong < MOST_WRONG => Ok(Pasting::Again(KeyProblem::Refused)),
            Err(OAuthError::Refused { .. }) => {
                let ending = self.fail(&consent.session, consent.held, consent.bound, "wrong_key").await?;
                Ok(Pasting::GoesOn(Next::Ending(ending)))
            }
            Err(error) => {
                tracing::warn!(provider_id = %provider.id, error = %error, reason = error.reason(), "a key was not checked");
                self.count_key(consent, wrong.saturating_sub(1)).await?;
                Ok(Pasting::Again(KeyProblem::Unasked))
            }
        }
    }

    async fn count_key(&self, consent: UnderWay, wrong: u8) -> Result<UnderWay, BrokerError> {
        let (binding, asked): (KeptHash, _) = (consent.bound.clone(), consent.asked.clone());
        let body = Session { stage: Stage::Pasting { binding, asked, wrong }, ..consent.held.body };
        let key = Session::key(&consent.session);
        match self.vault.swap(&key, consent.held.version, &body, Life::For(TOMBSTONE)).await? {
            Written::Done => {
                let held = Held { body, version: consent.held.version.next() };
                Ok(UnderWay { held, ..consent })
            }
            Written::Refused => Err(BrokerError::SessionClaimed),
        }
    }

    async fn with_key(&self, consent: UnderWay, key: &str, whose: Whose) -> Result<Pasting, BrokerError> {
        let era = consent.held.body.era.unwrap_or_default();
        let brought = Brought { tokens: Tokens::of_key(Some(key)), words: None, whose, era };
        let Onward { next, .. } = Box::pin(self.go_on_with(consent, brought)).await?;
        Ok(Pasting::GoesOn(next))
    }
}

fn wanted(provider: &Provider) -> Result<&PersonsKey, BrokerError> {
    match &provider.way {
        Way::Key(StaticKey::Persons(key)) => Ok(key),
        // The configuration was another when the person allowed it.
        Way::Key(StaticKey::Operators(_)) | Way::OAuth { .. } => Err(BrokerError::SessionUsed),
    }
}

/// In characters: longer than any key that is sent in a header.
const LONGEST: usize = 4096;
const SHORTEST: usize = 8;
const MOST_WRONG: u8 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: KeyForm, user: &str, key: &str) -> Option<String> {
        Pasted::new(key.to_owned(), user.to_owned(), String::new()).read(form).map(|key| key.to_string())
    }

    #[test]
    fn a_key_is_one_visible_text() {
        assert_eq!(read(KeyForm::Key, "", " glpat-1:2\r\n").as_deref(), Some("glpat-1:2"));
        for odd in [
            "",
            " ",
            "a bcdefgh",
            "Bearer abcdefgh",
            "abcdefg\nb",
            "sch\u{f6}nesding",
            "a\u{0}bcdefgh",
            "short-7",
            "ath_abcdefgh",
            &"x".repeat(4097),
        ] {
            assert_eq!(read(KeyForm::Key, "", odd), None, "{odd:?}");
        }
        assert!(read(KeyForm::Key, "", &"x".repeat(4096)).is_some());
    }

    #[test]
    fn a_user_and_a_password_are_joined_by_a_colon() {
        assert_eq!(read(KeyForm::UserAndPassword, "ada@acme.test", "a:b").as_deref(), Some("ada@acme.test:a:b"));
        for (user, key) in [("", "password"), ("ada", ""), ("a:b", "password"), ("a b", "password"), ("ada", "pwd")] {
            assert_eq!(read(KeyForm::UserAndPassword, user, key), None, "{user:?} {key:?}");
        }
    }
}
