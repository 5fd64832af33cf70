//! The exchange of a code for an ATH token, and what the token is (C070 to C076).

use serde_json::{Value, json};
use tests::{Agent, Answer, MovedClock};

use super::stage::{ALICE, BOB, Script, Setup, Stage, refused};

on_both!(
    c070_a_token_wants_secret_attestation_and_a_session_of_ones_own,
    c070_of_many_simultaneous_exchanges_exactly_one_gets_a_token,
    c071_the_scope_intersection_is_always_there,
    c072_a_token_is_bound_to_agent_user_provider_and_scopes,
    c073_the_effective_scopes_are_what_all_three_have_in_common,
    c074_a_token_lives_for_an_hour_by_default,
    c075_any_other_grant_type_is_refused,
    c076_an_old_session_is_expired_and_not_unknown,
);

const BOTH: [&str; 2] = ["read:tickets", "write:tickets"];

fn exchange(stage: &Stage, agent: &Agent, session: &str, code: &str, change: &dyn Fn(&mut Value)) -> Answer {
    let gateway = stage.next();
    let mut request = agent.exchange_request(gateway, session, code);
    change(&mut request);
    agent.post(gateway, "/ath/token", &request)
}

fn c070_a_token_wants_secret_attestation_and_a_session_of_ones_own(setup: Setup) {
    let stage = Stage::new(setup);
    let (agent, other) = (stage.agent(), stage.agent());
    let (session, code) = stage.consent(&agent, &["read:tickets"]);
    let ask = |change: &dyn Fn(&mut Value)| exchange(&stage, &agent, &session, &code, change);
    let (_, foreign_secret) = other.client();
    for secret in ["", "ath_secret_x", &foreign_secret] {
        let answer = ask(&|request| request["client_secret"] = json!(secret));
        assert_eq!(answer.refusal(), refused(401, "AGENT_NOT_REGISTERED"), "{secret:?}");
    }
    let foreign = other.attest(&stage.token_url());
    for attestation in ["", "x", &foreign] {
        let answer = ask(&|request| request["agent_attestation"] = json!(attestation));
        assert_eq!(answer.refusal(), refused(401, "INVALID_ATTESTATION"));
    }
    for unknown in ["", "ath_sess_x", &format!("ath_sess_{}", "A".repeat(43))] {
        let answer = ask(&|request| request["ath_session_id"] = json!(unknown));
        assert_eq!(answer.refusal(), refused(400, "SESSION_NOT_FOUND"), "{unknown}");
    }
    // Another client, with everything right but the session.
    for _ in stage.all() {
        let stolen = exchange(&stage, &other, &session, &code, &|_| {});
        assert_eq!(stolen.refusal(), refused(400, "SESSION_NOT_FOUND"));
    }
    let wrong_code = ask(&|request| request["code"] = json!("ath_code_x"));
    assert_eq!(wrong_code.refusal(), refused(400, "SESSION_NOT_FOUND"));
    for field in ["client_id", "client_secret", "agent_attestation", "code", "ath_session_id", "grant_type"] {
        let missing = ask(&|request| {
            request.as_object_mut().expect("an object").remove(field);
        });
        assert_eq!(missing.refusal(), refused(400, "INVALID_ATTESTATION"), "{field}");
    }
    let token = ask(&|_| {});
    assert_eq!(token.status, 200, "none of it used the session up: {}", token.body_text());
    for _ in stage.all() {
        assert_eq!(ask(&|_| {}).refusal(), refused(400, "SESSION_NOT_FOUND"), "consumed");
    }
}

fn c070_of_many_simultaneous_exchanges_exactly_one_gets_a_token(setup: Setup) {
    let stage = Stage::new(setup);
    let agent = stage.agent();
    for _ in 0..3 {
        let (session, code) = stage.consent(&agent, &["read:tickets"]);
        let answers: Vec<Answer> = std::thread::scope(|scope| {
            let sent: Vec<_> = (0..16).map(|_| scope.spawn(|| agent.exchange(stage.next(), &session, &code))).collect();
            sent.into_iter().map(|sent| sent.join().expect("no panic")).collect()
        });
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
        for answer in answers.iter().filter(|answer| answer.status != 200) {
            assert_eq!(answer.refusal(), refused(400, "SESSION_NOT_FOUND"));
        }
    }
}

