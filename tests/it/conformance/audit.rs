//! The record of decisions and calls (C094, C100, C101).

use serde_json::{Value, json};
use tests::{Agent, CANARY, eventually};

use super::stage::{Setup, Stage};

on_both!(
    c094_a_revocation_is_on_record,
    c100_decisions_are_on_record_with_who_what_and_why,
    c101_every_event_of_the_protocol_has_its_line,
);

/// The lines of an event, of all gateways.
fn lines(stage: &Stage, event: &str) -> Vec<Value> {
    stage.record().into_iter().filter(|line| line["event"] == event).collect()
}

fn c094_a_revocation_is_on_record(setup: Setup) {
    let stage = Stage::new(setup);
    let (agent, other) = (stage.agent(), stage.agent());
    let token = stage.token(&agent, &["read:tickets"]);
    // What ends nothing is no revocation.
    assert_eq!(agent.revoke(stage.next(), "ath_tk_x").status, 200);
    assert_eq!(other.revoke(stage.next(), &token).status, 403);
    assert!(lines(&stage, "token_revoked").is_empty());
    assert_eq!(agent.revoke(stage.next(), &token).status, 200);
    // It is there when it is acknowledged.
    let found = lines(&stage, "token_revoked");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["agent_id"], agent.id.as_str());
    assert_eq!(found[0]["provider_id"], "helpdesk");
    assert!(found[0]["user_id"].is_string() && found[0]["timestamp"].is_string(), "{found:?}");
    assert_eq!(agent.revoke(stage.next(), &token).status, 200);
    assert_eq!(lines(&stage, "token_revoked").len(), 1, "once");
}

fn c100_decisions_are_on_record_with_who_what_and_why(setup: Setup) {
    let stage = Stage::new(setup);
    let agent = stage.agent();
    let token = stage.token(&agent, &["read:tickets"]);
    assert_eq!(stage.call(&agent, &token, "POST", "/tickets").status, 403);
    let (link, _) = agent.authorize(stage.next(), &["read:tickets", "write:tickets"]);
    let mut browser = stage.browser();
    let page = browser.open(&link);
    browser.submit(&page, &[("decision", "deny")]);

    let granted = &lines(&stage, "access_granted")[0];
    let user = granted["user_id"].clone();
    assert!(user.is_string(), "{granted}");
    eventually("the violation is on record", || !lines(&stage, "scope_violation").is_empty());
    let violation = &lines(&stage, "scope_violation")[0];
    let denied = &lines(&stage, "access_denied")[0];
    for line in [granted, violation, denied] {
        assert_eq!(line["agent_id"], agent.id.as_str(), "{line}");
        assert_eq!(line["provider_id"], "helpdesk", "{line}");
    }
    assert_eq!(granted["requested_scopes"], json!(["read:tickets"]));
    assert_eq!(granted["effective_scopes"], json!(["read:tickets"]));
    assert_eq!(violation["user_id"], user);
    assert_eq!(violation["effective_scopes"], json!(["read:tickets"]));
    assert_eq!(violation["denied_scopes"], json!(["write:tickets"]));
    assert_eq!(denied["requested_scopes"], json!(["read:tickets", "write:tickets"]));
    assert_eq!(denied["denied_scopes"], json!(["read:tickets", "write:tickets"]));
    for line in [violation, denied] {
        assert!(line["denial_reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{line}");
    }
    for line in stage.record() {
        let timestamp = line["timestamp"].as_str().expect("a timestamp");
        assert!(timestamp.len() >= 20 && timestamp.ends_with('Z') && timestamp.as_bytes()[10] == b'T', "{timestamp}");
        assert!(line["event"].is_string(), "{line}");
        let text = line.to_string();
        for secret in [CANARY, "ath_tk_", "ath_secret_", "ath_code_", "eyJ", &token, &agent.client().1] {
            assert!(!text.contains(secret), "{secret} stands in {text}");
        }
    }
}

fn c101_every_event_of_the_protocol_has_its_line(setup: Setup) {
    let stage = Stage::new(setup);
    let expect = |event: &str, agent: &Agent| {
        eventually(&format!("{event} is on record"), || {
            lines(&stage, event).iter().any(|line| line["agent_id"] == agent.id.as_str())
        });
    };
    let agent = stage.agent();
    expect("agent_registered", &agent);

    let denied = Agent::new("Denied");
    let mut request = denied.registration(stage.next());
    request["requested_providers"] = json!([{"provider_id": "helpdesk", "scopes": ["unheard-of"]}]);
    assert_eq!(denied.post(stage.next(), "/ath/agents/register", &request).text("/agent_status"), "denied");
    expect("agent_registration_denied", &denied);

    let mut request = agent.authorization(stage.next(), &["read:tickets"]);
    request["agent_attestation"] = json!(agent.attest("https://gateway.example"));
    assert_eq!(agent.post(stage.next(), "/ath/authorize", &request).status, 401);
    expect("attestation_failed", &agent);

    let (session, code) = stage.consent(&agent, &["read:tickets"]);
    expect("authorization_started", &agent);
    expect("access_granted", &agent);

    let (link, _) = agent.authorize(stage.next(), &["read:tickets"]);
    let mut browser = stage.browser();
    let page = browser.open(&link);
    browser.submit(&page, &[("decision", "deny")]);
    expect("access_denied", &agent);

    let token = agent.exchange(stage.next(), &session, &code).text("/access_token");
    assert_eq!(stage.call(&agent, &token, "GET", "/tickets").status, 200);
    expect("proxy_request", &agent);
    assert_eq!(stage.call(&agent, &token, "POST", "/tickets").status, 403);
    expect("scope_violation", &agent);
    assert_eq!(agent.revoke(stage.next(), &token).status, 200);
    expect("token_revoked", &agent);
}
