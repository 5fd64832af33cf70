//! `connections revoke --provider`: everything at a provider, or of one person there, ends at once on two replicas and on one.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::{Agent, Answer, Browser, Gateway, RedisServer, Store, Upstream, eventually, free_port};

const USERS: usize = 24;

/// Two replicas on one Redis, or one gateway twice; in front of a helpdesk that names nobody, so that every consent is another person's.
struct House {
    one: Gateway,
    two: Option<Gateway>,
    upstream: Upstream,
    agent: Agent,
    _redis: Option<RedisServer>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Endpoint {
    There,
    Missing,
}

impl House {
    fn start(redis: Option<RedisServer>, endpoint: Endpoint) -> Self {
        let upstream = Upstream::start(free_port(), |settings| settings.userinfo = false);
        let revoke = match endpoint {
            Endpoint::There => format!("revoke_endpoint = \"http://localhost:{}/revoke\"\n", upstream.port()),
            Endpoint::Missing => String::new(),
        };
        let text = upstream.provider(&format!("{revoke}pkce = \"none\""));
        let text: Vec<&str> = text.lines().filter(|line| !line.starts_with("userinfo")).collect();
        let text = text.join("\n");
        let store = redis.as_ref().map_or(Store::Embedded, Store::Redis);
        let one = Gateway::start_with(store, upstream.gateway_port(), &text);
        let two = redis.is_some().then(|| one.replica_with(store, &text));
        let mut agent = Agent::new("Ticket Helper");
        assert_eq!(agent.register(&one).status, 201);
        Self { one, two, upstream, agent, _redis: redis }
    }

    fn both() -> [Self; 2] {
        [Self::start(Some(RedisServer::start()), Endpoint::There), Self::start(None, Endpoint::There)]
    }

    fn two(&self) -> &Gateway {
        self.two.as_ref().unwrap_or(&self.one)
    }

    /// Another person's consent, at one of the providers; the token.
    fn token(&self, provider: &str) -> String {
        let mut wish = self.agent.authorization(&self.one, &["read:tickets"]);
        wish["provider_id"] = json!(provider);
        let begun = self.agent.post(&self.one, "/ath/authorize", &wish);
        assert_eq!(begun.status, 200, "{}", begun.body_text());
        let mut browser = Browser::new();
        let page = browser.sign_in(&begun.text("/authorization_url"));
        let page = browser.submit(&page, &[("decision", "allow")]);
        let end = browser.submit(&page, &[("decision", "continue")]).parameters();
        let token = self.agent.exchange(self.two(), &begun.text("/ath_session_id"), &end["code"]);
        assert_eq!(token.status, 200, "{}", token.body_text());
        token.text("/access_token")
    }

    fn call(&self, gateway: &Gateway, provider: &str, token: &str) -> Answer {
        let url = format!("{}/ath/proxy/{provider}/tickets", gateway.url());
        let request = tests::Request::new("GET", &url).header("authorization", &format!("Bearer {token}"));
        self.agent.send(&request.header("x-ath-agent-id", self.agent.id.as_str()))
    }

