//! An upstream that refuses a token before its time: one refresh, one repetition where that is safe, and no storm.

use std::sync::{Arc, Mutex, PoisonError};

use helpdesk::{Helpdesk, Rotation};
use serde_json::json;
use tests::{
    Agent, Answer, Browser, CANARY, Gateway, Received, RedisServer, Reply, Request, Served, Store, Upstream,
    eventually, free_port,
};

const PKCE: &str = "pkce = \"none\"";

/// One gateway, or two replicas, with alice's consent and a token that works.
struct Scene {
    one: Gateway,
    two: Option<Gateway>,
    upstream: Upstream,
    agent: Agent,
    token: String,
    _redis: Option<RedisServer>,
}

fn rotating() -> Upstream {
    Upstream::start(free_port(), |settings| settings.rotation = Rotation::RotatingWithReuseDetection)
}

impl Scene {
    fn with(one: Gateway, two: Option<Gateway>, upstream: Upstream, redis: Option<RedisServer>) -> Self {
        let mut agent = Agent::new("Ticket Helper");
        agent.register(&one);
        let (link, session) = agent.authorize(&one, &["read:tickets", "write:tickets"]);
        let end = Browser::new().consent(&link);
        let token = agent.exchange(&one, &session, &end["code"]).text("/access_token");
        Self { one, two, upstream, agent, token, _redis: redis }
    }

    fn embedded() -> Self {
        let upstream = rotating();
        let one = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &upstream.provider(PKCE));
        Self::with(one, None, upstream, None)
    }

    fn on_redis() -> Self {
        let (redis, upstream) = (RedisServer::start(), rotating());
        let one = Gateway::start_with(Store::Redis(&redis), upstream.gateway_port(), &upstream.provider(PKCE));
        let two = one.replica(Store::Redis(&redis), &upstream, PKCE);
        Self::with(one, Some(two), upstream, Some(redis))
    }

    /// One whose API answers as `api` says, with `settings` in the provider's table.
    fn in_front_of(
        settings: &str,
        api: impl Fn(&Helpdesk, &Received) -> Reply + Send + Sync + 'static,
    ) -> (Self, Served) {
        let upstream = rotating();
        let helpdesk = upstream.helpdesk.clone();
        let served = Served::start(move |received| api(&helpdesk, received));
        let providers = upstream.provider(PKCE);
        let base = providers.lines().find(|line| line.starts_with("api_base")).expect("a line").to_owned();
        let providers = providers.replacen(&base, &format!("api_base = \"{}\"\n{settings}", served.url()), 1);
        let one = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &providers);
        (Self::with(one, None, upstream, None), served)
    }

    fn call(&self, gateway: &Gateway, method: &str, path: &str) -> Request {
        self.agent.call(gateway, &self.token, method, path)
    }

    fn send(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        let request = self.call(&self.one, method, path);
        self.agent.send(&if body.is_empty() { request } else { request.body(body.to_vec()) })
    }

    fn refreshes(&self) -> u64 {
        self.upstream.helpdesk.counters().token_requests.refresh_token
    }

    fn forwarded(&self) -> u64 {
        self.upstream.helpdesk.counters().api_requests
    }

    /// The statuses of fifty calls at once, over all replicas.
    fn storm(&self) -> Vec<u16> {
        std::thread::scope(|scope| {
            let calls: Vec<_> = (0..50)
                .map(|number| {
                    let gateway = self.two.as_ref().filter(|_| number % 2 == 0).unwrap_or(&self.one);
                    scope.spawn(move || self.agent.send(&self.call(gateway, "GET", "/tickets")).status)
                })
                .collect();
            calls.into_iter().map(|call| call.join().expect("no panic")).collect()
        })
    }
}

