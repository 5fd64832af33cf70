//! Forwarded calls (C080 to C087).

use data_encoding::HEXLOWER;
use helpdesk::TokenBehaviour;
use secret::{Entropy, SeededEntropy};
use serde_json::json;
use tests::{Agent, CANARY, MovedClock, raw};

use super::stage::{ALICE, BOB, Script, Setup, Stage, refused};

on_both!(
    c080_unknown_expired_and_revoked_tokens_are_told_apart,
    c081_the_agent_id_header_is_required_and_is_the_bound_agent,
    c082_the_paths_provider_is_the_bound_one,
    c083_what_no_rule_allows_is_not_forwarded,
    c083_no_other_spelling_or_method_gets_past_the_rules,
    c084_a_broad_upstream_token_carries_nothing_beyond_the_effective_scopes,
    c085_bodies_pass_unmodified_both_ways,
    c086_neither_another_agent_nor_another_user_can_use_a_token,
    c087_no_upstream_token_or_client_secret_is_seen_by_anybody,
);

const BOTH: [&str; 2] = ["read:tickets", "write:tickets"];

fn c080_unknown_expired_and_revoked_tokens_are_told_apart(setup: Setup) {
    let clock = MovedClock::new();
    let rest = "[lifetimes]\ntoken = \"5m\"";
    let stage = Stage::with(setup, &Script { clock: Some(&clock), rest, ..Script::default() });
    let agent = stage.agent();
    let [expiring, revoked] = [(); 2].map(|()| stage.token(&agent, &["read:tickets"]));
    assert_eq!(agent.revoke(stage.next(), &revoked).status, 200);
    let live = stage.token(&agent, &["read:tickets"]);
    let upstreams = stage.upstream.helpdesk.issued_tokens();
    let of_upstream = upstreams.iter().find(|token| token.starts_with(CANARY)).expect("a token");
    for _ in stage.all() {
        assert_eq!(stage.call(&agent, &live, "GET", "/tickets").status, 200);
        assert_eq!(stage.call(&agent, &revoked, "GET", "/tickets").refusal(), refused(401, "TOKEN_REVOKED"));
        for unknown in ["ath_tk_x", "x", &live[..live.len() - 1], &live.to_uppercase(), of_upstream] {
            assert_eq!(
                stage.call(&agent, unknown, "GET", "/tickets").refusal(),
                refused(401, "TOKEN_INVALID"),
                "{unknown}"
            );
        }
        let bare = stage.next().request("GET", "/ath/proxy/helpdesk/tickets");
        assert_eq!(bare.send().refusal(), refused(401, "TOKEN_INVALID"));
        assert_eq!(bare.header("authorization", "Basic eDp4").send().refusal(), refused(401, "TOKEN_INVALID"));
    }
    clock.forward(301);
    for _ in stage.all() {
        assert_eq!(stage.call(&agent, &expiring, "GET", "/tickets").refusal(), refused(401, "TOKEN_EXPIRED"));
        assert_eq!(stage.call(&agent, &revoked, "GET", "/tickets").refusal(), refused(401, "TOKEN_REVOKED"));
    }
}

fn c081_the_agent_id_header_is_required_and_is_the_bound_agent(setup: Setup) {
    let stage = Stage::new(setup);
    let agent = stage.agent();
    let token = stage.token(&agent, &["read:tickets"]);
    let id = agent.id.as_str().to_owned();
    let forwarded = stage.forwarded();
    let upper = id.to_uppercase();
    let slash = format!("{id}/");
    let port = agent.id.origin();
    let wrong: [&[&str]; 8] = [
        &[],
        &["https://other.example/agent.json"],
        &[&upper],
        &[&slash],
        &[&port],
        &[""],
        &[&id, &id],
        &[&id, "https://other.example/agent.json"],
    ];
    for values in wrong {
        for _ in stage.all() {
            let request = stage.next().request("GET", "/ath/proxy/helpdesk/tickets");
            let request = request.header("authorization", &format!("Bearer {token}"));
            let request = values.iter().fold(request, |request, value| request.header("x-ath-agent-id", value));
            assert_eq!(request.send().refusal(), refused(403, "AGENT_IDENTITY_MISMATCH"), "{values:?}");
        }
    }
    assert_eq!(stage.forwarded(), forwarded);
    for _ in stage.all() {
        assert_eq!(stage.call(&agent, &token, "GET", "/tickets").status, 200);
    }
}

