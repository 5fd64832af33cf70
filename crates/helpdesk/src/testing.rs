//! A helpdesk without a network, for the tests of this crate: time stands still and randomness counts.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, response::Response};
use http::{HeaderMap, Request, StatusCode, header};
use serde_json::Value;
use tower_service::Service;

use crate::{Helpdesk, Settings};

pub(crate) const CALLBACK: &str = "http://127.0.0.1:8080/ath/callback";

/// `CALLBACK` in a query, with the parameters that every authorization request has.
pub(crate) const AUTHORIZE: &str = "/authorize?response_type=code&client_id=ath-gateway\
    &redirect_uri=http%3A%2F%2F127.0.0.1%3A8080%2Fath%2Fcallback";

pub(crate) const CLIENT: [(&str, &str); 2] = [("client_id", "ath-gateway"), ("client_secret", "helpdesk-secret")];

pub(crate) struct Desk {
    pub(crate) helpdesk: Helpdesk,
    router: Router,
    now: Arc<AtomicU64>,
}

/// An answer that was read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Desk {
    /// A helpdesk with default switches that knows `CALLBACK`.
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings { redirect_uris: vec![CALLBACK.to_owned()], ..Settings::default() };
        change(&mut settings);
        let draws = AtomicU8::new(0);
        let now = Arc::new(AtomicU64::new(1_800_000_000)); // 2027-01-15T08:00:00Z
        let clock = now.clone();
        let helpdesk = Helpdesk::new(
            settings,
            Arc::new(move |bytes| bytes.fill(draws.fetch_add(1, Ordering::Relaxed))),
            Arc::new(move || Duration::from_secs(clock.load(Ordering::Relaxed))),
        );
        Self { router: helpdesk.router_with_control(), helpdesk, now }
    }

    pub(crate) fn pass_seconds(&self, seconds: u64) {
        self.now.fetch_add(seconds, Ordering::Relaxed);
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.router.clone().call(request).await.unwrap().into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Answer { status: parts.status, headers: parts.headers, text: String::from_utf8_lossy(&bytes).into_owned() }
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.send(Request::get(target).body(Body::empty()).unwrap()).await
    }

    /// An API request of which only the head of the answer was read.
    pub(crate) async fn open(&self, method: &str, target: &str, token: &str, body: impl Into<Body>) -> Response {
        self.router.clone().call(bearing(method, target, token, body)).await.unwrap()
    }

    pub(crate) async fn api(&self, method: &str, target: &str, token: &str, body: impl Into<Body>) -> Answer {
        self.send(bearing(method, target, token, body)).await
    }

    pub(crate) async fn form(&self, target: &str, cookie: &str, fields: &[(&str, &str)]) -> Answer {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::post(target)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::COOKIE, cookie);
        self.send(request.body(body.into()).unwrap()).await
    }

    /// A token or revocation request of the client, by `client_secret_post`.
    pub(crate) async fn post_as_client(&self, target: &str, fields: &[(&str, &str)]) -> Answer {
        self.form(target, "", &[&CLIENT, fields].concat()).await
    }

    pub(crate) async fn exchange(&self, code: &str) -> Answer {
        let fields = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", CALLBACK)];
        self.post_as_client("/token", &fields).await
    }

    pub(crate) async fn refresh(&self, token: &str) -> Answer {
        self.post_as_client("/token", &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    /// The consent page for a request that needs a login first, and the session cookie.
    pub(crate) async fn sign_in(&self, target: &str, user: &str) -> (Answer, String) {
        let login = self.get(target).await;
        let fields = [("request", login.field("request")), ("username", user), ("password", "demo1234")];
        let consent = self.form("/login", "", &fields).await;
        let cookie = consent.headers[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
        (consent, cookie)
    }

    /// The query of the redirect after the user answered the consent page.
    pub(crate) async fn decide(&self, target: &str, user: &str, decision: &str) -> Vec<(String, String)> {
        let (consent, cookie) = self.sign_in(target, user).await;
        let fields = [("request", consent.field("request")), ("decision", decision)];
        self.form("/consent", &cookie, &fields).await.redirect()
    }

    /// A code for a user who allowed these scopes.
    pub(crate) async fn code(&self, user: &str, scope: &str) -> String {
        let scope: String = form_urlencoded::byte_serialize(scope.as_bytes()).collect();
        let query = self.decide(&format!("{AUTHORIZE}&scope={scope}"), user, "allow").await;
        assert_eq!(query[0].0, "code", "{query:?}");
        query[0].1.clone()
    }

    /// The token response for a user who allowed these scopes.
    pub(crate) async fn tokens(&self, user: &str, scope: &str) -> Value {
        self.exchange(&self.code(user, scope).await).await.json()
    }

    pub(crate) async fn access_token(&self, user: &str, scope: &str) -> String {
        self.tokens(user, scope).await["access_token"].as_str().unwrap().to_owned()
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The value of a hidden field.
    pub(crate) fn field(&self, name: &str) -> &str {
        let start = format!("type=\"hidden\" name=\"{name}\" value=\"");
        self.text.split_once(&start).expect(&self.text).1.split_once('"').unwrap().0
    }

    /// The query of a redirect to `CALLBACK`.
    pub(crate) fn redirect(&self) -> Vec<(String, String)> {
        assert_eq!(self.status, 303, "{}", self.text);
        let location = self.headers[header::LOCATION].to_str().unwrap();
        let query = location.strip_prefix(CALLBACK).and_then(|rest| rest.strip_prefix('?')).expect(location);
        form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }
}

fn bearing(method: &str, target: &str, token: &str, body: impl Into<Body>) -> Request<Body> {
    let request = Request::builder().method(method).uri(target);
    request.header(header::AUTHORIZATION, format!("Bearer {token}")).body(body.into()).unwrap()
}
