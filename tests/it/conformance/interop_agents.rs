//! What the official clients really do, on the agent's side (interop rules 1, 10, and 12 to 15).

use data_encoding::BASE64;
use serde_json::{Value, json};
use tests::{Agent, Answer};

use super::stage::{Setup, Stage, refused};

on_both!(
    interop_01_one_base_url_leads_everywhere,
    interop_10_the_agents_state_and_the_gateways_own_are_two,
    interop_12_refusals_come_in_order_and_with_their_statuses,
    interop_13_a_registration_takes_its_secret_or_an_attestation,
    interop_14_revoking_answers_in_json,
    interop_15_headers_of_a_browserlike_client_are_no_forgery,
);

fn interop_01_one_base_url_leads_everywhere(setup: Setup) {
    let stage = Stage::new(setup);
    for gateway in stage.all() {
        let found = gateway.request("GET", "/.well-known/ath.json").send();
        assert_eq!(found.text("/gateway_id"), stage.public_url());
        assert!(!stage.public_url().ends_with('/'));
        let register = format!("{}/ath/agents/register", stage.public_url());
        assert_eq!(found.text("/agent_registration_endpoint"), register);
        let health = gateway.request("GET", "/health").send();
        assert!((200..300).contains(&health.status));
        for (method, path) in [
            ("POST", "/ath/agents/register"),
            ("POST", "/ath/authorize"),
            ("POST", "/ath/token"),
            ("POST", "/ath/revoke"),
            ("GET", "/ath/agents/x"),
            ("GET", "/ath/callback"),
            ("GET", "/ath/proxy/helpdesk/tickets"),
        ] {
            let answer = gateway.request(method, path).send();
            assert!(!matches!(answer.status, 404 | 405), "{method} {path}: {}", answer.status);
        }
    }
}

fn interop_10_the_agents_state_and_the_gateways_own_are_two(setup: Setup) {
    let stage = Stage::new(setup);
    let agent = stage.agent();
    let ask = |state: &str| {
        let mut request = agent.authorization(stage.next(), &["read:tickets"]);
        request["state"] = json!(state);
        agent.post(stage.next(), "/ath/authorize", &request)
    };
    for state in ["0", "state", "ünï ☃", &"s".repeat(1024)] {
        assert_eq!(ask(state).status, 200, "{state}");
    }
    assert_eq!(ask(&"s".repeat(20_000)).refusal(), refused(400, "STATE_MISMATCH"), "and bounded");
    let mut own = Vec::new();
    for _ in 0..3 {
        let begun = ask("state-of-the-agent");
        let mut browser = stage.browser();
        let page = browser.open(&begun.text("/authorization_url"));
        let upstream = browser.stop_at("/authorize", |browser| browser.submit(&page, &[("decision", "allow")]));
        assert!(!upstream.as_str().contains("state-of-the-agent"), "{upstream}");
        let (_, sent) = upstream.query_pairs().find(|(name, _)| name == "state").expect("a state");
        own.push(sent.into_owned());
    }
    for (number, state) in own.iter().enumerate() {
        let secret = state.rsplit('.').next().expect("a part");
        assert!(secret.len() >= 22, "128 bits in base64url are 22 characters: {state}");
        assert!(own.iter().skip(number + 1).all(|other| !other.contains(secret)), "{state} is drawn anew each time");
    }
}

/// Sends a good request, changed.
type Ask<'a> = dyn Fn(&dyn Fn(&mut Value)) -> Answer + 'a;

