//! What arrived at the API, for tests that want to see what an upstream sees.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use futures_util::TryStreamExt;
use http::{HeaderMap, Method};
use serde::{Serialize, Serializer};

use crate::state::Helpdesk;

/// One request to the API, as it arrived.
#[derive(Clone, Debug, Serialize)]
pub struct RecordedRequest {
    /// The method. As JSON, a string.
    #[serde(serialize_with = "method")]
    pub method: Method,
    /// Path and query, byte for byte.
    pub target: String,
    /// Every header, credentials included. As JSON, an object of arrays.
    #[serde(serialize_with = "headers")]
    pub headers: HeaderMap,
    /// How many bytes of the body have been read so far, without the transfer coding.
    pub body_bytes: u64,
}

/// A request whose body may still be arriving.
pub(crate) struct Recorded {
    method: Method,
    target: String,
    headers: HeaderMap,
    body_bytes: Arc<AtomicU64>,
}

impl Recorded {
    pub(crate) fn snapshot(&self) -> RecordedRequest {
        RecordedRequest {
            method: self.method.clone(),
            target: self.target.clone(),
            headers: self.headers.clone(),
            body_bytes: self.body_bytes.load(Ordering::Relaxed),
        }
    }
}

/// Middleware: counts and records a request before anything decides about it.
pub(crate) async fn record(State(helpdesk): State<Helpdesk>, request: Request, next: Next) -> Response {
    let body_bytes = Arc::new(AtomicU64::new(0));
    remember(&helpdesk, &request, body_bytes.clone());
    let counted = request.map(|body| {
        Body::from_stream(body.into_data_stream().inspect_ok(move |chunk| {
            body_bytes.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        }))
    });
    next.run(counted).await
}

/// The headers as JSON shows them: each name with all its values; bytes that are not UTF-8 are replaced.
pub(crate) fn by_name(headers: &HeaderMap) -> BTreeMap<&str, Vec<String>> {
    let mut names: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, value) in headers {
        names.entry(name.as_str()).or_default().push(String::from_utf8_lossy(value.as_bytes()).into_owned());
    }
    names
}

fn remember(helpdesk: &Helpdesk, request: &Request, body_bytes: Arc<AtomicU64>) {
    let recorded = Recorded {
        method: request.method().clone(),
        target: request.uri().path_and_query().map(ToString::to_string).unwrap_or_default(),
        headers: request.headers().clone(),
        body_bytes,
    };
    let mut state = helpdesk.state();
    state.counters.api_requests += 1;
    if state.recorded.len() == MOST_RECORDED {
        state.recorded.pop_front();
    }
    state.recorded.push_back(recorded);
}

fn method<S: Serializer>(method: &Method, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(method.as_str())
}

fn headers<S: Serializer>(headers: &HeaderMap, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(by_name(headers))
}

const MOST_RECORDED: usize = 10_000;

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::Request;

    use crate::testing::Desk;

    #[tokio::test]
    async fn requests_are_recorded_as_they_arrived_even_without_a_token() {
        let desk = Desk::new();
        let request = Request::post("/tickets/%31?a=b%20c&&d")
            .header("x-one", "1")
            .header("x-one", "2")
            .body(Body::from("12345"))
            .unwrap();
        assert_eq!(desk.send(request).await.status, 405);
        let recorded = desk.helpdesk.recorded_requests();
        assert_eq!(recorded.len(), 1);
        assert_eq!(recorded[0].method, "POST");
        assert_eq!(recorded[0].target, "/tickets/%31?a=b%20c&&d");
        assert_eq!(recorded[0].headers.get_all("x-one").iter().collect::<Vec<_>>(), ["1", "2"]);
    }

    #[tokio::test]
    async fn the_length_of_the_body_is_what_was_read() {
        let desk = Desk::new();
        let token = desk.access_token("alice@acme.test", "write:tickets").await;
        desk.api("POST", "/echo", &token, "twelve bytes").await;
        assert_eq!(desk.helpdesk.recorded_requests()[0].body_bytes, 12);
    }

    #[tokio::test]
    async fn pages_tokens_and_health_are_not_api_requests() {
        let desk = Desk::new();
        desk.access_token("alice@acme.test", "read:tickets").await;
        desk.get("/health").await;
        assert_eq!(desk.helpdesk.counters().api_requests, 0);
        assert!(desk.helpdesk.recorded_requests().is_empty());
        desk.get("/nothing/here").await;
        assert_eq!(desk.helpdesk.counters().api_requests, 1);
    }
}
