//! What the broker keeps. Each body is sealed whole, bound to its kind, key, version and, for connections, its provider.

mod attempt;
mod browser;
mod later;
mod session;
mod tokens;

use std::collections::BTreeMap;

use protocol::{AccountId, AgentId, ClientId, ProviderId, Scope, ScopeSet, Timestamp, UserId};
use secret::SecretHash;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use store::{Index, Key, Kind};
use zeroize::Zeroizing;

use crate::clearance::{Clearance, Run};
use crate::front::{Family, FrontToken, IssuerKeys, OAuthClient, UserCode};
use crate::sign_in::KeptTokens;
use crate::vault::Fingerprint;
pub(crate) use attempt::{Attempt, Rank, Rotation};
pub(crate) use browser::{Browser, SignedInBy};
pub(crate) use later::Later;
pub(crate) use session::{Arrived, Brought, Consented, Device, Exchanged, Renews, Session, Stage, Whose, Work};
pub(crate) use tokens::Tokens;

/// A record's body: says which kind of key it lies under.
pub(crate) trait Body: Serialize + serde::de::DeserializeOwned {
    const KIND: Kind;
}

macro_rules! bodies {
    ($($body:ty => $kind:ident),* $(,)?) => { $(impl Body for $body { const KIND: Kind = Kind::$kind; })* };
}

bodies! {
    User => User, Identity => Identity, Connection => Connection, Agent => Agent, Client => Client,
    KeptTokens => Browser,
    Family => Family, UserCode => UserCode, IssuerKeys => Issuer,
    Grant => Grant, Token => Token, ProviderSwitch => Provider, Revocation => Revocation, Session => Session, Jti => Jti, Browser => Browser,
}

/// A text that is secret at rest and in memory: serialised only into a sealed body, wiped when dropped, never printed.
#[derive(Clone)]
pub(crate) struct Kept(Zeroizing<String>);

impl Kept {
    pub(crate) fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kept([redacted])")
    }
}

impl Serialize for Kept {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Kept {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

/// The stored form of a hash: hexadecimal.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct KeptHash(String);

impl KeptHash {
    pub(crate) fn of(hash: SecretHash) -> Self {
        Self(hash.to_hex())
    }

    /// Whether both are hashes of the same; in constant time.
    pub(crate) fn is(&self, other: &Self) -> bool {
        let pair = SecretHash::from_hex(&self.0).zip(SecretHash::from_hex(&other.0));
        pair.is_some_and(|(one, other)| one.is(&other))
    }

    /// Whether `presented` is what was hashed; in constant time.
    pub(crate) fn matches(&self, presented: &str) -> bool {
        SecretHash::from_hex(&self.0).is_some_and(|hash| hash.matches(presented))
    }
}

/// A person.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) created: Timestamp,
    pub(crate) signs_in: SignIn,
}

impl User {
    pub(crate) fn key(user: &UserId) -> Key {
        Key::new(Kind::User, user.as_str(), &[])
    }

    /// Everybody: a hint.
    pub(crate) fn all() -> Index {
        Index::new("users", "all")
    }

    /// The grants that the person gave: a hint.
    pub(crate) fn grants(user: &UserId) -> Index {
        Index::new(user.as_str(), "grants")
    }

    /// The person's connections: a hint.
    pub(crate) fn connections(user: &UserId) -> Index {
        Index::new(user.as_str(), "connections")
    }
}

/// How a person is known.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SignIn {
    /// By what a provider said of them.
    Provider(ProviderId),
    /// By a cookie alone: their provider names nobody.
    Pseudonymous,
    /// At the gateway itself; the word says in which way.
    Gateway(String),
}

/// Who somebody is at a provider.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) user: UserId,
}

impl Identity {
    /// Whoever signs in at the gateway itself: under a name of its own kind, which no provider's can be.
    pub(crate) fn at_gateway(by: &SignedInBy) -> Key {
        let name = match by {
            SignedInBy::Openid { issuer, subject, .. } => format!("{issuer}\n{subject}"),
            SignedInBy::Account { name, .. } | SignedInBy::Header { name } => name.clone(),
        };
        Key::new(Kind::Identity, &SecretHash::of(&format!("sign-in\n{}\n{name}", by.kind())).to_hex(), &[])
    }

