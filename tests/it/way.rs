//! The whole way, over both stores; with Redis, every step on another replica than the one before.

use serde_json::json;
use tests::{Agent, Browser, CANARY, Gateway, RedisServer, Store, Upstream, free_port};

#[test]
fn from_consent_to_call_with_the_embedded_store() {
    let upstream = Upstream::start(free_port(), |_| {});
    let gateway = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &upstream.provider("pkce = \"none\""));
    whole_way(&gateway, &gateway, &upstream);
    assert_sealed(&gateway.at_rest());
}

#[test]
fn from_consent_to_call_over_two_replicas_on_one_redis() {
    let redis = RedisServer::start();
    let upstream = Upstream::start(free_port(), |_| {});
    let settings = "pkce = \"none\"";
    let one = Gateway::start_with(Store::Redis(&redis), upstream.gateway_port(), &upstream.provider(settings));
    let two = one.replica(Store::Redis(&redis), &upstream, settings);
    whole_way(&one, &two, &upstream);
    assert_sealed(&redis.at_rest());
}

#[test]
fn a_server_that_demands_pkce_gets_it_and_one_that_rejects_it_does_not() {
    for (pkce, setting) in
        [(helpdesk::Pkce::Required, "pkce = \"s256\""), (helpdesk::Pkce::Rejected, "pkce = \"none\"")]
    {
        let upstream = Upstream::start(free_port(), |settings| settings.pkce = pkce);
        let gateway = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &upstream.provider(setting));
        whole_way(&gateway, &gateway, &upstream);
    }
}

fn whole_way(one: &Gateway, two: &Gateway, upstream: &Upstream) {
    let mut agent = Agent::new("Ticket Helper");
    let registered = agent.register(one);
    assert_eq!(registered.status, 201, "{}", registered.body_text());
    assert_eq!(registered.text("/agent_status"), "approved");
    let (link, session) = agent.authorize(two, &["read:tickets", "write:tickets"]);
    for parameter in ["response_type=code", "code_challenge=", "code_challenge_method=S256"] {
        assert!(link.contains(parameter), "{link}");
    }
    let mut browser = Browser::new();
    browser.reroute(upstream.gateway_port(), two.port());
    let end = browser.consent(&link);
    assert_eq!(end["state"], "state-of-the-agent");
    assert_eq!(end["ath_session_id"], session);
    assert_eq!(end["iss"], one.public_url());

    let token = agent.exchange(one, &session, &end["code"]);
    assert_eq!(token.status, 200, "{}", token.body_text());
    assert_eq!(token.json()["scope_intersection"]["effective"], json!(["read:tickets", "write:tickets"]));
    assert_eq!(token.json()["expires_in"], 3600);
    let token = token.text("/access_token");

    let list = agent.send(&agent.call(two, &token, "GET", "/tickets?status=open"));
    assert_eq!(list.status, 200, "{}", list.body_text());
    let ticket = json!({"title": "Card payments fail", "team": "payments", "priority": "p1"});
    let opened = agent.send(&agent.call(one, &token, "POST", "/tickets").json(&ticket));
    assert_eq!(opened.status, 201, "{}", opened.body_text());
    assert_eq!(opened.header("location"), Some(format!("{}/ath/proxy/helpdesk/tickets/13", one.public_url()).as_str()));
    let changed = agent.send(&agent.call(two, &token, "PATCH", "/tickets/13").json(&json!({"status": "resolved"})));
    assert_eq!((changed.status, changed.text("/status").as_str()), (200, "resolved"));
    assert_eq!(
        agent.send(&agent.call(one, &token, "DELETE", "/tickets/13")).refusal(),
        (403, "SCOPE_NOT_APPROVED".to_owned())
    );

    assert_eq!(agent.revoke(one, &token).status, 200);
    assert_eq!(agent.send(&agent.call(two, &token, "GET", "/tickets")).refusal(), (401, "TOKEN_REVOKED".to_owned()));
    assert_eq!(agent.send(&agent.call(one, &token, "GET", "/tickets")).refusal(), (401, "TOKEN_REVOKED".to_owned()));
    assert!(!upstream.helpdesk.issued_tokens().is_empty());
}

fn assert_sealed(stored: &[u8]) {
    assert!(!stored.is_empty());
    for secret in [CANARY, "alice@acme.test", "ath_secret_", "ath_tk_"] {
        let found = stored.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{secret} stands in the store");
    }
}
