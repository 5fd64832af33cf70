//! Who the user is, where people sign in at the gateway itself: by an OpenID provider in front, local accounts, or the word of an
//! authenticating proxy.
//!
//! **Invariant:** in these three kinds a person is (issuer, subject), an account's name, or what the proxy calls them, byte for byte;
//! never an e-mail address. What a provider says of an account names the account, and nobody.

mod accounts;
mod attempts;
mod openid;
mod subject;
mod trusted_header;

use std::net::IpAddr;

use protocol::UserId;
use secret::Opaque;
use store::{Life, Written};

use crate::records::{Browser, Identity, SignIn, SignedInBy};
use crate::text::shown;
use crate::{Broker, BrokerError};

pub use accounts::{Account, Accounts};
pub use openid::{Arrived, Departure, GivenEndpoints, OpenidAnswer, OpenidClient, OpenidEndpoints, OpenidSettings};
pub(crate) use subject::{KeptTokens, SubjectTokens};
pub use trusted_header::{ProxyProblem, ProxyProof, SharedSecret, TrustedHeader, Vouched};

/// How the gateway learns who the user is.
#[derive(Debug)]
pub enum SignInMethod {
    /// What the provider says of whoever signs in there.
    Provider,
    /// Single sign-on.
    Openid(Box<OpenidClient>),
    /// Accounts of the gateway's own.
    Accounts(Box<Accounts>),
    /// The word of a proxy in front.
    Header(TrustedHeader),
}

/// What a connection says of whoever is at its other end. The listener puts it beside each request.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// The other end.
    pub address: IpAddr,
    /// Whether it proved by TLS to be the proxy.
    pub certificate: ClientCertificate,
}

/// What TLS found out about the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertificate {
    /// No certificate was presented.
    Absent,
    /// One was presented, of an authority that the configuration trusts with it, and with the name that it asks for.
    Verified,
    /// The authority is right, and the name is another.
    OtherName,
}

/// Somebody who is signed in at the gateway itself.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// Who.
    pub user: UserId,
    /// What they are called; for display alone.
    pub label: String,
}