    /// Under the provider's id and the host that says who people are: another service under the same id names other people.
    pub(crate) fn key(provider: &crate::Provider, subject: &str) -> Key {
        let name = format!("identity\n{}\n{}\n{subject}", provider.id, provider.place());
        Key::new(Kind::Identity, &SecretHash::of(&name).to_hex(), &[])
    }
}

/// A person's account at a provider, with its tokens.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Connection {
    /// Drawn when it came into being: grants name it, so that one that was ended and made anew is another.
    pub(crate) id: String,
    /// The resource that its tokens are for (RFC 8707), where an agent named one.
    #[serde(default)]
    pub(crate) resource: Option<String>,
    /// What the provider calls the account, as people read it.
    pub(crate) label: Option<String>,
    pub(crate) state: ConnectionState,
    /// What the provider granted.
    pub(crate) scopes: ScopeSet,
    pub(crate) tokens: Tokens,
    /// Written before a refresh token is presented: tells a crash from a quiet time.
    pub(crate) attempt: Option<Attempt>,
    /// How new the tokens are.
    #[serde(default)]
    pub(crate) rank: Rank,
    /// The attempt whose answer the tokens are; `None` where a consent brought them.
    #[serde(default)]
    pub(crate) issued_to: Option<String>,
    /// What another answer to the same refresh token brought: tried before the provider's `invalid_grant` is believed.
    #[serde(default)]
    pub(crate) alternate: Option<Tokens>,
    /// Whether the provider replaces refresh tokens, as far as it has been seen.
    #[serde(default)]
    pub(crate) rotation: Rotation,
    pub(crate) connected: Timestamp,
    /// The provider's era when its tokens were asked for: what is of an earlier one is dead.
    #[serde(default)]
    pub(crate) era: u64,
    /// When a refresh last brought new tokens.
    #[serde(default)]
    pub(crate) renewed: Option<Timestamp>,
    /// When the provider ends it whatever is done, as far as its answers have told.
    #[serde(default)]
    pub(crate) ends: Option<Timestamp>,
    /// The hour under which it was listed last as one that is to be kept alive.
    #[serde(default)]
    pub(crate) listed: Option<u64>,
    /// What a newer version has added.
    #[serde(flatten)]
    pub(crate) later: Later,
}

impl Connection {
    pub(crate) fn key(user: &UserId, provider: &ProviderId, account: &AccountId) -> Key {
        Key::new(Kind::Connection, user.as_str(), &[provider.as_str(), account.as_str()])
    }

    /// Those for which a refresh token is being presented, or was when somebody died: a hint.
    pub(crate) fn attempts() -> Index {
        Index::new("attempts", "all")
    }
}

impl Connection {
    /// Everything that the provider issued for it and that may be alive.
    pub(crate) fn all_tokens(&self) -> impl Iterator<Item = &Tokens> {
        std::iter::once(&self.tokens).chain(&self.alternate)
    }

    /// Whether nobody has to sign in again.
    pub(crate) fn works(&self) -> bool {
        !matches!(self.state, ConnectionState::ReconnectRequired { .. })
    }
}

/// Whether a connection works.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub(crate) enum ConnectionState {
    Connected,
    /// The provider could not be asked for a new token; the old one is used while it lives.
    Degraded {
        since: Timestamp,
        retry_at: Timestamp,
        reason: String,
        /// How often it was tried in vain since then.
        #[serde(default)]
        tries: u32,
    },
    /// Only its owner can renew it.
    ReconnectRequired {
        since: Timestamp,
        reason: String,
    },
}

