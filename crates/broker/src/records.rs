//! What the broker keeps. Each body is sealed whole, bound to its kind, key, version and, for connections, its provider.

mod attempt;
mod session;

use protocol::{AccountId, AgentId, ClientId, ProviderId, ScopeSet, Timestamp, UserId};
use secret::{AccessToken, RefreshToken, SecretHash};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use store::{Index, Key, Kind};
use zeroize::Zeroizing;

use crate::clearance::{Clearance, Run};
use crate::sign_in::KeptTokens;
use crate::vault::Fingerprint;
pub(crate) use attempt::{Attempt, Rank, Rotation};
pub(crate) use session::{Arrived, Brought, Consented, Device, Exchanged, Renews, Session, Stage, Whose, Work};

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
        Self {
            access,
            refresh: None,
            expires: None,
            refresh_expires: None,
            base: None,
            dpop: None,
            refresh_dpop: None,
            renewal: Renewal::default(),
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

    pub(crate) fn refresh(&self) -> Option<RefreshToken> {
        self.refresh.as_ref().map(|token| RefreshToken::new(token.expose()))
    }
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
}

impl Agent {
    pub(crate) fn key(agent: &AgentId) -> Key {
        Key::new(Kind::Agent, &SecretHash::of(agent.as_str()).to_hex(), &[])
    }

    /// All registrations: a hint.
    pub(crate) fn all() -> Index {
        Index::new("agents", "all")
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
}

impl Client {
    pub(crate) fn key(client: &ClientId) -> Key {
        Key::new(Kind::Client, client.as_str(), &[])
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
}

impl Grant {
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
}

impl ProviderSwitch {
    pub(crate) fn key(provider: &ProviderId) -> Key {
        Key::new(Kind::Provider, provider.as_str(), &[])
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
