use protocol::{AccountId, ProviderId, UserId};
use secret::Opaque;
use store::{Life, Written};

use crate::complete::Done;
use crate::records::{Arrived, Browser, Identity, SignIn, User};
use crate::sign_in::SignInError;
use crate::{Broker, BrokerError, Provider};

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
        if !live || self.vault.get::<User>(&User::key(&held.body.user)).await?.is_none() {
            return Ok(None);
        }
        Ok(Some(held.body))
    }

    /// A fresh secret for a browser's forms. Nothing is stored of it.
    #[must_use]
    pub fn form_secret(&self) -> Opaque {
        Opaque::generate("", self.entropy.as_ref())
    }

    /// Signs a browser in by the word of `provider`. Always under a new secret: one that was planted before sign-in is worth nothing,
    /// and the one that the browser held is void from here on.
    pub(crate) async fn sign_in(
        &self,
        user: &UserId,
        provider: &ProviderId,
        earlier: Option<&str>,
    ) -> Result<Opaque, BrokerError> {
        let before = self.live_browser(earlier).await?.filter(|browser| browser.user == *user);
        let mut proven = before.map(|browser| browser.proven).unwrap_or_default();
        if !proven.contains(provider) {
            proven.push(provider.clone());
        }
        let cookie = Opaque::generate("", self.entropy.as_ref());
        let lifetime = self.lifetimes.browser;
        let body = Browser { user: user.clone(), expires: self.now().plus(lifetime), by: None, proven };
        self.vault.insert(&Browser::key(cookie.expose()), &body, Life::For(lifetime)).await?;
        if let Some(earlier) = earlier {
            self.vault.delete(&Browser::key(earlier)).await?;
        }
        Ok(cookie)
    }

    /// Whether the browser is signed in when the consent is over: to be asked before anything is connected.
    ///
    /// A provider that proves who somebody is does so. The word of another makes nobody anybody: whoever is not signed in becomes
    /// somebody new, and whoever is sees at that provider what they connect there first, and nothing of what was there before.
    pub(crate) async fn greeting(&self, provider: &ProviderId, browser: Option<&str>) -> Result<Greeting, BrokerError> {
        if self.sign_in.is_at_gateway() {
            return Ok(Greeting::None);
        }
        if self.provider(provider)?.proves_who_it_is() {
            return Ok(Greeting::SignIn);
        }
        let Some(live) = self.live_browser(browser).await? else { return Ok(Greeting::SignIn) };
        let first = self.connections_at(provider, &live.user).await?.is_empty();
        Ok(if first { Greeting::SignIn } else { Greeting::None })
    }

    pub(crate) async fn greet(
        &self,
        greeting: Greeting,
        done: &Done,
        browser: Option<&str>,
    ) -> Result<Option<Opaque>, BrokerError> {
        match greeting {
            Greeting::None => Ok(None),
            Greeting::SignIn => self.sign_in(&done.user, &done.provider, browser).await.map(Some),
        }
    }

    /// Whose an account is that a browser came back with: that of the person whose live session it holds; else of whoever is linked to
    /// the provider's name for it; else of somebody new, `None`. Never found by e-mail address, which says who may read a mailbox and
    /// nothing more. Writes nothing: an account is nobody's before the person has said so.
    ///
    /// Where people sign in at the gateway itself it is always whoever is signed in, and the provider's word leads to nobody.
    pub(crate) async fn owner(
        &self,
        provider: &Provider,
        subject: Option<&str>,
        live: Option<&Browser>,
    ) -> Result<Option<UserId>, BrokerError> {
        let live = live.map(|browser| browser.user.clone());
        if self.sign_in.is_at_gateway() {
            return live.ok_or_else(|| SignInError::Missing.into()).map(Some);
        }
        let Some(subject) = subject else { return Ok(live) };
        let linked = self.linked(provider, subject).await?;
        match (live, linked) {
            // Somebody else's account in this person's browser: a shared machine, or a trick. Neither joins the two.
            (Some(live), Some(linked)) if live != linked => Err(BrokerError::AccountElsewhere),
            (Some(user), _) | (None, Some(user)) => Ok(Some(user)),
            (None, None) => Ok(None),
        }
    }

    /// The person that an account is linked to, from now on at the latest.
    pub(crate) async fn settle_owner(&self, provider: &Provider, arrived: &Arrived) -> Result<UserId, BrokerError> {
        let Some(subject) = &arrived.subject else {
            return match &arrived.user {
                Some(user) => Ok(user.clone()),
                None => self.new_user(SignIn::Pseudonymous).await,
            };
        };
        if self.sign_in.is_at_gateway() {
            return arrived.user.clone().ok_or_else(|| SignInError::Missing.into());
        }
        if let Some(linked) = self.linked(provider, subject).await? {
            return match &arrived.user {
                Some(user) if *user != linked => Err(BrokerError::AccountElsewhere),
                _ => Ok(linked),
            };
        }
        let user = match &arrived.user {
            Some(user) => user.clone(),
            None => self.new_user(SignIn::Provider(provider.id.clone())).await?,
        };
        let key = Identity::key(provider, subject);
        let link = Identity { user: user.clone() };
        for _ in 0..RETRIES {
            let written = match self.vault.get::<Identity>(&key).await? {
                // The person behind it is gone: the name is free again.
                Some(held) if self.is_gone(&held.body.user).await? => {
                    self.vault.swap(&key, held.version, &link, Life::Forever).await?
                }
                // Another sign-in was faster: theirs counts, if it is the same person's.
                Some(held) if arrived.user.is_none() || held.body.user == user => return Ok(held.body.user),
                Some(_) => return Err(BrokerError::AccountElsewhere),
                None => self.vault.insert(&key, &link, Life::Forever).await?,
            };
            if written == Written::Done {
                return Ok(user);
            }
        }
        Err(BrokerError::Contention)
    }

    /// The account's name in records. A provider that names nobody has a new one each time: nothing says that it is the same account.
    pub(crate) fn account_of(&self, provider: &Provider, subject: Option<&str>, resource: Option<&str>) -> AccountId {
        let drawn = subject.is_none().then(|| Opaque::generate("unnamed ", self.entropy.as_ref()));
        let name = subject.or(drawn.as_ref().map(Opaque::expose)).unwrap_or_default();
        match resource {
            None => AccountId::of_subject(&provider.id, name),
            // Tokens for another audience are another connection's (RFC 8707).
            Some(resource) => AccountId::of_subject(&provider.id, &format!("{name}\nfor {resource}")),
        }
    }

    pub(crate) async fn new_user(&self, signs_in: SignIn) -> Result<UserId, BrokerError> {
        let user = UserId::generate(self.entropy.as_ref());
        self.vault.insert(&User::key(&user), &User { created: self.now(), signs_in }, Life::Forever).await?;
        self.vault.list(User::all(), &User::key(&user)).await?;
        Ok(user)
    }

    pub(crate) async fn linked(&self, provider: &Provider, subject: &str) -> Result<Option<UserId>, BrokerError> {
        let Some(held) = self.vault.get::<Identity>(&Identity::key(provider, subject)).await? else { return Ok(None) };
        Ok((!self.is_gone(&held.body.user).await?).then_some(held.body.user))
    }

    pub(crate) async fn is_gone(&self, user: &UserId) -> Result<bool, BrokerError> {
        Ok(self.vault.get::<User>(&User::key(user)).await?.is_none())
    }
}

/// Whether a consent signs the browser in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Greeting {
    SignIn,
    None,
}

const RETRIES: usize = 8;
