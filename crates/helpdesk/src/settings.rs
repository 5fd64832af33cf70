//! The switches: what kind of legacy service the helpdesk plays.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::fault::Fault;

/// Every switch of the helpdesk. The default is a legacy server that ignores PKCE, takes forms and never rotates.
///
/// As JSON, durations are whole numbers: `access_token_lifetime` in seconds, a token delay in milliseconds.
#[derive(Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where clients reach the helpdesk, without a trailing slash; absolute URLs in answers start with it.
    pub base_url: String,
    /// The one registered client.
    pub client_id: String,
    /// The client's secret, for `client_secret_post` and `client_secret_basic`.
    pub client_secret: String,
    /// The registered redirect URIs, compared character by character. Empty by default: none is accepted.
    pub redirect_uris: Vec<String>,
    /// What `/authorize` and `/token` make of PKCE (RFC 7636).
    pub pkce: Pkce,
    /// How long an access token lives; whole seconds count.
    #[serde(with = "seconds")]
    pub access_token_lifetime: Duration,
    /// What a refresh does to the refresh token that was presented.
    pub rotation: Rotation,
    /// The body that `/token` and `/revoke` want.
    pub token_request: TokenRequest,
    /// How `/token` answers.
    pub token_behaviour: TokenBehaviour,
    /// What every access token starts with, so that tests can mark them.
    pub token_prefix: String,
    /// What every refresh token starts with.
    pub refresh_token_prefix: String,
    /// What every authorization code starts with.
    pub code_prefix: String,
    /// Whether `/userinfo` exists.
    pub userinfo: bool,
    /// Keys that the API takes besides tokens, and whose they are, by address: as a Bearer token, or as the password of Basic with the
    /// address as user name. None by default.
    pub api_keys: BTreeMap<String, String>,
    /// The address of the user as whom the client may act by itself (RFC 6749 §4.4); by default it may not.
    pub service_account: Option<String>,
    /// How often `/token` may be asked with a device code (RFC 8628); by default there are none. Whole seconds count.
    #[serde(with = "perhaps_seconds")]
    pub device_interval: Option<Duration>,
    /// Whether ID tokens are exchanged (RFC 8693), of whoever issued them: `sub` is the part of an address before the @.
    pub token_exchange: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            base_url: "http://localhost:4000".to_owned(),
            client_id: "ath-gateway".to_owned(),
            client_secret: "helpdesk-secret".to_owned(),
            redirect_uris: Vec::new(),
            pkce: Pkce::Ignored,
            access_token_lifetime: Duration::from_secs(3600),
            rotation: Rotation::None,
            token_request: TokenRequest::Form,
            token_behaviour: TokenBehaviour::Normal,
            token_prefix: "hd_at_".to_owned(),
            refresh_token_prefix: "hd_rt_".to_owned(),
            code_prefix: "hd_code_".to_owned(),
            userinfo: true,
            api_keys: BTreeMap::new(),
            service_account: None,
            device_interval: None,
            token_exchange: false,
        }
    }
}

/// What the OAuth server makes of PKCE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pkce {
    /// It knows nothing of PKCE and ignores parameters it does not know, as RFC 6749 §3.1 asks.
    Ignored,
    /// It knows nothing of PKCE and answers `invalid_request` to any parameter beyond those of RFC 6749.
    Rejected,
    /// It wants an S256 challenge, and the verifier at the token endpoint.
    Required,
}

/// What becomes of a refresh token that was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rotation {
    /// It stays valid, and the answer to a refresh carries no refresh token.
    None,
    /// It is replaced; presenting it again is `invalid_grant` and nothing more.
    Rotating,
    /// It is replaced; presenting it again revokes everything that came from the same consent (RFC 9700 §4.14.2).
    RotatingWithReuseDetection,
    /// It is replaced, and answered again for a while; after that, presenting it again revokes everything that came from the same
    /// consent, as at Auth0 and Okta.
    RotatingWithGrace {
        /// How long it is answered again.
        #[serde(rename = "seconds", with = "seconds")]
        window: Duration,
        /// Which refresh token those answers carry.
        successor: Successor,
    },
}

/// The refresh token in an answer to one that was replaced a moment ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Successor {
    /// The one that the first answer carried, unless it was used meanwhile: then this is a reuse.
    Same,
    /// Another one, each time; all of them work.
    New,
}

/// The encoding of requests to `/token` and `/revoke`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenRequest {
    /// `application/x-www-form-urlencoded`, as RFC 6749 §4.1.3 says.
    Form,
    /// `application/json`: one flat object of strings.
    Json,
}

/// How the token endpoint answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenBehaviour {
    /// As RFC 6749 §5 says.
    Normal,
    /// The request takes effect at once and the answer comes late: a client that gives up loses a rotated token.
    #[serde(rename = "delay_ms", with = "milliseconds")]
    Delay(Duration),
    /// This status with a JSON error that says nothing; the request takes no effect.
    ServerError(u16),
    /// 200 and a maintenance page; the request takes no effect.
    Html,
    /// 200 and `{"ok": false, "error": "temporarily_unavailable"}`; the request takes no effect.
    #[serde(rename = "error_with_200")]
    ErrorWith200,
    /// The request takes effect, and a successful answer is cut off in the middle of its JSON.
    HalfJson,
    /// No answer, ever; the request takes no effect.
    Hang,
    /// Something goes wrong with the answer.
    Misbehave(Misbehaviour),
}

/// What goes wrong, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Misbehaviour {
    /// What the client sees.
    pub fault: Fault,
    /// Whether the request was carried out all the same.
    pub effect: Effect,
    /// How many requests are treated so before all is normal again; all of them where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
}

/// Whether a request that is answered wrongly was carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Nothing happened.
    None,
    /// A code is spent, a refresh token is replaced.
    Taken,
}

impl Misbehaviour {
    /// What is left of it after one more request; `None` where that was the last.
    pub(crate) fn after_one(self) -> Option<Self> {
        match self.times {
            None => Some(self),
            Some(times) => times.checked_sub(2).map(|left| Self { times: Some(left + 1), ..self }),
        }
    }
}

mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(duration.as_secs())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_secs)
    }
}

mod perhaps_seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "serde hands it over so")]
    pub(super) fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        duration.map(|duration| duration.as_secs()).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        Option::<u64>::deserialize(deserializer).map(|seconds| seconds.map(Duration::from_secs))
    }
}

mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}
