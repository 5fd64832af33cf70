//! Registrations: what is asked, what is answered, and how long it holds (C030 to C037).

use data_encoding::BASE64;
use serde_json::{Value, json};
use tests::{Agent, MovedClock};

use super::stage::{Script, Setup, Stage, refused};

on_both!(
    c030_a_registration_has_its_required_fields_and_a_provider,
    c031_a_part_of_what_was_asked_for_may_be_approved,
    c032_an_agent_that_is_registered_is_a_conflict,
    c033_the_answer_says_for_each_provider_what_was_approved_and_why_not_the_rest,
    c034_a_redirect_uri_is_exactly_a_registered_one,
    c034_without_redirect_uris_the_flow_ends_on_the_gateways_own_page,
    c035_a_registration_is_shown_to_its_own_agent_alone,
    c037_an_approval_ends_when_it_expires,
);

fn c030_a_registration_has_its_required_fields_and_a_provider(setup: Setup) {
    let stage = Stage::new(setup);
    let agent = Agent::new("Incomplete");
    let post = |change: &dyn Fn(&mut Value)| {
        let gateway = stage.next();
        let mut request = agent.registration(gateway);
        change(&mut request);
        agent.post(gateway, "/ath/agents/register", &request)
    };
    for (field, status) in
        [("agent_id", 401), ("agent_attestation", 401), ("developer", 400), ("requested_providers", 400)]
    {
        let missing = post(&|request| {
            request.as_object_mut().expect("an object").remove(field);
        });
        assert_eq!(missing.refusal(), refused(status, "INVALID_ATTESTATION"), "{field} is missing");
        let wrong = post(&|request| request[field] = json!(7));
        assert_eq!(wrong.refusal(), refused(status, "INVALID_ATTESTATION"), "{field} is a number");
    }
    for providers in
        [json!([]), json!([{}]), json!([{"provider_id": "helpdesk"}]), json!([{"scopes": ["read:tickets"]}])]
    {
        let answer = post(&|request| request["requested_providers"] = providers.clone());
        assert_eq!(answer.refusal(), refused(400, "INVALID_ATTESTATION"), "{providers}");
    }
    for developer in [json!({}), json!({"name": "Works"}), json!({"id": "works"})] {
        let answer = post(&|request| request["developer"] = developer.clone());
        assert_eq!(answer.refusal(), refused(400, "INVALID_ATTESTATION"), "{developer}");
    }
    let complete = post(&|request| {
        for optional in ["purpose", "redirect_uris"] {
            request.as_object_mut().expect("an object").remove(optional);
        }
        request["unheard_of"] = json!({"ignored": true});
    });
    assert_eq!(complete.status, 201, "{}", complete.body_text());
    assert!(complete.text("/client_id").starts_with("ath_"));
    assert!(complete.text("/client_secret").starts_with("ath_secret_"));
}

fn c031_a_part_of_what_was_asked_for_may_be_approved(setup: Setup) {
    let stage = Stage::new(setup);
    let mut agent = Agent::new("Greedy");
    let mut request = agent.registration(stage.next());
    request["requested_providers"] =
        json!([{"provider_id": "helpdesk", "scopes": ["read:tickets", "delete:everything"]}]);
    let answer = agent.post(stage.next(), "/ath/agents/register", &request);
    assert_eq!((answer.status, answer.text("/agent_status").as_str()), (201, "approved"));
    assert_eq!(answer.json()["approved_providers"][0]["approved_scopes"], json!(["read:tickets"]));
    agent.client = Some((answer.text("/client_id"), answer.text("/client_secret")));
    let within = agent.authorization(stage.next(), &["read:tickets"]);
    assert_eq!(agent.post(stage.next(), "/ath/authorize", &within).status, 200);
    let beyond = agent.authorization(stage.next(), &["read:tickets", "delete:everything"]);
    assert_eq!(agent.post(stage.next(), "/ath/authorize", &beyond).refusal(), refused(403, "SCOPE_NOT_APPROVED"));
}

fn c032_an_agent_that_is_registered_is_a_conflict(setup: Setup) {
    let stage = Stage::new(setup);
    let mut agent = stage.agent();
    let (id, secret) = agent.client();
    for gateway in stage.all() {
        let again = agent.register(gateway);
        assert_eq!(again.refusal(), refused(409, "CONFLICT"));
        assert!(!again.body_text().contains(&id), "nobody learns the client id of a registration");
    }
    assert_eq!(agent.client(), (id, secret));
    // Of many at the same moment, one.
    let twin = Agent::new("Many");
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let sent: Vec<_> = (0..12)
            .map(|_| {
                scope.spawn(|| {
                    let gateway = stage.next();
                    twin.post(gateway, "/ath/agents/register", &twin.registration(gateway)).status
                })
            })
            .collect();
        sent.into_iter().map(|sent| sent.join().expect("no panic")).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 11, "{statuses:?}");
}

