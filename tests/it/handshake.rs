//! Registration, attestations, and what bad input gets.

use data_encoding::BASE64;
use protocol::AgentKey;
use serde_json::json;
use tests::{Agent, Gateway, RedisServer, Request, Store, Upstream, free_port};

const PKCE: &str = "pkce = \"none\"";

fn embedded() -> (Gateway, Upstream) {
    let upstream = Upstream::start(free_port(), |_| {});
    (Gateway::start_with(Store::Embedded, upstream.gateway_port(), &upstream.provider(PKCE)), upstream)
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[test]
fn discovery_names_the_gateway_and_its_providers() {
    let (gateway, _upstream) = embedded();
    let found = gateway.request("GET", "/.well-known/ath.json").send();
    assert_eq!(found.status, 200);
    assert_eq!(found.text("/ath_version"), "0.1");
    assert_eq!(found.text("/gateway_id"), gateway.public_url());
    assert_eq!(found.text("/agent_registration_endpoint"), format!("{}/ath/agents/register", gateway.public_url()));
    assert_eq!(found.json()["supported_providers"][0]["available_scopes"], json!(["read:tickets", "write:tickets"]));
    assert_eq!(found.text("/supported_providers/0/auth_mode"), "OAUTH2");
    assert_eq!(gateway.request("GET", "/health").send().status, 200);
}

#[test]
fn a_duplicate_registration_is_a_conflict_and_gives_nothing_away() {
    let (gateway, _upstream) = embedded();
    let mut agent = Agent::new("One");
    assert_eq!(agent.register(&gateway).status, 201);
    let (id, secret) = agent.client();
    let again = agent.register(&gateway);
    assert_eq!(again.refusal(), refused(409, "CONFLICT"));
    assert!(!again.body_text().contains(&id));
    assert!(!gateway.log().contains(&secret), "the log holds the agent's secret");
}

#[test]
fn what_is_not_offered_is_denied_with_a_reason() {
    let (gateway, _upstream) = embedded();
    let agent = Agent::new("Greedy");
    let mut request = agent.registration(&gateway);
    request["requested_providers"] = json!([{"provider_id": "helpdesk", "scopes": ["read:tickets", "admin"]}, {"provider_id": "none", "scopes": ["x"]}]);
    let answer = agent.post(&gateway, "/ath/agents/register", &request);
    assert_eq!(answer.status, 201);
    assert_eq!(answer.json()["approved_providers"][0]["approved_scopes"], json!(["read:tickets"]));
    assert_eq!(answer.json()["approved_providers"][0]["denied_scopes"], json!(["admin"]));
    assert_eq!(answer.json()["approved_providers"][1]["approved_scopes"], json!([]));
    assert!(!answer.text("/approved_providers/1/denial_reason").is_empty());
}

#[test]
fn an_attestation_must_be_the_agents_own_fresh_and_for_this_endpoint() {
    let redis = RedisServer::start();
    let upstream = Upstream::start(free_port(), |_| {});
    let one = Gateway::start_with(Store::Redis(&redis), upstream.gateway_port(), &upstream.provider(PKCE));
    let two = one.replica(Store::Redis(&redis), &upstream, PKCE);
    let mut agent = Agent::new("One");
    assert_eq!(agent.register(&one).status, 201);

    let request = agent.authorization(&one, &["read:tickets"]);
    assert_eq!(agent.post(&one, "/ath/authorize", &request).status, 200);
    for gateway in [&one, &two] {
        assert_eq!(agent.post(gateway, "/ath/authorize", &request).refusal(), refused(401, "INVALID_ATTESTATION"));
    }
    let mut wrong = agent.exchange_request(&one, "ath_sess_x", "code");
    wrong["agent_attestation"] = json!(agent.attest(&one.public_url()));
    assert_eq!(agent.post(&one, "/ath/token", &wrong).refusal(), refused(401, "INVALID_ATTESTATION"));

    let own = std::mem::replace(&mut agent.key, AgentKey::generate().expect("a key"));
    let forged = agent.authorization(&one, &["read:tickets"]);
    assert_eq!(agent.post(&two, "/ath/authorize", &forged).refusal(), refused(401, "INVALID_ATTESTATION"));
    agent.key = own;
    let good = agent.authorization(&one, &["read:tickets"]);
    assert_eq!(agent.post(&two, "/ath/authorize", &good).status, 200);

    let mut absent = agent.authorization(&one, &["read:tickets"]);
    absent.as_object_mut().expect("an object").remove("agent_attestation");
    assert_eq!(agent.post(&one, "/ath/authorize", &absent).refusal(), refused(400, "INVALID_ATTESTATION"));
    assert_eq!(agent.post(&one, "/ath/agents/register", &json!({})).refusal(), refused(401, "INVALID_ATTESTATION"));
}

#[test]
fn a_registration_is_shown_to_its_owner_and_ends_by_its_word() {
    let (gateway, _upstream) = embedded();
    let mut agent = Agent::new("One");
    agent.register(&gateway);
    let (id, secret) = agent.client();
    let path = format!("/ath/agents/{id}");
    let basic = |secret: &str| format!("Basic {}", BASE64.encode(format!("{id}:{secret}").as_bytes()));
    let get = |authorization: &str| gateway.request("GET", &path).header("authorization", authorization).send();
    assert_eq!(get(&basic(&secret)).text("/agent_id"), agent.id.as_str());
    let bearer = |path: &str| format!("Bearer {}", agent.attest(&format!("{}{path}", gateway.public_url())));
    assert_eq!(get(&bearer(&path)).status, 200);
    assert_eq!(get(&basic("wrong")).refusal(), refused(401, "AGENT_NOT_REGISTERED"));
    assert_eq!(gateway.request("GET", &path).send().refusal(), refused(401, "AGENT_NOT_REGISTERED"));
    let unknown = gateway.request("GET", "/ath/agents/ath_00000000000000000000000000000000");
    assert_eq!(unknown.header("authorization", &bearer(&path)).send().refusal(), refused(401, "AGENT_NOT_REGISTERED"));
    let end = gateway.request("DELETE", &path).header("authorization", &bearer(&path)).send();
    assert_eq!(end.status, 200, "{}", end.body_text());
    assert_eq!(get(&basic(&secret)).refusal(), refused(401, "AGENT_NOT_REGISTERED"));
    assert_eq!(agent.register(&gateway).status, 201, "it may register anew");
}

#[test]
fn authorize_asks_for_what_was_approved_and_leads_only_where_it_was_registered() {
    let (gateway, _upstream) = embedded();
    let mut agent = Agent::new("One");
    agent.register(&gateway);
    let ask = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut request = agent.authorization(&gateway, &["read:tickets"]);
        change(&mut request);
        agent.post(&gateway, "/ath/authorize", &request)
    };
    assert_eq!(ask(&|request| request["scopes"] = json!(["admin"])).refusal(), refused(403, "SCOPE_NOT_APPROVED"));
    assert_eq!(ask(&|request| request["provider_id"] = json!("none")).refusal(), refused(403, "PROVIDER_NOT_APPROVED"));
    assert_eq!(ask(&|request| request["client_id"] = json!("ath_x")).refusal(), refused(403, "AGENT_NOT_REGISTERED"));
    assert_eq!(ask(&|request| request["state"] = json!("")).refusal(), refused(400, "STATE_MISMATCH"));
    for uri in [
        "https://evil.test/callback",
        "http://127.0.0.1:1/callback#x",
        "javascript:alert(1)",
        "http://127.0.0.1:1/other",
        "//evil.test",
    ] {
        let answer = ask(&|request| request["user_redirect_uri"] = json!(uri));
        assert_eq!(answer.refusal(), refused(400, "INVALID_ATTESTATION"), "{uri}");
        assert_eq!(answer.text("/details/reason"), "redirect_uri_mismatch");
    }
    assert_eq!(
        ask(&|request| request["user_redirect_uri"] = json!("http://127.0.0.1:1/callback")).status,
        200,
        "any port on loopback"
    );
    assert_eq!(
        ask(&|request| request["user_redirect_uri"] = json!(format!("{}/ath/callback", gateway.public_url()))).status,
        200
    );
}