fn c082_the_paths_provider_is_the_bound_one(setup: Setup) {
    let stage = Stage::new(setup);
    let agent = stage.agent();
    let token = stage.token(&agent, &["read:tickets"]);
    let forwarded = stage.forwarded();
    for (provider, status, code) in [
        ("other", 403, "PROVIDER_MISMATCH"),
        ("unheard-of", 403, "PROVIDER_MISMATCH"),
        ("HELPDESK", 403, "PROVIDER_MISMATCH"),
    ] {
        for _ in stage.all() {
            let request = agent.call(stage.next(), &token, "GET", "/tickets");
            let answer = request.send_to(&format!("/ath/proxy/{provider}/tickets"));
            assert_eq!(answer.refusal(), refused(status, code), "{provider}");
        }
    }
    assert_eq!(stage.forwarded(), forwarded);
    assert_eq!(stage.call(&agent, &token, "GET", "/tickets").status, 200);
}

fn c083_what_no_rule_allows_is_not_forwarded(setup: Setup) {
    let stage = Stage::new(setup);
    let agent = stage.agent();
    let reader = stage.token(&agent, &["read:tickets"]);
    let writer = stage.token(&agent, &BOTH);
    let forwarded = stage.forwarded();
    for (token, method, path) in [
        (&reader, "POST", "/tickets"),
        (&reader, "PATCH", "/tickets/1"),
        (&reader, "PUT", "/tickets/1/attachments/a"),
        (&reader, "DELETE", "/tickets/1"),
        (&reader, "OPTIONS", "/tickets"),
        (&reader, "GET", "/"),
        (&reader, "GET", "/userinfo"),
        (&reader, "GET", "/tickets/1/comments"),
        (&reader, "GET", "/tickets/1/attachments/a/b"),
        (&writer, "DELETE", "/tickets/1"),
        (&writer, "POST", "/echo"),
        (&writer, "PATCH", "/tickets"),
        (&writer, "POST", "/token"),
    ] {
        for _ in stage.all() {
            let answer = stage.call(&agent, token, method, path);
            assert_eq!(answer.refusal(), refused(403, "SCOPE_NOT_APPROVED"), "{method} {path}");
        }
    }
    assert_eq!(stage.forwarded(), forwarded);
    for (token, method, path) in
        [(&reader, "GET", "/tickets"), (&reader, "HEAD", "/tickets/1"), (&writer, "PATCH", "/tickets/1")]
    {
        let before = stage.forwarded();
        assert_ne!(stage.call(&agent, token, method, path).status, 403, "{method} {path}");
        assert_eq!(stage.forwarded(), before + 1, "{method} {path}");
    }
}

fn c083_no_other_spelling_or_method_gets_past_the_rules(setup: Setup) {
    let stage = Stage::new(setup);
    let agent = stage.agent();
    let token = stage.token(&agent, &["read:tickets"]);
    let forwarded = stage.forwarded();
    for path in [
        "/tickets/../userinfo",
        "/tickets/..",
        "/tickets/%2e%2e/userinfo",
        "/tickets/%2E./userinfo",
        "/tickets/.%2e/userinfo",
        "/./tickets",
        "/tickets/.",
        "//tickets",
        "/tickets//1",
        "/tickets%2f1",
        "/tickets%2F..%2Fuserinfo",
        "/tickets/..%2fuserinfo",
        "/tickets/1%5c..%5cuserinfo",
        "/tickets\\..\\userinfo",
        "/tickets;/../userinfo",
        "/tickets;x=1",
        "/tickets/1;.json",
        "/tickets/..;/userinfo",
        "/tickets/%00",
        "/tickets/%0d%0a",
        "/tickets/%252e%252e/userinfo",
        "/tickets%3f/../userinfo",
        "/%74ickets",
        "/TICKETS",
        "/tickets/",
        "/tickets/%c0%ae%c0%ae/userinfo",
        "/tickets?access_token=x",
        "/tickets?_method=DELETE",
        "/../helpdesk/tickets",
    ] {
        let target = format!("/ath/proxy/helpdesk{path}");
        for _ in stage.all() {
            let answer = agent.call(stage.next(), &token, "GET", "/tickets").send_to(&target);
            assert!((400..404).contains(&answer.status), "{path}: {} {}", answer.status, answer.body_text());
        }
    }
    for method in ["get", "GETX", "PROPFIND", "TRACE", "CONNECT"] {
        let answer = agent.call(stage.next(), &token, method, "/tickets").send();
        assert!((400..500).contains(&answer.status), "{method}: {}", answer.status);
    }
    assert_eq!(stage.forwarded(), forwarded, "nothing of it was forwarded");
    // Headers that some servers take for the method, or the path, do not get through.
    let overriding = [
        ("x-http-method-override", "DELETE"),
        ("x-http-method", "DELETE"),
        ("x-method-override", "DELETE"),
        ("x-original-url", "/userinfo"),
        ("x-rewrite-url", "/userinfo"),
    ];
    let request = agent.call(stage.next(), &token, "GET", "/tickets");
    let request = overriding.iter().fold(request, |request, (name, value)| request.header(name, value));
    assert_eq!(agent.send(&request).status, 200);
    let seen = stage.upstream.helpdesk.recorded_requests();
    let seen = seen.last().expect("it was forwarded");
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("GET", "/tickets"));
    for (name, _) in overriding {
        assert!(!seen.headers.contains_key(name), "{name} was forwarded");
    }
    // Nor do they make a POST of one that is refused.
    let request = agent.call(stage.next(), &token, "POST", "/tickets").header("x-http-method-override", "GET");
    assert_eq!(agent.send(&request).refusal(), refused(403, "SCOPE_NOT_APPROVED"));
}

