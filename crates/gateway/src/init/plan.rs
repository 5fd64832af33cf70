//! What is written, once everything about it is known.

use std::path::{Path, PathBuf};

use url::Url;
use zeroize::Zeroizing;

/// Everything that the file says.
pub(super) struct Plan {
    pub(super) place: Place,
    /// Where browsers and agents reach the gateway.
    pub(super) public_url: Url,
    /// Where it listens.
    pub(super) listen: String,
    pub(super) service: Service,
    pub(super) way: Way,
    /// What agents may ask for; empty where the preset says it.
    pub(super) scopes: Vec<ScopePlan>,
}

/// Where it is written. All paths are whole, so that the gateway can be started from any folder.
pub(super) struct Place {
    pub(super) file: PathBuf,
    folder: PathBuf,
}

impl Place {
    /// The configuration file, and what lies beside it.
    pub(super) fn of(file: &Path) -> std::io::Result<Self> {
        let file = std::path::absolute(file)?;
        let folder = file.parent().map(Path::to_path_buf).unwrap_or_default();
        Ok(Self { file, folder })
    }

    /// The folder of what the gateway keeps.
    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The file for a secret that the operator has told.
    pub(super) fn secret(&self, id: &str) -> PathBuf {
        self.folder.join("secrets").join(id)
    }
}

/// The service that agents are to use.
pub(super) struct Service {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) kind: Kind,
    /// The URL of its OpenAPI document.
    pub(super) openapi: Option<Url>,
    /// The calls that this document describes.
    pub(super) described: Vec<String>,
    pub(super) ca_file: Option<PathBuf>,
    /// Whether its URLs may be http.
    pub(super) plaintext: Plain,
}

/// Whether a service's URLs may be http.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plain {
    /// No further than the file allows it on loopback.
    No,
    /// Anywhere.
    Yes,
}

pub(super) enum Kind {
    /// One that the gateway knows; `api` where the preset does not say it.
    Preset {
        name: String,
        values: Vec<(String, String)>,
        api: Option<Url>,
    },
    Api(Url),
    Mcp(Url),
}

impl Kind {
    /// Where it is, unless only the preset knows.
    pub(super) fn url(&self) -> Option<&Url> {
        match self {
            Self::Preset { api, .. } => api.as_ref(),
            Self::Api(url) | Self::Mcp(url) => Some(url),
        }
    }

    pub(super) fn preset(&self) -> Option<&str> {
        match self {
            Self::Preset { name, .. } => Some(name),
            Self::Api(_) | Self::Mcp(_) => None,
        }
    }
}

/// How the service gives out what calls are made with.
pub(super) enum Way {
    OAuth {
        server: Box<Server>,
        client: Client,
    },
    /// Each person has a key of their own.
    PersonalKeys,
    /// It asks for nothing.
    Nothing,
}

/// Its OAuth server.
#[derive(Default)]
pub(super) struct Server {
    pub(super) found: Found,
    /// Without it, PKCE protects the code.
    pub(super) pkce: PkcePlan,
    /// What every consent asks for, and agents do not see.
    pub(super) further_scopes: Vec<String>,
    /// What the metadata says there is besides; `None` where it does not say.
    pub(super) scopes: Option<Vec<String>>,
    /// Where clients register themselves.
    pub(super) registration: Option<Url>,
    /// How a client that registers itself can prove itself: its secret in the header, in the body, or none.
    pub(super) auth_methods: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum PkcePlan {
    #[default]
    S256,
    None,
}

/// What is known of where it is.
#[derive(Default)]
pub(super) enum Found {
    /// The preset knows, or the MCP server says it.
    #[default]
    Elsewhere,
    /// The MCP server names one of these, on other domains than its own.
    ByWord { servers: Vec<String>, hosts: Vec<String> },
    /// Its metadata says it.
    Issuer { issuer: String, hosts: Vec<String>, endpoints: Vec<(&'static str, String)>, sends_iss: SendsIss },
    /// It was told, endpoint by endpoint.
    Endpoints(Box<Endpoints>),
}

pub(super) struct Endpoints {
    pub(super) authorize: Url,
    pub(super) token: Url,
    pub(super) userinfo: Option<Url>,
    pub(super) revoke: Option<Url>,
}

/// Whether every answer to the callback names the issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SendsIss {
    Always,
    Perhaps,
}

/// The gateway as a client there.
pub(super) struct Client {
    pub(super) id: String,
    pub(super) secret: SecretPlan,
    /// How the secret is presented, where that is to be written.
    pub(super) auth: Option<String>,
    /// What people should know of it, a comment.
    pub(super) note: Option<String>,
}

/// Where the client's secret is.
pub(super) enum SecretPlan {
    /// In a file that is still to be made.
    New(Zeroizing<String>),
    File(PathBuf),
    Variable(String),
    None,
}

/// A scope, and what it allows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ScopePlan {
    pub(super) name: String,
    pub(super) says: String,
    /// Calls of an API, or tools of an MCP server.
    pub(super) allow: Vec<String>,
    pub(super) known: KnownBy,
}

/// Who knows a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KnownBy {
    TheService,
    /// The gateway alone keeps agents to it.
    TheGateway,
}
