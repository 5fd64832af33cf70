//! What operators and people decide about agents, and how much agents may do at once (C036, C040, C091, C103, C104).

use serde_json::{Value, json};
use tests::{Agent, Gateway, Request};

use super::stage::{Script, Setup, Stage, refused};

on_both!(
    c036_an_agent_can_be_suspended_and_its_tokens_are_dead_at_once,
    c040_an_agent_that_waits_for_approval_begins_nothing,
    c091_people_revoke_by_their_own_sign_in_and_nobody_elses,
    c091_operators_revoke_with_their_key_and_nobody_without,
    c103_calls_are_limited_for_each_agent,
    c104_handshake_requests_are_limited,
);

fn c036_an_agent_can_be_suspended_and_its_tokens_are_dead_at_once(setup: Setup) {
    let stage = Stage::new(setup);
    let (agent, other) = (stage.agent(), stage.agent());
    let [token, of_other] = [&agent, &other].map(|agent| stage.token(agent, &["read:tickets"]));
    let (session, code) = stage.consent(&agent, &["read:tickets"]);
    let authorize =
        |gateway: &Gateway| agent.post(gateway, "/ath/authorize", &agent.authorization(gateway, &["read:tickets"]));
    for gateway in stage.all() {
        assert_eq!(agent.send(&agent.call(gateway, &token, "GET", "/tickets")).status, 200);
    }
    let view = stage.operate(&["agents", "suspend", &agent.client().0, "--reason", "compromised"]);
    assert_eq!(view["client_id"], json!(agent.client().0));
    let forwarded = stage.forwarded();
    for gateway in stage.all() {
        let (status, _) = agent.send(&agent.call(gateway, &token, "GET", "/tickets")).refusal();
        assert!(matches!(status, 401 | 403), "{status}");
        assert_eq!(authorize(gateway).refusal(), refused(403, "AGENT_UNAPPROVED"));
        assert_eq!(agent.exchange(gateway, &session, &code).refusal(), refused(403, "AGENT_UNAPPROVED"));
    }
    assert_eq!(stage.forwarded(), forwarded);
    for gateway in stage.all() {
        assert_eq!(
            other.send(&other.call(gateway, &of_other, "GET", "/tickets")).status,
            200,
            "the other agent goes on"
        );
    }
    // It comes back by an operator's word alone, and what it had stays dead.
    stage.operate(&["agents", "approve", &agent.client().0]);
    for gateway in stage.all() {
        assert_eq!(authorize(gateway).status, 200);
        let (status, _) = agent.send(&agent.call(gateway, &token, "GET", "/tickets")).refusal();
        assert_eq!(status, 401);
    }
}

fn c040_an_agent_that_waits_for_approval_begins_nothing(setup: Setup) {
    let rest = "[[approval]]\ndecision = \"pending\"\nscopes = [\"write:*\"]\nreason = \"Tell us why.\"";
    let stage = Stage::with(setup, &Script { rest, ..Script::default() });
    let mut agent = Agent::new("Writer");
    let mut request = agent.registration(stage.next());
    request["requested_providers"] = json!([{"provider_id": "helpdesk", "scopes": ["write:tickets"]}]);
    let answer = agent.post(stage.next(), "/ath/agents/register", &request);
    assert_eq!((answer.status, answer.text("/agent_status").as_str()), (201, "pending"), "{}", answer.body_text());
    assert_eq!(answer.json()["approved_providers"][0]["approved_scopes"], json!([]));
    assert_eq!(answer.json()["approved_providers"][0]["denied_scopes"], json!(["write:tickets"]));
    assert_eq!(answer.text("/approved_providers/0/denial_reason"), "Tell us why.");
    agent.client = Some((answer.text("/client_id"), answer.text("/client_secret")));
    let authorize =
        || agent.post(stage.next(), "/ath/authorize", &agent.authorization(stage.next(), &["write:tickets"]));
    for _ in stage.all() {
        assert_eq!(authorize().refusal(), refused(403, "AGENT_UNAPPROVED"));
    }
    let view = stage.operate(&["agents", "approve", &agent.client().0]);
    assert_eq!(view["status"], "approved", "{view}");
    for _ in stage.all() {
        assert_eq!(authorize().status, 200);
    }
    // Where a part waits, the rest can be used.
    let other = stage.agent();
    let of_part =
        |scopes: &[&str]| other.post(stage.next(), "/ath/authorize", &other.authorization(stage.next(), scopes));
    assert_eq!(of_part(&["read:tickets"]).status, 200);
    assert_eq!(of_part(&["read:tickets", "write:tickets"]).refusal(), refused(403, "SCOPE_NOT_APPROVED"));
    stage.operate(&["agents", "deny", &other.client().0]);
    for _ in stage.all() {
        assert_eq!(of_part(&["read:tickets"]).status, 403, "what was approved can be taken back");
    }
}