fn c084_a_broad_upstream_token_carries_nothing_beyond_the_effective_scopes(setup: Setup) {
    let stage = Stage::new(setup);
    let agent = stage.agent();
    // The connection can do both, for one agent; another one, of the same person, may read.
    let broad = stage.token(&agent, &BOTH);
    let reader = stage.agent();
    let narrow = stage.token(&reader, &["read:tickets"]);
    let also_narrow = stage.token(&agent, &["read:tickets"]);
    for _ in stage.all() {
        assert_eq!(stage.call(&agent, &broad, "PUT", "/tickets/1/attachments/a").status, 201);
        let forwarded = stage.forwarded();
        for (agent, token) in [(&reader, &narrow), (&agent, &also_narrow)] {
            let write = stage.call(agent, token, "PUT", "/tickets/1/attachments/a");
            assert_eq!(write.refusal(), refused(403, "SCOPE_NOT_APPROVED"));
        }
        assert_eq!(stage.forwarded(), forwarded);
        assert_eq!(stage.call(&reader, &narrow, "GET", "/tickets").status, 200);
    }
}

fn c085_bodies_pass_unmodified_both_ways(setup: Setup) {
    let stage = Stage::new(setup);
    let agent = stage.agent();
    let token = stage.token(&agent, &BOTH);
    let mut bytes = vec![0; 300_000];
    SeededEntropy::new(85).fill(&mut bytes);
    let odd = b"{ \"a\" : 1.0e0,\r\n\t\"a\": \"\\u00e9\xc3\xa9\xff\x00\" }  ".to_vec();
    for body in [Vec::new(), odd, bytes] {
        let hash = HEXLOWER.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &body).as_ref());
        for gateway in stage.all() {
            let put = agent.call(gateway, &token, "PUT", "/tickets/1/attachments/a");
            let sent = agent.send(&put.header("content-type", "application/x-odd; a=\"b\"").body(body.clone()));
            assert_eq!(sent.json(), json!({"bytes": body.len(), "sha256": hash}));
            let seen = stage.upstream.helpdesk.recorded_requests();
            let seen = seen.last().expect("it was forwarded");
            assert_eq!(seen.headers["content-type"], "application/x-odd; a=\"b\"");
            let back = agent.send(&agent.call(gateway, &token, "GET", "/tickets/1/attachments/a"));
            assert_eq!(back.status, 200);
            assert!(back.body == body, "{} bytes came back as {}", body.len(), back.body.len());
            // The same in chunks, as an agent sends what it does not know the length of.
            let head = format!(
                "PUT /ath/proxy/helpdesk/tickets/1/attachments/b HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\
                 Authorization: Bearer {token}\r\nX-ATH-Agent-ID: {}\r\nConnection: close\r\n\r\n",
                agent.id
            );
            let mut request = head.into_bytes();
            for chunk in body.chunks(70_001) {
                request.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                request.extend_from_slice(chunk);
                request.extend_from_slice(b"\r\n");
            }
            request.extend_from_slice(b"0\r\n\r\n");
            assert_eq!(raw(gateway.port(), &request, "PUT").json(), json!({"bytes": body.len(), "sha256": hash}));
        }
    }
}

