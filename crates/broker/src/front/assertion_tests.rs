use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use http::{Request, Response};
use jwt::IssuerKey;
use oauth::{HttpClient, TransportError, TransportErrorKind};
use protocol::ManualClock;
use secret::SeededEntropy;
use serde_json::json;
use store::MemoryStore;
use url::Url;

use super::*;
use crate::fetches::{Fetched, StrangerFetcher};
use crate::tests::{ActingProvider, NOW, parts};
use crate::{FrontSettings, Parts, Settings};

/// Serves JWK sets by their URL, to strangers' fetcher and to the operator's client; and counts.
#[derive(Default)]
struct Web {
    pages: Mutex<HashMap<String, String>>,
    asked: AtomicUsize,
}

impl Web {
    fn put(&self, url: &str, page: Option<&str>) {
        let mut pages = self.pages.lock().expect("no panic");
        match page {
            None => drop(pages.remove(url)),
            Some(page) => drop(pages.insert(url.to_owned(), page.to_owned())),
        }
    }

    fn page(&self, url: &str) -> Option<Vec<u8>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.pages.lock().expect("no panic").get(url).map(|page| page.clone().into_bytes())
    }
}

#[async_trait]
impl StrangerFetcher for Web {
    async fn fetch(&self, url: &Url, most: usize) -> Result<Fetched, FetchError> {
        assert_eq!(most, 64 * 1024);
        let body = self.page(url.as_str()).ok_or(FetchError::Unreachable)?;
        Ok(Fetched { body, max_age: None })
    }
}

#[async_trait]
impl HttpClient for Web {
    async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, TransportError> {
        let body = self.page(&request.uri().to_string());
        body.map(Response::new).ok_or_else(|| TransportError::new(TransportErrorKind::Connect, "nothing listens"))
    }
}

struct Bench {
    broker: Broker,
    clock: Arc<ManualClock>,
    strangers: Arc<Web>,
    operators: Arc<Web>,
    key: IssuerKey,
}

const ISSUER: &str = "https://login.example";
const KEYS: &str = "https://login.example/keys";
const GATEWAY: &str = "https://gateway.example";

impl Bench {
    fn new() -> Self {
        Self::with(IdentityAssertions::Taken)
    }

    fn with(identity_assertions: IdentityAssertions) -> Self {
        let clock = Arc::new(ManualClock::at(NOW));
        let (strangers, operators) = (Arc::new(Web::default()), Arc::new(Web::default()));
        let keys = EnterpriseKeys::At(Url::parse(KEYS).expect("a URL"));
        let enterprise = Enterprise { issuer: ISSUER.to_owned(), keys, identity_assertions };
        let front = FrontSettings { enterprise: Some(enterprise), ..FrontSettings::default() };
        let parts = parts(Arc::new(MemoryStore::new(clock.clone())), &clock, Arc::new(ActingProvider::default()));
        let settings = Settings { front, strangers: strangers.clone(), operators: operators.clone(), ..parts.settings };
        let broker = Broker::new(Parts { settings, ..parts });
        let key = drawn(1);
        operators.pages.lock().expect("no panic").insert(KEYS.to_owned(), set(&[&key]).to_string());
        Self { broker, clock, strangers, operators, key }
    }

    fn serve(&self, url: &str, keys: &[&IssuerKey]) {
        self.strangers.pages.lock().expect("no panic").insert(url.to_owned(), set(keys).to_string());
    }

    async fn client(&self, token: &str, keys: KeysOf<'_>) -> Result<(), &'static str> {
        self.broker.verify_client_assertion(token, "backoffice", keys).await.map_err(|error| word(&error))
    }

    /// By this bench's key, after `change`.
    async fn client_with(&self, change: impl FnOnce(&mut Value)) -> Result<(), &'static str> {
        let mut claims = client_claims();
        change(&mut claims);
        let keys = set(&[&self.key]);
        self.client(&self.sign("JWT", &claims), KeysOf::Given(&keys)).await
    }