fn c091_people_revoke_by_their_own_sign_in_and_nobody_elses(setup: Setup) {
    let stage = Stage::new(setup);
    let agent = stage.agent();
    let (link, session) = agent.authorize(stage.next(), &["read:tickets"]);
    let mut browser = stage.browser();
    let page = browser.open(&link);
    let end = stage.finish(&mut browser, &page).parameters();
    let token = agent.exchange(stage.next(), &session, &end["code"]).text("/access_token");
    let call = |gateway: &Gateway| agent.send(&agent.call(gateway, &token, "GET", "/tickets"));

    stage.switch(&mut browser);
    let accounts = format!("{}/accounts", stage.public_url());
    let own = browser.open(&accounts);
    assert!(own.says("Ticket Helper") && own.says("alice@acme.test"), "{}", own.answer.body_text());
    // Another browser is shown nothing, and a form of the right one's, sent from elsewhere, does nothing.
    let mut stranger = stage.browser();
    assert!(!stranger.open(&accounts).says("Ticket Helper"));
    assert_eq!(stranger.submit(&own, &[("action", "end")]).answer.status, 403);
    let elsewhere = [("origin", "https://evil.test")];
    assert_eq!(browser.submit_from(&own, &[("action", "end")], &elsewhere).answer.status, 403);
    assert_eq!(browser.submit(&own, &[("action", "end"), ("csrf", "x")]).answer.status, 403);
    for gateway in stage.all() {
        assert_eq!(call(gateway).status, 200, "nothing was revoked");
    }
    // Somebody else, signed in, cannot name what is not theirs.
    let (link, _) = agent.authorize(stage.next(), &["read:tickets"]);
    let mut bob = stage.browser();
    let page = bob.open(&link);
    let page = stage.account_of(super::stage::BOB, &mut bob, &page);
    bob.submit(&page, &[("decision", "continue")]);
    let of_bob = bob.open(&accounts);
    let html = own.answer.body_text();
    let alices =
        html.split("name=\"connection\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a name");
    assert!(!of_bob.says(alices), "bob is not shown alice's");
    assert!(bob.submit(&of_bob, &[("action", "end"), ("connection", alices)]).answer.status >= 400);
    for gateway in stage.all() {
        assert_eq!(call(gateway).status, 200, "nothing of alice's was revoked");
    }
    assert_eq!(browser.submit(&own, &[("action", "end")]).answer.status, 200);
    let forwarded = stage.forwarded();
    for gateway in stage.all() {
        assert_eq!(call(gateway).refusal(), refused(401, "TOKEN_REVOKED"));
    }
    assert_eq!(stage.forwarded(), forwarded);
}

/// What a gateway keeps under this name in its data folder.
fn kept(gateway: &Gateway, name: &str) -> String {
    std::fs::read_to_string(gateway.folder().join("data").join(name)).expect("it is there")
}