fn c086_neither_another_agent_nor_another_user_can_use_a_token(setup: Setup) {
    let stage = Stage::new(setup);
    let (one, two) = (stage.agent(), stage.agent());
    let of_alice = stage.token_of(ALICE, &one, &["read:tickets"]);
    let of_bob = stage.token_of(BOB, &two, &["read:tickets"]);
    let also_of_bob = stage.token_of(BOB, &one, &["read:tickets"]);
    let forwarded = stage.forwarded();
    for _ in stage.all() {
        assert_eq!(stage.call(&two, &of_alice, "GET", "/tickets").refusal(), refused(403, "AGENT_IDENTITY_MISMATCH"));
        assert_eq!(stage.call(&one, &of_bob, "GET", "/tickets").refusal(), refused(403, "AGENT_IDENTITY_MISMATCH"));
    }
    assert_eq!(stage.forwarded(), forwarded);
    // Whose account a call reaches is the token's affair alone: not a cookie's, a header's or a parameter's.
    for (agent, token, person) in [(&one, &of_alice, ALICE), (&two, &of_bob, BOB), (&one, &also_of_bob, BOB)] {
        for _ in stage.all() {
            let request = agent.call(stage.next(), token, "GET", "/tickets?assignee=me&user=carol@acme.test");
            let request = request
                .header("x-ath-user-id", "carol")
                .header("x-forwarded-user", "carol")
                .header("cookie", "user=carol");
            let list = agent.send(&request).json();
            let tickets = list["tickets"].as_array().expect("a list");
            assert!(
                !tickets.is_empty() && tickets.iter().all(|ticket| ticket["assignee"] == person),
                "{person}: {list}"
            );
        }
    }
}

fn c087_no_upstream_token_or_client_secret_is_seen_by_anybody(setup: Setup) {
    let mut stage = Stage::new(setup);
    let mut seen: Vec<u8> = Vec::new();
    let mut agent = Agent::new("Curious");
    let gateways = stage.all().len();
    seen.extend(agent.register(stage.next()).bytes);
    let (link, session) = agent.authorize(stage.next(), &BOTH);
    let mut browser = stage.browser();
    let page = browser.open(&link);
    let end = stage.finish(&mut browser, &page);
    seen.extend_from_slice(end.url.as_str().as_bytes());
    let exchanged = agent.exchange(stage.next(), &session, &end.parameters()["code"]);
    let token = exchanged.text("/access_token");
    seen.extend(exchanged.bytes);
    // A service that gives back what it was sent, in every place that it can.
    for place in ["", "?in=body", "?in=header", "?in=split", "?in=location"] {
        for _ in 0..gateways {
            let answer = stage.call(&agent, &token, "GET", &format!("/echo{place}"));
            assert!(answer.status < 400, "{place}: {}", answer.body_text());
            seen.extend(answer.bytes);
        }
    }
    // Refusals, failures of the token endpoint, and a service that is gone.
    seen.extend(stage.call(&agent, &token, "DELETE", "/tickets/1").bytes);
    for behaviour in [TokenBehaviour::ServerError(500), TokenBehaviour::HalfJson, TokenBehaviour::Html] {
        stage.upstream.helpdesk.set_token_behaviour(behaviour);
        let (link, session) = agent.authorize(stage.next(), &BOTH);
        let mut browser = stage.browser();
        let page = browser.sign_in(&link);
        let end = browser.submit(&page, &[("decision", "allow")]);
        assert_eq!(end.answer.status, 502);
        seen.extend_from_slice(end.url.as_str().as_bytes());
        seen.extend_from_slice(browser.received());
        seen.extend(agent.exchange(stage.next(), &session, "x").bytes);
    }
    stage.upstream.stop();
    for _ in 0..gateways {
        tests::eventually("the service is gone", || stage.call(&agent, &token, "GET", "/tickets").status == 502);
        seen.extend(stage.call(&agent, &token, "GET", "/tickets").bytes);
    }
    seen.extend_from_slice(browser.received());
    seen.extend_from_slice(stage.log().as_bytes());
    assert!(seen.windows(5).any(|window| window == b"*****"), "an echo came back masked");
    let issued = stage.upstream.helpdesk.issued_tokens();
    assert!(issued.iter().filter(|token| token.starts_with(CANARY)).count() >= 2);
    let secret = stage.upstream.helpdesk.settings().client_secret;
    for hidden in issued.iter().filter(|token| token.starts_with(CANARY)).chain([&secret]) {
        assert!(!seen.windows(hidden.len()).any(|window| window == hidden.as_bytes()), "{hidden} was seen");
    }
}