    async fn id_token(&self, change: impl FnOnce(&mut Value)) -> Result<Somebody, &'static str> {
        let mut claims = json!({
            "iss": ISSUER, "sub": "u-1", "aud": "web", "iat": NOW.as_secs(), "exp": NOW.as_secs() + 600, "email": "ada@acme.test",
        });
        change(&mut claims);
        let audiences = ["web".to_owned(), "mobile".to_owned()];
        let token = self.sign("JWT", &claims);
        self.broker.verify_id_token(&token, &audiences).await.map_err(|error| word(&error))
    }

    async fn jag(
        &self,
        typ: &str,
        change: impl FnOnce(&mut Value),
    ) -> Result<(Somebody, Option<String>, Option<String>), &'static str> {
        let mut claims = json!({
            "iss": ISSUER, "sub": "u-1", "aud": GATEWAY, "client_id": "backoffice", "jti": "j-1", "iat": NOW.as_secs(),
            "exp": NOW.as_secs() + 300, "resource": "https://gateway.example/ath/proxy/crm", "scope": "crm:read",
        });
        change(&mut claims);
        let token = self.sign(typ, &claims);
        self.broker.verify_identity_assertion(&token, "backoffice").await.map_err(|error| word(&error))
    }

    fn sign(&self, typ: &str, claims: &Value) -> String {
        self.key.sign(typ, claims).expect("signed")
    }
}

fn drawn(seed: u64) -> IssuerKey {
    IssuerKey::draw(&SeededEntropy::new(seed)).expect("a key")
}

fn set(keys: &[&IssuerKey]) -> Value {
    json!({"keys": keys.iter().map(|key| key.public_jwk()).collect::<Vec<_>>()})
}

fn word(error: &FrontError) -> &'static str {
    match error {
        FrontError::Grant(problem) => problem.reason(),
        FrontError::GrantType => "grant_type",
        FrontError::TooMany { .. } => "too_many",
        FrontError::KeysUnreachable => "keys_unreachable",
        other => panic!("{other:?}"),
    }
}

fn client_claims() -> Value {
    json!({
        "iss": "backoffice", "sub": "backoffice", "aud": GATEWAY, "jti": "j-1", "iat": NOW.as_secs(), "exp": NOW.as_secs() + 60,
    })
}

#[tokio::test]
async fn a_client_says_who_it_is_once() {
    let bench = Bench::new();
    assert_eq!(bench.client_with(|_| {}).await, Ok(()));
    assert_eq!(bench.client_with(|_| {}).await, Err("assertion_replayed"));
    assert_eq!(
        bench.client_with(|claims| claims["aud"] = json!("https://gateway.example/oauth/token")).await,
        Err("assertion_replayed")
    );
    let again = |claims: &mut Value| {
        claims["jti"] = json!("j-2");
        claims["aud"] = json!("https://gateway.example/oauth/token");
    };
    assert_eq!(bench.client_with(again).await, Ok(()));
    // Another client may have the same name for a statement of its own.
    let mut claims = client_claims();
    (claims["iss"], claims["sub"]) = (json!("other"), json!("other"));
    let keys = set(&[&bench.key]);
    let token = bench.sign("client-authentication+jwt", &claims);
    let other = bench.broker.verify_client_assertion(&token, "other", KeysOf::Given(&keys)).await;
    assert!(other.is_ok(), "{other:?}");
}

#[tokio::test]
async fn a_replay_is_known_for_as_long_as_it_would_be_believed() {
    let bench = Bench::new();
    let long = |claims: &mut Value| claims["exp"] = json!(NOW.as_secs() + 3600);
    assert_eq!(bench.client_with(long).await, Ok(()));
    for _ in 0..59 {
        bench.clock.advance(Duration::from_secs(60));
        assert_eq!(bench.client_with(long).await, Err("assertion_replayed"));
    }
    bench.clock.advance(Duration::from_secs(60));
    assert_eq!(bench.client_with(long).await, Err("assertion_invalid"), "over");
}

#[tokio::test]
async fn of_many_equal_statements_one_is_taken() {
    let bench = Bench::new();
    let all = futures_util::future::join_all((0..100).map(|_| bench.client_with(|_| {}))).await;
    assert_eq!(all.iter().filter(|judged| judged.is_ok()).count(), 1);
    assert!(all.iter().all(|judged| matches!(judged, Ok(()) | Err("assertion_replayed"))));
}

