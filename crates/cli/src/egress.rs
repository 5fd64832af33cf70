//! The one place where requests are made: no redirect is followed, no proxy taken from the environment, and everything ends in time.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Request, Response, StatusCode};
use rustls::{ClientConfig, RootCertStore};

use crate::{Code, Failure};

/// Makes requests.
#[derive(Debug, Clone)]
pub(crate) struct Egress {
    client: reqwest::Client,
    timeout: Duration,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Egress {
    /// Verifies by the machine's roots, or by those that `SSL_CERT_FILE` names; a request has `timeout` for everything.
    pub(crate) fn new(timeout: Duration) -> Result<Self, Failure> {
        let tls = tls().map_err(|error| local(&error))?;
        let client = builder(tls).timeout(timeout).build().map_err(|error| local(&error))?;
        Ok(Self { client, timeout })
    }

    /// How long a request may take.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// What requests are made of.
    pub(crate) fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// The head of an answer; its body comes as it is read.
    pub(crate) async fn send(&self, request: Request) -> Result<Response, Failure> {
        self.client.execute(request).await.map_err(|error| unreached(&error))
    }

    /// A whole answer of the gateway's own, which is never large.
    pub(crate) async fn ask(&self, request: Request) -> Result<Answer, Failure> {
        let response = self.send(request).await?;
        Answer::read(response, OWN_LIMIT).await?.ok_or_else(|| {
            let hint = "Check the gateway's URL with whoever runs it; it is its public_url.";
            Failure::new(Code::GatewayUnreachable, "What answers says more than a gateway does.", hint)
        })
    }
}

impl Answer {
    /// Reads the body to its end; none where it has more than `most` bytes.
    pub(crate) async fn read(mut response: Response, most: usize) -> Result<Option<Self>, Failure> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| unreached(&error))? {
            if body.len() + chunk.len() > most {
                return Ok(None);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Some(Self { status: response.status(), headers: response.headers().clone(), body }))
    }

    /// The request's name in the gateway's logs.
    pub(crate) fn request_id(&self) -> Option<String> {
        request_id(&self.headers)
    }
}

/// The request's name in the gateway's logs.
pub(crate) fn request_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get("x-request-id").map(HeaderValue::to_str)?.ok()?;
    (id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')).then(|| id.to_owned())
}

/// Why no answer came, as far as it can be told without repeating a URL.
pub(crate) fn unreached(error: &reqwest::Error) -> Failure {
    if error.is_timeout() && !error.is_connect() {
        return Failure {
            retryable: true,
            ..Failure::new(
                Code::TimedOut,
                "The answer did not come in time.",
                "Give it longer by --timeout; look whether it was done before you repeat what changes something.",
            )
        };
    }
    let hint = if error.is_connect() {
        "Check the gateway's URL and your network; `ath doctor` says where it ends."
    } else {
        "Try again; `ath doctor` says what is wrong between here and the gateway."
    };
    let message = format!("The gateway cannot be reached: {}.", innermost(error));
    Failure { retryable: true, ..Failure::new(Code::GatewayUnreachable, message, hint) }
}

fn innermost(error: &reqwest::Error) -> String {
    let mut cause: Option<&dyn Error> = error.source();
    let mut told = "no connection".to_owned();
    while let Some(error) = cause {
        told = error.to_string();
        cause = error.source();
    }
    told
}

fn local(error: &dyn Error) -> Failure {
    Failure::new(
        Code::Local,
        format!("TLS cannot be set up: {error}."),
        "Check SSL_CERT_FILE and the machine's certificates.",
    )
}

/// How servers prove themselves.
pub(crate) fn tls() -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
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
        .user_agent(concat!("ath/", env!("CARGO_PKG_VERSION")))
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of an answer of the gateway's own.
const OWN_LIMIT: usize = 4 * 1024 * 1024;
