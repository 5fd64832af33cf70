use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use protocol::Timestamp;
use secret::{AccessToken, ClientSecret};
use serde::{Deserialize, Serialize};

use super::Identity;
use crate::gateway_url::GatewayUrl;
use crate::private_file::{self, FileError, Lock};
use crate::written::written;
use crate::{Code, Failure};

/// What an agent has at one gateway.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Kept {
    /// Its registration, where it has one.
    pub(super) registration: Option<Registration>,
    /// Its tokens, by service.
    #[serde(default)]
    pub(super) tokens: BTreeMap<String, Token>,
    /// The consents that it waits for, by service.
    #[serde(default)]
    pub(super) asked: BTreeMap<String, Asked>,
}

/// What the gateway calls the agent, and what it may ask people for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Registration {
    pub(super) client_id: String,
    #[serde(with = "client_secret")]
    pub(super) client_secret: ClientSecret,
    /// Scopes, by service.
    pub(super) approved: BTreeMap<String, Vec<String>>,
}

/// A token for one service.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Token {
    #[serde(with = "access_token")]
    pub(super) access: AccessToken,
    pub(super) given: Timestamp,
    pub(super) ends: Timestamp,
    pub(super) scopes: Vec<String>,
}

/// A consent that a person was asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Asked {
    pub(super) session: String,
    pub(super) link: String,
    pub(super) scopes: Vec<String>,
    pub(super) ends: Timestamp,
}

impl Token {
    /// Whether it will still be good when a call that is begun now arrives.
    pub(super) fn is_fresh(&self, now: Timestamp) -> bool {
        self.ends > now.plus(MARGIN)
    }
}

/// Where that is kept: one file for each gateway, in the identity's folder.
pub(super) struct Shelf(PathBuf);

impl Shelf {
    pub(super) fn new(identity: &Identity, gateway: &GatewayUrl) -> Self {
        Self(identity.folder().join("gateways").join(format!("{}.json", gateway.file_name())))
    }

    pub(super) fn read(&self) -> Result<Kept, Failure> {
        let text = private_file::read(&self.0).map_err(|error| self.failure(&error))?;
        let Some(text) = text else { return Ok(Kept::default()) };
        serde_json::from_str(&text).map_err(|error| self.failure(&FileError::Io(error.into())))
    }

    /// Changes what is kept, while nobody else does.
    pub(super) async fn change(&self, change: impl FnOnce(&mut Kept)) -> Result<(), Failure> {
        let lock = Lock::take(&self.0.with_extension("lock"), PATIENCE).await.map_err(|error| self.failure(&error))?;
        let mut kept = self.read()?;
        change(&mut kept);
        let text = serde_json::to_string(&kept).map_err(|error| self.failure(&FileError::Io(error.into())))?;
        let written = private_file::replace(&self.0, &text).map_err(|error| self.failure(&error));
        drop(lock);
        written
    }

    fn failure(&self, error: &FileError) -> Failure {
        let message = format!("{} cannot be used: {error}.", self.0.display());
        Failure::new(
            Code::Local,
            message,
            "Remove it, and connect again; what it held ends at the gateway by itself within the hour.",
        )
    }
}

written!(access_token, secret::AccessToken);
written!(client_secret, secret::ClientSecret);

/// A call that takes longer to arrive is refused, and its person asked again.
const MARGIN: Duration = Duration::from_secs(20);
/// For another process of the same person's, which writes a few lines.
const PATIENCE: Duration = Duration::from_secs(10);
