//! The beginning of a consent (C040 to C050).

use std::collections::BTreeMap;

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use tests::{Agent, Answer, MovedClock};
use url::Url;

use super::stage::{Script, Setup, Stage, refused};

on_both!(
    c040_the_agent_is_registered_and_approved,
    c042_the_provider_is_an_approved_one,
    c043_the_scopes_lie_within_the_approved_ones,
    c044_the_authorization_url_carries_an_s256_challenge,
    c045_the_verifier_never_leaves_the_server,
    c046_a_state_is_required,
    c047_a_cookie_ties_the_browser_to_the_session,
    c048_a_session_lives_for_ten_minutes_at_most,
    c049_a_session_is_used_once,
    c050_a_resource_is_passed_on,
);

/// What `/ath/authorize` answers to a good request, changed.
fn ask(stage: &Stage, agent: &Agent, change: &dyn Fn(&mut Value)) -> Answer {
    let gateway = stage.next();
    let mut request = agent.authorization(gateway, &["read:tickets"]);
    change(&mut request);
    agent.post(gateway, "/ath/authorize", &request)
}

fn parameters(url: &str) -> BTreeMap<String, String> {
    let url = Url::parse(url).expect("a URL");
    url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

fn c040_the_agent_is_registered_and_approved(setup: Setup) {
    let stage = Stage::new(setup);
    let agent = stage.agent();
    assert_eq!(ask(&stage, &agent, &|_| {}).status, 200);
    for unknown in ["ath_00000000000000000000000000000000", "ath_", "", "x"] {
        let answer = ask(&stage, &agent, &|request| request["client_id"] = json!(unknown));
        assert_eq!(answer.refusal(), refused(403, "AGENT_NOT_REGISTERED"), "{unknown:?}");
    }
    let mut denied = Agent::new("Denied");
    let mut request = denied.registration(stage.next());
    request["requested_providers"] = json!([{"provider_id": "helpdesk", "scopes": ["unheard-of"]}]);
    let answer = denied.post(stage.next(), "/ath/agents/register", &request);
    assert_eq!(answer.text("/agent_status"), "denied");
    denied.client = Some((answer.text("/client_id"), answer.text("/client_secret")));
    assert_eq!(ask(&stage, &denied, &|_| {}).refusal(), refused(403, "AGENT_UNAPPROVED"));
    // A registration that has ended.
    let path = format!("/ath/agents/{}", agent.client().0);
    let bearer = format!("Bearer {}", agent.attest(&format!("{}{path}", stage.public_url())));
    assert_eq!(stage.next().request("DELETE", &path).header("authorization", &bearer).send().status, 200);
    for _ in stage.all() {
        assert_eq!(ask(&stage, &agent, &|_| {}).refusal(), refused(403, "AGENT_NOT_REGISTERED"));
    }
}

fn c042_the_provider_is_an_approved_one(setup: Setup) {
    let stage = Stage::new(setup);
    let mut agent = Agent::new("One provider");
    let mut request = agent.registration(stage.next());
    request["requested_providers"] = json!([{"provider_id": "helpdesk", "scopes": ["read:tickets"]}]);
    let answer = agent.post(stage.next(), "/ath/agents/register", &request);
    agent.client = Some((answer.text("/client_id"), answer.text("/client_secret")));
    for provider in ["other", "unheard-of", "", "HELPDESK", "helpdesk/../other"] {
        let answer = ask(&stage, &agent, &|request| request["provider_id"] = json!(provider));
        assert_eq!(answer.refusal(), refused(403, "PROVIDER_NOT_APPROVED"), "{provider:?}");
    }
    assert_eq!(ask(&stage, &agent, &|_| {}).status, 200);
}

fn c043_the_scopes_lie_within_the_approved_ones(setup: Setup) {
    let stage = Stage::new(setup);
    let mut agent = Agent::new("Reader");
    let mut request = agent.registration(stage.next());
    request["requested_providers"] = json!([{"provider_id": "helpdesk", "scopes": ["read:tickets"]}]);
    let answer = agent.post(stage.next(), "/ath/agents/register", &request);
    agent.client = Some((answer.text("/client_id"), answer.text("/client_secret")));
    for scopes in
        [json!(["write:tickets"]), json!(["read:tickets", "write:tickets"]), json!(["admin"]), json!(["READ:tickets"])]
    {
        let answer = ask(&stage, &agent, &|request| {
            request["scopes"] = scopes.clone();
            request.as_object_mut().expect("an object").remove("user_redirect_uri");
        });
        assert_eq!(answer.refusal(), refused(403, "SCOPE_NOT_APPROVED"), "{scopes}");
        assert!(!answer.json()["details"]["denied_scopes"].as_array().expect("a list").is_empty(), "{scopes}");
    }
    for scopes in [json!([]), json!("read:tickets"), json!([7])] {
        let answer = ask(&stage, &agent, &|request| request["scopes"] = scopes.clone());
        assert_eq!(answer.refusal().0, 400, "{scopes}");
    }
}

fn c044_the_authorization_url_carries_an_s256_challenge(setup: Setup) {
    let script = Script { oauth: "pkce = \"s256\"", ..Script::default() };
    let stage = Stage::before(setup, &script, |settings| settings.pkce = helpdesk::Pkce::Required, str::to_owned);
    let agent = stage.agent();
    let mut challenges = Vec::new();
    for _ in 0..3 {
        let (link, _) = agent.authorize(stage.next(), &["read:tickets"]);
        let found = parameters(&link);
        assert_eq!(found["code_challenge_method"], "S256");
        assert_eq!(BASE64URL_NOPAD.decode(found["code_challenge"].as_bytes()).map(|hash| hash.len()), Ok(32));
        challenges.push(found["code_challenge"].clone());
    }
    challenges.dedup();
    assert_eq!(challenges.len(), 3, "each session has its own");
    // The provider is sent the same challenge, and the verifier that belongs to it: one that demands PKCE is content.
    let (link, _) = agent.authorize(stage.next(), &["read:tickets"]);
    let mut browser = stage.browser();
    let page = browser.open(&link);
    let upstream = browser.stop_at("/authorize", |browser| browser.submit(&page, &[("decision", "allow")]));
    let upstream = parameters(upstream.as_str());
    assert_eq!(upstream["code_challenge"], parameters(&link)["code_challenge"]);
    assert_eq!(upstream["code_challenge_method"], "S256");
    let token = stage.token(&agent, &["read:tickets"]);
    assert_eq!(stage.call(&agent, &token, "GET", "/tickets").status, 200);
}

fn c045_the_verifier_never_leaves_the_server(setup: Setup) {
    let script = Script { oauth: "pkce = \"s256\"", ..Script::default() };
    let stage = Stage::before(setup, &script, |settings| settings.pkce = helpdesk::Pkce::Required, str::to_owned);
    let agent = stage.agent();
    let begun = ask(&stage, &agent, &|_| {});
    let link = begun.text("/authorization_url");
    let challenge = parameters(&link)["code_challenge"].clone();
    let mut browser = stage.browser();
    let page = browser.open(&link);
    let end = stage.finish(&mut browser, &page);
    let code = end.parameters()["code"].clone();
    let token = agent.exchange(stage.next(), &begun.text("/ath_session_id"), &code);
    assert_eq!(token.status, 200, "{}", token.body_text());
    // Whatever agent, browser or log saw: nothing in it hashes to the challenge.
    let log = stage.log();
    let seen = [&begun.bytes[..], browser.received(), end.url.as_str().as_bytes(), &token.bytes, log.as_bytes()];
    let words = |text: &[u8]| {
        let inside = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        text.split(|byte| !inside(byte)).map(<[u8]>::to_vec).collect::<Vec<_>>()
    };
    let words: Vec<Vec<u8>> = seen.into_iter().flat_map(words).collect();
    assert!(words.iter().any(|word| word == challenge.as_bytes()), "the challenge itself is among them");
    for word in words {
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &word);
        assert_ne!(BASE64URL_NOPAD.encode(hash.as_ref()), challenge, "the verifier was sent");
    }
    assert!(!String::from_utf8_lossy(browser.received()).contains("code_verifier"));
}

