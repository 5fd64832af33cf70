//! The broker against a memory store, an acting provider and an acting agent; nothing here opens a socket.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use http::{Request, Response};
use oauth::{Endpoint, HttpClient, Plaintext, TransportError, TransportErrorKind, Userinfo};
use policy::{Operations, Rule, ScopeRule};
use protocol::{AgentId, AgentKey, Attestation, Loopback, ManualClock, ProviderId, Scope, Timestamp};
use secret::{KeyRing, SealingKey, SeededEntropy};
use serde_json::{Map, Value, json};
use store::MemoryStore;
use tokio::runtime::Handle;
use url::Url;

use super::*;

mod front;
mod keeping;
mod keys;
mod refreshing;
mod revoking;
mod sign_in;
mod versions;

pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);
const AGENT: &str = "https://agent.example/agent.json";
const GATEWAY: &str = "https://gateway.example";
const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

static SEED: AtomicU64 = AtomicU64::new(1);

/// Answers the token endpoint from a script, and userinfo always alike.
#[derive(Default)]
pub(crate) struct ActingProvider {
    script: Mutex<VecDeque<(u16, Value)>>,
    refresh_tokens_seen: Mutex<Vec<String>>,
}

#[async_trait]
impl HttpClient for ActingProvider {
    async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, TransportError> {
        tokio::task::yield_now().await;
        if request.uri().path() == "/userinfo" {
            return Ok(answer(200, &json!({"sub": "u-alice", "email": "alice@acme.test"})));
        }
        let form = String::from_utf8(request.into_body()).expect("a form");
        let token = form.split('&').find_map(|pair| pair.strip_prefix("refresh_token="));
        self.refresh_tokens_seen.lock().expect("no panic").extend(token.map(str::to_owned));
        let next = self.script.lock().expect("no panic").pop_front();
        let (status, body) = next.ok_or_else(|| TransportError::new(TransportErrorKind::Connect, "nothing listens"))?;
        Ok(answer(status, &body))
    }
}

fn answer(status: u16, body: &Value) -> Response<Vec<u8>> {
    let response = Response::builder().status(status).header("content-type", "application/json");
    response.body(body.to_string().into_bytes()).expect("a response")
}

/// An audit log that takes everything and keeps nothing.
struct Paper;

impl audit::Sink for Paper {
    fn append(&mut self, _: &[u8]) -> std::io::Result<()> {
        Ok(())
    }