fn c071_the_scope_intersection_is_always_there(setup: Setup) {
    let stage = Stage::new(setup);
    let agent = stage.agent();
    for scopes in [&BOTH[..], &BOTH[..1]] {
        let (session, code) = stage.consent(&agent, scopes);
        let token = exchange(&stage, &agent, &session, &code, &|_| {});
        let found = token.json()["scope_intersection"].clone();
        assert_eq!(found["agent_approved"], json!(BOTH));
        assert_eq!(found["user_consented"], json!(scopes));
        assert_eq!(found["effective"], json!(scopes));
        assert_eq!(token.json()["effective_scopes"], found["effective"]);
    }
}

fn c072_a_token_is_bound_to_agent_user_provider_and_scopes(setup: Setup) {
    let stage = Stage::new(setup);
    let (agent, other) = (stage.agent(), stage.agent());
    for (person, scopes) in [(ALICE, &BOTH[..1]), (BOB, &BOTH[..])] {
        let (session, code) = stage.consent_of(person, &agent, scopes);
        let answer = exchange(&stage, &agent, &session, &code, &|_| {});
        assert_eq!(answer.text("/agent_id"), agent.id.as_str());
        assert_eq!(answer.text("/provider_id"), "helpdesk");
        assert_eq!(answer.json()["effective_scopes"], json!(scopes));
        assert_eq!(answer.text("/token_type"), "Bearer");
        let token = answer.text("/access_token");
        assert!(token.starts_with("ath_tk_"));
        // The user: the service sees this person, at every gateway.
        for _ in stage.all() {
            let list = stage.call(&agent, &token, "GET", "/tickets?assignee=me").json();
            let tickets = list["tickets"].as_array().expect("a list");
            assert!(
                !tickets.is_empty() && tickets.iter().all(|ticket| ticket["assignee"] == person),
                "{person}: {list}"
            );
        }
        // The scopes.
        let write = stage.call(&agent, &token, "PATCH", "/tickets/1");
        assert_eq!(write.status == 403, scopes.len() == 1, "{}", write.body_text());
        // The agent, and the provider.
        let forwarded = stage.forwarded();
        assert_eq!(stage.call(&other, &token, "GET", "/tickets").refusal(), refused(403, "AGENT_IDENTITY_MISMATCH"));
        let elsewhere = stage.next().request("GET", "/ath/proxy/other/tickets");
        let elsewhere = elsewhere.header("authorization", &format!("Bearer {token}"));
        let elsewhere = elsewhere.header("x-ath-agent-id", agent.id.as_str()).send();
        assert_eq!(elsewhere.refusal(), refused(403, "PROVIDER_MISMATCH"));
        assert_eq!(stage.forwarded(), forwarded);
    }
}