fn interop_12_refusals_come_in_order_and_with_their_statuses(setup: Setup) {
    let stage = Stage::new(setup);
    let agent = stage.agent();
    let (id, _) = agent.client();
    let register = |change: &dyn Fn(&mut Value)| {
        let mut request = agent.registration(stage.next());
        change(&mut request);
        agent.post(stage.next(), "/ath/agents/register", &request)
    };
    // At register the attestation is judged first, whatever else is wrong; then comes the conflict, which tells nothing.
    for attestation in [json!("x"), json!(""), json!(7), json!(null)] {
        for rest in [json!([]), json!(null), json!([{"provider_id": "helpdesk", "scopes": ["read:tickets"]}])] {
            let answer = register(&|request| {
                request["agent_attestation"] = attestation.clone();
                request["requested_providers"] = rest.clone();
            });
            assert_eq!(answer.refusal(), refused(401, "INVALID_ATTESTATION"), "{attestation} {rest}");
        }
    }
    let missing = register(&|request| {
        request.as_object_mut().expect("an object").remove("agent_attestation");
    });
    assert_eq!(missing.refusal(), refused(401, "INVALID_ATTESTATION"));
    let again = register(&|_| {});
    assert_eq!(again.refusal(), refused(409, "CONFLICT"));
    assert!(!again.body_text().contains(&id));
    // At authorize and token, an absent one is a malformed request, and a bad one a bad attestation.
    let authorize = |change: &dyn Fn(&mut Value)| {
        let mut request = agent.authorization(stage.next(), &["read:tickets"]);
        change(&mut request);
        agent.post(stage.next(), "/ath/authorize", &request)
    };
    let exchange = |change: &dyn Fn(&mut Value)| {
        let mut request = agent.exchange_request(stage.next(), "ath_sess_none", "code");
        change(&mut request);
        agent.post(stage.next(), "/ath/token", &request)
    };
    let remove = |field: &'static str| {
        move |request: &mut Value| {
            request.as_object_mut().expect("an object").remove(field);
        }
    };
    let endpoints: [&Ask<'_>; 2] = [&authorize, &exchange];
    for ask in endpoints {
        assert_eq!(ask(&remove("agent_attestation")).refusal(), refused(400, "INVALID_ATTESTATION"));
        for bad in [json!("x"), json!("a.b.c"), json!(""), json!(7)] {
            let answer = ask(&|request| request["agent_attestation"] = bad.clone());
            assert_eq!(answer.refusal(), refused(401, "INVALID_ATTESTATION"), "{bad}");
        }
    }
    assert_eq!(
        exchange(&|request| request["client_secret"] = json!("ath_secret_x")).refusal(),
        refused(401, "AGENT_NOT_REGISTERED")
    );
    let elsewhere = authorize(&|request| request["user_redirect_uri"] = json!("https://evil.test/callback"));
    assert_eq!(elsewhere.refusal(), refused(400, "INVALID_ATTESTATION"));
    assert_eq!(elsewhere.text("/details/reason"), "redirect_uri_mismatch");
    assert_eq!(authorize(&remove("state")).refusal(), refused(400, "STATE_MISMATCH"));
    // denied_scopes is there even where nothing was denied.
    let other = Agent::new("Modest");
    let mut request = other.registration(stage.next());
    request["requested_providers"] = json!([{"provider_id": "helpdesk", "scopes": ["read:tickets"]}]);
    let answer = other.post(stage.next(), "/ath/agents/register", &request);
    assert_eq!(answer.json()["approved_providers"][0]["denied_scopes"], json!([]));
}

fn interop_13_a_registration_takes_its_secret_or_an_attestation(setup: Setup) {
    let stage = Stage::new(setup);
    let mut agent = stage.agent();
    let token = stage.token(&agent, &["read:tickets"]);
    let (id, secret) = agent.client();
    let path = format!("/ath/agents/{id}");
    let basic = format!("Basic {}", BASE64.encode(format!("{id}:{secret}").as_bytes()));
    let bearer = |audience: &str| format!("Bearer {}", agent.attest(audience));
    let ask = |method: &str, path: &str, authorization: &str| {
        stage.next().request(method, path).header("authorization", authorization).send()
    };
    assert_eq!(ask("GET", &path, &basic).text("/agent_id"), agent.id.as_str());
    for audience in [stage.public_url(), format!("{}/", stage.public_url()), format!("{}{path}", stage.public_url())] {
        assert_eq!(ask("GET", &path, &bearer(&audience)).text("/client_id"), id, "{audience}");
    }
    let unknown = "/ath/agents/ath_00000000000000000000000000000000";
    for method in ["GET", "DELETE"] {
        for authorization in [basic.clone(), bearer(&stage.public_url())] {
            assert_eq!(ask(method, unknown, &authorization).refusal(), refused(401, "AGENT_NOT_REGISTERED"));
        }
        assert_eq!(ask(method, &path, &bearer("http://evil.test")).refusal(), refused(401, "AGENT_NOT_REGISTERED"));
    }
    // The secret is lost: an attestation alone ends the registration, and the agent begins anew.
    let deleted = ask("DELETE", &path, &bearer(&stage.public_url()));
    assert_eq!(deleted.status, 200, "{}", deleted.body_text());
    for _ in stage.all() {
        assert_eq!(ask("GET", &path, &basic).refusal(), refused(401, "AGENT_NOT_REGISTERED"));
        assert_eq!(stage.call(&agent, &token, "GET", "/tickets").refusal(), refused(401, "TOKEN_REVOKED"));
    }
    assert_eq!(agent.register(stage.next()).status, 201);
    assert_ne!(agent.client().0, id);
    // With the secret it can be ended just as well.
    let (id, secret) = agent.client();
    let basic = format!("Basic {}", BASE64.encode(format!("{id}:{secret}").as_bytes()));
    assert_eq!(ask("DELETE", &format!("/ath/agents/{id}"), &basic).status, 200);
}