#[tokio::test]
async fn what_is_not_exactly_the_clients_statement_is_none() {
    let bench = Bench::new();
    let invalid = Err("assertion_invalid");
    for (name, value) in [
        ("iss", json!("other")),
        ("iss", json!(ISSUER)),
        ("sub", json!("other")),
        ("sub", json!("")),
        ("aud", json!("https://gateway.example/")),
        ("aud", json!("https://gateway.example/oauth/introspect")),
        ("aud", json!("https://GATEWAY.example")),
        ("aud", json!([GATEWAY])),
        ("aud", json!([GATEWAY, "https://evil.example"])),
        ("aud", json!("https://evil.example")),
        ("aud", json!("backoffice")),
        ("exp", json!(NOW.as_secs())),
        ("exp", json!(NOW.as_secs() + 3661)),
        ("exp", json!(null)),
        ("iat", json!(NOW.as_secs() + 61)),
        ("nbf", json!(NOW.as_secs() + 61)),
        ("jti", json!("")),
        ("jti", json!(7)),
        ("jti", json!("j".repeat(256))),
    ] {
        assert_eq!(bench.client_with(|claims| claims[name] = value.clone()).await, invalid, "{name} {value}");
    }
    let nameless = |claims: &mut Value| drop(claims.as_object_mut().expect("an object").remove("jti"));
    assert_eq!(bench.client_with(nameless).await, invalid);
    let keys = set(&[&bench.key]);
    for typ in ["dpop+jwt", "at+jwt", "oauth-id-jag+jwt"] {
        assert_eq!(bench.client(&bench.sign(typ, &client_claims()), KeysOf::Given(&keys)).await, invalid, "{typ}");
    }
    let strangers = drawn(9).sign("JWT", &client_claims()).expect("signed");
    assert_eq!(bench.client(&strangers, KeysOf::Given(&keys)).await, invalid);
    for token in ["", "a.b.c", "ath_tk_x"] {
        assert_eq!(bench.client(token, KeysOf::Given(&keys)).await, invalid, "{token}");
    }
    assert_eq!(bench.client_with(|_| {}).await, Ok(()), "nothing of that was written down");
}

#[tokio::test]
async fn keys_at_a_url_are_fetched_and_remembered() {
    let bench = Bench::new();
    let url = Url::parse("https://app.example/keys").expect("a URL");
    let (old, new) = (drawn(1), drawn(2));
    bench.serve(url.as_str(), &[&old]);
    let ask = async |key: &IssuerKey, jti: &str| {
        let mut claims = client_claims();
        claims["exp"] = json!(NOW.as_secs() + 3600);
        claims["jti"] = json!(jti);
        bench.client(&key.sign("JWT", &claims).expect("signed"), KeysOf::Stranger(&url)).await
    };
    let asked = || bench.strangers.asked.load(Ordering::Relaxed);
    assert_eq!(ask(&old, "1").await, Ok(()));
    assert_eq!(ask(&old, "2").await, Ok(()));
    assert_eq!(asked(), 1);
    // A key that is not known is asked for, at most once a minute.
    assert_eq!(ask(&new, "3").await, Err("assertion_invalid"));
    assert_eq!(ask(&new, "3").await, Err("assertion_invalid"));
    assert_eq!(asked(), 2);
    bench.serve(url.as_str(), &[&new]);
    assert_eq!(ask(&new, "3").await, Err("assertion_invalid"));
    bench.clock.advance(Duration::from_secs(60));
    assert_eq!(ask(&new, "3").await, Ok(()));
    assert_eq!(asked(), 3);
    assert_eq!(ask(&old, "4").await, Err("assertion_invalid"), "it was taken back");
    bench.clock.advance(Duration::from_secs(600));
    assert_eq!(ask(&new, "5").await, Ok(()));
    assert_eq!((asked(), bench.operators.asked.load(Ordering::Relaxed)), (4, 0));
}

#[tokio::test]
async fn an_operators_url_is_reached_by_the_operators_client_alone() {
    let bench = Bench::new();
    let url = Url::parse(KEYS).expect("a URL");
    let token = bench.sign("JWT", &client_claims());
    assert_eq!(bench.client(&token, KeysOf::Stranger(&url)).await, Err("keys_unreachable"));
    assert_eq!((bench.strangers.asked.load(Ordering::Relaxed), bench.operators.asked.load(Ordering::Relaxed)), (1, 0));
    assert_eq!(bench.client(&token, KeysOf::Operator(&url)).await, Ok(()));
    let replayed = bench.client(&token, KeysOf::Stranger(&url)).await;
    assert_eq!(replayed, Err("keys_unreachable"), "what was fetched for the operator is not for strangers");
}

