//! What the broker keeps of OAuth clients and of what came of their requests.

use protocol::{AccountId, AgentId, ClientId, ProviderId, ScopeSet, SessionId, Timestamp, UserId};
use secret::{Opaque, SecretHash};
use serde::{Deserialize, Serialize};
use store::{Key, Kind};

use super::GrantType;
use crate::records::{Kept, KeptHash, Later};

/// What an agent is as an OAuth client.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct OAuthClient {
    /// As it writes itself.
    pub(crate) name: String,
    pub(crate) origin: Origin,
    pub(crate) proof: Proof,
    /// What it may present at the token endpoint.
    pub(crate) grants: Vec<GrantType>,
    /// When somebody first consented to it, or an operator decided about it; until then it is kept for a day.
    #[serde(default)]
    pub(crate) settled: Option<Timestamp>,
}

/// Who vouches for an OAuth client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Origin {
    /// The operator, in the configuration.
    Configured,
    /// The host of its metadata document.
    Document,
    /// Nobody: it registered itself.
    Registered,
}

/// How it proves who it is; of a configured one, the configuration says it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "by")]
pub(crate) enum Proof {
    None,
    Secret { hash: KeptHash },
    Keys { keys: serde_json::Value },
    KeysAt { url: String },
    Configured,
}

/// What an OAuth client's request says beyond every other consent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct FrontSession {
    /// The client as it writes itself.
    pub(crate) client: String,
    /// The words of its `scope` that are none of the provider's scopes.
    pub(crate) words: Vec<String>,
    /// All that it asked for; part of it may wait for an operator.
    #[serde(default)]
    pub(crate) wished: ScopeSet,
    /// What its tokens will be for (RFC 8707).
    pub(crate) resource: String,
    /// RFC 7636, S256; `None` where no redirect carries a code.
    pub(crate) challenge: Option<String>,
    /// OpenID Connect Core §3.1.2.1.
    pub(crate) nonce: Option<String>,
    /// The device that waits (RFC 8628).
    pub(crate) device: Option<WaitingDevice>,
    /// The only person who may allow it.
    pub(crate) only: Option<UserId>,
    /// For how long the person allows it, in seconds; `None` for as long as the configuration says.
    #[serde(default)]
    pub(crate) lasts: Option<u64>,
}

/// A device whose person has been sent here.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct WaitingDevice {
    /// What it shows its person.
    pub(crate) user_code: String,
}

/// A code that a person types in for a device, or that the device asks with: it finds the consent, whose own name neither of them says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct UserCode {
    pub(crate) session: SessionId,
}

impl UserCode {
    /// What a person types in, without its dash.
    pub(crate) fn key(code: &str) -> Key {
        Key::new(Kind::UserCode, &SecretHash::of(&format!("user code\n{code}")).to_hex(), &[])
    }

    /// What the device asks with.
    pub(crate) fn device_key(code: &str) -> Key {
        Key::new(Kind::UserCode, &SecretHash::of(&format!("device code\n{code}")).to_hex(), &[])
    }
}

/// What is more to know of an access token that an OAuth client got.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct FrontToken {
    /// The client as it writes itself.
    pub(crate) client: String,
    /// The words of its `scope` that are none of the provider's scopes.
    pub(crate) words: Vec<String>,
    pub(crate) resource: String,
    pub(crate) issued: Timestamp,
    /// Everything that came of the same consent; `None` where nobody consented.
    pub(crate) family: Option<String>,
}

/// Everything that came of one consent: one line of refresh tokens, and the access tokens that they brought.
///
/// Nothing of the tokens is kept. Each follows from the family's seed and its own number, so that a token that was replaced is told from
/// one that never was, and whoever presents the one before last within the grace gets the very same successor.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Family {
    pub(crate) id: String,
    pub(crate) client_id: ClientId,
    pub(crate) agent_id: AgentId,
    pub(crate) user: UserId,
    pub(crate) provider: ProviderId,
    pub(crate) account: AccountId,
    /// The grant's own count: a grant that was given anew is another.
    pub(crate) grant: u64,
    pub(crate) scopes: ScopeSet,
    /// The client as it writes itself, and its words.
    pub(crate) client: String,
    pub(crate) words: Vec<String>,
    pub(crate) resource: String,
    pub(crate) seed: Kept,
    /// The number of the refresh token that is good now.
    pub(crate) generation: u64,
    /// When it became so.
    pub(crate) rotated: Timestamp,
    pub(crate) began: Timestamp,
    /// When the person is asked again, whatever is done.
    pub(crate) ends: Timestamp,
    /// When it ends if nobody uses it.
    pub(crate) idles: Timestamp,
    pub(crate) revoked: Option<Timestamp>,
    /// What a newer version has added.
    #[serde(flatten)]
    pub(crate) later: Later,
}

impl Family {
    pub(crate) fn key(id: &str) -> Key {
        Key::new(Kind::Family, id, &[])
    }

    /// The refresh token with this number.
    pub(crate) fn refresh_token(&self, number: u64) -> String {
        format!("{REFRESH}{}.{number}.{}", self.id, self.derived("refresh", number))
    }

    /// The access token that came with it.
    pub(crate) fn access_token(&self, number: u64) -> String {
        format!("{}{}", crate::token::PREFIX, self.derived("access", number))
    }

    fn derived(&self, what: &str, number: u64) -> String {
        SecretHash::of(&format!("{what}\n{}\n{}\n{number}", self.seed.expose(), self.id)).to_hex()
    }

    /// The number of a refresh token of this family; in constant time. `None` where it is none.
    pub(crate) fn number_of(&self, presented: &PresentedRefresh<'_>) -> Option<u64> {
        let genuine = SecretHash::of(&self.derived("refresh", presented.number));
        (presented.number <= self.generation && genuine.matches(presented.proof)).then_some(presented.number)
    }
}

/// A refresh token, taken apart.
pub(crate) struct PresentedRefresh<'a> {
    pub(crate) family: &'a str,
    number: u64,
    proof: &'a str,
}

impl<'a> PresentedRefresh<'a> {
    /// Reads the one form that there is.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.strip_prefix(REFRESH)?.split('.');
        let (family, number, proof) = (parts.next()?, parts.next()?, parts.next()?);
        let canonical = number.parse::<u64>().ok().filter(|parsed| parsed.to_string() == number)?;
        let id = family.len() == 43
            && family.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        (id && parts.next().is_none()).then_some(Self { family, number: canonical, proof })
    }
}

/// What the gateway signs ID tokens with, the newest last.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct IssuerKeys {
    pub(crate) keys: Vec<KeptIssuerKey>,
}

/// One of them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct KeptIssuerKey {
    pub(crate) key: Kept,
    pub(crate) made: Timestamp,
}

impl IssuerKeys {
    pub(crate) fn key() -> Key {
        Key::new(Kind::Issuer, "keys", &[])
    }
}

/// Draws the name of a family.
pub(crate) fn family_id(entropy: &dyn secret::Entropy) -> String {
    Opaque::generate("", entropy).expose().to_owned()
}

const REFRESH: &str = "ath_rt_";
