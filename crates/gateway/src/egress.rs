//! The only place where the control plane makes outgoing HTTP requests: to providers' OAuth servers, and for agents' identity
//! documents; and to the collector of traces and logs. No redirects, no proxies from the environment, bounded time and size.

mod addresses;
mod collector;
mod descriptions;
mod freshness;

use std::time::Duration;

use async_trait::async_trait;
use broker::{DocumentError, DocumentFetcher, FetchError, Fetched, StrangerFetcher};
use http::{Request, Response};
use oauth::{HttpClient, TransportError, TransportErrorKind};
use protocol::{AgentId, Loopback};
use reqwest::redirect::Policy;
use rustls::ClientConfig;
use url::{Host, Url};

use crate::egress::addresses::{Refused, VettedResolver};
pub(crate) use crate::egress::collector::{CollectorClient, Unsent};
pub(crate) use crate::egress::descriptions::{DescriptionClient, Got, Unfetched};
use crate::egress::freshness::{is_json, max_age};

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

/// For agents' identity documents, and what OAuth clients' URLs lead to, which strangers choose: public addresses alone, checked on the addresses that are connected to.
pub(crate) struct DocumentClient {
    client: reqwest::Client,
    loopback: Loopback,
}

impl DocumentClient {
    /// A client that verifies by `tls`; a development setting lets it connect to loopback.
    pub(crate) fn new(tls: ClientConfig, loopback: Loopback) -> Result<Self, reqwest::Error> {
        let resolver = VettedResolver::new(loopback);
        let client = builder(tls).dns_resolver(resolver).pool_max_idle_per_host(0).build()?;
        Ok(Self { client, loopback })
    }
}

impl DocumentClient {
    /// The head and the body of what is there, with status 200 and of `most` bytes at most.
    async fn get(&self, url: Url, most: usize, time: Duration) -> Result<(reqwest::Response, Vec<u8>), FetchError> {
        // A resolver is never asked about an address written out as such.
        addresses::check_literal(&url, self.loopback).map_err(|Refused| FetchError::Address)?;
        let request = self.client.get(url).header(http::header::ACCEPT, "application/json").timeout(time);
        let mut answer = request.send().await.map_err(|error| unreachable(&error))?;
        if answer.status() != http::StatusCode::OK {
            return Err(FetchError::Status);
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| unreachable(&error))? {
            if body.len() + chunk.len() > most {
                return Err(FetchError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok((answer, body))
    }
}

#[async_trait]
impl DocumentFetcher for DocumentClient {
    async fn fetch(&self, agent: &AgentId) -> Result<Vec<u8>, DocumentError> {
        let url = agent.url().ok_or(DocumentError::Form)?;
        let fetched = self.get(url, DOCUMENT_LIMIT, DOCUMENT_TIMEOUT).await;
        fetched.map(|(_, body)| body).map_err(|error| match error {
            FetchError::Busy => DocumentError::Busy,
            FetchError::Address => DocumentError::Address,
            FetchError::Status => DocumentError::Status,
            FetchError::TooLarge => DocumentError::TooLarge,
            FetchError::Unreachable | FetchError::Kind => DocumentError::Unreachable,
        })
    }
}

#[async_trait]
impl StrangerFetcher for DocumentClient {
    async fn fetch(&self, url: &Url, most: usize) -> Result<Fetched, FetchError> {
        // TLS and the usual port, so that no client sends the gateway to knock at others' doors; anything on this machine in development.
        let usual = url.scheme() == "https" && url.port().is_none();
        let here = self.loopback == Loopback::Allowed && is_this_machine(url);
        if !usual && !here {
            return Err(FetchError::Address);
        }
        let (answer, body) = self.get(url.clone(), most, STRANGER_TIMEOUT).await?;
        if !is_json(answer.headers()) {
            return Err(FetchError::Kind);
        }
        Ok(Fetched { body, max_age: max_age(answer.headers()) })
    }
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
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

/// What the listener of this very machine's gateway is asked with, whether it is well: whatever its certificate says, since it is for other names
/// than the address that is asked, nothing is told, and nothing is made of the answer but one word.
pub(crate) fn own_client(timeout: Duration) -> Result<reqwest::Client, reqwest::Error> {
    builder(crate::tls::of_this_machine()).http1_only().timeout(timeout).build()
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

fn unreachable(error: &reqwest::Error) -> FetchError {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.is::<Refused>() {
            return FetchError::Address;
        }
        cause = error.source();
    }
    FetchError::Unreachable
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
pub(crate) const PROVIDER_TIMEOUT: Duration = Duration::from_secs(30);
const PROVIDER_LIMIT: usize = 256 * 1024;
const DOCUMENT_TIMEOUT: Duration = Duration::from_secs(5);
const STRANGER_TIMEOUT: Duration = Duration::from_secs(3);
const DOCUMENT_LIMIT: usize = 64 * 1024;