#[test]
fn fifty_calls_with_a_refused_token_cause_one_refresh_and_all_succeed() {
    for scene in [Scene::on_redis(), Scene::embedded()] {
        assert_eq!(scene.storm(), [200; 50]);
        assert_eq!((scene.refreshes(), scene.forwarded()), (0, 50));
        scene.upstream.helpdesk.expire_all_access_tokens();
        assert_eq!(scene.storm(), [200; 50]);
        assert_eq!(scene.refreshes(), 1);
        assert!(scene.forwarded() <= 150, "each was sent twice at most: {}", scene.forwarded());

        let before = scene.forwarded();
        scene.upstream.helpdesk.expire_all_access_tokens();
        assert_eq!(scene.storm(), [401; 50], "the next refusal within half a minute is passed on");
        assert_eq!((scene.refreshes(), scene.forwarded()), (1, before + 50));
    }
}

#[test]
fn what_can_be_repeated_is_and_the_rest_is_told() {
    const BOUND: usize = 64 << 10;
    for (method, path, body, repeated) in [
        ("GET", "/tickets", 0, true),
        ("HEAD", "/tickets", 0, true),
        ("PUT", "/tickets/1/attachments/note", 0, true),
        ("PUT", "/tickets/1/attachments/note", BOUND, true),
        ("PUT", "/tickets/1/attachments/note", BOUND + 1, false),
        ("POST", "/tickets", 40, false),
        ("PATCH", "/tickets/1", 40, false),
    ] {
        let first = Mutex::new(None);
        let (scene, api) = Scene::in_front_of("", move |_, received| {
            let token =
                received.headers.iter().find(|(name, _)| name == "authorization").map(|(_, token)| token.clone());
            let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
            if *first.get_or_insert_with(|| token.clone()) == token {
                return Reply::of("401 Unauthorized", "text/plain", b"");
            }
            Reply::of("200 OK", "text/plain", if received.method == "HEAD" { b"" } else { b"renewed" })
        });
        let answer = scene.send(method, path, &vec![b'x'; body]);
        assert_eq!(
            answer.status,
            if repeated { 200 } else { 401 },
            "{method} with {body} bytes: {}",
            answer.body_text()
        );
        eventually("the token is renewed in any case", || scene.refreshes() == 1);
        let sent: Vec<usize> = api.received().iter().map(|received| received.body.len()).collect();
        assert_eq!(sent, vec![body; if repeated { 2 } else { 1 }], "{method}");
        eventually("the next call is served", || scene.send("GET", "/tickets", b"").body_text() == "renewed");
        assert_eq!(scene.refreshes(), 1, "{method} with {body} bytes");
    }
}

#[test]
fn a_grant_that_is_gone_is_said_so_for_every_method() {
    for (method, path) in [("GET", "/tickets"), ("POST", "/tickets")] {
        let scene = Scene::embedded();
        scene.upstream.helpdesk.expire_all_access_tokens();
        scene.upstream.helpdesk.revoke_all_refresh_tokens();
        if method == "POST" {
            assert_eq!(
                scene.send(method, path, b"").status,
                401,
                "it is not kept waiting for what it gains nothing from"
            );
            eventually("the provider has said so", || scene.refreshes() == 1);
            eventually("it is on record", || scene.send(method, path, b"").status == 502);
        }
        for _ in 0..3 {
            let answer = scene.send(method, path, b"");
            assert_eq!(answer.refusal(), (502, "OAUTH_ERROR".to_owned()), "{method}: no 401 to repeat for ever");
            assert_eq!(answer.text("/details/reason"), "reconnect_required");
        }
        assert_eq!(scene.refreshes(), 1);
        assert!(method == "POST" || scene.forwarded() == 1, "{}", scene.forwarded());
    }
}

/// How the API of the next test refuses, and whether its provider's table calls that a sign.
struct Case {
    settings: &'static str,
    status: &'static str,
    headers: &'static str,
    body: &'static str,
    is_sign: bool,
}