/// A registration.
#[expect(clippy::struct_field_names, reason = "agent_id is the protocol's word")]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Agent {
    pub(crate) agent_id: AgentId,
    pub(crate) client_id: ClientId,
    pub(crate) secret: KeptHash,
    pub(crate) name: String,
    pub(crate) developer: String,
    pub(crate) purpose: Option<String>,
    /// Without the gateway's own callback, which means "no redirect".
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) requests: Vec<Requested>,
    pub(crate) standing: Standing,
    /// Counts suspensions: grants and tokens of an earlier era stay dead.
    pub(crate) era: u64,
    pub(crate) key_fingerprint: String,
    pub(crate) registered: Timestamp,
    pub(crate) approval_expires: Timestamp,
    /// What it is as an OAuth client; `None` where it registered by ATH.
    #[serde(default)]
    pub(crate) oauth: Option<OAuthClient>,
    /// What a newer version has added.
    #[serde(flatten)]
    pub(crate) later: Later,
}

impl Agent {
    pub(crate) fn key(agent: &AgentId) -> Key {
        Key::new(Kind::Agent, &SecretHash::of(agent.as_str()).to_hex(), &[])
    }

    /// Where an OAuth client lies: never where an ATH agent does, even if both call themselves alike.
    pub(crate) fn client_key(agent: &AgentId) -> Key {
        Key::new(Kind::Agent, &SecretHash::of(&format!("oauth\n{agent}")).to_hex(), &[])
    }

    /// Where this one lies.
    pub(crate) fn own_key(&self) -> Key {
        if self.oauth.is_some() { Self::client_key(&self.agent_id) } else { Self::key(&self.agent_id) }
    }

    /// All registrations: a hint.
    pub(crate) fn all() -> Index {
        Index::new("agents", "all")
    }

    /// What the agent waits for at `provider`.
    pub(crate) fn pending(&self, provider: &ProviderId) -> ScopeSet {
        let request = self.requests.iter().find(|request| request.provider_id == provider.as_str());
        request.map(|request| request.pending.clone()).unwrap_or_default()
    }

    /// What the agent was approved for at `provider`.
    pub(crate) fn approved(&self, provider: &ProviderId) -> ScopeSet {
        self.requests
            .iter()
            .find(|request| request.provider_id == provider.as_str())
            .map(|request| request.approved.clone())
            .unwrap_or_default()
    }
}

/// What an agent asked for at one provider, and what became of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Requested {
    /// As the agent wrote it; perhaps no provider's.
    pub(crate) provider_id: String,
    pub(crate) approved: ScopeSet,
    /// Waits for an operator.
    pub(crate) pending: ScopeSet,
    /// As the agent wrote them; perhaps no scopes.
    pub(crate) denied: Vec<String>,
    pub(crate) reason: Option<String>,
}

/// Whether a registration may be used, apart from what it was approved for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub(crate) enum Standing {
    Active,
    Suspended {
        since: Timestamp,
        reason: Option<String>,
    },
    /// The identity document has another key: an operator has to say that it is still the same agent.
    KeyChanged {
        since: Timestamp,
        fingerprint: String,
    },
}

/// Finds a registration by its client id; the registration itself says whether that is still so.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Client {
    pub(crate) agent_id: AgentId,
    #[serde(default)]
    pub(crate) door: Door,
}

/// By which door an agent came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Door {
    #[default]
    Ath,
    OAuth,
}

impl Client {
    pub(crate) fn key(client: &ClientId) -> Key {
        Key::new(Kind::Client, client.as_str(), &[])
    }

    /// Where the registration lies.
    pub(crate) fn agent_key(&self) -> Key {
        match self.door {
            Door::Ath => Agent::key(&self.agent_id),
            Door::OAuth => Agent::client_key(&self.agent_id),
        }
    }

    /// The grants that people gave to the agent: a hint.
    pub(crate) fn grants(client: &ClientId) -> Index {
        Index::new(client.as_str(), "grants")
    }
}

/// What one agent may do with one connection.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Grant {
    pub(crate) client_id: ClientId,
    pub(crate) user: UserId,
    pub(crate) provider: ProviderId,
    pub(crate) account: AccountId,
    pub(crate) consented: ScopeSet,
    /// The connection's own id: one that was ended and made anew is another.
    pub(crate) connection: String,
    /// The agent's era when this was given.
    pub(crate) era: u64,
    pub(crate) given: Timestamp,
    /// Counts how often the grant was given anew after a revocation: tokens of an earlier family stay dead.
    pub(crate) family: u64,
    pub(crate) revoked: Option<Timestamp>,
    /// Until when the person allowed each scope; those that are not named, until they end it.
    #[serde(default)]
    pub(crate) ends: BTreeMap<Scope, Timestamp>,
    /// What a newer version has added.
    #[serde(flatten)]
    pub(crate) later: Later,
}

