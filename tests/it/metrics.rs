//! What operators see: the page of metrics, and the probes, on the admin listener.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};
use tests::{Agent, Answer, Browser, CANARY, Gateway, RedisServer, Request, Store, Upstream, eventually, free_port};

const PKCE: &str = "pkce = \"none\"";

fn admin(gateway: &Gateway, path: &str) -> Request {
    let file = gateway.folder().join("data/admin.json");
    eventually("operators are listened for", || file.exists());
    let text = fs::read_to_string(file).expect("where it is");
    let place: Value = serde_json::from_str(&text).expect("JSON");
    Request::new("GET", &format!("{}{path}", place["url"].as_str().expect("a URL")))
}

fn with_key(gateway: &Gateway, path: &str) -> Answer {
    let request = admin(gateway, path);
    let key = fs::read_to_string(gateway.folder().join("data/admin.key")).expect("a key");
    request.header("authorization", &format!("Bearer {}", key.trim())).send()
}

/// Every line of the page, by name and labels.
pub(crate) fn page(gateway: &Gateway) -> BTreeMap<String, f64> {
    let answer = with_key(gateway, "/metrics");
    assert_eq!(answer.status, 200, "{}", answer.body_text());
    read(&answer)
}

fn read(answer: &Answer) -> BTreeMap<String, f64> {
    assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("application/openmetrics-text")));
    let text = answer.body_text();
    assert!(text.ends_with("# EOF\n"), "{text}");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').expect("a value");
            (name.to_owned(), value.parse().expect("a number"))
        })
        .collect()
}

fn started(rest: &str) -> (Gateway, Upstream) {
    let upstream = Upstream::start(free_port(), |_| {});
    let gateway = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &(upstream.provider(PKCE) + rest));
    (gateway, upstream)
}

fn allowed(gateway: &Gateway) -> (Agent, String) {
    let mut agent = Agent::new("Ticket Helper");
    assert_eq!(agent.register(gateway).status, 201);
    let (link, session) = agent.authorize(gateway, &["read:tickets"]);
    let end = Browser::new().consent(&link);
    let token = agent.exchange(gateway, &session, &end["code"]).text("/access_token");
    (agent, token)
}

#[test]
fn what_happens_is_on_the_page_and_nobody_is_named() {
    let (mut gateway, upstream) = started("");
    let (agent, token) = allowed(&gateway);
    let call = |token: &str, method: &str, path: &str| agent.send(&agent.call(&gateway, token, method, path)).status;
    for _ in 0..3 {
        assert_eq!(call(&token, "GET", "/tickets?secret=query"), 200);
    }
    assert_eq!(call("ath_tk_wrong", "GET", "/tickets"), 401);
    assert_eq!(call(&token, "POST", "/tickets"), 403);
    assert_eq!(call(&token, "GET", "/tickets/nobodys"), 404);
    let own = format!("{}/helpdesk/tickets", gateway.url());
    let own = Request::new("GET", &own).header("authorization", &format!("Bearer {token}"));
    assert_eq!(own.header("x-ath-agent-id", agent.id.as_str()).send().status, 200);
    assert_eq!(gateway.request("GET", "/ath/proxy/nobodys/x").send().status, 401);
    upstream.helpdesk.expire_all_access_tokens();
    assert_eq!(call(&token, "GET", "/echo"), 200, "renewed, and the token that comes back is masked");

    let requests = |door: &str, code: &str| {
        format!("ath_gateway_http_requests_total{{upstream=\"helpdesk\",door=\"{door}\",code=\"{code}\"}}")
    };
    let mut seen = BTreeMap::new();
    eventually("the last answer is counted", || {
        seen = page(&gateway);
        seen.get(&requests("ath", "200")) == Some(&4.0)
    });
    for (line, value) in [
        (requests("ath", "401"), 1.0),
        (requests("ath", "403"), 1.0),
        (requests("ath", "404"), 1.0),
        (requests("path", "200"), 1.0),
        ("ath_gateway_http_requests_total{upstream=\"none\",door=\"ath\",code=\"401\"}".to_owned(), 1.0),
        ("ath_gateway_http_request_duration_seconds_count{upstream=\"helpdesk\"}".to_owned(), 8.0),
        ("ath_gateway_upstream_request_duration_seconds_count{upstream=\"helpdesk\"}".to_owned(), 6.0),
        ("ath_gateway_denied_total{reason=\"token_invalid\"}".to_owned(), 1.0),
        ("ath_gateway_denied_total{reason=\"operation_not_allowed\"}".to_owned(), 1.0),
        ("ath_gateway_token_refresh_total{upstream=\"helpdesk\",result=\"ok\"}".to_owned(), 1.0),
        ("ath_gateway_consents_total{upstream=\"helpdesk\",result=\"begun\"}".to_owned(), 1.0),
        ("ath_gateway_consents_total{upstream=\"helpdesk\",result=\"granted\"}".to_owned(), 1.0),
        ("ath_gateway_draining".to_owned(), 0.0),
        (format!("ath_gateway_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION")), 1.0),
    ] {
        assert_eq!(seen.get(&line), Some(&value), "{line} {seen:#?}");
    }
    for line in [
        "ath_gateway_guard_finds_total{upstream=\"helpdesk\"}",
        "ath_gateway_response_bytes_total{upstream=\"helpdesk\"}",
        "ath_gateway_store_op_duration_seconds_count{op=\"read\"}",
        "ath_gateway_store_op_duration_seconds_count{op=\"write\"}",
        "ath_gateway_agent_connections_accepted_total",
        "process_resident_memory_bytes",
        "process_open_fds",
    ] {
        assert!(seen.get(line).is_some_and(|value| *value > 0.0), "{line} {seen:#?}");
    }
    let control =
        seen.iter().filter(|(line, _)| line.contains("door=\"control\"")).map(|(_, count)| count).sum::<f64>();
    assert!(control >= 6.0, "registration and consent: {seen:#?}");
    let started = seen["process_start_time_seconds"];
    #[expect(clippy::cast_precision_loss, reason = "seconds")]
    let now = tests::now() as f64;
    assert!((now - started) < 600.0 && now + 2.0 > started, "{started}");

    let text = with_key(&gateway, "/metrics").body_text();
    let user = gateway.events("access_granted")[0]["user_id"].as_str().expect("somebody").to_owned();
    for word in
        [&user, agent.id.as_str(), &agent.client().0, &token, "secret=query", "/tickets", "nobodys", CANARY, "alice"]
    {
        assert!(!text.contains(word), "{word} {text}");
    }
    gateway.kill();
}

