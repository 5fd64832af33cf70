use std::collections::BTreeMap;
use std::time::Duration;

use protocol::{ProviderId, Timestamp};
use secret::{AccessToken, DeviceCode, RefreshToken};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::gateway::Kind;
use crate::written::written;

/// What is kept of a login at one gateway.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Login {
    /// What this machine is called at the gateway.
    pub(crate) client_id: String,
    /// Where tokens come from.
    pub(crate) token_endpoint: Url,
    /// Where they are ended.
    pub(crate) revocation_endpoint: Option<Url>,
    /// Replaced with every use; none where nobody is logged in any more.
    #[serde(with = "refresh", default)]
    pub(crate) refresh_token: Option<RefreshToken>,
    /// For every service: it is exchanged for tokens that are for one.
    pub(crate) access: Option<Access>,
    /// What calls at each service are made with, by its id.
    #[serde(default)]
    pub(crate) visits: BTreeMap<String, Visit>,
    /// A code that a person may still type in.
    #[serde(default)]
    pub(crate) pending: Option<PendingDevice>,
}

/// An access token and its end.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Access {
    #[serde(with = "access")]
    pub(crate) token: AccessToken,
    pub(crate) ends: Timestamp,
}

/// What calls at one service are made with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Visit {
    /// Where it is called: at the gateway.
    pub(crate) url: Url,
    /// Where it is by itself; none where that differs from person to person.
    pub(crate) api_base: Option<Url>,
    /// What it speaks.
    pub(crate) kind: Kind,
    /// For this service alone.
    #[serde(flatten)]
    pub(crate) access: Access,
}

/// A code that a person was asked to type in (RFC 8628).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PendingDevice {
    #[serde(with = "device")]
    pub(crate) code: DeviceCode,
    pub(crate) user_code: String,
    pub(crate) link: Url,
    pub(crate) ends: Timestamp,
    pub(crate) interval: Duration,
    /// The service that was named.
    pub(crate) service: Option<String>,
}

impl Access {
    /// Whether it will still be good when a call that is begun now arrives.
    pub(crate) fn is_fresh(&self, now: Timestamp) -> bool {
        self.ends > now.plus(MARGIN)
    }
}

impl Login {
    /// A client that nobody has logged in with yet.
    pub(crate) fn of_client(client_id: String, token_endpoint: Url, revocation_endpoint: Option<Url>) -> Self {
        let (refresh_token, access, visits, pending) = (None, None, BTreeMap::new(), None);
        Self { client_id, token_endpoint, revocation_endpoint, refresh_token, access, visits, pending }
    }

    /// Whether somebody is logged in, as far as is known here.
    pub(crate) fn is_somebodys(&self) -> bool {
        self.refresh_token.is_some() || self.access.is_some()
    }

    /// What a call at the service can be made with now.
    pub(crate) fn visit(&self, service: &ProviderId, now: Timestamp) -> Option<&Visit> {
        self.visits.get(service.as_str()).filter(|visit| visit.access.is_fresh(now))
    }
}

/// A call that takes longer to arrive is answered with `login_required`, and repeated with another token.
const MARGIN: Duration = Duration::from_secs(20);

written!(access, secret::AccessToken);
written!(device, secret::DeviceCode);

mod refresh {
    use secret::RefreshToken;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "serde's form")]
    pub(super) fn serialize<S: Serializer>(secret: &Option<RefreshToken>, serializer: S) -> Result<S::Ok, S::Error> {
        secret.as_ref().map(RefreshToken::expose).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<RefreshToken>, D::Error> {
        Ok(Option::<String>::deserialize(deserializer)?.map(RefreshToken::new))
    }
}
