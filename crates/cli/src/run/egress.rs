use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use rustls::ClientConfig;

use crate::{Code, Failure};

/// What programs' calls are made with. They may take as long as they take; only the connection has a time limit.
pub(super) struct Egress {
    usual: reqwest::Client,
    upgrading: reqwest::Client,
    tls: Arc<ClientConfig>,
}

impl Egress {
    /// Redirects are handed on and never followed; nothing is sent twice, and nothing goes by a proxy of the environment's.
    pub(super) fn new(patience: Duration) -> Result<Self, Failure> {
        let tls = crate::egress::tls().map_err(|error| useless(&error))?;
        Ok(Self {
            usual: client(tls.clone(), patience).build().map_err(|error| useless(&error))?,
            // What becomes a WebSocket begins as HTTP/1.1.
            upgrading: client(tls.clone(), patience).http1_only().build().map_err(|error| useless(&error))?,
            tls: Arc::new(tls),
        })
    }

    /// For calls that end with their answer.
    pub(super) fn usual(&self) -> &reqwest::Client {
        &self.usual
    }

    /// For calls that become something else.
    pub(super) fn upgrading(&self) -> &reqwest::Client {
        &self.upgrading
    }

    /// For connections to other servers than the gateway.
    pub(super) fn tls(&self) -> Arc<ClientConfig> {
        self.tls.clone()
    }
}

#[expect(clippy::disallowed_methods, reason = "calls of other programs stream, and have no time limit of this one's")]
fn client(tls: ClientConfig, patience: Duration) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder().tls_backend_preconfigured(tls).redirect(Policy::none());
    let builder = builder.retry(reqwest::retry::never()).referer(false).no_proxy();
    builder.connect_timeout(patience).user_agent(concat!("ath/", env!("CARGO_PKG_VERSION")))
}

fn useless(error: &dyn std::error::Error) -> Failure {
    Failure::new(
        Code::Local,
        format!("TLS cannot be used here: {error}."),
        "Install this system's certificates, for instance the package ca-certificates.",
    )
}