#[test]
fn bad_input_gets_a_clear_error() {
    let (gateway, _upstream) = embedded();
    let post = |path: &str, body: &str| gateway.request("POST", path).body(body.as_bytes().to_vec()).send();
    for path in ["/ath/agents/register", "/ath/authorize", "/ath/token", "/ath/revoke"] {
        for body in ["", "{", "[]", "null", "{\"a\":1,\"a\":2}", "\u{feff}{}"] {
            assert_eq!(post(path, body).refusal(), refused(400, "INVALID_ATTESTATION"), "{path}: {body:?}");
        }
        assert_eq!(
            post(path, &format!("{{\"a\":\"{}\"}}", "x".repeat(70_000))).refusal(),
            refused(413, "INVALID_ATTESTATION")
        );
        assert_eq!(gateway.request("GET", path).send().refusal().0, 405, "{path}");
    }
    assert_eq!(post("/ath/revoke", "{\"token\":\"x\"}").refusal(), refused(401, "AGENT_NOT_REGISTERED"));
    assert_eq!(gateway.request("GET", "/ath/none").send().refusal().0, 404);
    assert_eq!(gateway.request("GET", "/healthz").header("x-large", &"x".repeat(20_000)).send().refusal().0, 431);
}

#[test]
fn a_store_that_is_down_decides_nothing_and_is_found_again() {
    let mut redis = RedisServer::start();
    let upstream = Upstream::start(free_port(), |_| {});
    let gateway = Gateway::start_with(Store::Redis(&redis), upstream.gateway_port(), &upstream.provider(PKCE));
    let mut agent = Agent::new("One");
    assert_eq!(agent.register(&gateway).status, 201);
    redis.kill();
    let request: Request = agent.call(&gateway, "ath_tk_x", "GET", "/tickets");
    let down = agent.send(&request);
    assert_eq!(down.refusal(), refused(503, "INTERNAL_ERROR"));
    assert!(down.header("retry-after").is_some());
    let down = agent.post(&gateway, "/ath/authorize", &agent.authorization(&gateway, &["read:tickets"]));
    assert_eq!(down.refusal(), refused(503, "INTERNAL_ERROR"));
    assert_eq!(gateway.request("GET", "/readyz").send().status, 503);
    assert_eq!(gateway.request("GET", "/healthz").send().status, 200);
    redis.restart();
    tests::eventually("the gateway finds its store again", || gateway.request("GET", "/readyz").send().status == 200);
    let back = agent.post(&gateway, "/ath/authorize", &agent.authorization(&gateway, &["read:tickets"]));
    assert_eq!(back.status, 200, "{}", back.body_text());
}
