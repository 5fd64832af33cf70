//! What an OpenID provider gave out when somebody signed in, kept for services that exchange it (RFC 8693) until it ends.

use protocol::Timestamp;
use secret::SecretHash;
use serde::{Deserialize, Serialize};
use store::{Key, Kind, Life};

use crate::records::{Browser, Kept, SignedInBy};
use crate::{Broker, BrokerError, Grant, SubjectToken, Way};

/// The tokens of a sign-in, beside the browser's record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct KeptTokens {
    id_token: Option<Kept>,
    id_token_expires: Option<Timestamp>,
    access_token: Kept,
    access_token_expires: Option<Timestamp>,
}

impl KeptTokens {
    pub(crate) fn key(cookie: &str) -> Key {
        Key::new(Kind::Browser, &SecretHash::of(&format!("subject tokens\n{cookie}")).to_hex(), &[])
    }
}

/// A token that can be exchanged, and the person whom it stands for.
#[derive(Debug)]
pub(crate) struct SubjectTokens {
    pub(crate) token: Kept,
    /// By the OpenID provider's lasting name.
    pub(crate) name: String,
    pub(crate) label: String,
}

impl Broker {
    /// Keeps what somebody's sign-in brought, where a service exchanges it, and no longer than it is good for.
    pub(super) async fn keep_subject_tokens(&self, cookie: &str, tokens: &oauth::TokenSet) -> Result<(), BrokerError> {
        if !self.providers().any(|it| matches!(&it.way, Way::OAuth { grant: Grant::TokenExchange(_), .. })) {
            return Ok(());
        }
        let now = self.now();
        let id_token_expires = tokens.id_token.as_ref().and_then(oauth::expiry_of).map(Timestamp::from_secs);
        let access_token_expires = tokens.expires_at.map(Timestamp::from_secs);
        let kept = KeptTokens {
            id_token: tokens.id_token.as_ref().map(|token| Kept::new(token.expose())),
            id_token_expires,
            access_token: Kept::new(tokens.access.expose()),
            access_token_expires,
        };
        let ends = id_token_expires.max(access_token_expires).unwrap_or(now.plus(self.lifetimes.browser));
        let life = ends.since(now).min(self.lifetimes.browser);
        if life.is_zero() {
            return Ok(());
        }
        self.vault.insert(&KeptTokens::key(cookie), &kept, Life::For(life)).await.map(drop)
    }

    /// The token that is exchanged, of whoever is signed in; `None` where it has ended, or was not kept.
    pub(crate) async fn subject_tokens(
        &self,
        which: SubjectToken,
        browser: Option<&str>,
    ) -> Result<Option<SubjectTokens>, BrokerError> {
        let (Some(cookie), Some(live)) = (browser, self.live_browser(browser).await?) else { return Ok(None) };
        let Some(SignedInBy::Openid { subject, label, .. }) = live.by else { return Ok(None) };
        let Some(held) = self.vault.get::<KeptTokens>(&KeptTokens::key(cookie)).await? else { return Ok(None) };
        let (token, expires) = match which {
            SubjectToken::IdToken => (held.body.id_token, held.body.id_token_expires),
            SubjectToken::AccessToken => (Some(held.body.access_token), held.body.access_token_expires),
        };
        let live = expires.is_none_or(|expires| self.now() < expires);
        let label = label.unwrap_or_else(|| subject.clone());
        Ok(token.filter(|_| live).map(|token| SubjectTokens { token, name: subject, label }))
    }

    /// Forgets a browser that is signed in, with what its sign-in brought.
    pub(crate) async fn forget_browser(&self, cookie: &str) -> Result<(), BrokerError> {
        self.vault.delete(&KeptTokens::key(cookie)).await?;
        self.vault.delete(&Browser::key(cookie)).await
    }
}