impl Grant {
    /// What was consented to and has not run out.
    pub(crate) fn allowed(&self, now: Timestamp) -> ScopeSet {
        let over = |scope: &&Scope| self.ends.get(*scope).is_some_and(|ends| *ends <= now);
        self.consented.difference(&self.consented.iter().filter(over).cloned().collect())
    }

    /// Whether the time of all of it is over.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        self.allowed(now).is_empty()
    }

    /// When the next part of it runs out.
    pub(crate) fn next_end(&self, now: Timestamp) -> Option<Timestamp> {
        self.ends.values().filter(|ends| **ends > now).min().copied()
    }

    pub(crate) fn key(client: &ClientId, user: &UserId, provider: &ProviderId, account: &AccountId) -> Key {
        Key::new(Kind::Grant, user.as_str(), &[client.as_str(), provider.as_str(), account.as_str()])
    }
}

/// An ATH token. Outlives its expiry as a tombstone, so that revoked, expired and unknown stay apart.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Token {
    pub(crate) client_id: ClientId,
    pub(crate) agent_id: AgentId,
    pub(crate) user: UserId,
    pub(crate) provider: ProviderId,
    pub(crate) account: AccountId,
    pub(crate) family: u64,
    pub(crate) scopes: ScopeSet,
    pub(crate) expires: Timestamp,
    pub(crate) revoked: Option<Timestamp>,
    /// What is more to know of it where an OAuth client got it.
    #[serde(default)]
    pub(crate) front: Option<FrontToken>,
    /// What a newer version has added.
    #[serde(flatten)]
    pub(crate) later: Later,
}

impl Token {
    pub(crate) fn key(hash: SecretHash) -> Key {
        Key::new(Kind::Token, &hash.to_hex(), &[])
    }
}

/// Whether an operator lets anything through to a provider.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct ProviderSwitch {
    pub(crate) suspended: Option<Timestamp>,
    /// Counts how often everything at the provider was ended: connections of an earlier era are dead.
    #[serde(default)]
    pub(crate) era: u64,
    /// What follows the last time that it was.
    #[serde(default)]
    pub(crate) clearance: Option<Clearance>,
    /// What a newer version has added.
    #[serde(flatten)]
    pub(crate) later: Later,
}

impl ProviderSwitch {
    pub(crate) fn key(provider: &ProviderId) -> Key {
        Key::new(Kind::Provider, provider.as_str(), &[])
    }

    /// Those where everything was ended once: a hint.
    pub(crate) fn clearances() -> Index {
        Index::new("clearances", "all")
    }
}

/// Tokens that their provider has still to be told about (RFC 7009).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Revocation {
    pub(crate) provider: ProviderId,
    pub(crate) tokens: Tokens,
    pub(crate) since: Timestamp,
    pub(crate) attempts: u32,
    pub(crate) next: Timestamp,
    /// The operator's command that it belongs to, by the name of its lists.
    #[serde(default)]
    pub(crate) run: Option<Run>,
    /// The provider that issued them, by its fingerprint; empty in records of earlier versions.
    #[serde(default)]
    pub(crate) mark: Fingerprint,
    /// What a newer version has added.
    #[serde(flatten)]
    pub(crate) later: Later,
}

impl Revocation {
    pub(crate) fn key(name: &str) -> Key {
        Key::new(Kind::Revocation, name, &[])
    }

    /// Those that wait: a hint.
    pub(crate) fn all() -> Index {
        Index::new("revocations", "all")
    }
}

/// An attestation that was seen.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Jti {
    pub(crate) seen: Timestamp,
}

impl Jti {
    pub(crate) fn key(hash: SecretHash) -> Key {
        Key::new(Kind::Jti, &hash.to_hex(), &[])
    }
}
