//! A8, A11, O4, O5: what is good once is good once, over two replicas on one Redis and 200 tries at a time.

use std::collections::BTreeMap;
use std::sync::Barrier;

use data_encoding::BASE64URL_NOPAD;
use serde_json::json;
use tests::{Agent, Answer, Browser, Gateway, RedisServer, Request, Store, Upstream, free_port};

use super::{PKCE, Scene, refusal, refused};

const TRIES: usize = 200;

struct Replicas {
    one: Gateway,
    two: Gateway,
    upstream: Upstream,
    redis: RedisServer,
}

impl Replicas {
    fn start() -> Self {
        let redis = RedisServer::start();
        let upstream = Upstream::start(free_port(), |_| {});
        let one = Gateway::start_with(Store::Redis(&redis), upstream.gateway_port(), &upstream.provider(PKCE));
        let two = one.replica(Store::Redis(&redis), &upstream, PKCE);
        Self { one, two, upstream, redis }
    }

    /// Runs `attempt` so many times at once, on each replica in turn.
    fn race(&self, tries: usize, attempt: impl Fn(usize, &Gateway) -> Answer + Sync) -> Vec<Answer> {
        let barrier = Barrier::new(tries);
        std::thread::scope(|scope| {
            let attempts: Vec<_> = (0..tries)
                .map(|number| {
                    let gateway = if number % 2 == 0 { &self.one } else { &self.two };
                    let (barrier, attempt) = (&barrier, &attempt);
                    scope.spawn(move || {
                        barrier.wait();
                        attempt(number, gateway)
                    })
                })
                .collect();
            attempts.into_iter().map(|attempt| attempt.join().expect("no panic")).collect()
        })
    }
}

/// How often each status and reason came.
fn tally(answers: &[Answer]) -> BTreeMap<(u16, String), usize> {
    let mut tally = BTreeMap::new();
    for answer in answers {
        *tally.entry((answer.status, answer.text("/details/reason"))).or_default() += 1;
    }
    tally
}

/// The request with this replica's port in place of the public one.
fn at(gateway: &Gateway, method: &str, path_and_query: &str, cookies: &str) -> Answer {
    gateway.request(method, path_and_query).header("cookie", cookies).send()
}

#[test]
fn a08_of_200_copies_of_an_attestation_one_passes() {
    let replicas = Replicas::start();
    let mut agent = Agent::new("Ticket Helper");
    assert_eq!(agent.register(&replicas.one).status, 201);
    for _ in 0..3 {
        let request = agent.authorization(&replicas.one, &["read:tickets"]);
        let answers = replicas.race(TRIES, |_, gateway| agent.post(gateway, "/ath/authorize", &request));
        let expected = [((200, String::new()), 1), ((401, "attestation_replayed".to_owned()), TRIES - 1)];
        assert_eq!(tally(&answers), BTreeMap::from(expected));
    }
    // At another endpoint that takes the same audience it is no fresher.
    let request = agent.authorization(&replicas.one, &["read:tickets"]);
    assert_eq!(agent.post(&replicas.one, "/ath/authorize", &request).status, 200);
    let mut registration = agent.registration(&replicas.two);
    registration["agent_attestation"] = request["agent_attestation"].clone();
    let again = agent.post(&replicas.two, "/ath/agents/register", &registration);
    assert_eq!(refusal(&again), refused(401, "INVALID_ATTESTATION", "attestation_replayed"));
}