fn c046_a_state_is_required(setup: Setup) {
    let stage = Stage::new(setup);
    let agent = stage.agent();
    for state in [json!(null), json!(""), json!(7), json!(["s"])] {
        let answer = ask(&stage, &agent, &|request| request["state"] = state.clone());
        assert_eq!(answer.refusal(), refused(400, "STATE_MISMATCH"), "{state}");
    }
    let missing = ask(&stage, &agent, &|request| {
        request.as_object_mut().expect("an object").remove("state");
    });
    assert_eq!(missing.refusal(), refused(400, "STATE_MISMATCH"));
    // At the callback it is the gateway's own, and has to come back as it was.
    let (callback, mut browser) = at_the_callback(&stage, &agent);
    let issued = stage.upstream.helpdesk.counters().token_requests.authorization_code;
    let sent = parameters(callback.as_str())["state"].clone();
    let without = callback.as_str().replace(&format!("state={sent}"), "x=y");
    let last = if sent.ends_with('A') { 'B' } else { 'A' };
    let other = callback.as_str().replace(&sent, &format!("{}{last}", &sent[..sent.len() - 1]));
    let doubled = format!("{callback}&state={sent}");
    for url in [without, other, doubled] {
        assert_eq!(browser.open(&url).answer.status, 400, "{url}");
    }
    assert_eq!(stage.upstream.helpdesk.counters().token_requests.authorization_code, issued, "no code was exchanged");
    assert_eq!(browser.open(callback.as_str()).answer.status, 200, "the right one is still good");
}