fn c073_the_effective_scopes_are_what_all_three_have_in_common(setup: Setup) {
    // The provider grants this, whatever was asked for, and says so.
    for (granted, requested, effective) in [
        ("read:tickets write:tickets", &BOTH[..], &BOTH[..]),
        ("read:tickets write:tickets", &BOTH[..1], &BOTH[..1]),
        ("read:tickets", &BOTH[..], &BOTH[..1]),
        ("read:tickets", &BOTH[1..], &[]),
        ("write:tickets", &BOTH[..1], &[]),
    ] {
        let oauth = format!("scope_parameter = \"ignored\"\nauthorize_parameters = {{ scope = \"{granted}\" }}");
        let stage = Stage::with(setup, &Script { oauth: &oauth, ..Script::default() });
        let agent = stage.agent();
        let (session, code) = stage.consent(&agent, requested);
        let answer = exchange(&stage, &agent, &session, &code, &|_| {});
        if effective.is_empty() {
            assert_eq!(answer.refusal(), refused(403, "SCOPE_NOT_APPROVED"), "{granted} {requested:?}");
            continue;
        }
        assert_eq!(answer.status, 200, "{granted} {requested:?}: {}", answer.body_text());
        assert_eq!(answer.json()["effective_scopes"], json!(effective), "{granted} {requested:?}");
        let token = answer.text("/access_token");
        assert_eq!(stage.call(&agent, &token, "GET", "/tickets").status, 200);
        let write = stage.call(&agent, &token, "PATCH", "/tickets/1");
        assert_eq!(write.status == 403, effective.len() == 1, "{}", write.body_text());
    }
    // What was not approved cannot be asked for, and is not in the token: approved here is reading alone.
    let stage = Stage::new(setup);
    let mut agent = Agent::new("Reader");
    let mut request = agent.registration(stage.next());
    request["requested_providers"] = json!([{"provider_id": "helpdesk", "scopes": ["read:tickets"]}]);
    let answer = agent.post(stage.next(), "/ath/agents/register", &request);
    agent.client = Some((answer.text("/client_id"), answer.text("/client_secret")));
    let begun = agent.post(stage.next(), "/ath/authorize", &agent.authorization(stage.next(), &BOTH));
    assert_eq!(begun.refusal(), refused(403, "SCOPE_NOT_APPROVED"));
}

fn c074_a_token_lives_for_an_hour_by_default(setup: Setup) {
    let clock = MovedClock::new();
    let stage = Stage::with(setup, &Script { clock: Some(&clock), ..Script::default() });
    let agent = stage.agent();
    let (session, code) = stage.consent(&agent, &["read:tickets"]);
    let answer = exchange(&stage, &agent, &session, &code, &|_| {});
    assert_eq!(answer.json()["expires_in"], 3600);
    let token = answer.text("/access_token");
    clock.forward(3600 - 20);
    for _ in stage.all() {
        assert_eq!(stage.call(&agent, &token, "GET", "/tickets").status, 200);
    }
    clock.forward(3600 + 5);
    for _ in stage.all() {
        assert_eq!(stage.call(&agent, &token, "GET", "/tickets").refusal(), refused(401, "TOKEN_EXPIRED"));
    }
}

fn c075_any_other_grant_type_is_refused(setup: Setup) {
    let stage = Stage::new(setup);
    let agent = stage.agent();
    let (session, code) = stage.consent(&agent, &["read:tickets"]);
    for grant_type in [
        json!("client_credentials"),
        json!("refresh_token"),
        json!("password"),
        json!("urn:ietf:params:oauth:grant-type:jwt-bearer"),
        json!("Authorization_Code"),
        json!(""),
        json!(null),
    ] {
        let answer = exchange(&stage, &agent, &session, &code, &|request| request["grant_type"] = grant_type.clone());
        assert_eq!(answer.refusal(), refused(400, "INVALID_ATTESTATION"), "{grant_type}");
    }
    assert_eq!(exchange(&stage, &agent, &session, &code, &|_| {}).status, 200);
}

fn c076_an_old_session_is_expired_and_not_unknown(setup: Setup) {
    let clock = MovedClock::new();
    let stage = Stage::with(setup, &Script { clock: Some(&clock), ..Script::default() });
    let agent = stage.agent();
    let (_, begun) = agent.authorize(stage.next(), &["read:tickets"]);
    let (completed, code) = stage.consent(&agent, &["read:tickets"]);
    for seconds in [605_u32, 3600, 20 * 3600] {
        clock.forward(u64::from(seconds));
        for session in [&begun, &completed] {
            for _ in stage.all() {
                let answer = exchange(&stage, &agent, session, &code, &|request| {
                    request["agent_attestation"] = json!(agent.attest_at(&stage.token_url(), i64::from(seconds)));
                });
                assert_eq!(answer.refusal(), refused(400, "SESSION_EXPIRED"), "after {seconds} seconds");
            }
        }
    }
    let unknown = exchange(&stage, &agent, "ath_sess_x", &code, &|request| {
        request["agent_attestation"] = json!(agent.attest_at(&stage.token_url(), 20 * 3600));
    });
    assert_eq!(unknown.refusal(), refused(400, "SESSION_NOT_FOUND"));
}