fn c033_the_answer_says_for_each_provider_what_was_approved_and_why_not_the_rest(setup: Setup) {
    let stage = Stage::new(setup);
    let agent = Agent::new("Curious");
    let mut request = agent.registration(stage.next());
    request["requested_providers"] = json!([
        {"provider_id": "helpdesk", "scopes": ["read:tickets", "admin"]},
        {"provider_id": "other", "scopes": ["read:tickets"]},
        {"provider_id": "unheard-of", "scopes": ["read"]},
    ]);
    let answer = agent.post(stage.next(), "/ath/agents/register", &request);
    assert_eq!(answer.status, 201, "{}", answer.body_text());
    let found = answer.json()["approved_providers"].clone();
    let rows = [
        ("helpdesk", json!(["read:tickets"]), json!(["admin"]), true),
        ("other", json!(["read:tickets"]), json!([]), false),
        ("unheard-of", json!([]), json!(["read"]), true),
    ];
    assert_eq!(found.as_array().map(Vec::len), Some(rows.len()));
    for (row, (provider, approved, denied, has_reason)) in rows.into_iter().enumerate() {
        assert_eq!(found[row]["provider_id"], provider);
        assert_eq!(found[row]["approved_scopes"], approved, "{provider}");
        assert_eq!(found[row]["denied_scopes"], denied, "{provider}: always there");
        assert_eq!(found[row]["denial_reason"].is_string(), has_reason, "{provider}");
    }
    // Where nothing is left, the registration is denied.
    let refused_one = Agent::new("Refused");
    let mut request = refused_one.registration(stage.next());
    request["requested_providers"] = json!([{"provider_id": "unheard-of", "scopes": ["read"]}]);
    let answer = refused_one.post(stage.next(), "/ath/agents/register", &request);
    assert_eq!((answer.status, answer.text("/agent_status").as_str()), (201, "denied"));
}

fn c034_a_redirect_uri_is_exactly_a_registered_one(setup: Setup) {
    let stage = Stage::new(setup);
    let mut agent = Agent::new("Exact");
    let mut request = agent.registration(stage.next());
    let registered = ["https://agent.example/callback", "https://agent.example/other?a=1"];
    request["redirect_uris"] = json!(registered);
    let answer = agent.post(stage.next(), "/ath/agents/register", &request);
    assert_eq!(answer.status, 201, "{}", answer.body_text());
    agent.client = Some((answer.text("/client_id"), answer.text("/client_secret")));
    let ask = |uri: &str| {
        let mut request = agent.authorization(stage.next(), &["read:tickets"]);
        request["user_redirect_uri"] = json!(uri);
        agent.post(stage.next(), "/ath/authorize", &request)
    };
    for uri in [
        "https://agent.example/callback/",
        "https://agent.example/callback/x",
        "https://agent.example/Callback",
        "https://agent.example/callback?a=1",
        "https://agent.example/callback#a",
        "https://agent.example/other",
        "https://agent.example/other?a=1&b=2",
        "https://agent.example/other?a=2",
        "https://agent.example/x/../callback",
        "https://agent.example/%63allback",
        "https://agent.example:443/callback",
        "https://agent.example:8443/callback",
        "https://AGENT.example/callback",
        "https://agent.example./callback",
        "https://agent.example.evil.test/callback",
        "https://agent.example@evil.test/callback",
        "https://evil.test/https://agent.example/callback",
        "http://agent.example/callback",
        "//agent.example/callback",
        "/callback",
        "javascript:alert(1)",
        "",
    ] {
        let answer = ask(uri);
        assert_eq!(answer.refusal(), refused(400, "INVALID_ATTESTATION"), "{uri:?}");
        assert_eq!(answer.text("/details/reason"), "redirect_uri_mismatch", "{uri:?}");
    }
    for uri in registered {
        assert_eq!(ask(uri).status, 200, "{uri}");
    }
}

fn c034_without_redirect_uris_the_flow_ends_on_the_gateways_own_page(setup: Setup) {
    let stage = Stage::new(setup);
    let mut agent = Agent::new("At home");
    let mut request = agent.registration(stage.next());
    request.as_object_mut().expect("an object").remove("redirect_uris");
    let answer = agent.post(stage.next(), "/ath/agents/register", &request);
    agent.client = Some((answer.text("/client_id"), answer.text("/client_secret")));
    for uri in [agent.redirect_uri(), "https://agent.example/callback".to_owned(), stage.public_url()] {
        let mut request = agent.authorization(stage.next(), &["read:tickets"]);
        request["user_redirect_uri"] = json!(uri);
        let answer = agent.post(stage.next(), "/ath/authorize", &request);
        assert_eq!(answer.refusal(), refused(400, "INVALID_ATTESTATION"), "{uri}");
        assert_eq!(answer.text("/details/reason"), "redirect_uri_mismatch", "{uri}");
    }
    let mut request = agent.authorization(stage.next(), &["read:tickets"]);
    request.as_object_mut().expect("an object").remove("user_redirect_uri");
    let begun = agent.post(stage.next(), "/ath/authorize", &request);
    let mut browser = stage.browser();
    let page = browser.open(&begun.text("/authorization_url"));
    let end = stage.finish(&mut browser, &page);
    assert_eq!(end.answer.status, 200);
    assert!(end.url.as_str().starts_with(&stage.public_url()), "{}", end.url);
    assert!(end.says("Access allowed"), "{}", end.answer.body_text());
}