/// Alice has consented everywhere; her browser is about to open the gateway's callback.
fn at_the_callback(stage: &Stage, agent: &Agent) -> (Url, tests::Browser) {
    let (link, _) = agent.authorize(stage.next(), &["read:tickets"]);
    let mut browser = stage.browser();
    let page = browser.sign_in(&link);
    let callback = browser.stop_at("/ath/callback", |browser| browser.submit(&page, &[("decision", "allow")]));
    stage.switch(&mut browser);
    (callback, browser)
}

fn c047_a_cookie_ties_the_browser_to_the_session(setup: Setup) {
    let stage = Stage::new(setup);
    let agent = stage.agent();
    let (callback, mut browser) = at_the_callback(&stage, &agent);
    let received = String::from_utf8_lossy(browser.received()).to_ascii_lowercase();
    let cookie =
        received.lines().find(|line| line.starts_with("set-cookie: ath_consent")).expect("a cookie of the session's");
    for attribute in ["httponly", "samesite=lax", "path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains("domain="), "{cookie}");
    // Another browser with the very same URL, or one that has a consent of its own under way: nothing is exchanged, for nobody.
    let issued = stage.upstream.helpdesk.counters().token_requests.authorization_code;
    for _ in stage.all() {
        let (passed_on, _) = at_the_callback(&stage, &agent);
        assert_eq!(stage.browser().open(passed_on.as_str()).answer.status, 400);
        let (passed_on, _) = at_the_callback(&stage, &agent);
        let (_, mut other) = at_the_callback(&stage, &agent);
        assert_eq!(other.open(passed_on.as_str()).answer.status, 400);
    }
    assert_eq!(stage.upstream.helpdesk.counters().token_requests.authorization_code, issued, "no code was exchanged");
    let page = browser.open(callback.as_str());
    assert!(page.says("alice@acme.test"), "the right browser goes on");
    // The pages after it are tied to the cookie too.
    let (_, mut other) = at_the_callback(&stage, &agent);
    assert_eq!(other.open(page.url.as_str()).answer.status, 400);
}

fn c048_a_session_lives_for_ten_minutes_at_most(setup: Setup) {
    let clock = MovedClock::new();
    let stage = Stage::with(setup, &Script { clock: Some(&clock), ..Script::default() });
    let agent = stage.agent();
    let (untouched, _) = agent.authorize(stage.next(), &["read:tickets"]);
    let (callback, mut browser) = at_the_callback(&stage, &agent);
    let (confirming, mut confirmer) = at_the_callback(&stage, &agent);
    let account = confirmer.open(confirming.as_str());
    let (session, code) = stage.consent(&agent, &["read:tickets"]);
    clock.forward(9 * 60 + 50);
    assert_eq!(stage.browser().open(&untouched).answer.status, 200, "it is not over yet");
    let tokens = stage.upstream.helpdesk.issued_tokens().len();
    clock.forward(10 * 60 + 5);
    for _ in stage.all() {
        assert_eq!(stage.browser().open(&untouched).answer.status, 400);
        stage.switch(&mut browser);
        assert_eq!(browser.open(callback.as_str()).answer.status, 400);
        stage.switch(&mut confirmer);
        assert_eq!(confirmer.submit(&account, &[("decision", "continue")]).answer.status, 400);
        let mut exchange = agent.exchange_request(stage.next(), &session, &code);
        exchange["agent_attestation"] = json!(agent.attest_at(&stage.token_url(), 605));
        assert_eq!(agent.post(stage.next(), "/ath/token", &exchange).refusal(), refused(400, "SESSION_EXPIRED"));
    }
    assert_eq!(stage.upstream.helpdesk.issued_tokens().len(), tokens);
}

fn c049_a_session_is_used_once(setup: Setup) {
    let stage = Stage::new(setup);
    let agent = stage.agent();
    let (link, session) = agent.authorize(stage.next(), &["read:tickets"]);
    let mut browser = stage.browser();
    let consent = browser.open(&link);
    let helpdesk = browser.submit(&consent, &[("decision", "allow")]);
    stage.switch(&mut browser);
    assert_eq!(browser.submit(&consent, &[("decision", "allow")]).answer.status, 409, "one Allow");
    assert_eq!(browser.submit(&consent, &[("decision", "deny")]).answer.status, 409, "and no Deny after it");
    let helpdesk = browser.submit(&helpdesk, &[("username", "alice@acme.test"), ("password", "demo1234")]);
    let callback = browser.stop_at("/ath/callback", |browser| browser.submit(&helpdesk, &[("decision", "allow")]));
    let account = browser.open(callback.as_str());
    for _ in stage.all() {
        stage.switch(&mut browser);
        assert_eq!(browser.open(callback.as_str()).answer.status, 400, "one answer of the provider's");
    }
    let end = browser.submit(&account, &[("decision", "continue")]).parameters();
    assert_eq!(agent.exchange(stage.next(), &session, &end["code"]).status, 200);
    for _ in stage.all() {
        let again = agent.exchange(stage.next(), &session, &end["code"]);
        assert_eq!(again.refusal(), refused(400, "SESSION_NOT_FOUND"), "one token");
        assert_eq!(stage.browser().open(&link).answer.status, 400, "and the link is dead");
    }
    assert_eq!(stage.upstream.helpdesk.counters().token_requests.authorization_code, 1);
}

fn c050_a_resource_is_passed_on(setup: Setup) {
    let stage = Stage::new(setup);
    let agent = stage.agent();
    let resource = "https://api.example/tickets?a=b&c=d";
    let begun = ask(&stage, &agent, &|request| request["resource"] = json!(resource));
    let link = begun.text("/authorization_url");
    assert_eq!(parameters(&link)["resource"], resource);
    let mut browser = stage.browser();
    let page = browser.open(&link);
    let upstream = browser.stop_at("/authorize", |browser| browser.submit(&page, &[("decision", "allow")]));
    assert_eq!(parameters(upstream.as_str())["resource"], resource);
    // Where none was named, none is made up.
    let (link, _) = agent.authorize(stage.next(), &["read:tickets"]);
    assert!(!parameters(&link).contains_key("resource"));
}
