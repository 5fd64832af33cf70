use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

use crate::{Code, Failure};

/// What calls to the gateway are made with. They may take as long as they take; only the connection has a time limit.
pub(super) struct Egress {
    usual: reqwest::Client,
    upgrading: reqwest::Client,
    tls: Arc<ClientConfig>,
}

impl Egress {
    /// Verifies by these certificates. Redirects are handed on and never followed.
    pub(super) fn new(roots: &[CertificateDer<'static>], patience: Duration) -> Result<Self, Failure> {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(roots.iter().cloned());
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| useless(&error))?;
        let tls = builder.with_root_certificates(store).with_no_client_auth();
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
    builder.connect_timeout(patience).referer(false).user_agent(concat!("ath/", env!("CARGO_PKG_VERSION")))
}

fn useless(error: &dyn std::error::Error) -> Failure {
    Failure::new(
        Code::Local,
        format!("TLS cannot be used here: {error}."),
        "Install this system's certificates, for instance the package ca-certificates.",
    )
}
