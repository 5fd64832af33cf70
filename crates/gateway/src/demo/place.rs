use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::TcpListener;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;

use data_encoding::HEXLOWER;
use secret::Entropy;

use crate::private_file;
use crate::system::SystemEntropy;

/// The gateway's secret at the helpdesk. Both are made up for the demonstration.
pub(crate) const CLIENT_SECRET: &str = "helpdesk-secret";

/// A folder that goes with the demonstration.
pub(crate) struct Place(PathBuf);

/// Who listens where.
pub(crate) struct Ports {
    pub(crate) gateway: u16,
    pub(crate) helpdesk: u16,
    pub(crate) agent: u16,
}

impl Place {
    pub(crate) fn make() -> io::Result<Self> {
        let mut random = [0u8; 8];
        SystemEntropy.fill(&mut random);
        let folder = std::env::temp_dir().join(format!("ath-gateway-demo-{}", HEXLOWER.encode(&random)));
        fs::DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Self(folder))
    }

    /// The gateway's configuration: what anybody would write for an API of their own.
    pub(crate) fn config(&self, ports: &Ports, redis: Option<&str>) -> io::Result<String> {
        let secret = self.0.join("helpdesk.secret").display().to_string();
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&secret)?
            .write_all(CLIENT_SECRET.as_bytes())?;
        let data = format!("path = {:?}", self.0.join("data").display().to_string());
        let store = match redis {
            Some(url) => {
                let key = self.0.join("sealing.key").display().to_string();
                let made = secret::SealingKey::generate(&SystemEntropy);
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(&key)?.write_all(made.as_bytes())?;
                // A prefix of its own: a Redis that is used for other things stays as it is.
                let prefix = self.0.file_name().unwrap_or_default().to_string_lossy().into_owned();
                format!(
                    "url = {url:?}\n{data}\nkeys = [{{ file = {key:?} }}]\nkey_prefix = \"{prefix}:\"\n\n[admin]\nlisten = \"off\""
                )
            }
            None => data,
        };
        let audit = self.0.join("audit.jsonl").display().to_string();
        let (gateway, helpdesk) = (ports.gateway_url(), ports.helpdesk_url());
        let text = format!(
            r#"[gateway]
public_url = "{gateway}"
listen = "127.0.0.1:{port}"

[store]
{store}

[audit]
path = {audit:?}

[log]
filter = "warn,ath_gateway::audit=error"

[development]
loopback_http = true

[[provider]]
id = "helpdesk"
display_name = "Acme Helpdesk"
categories = ["support"]
api_base = "{helpdesk}"
path_prefix = "/helpdesk"
openapi = "{helpdesk}/openapi.json"
tools = ["GET /tickets", "GET /tickets/{{id}}", "POST /tickets", "PATCH /tickets/{{id}}"]

[provider.oauth]
authorize_endpoint = "{helpdesk}/authorize"
token_endpoint = "{helpdesk}/token"
userinfo_endpoint = "{helpdesk}/userinfo"
client_id = "ath-gateway"
client_secret = {{ file = {secret:?} }}
pkce = "none"

[provider.scopes]
"read:tickets" = {{ says = "See your tickets", allow = ["GET /tickets", "GET /tickets/*", "GET /tickets/*/attachments/*", "GET /echo", "GET /skill.md", "GET /openapi.json"] }}
"write:tickets" = {{ says = "Open and change tickets", allow = ["POST /tickets", "PATCH /tickets/*", "PUT /tickets/*/attachments/*"] }}
"#,
            port = ports.gateway
        );
        private_file::make(&self.config_file(), &text)?;
        Ok(text)
    }

    /// For the operators' commands.
    pub(crate) fn config_file(&self) -> PathBuf {
        self.0.join("gateway.toml")
    }

    pub(crate) fn remove(&self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{} could not be removed: {error}", self.0.display());
        }
    }
}

impl Ports {
    /// 4180, 4181 and 4182, which the documentation names.
    pub(crate) fn usual() -> io::Result<Self> {
        for port in [4180, 4181, 4182] {
            if let Err(error) = TcpListener::bind(("127.0.0.1", port)) {
                let message =
                    format!("port {port} of 127.0.0.1 is taken ({error}): end what listens there, then start again");
                return Err(io::Error::new(error.kind(), message));
            }
        }
        Ok(Self { gateway: 4180, helpdesk: 4181, agent: 4182 })
    }

    /// Whatever is free, so that a story can be played beside a running demonstration.
    pub(crate) fn free() -> io::Result<Self> {
        let listeners =
            [TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?];
        let [gateway, helpdesk, agent] = listeners.map(|listener| listener.local_addr().map(|address| address.port()));
        Ok(Self { gateway: gateway?, helpdesk: helpdesk?, agent: agent? })
    }

    pub(crate) fn gateway_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.gateway)
    }

    pub(crate) fn helpdesk_url(&self) -> String {
        format!("http://localhost:{}", self.helpdesk)
    }

    pub(crate) fn agent_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.agent)
    }
}