#[test]
fn the_page_is_for_whoever_has_the_key_unless_the_file_says_otherwise() {
    let (gateway, _upstream) = started("");
    assert_eq!(admin(&gateway, "/metrics").send().status, 401);
    assert_eq!(admin(&gateway, "/metrics").header("authorization", "Bearer x").send().status, 401);
    assert_eq!(gateway.request("GET", "/metrics").send().status, 404, "not where agents are");
    let (open, _upstream) = started("\n[admin]\nmetrics = \"open\"\n");
    assert!(!read(&admin(&open, "/metrics").send()).is_empty());
    assert_eq!(admin(&open, "/admin/agents").send().status, 401, "nothing else is open");
}

#[test]
fn every_metric_is_in_the_documentation() {
    let (gateway, _upstream) = started("");
    let text = with_key(&gateway, "/metrics").body_text();
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let documented = fs::read_to_string(format!("{root}/docs/metrics.md")).expect("the page");
    let documented: Vec<&str> =
        documented.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let told = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let told: Vec<String> = told
        .map(|line| match line.split_once(' ').expect("a kind") {
            (name, "counter") => format!("{name}_total"),
            (name, _) => name.to_owned(),
        })
        .collect();
    assert_eq!(documented, told);
}

#[test]
fn probes_need_no_key_and_say_what_is_missing() {
    let mut redis = RedisServer::start();
    let upstream = Upstream::start(free_port(), |_| {});
    let gateway = Gateway::start_with(Store::Redis(&redis), upstream.gateway_port(), &upstream.provider(PKCE));
    let ready = admin(&gateway, "/readyz").send();
    assert_eq!((ready.status, ready.json()["missing"].clone()), (200, json!([])), "{}", ready.body_text());
    assert_eq!(
        (ready.json()["audit"]["status"].clone(), ready.json()["keys"]["status"].clone()),
        (json!("ok"), json!("ok"))
    );
    redis.kill();
    for probe in [admin(&gateway, "/readyz"), gateway.request("GET", "/readyz")] {
        eventually("it is not ready", || probe.send().status == 503);
        let answer = probe.send();
        assert_eq!(
            (answer.text("/status"), answer.json()["missing"].clone()),
            ("unavailable".to_owned(), json!(["store"]))
        );
    }
    assert_eq!(admin(&gateway, "/healthz").send().status, 200);
    let failed = page(&gateway)
        .into_iter()
        .any(|(line, value)| line.starts_with("ath_gateway_store_errors_total") && value > 0.0);
    let call = gateway
        .request("POST", "/ath/revoke")
        .json(&json!({"client_id": "ath_00112233445566778899aabbccddeeff", "client_secret": "x", "token": "y"}));
    assert!(failed || call.send().status == 503, "the store's failures are counted");
    eventually("a failure is counted", || {
        page(&gateway)
            .into_iter()
            .any(|(line, value)| line.starts_with("ath_gateway_store_errors_total") && value > 0.0)
    });
}
