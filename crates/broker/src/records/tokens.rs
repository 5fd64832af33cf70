use protocol::{ProviderId, Timestamp};
use secret::{AccessToken, RefreshToken, SecretHash};
use serde::{Deserialize, Serialize};

use super::{Kept, KeptHash, Rotation};

/// What the provider issued.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Tokens {
    access: Kept,
    refresh: Option<Kept>,
    pub(crate) expires: Option<Timestamp>,
    /// When the refresh token is forgotten if nobody uses it, where the provider says so.
    #[serde(default)]
    pub(crate) refresh_expires: Option<Timestamp>,
    /// The origin of the API that they are for, where the provider's answer named it.
    #[serde(default)]
    pub(crate) base: Option<String>,
    /// The key that they are bound to (RFC 9449).
    #[serde(default)]
    dpop: Option<Kept>,
    /// The key of the refresh token, where it is of an older consent.
    #[serde(default)]
    refresh_dpop: Option<Kept>,
    #[serde(default)]
    renewal: Renewal,
    /// The access token that these replaced. Perhaps it is still good, so that the response guard looks for it, too.
    #[serde(default)]
    previous: Option<Kept>,
}

/// How tokens are renewed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Renewal {
    /// By their refresh token, if they have one.
    #[default]
    ByRefreshToken,
    /// The provider is asked once more, as it was the first time: nobody's word is needed.
    ByAskingAgain,
}

impl Tokens {
    /// A key that somebody made at the provider; nothing where the operator has it, who may change it.
    pub(crate) fn of_key(key: Option<&str>) -> Self {
        let access = Kept::new(key.unwrap_or_default());
        let renewal = Renewal::default();
        Self {
            access,
            refresh: None,
            expires: None,
            refresh_expires: None,
            base: None,
            dpop: None,
            refresh_dpop: None,
            renewal,
            previous: None,
        }
    }

    /// These, which the gateway's own client gets whenever it asks.
    pub(crate) fn asked_for_again(self) -> Self {
        Self { renewal: Renewal::ByAskingAgain, ..self }
    }

    /// Whether the provider is asked once more, as it was the first time.
    pub(crate) fn are_asked_for_again(&self) -> bool {
        self.renewal == Renewal::ByAskingAgain
    }

    /// Whether there is anything to renew them with.
    pub(crate) fn can_be_renewed(&self) -> bool {
        self.refresh.is_some() || self.are_asked_for_again()
    }

    pub(crate) fn new(set: &oauth::TokenSet) -> Self {
        Self {
            access: Kept::new(set.access.expose()),
            refresh: set.refresh.as_ref().map(|token| Kept::new(token.expose())),
            expires: set.expires_at.map(Timestamp::from_secs),
            refresh_expires: set.refresh_expires_at.map(Timestamp::from_secs),
            base: set.api_base.clone(),
            dpop: None,
            refresh_dpop: None,
            renewal: Renewal::default(),
            previous: None,
        }
    }

    /// These, issued upon proofs by this key.
    pub(crate) fn bound_to(mut self, key: Option<&Kept>) -> Self {
        self.dpop = key.cloned();
        self
    }

    /// The key that the access token is bound to.
    pub(crate) fn key(&self) -> Option<&Kept> {
        self.dpop.as_ref()
    }

    /// The key that the refresh token is bound to, and that what it brings will be.
    pub(crate) fn refresh_key(&self) -> Option<&Kept> {
        self.refresh_dpop.as_ref().or(self.dpop.as_ref())
    }

    pub(crate) fn access(&self) -> AccessToken {
        AccessToken::new(self.access.expose())
    }

    /// A name for them that says nothing of what they are.
    pub(crate) fn name(&self, provider: &ProviderId) -> String {
        let token = self.refresh.as_ref().unwrap_or(&self.access);
        SecretHash::of(&format!("tokens\n{provider}\n{}\n{}", token.expose(), self.access.expose())).to_hex()
    }

    /// These, with the refresh token of `newer`, which replaced theirs.
    pub(crate) fn with_refresh_of(mut self, newer: &Self) -> Self {
        self.refresh.clone_from(&newer.refresh);
        self.refresh_dpop = newer.refresh_key().cloned();
        self
    }

    pub(crate) fn refresh_hash(&self) -> KeptHash {
        KeptHash::of(SecretHash::of(self.refresh.as_ref().map_or("", |token| token.expose())))
    }

    /// Whether the refresh token is the one with this hash; in constant time.
    pub(crate) fn has_refresh(&self, hash: &KeptHash) -> bool {
        self.refresh.as_ref().is_some_and(|token| hash.matches(token.expose()))
    }

    /// Whether the access tokens are one.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.has_access(&SecretHash::of(other.access.expose()))
    }

    /// Whether the access token is the one with this hash; in constant time.
    pub(crate) fn has_access(&self, hash: &SecretHash) -> bool {
        hash.matches(self.access.expose())
    }

    /// What became of the refresh token of `self`, by what a refresh brought.
    pub(crate) fn rotation(&self, renewed: &Self) -> Rotation {
        match (&self.refresh, &renewed.refresh) {
            (Some(before), Some(after)) if SecretHash::of(before.expose()).matches(after.expose()) => Rotation::Kept,
            _ => Rotation::Replaced,
        }
    }

    /// These, with the refresh token of `older` where they have none: many providers hand one out at the first consent alone. One for
    /// another tenant's API is not theirs.
    pub(crate) fn or_refresh_of(mut self, older: &Self) -> Self {
        if self.refresh.is_none() && self.base == older.base {
            self.refresh.clone_from(&older.refresh);
            self.refresh_dpop = older.refresh_key().cloned();
            self.refresh_expires = older.refresh_expires;
        }
        self
    }

    /// These, which a refresh of `older` brought: where the refresh token stayed and nothing is said of its end, that stays too.
    pub(crate) fn or_end_of(mut self, older: &Self) -> Self {
        if older.rotation(&self) == Rotation::Kept {
            self.refresh_expires = self.refresh_expires.or(older.refresh_expires);
        }
        self
    }

    /// These, which replaced `older`.
    pub(crate) fn in_place_of(mut self, older: &Self) -> Self {
        self.previous = Some(older.access.clone()).filter(|_| !self.is_same(older));
        self
    }

    /// The access token of before.
    pub(crate) fn previous(&self) -> Option<&str> {
        self.previous.as_ref().map(Kept::expose)
    }

    pub(crate) fn refresh(&self) -> Option<RefreshToken> {
        self.refresh.as_ref().map(|token| RefreshToken::new(token.expose()))
    }
}