fn c035_a_registration_is_shown_to_its_own_agent_alone(setup: Setup) {
    let stage = Stage::new(setup);
    let (one, two) = (stage.agent(), stage.agent());
    let path = |agent: &Agent| format!("/ath/agents/{}", agent.client().0);
    let basic = |id: &str, secret: &str| format!("Basic {}", BASE64.encode(format!("{id}:{secret}").as_bytes()));
    let own = |agent: &Agent| basic(&agent.client().0, &agent.client().1);
    let get = |path: &str, authorization: Option<&str>| {
        let request = stage.next().request("GET", path);
        match authorization {
            Some(value) => request.header("authorization", value).send(),
            None => request.send(),
        }
    };
    for agent in [&one, &two] {
        let shown = get(&path(agent), Some(&own(agent)));
        assert_eq!(shown.status, 200, "{}", shown.body_text());
        assert_eq!(shown.text("/agent_id"), agent.id.as_str());
        assert_eq!(shown.text("/client_id"), agent.client().0);
        assert!(!shown.body_text().contains(&agent.client().1), "the secret was shown once");
    }
    // What is not one's own, and what does not exist, look the same to everybody.
    let unknown = "/ath/agents/ath_00000000000000000000000000000000";
    let foreign = path(&two);
    let attested = |path: &str| format!("Bearer {}", one.attest(&format!("{}{path}", stage.public_url())));
    for authorization in [
        None,
        Some(own(&one)),
        Some(basic(&two.client().0, &one.client().1)),
        Some(attested(&foreign)),
        Some("Bearer x".to_owned()),
        Some("Basic x".to_owned()),
    ] {
        let at_foreign = get(&foreign, authorization.as_deref());
        let at_unknown = get(unknown, authorization.as_deref());
        assert_eq!(at_foreign.refusal(), refused(401, "AGENT_NOT_REGISTERED"), "{authorization:?}");
        assert_eq!(at_foreign.json(), at_unknown.json(), "{authorization:?}");
        assert_eq!(at_foreign.status, at_unknown.status, "{authorization:?}");
        let removal = stage.next().request("DELETE", &foreign);
        let removal = authorization.iter().fold(removal, |request, value| request.header("authorization", value));
        assert_eq!(removal.send().refusal(), refused(401, "AGENT_NOT_REGISTERED"), "{authorization:?}");
    }
    assert_eq!(get(&foreign, Some(&own(&two))).status, 200, "it is still there");
}

fn c037_an_approval_ends_when_it_expires(setup: Setup) {
    let clock = MovedClock::new();
    let rest = "[lifetimes]\napproval = \"30m\"";
    let stage = Stage::with(setup, &Script { clock: Some(&clock), rest, ..Script::default() });
    let agent = stage.agent();
    let token = stage.token(&agent, &["read:tickets"]);
    let later = |minutes: u64, seconds: u64| {
        let offset = minutes * 60 + seconds;
        clock.forward(offset);
        i64::try_from(offset).expect("a small number")
    };
    let authorize = |offset: i64| {
        let mut request = agent.authorization(stage.next(), &["read:tickets"]);
        request["agent_attestation"] = json!(agent.attest_at(&stage.public_url(), offset));
        agent.post(stage.next(), "/ath/authorize", &request)
    };
    let before = later(29, 50);
    assert_eq!(stage.call(&agent, &token, "GET", "/tickets").status, 200);
    let begun = authorize(before);
    assert_eq!(begun.status, 200, "{}", begun.body_text());
    let session = begun.text("/ath_session_id");

    let after = later(30, 5);
    let forwarded = stage.forwarded();
    for gateway in stage.all() {
        let call = agent.send(&agent.call(gateway, &token, "GET", "/tickets"));
        assert_eq!(call.refusal(), refused(403, "AGENT_UNAPPROVED"));
        assert_eq!(authorize(after).refusal(), refused(403, "AGENT_UNAPPROVED"));
        let mut exchange = agent.exchange_request(gateway, &session, "code");
        exchange["agent_attestation"] = json!(agent.attest_at(&stage.token_url(), after));
        assert_eq!(agent.post(gateway, "/ath/token", &exchange).refusal(), refused(403, "AGENT_UNAPPROVED"));
    }
    assert_eq!(stage.forwarded(), forwarded);
}
