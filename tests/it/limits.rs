//! What is missing, too old, of the wrong type, or too large to be kept in memory.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::{Agent, Browser, Gateway, RedisServer, Store, Upstream, free_port};

const PKCE: &str = "pkce = \"none\"";
const CODES: [&str; 7] = [
    "INVALID_ATTESTATION",
    "AGENT_NOT_REGISTERED",
    "AGENT_UNAPPROVED",
    "PROVIDER_NOT_APPROVED",
    "SCOPE_NOT_APPROVED",
    "SESSION_NOT_FOUND",
    "STATE_MISMATCH",
];

/// A path, a complete request to it, and the fields that it must have.
type Case<'a> = (&'a str, &'a dyn Fn() -> Value, &'a [&'a str]);

fn registered() -> (Gateway, Upstream, Agent) {
    let upstream = Upstream::start(free_port(), |_| {});
    let gateway = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &upstream.provider(PKCE));
    let mut agent = Agent::new("Ticket Helper");
    assert_eq!(agent.register(&gateway).status, 201);
    (gateway, upstream, agent)
}

#[test]
fn an_attestation_of_another_hour_is_refused() {
    let (gateway, _upstream, agent) = registered();
    for (offset, word) in [(-7200, "expired"), (-600, "issued too long ago"), (600, "issued in the future")] {
        let mut request = agent.authorization(&gateway, &["read:tickets"]);
        request["agent_attestation"] = json!(agent.attest_at(&gateway.public_url(), offset));
        let answer = agent.post(&gateway, "/ath/authorize", &request);
        assert_eq!(answer.refusal(), (401, "INVALID_ATTESTATION".to_owned()), "{word}");
    }
    let mut request = agent.authorization(&gateway, &["read:tickets"]);
    request["agent_attestation"] = json!(agent.attest_at(&gateway.public_url(), -120));
    assert_eq!(agent.post(&gateway, "/ath/authorize", &request).status, 200, "clocks may differ by two minutes");
}

#[test]
fn what_is_missing_or_of_the_wrong_type_is_refused_in_the_same_form() {
    let (gateway, _upstream, agent) = registered();
    let cases: [Case<'_>; 3] = [
        (
            "/ath/agents/register",
            &|| agent.registration(&gateway),
            &["agent_id", "agent_attestation", "developer", "requested_providers"],
        ),
        (
            "/ath/authorize",
            &|| agent.authorization(&gateway, &["read:tickets"]),
            &["client_id", "agent_attestation", "provider_id", "scopes", "state"],
        ),
        (
            "/ath/token",
            &|| agent.exchange_request(&gateway, "ath_sess_x", "x"),
            &["grant_type", "client_id", "client_secret", "agent_attestation", "code", "ath_session_id"],
        ),
    ];
    for (path, complete, fields) in cases {
        for field in fields {
            let mut missing = complete();
            missing.as_object_mut().expect("an object").remove(*field);
            let mut wrong = complete();
            wrong[*field] = json!(7);
            for request in [missing, wrong] {
                let (status, code) = agent.post(&gateway, path, &request).refusal();
                assert!((400..500).contains(&status) && status != 409, "{path} {field}: {status}");
                assert!(CODES.contains(&code.as_str()), "{path} {field}: {code}");
            }
        }
    }
    let mut other = agent.exchange_request(&gateway, "ath_sess_x", "x");
    other["grant_type"] = json!("client_credentials");
    assert_eq!(agent.post(&gateway, "/ath/token", &other).refusal().0, 400);
}

#[test]
fn a_placeholder_code_passes_only_by_the_development_setting_and_after_the_consent() {
    let upstream = Upstream::start(free_port(), |_| {});
    let text = format!("placeholder_codes = true\n\n{}", upstream.provider(PKCE));
    let gateway = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &text);
    let mut agent = Agent::new("Ticket Helper");
    agent.register(&gateway);

    let mut request = agent.authorization(&gateway, &["read:tickets"]);
    request.as_object_mut().expect("an object").remove("user_redirect_uri");
    let begun = agent.post(&gateway, "/ath/authorize", &request);
    let (link, session) = (begun.text("/authorization_url"), begun.text("/ath_session_id"));
    let pending = agent.exchange(&gateway, &session, "mock_code");
    assert_eq!(pending.text("/details/reason"), "consent_pending");
    let end = Browser::new().consent(&link);
    assert_eq!(end["success"], "true");
    assert_eq!(agent.exchange(&gateway, &session, "mock_code").status, 200);
    assert_eq!(agent.exchange(&gateway, &session, "mock_code").text("/details/reason"), "session_used");

    let (link, session) = agent.authorize(&gateway, &["read:tickets"]);
    let end = Browser::new().consent(&link);
    let guessed = agent.exchange(&gateway, &session, "mock_code");
    assert_eq!(guessed.text("/details/reason"), "code_invalid", "a delivered code is not replaced by a placeholder");
    assert_eq!(agent.exchange(&gateway, &session, &end["code"]).status, 200);
}

