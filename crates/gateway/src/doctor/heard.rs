//! What a provider really said: its status, where it sends one, a code that nobody looked for. Nothing else of its answers is kept.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use http::{HeaderMap, Request, Response, StatusCode, header};
use oauth::{HttpClient, Pointer, TransportError};
use protocol::Clock;
use serde_json::Value;

use super::here::{Skew, skew};

/// The way to a provider that remembers the last answer.
pub(super) struct Heard<'a> {
    inner: &'a dyn HttpClient,
    clock: &'a dyn Clock,
    last: Mutex<Option<Said>>,
    skews: Mutex<Vec<Skew>>,
}

/// An answer, as far as it helps to see what is wrong.
#[derive(Clone)]
pub(super) struct Said {
    pub(super) status: StatusCode,
    /// A web page.
    pub(super) page: bool,
    /// Where it sends one, without the query.
    pub(super) location: Option<String>,
    /// It asks for HTTP Basic.
    pub(super) wants_basic: bool,
    /// Code-like words, and where they stand.
    codes: Vec<(String, String)>,
}

impl<'a> Heard<'a> {
    pub(super) fn new(inner: &'a dyn HttpClient, clock: &'a dyn Clock) -> Self {
        Self { inner, clock, last: Mutex::default(), skews: Mutex::default() }
    }

    /// The answer to the last request; `None` where there was none.
    pub(super) fn last(&self) -> Option<Said> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How far the clocks of those who answered are before this machine's.
    pub(super) fn skews(&self) -> Vec<Skew> {
        self.skews.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self, said: Option<Said>) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = said;
    }
}

#[async_trait]
impl HttpClient for Heard<'_> {
    async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, TransportError> {
        self.remember(None);
        let answer = self.inner.send(request).await?;
        let date = text(answer.headers(), &header::DATE);
        let skew = date.and_then(|date| skew(date, self.clock.now().as_secs()));
        self.skews.lock().unwrap_or_else(PoisonError::into_inner).extend(skew);
        self.remember(Some(Said::of(&answer)));
        Ok(answer)
    }
}

impl Said {
    fn of(answer: &Response<Vec<u8>>) -> Self {
        let headers = answer.headers();
        let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        let codes = PLACES.iter().filter_map(|place| Some(((*place).to_owned(), code_in(body.pointer(place)?)?)));
        Self {
            status: answer.status(),
            page: text(headers, &header::CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/html")),
            location: text(headers, &header::LOCATION)
                .map(|to| to.split(['?', '#']).next().unwrap_or_default().to_owned()),
            wants_basic: text(headers, &header::WWW_AUTHENTICATE)
                .is_some_and(|challenge| challenge.to_ascii_lowercase().starts_with("basic")),
            codes: codes.collect(),
        }
    }

    /// The code in one of the places where the configuration looks for it.
    pub(super) fn code(&self, places: &[Pointer]) -> Option<&str> {
        let known = |place: &str| places.iter().any(|pointer| pointer.as_str() == place);
        self.codes.iter().find(|(place, _)| known(place)).map(|(_, code)| code.as_str())
    }

    /// A code where the configuration does not look, and its place.
    pub(super) fn hidden_code(&self, places: &[Pointer]) -> Option<(&str, &str)> {
        if self.code(places).is_some() {
            return None;
        }
        self.codes.first().map(|(place, code)| (place.as_str(), code.as_str()))
    }

    /// There is no such endpoint.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self.status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::GONE)
    }
}

/// A short word as codes are: nothing that could hold a person's data or a token.
fn code_in(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    (plain && !text.is_empty() && text.len() <= 48).then(|| text.to_owned())
}

fn text<'h>(headers: &'h HeaderMap, name: &http::HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// Where servers put the codes of their errors.
const PLACES: [&str; 8] =
    ["/error", "/error/code", "/error/type", "/error_code", "/errorCode", "/code", "/errors/0/code", "/data/error"];