#[tokio::test]
async fn an_id_token_says_who_somebody_is() {
    let bench = Bench::new();
    let ada =
        Somebody { issuer: ISSUER.to_owned(), subject: "u-1".to_owned(), label: Some("ada@acme.test".to_owned()) };
    for _ in 0..2 {
        assert_eq!(bench.id_token(|_| {}).await, Ok(ada.clone()), "as often as it is presented");
    }
    for (name, value) in [
        ("aud", json!(["web"])),
        ("aud", json!("mobile")),
        ("azp", json!("web")),
        ("typ", json!("ID")),
        ("exp", json!(NOW.as_secs() + 86_400)),
        ("nonce", json!("n")),
    ] {
        assert_eq!(bench.id_token(|claims| claims[name] = value.clone()).await, Ok(ada.clone()), "{name} {value}");
    }
    for (name, value) in [
        ("iss", json!("https://login.example/")),
        ("iss", json!("https://evil.example")),
        ("sub", json!("")),
        ("aud", json!("other")),
        ("aud", json!(["web", "other"])),
        ("aud", json!([])),
        ("aud", json!(GATEWAY)),
        ("azp", json!("other")),
        ("azp", json!(["web"])),
        ("typ", json!("Bearer")),
        ("scope", json!("openid")),
        ("scp", json!(["x"])),
        ("events", json!({"http://schemas.openid.net/event/backchannel-logout": {}})),
        ("exp", json!(NOW.as_secs())),
        ("exp", json!(NOW.as_secs() + 86_401)),
    ] {
        let judged = bench.id_token(|claims| claims[name] = value.clone()).await;
        assert_eq!(judged, Err("assertion_invalid"), "{name} {value}");
    }
    assert_eq!(bench.operators.asked.load(Ordering::Relaxed), 1);
    let token = bench.sign("at+jwt", &json!({"iss": ISSUER, "sub": "u-1", "aud": "web", "exp": NOW.as_secs() + 60}));
    let audiences = ["web".to_owned()];
    assert!(bench.broker.verify_id_token(&token, &audiences).await.is_err());
    let good = bench.sign("JWT", &json!({"iss": ISSUER, "sub": "u-1", "aud": "web", "exp": NOW.as_secs() + 60}));
    assert!(bench.broker.verify_id_token(&good, &audiences).await.is_ok());
    assert!(bench.broker.verify_id_token(&good, &[]).await.is_err(), "of nobody's audiences");
}

#[tokio::test]
async fn an_identity_assertion_is_for_this_gateway_this_client_and_once() {
    let bench = Bench::new();
    let typ = "oauth-id-jag+jwt";
    let (subject, resource, scope) = bench.jag(typ, |_| {}).await.expect("believed");
    assert_eq!((subject.issuer.as_str(), subject.subject.as_str(), subject.label), (ISSUER, "u-1", None));
    assert_eq!(resource.as_deref(), Some("https://gateway.example/ath/proxy/crm"));
    assert_eq!(scope.as_deref(), Some("crm:read"));
    assert_eq!(bench.jag(typ, |_| {}).await, Err("assertion_replayed"));
    for (name, value) in [
        ("iss", json!("https://evil.example")),
        ("aud", json!([GATEWAY])),
        ("aud", json!("https://gateway.example/oauth/token")),
        ("aud", json!("https://gateway.example/")),
        ("client_id", json!("other")),
        ("client_id", json!(null)),
        ("client_id", json!(["backoffice"])),
        ("sub", json!("")),
        ("exp", json!(NOW.as_secs() + 3661)),
        ("resource", json!(["https://gateway.example/ath/proxy/crm"])),
        ("resource", json!(null)),
        ("scope", json!(["crm:read"])),
        ("jti", json!(null)),
    ] {
        let judged = bench
            .jag(typ, |claims| {
                claims["jti"] = json!("j-2");
                claims[name] = value.clone();
            })
            .await;
        assert_eq!(judged, Err("assertion_invalid"), "{name} {value}");
    }
    for typ in ["JWT", "at+jwt", "oauth-id-jag"] {
        assert_eq!(bench.jag(typ, |claims| claims["jti"] = json!("j-2")).await, Err("assertion_invalid"), "{typ}");
    }
    let bare = |claims: &mut Value| {
        claims["jti"] = json!("j-2");
        let claims = claims.as_object_mut().expect("an object");
        claims.retain(|name, _| name != "resource" && name != "scope");
    };
    let (_, resource, scope) = bench.jag(typ, bare).await.expect("believed: nothing of the refused was written down");
    assert_eq!((resource, scope), (None, None));
    assert_eq!(Bench::with(IdentityAssertions::Refused).jag(typ, |_| {}).await, Err("grant_type"));
}

#[tokio::test]
async fn without_keys_nobody_is_believed() {
    let bench = Bench::new();
    for page in [None, Some("<html>"), Some("{\"keys\":[]}"), Some("{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}")] {
        bench.clock.advance(Duration::from_secs(601));
        bench.operators.put(KEYS, page);
        let later = protocol::Clock::now(bench.clock.as_ref()).as_secs() + 60;
        let judged = bench.id_token(|claims| claims["exp"] = json!(later)).await;
        // What cannot be had at the moment is nobody's fault, and tried again; what is there and no key set is a refusal.
        let word = if page.is_none() { "keys_unreachable" } else { "assertion_invalid" };
        assert_eq!(judged, Err(word), "{page:?}");
    }
}