#[test]
fn a08_a_name_is_used_up_by_whoever_signed_it_and_by_no_other_signature() {
    let scene = Scene::new();
    let mut other = Agent::new("Another");
    assert_eq!(other.register(&scene.gateway).status, 201);
    let ask = |agent: &Agent, attestation: &str| {
        let mut request = agent.authorization(&scene.gateway, &["read:tickets"]);
        request["agent_attestation"] = json!(attestation);
        agent.post(&scene.gateway, "/ath/authorize", &request)
    };
    let replayed = refused(401, "INVALID_ATTESTATION", "attestation_replayed");
    let claims = scene.agent.claims(&scene.gateway.public_url());
    let header = br#"{"alg":"ES256"}"#;
    let first = scene.agent.seal(header, claims.to_string().as_bytes());
    assert_eq!(ask(&scene.agent, &first).status, 200);
    // Anybody can make a second signature out of one (n - s), and the agent any number of them.
    let (input, signature) = first.rsplit_once('.').expect("three parts");
    let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).expect("base64url");
    let twin = [&signature[..32], &negated(&signature[32..])].concat();
    let twin = format!("{input}.{}", BASE64URL_NOPAD.encode(&twin));
    assert_ne!(twin, first);
    assert_eq!(refusal(&ask(&scene.agent, &twin)), replayed);
    let mut later = claims.clone();
    later["exp"] = json!(claims["exp"].as_u64().expect("a number") + 60);
    later["iss"] = json!(scene.agent.id.origin());
    for again in [
        scene.agent.seal(header, claims.to_string().as_bytes()),
        scene.agent.seal(header, later.to_string().as_bytes()),
    ] {
        assert_eq!(refusal(&ask(&scene.agent, &again)), replayed);
    }
    // The twin alone would have passed: it is a signature.
    let fresh = scene.agent.attest(&scene.gateway.public_url());
    let (input, signature) = fresh.rsplit_once('.').expect("three parts");
    let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).expect("base64url");
    let twin = [&signature[..32], &negated(&signature[32..])].concat();
    assert_eq!(ask(&scene.agent, &format!("{input}.{}", BASE64URL_NOPAD.encode(&twin))).status, 200);
    assert_eq!(refusal(&ask(&scene.agent, &fresh)), replayed);
    // Nobody uses up another's names.
    let mut others = other.claims(&scene.gateway.public_url());
    others["jti"] = claims["jti"].clone();
    assert_eq!(ask(&other, &other.seal(header, others.to_string().as_bytes())).status, 200);
}

/// The order of P-256 less `s`.
fn negated(s: &[u8]) -> Vec<u8> {
    let mut borrow = 0;
    let digits: Vec<u8> = ORDER
        .iter()
        .zip(s)
        .rev()
        .map(|(order, digit)| {
            let difference = i16::from(*order) - i16::from(*digit) - borrow;
            borrow = i16::from(difference < 0);
            u8::try_from(difference.rem_euclid(256)).expect("a byte")
        })
        .collect();
    digits.into_iter().rev().collect()
}

/// FIPS 186-4, D.1.2.3.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7,
    0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

#[test]
fn a08_a_restart_forgets_no_attestation() {
    let redis = RedisServer::start();
    for store in [Store::Embedded, Store::Redis(&redis)] {
        let upstream = Upstream::start(free_port(), |_| {});
        let mut gateway = Gateway::start_with(store, upstream.gateway_port(), &upstream.provider(PKCE));
        let mut agent = Agent::new("Ticket Helper");
        assert_eq!(agent.register(&gateway).status, 201);
        let requests: Vec<_> = (0..5).map(|_| agent.authorization(&gateway, &["read:tickets"])).collect();
        for request in &requests {
            assert_eq!(agent.post(&gateway, "/ath/authorize", request).status, 200);
        }
        gateway.restart();
        for request in &requests {
            let again = agent.post(&gateway, "/ath/authorize", request);
            assert_eq!(refusal(&again), refused(401, "INVALID_ATTESTATION", "attestation_replayed"));
        }
        let fresh = agent.authorization(&gateway, &["read:tickets"]);
        assert_eq!(agent.post(&gateway, "/ath/authorize", &fresh).status, 200);
    }
}

