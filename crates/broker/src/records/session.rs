use protocol::{AccountId, AgentId, ClientId, ProviderId, ScopeSet, SessionId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use store::{Key, Kind};

use super::{Kept, KeptHash, Later, Tokens};
use crate::front::FrontSession;
use crate::vault::Fingerprint;

/// A consent under way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) client_id: ClientId,
    pub(crate) agent_id: AgentId,
    pub(crate) provider: ProviderId,
    /// What the agent asked for, all of it approved.
    pub(crate) scopes: ScopeSet,
    /// The agent's own state, echoed to its redirect URI.
    pub(crate) state: String,
    /// `None`: the flow ends on the gateway's page.
    pub(crate) redirect_uri: Option<String>,
    pub(crate) resource: Option<String>,
    /// PKCE towards the provider.
    pub(crate) verifier: Kept,
    pub(crate) expires: Timestamp,
    pub(crate) stage: Stage,
    /// The connection that this is to make work again, where a person began it by themselves.
    #[serde(default)]
    pub(crate) renews: Option<Renews>,
    /// The provider's era when the person was first sent there.
    #[serde(default)]
    pub(crate) era: Option<u64>,
    /// The key that what comes of it is bound to (RFC 9449), where the provider has that.
    #[serde(default)]
    pub(crate) dpop: Option<Kept>,
    /// What is more to know of it where an OAuth client began it.
    #[serde(default)]
    pub(crate) front: Option<FrontSession>,
    /// What a newer version has added.
    #[serde(flatten)]
    pub(crate) later: Later,
}

/// A connection that is to work again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Renews {
    pub(crate) user: UserId,
    pub(crate) account: AccountId,
    /// What the provider granted before, other agents' share included: it is asked for all of it.
    pub(crate) scopes: ScopeSet,
}

impl Session {
    pub(crate) fn key(session: &SessionId) -> Key {
        Key::new(Kind::Session, session.as_str(), &[])
    }
}

/// How far a consent has come. Every step is a swap, so each is taken once.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub(crate) enum Stage {
    /// Nobody has answered yet.
    Pending,
    /// One browser has allowed it and is on its way to the provider.
    Claimed {
        binding: KeptHash,
        /// The gateway's state towards the provider.
        state: KeptHash,
        /// What the provider is asked for; more than the agent's scopes where an older connection had more.
        asked: ScopeSet,
    },
    /// One browser has allowed it, and is asked for the person's key.
    Pasting {
        binding: KeptHash,
        asked: ScopeSet,
        /// How many keys were wrong.
        wrong: u8,
    },
    /// One browser has allowed it, and shows the code that the person types in at the provider.
    AtDevice { binding: KeptHash, asked: ScopeSet, device: Device },
    /// The provider has given out what it was asked for, behind the browser's back: it waits for that.
    Brought { binding: KeptHash, asked: ScopeSet, brought: Brought },
    /// The provider's code is being exchanged, or it is asked without one.
    Exchanging { binding: KeptHash, asked: ScopeSet },
    /// The account is known and waits for its owner's word.
    Confirming { binding: KeptHash, arrived: Arrived },
    /// The person's word is given, and is being carried out; whoever comes again goes on with it.
    Completing { binding: KeptHash, work: Work },
    /// The code may be presented.
    Completed { binding: KeptHash, consented: Consented, code: KeptHash, wrong_codes: u8 },
    /// The person, or the provider in their name, refused.
    Denied { binding: Option<KeptHash> },
    /// The provider failed.
    Failed { binding: KeptHash, reason: String },
    /// The code was exchanged; a second time is a theft, which ends what the first one got.
    Consumed {
        /// `None` where wrong codes used it up.
        #[serde(default)]
        exchanged: Option<Exchanged>,
    },
}

/// What a code was exchanged for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Exchanged {
    pub(crate) code: KeptHash,
    /// The key of the token's record.
    pub(crate) token: String,
}

/// What a person's word sets going.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub(crate) enum Work {
    /// A grant on an account that is connected already.
    Grant { user: UserId, account: AccountId, label: Option<String> },
    /// The same, with the connection first.
    Connect { arrived: Box<Arrived> },
}

/// A code that a person types in at the provider (RFC 8628).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Device {
    /// What the provider is asked with.
    pub(crate) code: Kept,
    pub(crate) user_code: String,
    pub(crate) verification_uri: String,
    /// The same with the code in it.
    pub(crate) complete: Option<String>,
    pub(crate) expires: Timestamp,
    /// In seconds: how often the provider is asked at most.
    pub(crate) interval: u64,
    /// Nobody asks before: not the provider's pause alone, but also the time that whoever asks now may take.
    pub(crate) next: Timestamp,
}

/// What a provider gave out, and whose it is by its word.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Brought {
    pub(crate) tokens: Tokens,
    /// The scopes, as the provider calls them; `None` where it does not say.
    #[serde(default)]
    pub(crate) words: Option<Vec<String>>,
    pub(crate) whose: Whose,
    /// The provider's era before it was asked.
    pub(crate) era: u64,
}

/// Whose something is that a provider gave out, by its word.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub(crate) enum Whose {
    /// It names nobody; perhaps the person has given it a name of their own.
    Nobody { label: Option<String> },
    /// Somebody, by the provider's lasting name for them.
    Person { subject: String, label: Option<String> },
    /// No person's: whoever asked gets it, under the same name each time. It says nothing of who they are.
    Service { name: String, label: String },
}

impl Whose {
    /// The provider's name for a person.
    pub(crate) fn subject(&self) -> Option<&str> {
        match self {
            Self::Person { subject, .. } => Some(subject),
            Self::Nobody { .. } | Self::Service { .. } => None,
        }
    }

    /// What people read.
    pub(crate) fn into_label(self) -> Option<String> {
        match self {
            Self::Nobody { label } | Self::Person { label, .. } => label,
            Self::Service { label, .. } => Some(label),
        }
    }
}

/// What a provider's answer brought. Nothing of it is anybody's before the person has said so.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Arrived {
    pub(crate) tokens: Tokens,
    /// What the provider granted.
    pub(crate) granted: ScopeSet,
    /// The provider's name for the account; `None` where it names nobody.
    pub(crate) subject: Option<String>,
    pub(crate) label: Option<String>,
    pub(crate) account: AccountId,
    /// Whose it will be; `None` for somebody new.
    pub(crate) user: Option<UserId>,
    /// The provider's era when the tokens were asked for.
    #[serde(default)]
    pub(crate) era: u64,
    /// The provider that issued the tokens, by its fingerprint; empty in records of earlier versions.
    #[serde(default)]
    pub(crate) mark: Fingerprint,
}

/// What a person consented to, with which account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Consented {
    pub(crate) user: UserId,
    pub(crate) account: AccountId,
    pub(crate) label: Option<String>,
    /// What the person was shown, as far as the provider granted it.
    pub(crate) scopes: ScopeSet,
}
