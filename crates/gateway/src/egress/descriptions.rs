use std::time::Duration;

use http::{HeaderValue, StatusCode, header};
use mcp::openapi::MAX_BYTES;
use rustls::ClientConfig;
use url::Url;

use super::builder;

/// For what services say of themselves, at URLs that the operator configured: any address.
pub(crate) struct DescriptionClient(reqwest::Client);

/// What was there.
pub(crate) enum Got {
    /// What was there before.
    Same,
    /// A document, and the mark to ask with the next time.
    New { text: Vec<u8>, mark: Option<HeaderValue> },
}

/// Why nothing was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfetched {
    #[error("it cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    #[error("it answers {}, and not 200", .0.as_u16())]
    Status(StatusCode),
    #[error("it is larger than 16 MiB")]
    TooLarge,
}

impl DescriptionClient {
    /// A client that verifies by `tls`.
    pub(crate) fn new(tls: ClientConfig) -> Result<Self, reqwest::Error> {
        Ok(Self(builder(tls).pool_max_idle_per_host(0).build()?))
    }

    /// What is there now; `mark` is that of the document which is known.
    pub(crate) async fn fetch(&self, url: &Url, mark: Option<&HeaderValue>) -> Result<Got, Unfetched> {
        let unreachable = |error: reqwest::Error| Unfetched::Unreachable(error.without_url());
        let mut request = self.0.get(url.clone()).header(header::ACCEPT, ACCEPTED).timeout(TIMEOUT);
        if let Some(mark) = mark {
            request = request.header(header::IF_NONE_MATCH, mark);
        }
        let mut answer = request.send().await.map_err(unreachable)?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED if mark.is_some() => return Ok(Got::Same),
            status => return Err(Unfetched::Status(status)),
        }
        let mut text = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            if text.len() + chunk.len() > MAX_BYTES {
                return Err(Unfetched::TooLarge);
            }
            text.extend_from_slice(&chunk);
        }
        Ok(Got::New { text, mark: answer.headers().get(header::ETAG).cloned() })
    }
}

const ACCEPTED: &str = "application/json, application/yaml, */*;q=0.5";
/// For all of it.
const TIMEOUT: Duration = Duration::from_secs(30);
