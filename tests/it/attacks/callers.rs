//! A9, A10, O5, O16, O17, O18: who calls with what is not theirs.

use data_encoding::BASE64;
use serde_json::{Value, json};
use tests::{Agent, Answer, Browser, Request, raw};

use super::{Scene, refusal, refused};

/// A token of the scene's agent for the helpdesk.
fn token(scene: &Scene) -> String {
    let (link, session) = scene.begin();
    let end = Browser::new().consent(&link);
    let token = scene.agent.exchange(&scene.gateway, &session, &end["code"]);
    assert_eq!(token.status, 200, "{}", token.body_text());
    token.text("/access_token")
}

fn seen(scene: &Scene) -> usize {
    scene.upstream.helpdesk.recorded_requests().len()
}

/// The `Authorization` header for a registration.
type Proof<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What one who compares answers could compare: all of it but what no two answers share.
fn comparable(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let mut headers: Vec<_> =
        answer.headers.iter().filter(|(name, _)| name != "x-request-id" && name != "date").cloned().collect();
    headers.sort();
    (answer.status, headers, answer.body_text())
}

#[test]
fn a09_a_token_serves_its_own_agent_by_its_exact_name() {
    let scene = Scene::new();
    let token = token(&scene);
    let id = scene.agent.id.to_string();
    let other = Agent::new("Mallory").id.to_string();
    let before = seen(&scene);
    let port = scene.gateway.port();
    let call = |path: &str, headers: &str| {
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n{headers}\r\n"
        );
        raw(port, head.as_bytes(), "GET")
    };
    let values = [
        other.clone(),
        String::new(),
        format!("{id}/"),
        format!("{id}?"),
        format!("{id}#"),
        format!("{id}, {id}"),
        format!("{id},{other}"),
        format!("\"{id}\""),
        format!("<{id}>"),
        id.to_uppercase(),
        id.replace("http:", "HTTP:"),
        id.replace("http:", "https:"),
        id.replace("agent.json", "Agent.json"),
        id.replace("agent.json", "%61gent.json"),
        id.replace("agent.json", "./agent.json"),
        id.replace("127.0.0.1", "localhost"),
        id.replace("127.0.0.1", "127.1"),
        id.replace("127.0.0.1", "x@127.0.0.1"),
        id[..id.len() - 1].to_owned(),
        scene.agent.id.origin(),
        format!("{id}\u{200b}"),
        "*".to_owned(),
        scene.agent.client().0,
    ];
    for value in &values {
        for (path, code) in
            [("/ath/proxy/helpdesk/tickets", "AGENT_IDENTITY_MISMATCH"), ("/helpdesk/tickets", "wrong_agent")]
        {
            let answer = call(path, &format!("X-ATH-Agent-ID: {value}\r\n"));
            assert_eq!(refusal(&answer), refused(403, code, "agent_mismatch"), "{path} {value:?}");
        }
    }
    let missing = refused(403, "AGENT_IDENTITY_MISMATCH", "agent_id_missing");
    let doubled = refused(403, "AGENT_IDENTITY_MISMATCH", "agent_mismatch");
    let imitated = refused(400, "SCOPE_NOT_APPROVED", "header_name");
    let headers = [
        (String::new(), &missing),
        (format!("X-ATH-AgentID: {id}\r\n"), &missing),
        (format!("ATH-Agent-ID: {id}\r\n"), &missing),
        (format!("X-ATH-Agent-ID: {id}\r\nX-ATH-Agent-ID: {id}\r\n"), &doubled),
        (format!("X-ATH-Agent-ID: {id}\r\nx-ath-agent-id: {other}\r\n"), &doubled),
        (format!("X-ATH-Agent-ID: {other}\r\nX-ATH-Agent-ID: {id}\r\n"), &doubled),
        (format!("X_ATH_Agent_ID: {id}\r\n"), &imitated),
        (format!("X.ATH.Agent.ID: {id}\r\n"), &imitated),
        (format!("X-ATH-Agent-ID: {id}\r\nX_ATH_AGENT_ID: {other}\r\n"), &imitated),
        (
            format!("X-ATH-Agent-ID: {id}\r\nConnection: x-ath-agent-id\r\n"),
            &refused(400, "SCOPE_NOT_APPROVED", "connection_header"),
        ),
    ];
    for (headers, expected) in &headers {
        assert_eq!(refusal(&call("/ath/proxy/helpdesk/tickets", headers)), **expected, "{headers:?}");
    }
    let query = format!("/ath/proxy/helpdesk/tickets?x-ath-agent-id={id}");
    assert_eq!(refusal(&call(&query, "")), missing);
    assert_eq!(seen(&scene), before, "the upstream saw one of them");
    assert!(values.len() + headers.len() >= 30);
    for right in [format!("X-ATH-Agent-ID: {id}\r\n"), format!("x-ath-agent-id:\t {id} \t\r\n")] {
        assert_eq!(call("/ath/proxy/helpdesk/tickets", &right).status, 200, "{right:?}");
    }
}