#[test]
fn an_operator_says_what_expired_looks_like() {
    const CODE: &str = r#"expired = [{ status = 200, pointer = "/error/code", value = ["token_expired", "190"] }]"#;
    const BEARER: &str = r#"expired = [{ www_authenticate = "invalid_token" }]"#;
    const JSON: &str = "content-type: application/json\r\n";
    const CHALLENGE: &str = "www-authenticate: Bearer realm=\"x\", error=\"invalid_token\"\r\n";
    let code = r#"{"ok": false, "error": {"code": "token_expired"}}"#;
    let case = |settings, status, headers, body, is_sign| Case { settings, status, headers, body, is_sign };
    for case in [
        case("", "401 Unauthorized", "", "", true),
        case("", "403 Forbidden", CHALLENGE, "", false),
        case("expired = []", "401 Unauthorized", CHALLENGE, "", false),
        case(BEARER, "401 Unauthorized", CHALLENGE, "", true),
        case(BEARER, "401 Unauthorized", "www-authenticate: Bearer error=\"insufficient_scope\"\r\n", "", false),
        case(BEARER, "401 Unauthorized", "", "", false),
        case(CODE, "200 OK", JSON, code, true),
        case(CODE, "200 OK", JSON, r#"{"error": {"code": 190}}"#, true),
        case(CODE, "200 OK", JSON, r#"{"error": {"code": "rate_limited"}}"#, false),
        case(CODE, "200 OK", "content-type: text/plain\r\n", code, false),
        case(CODE, "401 Unauthorized", JSON, code, false),
    ] {
        let Case { settings, status, headers, body, is_sign } = case;
        let refusal =
            format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
        let expired = refusal.clone();
        let (scene, api) = Scene::in_front_of(settings, move |helpdesk, received| {
            if is_newest(helpdesk, received) {
                Reply::Bytes(expired.clone().into_bytes())
            } else {
                Reply::json(&json!({"old": true}))
            }
        });
        let answer = scene.send("GET", "/tickets", b"");
        let what = format!("{settings} {status} {headers} {body}");
        assert_eq!(scene.refreshes(), u64::from(is_sign), "{what}");
        assert_eq!(api.received().len(), if is_sign { 2 } else { 1 }, "{what}");
        // The renewed token is refused as well: that is handed on, whole.
        assert_eq!(answer.status.to_string(), status[..3], "{what}");
        assert_eq!(answer.body_text(), body, "{what}");
        assert_eq!(scene.send("GET", "/tickets", b"").body_text(), body, "{what}");
        assert_eq!(scene.refreshes(), u64::from(is_sign), "{what}");
    }
}

/// Whether a request carries the access token that was issued last.
fn is_newest(helpdesk: &Helpdesk, received: &Received) -> bool {
    let issued = helpdesk.issued_tokens();
    let newest = issued.iter().rev().find(|token| token.starts_with(&format!("{CANARY}at-"))).expect("a token");
    received.headers.iter().any(|(name, value)| name == "authorization" && *value == format!("Bearer {newest}"))
}

#[test]
fn only_short_json_of_known_length_is_read_before_it_is_handed_on() {
    let long = format!("{{\"error\": \"token_expired\", \"more\": \"{}\"}}", "x".repeat(16 << 10));
    let chunked = "25\r\n{\"error\": \"token_expired\", \"more\": 1}\r\n0\r\n\r\n".to_owned();
    let short = r#"{"error": "token_expired"}"#.to_owned();
    let calls = Arc::new(Mutex::new(Vec::<String>::new()));
    for (head, body, read) in [
        (format!("content-length: {}", long.len()), long, false),
        ("transfer-encoding: chunked".to_owned(), chunked, false),
        (format!("content-length: {}", short.len()), short, true),
    ] {
        let answer =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{head}\r\nconnection: close\r\n\r\n{body}");
        let seen = calls.clone();
        let settings = r#"expired = [{ status = 200, pointer = "/error", value = "token_expired" }]"#;
        let (scene, _api) = Scene::in_front_of(settings, move |_, received| {
            seen.lock().unwrap_or_else(PoisonError::into_inner).push(received.method.clone());
            Reply::Bytes(answer.clone().into_bytes())
        });
        let answer = scene.send("GET", "/tickets", b"");
        assert!(answer.body_text().contains("token_expired"), "{head}");
        assert_eq!(scene.refreshes(), u64::from(read), "{head}");
    }
    assert_eq!(calls.lock().unwrap_or_else(PoisonError::into_inner).len(), 4);
}
