use protocol::Timestamp;
use serde::{Deserialize, Serialize};

use crate::TokenRotation;

/// Orders what one account's tokens were at different times, whatever a failover of the store makes of versions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Rank {
    /// How often a person has connected the account.
    pub(crate) consent: u64,
    /// How often the tokens were refreshed since.
    pub(crate) refresh: u64,
}

impl Rank {
    /// That of the tokens which a refresh of these brings.
    pub(crate) const fn refreshed(self) -> Self {
        Self { consent: self.consent, refresh: self.refresh.saturating_add(1) }
    }

    /// That of the tokens which another consent brings.
    pub(crate) const fn connected(self) -> Self {
        Self { consent: self.consent.saturating_add(1), refresh: 0 }
    }
}

/// What became of refresh tokens that were presented.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Rotation {
    #[default]
    Unknown,
    /// They were replaced.
    Replaced,
    /// They stayed.
    Kept,
}

impl From<TokenRotation> for Rotation {
    fn from(known: TokenRotation) -> Self {
        match known {
            TokenRotation::Unknown => Self::Unknown,
            TokenRotation::Kept => Self::Kept,
            TokenRotation::SingleUse => Self::Replaced,
        }
    }
}

/// A refresh that was begun.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Attempt {
    #[serde(default)]
    pub(crate) id: String,
    pub(crate) started: Timestamp,
    /// The process that began it.
    #[serde(default)]
    pub(crate) holder: String,
    /// The journal that has the answer, if any has: where the process died, it may come back with it.
    #[serde(default)]
    pub(crate) journal: Option<String>,
    /// Since when the machine ran: a note without fsync is there as long as that.
    #[serde(default)]
    pub(crate) boot: String,
    /// How often the refresh token may have been presented without an answer that anybody knows, this time included.
    #[serde(default = "once")]
    pub(crate) presentation: u32,
}

const fn once() -> u32 {
    1
}