#[test]
fn a10_unknown_and_foreign_registrations_are_answered_alike() {
    let scene = Scene::new();
    let mut mallory = Agent::new("Mallory");
    assert_eq!(mallory.register(&scene.gateway).status, 201);
    let (own, secret) = mallory.client();
    let foreign = scene.agent.client().0;
    let unknown = "ath_0123456789abcdef0123456789abcdef".to_owned();
    let basic = |id: &str, secret: &str| format!("Basic {}", BASE64.encode(format!("{id}:{secret}").as_bytes()));
    let ask = |method: &str, id: &str, authorization: Option<String>| {
        let mut request = scene.gateway.request(method, &format!("/ath/agents/{id}"));
        if let Some(authorization) = authorization {
            request = request.header("authorization", &authorization);
        }
        comparable(&request.send())
    };
    for method in ["GET", "DELETE"] {
        let proofs: [Proof<'_>; 8] = [
            &|_| None,
            &|_| Some(basic(&own, &secret)),
            &|id| Some(basic(id, &secret)),
            &|id| Some(basic(id, "")),
            &|id| {
                Some(format!("Bearer {}", mallory.attest(&format!("{}/ath/agents/{id}", scene.gateway.public_url()))))
            },
            &|_| Some(format!("Bearer {}", mallory.attest(&scene.gateway.public_url()))),
            &|_| Some("Bearer x".to_owned()),
            &|_| Some("Digest x".to_owned()),
        ];
        for (number, proof) in proofs.iter().enumerate() {
            let answers = [&unknown, &foreign].map(|id| ask(method, id, proof(id)));
            assert_eq!(answers[0], answers[1], "{method} {number}");
            assert_eq!(answers[0].0, 401, "{method} {number}");
        }
    }
    assert_eq!(ask("GET", &foreign, Some(basic(&foreign, &scene.agent.client().1))).0, 200, "it is still there");
}

#[test]
fn a10_unknown_and_foreign_sessions_clients_and_agents_are_answered_alike() {
    let scene = Scene::new();
    let mut mallory = Agent::new("Mallory");
    assert_eq!(mallory.register(&scene.gateway).status, 201);
    let (link, consented) = scene.begin();
    let end = Browser::new().consent(&link);
    let (_, pending) = scene.begin();
    let unknown = format!("ath_sess_{}", "A".repeat(43));
    let sessions = [unknown.as_str(), &pending, &consented, "", "ath_sess_x", "../../x"];
    let answers = sessions.map(|session| comparable(&mallory.exchange(&scene.gateway, session, &end["code"])));
    for (session, answer) in sessions.iter().zip(&answers) {
        assert_eq!(answer, &answers[0], "{session}");
    }
    assert_eq!(answers[0].0, 400);

    // A registration that exists, with a wrong secret, and one that does not.
    let foreign = scene.agent.client().0;
    let exchange = |id: &str, secret: &str| {
        let mut request = mallory.exchange_request(&scene.gateway, &unknown, "x");
        request["client_id"] = json!(id);
        request["client_secret"] = json!(secret);
        comparable(&mallory.post(&scene.gateway, "/ath/token", &request))
    };
    let revoke = |id: &str, secret: &str| {
        let request = json!({"client_id": id, "client_secret": secret, "token": "ath_tk_x"});
        comparable(&mallory.post(&scene.gateway, "/ath/revoke", &request))
    };
    let clients =
        [&foreign, "ath_0123456789abcdef0123456789abcdef", "ath_x", "", "x".repeat(9000).as_str()].map(str::to_owned);
    let own = mallory.client().1;
    for secret in ["", "wrong", &own] {
        for id in &clients {
            assert_eq!(exchange(id, secret), exchange(&foreign, secret), "{id:.40}");
            assert_eq!(revoke(id, secret), revoke(&foreign, secret), "{id:.40}");
            assert_eq!(revoke(id, secret).0, 401);
        }
    }

    // Nobody but the agent learns whether it is registered.
    let nobody = Agent::new("Nobody");
    let register = |agent: &Agent| {
        let mut request = agent.registration(&scene.gateway);
        request["agent_attestation"] = json!(mallory.attest(&scene.gateway.public_url()));
        comparable(&agent.post(&scene.gateway, "/ath/agents/register", &request))
    };
    assert_eq!(register(&nobody), register(&scene.agent));
    assert_eq!(scene.agent.exchange(&scene.gateway, &consented, &end["code"]).status, 200, "nothing was used up");
}

