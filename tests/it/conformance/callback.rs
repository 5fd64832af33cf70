//! The provider's answer, and the way back to the agent (C060 to C062).

use helpdesk::{TokenBehaviour, TokenRequest};
use serde_json::json;

use super::stage::{Script, Setup, Stage, refused};

on_both!(
    c060_an_answer_that_does_not_belong_here_is_refused,
    c060_a_refusal_and_a_failure_reach_the_agent_apart,
    c061_the_code_is_exchanged_in_a_form_unless_configured_otherwise,
    c062_the_agents_state_comes_back_to_its_redirect_uri,
);

fn c060_an_answer_that_does_not_belong_here_is_refused(setup: Setup) {
    let stage = Stage::new(setup);
    let agent = stage.agent();
    let (link, session) = agent.authorize(stage.next(), &["read:tickets"]);
    let mut browser = stage.browser();
    let page = browser.sign_in(&link);
    let unknown = format!("ath_sess_{}", "A".repeat(43));
    let secret = "A".repeat(43);
    for query in [
        "code=x&state=unknown".to_owned(),
        format!("code=x&state={unknown}.{secret}"),
        format!("code=x&state={session}.{secret}"),
        format!("code=x&state={session}"),
        "code=x&state=state-of-the-agent".to_owned(),
        "code=x".to_owned(),
        format!("error=access_denied&state={session}.{secret}"),
        String::new(),
    ] {
        for _ in stage.all() {
            stage.switch(&mut browser);
            let url = format!("{}/ath/callback?{query}", stage.public_url());
            assert_eq!(browser.open(&url).answer.status, 400, "{query}");
            assert_eq!(stage.browser().open(&url).answer.status, 400, "{query}");
            // A program gets no page.
            let plain = stage.next().request("GET", &format!("/ath/callback?{query}")).send();
            assert_eq!(plain.refusal(), refused(400, "STATE_MISMATCH"), "{query}");
        }
    }
    assert_eq!(agent.exchange(stage.next(), &session, "x").text("/details/reason"), "consent_pending");
    // None of it hurt the consent that is under way.
    let account = browser.submit(&page, &[("decision", "allow")]);
    let end = browser.submit(&account, &[("decision", "continue")]).parameters();
    assert_eq!(agent.exchange(stage.next(), &session, &end["code"]).status, 200);
}

fn c060_a_refusal_and_a_failure_reach_the_agent_apart(setup: Setup) {
    let stage = Stage::new(setup);
    let agent = stage.agent();
    // Refused at the gateway, and at the provider.
    for at_provider in [false, true] {
        let (link, session) = agent.authorize(stage.next(), &["read:tickets"]);
        let mut browser = stage.browser();
        let page = if at_provider { browser.sign_in(&link) } else { browser.open(&link) };
        stage.switch(&mut browser);
        let end = browser.submit(&page, &[("decision", "deny")]).parameters();
        assert_eq!(end["error"], "access_denied");
        for _ in stage.all() {
            assert_eq!(agent.exchange(stage.next(), &session, "x").refusal(), refused(403, "USER_DENIED"));
        }
    }
    // The provider fails at its token endpoint.
    for behaviour in [
        TokenBehaviour::ServerError(500),
        TokenBehaviour::ServerError(400),
        TokenBehaviour::Html,
        TokenBehaviour::HalfJson,
    ] {
        stage.upstream.helpdesk.set_token_behaviour(behaviour);
        let (link, session) = agent.authorize(stage.next(), &["read:tickets"]);
        let mut browser = stage.browser();
        let page = browser.sign_in(&link);
        stage.switch(&mut browser);
        assert_eq!(browser.submit(&page, &[("decision", "allow")]).answer.status, 502, "{behaviour:?}");
        for _ in stage.all() {
            assert_eq!(
                agent.exchange(stage.next(), &session, "x").refusal(),
                refused(502, "OAUTH_ERROR"),
                "{behaviour:?}"
            );
        }
    }
    stage.upstream.helpdesk.set_token_behaviour(TokenBehaviour::Normal);
    // It sends the browser back with an error that is nobody's refusal.
    stage.upstream.helpdesk.change_settings(|settings| settings.pkce = helpdesk::Pkce::Required);
    let (link, session) = agent.authorize(stage.next(), &["read:tickets"]);
    let mut browser = stage.browser();
    let page = browser.open(&link);
    assert_eq!(browser.submit(&page, &[("decision", "allow")]).answer.status, 502);
    assert_eq!(agent.exchange(stage.next(), &session, "x").refusal(), refused(502, "OAUTH_ERROR"));
}

fn c061_the_code_is_exchanged_in_a_form_unless_configured_otherwise(setup: Setup) {
    for (wanted, configured, works) in [
        (TokenRequest::Form, "", true),
        (TokenRequest::Json, "", false),
        (TokenRequest::Json, "token_request = \"json\"", true),
        (TokenRequest::Form, "token_request = \"json\"", false),
    ] {
        let script = Script { oauth: configured, ..Script::default() };
        let stage = Stage::before(setup, &script, |settings| settings.token_request = wanted, str::to_owned);
        let agent = stage.agent();
        let (link, session) = agent.authorize(stage.next(), &["read:tickets"]);
        let mut browser = stage.browser();
        let page = browser.sign_in(&link);
        let page = browser.submit(&page, &[("decision", "allow")]);
        if works {
            let end = browser.submit(&page, &[("decision", "continue")]).parameters();
            assert_eq!(agent.exchange(stage.next(), &session, &end["code"]).status, 200, "{wanted:?} {configured}");
        } else {
            assert_eq!(page.answer.status, 502, "{wanted:?} {configured}");
            assert_eq!(agent.exchange(stage.next(), &session, "x").refusal(), refused(502, "OAUTH_ERROR"));
        }
    }
}

fn c062_the_agents_state_comes_back_to_its_redirect_uri(setup: Setup) {
    let stage = Stage::new(setup);
    let mut agent = tests::Agent::new("Stateful");
    let redirect_uri = format!("{}?from=gateway&state-of=mind", agent.redirect_uri());
    let mut request = agent.registration(stage.next());
    request["redirect_uris"] = json!([redirect_uri]);
    let answer = agent.post(stage.next(), "/ath/agents/register", &request);
    agent.client = Some((answer.text("/client_id"), answer.text("/client_secret")));
    for state in ["s", "a b&c=d#e%2f+\"<é>", &"x".repeat(1024)] {
        for decision in ["continue", "undo"] {
            let mut request = agent.authorization(stage.next(), &["read:tickets"]);
            request["state"] = json!(state);
            request["user_redirect_uri"] = json!(redirect_uri);
            let begun = agent.post(stage.next(), "/ath/authorize", &request);
            assert_eq!(begun.status, 200, "{}", begun.body_text());
            let mut browser = stage.browser();
            let page = browser.sign_in(&begun.text("/authorization_url"));
            stage.switch(&mut browser);
            let account = browser.submit(&page, &[("decision", "allow")]);
            let end = browser.submit(&account, &[("decision", decision)]);
            assert!(end.url.as_str().starts_with(&redirect_uri), "{}", end.url);
            let found = end.parameters();
            assert_eq!(found["state"], state);
            assert_eq!(found["from"], "gateway");
            assert_eq!(found.contains_key("code"), decision == "continue");
            assert_eq!(end.url.query_pairs().filter(|(name, _)| name == "state").count(), 1);
        }
    }
}