/// Why nobody is signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Somebody has to be signed in, and nobody is.
    #[error("nobody is signed in")]
    Missing,
    /// The gateway is configured for another way to sign in.
    #[error("this is not how people sign in here")]
    OtherMethod,
    /// Name or password is wrong.
    #[error("name or password is wrong")]
    WrongPassword,
    /// Five wrong passwords in a minute, for the name or from the address.
    #[error("too many wrong passwords")]
    TooManyWrong,
    /// More people sign in than passwords can be compared.
    #[error("too many people sign in at once")]
    Busy,
    /// The proxy did not prove itself, or does not name a user.
    #[error("the proxy's word does not hold")]
    Proxy(#[from] ProxyProblem),
    /// The person, or the OpenID provider, refused.
    #[error("the sign-in was refused")]
    Refused,
    /// The OpenID provider failed, or its word does not hold.
    #[error("the OpenID provider failed")]
    Openid(#[source] oauth::OAuthError),
}

impl From<SignInError> for BrokerError {
    fn from(error: SignInError) -> Self {
        Self::SignIn(error)
    }
}

impl SignInMethod {
    /// Whether people sign in at the gateway itself.
    #[must_use]
    pub fn is_at_gateway(&self) -> bool {
        !matches!(self, Self::Provider)
    }

    /// Whether a browser's record is one that this method makes, as it is configured now.
    pub(crate) fn honours(&self, by: Option<&SignedInBy>) -> bool {
        match (self, by) {
            (Self::Provider, None) | (Self::Header(_), Some(SignedInBy::Header { .. })) => true,
            (Self::Openid(client), Some(SignedInBy::Openid { issuer, client_id, .. })) => {
                client.settings().is(issuer, client_id)
            }
            (Self::Accounts(accounts), Some(SignedInBy::Account { name, credential })) => {
                accounts.has(name, credential)
            }
            _ => false,
        }
    }
}

impl Broker {
    /// How people sign in.
    #[must_use]
    pub fn sign_in_method(&self) -> &SignInMethod {
        &self.sign_in
    }

    /// Who is signed in at the gateway itself: whoever the browser's cookie stands for. Where a proxy names the user, it must name the
    /// same one with this very request.
    pub async fn signed_in(
        &self,
        cookie: Option<&str>,
        vouched: Option<&Vouched>,
    ) -> Result<Option<SignedIn>, BrokerError> {
        let Some(browser) = self.live_browser(cookie).await? else { return Ok(None) };
        let label = match (&browser.by, vouched) {
            (None, _) | (Some(SignedInBy::Header { .. }), None) => return Ok(None),
            (Some(SignedInBy::Header { name }), Some(vouched)) if !vouched.names(name) => return Ok(None),
            (Some(SignedInBy::Header { name } | SignedInBy::Account { name, .. }), _) => name,
            (Some(SignedInBy::Openid { subject, label, .. }), _) => label.as_ref().unwrap_or(subject),
        };
        Ok(Some(SignedIn { user: browser.user, label: shown(label, 120) }))
    }

    /// Signs in whoever the proxy names.
    pub async fn sign_in_by_proxy(&self, vouched: &Vouched, browser: Option<&str>) -> Result<Opaque, BrokerError> {
        self.welcome(SignedInBy::Header { name: vouched.name().to_owned() }, browser).await
    }

    /// Ends a browser's sign-in, whichever way it came about.
    pub async fn sign_out(&self, browser: Option<&str>) -> Result<(), BrokerError> {
        let Some(cookie) = browser else { return Ok(()) };
        let Some(ended) = self.live_browser(Some(cookie)).await? else {
            return self.forget_browser(cookie).await;
        };
        let event = self.event("signed_out").user(&ended.user);
        self.decide(event, self.forget_browser(cookie)).await
    }

    /// Where people sign in at the gateway itself, nobody goes on without.
    pub(crate) async fn insist_on_sign_in(&self, browser: Option<&str>) -> Result<(), BrokerError> {
        if self.sign_in.is_at_gateway() && self.browser_user(browser).await?.is_none() {
            return Err(SignInError::Missing.into());
        }
        Ok(())
    }

    /// Signs somebody in under a new secret; the one that the browser came with is void from here on.
    async fn welcome(&self, by: SignedInBy, browser: Option<&str>) -> Result<Opaque, BrokerError> {
        let user = self.user_behind(&by).await?;
        if let Some(earlier) = browser {
            self.forget_browser(earlier).await?;
        }
        let cookie = Opaque::generate("", self.entropy.as_ref());
        let lifetime = self.lifetimes.browser;
        let event = self.event("signed_in").user(&user).reason(by.kind());
        let body = Browser { user, expires: self.now().plus(lifetime), by: Some(by), proven: Vec::new() };
        self.decide(event, self.vault.insert(&Browser::key(cookie.expose()), &body, Life::For(lifetime))).await?;
        Ok(cookie)
    }

    /// The user behind a name, made at their first sign-in.
    pub(crate) async fn user_behind(&self, by: &SignedInBy) -> Result<UserId, BrokerError> {
        let key = Identity::at_gateway(by);
        let known = self.vault.get::<Identity>(&key).await?;
        if let Some(known) = &known
            && !self.is_gone(&known.body.user).await?
        {
            return Ok(known.body.user.clone());
        }
        let user = self.new_user(SignIn::Gateway(by.kind().to_owned())).await?;
        let link = Identity { user: user.clone() };
        let written = match known {
            // The person behind the name was removed: it is somebody new's.
            Some(gone) => self.vault.swap(&key, gone.version, &link, Life::Forever).await?,
            None => self.vault.insert(&key, &link, Life::Forever).await?,
        };
        if written == Written::Done {
            return Ok(user);
        }
        // Another browser of the same person was faster.
        Ok(self.vault.get::<Identity>(&key).await?.ok_or(BrokerError::Contention)?.body.user)
    }
}