#[test]
fn a08_attestations_that_do_not_verify_leave_nothing_in_the_store() {
    let replicas = Replicas::start();
    let agent = Agent::new("Nobody");
    let other = protocol::AgentKey::generate().expect("a key");
    let before = replicas.redis.keys("*");
    for number in 0..400 {
        let gateway = if number % 2 == 0 { &replicas.one } else { &replicas.two };
        let mut request = agent.registration(gateway);
        let good = request["agent_attestation"].as_str().expect("text").to_owned();
        let input = good.rsplit_once('.').expect("three parts").0;
        let signature = data_encoding::BASE64URL_NOPAD.encode(&other.sign(input.as_bytes()).expect("signs"));
        let forged = if number % 4 < 2 { format!("{input}.{signature}") } else { format!("{input}.") };
        request["agent_attestation"] = json!(forged);
        assert_eq!(agent.post(gateway, "/ath/agents/register", &request).refusal().0, 401);
    }
    assert_eq!(replicas.redis.keys("*"), before);
}

#[test]
fn a11_of_50_first_registrations_one_counts() {
    let replicas = Replicas::start();
    for round in 0..3 {
        let mut agent = Agent::new("Ticket Helper");
        let before = replicas.redis.keys("*client:*").len();
        let answers = replicas.race(50, |number, gateway| {
            let mut request = agent.registration(gateway);
            request["redirect_uris"] = json!([format!("https://agent.example/{number}")]);
            agent.post(gateway, "/ath/agents/register", &request)
        });
        let expected = [((201, String::new()), 1), ((409, "already_registered".to_owned()), 49)];
        assert_eq!(tally(&answers), BTreeMap::from(expected), "round {round}");
        let winner = answers.iter().position(|answer| answer.status == 201).expect("one");
        let (id, secret) = (answers[winner].text("/client_id"), answers[winner].text("/client_secret"));
        for (number, answer) in answers.iter().enumerate() {
            assert!(number == winner || !answer.body_text().contains(&id), "a conflict names the registration");
        }
        assert_eq!(replicas.redis.keys("*client:*").len(), before + 1, "the others left nothing behind");
        agent.client = Some((id, secret));
        for (number, status) in [(winner, 200), ((winner + 1) % 50, 400)] {
            let mut request = agent.authorization(&replicas.two, &["read:tickets"]);
            request["user_redirect_uri"] = json!(format!("https://agent.example/{number}"));
            assert_eq!(agent.post(&replicas.two, "/ath/authorize", &request).status, status, "{number}");
        }
    }
}

#[test]
fn a11_registering_again_changes_nothing() {
    let Scene { gateway, agent, upstream: _upstream } = Scene::new();
    let mut request = agent.registration(&gateway);
    request["redirect_uris"] = json!(["https://evil.test/callback"]);
    assert_eq!(refusal(&agent.post(&gateway, "/ath/agents/register", &request)).2, "already_registered");
    let mut ask = agent.authorization(&gateway, &["read:tickets"]);
    ask["user_redirect_uri"] = json!("https://evil.test/callback");
    assert_eq!(refusal(&agent.post(&gateway, "/ath/authorize", &ask)).2, "redirect_uri_mismatch");
    // Who has not proven to be the agent does not even learn that it is registered.
    request["agent_attestation"] = json!(Agent::new("Mallory").attest(&gateway.public_url()));
    assert_eq!(refusal(&agent.post(&gateway, "/ath/agents/register", &request)).2, "subject_mismatch");
    let (link, session) = agent.authorize(&gateway, &["read:tickets"]);
    let end = Browser::new().consent(&link);
    assert_eq!(agent.exchange(&gateway, &session, &end["code"]).status, 200, "the first registration lives");
}