fn c091_operators_revoke_with_their_key_and_nobody_without(setup: Setup) {
    let stage = Stage::new(setup);
    let agent = stage.agent();
    let token = stage.token(&agent, &["read:tickets"]);
    let call = |gateway: &Gateway| agent.send(&agent.call(gateway, &token, "GET", "/tickets"));
    let connections = stage.operate(&["connections", "list"]);
    let name = connections[0]["name"].as_str().expect("a name").to_owned();
    for gateway in stage.all() {
        let whereabouts: Value = serde_json::from_str(&kept(gateway, "admin.json")).expect("JSON");
        let url = format!("{}/admin/connections/{name}", whereabouts["url"].as_str().expect("a URL"));
        let (id, secret) = agent.client();
        let agents_own = format!("Basic {}", data_encoding::BASE64.encode(format!("{id}:{secret}").as_bytes()));
        let bearer = format!("Bearer {token}");
        for authorization in [None, Some("Bearer x"), Some("Bearer "), Some(bearer.as_str()), Some(agents_own.as_str())]
        {
            let request = Request::new("DELETE", &url);
            let request = authorization.iter().fold(request, |request, value| request.header("authorization", value));
            assert_eq!(request.send().status, 401, "{authorization:?}");
        }
        // Nor is there such a door where agents and browsers come in.
        let outside = gateway.request("DELETE", &format!("/admin/connections/{name}"));
        let outside = outside.header("authorization", &format!("Bearer {}", kept(gateway, "admin.key").trim())).send();
        assert!(outside.status >= 400, "{}", outside.status);
        assert_eq!(call(gateway).status, 200, "nothing was revoked");
    }
    stage.operate(&["connections", "revoke", &name]);
    let forwarded = stage.forwarded();
    for gateway in stage.all() {
        assert_eq!(call(gateway).refusal(), refused(401, "TOKEN_REVOKED"));
    }
    assert_eq!(stage.forwarded(), forwarded);
}

fn c103_calls_are_limited_for_each_agent(setup: Setup) {
    let rest = "[limits]\ncalls_per_agent = \"5/m\"";
    let stage = Stage::with(setup, &Script { rest, ..Script::default() });
    let (agent, other) = (stage.agent(), stage.agent());
    let [token, of_other] = [&agent, &other].map(|agent| stage.token(agent, &["read:tickets"]));
    for gateway in stage.all() {
        for _ in 0..5 {
            assert_eq!(agent.send(&agent.call(gateway, &token, "GET", "/tickets")).status, 200);
        }
        let forwarded = stage.forwarded();
        let limited = agent.send(&agent.call(gateway, &token, "GET", "/tickets"));
        assert_eq!(limited.refusal().0, 429, "{}", limited.body_text());
        let wait: u64 = limited.header("retry-after").and_then(|value| value.parse().ok()).expect("a number");
        assert!((1..=60).contains(&wait), "{wait}");
        assert_eq!(stage.forwarded(), forwarded);
        assert_eq!(
            other.send(&other.call(gateway, &of_other, "GET", "/tickets")).status,
            200,
            "another agent's count is its own"
        );
    }
}

fn c104_handshake_requests_are_limited(setup: Setup) {
    const ENDPOINTS: [&str; 3] = ["/ath/agents/register", "/ath/authorize", "/ath/token"];
    for endpoint in ENDPOINTS {
        let rest = "[limits]\nhandshake_per_address = \"6/m\"";
        let stage = Stage::with(setup, &Script { rest, ..Script::default() });
        for gateway in stage.all() {
            let junk = |path: &str| gateway.request("POST", path).json(&json!({"agent_attestation": "x"})).send();
            let statuses: Vec<u16> = (0..7).map(|_| junk(endpoint).refusal().0).collect();
            assert!(statuses[..6].iter().all(|status| matches!(status, 400 | 401)), "{endpoint}: {statuses:?}");
            assert_eq!(statuses[6], 429, "{endpoint}: {statuses:?}");
            for other in ENDPOINTS {
                let limited = junk(other);
                assert_eq!(limited.refusal().0, 429, "{other} after {endpoint}");
                assert!(limited.header("retry-after").is_some(), "{other}");
            }
            assert_eq!(gateway.request("GET", "/.well-known/ath.json").send().status, 200);
        }
    }
    // For each agent, too, whose signature held.
    let rest = "[limits]\nhandshake_per_agent = \"3/m\"";
    let stage = Stage::with(setup, &Script { rest, ..Script::default() });
    let (agent, other) = (stage.agent(), stage.agent());
    for gateway in stage.all() {
        let authorize = |agent: &Agent| {
            agent.post(gateway, "/ath/authorize", &agent.authorization(gateway, &["read:tickets"])).status
        };
        let statuses: Vec<u16> = (0..4).map(|_| authorize(&agent)).collect();
        assert!(statuses.contains(&200) && statuses[3] == 429, "{statuses:?}");
        assert_eq!(authorize(&other), 200, "another agent's count is its own");
    }
}