    fn listed(&self, provider: &str) -> Vec<Value> {
        let listed = self.one.operate_json(&["connections", "list"]);
        let listed = listed.as_array().expect("a list").iter();
        listed.filter(|connection| connection["provider_id"] == provider).cloned().collect()
    }
}

/// Nothing while its door is not open yet.
fn report(gateway: &Gateway) -> Value {
    let asked = gateway.operate(&["connections", "report", "--provider", "helpdesk", "--json"]);
    serde_json::from_str(&asked.said).unwrap_or_default()
}

#[test]
fn everything_at_a_provider_ends_at_once_everywhere() {
    for house in House::both() {
        let tokens: Vec<String> = (0..USERS).map(|_| house.token("helpdesk")).collect();
        let others: Vec<String> = (0..3).map(|_| house.token("other")).collect();
        assert_eq!(house.listed("helpdesk").len(), USERS);
        let (acknowledged, over) = (AtomicBool::new(false), AtomicBool::new(false));
        let (before, after) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let mut stream = TcpStream::connect(("127.0.0.1", house.two().port())).expect("connects");
        let head = format!(
            "GET /ath/proxy/helpdesk/tickets/events HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {}\r\nX-ATH-Agent-ID: {}\r\n\r\n",
            house.two().port(),
            tokens[0],
            house.agent.id.as_str()
        );
        stream.write_all(head.as_bytes()).expect("sent");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        assert!(stream.read(&mut [0; 1024]).expect("it begins") > 0);

        std::thread::scope(|scope| {
            for worker in 0..4 {
                let (house, tokens, acknowledged, over) = (&house, &tokens, &acknowledged, &over);
                let (before, after) = (&before, &after);
                scope.spawn(move || {
                    let gateway = if worker % 2 == 0 { &house.one } else { house.two() };
                    for token in tokens.iter().cycle().skip(worker * 5) {
                        if over.load(Ordering::SeqCst) {
                            return;
                        }
                        let late = acknowledged.load(Ordering::SeqCst);
                        let answer = house.call(gateway, "helpdesk", token);
                        if late {
                            after.fetch_add(1, Ordering::SeqCst);
                            assert_eq!(answer.refusal(), (401, "TOKEN_REVOKED".to_owned()));
                        } else if answer.status == 200 {
                            before.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                });
            }
            eventually("calls go through", || before.load(Ordering::SeqCst) >= 40);
            let done = house.one.operate(&["connections", "revoke", "--provider", "helpdesk", "--wait", "0"]);
            acknowledged.store(true, Ordering::SeqCst);
            let instant = Instant::now();
            assert_eq!(done.status, 0, "{}", done.complained);
            assert!(done.said.contains("ended at helpdesk, on every gateway"), "{}", done.said);
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest);
            assert!(instant.elapsed() < Duration::from_secs(1), "{:?}", instant.elapsed());
            eventually("calls go on", || after.load(Ordering::SeqCst) >= 40);
            std::thread::sleep(Duration::from_millis(500));
            over.store(true, Ordering::SeqCst);
        });
        let (before, after) = (before.into_inner(), after.into_inner());
        assert!(before >= 40 && after >= 40, "{before} calls before, {after} after");

        eventually("the provider was told of all", || report(house.two())["revocations"]["done"] == json!(USERS));
        let report = report(&house.one);
        assert_eq!((&report["cleared"], &report["connections"]), (&json!(true), &json!(USERS)));
        assert_eq!(report["grants"], json!(USERS));
        assert_eq!(report["may_live_on"], Value::Null);
        assert!(house.upstream.helpdesk.counters().revocation_requests >= 2 * USERS as u64);
        assert!(house.listed("helpdesk").is_empty());
        for token in &others {
            assert_eq!(house.call(house.two(), "other", token).status, 200, "another provider's is untouched");
        }
        // What is connected from now on works, on both, and goes on working.
        let token = house.token("helpdesk");
        for gateway in [&house.one, house.two()] {
            assert_eq!(house.call(gateway, "helpdesk", &token).status, 200);
        }
        assert_eq!(house.listed("helpdesk").len(), 1);
        assert_eq!(house.one.events("provider_revoked").len(), 1);
        let again = house.one.operate(&["connections", "revoke", "--provider", "helpdesk"]);
        assert!(again.said.contains("1 connections, 1 grants"), "{}", again.said);
        assert!(again.said.contains("1 done, 0 waiting, 0 failing and tried again, 0 refused"), "{}", again.said);
        assert!(again.said.contains("no token of these connections is known to be alive there"), "{}", again.said);
        let unknown = house.one.operate(&["connections", "revoke", "--provider", "nowhere"]);
        assert_eq!(unknown.status, 1);
        assert!(unknown.complained.contains("There is nothing of that name."), "{}", unknown.complained);
    }
}

#[test]
fn one_persons_connections_end_and_nobody_elses() {
    for house in House::both() {
        let tokens: Vec<String> = (0..5).map(|_| house.token("helpdesk")).collect();
        for connection in house.listed("helpdesk") {
            assert_eq!(connection["agents"].as_array().map(Vec::len), Some(1));
        }
        let user = house.listed("helpdesk")[0]["user_id"].as_str().expect("text").to_owned();
        let arguments = ["connections", "revoke", "--provider", "helpdesk", "--user", &user];
        let report = house.two().operate_json(&arguments);
        assert_eq!(
            (&report["connections"], &report["grants"], &report["user_id"]),
            (&json!(1), &json!(1), &json!(user))
        );
        assert_eq!(report["revocations"], json!({"done": 1, "waiting": 0, "failing": 0, "refused": 0}));
        for gateway in [&house.one, house.two()] {
            let statuses: Vec<u16> = tokens.iter().map(|token| house.call(gateway, "helpdesk", token).status).collect();
            assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 4, "{statuses:?}");
            assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 1, "{statuses:?}");
        }
        assert_eq!(house.upstream.helpdesk.counters().revocation_requests, 2);
        let again = house.one.operate(&arguments);
        assert_eq!(again.status, 1, "there is nothing left of theirs: {}", again.said);
    }
}

