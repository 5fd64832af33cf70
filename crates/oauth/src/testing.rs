//! What the tests of this crate share.

use std::fmt::Write;
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use data_encoding::BASE64URL_NOPAD;
use http::{Request, Response};
use secret::{Entropy, IdToken};
use serde_json::Value;

use crate::{Endpoint, HttpClient, Outside, Plaintext, Settings, TransportError};

pub(crate) const NOW: u64 = 1_790_000_000;

pub(crate) fn endpoint(text: &str) -> Endpoint {
    Endpoint::parse(text, Plaintext::Refused).expect("an endpoint")
}

pub(crate) fn settings() -> Settings {
    Settings::new(
        endpoint("https://id.example/authorize"),
        endpoint("https://id.example/token"),
        "gateway",
        "https://gateway.example/ath/callback",
    )
}

pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Response<Vec<u8>> {
    let answer =
        headers.iter().fold(Response::builder().status(status), |answer, (name, value)| answer.header(*name, *value));
    answer.body(body.as_ref().to_vec()).expect("an answer")
}

/// An ID token with these claims, signed by nobody.
pub(crate) fn id_token(claims: &Value) -> IdToken {
    IdToken::new(format!("e30.{}.c2ln", BASE64URL_NOPAD.encode(claims.to_string().as_bytes())))
}

/// A request as text: method and URL, headers in alphabetical order, an empty line, the body.
pub(crate) fn written(request: &Request<Vec<u8>>) -> String {
    let mut headers: Vec<_> = request.headers().iter().collect();
    headers.sort_by_key(|(name, _)| name.as_str());
    let mut text = format!("{} {}\n", request.method(), request.uri());
    for (name, value) in headers {
        let mark = if value.is_sensitive() { " (sensitive)" } else { "" };
        writeln!(text, "{name}: {}{mark}", value.to_str().expect("ASCII")).expect("text grows");
    }
    text.push('\n');
    text.push_str(std::str::from_utf8(request.body()).expect("UTF-8"));
    text
}

/// Gives one answer, once, and keeps the request. A second request fails the test: one call is one request.
pub(crate) struct FakeClient {
    answer: Mutex<Option<Result<Response<Vec<u8>>, TransportError>>>,
    request: Mutex<Option<String>>,
}

impl FakeClient {
    pub(crate) fn new(answer: Result<Response<Vec<u8>>, TransportError>) -> Self {
        Self { answer: Mutex::new(Some(answer)), request: Mutex::new(None) }
    }

    pub(crate) fn answering(status: u16, body: &str) -> Self {
        Self::new(Ok(answer(status, &[("content-type", "application/json")], body)))
    }

    /// One that nobody may ask.
    pub(crate) fn silent() -> Self {
        Self { answer: Mutex::new(None), request: Mutex::new(None) }
    }

    /// The request that was sent, [`written`].
    pub(crate) fn request(&self) -> Option<String> {
        self.request.lock().expect("no panic elsewhere").clone()
    }
}

/// The world of a call that this client answers.
pub(crate) fn outside(http: &dyn HttpClient) -> Outside<'_> {
    Outside { http, now: NOW, entropy: &Fixed }
}

/// The same bytes each time.
struct Fixed;

impl Entropy for Fixed {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

#[async_trait]
impl HttpClient for FakeClient {
    async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, TransportError> {
        *self.request.lock().expect("no panic elsewhere") = Some(written(&request));
        self.answer.lock().expect("no panic elsewhere").take().expect("a request that was not foreseen")
    }
}

/// The output of a future that waits for nothing, which must be `Send` to live on any runtime.
pub(crate) fn ready<F: Future + Send>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the fake client answers at once"),
    }
}
