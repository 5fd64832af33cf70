use protocol::{AccountId, ProviderId, UserId};
use secret::Opaque;
use store::{Key, Life, Written};

use crate::records::{Browser, Identity, SignIn, User};
use crate::{Broker, BrokerError};

/// Who a provider's answer turned out to be.
pub(crate) struct Person {
    pub(crate) user: UserId,
    pub(crate) account: AccountId,
    pub(crate) label: Option<String>,
    /// The link from the provider's name for them, where this sign-in made it.
    pub(crate) made_identity: Option<Key>,
    /// Whether this browser was signed in as this person before.
    pub(crate) standing: Standing,
}

/// What the gateway knew of this browser before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It was signed in as this very person.
    SignedIn,
    /// It was not.
    New,
}

impl Broker {
    /// The person whose live session this browser holds.
    pub async fn browser_user(&self, cookie: Option<&str>) -> Result<Option<UserId>, BrokerError> {
        Ok(self.live_browser(cookie).await?.map(|browser| browser.user))
    }

    /// The browser's record, where it has not ended, and was made the way in which people sign in now.
    pub(crate) async fn live_browser(&self, cookie: Option<&str>) -> Result<Option<Browser>, BrokerError> {
        let Some(cookie) = cookie else { return Ok(None) };
        let Some(held) = self.vault.get::<Browser>(&Browser::key(cookie)).await? else { return Ok(None) };
        let live = held.body.expires > self.now() && self.sign_in.honours(held.body.by.as_ref());
        Ok(live.then_some(held.body))
    }

    /// A fresh secret for a browser's forms. Nothing is stored of it.
    #[must_use]
    pub fn form_secret(&self) -> Opaque {
        Opaque::generate("", self.entropy.as_ref())
    }

    /// Signs a browser in. Always under a new secret: one that was planted before sign-in is worth nothing.
    pub(crate) async fn sign_in(&self, user: &UserId) -> Result<Opaque, BrokerError> {
        let cookie = Opaque::generate("", self.entropy.as_ref());
        let lifetime = self.lifetimes.browser;
        let body = Browser { user: user.clone(), expires: self.now().plus(lifetime), by: None };
        self.vault.insert(&Browser::key(cookie.expose()), &body, Life::For(lifetime)).await?;
        Ok(cookie)
    }

    /// Where people sign in at the gateway itself: whoever is signed in. Else who signed in at the provider: whoever is linked to its name for them; else the person whose live session this browser holds;
    /// else somebody new. Never found by e-mail address, which says who may read a mailbox and nothing more.
    pub(crate) async fn person(
        &self,
        provider: &ProviderId,
        identity: Option<oauth::Identity>,
        browser: Option<&str>,
    ) -> Result<Person, BrokerError> {
        let live = self.browser_user(browser).await?;
        if self.sign_in.is_at_gateway() {
            return Self::own_person(provider, identity, live);
        }
        let Some(identity) = identity else { return self.pseudonymous(provider, live).await };
        let account = AccountId::of_subject(provider, &identity.subject);
        let key = Identity::key(provider, &identity.subject);
        let label = identity.label;
        if let Some(known) = self.vault.get::<Identity>(&key).await? {
            let user = known.body.user;
            let standing = standing(live.as_ref(), &user);
            return Ok(Person { user, account, label, made_identity: None, standing });
        }
        let user = match live {
            Some(user) => user,
            None => self.new_user(SignIn::Provider(provider.clone())).await?,
        };
        let linked = Identity { user: user.clone() };
        if self.vault.insert(&key, &linked, Life::Forever).await? == Written::Done {
            return Ok(Person { user, account, label, made_identity: Some(key), standing: Standing::New });
        }
        // Another sign-in of the same person was faster: theirs counts.
        let winner = self.vault.get::<Identity>(&key).await?.ok_or(BrokerError::Contention)?;
        Ok(Person { user: winner.body.user, account, label, made_identity: None, standing: Standing::New })
    }

    /// A provider that names nobody: the person is whoever holds this browser's cookie.
    async fn pseudonymous(&self, provider: &ProviderId, live: Option<UserId>) -> Result<Person, BrokerError> {
        let (user, standing) = match live {
            Some(user) => (user, Standing::SignedIn),
            None => (self.new_user(SignIn::Pseudonymous).await?, Standing::New),
        };
        let account = AccountId::of_subject(provider, user.as_str());
        Ok(Person { user, account, label: None, made_identity: None, standing })
    }

    pub(crate) async fn new_user(&self, signs_in: SignIn) -> Result<UserId, BrokerError> {
        let user = UserId::generate(self.entropy.as_ref());
        self.vault.insert(&User::key(&user), &User { created: self.now(), signs_in }, Life::Forever).await?;
        Ok(user)
    }
}

fn standing(live: Option<&UserId>, user: &UserId) -> Standing {
    if live == Some(user) { Standing::SignedIn } else { Standing::New }
}