/// How far the first replica is when it crashes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Crash {
    Acknowledged,
    Midway,
}

#[test]
fn the_cleaning_up_goes_on_after_a_crash_at_once() {
    for house in House::both() {
        goes_on_after(house, Crash::Acknowledged);
    }
}

#[test]
fn the_cleaning_up_goes_on_after_a_crash_midway() {
    for house in House::both() {
        goes_on_after(house, Crash::Midway);
    }
}

fn goes_on_after(mut house: House, crash: Crash) {
    const USERS: usize = 48;
    for _ in 0..USERS {
        let _ = house.token("helpdesk");
    }
    // The provider is away, so that nothing can be told before the crash.
    house.upstream.stop();
    let done = house.one.operate(&["connections", "revoke", "--provider", "helpdesk", "--wait", "0"]);
    let log = house.one.folder().join("data/audit.jsonl");
    let gone = || std::fs::read_to_string(&log).expect("a log").matches("\"connection_revoked\"").count();
    while crash == Crash::Midway && gone() == 0 {}
    house.one.kill();
    assert!(gone() < USERS, "{} connections were deleted when it crashed", gone());
    assert_eq!(done.status, 0, "{}", done.complained);
    house.upstream.serve();
    if house.two.is_none() {
        house.one.restart();
    }
    let so_far = || report(house.two());
    eventually("everything was cleared away", || so_far()["cleared"] == json!(true));
    for _ in 0..4 {
        if so_far()["revocations"]["done"] == json!(USERS) {
            break;
        }
        std::thread::sleep(Duration::from_secs(4));
    }
    let report = so_far();
    assert_eq!(report["revocations"], json!({"done": USERS, "waiting": 0, "failing": 0, "refused": 0}));
    assert_eq!((&report["connections"], &report["grants"]), (&json!(USERS), &json!(USERS)));
    assert!(house.upstream.helpdesk.counters().revocation_requests >= 2 * USERS as u64);
}

#[test]
fn what_may_live_on_is_said_where_the_provider_cannot_be_told() {
    let house = House::start(None, Endpoint::Missing);
    for _ in 0..3 {
        let _ = house.token("helpdesk");
    }
    let said = house.one.operate(&["connections", "revoke", "--provider", "helpdesk"]).said;
    assert!(said.contains("3 connections, 3 grants"), "{said}");
    assert!(said.contains("helpdesk has no revoke_endpoint in the configuration"), "{said}");
    assert!(
        said.contains("may still be alive at helpdesk, for whoever holds a copy: tokens of 3 connections"),
        "{said}"
    );
    assert!(said.contains("access tokens until 20"), "{said}");
    assert!(said.contains("3 refresh tokens, until helpdesk ends them"), "{said}");
    let report = report(&house.one);
    assert_eq!(report["revocable"], json!(false));
    assert_eq!(report["may_live_on"]["refresh_tokens"], json!(3));
    assert_eq!(house.upstream.helpdesk.counters().revocation_requests, 0);
}

#[test]
fn a_consent_that_was_under_way_is_overtaken_and_its_tokens_are_given_back() {
    for house in House::both() {
        let (link, _) = house.agent.authorize(&house.one, &["read:tickets"]);
        let mut browser = Browser::new();
        let page = browser.sign_in(&link);
        let page = browser.submit(&page, &[("decision", "allow")]);
        assert!(page.says("Ticket Helper"), "the account is named: {}", page.answer.body_text());
        let done = house.two().operate(&["connections", "revoke", "--provider", "helpdesk"]);
        assert_eq!(done.status, 0, "{}", done.complained);
        let refused = browser.submit(&page, &[("decision", "continue")]);
        assert_eq!(refused.answer.status, 409, "{}", refused.answer.body_text());
        assert!(refused.says("Everything at this service was just ended"), "{}", refused.answer.body_text());
        assert!(house.listed("helpdesk").is_empty());
        eventually("its tokens were given back", || house.upstream.helpdesk.counters().revocation_requests == 2);
        let token = house.token("helpdesk");
        assert_eq!(house.call(house.two(), "helpdesk", &token).status, 200);
    }
}