#[test]
fn o18_every_wrong_secret_gets_the_same_answer() {
    let scene = Scene::new();
    let token = token(&scene);
    let (id, secret) = scene.agent.client();
    let revoke = |secret: &str| {
        let request = json!({"client_id": id, "client_secret": secret, "token": token});
        scene.agent.post(&scene.gateway, "/ath/revoke", &request)
    };
    let call = |token: &str| scene.agent.send(&scene.agent.call(&scene.gateway, token, "GET", "/tickets"));
    let revoking: Vec<_> = spoilt(&secret).iter().map(|wrong| comparable(&revoke(wrong))).collect();
    let calling: Vec<_> = spoilt(&token).iter().map(|wrong| comparable(&call(wrong))).collect();
    for answers in [&revoking, &calling] {
        assert!(answers.len() >= 40);
        assert!(answers.iter().all(|answer| answer == &answers[0]), "{answers:?}");
        assert_eq!(answers[0].0, 401);
    }
    assert_eq!(call(&token).status, 200);
    assert_eq!(revoke(&secret).status, 200);
    assert_eq!(refusal(&call(&token)), refused(401, "TOKEN_REVOKED", "token_revoked"));
}

/// The secret with one character changed, at every place behind its prefix; shorter, longer, and in other cases.
fn spoilt(secret: &str) -> Vec<String> {
    let prefix = secret.rfind('_').map_or(0, |end| end + 1).min(11);
    let mut wrong: Vec<String> = (prefix..secret.len())
        .map(|place| {
            let other = if secret.as_bytes()[place] == b'A' { "B" } else { "A" };
            format!("{}{other}{}", &secret[..place], &secret[place + 1..])
        })
        .collect();
    wrong.extend([
        secret[..secret.len() - 1].to_owned(),
        format!("{secret}A"),
        secret[..prefix].to_owned(),
        format!("{}{}", &secret[..prefix], secret[prefix..].to_uppercase()),
    ]);
    wrong.retain(|wrong| wrong != secret);
    wrong
}

#[test]
fn o16_a_token_is_for_one_provider() {
    let scene = Scene::new();
    let token = token(&scene);
    let before = seen(&scene);
    let id = scene.agent.id.as_str();
    let at = |path: &str| {
        let request = scene.gateway.request("GET", path).header("x-ath-agent-id", id);
        scene.agent.send(&request.header("authorization", &format!("Bearer {token}")))
    };
    for path in ["/ath/proxy/other/tickets", "/ath/proxy/none/tickets", "/ath/proxy/Helpdesk/tickets"] {
        let (status, code, _) = refusal(&at(path));
        assert!((400..=404).contains(&status) && code != "INTERNAL_ERROR", "{path}: {status} {code}");
    }
    assert_eq!(refusal(&at("/ath/proxy/other/tickets")), refused(403, "PROVIDER_MISMATCH", "provider_mismatch"));
    let own = format!("/ath/agents/{}", scene.agent.client().0);
    assert_eq!(refusal(&at(&own)), refused(401, "AGENT_NOT_REGISTERED", "client_authentication"));
    assert_eq!(seen(&scene), before);
}

#[test]
fn o17_a_token_of_the_upstreams_opens_nothing_here() {
    let scene = Scene::new();
    let own = token(&scene);
    let issued = scene.upstream.helpdesk.issued_tokens();
    assert!(issued.len() >= 3, "a code, an access token and a refresh token");
    let before = seen(&scene);
    for secret in
        issued.iter().flat_map(|secret| [secret.clone(), format!("ath_tk_{secret}"), format!("{own}.{secret}")])
    {
        for (path, code) in [("/ath/proxy/helpdesk/tickets", "TOKEN_INVALID"), ("/helpdesk/tickets", "login_required")]
        {
            let request = scene.gateway.request("GET", path).header("x-ath-agent-id", scene.agent.id.as_str());
            let answer = scene.agent.send(&request.header("authorization", &format!("Bearer {secret}")));
            assert_eq!(refusal(&answer), refused(401, code, "token_invalid"), "{path}");
        }
        let exchange = scene.agent.exchange_request(&scene.gateway, &format!("ath_sess_{}", "A".repeat(43)), &secret);
        assert_eq!(scene.agent.post(&scene.gateway, "/ath/token", &exchange).refusal().0, 400);
    }
    let sent = scene.upstream.helpdesk.recorded_requests();
    assert_eq!(sent.len(), before, "the upstream saw one of them");
}

