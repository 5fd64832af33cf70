//! The only place where the control plane makes outgoing HTTP requests: to providers' OAuth servers, and for agents' identity
//! documents. No redirects, no proxies from the environment, bounded time and size.

mod addresses;

use std::time::Duration;

use async_trait::async_trait;
use broker::{DocumentError, DocumentFetcher};
use http::{Request, Response};
use oauth::{HttpClient, TransportError, TransportErrorKind};
use protocol::{AgentId, Loopback};
use reqwest::redirect::Policy;
use rustls::ClientConfig;

use crate::egress::addresses::{Refused, VettedResolver};

/// Towards providers' OAuth servers, which the operator configured: any address.
pub(crate) struct ProviderClient {
    client: reqwest::Client,
    timeout: Duration,
}

impl ProviderClient {
    /// A client that verifies by `tls`, and waits for `timeout` at most.
    pub(crate) fn new(tls: ClientConfig, timeout: Duration) -> Result<Self, reqwest::Error> {
        Ok(Self { client: builder(tls).build()?, timeout })
    }

    /// The same client, and its connections, with another patience.
    pub(crate) fn with_timeout(&self, timeout: Duration) -> Self {
        Self { client: self.client.clone(), timeout }
    }
}

#[async_trait]
impl HttpClient for ProviderClient {
    async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, TransportError> {
        let mut request =
            reqwest::Request::try_from(request).map_err(|error| transport(TransportErrorKind::Other, error))?;
        *request.timeout_mut() = Some(self.timeout);
        let mut answer = self.client.execute(request).await.map_err(classified)?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(classified)? {
            if body.len() + chunk.len() > PROVIDER_LIMIT {
                return Err(TransportError::new(TransportErrorKind::TooLarge, "the answer is larger than 256 KiB"));
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = Response::new(body);
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        Ok(response)
    }
}

/// For agents' identity documents, whose URLs strangers choose: public addresses alone, checked on the addresses that are connected to.
pub(crate) struct DocumentClient {
    client: reqwest::Client,
    loopback: Loopback,
}

impl DocumentClient {
    /// A client that verifies by `tls`; a development setting lets it connect to loopback.
    pub(crate) fn new(tls: ClientConfig, loopback: Loopback) -> Result<Self, reqwest::Error> {
        let resolver = VettedResolver::new(loopback);
        let client = builder(tls).timeout(DOCUMENT_TIMEOUT).dns_resolver(resolver).pool_max_idle_per_host(0).build()?;
        Ok(Self { client, loopback })
    }
}

#[async_trait]
impl DocumentFetcher for DocumentClient {
    async fn fetch(&self, agent: &AgentId) -> Result<Vec<u8>, DocumentError> {
        let url = agent.url().ok_or(DocumentError::Form)?;
        // A resolver is never asked about an address written out as such.
        addresses::check_literal(&url, self.loopback).map_err(|Refused| DocumentError::Address)?;
        let request = self.client.get(url).header(http::header::ACCEPT, "application/json");
        let mut answer = request.send().await.map_err(|error| unreachable(&error))?;
        if answer.status() != http::StatusCode::OK {
            return Err(DocumentError::Status);
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| unreachable(&error))? {
            if body.len() + chunk.len() > DOCUMENT_LIMIT {
                return Err(DocumentError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// For the demonstration's agent and browser, which speak plain HTTP on loopback.
#[cfg(feature = "demo")]
pub(crate) fn loopback_client() -> Result<reqwest::Client, Box<dyn std::error::Error + Send + Sync>> {
    Ok(builder(crate::tls::client(&[])?).timeout(PROVIDER_TIMEOUT).build()?)
}

/// What the operators' commands ask a running gateway with.
pub(crate) fn operator_client(timeout: Duration) -> Result<reqwest::Client, reqwest::Error> {
    let roots = rustls::RootCertStore::empty();
    builder(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()).timeout(timeout).build()
}

#[expect(clippy::disallowed_methods, reason = "this is where outgoing HTTP is made, with its limits")]
fn builder(tls: ClientConfig) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .user_agent(concat!("ath-gateway/", env!("CARGO_PKG_VERSION")))
}

fn classified(error: reqwest::Error) -> TransportError {
    let kind = if error.is_timeout() {
        TransportErrorKind::Timeout
    } else if error.is_connect() {
        TransportErrorKind::Connect
    } else {
        TransportErrorKind::Other
    };
    transport(kind, error)
}

/// The URL may hold what should not stand in a log, and adds nothing that the provider's id does not say.
fn transport(kind: TransportErrorKind, error: reqwest::Error) -> TransportError {
    TransportError::new(kind, error.without_url())
}

fn unreachable(error: &reqwest::Error) -> DocumentError {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.is::<Refused>() {
            return DocumentError::Address;
        }
        cause = error.source();
    }
    DocumentError::Unreachable
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
pub(crate) const PROVIDER_TIMEOUT: Duration = Duration::from_secs(30);
const PROVIDER_LIMIT: usize = 256 * 1024;
const DOCUMENT_TIMEOUT: Duration = Duration::from_secs(5);
const DOCUMENT_LIMIT: usize = 64 * 1024;
