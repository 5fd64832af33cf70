//! A8, A11, O4, O5: what is good once is good once, over two replicas on one Redis and 200 tries at a time.

use std::collections::BTreeMap;
use std::sync::Barrier;

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
    let token = answers.iter().find(|answer| answer.status == 200).expect("one").text("/access_token");
    assert_eq!(agent.send(&agent.call(&replicas.two, &token, "GET", "/tickets")).status, 200);
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