#[test]
fn o05_a_code_is_good_for_its_own_client_session_and_time() {
    let scene = Scene::new();
    let mut mallory = Agent::new("Mallory");
    assert_eq!(mallory.register(&scene.gateway).status, 201);
    let consent = |agent: &Agent| {
        let (link, session) = agent.authorize(&scene.gateway, &["read:tickets"]);
        let end = Browser::new().consent(&link);
        (session, end["code"].clone())
    };
    let not_found = refused(400, "SESSION_NOT_FOUND", "session_not_found");
    let invalid = refused(400, "SESSION_NOT_FOUND", "code_invalid");
    let used = refused(400, "SESSION_NOT_FOUND", "session_used");
    let exchange = |agent: &Agent, session: &str, code: &str| agent.exchange(&scene.gateway, session, code);

    let (one, code_of_one) = consent(&scene.agent);
    let (two, code_of_two) = consent(&scene.agent);
    let (three, code_of_three) = consent(&mallory);
    // Another client: by its own name, and with the owner's name and its own attestation.
    assert_eq!(refusal(&exchange(&mallory, &one, &code_of_one)), not_found);
    let with = |name: &str, value: Value| {
        let mut request = mallory.exchange_request(&scene.gateway, &one, &code_of_one);
        request[name] = value;
        mallory.post(&scene.gateway, "/ath/token", &request)
    };
    assert_eq!(with("client_id", json!(scene.agent.client().0)).refusal(), (401, "AGENT_NOT_REGISTERED".to_owned()));
    let mut stolen = scene.agent.exchange_request(&scene.gateway, &one, &code_of_one);
    stolen["agent_attestation"] = json!(mallory.attest(&format!("{}/ath/token", scene.gateway.public_url())));
    assert_eq!(refusal(&mallory.post(&scene.gateway, "/ath/token", &stolen)).2, "subject_mismatch");
    // Another session, of the same agent and of another.
    assert_eq!(refusal(&exchange(&scene.agent, &one, &code_of_two)), invalid);
    assert_eq!(refusal(&exchange(&scene.agent, &one, &code_of_three)), invalid);
    assert_eq!(refusal(&exchange(&mallory, &three, &code_of_one)), invalid);
    for wrong in [code_of_one.to_uppercase(), format!("{code_of_one} "), code_of_one.replace("ath_code_", "")] {
        // The third, fourth and fifth wrong code: after those the right one is worth nothing either.
        assert_eq!(refusal(&exchange(&scene.agent, &one, &wrong)), invalid, "{wrong}");
    }
    assert_eq!(refusal(&exchange(&scene.agent, &one, &code_of_one)), used);
    // Once, and not again.
    let token = exchange(&scene.agent, &two, &code_of_two);
    assert_eq!(token.status, 200, "{}", token.body_text());
    let call = || scene.agent.send(&scene.agent.call(&scene.gateway, &token.text("/access_token"), "GET", "/tickets"));
    assert_eq!(call().status, 200);
    assert_eq!(refusal(&exchange(&scene.agent, &two, &code_of_one)), used);
    assert_eq!(call().status, 200, "another code is no replay");
    assert_eq!(refusal(&exchange(&mallory, &two, &code_of_two)), not_found);
    assert_eq!(call().status, 200, "nor is it one by another client");
    assert_eq!(refusal(&exchange(&scene.agent, &two, &code_of_two)), used);
    assert_eq!(call().refusal(), (401, "TOKEN_REVOKED".to_owned()), "a code that came twice is nobody's");
    assert_eq!(exchange(&mallory, &three, &code_of_three).status, 200);
    for grant_type in ["refresh_token", "client_credentials", "", "Authorization_Code"] {
        let mut request = scene.agent.exchange_request(&scene.gateway, &two, &code_of_two);
        request["grant_type"] = json!(grant_type);
        assert_eq!(refusal(&scene.agent.post(&scene.gateway, "/ath/token", &request)).2, "unsupported_grant_type");
    }
}

#[test]
fn a10_a_token_that_never_was_and_one_of_another_form_are_answered_alike() {
    let scene = Scene::new();
    let answers =
        ["ath_tk_x", "ath_tk_", "x", "ath_code_x", "eyJhbGciOiJub25lIn0.e30.", &"x".repeat(4000)].map(|token| {
            let request = Request::new("GET", &format!("{}/ath/proxy/helpdesk/tickets", scene.gateway.url()));
            comparable(&request.header("authorization", &format!("Bearer {token}")).send())
        });
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(answers[0].0, 401);
}