#[test]
fn o05_of_200_exchanges_of_a_code_one_gets_a_token() {
    let replicas = Replicas::start();
    let mut agent = Agent::new("Ticket Helper");
    agent.register(&replicas.one);
    let (link, session) = agent.authorize(&replicas.one, &["read:tickets"]);
    let end = Browser::new().consent(&link);
    let tokens = replicas.redis.keys("*token:*").len();
    let answers = replicas.race(TRIES, |_, gateway| agent.exchange(gateway, &session, &end["code"]));
    let expected = [((200, String::new()), 1), ((400, "session_used".to_owned()), TRIES - 1)];
    assert_eq!(tally(&answers), BTreeMap::from(expected));
    assert_eq!(replicas.redis.keys("*token:*").len(), tokens + 1, "one token was made");
    // Who presents a code a second time may have stolen it, or have been stolen from: neither keeps the token (RFC 9700 §4.5).
    let token = answers.iter().find(|answer| answer.status == 200).expect("one").text("/access_token");
    for gateway in [&replicas.one, &replicas.two] {
        let call = agent.send(&agent.call(gateway, &token, "GET", "/tickets"));
        assert_eq!(call.refusal(), (401, "TOKEN_REVOKED".to_owned()));
    }
}

#[test]
fn o04_of_200_arrivals_at_the_callback_one_gets_through() {
    let replicas = Replicas::start();
    let mut agent = Agent::new("Ticket Helper");
    agent.register(&replicas.one);
    let (link, session) = agent.authorize(&replicas.one, &["read:tickets"]);
    let mut browser = Browser::new();
    let page = browser.sign_in(&link);
    let answer = browser.submit_once(&page, &[("decision", "allow")]);
    let callback = answer.header("location").expect("a redirect to the callback").to_owned();
    let path = callback.strip_prefix(&replicas.one.public_url()).expect("the gateway's own").to_owned();
    let cookies = browser.cookie_header("127.0.0.1");
    let answers = replicas.race(TRIES, |_, gateway| at(gateway, "GET", &path, &cookies));
    let through: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 303).collect();
    assert_eq!(through.len(), 1, "{:?}", tally(&answers));
    assert!(answers.iter().all(|answer| [303, 400, 409].contains(&answer.status)), "{:?}", tally(&answers));
    assert_eq!(replicas.upstream.helpdesk.counters().token_requests.authorization_code, 1, "one exchange");
    let again = at(&replicas.two, "GET", &path, &cookies);
    assert_eq!(again.status, 400, "nor later");
    let page = browser.open(through[0].header("location").expect("the account's page"));
    let end = browser.submit(&page, &[("decision", "continue")]).parameters();
    assert_eq!(agent.exchange(&replicas.two, &session, &end["code"]).status, 200);
}

#[test]
fn o02_of_200_times_allow_by_two_browsers_one_wins() {
    let replicas = Replicas::start();
    let mut agent = Agent::new("Ticket Helper");
    agent.register(&replicas.one);
    let (link, _session) = agent.authorize(&replicas.one, &["read:tickets"]);
    let mut browsers = [Browser::new(), Browser::new()];
    let requests: Vec<Request> = browsers
        .iter_mut()
        .map(|browser| {
            let page = browser.open(&link);
            browser.request(&page, &[("decision", "allow")])
        })
        .collect();
    let answers = replicas.race(TRIES, |number, gateway| requests[number / 2 % 2].at_port(gateway.port()).send());
    let won: Vec<usize> = (0..TRIES).filter(|number| answers[*number].status == 303).collect();
    assert_eq!(won.len(), 1, "{:?}", tally(&answers));
    assert!(answers.iter().all(|answer| [303, 409].contains(&answer.status)), "{:?}", tally(&answers));
    let bindings = answers.iter().flat_map(|answer| &answer.headers).filter(|(name, _)| name == "set-cookie").count();
    assert_eq!(bindings, 1, "only the winner is bound");
}

