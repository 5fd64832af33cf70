use protocol::{ProviderId, Timestamp, UserId};
use secret::SecretHash;
use serde::{Deserialize, Serialize};
use store::{Key, Kind};

use super::KeptHash;

/// A browser that is signed in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Browser {
    pub(crate) user: UserId,
    pub(crate) expires: Timestamp,
    /// How the person signed in at the gateway itself; `None` where a consent did it.
    #[serde(default)]
    pub(crate) by: Option<SignedInBy>,
    /// The providers whose word signed this browser in. Each says who somebody is at its own place, and at no other.
    #[serde(default)]
    pub(crate) proven: Vec<ProviderId>,
}

/// How somebody signed in at the gateway itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub(crate) enum SignedInBy {
    /// By an OpenID provider, to this client of it.
    Openid { issuer: String, client_id: String, subject: String, label: Option<String> },
    /// By a password, which the hash stands for.
    Account { name: String, credential: KeptHash },
    /// By the word of the proxy in front.
    Header { name: String },
}

impl SignedInBy {
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Openid { .. } => "openid",
            Self::Account { .. } => "accounts",
            Self::Header { .. } => "header",
        }
    }
}

impl Browser {
    /// Whether whoever holds the browser may act on what is connected at `provider` without visiting it once more.
    pub(crate) fn may_use(&self, provider: &ProviderId) -> bool {
        self.by.is_some() || self.proven.contains(provider)
    }

    pub(crate) fn key(cookie: &str) -> Key {
        Key::new(Kind::Browser, &SecretHash::of(cookie).to_hex(), &[])
    }
}