    fn sync(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Serves one identity document, and counts how often.
struct ActingAgent {
    document: Mutex<Value>,
    fetched: AtomicUsize,
}

#[async_trait]
impl DocumentFetcher for ActingAgent {
    async fn fetch(&self, _: &AgentId) -> Result<Vec<u8>, DocumentError> {
        self.fetched.fetch_add(1, Ordering::Relaxed);
        Ok(self.document.lock().expect("no panic").to_string().into_bytes())
    }
}

struct Bench {
    broker: Broker,
    clock: Arc<ManualClock>,
    provider: Arc<ActingProvider>,
    agent: Arc<ActingAgent>,
    key: Mutex<AgentKey>,
    jti: AtomicUsize,
}

fn document(key: &AgentKey) -> Value {
    json!({
        "ath_version": "0.1", "agent_id": AGENT, "name": "Travel\u{202e}Bot", "developer": {"name": "Example", "id": "x"},
        "public_key": key.public_key().expect("a key").to_jwk(),
    })
}

/// The one provider of these tests, spoken to through `http`.
pub(crate) fn crm(http: Arc<dyn HttpClient>) -> Provider {
    let endpoint =
        |path: &str| Endpoint::parse(&format!("https://crm.example{path}"), Plaintext::Refused).expect("a URL");
    let mut settings =
        oauth::Settings::new(endpoint("/authorize"), endpoint("/token"), "gw", "https://gateway.example/ath/callback");
    settings.userinfo = Some(Userinfo::new(endpoint("/userinfo")));
    let rule = ScopeRule { says: "Read".to_owned(), rules: vec![Rule::parse("GET /**").expect("a rule")] };
    Provider {
        id: ProviderId::parse("crm").expect("an id"),
        display_name: "CRM".to_owned(),
        categories: Vec::new(),
        host: None,
        path_prefix: None,
        returns: ReturnPath::Shared,
        names_itself: NamesItself::Perhaps,
        api_base: Url::parse("https://crm.example/api").expect("a URL"),
        api: crate::Api::Http,
        bases: None,
        placement: oauth::Placement::bearer(),
        token_place: Url::parse("https://crm.example/token").expect("a URL"),
        operations: Operations::new(vec![(Scope::parse("read").expect("a scope"), rule)]),
        scope_names: crate::ScopeNames::default(),
        realm: String::new(),
        way: Way::OAuth { client: Box::new(oauth::Provider::new(settings)), grant: Grant::AuthorizationCode },
        people: People::default(),
        http,
        timeout: Duration::from_secs(30),
        refresh_tokens: crate::RefreshTokenLife::default(),
        refresh_before: Duration::from_secs(60),
        rotation: crate::TokenRotation::default(),
        concurrent_refreshes: 16,
    }
}

/// A broker's parts, all of them at their simplest: one provider, which is spoken to through `http`.
pub(crate) fn parts(store: Arc<MemoryStore>, clock: &Arc<ManualClock>, http: Arc<dyn HttpClient>) -> Parts {
    Parts {
        store,
        keys: keys::ring(&[KEY]),
        key_source: Arc::new(keys::Kept::new(&[KEY])),
        clock: clock.clone(),
        audit: audit::Audit::start(Box::new(Paper), clock.clone()).expect("starts"),
        metrics: metrics::Metrics::default(),
        entropy: Arc::new(SeededEntropy::new(1)),
        unspoken: Arc::default(),
        settings: settings(http),
        journal: None,
        instance: "one".to_owned(),
        boot: "boot".to_owned(),
        steps: Arc::new(Unwatched),
        tasks: Handle::current(),
    }
}

/// What a configuration says, at its simplest.
pub(crate) fn settings(http: Arc<dyn HttpClient>) -> Settings {
    Settings {
        approvals: policy::Approvals::default(),
        limits: Limits::off(),
        documents: Arc::new(Nobody),
        pinned: HashMap::new(),
        providers: vec![Arc::new(crm(http))],
        sign_in: SignInMethod::Provider,
        urls: Urls::new(&Url::parse(GATEWAY).expect("a URL")),
        lifetimes: Lifetimes {
            token: Duration::from_secs(3600),
            approval: Duration::from_secs(90 * 86400),
            browser: Duration::from_secs(86400),
        },
        development: Development { loopback: Loopback::Refused, codes: Codes::Delivered },
        front: crate::FrontSettings::default(),
        strangers: Arc::new(Nobody),
        operators: Arc::new(ActingProvider::default()),
    }
}

/// No agent's document can be fetched.
struct Nobody;

#[async_trait]
impl DocumentFetcher for Nobody {
    async fn fetch(&self, _: &AgentId) -> Result<Vec<u8>, DocumentError> {
        Err(DocumentError::Unreachable)
    }
}

#[async_trait]
impl StrangerFetcher for Nobody {
    async fn fetch(&self, _: &Url, _: usize) -> Result<Fetched, FetchError> {
        Err(FetchError::Unreachable)
    }
}

impl Bench {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at(NOW));
        Self::over(Arc::new(MemoryStore::new(clock.clone())), clock, SignInMethod::Provider)
    }

    fn over(store: Arc<MemoryStore>, clock: Arc<ManualClock>, sign_in: SignInMethod) -> Self {
        Self::keyed(store, clock, sign_in, keys::ring(&[KEY]), Arc::new(keys::Kept::new(&[KEY])))
    }

