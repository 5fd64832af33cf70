//! The keys that others' statements are verified with: those of clients, and of an enterprise.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, StatusCode, header};
use jwt::{KeySet, KeySetError};
use limits::Limit;
use oauth::{HttpClient, TransportError};
use protocol::Clock;
use serde_json::Value;
use url::Url;

use crate::fetches::{Busy, FetchError, Fetches, Named, StrangerFetcher};

/// Where keys are.
#[derive(Debug, Clone, Copy)]
pub(crate) enum KeysOf<'a> {
    /// In a registration, or in the configuration: a JWK set.
    Given(&'a Value),
    /// At a URL that a client named.
    Stranger(&'a Url),
    /// At a URL that the operator named: it may lead into their own network.
    Operator(&'a Url),
}

/// Why there are no keys.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum KeysProblem {
    #[error("{0}")]
    Fetch(#[from] FetchError),
    #[error("{0}")]
    Transport(#[source] Arc<TransportError>),
    #[error("it is no JSON object, or has a name twice")]
    Form,
    #[error("it {0}")]
    Set(#[from] KeySetError),
}

impl From<Busy> for KeysProblem {
    fn from(_: Busy) -> Self {
        Self::Fetch(FetchError::Busy)
    }
}

/// JWK sets as they were fetched, remembered for ten minutes.
pub(crate) struct KeySets {
    strangers: Arc<dyn StrangerFetcher>,
    operators: Arc<dyn HttpClient>,
    fetches: Fetches<Arc<KeySet>, KeysProblem>,
}

impl KeySets {
    pub(crate) fn new(
        strangers: Arc<dyn StrangerFetcher>,
        operators: Arc<dyn HttpClient>,
        clock: Arc<dyn Clock>,
        per_host: Limit,
    ) -> Self {
        Self { strangers, operators, fetches: Fetches::new(clock, per_host, MOST_SETS) }
    }

    /// The keys: given, remembered, or fetched.
    pub(crate) async fn get(&self, keys: KeysOf<'_>) -> Result<Arc<KeySet>, KeysProblem> {
        let (KeysOf::Stranger(url) | KeysOf::Operator(url)) = keys else { return given(keys) };
        let (name, origin) = names(keys, url);
        self.fetches.get(Named { name: &name, origin: &origin }, self.fetch(keys)).await
    }

    /// The same past what is remembered, where a statement does not verify: the keys may have changed. At most once a minute, and `None`
    /// where nothing could be new.
    pub(crate) async fn anew(&self, keys: KeysOf<'_>) -> Option<Result<Arc<KeySet>, KeysProblem>> {
        let (KeysOf::Stranger(url) | KeysOf::Operator(url)) = keys else { return None };
        let (name, origin) = names(keys, url);
        self.fetches.anew(Named { name: &name, origin: &origin }, self.fetch(keys)).await
    }

    async fn fetch(&self, keys: KeysOf<'_>) -> Result<(Arc<KeySet>, Duration), KeysProblem> {
        let body = match keys {
            KeysOf::Given(_) => return Ok((given(keys)?, KEEP)),
            KeysOf::Stranger(url) => self.strangers.fetch(url, LARGEST).await?.body,
            KeysOf::Operator(url) => self.operators_own(url).await?,
        };
        let set = jwt::object(&body).map_err(|_| KeysProblem::Form)?;
        Ok((Arc::new(KeySet::parse(&Value::Object(set))?), KEEP))
    }

    async fn operators_own(&self, url: &Url) -> Result<Vec<u8>, KeysProblem> {
        let request = Request::builder().method(Method::GET).uri(url.as_str());
        let request = request.header(header::ACCEPT, "application/json").body(Vec::new());
        let answer = self.operators.send(request.map_err(|_| FetchError::Unreachable)?).await;
        let answer = answer.map_err(|error| KeysProblem::Transport(Arc::new(error)))?;
        if answer.status() != StatusCode::OK {
            return Err(FetchError::Status.into());
        }
        if answer.body().len() > LARGEST {
            return Err(FetchError::TooLarge.into());
        }
        Ok(answer.into_body())
    }
}

fn given(keys: KeysOf<'_>) -> Result<Arc<KeySet>, KeysProblem> {
    let KeysOf::Given(set) = keys else { return Err(KeysProblem::Form) };
    Ok(Arc::new(KeySet::parse(set)?))
}

/// What it is remembered under, and what its host's limit is. What a stranger names is never answered with what was fetched for the
/// operator, nor does it take from what the operator may ask for.
fn names(keys: KeysOf<'_>, url: &Url) -> (String, String) {
    let origin = url.origin().ascii_serialization();
    match keys {
        KeysOf::Operator(_) => (format!("operator {url}"), format!("operator {origin}")),
        KeysOf::Given(_) | KeysOf::Stranger(_) => (format!("stranger {url}"), origin),
    }
}

const KEEP: Duration = Duration::from_secs(10 * 60);
/// In bytes.
const LARGEST: usize = 64 * 1024;
const MOST_SETS: usize = 500;