#[test]
fn a_second_allow_of_the_same_form_is_refused() {
    let (gateway, _upstream, agent) = registered();
    let (link, session) = agent.authorize(&gateway, &["read:tickets"]);
    let mut browser = Browser::new();
    let form = browser.open(&link);
    assert_eq!(browser.submit(&form, &[("decision", "allow")]).url.host_str(), Some("localhost"));
    let again = browser.submit(&form, &[("decision", "allow")]);
    assert_eq!(again.answer.status, 409, "{}: {}", again.url, again.answer.body_text());
    assert_eq!(agent.exchange(&gateway, &session, "x").text("/details/reason"), "consent_pending");
}

#[test]
fn an_upload_of_any_size_passes_in_flat_memory() {
    const SIZE: u64 = 1 << 30;
    let (gateway, _upstream, agent) = registered();
    let (link, session) = agent.authorize(&gateway, &["read:tickets", "write:tickets"]);
    let end = Browser::new().consent(&link);
    let token = agent.exchange(&gateway, &session, &end["code"]).text("/access_token");
    let before = gateway.memory();
    let started = Instant::now();
    let mut stream = TcpStream::connect(("127.0.0.1", gateway.port())).expect("connects");
    let head = format!(
        "PUT /ath/proxy/helpdesk/tickets/1/attachments/huge HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\
         Authorization: Bearer {token}\r\nX-ATH-Agent-ID: {}\r\nContent-Length: {SIZE}\r\n\r\n",
        gateway.port(),
        agent.id
    );
    stream.write_all(head.as_bytes()).expect("sent");
    let chunk = vec![b'x'; 1 << 20];
    let mut highest = before;
    for part in 0..SIZE >> 20 {
        stream.write_all(&chunk).expect("the gateway goes on reading");
        if part % 32 == 0 {
            highest = highest.max(gateway.memory());
        }
    }
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    println!("{SIZE} bytes in {:?}", started.elapsed());
    assert!(answer.starts_with("HTTP/1.1 201") && answer.contains(&format!("\"bytes\":{SIZE}")), "{answer}");
    let grown = highest.max(gateway.memory()) - before;
    assert!(grown < 40 << 20, "it grew by {grown} bytes");
}

#[test]
fn a_live_token_is_not_honoured_while_the_store_is_down_and_works_again_after() {
    let mut redis = RedisServer::start();
    let upstream = Upstream::start(free_port(), |_| {});
    let one = Gateway::start_with(Store::Redis(&redis), upstream.gateway_port(), &upstream.provider(PKCE));
    let two = one.replica(Store::Redis(&redis), &upstream, PKCE);
    let mut agent = Agent::new("Ticket Helper");
    agent.register(&one);
    let (link, session) = agent.authorize(&one, &["read:tickets"]);
    let end = Browser::new().consent(&link);
    let token = agent.exchange(&two, &session, &end["code"]).text("/access_token");
    let call = |gateway: &Gateway| agent.send(&agent.call(gateway, &token, "GET", "/tickets"));
    assert_eq!((call(&one).status, call(&two).status), (200, 200));
    redis.kill();
    for gateway in [&one, &two] {
        tests::eventually("the cached validity ends", || call(gateway).status == 503);
        let forwarded = upstream.helpdesk.recorded_requests().len();
        let down = call(gateway);
        assert_eq!(down.refusal(), (503, "INTERNAL_ERROR".to_owned()));
        assert!(down.header("retry-after").is_some());
        assert_eq!(upstream.helpdesk.recorded_requests().len(), forwarded);
    }
    redis.restart();
    for gateway in [&one, &two] {
        tests::eventually("the token works again", || call(gateway).status == 200);
    }
}

#[test]
fn a_token_that_the_upstream_no_longer_takes_is_renewed_once() {
    let (gateway, upstream, agent) = registered();
    let (link, session) = agent.authorize(&gateway, &["read:tickets"]);
    let end = Browser::new().consent(&link);
    let token = agent.exchange(&gateway, &session, &end["code"]).text("/access_token");
    let call = || agent.send(&agent.call(&gateway, &token, "GET", "/tickets")).status;
    let renewals = || upstream.helpdesk.counters().token_requests.refresh_token;
    assert_eq!(call(), 200);
    upstream.helpdesk.expire_all_access_tokens();
    assert_eq!(call(), 200, "one refresh, and the call is sent once more");
    assert_eq!(renewals(), 1);
    upstream.helpdesk.expire_all_access_tokens();
    assert_eq!((call(), call()), (401, 401), "no second refresh within half a minute");
    assert_eq!(renewals(), 1);
}