    fn keyed(
        store: Arc<MemoryStore>,
        clock: Arc<ManualClock>,
        sign_in: SignInMethod,
        ring: KeyRing,
        key_source: Arc<dyn KeySource>,
    ) -> Self {
        // No two gateways draw alike.
        let seed = SEED.fetch_add(1, Ordering::Relaxed);
        let key = AgentKey::generate().expect("a key");
        let agent = Arc::new(ActingAgent { document: Mutex::new(document(&key)), fetched: AtomicUsize::new(0) });
        let provider = Arc::new(ActingProvider::default());
        let keys = Parts {
            keys: ring,
            key_source,
            entropy: Arc::new(SeededEntropy::new(seed)),
            ..parts(store, &clock, provider.clone())
        };
        let settings = Settings { sign_in, documents: agent.clone(), ..keys.settings };
        let broker = Broker::new(Parts { settings, ..keys });
        let jti = AtomicUsize::new(usize::try_from(seed * 1000).expect("small"));
        Self { broker, clock, provider, agent, key: Mutex::new(key), jti }
    }

    fn attest(&self, audience: &str) -> String {
        let jti = self.jti.fetch_add(1, Ordering::Relaxed).to_string();
        let id = AgentId::parse(AGENT, Loopback::Refused).expect("an id");
        let now = protocol::Clock::now(self.clock.as_ref());
        Attestation::sign(&self.key.lock().expect("no panic"), &id, audience, now, &jti).expect("signs")
    }

    fn script(&self, status: u16, body: Value) {
        self.provider.script.lock().expect("no panic").push_back((status, body));
    }

    fn tokens(&self, access: &str, refresh: &str) {
        self.script(
            200,
            json!({"access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": 300}),
        );
    }

    async fn register(&self) -> Result<protocol::wire::RegistrationResponse, BrokerError> {
        let request = json!({
            "agent_id": AGENT, "agent_attestation": self.attest(GATEWAY), "developer": {"name": "Example", "id": "x"},
            "requested_providers": [{"provider_id": "crm", "scopes": ["read", "admin"]}],
        });
        self.broker.register(map(request)).await
    }

    /// From registration to a caller, for one person in one browser.
    async fn caller(&self) -> (Caller, String) {
        let registered = self.register().await.expect("registers");
        let started = self.broker.authorize(map(json!({
            "client_id": registered.client_id, "agent_attestation": self.attest(GATEWAY), "provider_id": "crm", "scopes": ["read"], "state": "s",
        })));
        let session = started.await.expect("begins").ath_session_id;
        let allowed = self.broker.allow(&session, None, &Choice::default()).await.expect("allows");
        let Next::Provider(url) = allowed.next else { panic!("to the provider") };
        let url = Url::parse(&url).expect("a URL");
        let state = url.query_pairs().find(|(name, _)| name == "state").expect("a state").1.into_owned();
        self.tokens("at-1", "rt-1");
        let answer = ProviderAnswer::parse(&format!("code=c&state={state}")).expect("an answer");
        let next = self.broker.callback(answer, None, Some(allowed.binding.expose()), None).await.expect("exchanges");
        assert!(matches!(next, Next::Confirm(_)));
        self.broker.confirm(&session, allowed.binding.expose(), None).await.expect("confirms");
        let DonePage::Allowed { code: Some(code), agent_name } =
            self.broker.done_page(&session, Some(allowed.binding.expose())).await.expect("a page")
        else {
            panic!("a code")
        };
        assert_eq!(agent_name, "TravelBot");
        let token = self.broker.exchange_token(map(json!({
            "grant_type": "authorization_code", "client_id": registered.client_id, "client_secret": registered.client_secret,
            "agent_attestation": self.attest("https://gateway.example/ath/token"), "code": code.to_lowercase(), "ath_session_id": session,
        })));
        let token = token.await.expect("a token").access_token;
        (self.broker.authenticate(&token).await.expect("a caller"), token)
    }

    async fn lend(&self, caller: &Caller) -> Result<String, BrokerError> {
        self.broker.lend(caller).await.map(|lent| lent.token().expose().to_owned())
    }

    fn seen(&self) -> Vec<String> {
        self.provider.refresh_tokens_seen.lock().expect("no panic").clone()
    }
}

