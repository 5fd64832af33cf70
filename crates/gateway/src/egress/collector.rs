use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use rustls::ClientConfig;
use url::Url;

use super::builder;

/// Towards the collector that the operator configured: any address.
pub(crate) struct CollectorClient {
    client: reqwest::Client,
    headers: HeaderMap,
    timeout: Duration,
}

/// Why a collector did not take what it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsent {
    #[error("it cannot be reached")]
    Unreachable,
    #[error("it does not answer in time")]
    Late,
    #[error("it answers {0}, which may pass")]
    Busy(u16),
    #[error("it answers {0}")]
    Refused(u16),
}

impl Unsent {
    /// Whether the same may be taken later (OTLP 1, retryable responses).
    pub(crate) fn passes(self) -> bool {
        !matches!(self, Self::Refused(_))
    }
}

impl CollectorClient {
    /// A client that verifies by `tls`, sends `headers` with everything, and waits for `timeout` at most.
    pub(crate) fn new(tls: ClientConfig, headers: HeaderMap, timeout: Duration) -> Result<Self, reqwest::Error> {
        Ok(Self { client: builder(tls).build()?, headers, timeout })
    }

    /// Sends one export, and gives back what the collector says of it.
    pub(crate) async fn send(&self, url: &Url, body: Vec<u8>) -> Result<Vec<u8>, Unsent> {
        let request = self.client.post(url.clone()).headers(self.headers.clone());
        let request = request.header(header::CONTENT_TYPE, PROTOBUF).timeout(self.timeout).body(body);
        let mut answer = request.send().await.map_err(|error| unsent(&error))?;
        match answer.status() {
            status if status.is_success() => {}
            status @ (StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT) => return Err(Unsent::Busy(status.as_u16())),
            status => return Err(Unsent::Refused(status.as_u16())),
        }
        let mut said = Vec::new();
        // It has taken everything; what it says besides is small, or not listened to.
        while let Ok(Some(chunk)) = answer.chunk().await {
            if said.len() + chunk.len() > MOST {
                return Ok(Vec::new());
            }
            said.extend_from_slice(&chunk);
        }
        Ok(said)
    }
}

fn unsent(error: &reqwest::Error) -> Unsent {
    if error.is_timeout() { Unsent::Late } else { Unsent::Unreachable }
}

const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");
const MOST: usize = 64 * 1024;
