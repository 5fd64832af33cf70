//! What the official clients really do, on the agent's side (interop rules 1 to 5, 10, and 12 to 15).

use data_encoding::BASE64;
use serde_json::{Value, json};
use tests::{Agent, Answer, Impostor, raw};

use super::stage::{Script, Setup, Stage, refused};

on_both!(
    interop_01_one_base_url_leads_everywhere,
    interop_02_the_issuer_is_the_agent_or_its_origin_and_the_key_is_the_subjects,
    interop_03_the_audience_is_the_configured_url_as_a_whole,
    interop_04_what_clients_leave_open_in_an_attestation_is_accepted,
    interop_05_an_agent_is_at_https_or_pinned,
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

fn interop_02_the_issuer_is_the_agent_or_its_origin_and_the_key_is_the_subjects(setup: Setup) {
    let stage = Stage::new(setup);
    let origin = |agent: &Impostor| agent.id.trim_end_matches("/agent.json").to_owned();
    for by_origin in [false, true] {
        let mut agent = Impostor::new();
        let with_issuer = |agent: &Impostor, audience: &str| {
            let mut claims = agent.claims(audience);
            claims["iss"] = json!(if by_origin { origin(agent) } else { agent.id.clone() });
            agent.sign(&claims)
        };
        let jwt = with_issuer(&agent, &stage.public_url());
        assert_eq!(agent.register_with(stage.next(), &jwt).status, 201);
        assert_eq!(agent.authorize_with(stage.next(), &with_issuer(&agent, &stage.public_url())).status, 200);
        let jwt = with_issuer(&agent, &stage.token_url());
        let answer = agent.exchange_with(stage.next(), &jwt, "ath_sess_none", "code");
        assert_eq!(answer.refusal(), refused(400, "SESSION_NOT_FOUND"), "the attestation held");
    }
    let mut victim = Impostor::new();
    assert_eq!(victim.register(stage.next()).status, 201);
    let fetched_from = Impostor::new();
    for issuer in
        [fetched_from.id.clone(), origin(&fetched_from), stage.public_url(), String::new(), "agent".to_owned()]
    {
        let mut claims = victim.claims(&stage.public_url());
        claims["iss"] = json!(issuer);
        // Signed by the victim, and by whoever the issuer claims to be.
        for jwt in [victim.sign(&claims), fetched_from.sign(&claims)] {
            for gateway in stage.all() {
                let answer = victim.authorize_with(gateway, &jwt);
                assert_eq!(answer.refusal(), refused(401, "INVALID_ATTESTATION"), "{issuer}");
            }
        }
    }
    assert_eq!(fetched_from.fetches(), 0, "nobody's key but the subject's is fetched");
}

fn interop_03_the_audience_is_the_configured_url_as_a_whole(setup: Setup) {
    let stage = Stage::new(setup);
    let public = stage.public_url();
    for audience in [public.clone(), format!("{public}/"), format!("{public}/ath/agents/register")] {
        let mut agent = Impostor::new();
        let jwt = agent.attest(&audience);
        assert_eq!(agent.register_with(stage.next(), &jwt).status, 201, "{audience}");
    }
    let mut agent = Impostor::new();
    assert_eq!(agent.register(stage.next()).status, 201);
    for audience in [public.clone(), format!("{public}/"), format!("{public}/ath/authorize")] {
        assert_eq!(agent.authorize_with(stage.next(), &agent.attest(&audience)).status, 200, "{audience}");
    }
    let at_token = agent.exchange_with(stage.next(), &agent.attest(&stage.token_url()), "ath_sess_none", "code");
    assert_eq!(at_token.refusal(), refused(400, "SESSION_NOT_FOUND"));
    // Nothing that is only alike, and no list.
    let replica = stage.all().last().expect("a gateway").url();
    for audience in [
        json!(format!("{public}//")),
        json!(format!("{public}/ath")),
        json!(format!("{public}/ath/token")),
        json!(format!("{public}/ath/agents/register")),
        json!(format!("{public}?x")),
        json!(public.to_uppercase()),
        json!(public.replace("127.0.0.1", "localhost")),
        json!(public.replace("http:", "https:")),
        json!(format!("x{public}")),
        json!([public]),
        json!([public, "https://gateway.example"]),
    ] {
        let mut claims = agent.claims("");
        claims["aud"] = audience.clone();
        for gateway in stage.all() {
            let answer = agent.authorize_with(gateway, &agent.sign(&claims));
            assert_eq!(answer.refusal(), refused(401, "INVALID_ATTESTATION"), "{audience}");
        }
    }
    // The Host header, and what a proxy in front may say about it, change nothing either way.
    for (audience, accepted) in [("http://evil.test", false), (&*replica, replica == public), (&*public, true)] {
        let body = json!({
            "client_id": agent.client().0, "agent_attestation": agent.attest(audience), "provider_id": "helpdesk",
            "scopes": ["read:tickets"], "state": "s",
        })
        .to_string();
        let host = audience.trim_start_matches("http://");
        let request = format!(
            "POST /ath/authorize HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-Host: {host}\r\nX-Forwarded-Proto: http\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let answer = raw(stage.next().port(), request.as_bytes(), "POST");
        assert_eq!(answer.status, if accepted { 200 } else { 401 }, "{audience}: {}", answer.body_text());
    }
}

fn interop_04_what_clients_leave_open_in_an_attestation_is_accepted(setup: Setup) {
    let stage = Stage::new(setup);
    let (mut one, mut two) = (Impostor::new(), Impostor::new());
    for agent in [&mut one, &mut two] {
        assert_eq!(agent.register(stage.next()).status, 201);
    }
    for header in [
        json!({"alg": "ES256"}),
        json!({"alg": "ES256", "typ": "JWT"}),
        json!({"alg": "ES256", "typ": "jwt", "kid": "default"}),
        json!({"alg": "ES256", "kid": "another"}),
    ] {
        let jwt = one.sign_as(&header, &one.claims(&stage.public_url()));
        assert_eq!(one.authorize_with(stage.next(), &jwt).status, 200, "{header}");
    }
    let with = |agent: &Impostor, claim: &str, value: Value| {
        let mut claims = agent.claims(&stage.public_url());
        claims[claim] = value;
        agent.authorize_with(stage.next(), &agent.sign(&claims)).status
    };
    for jti in ["1", "a b/c?d", "ünï", &"j".repeat(128)] {
        assert_eq!(with(&one, "jti", json!(jti)), 200, "{jti}");
        assert_eq!(with(&two, "jti", json!(jti)), 200, "{jti}: another agent's names are its own");
        assert_eq!(with(&one, "jti", json!(jti)), 401, "{jti}: and one's own count once");
    }
    assert_eq!(with(&one, "jti", json!("j".repeat(129))), 401);
    let mut claims = one.claims(&stage.public_url());
    claims.as_object_mut().expect("an object").remove("capabilities");
    assert_eq!(claims["exp"].as_u64(), claims["iat"].as_u64().map(|issued| issued + 3600));
    assert_eq!(one.authorize_with(stage.next(), &one.sign(&claims)).status, 200);
}

fn interop_05_an_agent_is_at_https_or_pinned(setup: Setup) {
    let mut pinned = Impostor::new();
    "https://agent.example/.well-known/agent.json".clone_into(&mut pinned.id);
    let rest = format!(
        "[[agent]]\nagent_id = \"{}\"\nname = \"Pinned\"\ndeveloper = \"Example Works\"\npublic_key = \"\"\"\n{}\"\"\"",
        pinned.id,
        pinned.pem()
    );
    let stage = Stage::with(setup, &Script { rest: &rest, ..Script::default() });
    // Its document cannot be fetched, and does not have to be.
    assert_eq!(pinned.register(stage.next()).status, 201);
    for _ in stage.all() {
        assert_eq!(pinned.authorize(stage.next()).status, 200);
    }
    pinned.lose_key();
    for _ in stage.all() {
        assert_eq!(pinned.authorize(stage.next()).refusal(), refused(401, "INVALID_ATTESTATION"));
    }
    // http is for loopback, and there for development alone.
    for place in
        ["http://agent.example/agent.json", "http://10.0.0.1/agent.json", "http://localhost.evil.test/agent.json"]
    {
        let mut agent = Impostor::new();
        place.clone_into(&mut agent.id);
        let answer = agent.register(stage.next());
        assert_eq!(answer.refusal(), refused(401, "INVALID_ATTESTATION"), "{place}");
        assert_eq!(answer.text("/details/reason"), "agent_id_form", "{place}");
    }
    let mut local = Impostor::new();
    let answer = local.register(&stage.strict());
    assert_eq!(answer.text("/details/reason"), "agent_id_form");
    assert_eq!(local.register(stage.next()).status, 201);
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
        browser.halt_before("/authorize");
        let upstream = browser.submit(&page, &[("decision", "allow")]);
        assert!(!upstream.url.as_str().contains("state-of-the-agent"), "{}", upstream.url);
        own.push(upstream.parameters()["state"].clone());
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