#[expect(clippy::needless_pass_by_value, reason = "takes what `json!` makes")]
fn map(value: Value) -> Map<String, Value> {
    value.as_object().expect("an object").clone()
}

#[tokio::test]
async fn registration_approves_what_there_is() {
    let bench = Bench::new();
    let registered = bench.register().await.expect("registers");
    assert_eq!(registered.approved_providers[0].approved_scopes, ["read"]);
    assert_eq!(registered.approved_providers[0].denied_scopes, ["admin"]);
    assert!(registered.approved_providers[0].denial_reason.is_some());
    assert_eq!(registered.approval_expires, "2026-12-20T14:13:20Z");
    assert!(matches!(bench.register().await, Err(BrokerError::AlreadyRegistered)));
}

#[tokio::test]
async fn a_token_is_lent_until_it_is_due_and_then_renewed() {
    let bench = Bench::new();
    let (caller, _) = bench.caller().await;
    assert_eq!(bench.lend(&caller).await.expect("lends"), "at-1");
    bench.clock.advance(Duration::from_secs(239));
    assert_eq!(bench.lend(&caller).await.expect("lends"), "at-1");
    bench.clock.advance(Duration::from_secs(2));
    bench.tokens("at-2", "rt-2");
    assert_eq!(bench.lend(&caller).await.expect("renews"), "at-2");
    bench.clock.advance(Duration::from_secs(300));
    bench.script(200, json!({"access_token": "at-3", "token_type": "bearer", "expires_in": "300"}));
    assert_eq!(bench.lend(&caller).await.expect("renews"), "at-3");
    bench.clock.advance(Duration::from_secs(300));
    bench.tokens("at-4", "rt-4");
    assert_eq!(bench.lend(&caller).await.expect("renews"), "at-4");
    assert_eq!(bench.seen(), ["rt-1", "rt-2", "rt-2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_wait_present_a_refresh_token_once() {
    let bench = Arc::new(Bench::new());
    let (caller, _) = bench.caller().await;
    bench.clock.advance(Duration::from_secs(300));
    bench.tokens("at-2", "rt-2");
    let calls = (0..100).map(|_| {
        let (bench, caller) = (bench.clone(), caller.clone());
        tokio::spawn(async move { bench.lend(&caller).await.expect("lends") })
    });
    let lent = futures_util::future::join_all(calls).await;
    assert!(lent.into_iter().all(|token| token.expect("no panic") == "at-2"));
    assert_eq!(bench.seen(), ["rt-1"]);
}

#[tokio::test]
async fn a_refresh_outlives_the_request_that_caused_it() {
    let bench = Bench::new();
    let (caller, _) = bench.caller().await;
    bench.clock.advance(Duration::from_secs(300));
    bench.tokens("at-2", "rt-2");
    {
        // Polled once, then dropped, as a server drops a request whose client hung up.
        let mut lend = Box::pin(bench.broker.lend(&caller));
        let pending = std::future::poll_fn(|context| std::task::Poll::Ready(lend.as_mut().poll(context).is_pending()));
        assert!(pending.await);
    }
    assert_eq!(bench.lend(&caller).await.expect("joins or finds it done"), "at-2");
    assert_eq!(bench.seen(), ["rt-1"]);
}

#[tokio::test]
async fn what_passes_is_no_revocation() {
    let bench = Bench::new();
    let (caller, _) = bench.caller().await;
    bench.clock.advance(Duration::from_secs(250));
    bench.script(503, json!({}));
    assert_eq!(bench.lend(&caller).await.expect("the old token lives on"), "at-1");
    assert_eq!(bench.lend(&caller).await.expect("and nobody is asked at once again"), "at-1");
    assert_eq!(bench.seen(), ["rt-1"]);
    bench.clock.advance(Duration::from_secs(60));
    bench.script(401, json!({"error": "invalid_client"}));
    assert!(matches!(bench.lend(&caller).await, Err(BrokerError::Provider { reason: "invalid_client", .. })));
    assert!(matches!(bench.lend(&caller).await, Err(BrokerError::Provider { reason: "refresh_paused", .. })));
    assert_eq!(bench.seen().len(), 2, "it is not asked again at once");
    bench.clock.advance(Duration::from_secs(6));
    bench.tokens("at-2", "rt-2");
    assert_eq!(bench.lend(&caller).await.expect("the grant was not touched"), "at-2");
}

#[tokio::test]
async fn invalid_grant_ends_a_connection_without_a_loop() {
    let bench = Bench::new();
    let (caller, _) = bench.caller().await;
    bench.clock.advance(Duration::from_secs(300));
    bench.script(400, json!({"error": "invalid_grant"}));
    for _ in 0..3 {
        assert!(matches!(bench.lend(&caller).await, Err(BrokerError::ReconnectRequired { .. })));
    }
    assert_eq!(bench.seen(), ["rt-1"]);
}

#[tokio::test]
async fn a_token_lives_an_hour_and_a_deregistered_agent_has_none() {
    let bench = Bench::new();
    let (_, token) = bench.caller().await;
    assert!(matches!(bench.broker.authenticate("ath_tk_unknown").await, Err(BrokerError::TokenInvalid)));
    assert!(matches!(bench.broker.authenticate("at-1").await, Err(BrokerError::TokenInvalid)));
    bench.clock.advance(Duration::from_secs(3600));
    assert!(matches!(bench.broker.authenticate(&token).await, Err(BrokerError::TokenExpired)));

    let bench = Bench::new();
    let (caller, token) = bench.caller().await;
    let url = bench.broker.urls().agent(caller.client_id());
    let attestation = bench.attest(&url);
    let proof = ClientProof::Attestation(&attestation);
    bench.broker.deregister(caller.client_id().as_str(), proof).await.expect("ends");
    assert!(matches!(bench.broker.authenticate(&token).await, Err(BrokerError::TokenRevoked)));
}

#[tokio::test]
async fn identity_documents_are_kept_five_minutes_and_asked_again_once_a_minute() {
    let bench = Bench::new();
    bench.register().await.expect("registers");
    assert!(matches!(bench.register().await, Err(BrokerError::AlreadyRegistered)));
    assert_eq!(bench.agent.fetched.load(Ordering::Relaxed), 1);
    let rotated = AgentKey::generate().expect("a key");
    *bench.agent.document.lock().expect("no panic") = document(&rotated);
    *bench.key.lock().expect("no panic") = rotated;
    assert!(matches!(bench.register().await, Err(BrokerError::AlreadyRegistered)), "the new key is found at once");
    assert_eq!(bench.agent.fetched.load(Ordering::Relaxed), 2);
    *bench.key.lock().expect("no panic") = AgentKey::generate().expect("a key");
    for _ in 0..5 {
        assert!(matches!(bench.register().await, Err(BrokerError::Attestation(_))));
    }
    assert_eq!(bench.agent.fetched.load(Ordering::Relaxed), 2);
    bench.clock.advance(Duration::from_secs(61));
    assert!(matches!(bench.register().await, Err(BrokerError::Attestation(_))));
    assert_eq!(bench.agent.fetched.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn an_attestation_is_good_once_and_a_forged_one_leaves_no_trace() {
    let bench = Bench::new();
    let registered = bench.register().await.expect("registers");
    let attestation = bench.attest(GATEWAY);
    let request = json!({
        "client_id": registered.client_id, "agent_attestation": attestation, "provider_id": "crm", "scopes": ["read"], "state": "s",
    });
    let (head, signature) = attestation.rsplit_once('.').expect("three parts");
    let flipped = if signature.starts_with('A') { 'B' } else { 'A' };
    let forged = format!("{head}.{flipped}{}", &signature[1..]);
    let mut forgery = request.clone();
    forgery["agent_attestation"] = json!(forged);
    assert!(matches!(bench.broker.authorize(map(forgery)).await, Err(BrokerError::Attestation(_))));
    assert!(bench.broker.authorize(map(request.clone())).await.is_ok());
    assert!(matches!(bench.broker.authorize(map(request)).await, Err(BrokerError::AttestationReplayed)));
}