#[test]
fn o02_of_allow_and_deny_at_once_one_counts() {
    let replicas = Replicas::start();
    let mut agent = Agent::new("Ticket Helper");
    agent.register(&replicas.one);
    for _ in 0..3 {
        let (link, session) = agent.authorize(&replicas.one, &["read:tickets"]);
        let mut browser = Browser::new();
        let page = browser.open(&link);
        let requests = ["allow", "deny"].map(|decision| browser.request(&page, &[("decision", decision)]));
        let answers = replicas.race(60, |number, gateway| requests[number / 2 % 2].at_port(gateway.port()).send());
        let won: Vec<usize> = (0..60).filter(|number| answers[*number].status == 303).collect();
        assert_eq!(won.len(), 1, "{:?}", tally(&answers));
        let denied = won[0] / 2 % 2 == 1;
        let code = agent.exchange(&replicas.two, &session, "x").refusal().1;
        assert_eq!(code, if denied { "USER_DENIED" } else { "SESSION_NOT_FOUND" });
    }
}

#[test]
fn o02_of_continue_and_undo_at_once_one_counts() {
    let replicas = Replicas::start();
    let mut agent = Agent::new("Ticket Helper");
    agent.register(&replicas.one);
    let mut outcomes = BTreeMap::new();
    for round in 0..6 {
        let (link, session) = agent.authorize(&replicas.one, &["read:tickets"]);
        let mut browser = Browser::new();
        let page = browser.sign_in(&link);
        let page = browser.submit(&page, &[("decision", "allow")]);
        let requests = ["continue", "undo"].map(|decision| browser.request(&page, &[("decision", decision)]));
        // Each of them begins a round, so that each has its chance.
        let answers =
            replicas.race(40, |number, gateway| requests[(number / 2 + round) % 2].at_port(gateway.port()).send());
        let ends: Vec<BTreeMap<String, String>> = answers
            .iter()
            .filter(|answer| answer.status == 303)
            .map(|answer| url::Url::parse(answer.header("location").expect("a redirect")).expect("a URL"))
            .map(|url| url.query_pairs().into_owned().collect())
            .collect();
        let codes: Vec<&String> = ends.iter().filter_map(|end| end.get("code")).collect();
        let denied = ends.iter().filter(|end| end.contains_key("error")).count();
        assert!(!ends.is_empty(), "{:?}", tally(&answers));
        if codes.is_empty() {
            assert_eq!(denied, 1, "{:?}", tally(&answers));
            assert_eq!(agent.exchange(&replicas.two, &session, "x").refusal().1, "USER_DENIED");
        } else {
            assert_eq!(denied, 0, "{:?}", tally(&answers));
            assert!(codes.iter().all(|code| *code == codes[0]), "a second click gets the same code");
            let token = agent.exchange(&replicas.two, &session, codes[0]);
            assert_eq!(token.status, 200, "{}", token.body_text());
            let call = agent.call(&replicas.one, &token.text("/access_token"), "GET", "/tickets");
            assert_eq!(agent.send(&call).status, 200, "what was confirmed is there");
        }
        *outcomes.entry(codes.is_empty()).or_insert(0) += 1;
    }
    assert_eq!(outcomes.values().sum::<i32>(), 6);
}

#[test]
fn o05_of_200_wrong_codes_at_once_five_are_weighed() {
    let replicas = Replicas::start();
    let mut agent = Agent::new("Ticket Helper");
    agent.register(&replicas.one);
    let (link, session) = agent.authorize(&replicas.one, &["read:tickets"]);
    let end = Browser::new().consent(&link);
    let answers = replicas.race(TRIES, |number, gateway| agent.exchange(gateway, &session, &format!("wrong-{number}")));
    assert!(answers.iter().all(|answer| answer.status == 400), "{:?}", tally(&answers));
    let weighed = answers.iter().filter(|answer| answer.text("/details/reason") == "code_invalid").count();
    assert!(weighed <= 5, "{:?}", tally(&answers));
    let right = agent.exchange(&replicas.two, &session, &end["code"]);
    assert_eq!(refusal(&right), refused(400, "SESSION_NOT_FOUND", "session_used"), "the right one comes too late");
}