fn interop_14_revoking_answers_in_json(setup: Setup) {
    let stage = Stage::new(setup);
    let (agent, other) = (stage.agent(), stage.agent());
    let token = stage.token(&agent, &["read:tickets"]);
    let without = agent.post(stage.next(), "/ath/revoke", &json!({"token": token}));
    assert_eq!(without.refusal(), refused(401, "AGENT_NOT_REGISTERED"));
    assert_eq!(other.revoke(stage.next(), &token).refusal(), refused(403, "AGENT_IDENTITY_MISMATCH"));
    let revoked = agent.revoke(stage.next(), &token);
    assert_eq!((revoked.status, revoked.header("content-type")), (200, Some("application/json")));
    assert!(revoked.json().is_object(), "{}", revoked.body_text());
}

fn interop_15_headers_of_a_browserlike_client_are_no_forgery(setup: Setup) {
    let stage = Stage::new(setup);
    let mut agent = Agent::new("TypeScript");
    let browserlike = |request: tests::Request| {
        let headers = [("sec-fetch-mode", "cors"), ("accept", "*/*"), ("accept-language", "*"), ("user-agent", "node")];
        headers.iter().fold(request, |request, (name, value)| request.header(name, value))
    };
    let post = |path: &str, body: &Value| {
        for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "https://app.example")] {
            // A doubtful site, first with a request that does nothing.
            let answer = stage.next().request("POST", path).header(name, value).json(&json!({"x": 1})).send();
            assert!(matches!(answer.refusal().0, 400 | 401), "{path} {name}: {}", answer.body_text());
        }
        browserlike(stage.next().request("POST", path).json(body)).send()
    };
    let registered = post("/ath/agents/register", &agent.registration(stage.next()));
    assert_eq!(registered.status, 201, "{}", registered.body_text());
    agent.client = Some((registered.text("/client_id"), registered.text("/client_secret")));
    let (id, secret) = agent.client();
    let begun = post("/ath/authorize", &agent.authorization(stage.next(), &["read:tickets"]));
    assert_eq!(begun.status, 200, "{}", begun.body_text());
    let mut browser = stage.browser();
    let page = browser.open(&begun.text("/authorization_url"));
    let end = stage.finish(&mut browser, &page).parameters();
    let exchange = agent.exchange_request(stage.next(), &begun.text("/ath_session_id"), &end["code"]);
    let token = post("/ath/token", &exchange);
    assert_eq!(token.status, 200, "{}", token.body_text());
    let token = token.text("/access_token");
    // A content type where there is no content.
    let bodyless = |request: tests::Request| browserlike(request).header("content-type", "application/json").send();
    assert_eq!(bodyless(agent.call(stage.next(), &token, "GET", "/tickets")).status, 200);
    let basic = format!("Basic {}", BASE64.encode(format!("{id}:{secret}").as_bytes()));
    let own = stage.next().request("GET", &format!("/ath/agents/{id}")).header("authorization", &basic);
    assert_eq!(bodyless(own).status, 200);
    assert_eq!(bodyless(stage.next().request("GET", "/.well-known/ath.json")).status, 200);
    let revoked = post("/ath/revoke", &json!({"client_id": id, "client_secret": secret, "token": token}));
    assert_eq!(revoked.status, 200, "{}", revoked.body_text());
}
