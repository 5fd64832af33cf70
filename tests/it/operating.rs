//! Operators and people end what was allowed, on two replicas and on one: approvals, suspension, connections, limits, the audit log.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use protocol::AgentKey;
use serde_json::{Value, json};
use tests::{Agent, Answer, Browser, Gateway, RedisServer, Request, Store, Upstream, free_port};

/// Two replicas on one Redis, or one gateway twice.
struct House {
    one: Gateway,
    two: Option<Gateway>,
    upstream: Upstream,
    redis: Option<RedisServer>,
}

impl House {
    fn on_redis(settings: &str, more: &str) -> Self {
        let redis = RedisServer::start();
        let upstream = Upstream::start(free_port(), |_| {});
        let text = format!("{}{more}", upstream.provider(settings));
        let one = Gateway::start_with(Store::Redis(&redis), upstream.gateway_port(), &text);
        let two = one.replica_with(Store::Redis(&redis), &text);
        Self { one, two: Some(two), upstream, redis: Some(redis) }
    }

    fn embedded(settings: &str, more: &str) -> Self {
        let upstream = Upstream::start(free_port(), |_| {});
        let text = format!("{}{more}", upstream.provider(settings));
        let one = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &text);
        Self { one, two: None, upstream, redis: None }
    }

    fn both(settings: &str, more: &str) -> [Self; 2] {
        [Self::on_redis(settings, more), Self::embedded(settings, more)]
    }

    fn two(&self) -> &Gateway {
        self.two.as_ref().unwrap_or(&self.one)
    }

    /// An agent with alice's consent, her browser, and a token that both replicas have used.
    fn allowed(&self, name: &str) -> (Agent, Browser, String) {
        let mut agent = Agent::new(name);
        assert_eq!(agent.register(&self.one).status, 201);
        let mut browser = Browser::new();
        let token = self.token(&agent, &mut browser);
        (agent, browser, token)
    }

    fn token(&self, agent: &Agent, browser: &mut Browser) -> String {
        let (link, session) = agent.authorize(&self.one, &["read:tickets"]);
        let end = browser.consent(&link);
        let token = agent.exchange(self.two(), &session, &end["code"]);
        assert_eq!(token.status, 200, "{}", token.body_text());
        let token = token.text("/access_token");
        for gateway in [&self.one, self.two()] {
            assert_eq!(list(gateway, agent, &token).status, 200);
        }
        token
    }
}

fn list(gateway: &Gateway, agent: &Agent, token: &str) -> Answer {
    agent.send(&agent.call(gateway, token, "GET", "/tickets"))
}

/// Both replicas refuse at once, without a pause between the acknowledgement and the call.
fn refused_everywhere(house: &House, agent: &Agent, token: &str, status: u16, code: &str) {
    for gateway in [house.two(), &house.one] {
        assert_eq!(list(gateway, agent, token).refusal(), (status, code.to_owned()));
    }
}

const PKCE: &str = "pkce = \"none\"";
const PENDING: &str = r#"
[[approval]]
decision = "deny"
scopes = ["write:*"]
reason = "Nobody writes here."

[[approval]]
decision = "pending"
"#;

#[test]
fn an_agent_that_waits_is_approved_by_an_operator() {
    for house in House::both(PKCE, PENDING) {
        let mut agent = Agent::new("Ticket Helper");
        let registered = agent.register(&house.one);
        assert_eq!(registered.text("/agent_status"), "pending", "{}", registered.body_text());
        assert_eq!(registered.json()["approved_providers"][0]["approved_scopes"], json!([]));
        assert_eq!(
            registered.json()["approved_providers"][0]["denied_scopes"],
            json!(["write:tickets", "read:tickets"])
        );
        assert_eq!(registered.text("/approved_providers/0/denial_reason"), "Nobody writes here.");
        let ask = |scopes: &[&str]| agent.post(house.two(), "/ath/authorize", &agent.authorization(&house.one, scopes));
        let waits = ask(&["read:tickets"]);
        assert_eq!(waits.refusal(), (403, "AGENT_UNAPPROVED".to_owned()));
        assert_eq!(waits.text("/details/reason"), "approval_pending");

        let client = agent.client().0;
        let listed = house.one.operate_json(&["agents", "list"]);
        assert_eq!(listed[0]["status"], "pending");
        assert_eq!(listed[0]["waiting"], json!(["helpdesk read:tickets", "other read:tickets"]));
        let done = house.one.operate(&["agents", "approve", &client, "--provider", "helpdesk"]);
        assert_eq!(done.status, 0, "{}", done.complained);
        assert!(done.said.contains("helpdesk: read:tickets"), "{}", done.said);
        assert!(done.said.contains("waits: other read:tickets"), "{}", done.said);
        assert_eq!(ask(&["read:tickets"]).status, 200);
        assert_eq!(ask(&["write:tickets"]).refusal(), (403, "SCOPE_NOT_APPROVED".to_owned()));
        let unknown = house.one.operate(&["agents", "approve", "ath_00000000000000000000000000000000"]);
        assert_eq!(unknown.status, 1);
        assert!(unknown.complained.contains("There is nothing of that name."), "{}", unknown.complained);
        assert_eq!(house.one.events("agent_approved")[0]["client_id"], json!(client));
    }
}

#[test]
fn an_approval_that_shrinks_holds_for_live_tokens_at_once() {
    for house in House::both(PKCE, "") {
        let (agent, _browser, token) = house.allowed("Ticket Helper");
        let client = agent.client().0;
        let denied = house.one.operate(&["agents", "deny", &client, "--scope", "read:tickets", "--reason", "No more."]);
        assert_eq!(denied.status, 0, "{}", denied.complained);
        refused_everywhere(&house, &agent, &token, 403, "SCOPE_NOT_APPROVED");
        assert_eq!(house.one.operate(&["agents", "approve", &client, "--scope", "read:tickets"]).status, 0);
        assert_eq!(list(house.two(), &agent, &token).status, 200, "the person's consent still holds");
    }
}

#[test]
fn suspension_and_deletion_kill_tokens_and_grants_for_good() {
    for house in House::both(PKCE, "") {
        let (agent, mut browser, token) = house.allowed("Ticket Helper");
        let client = agent.client().0;
        assert_eq!(house.one.operate(&["agents", "suspend", &client, "--reason", "looks odd"]).status, 0);
        refused_everywhere(&house, &agent, &token, 401, "TOKEN_REVOKED");
        let ask = || agent.post(house.two(), "/ath/authorize", &agent.authorization(&house.one, &["read:tickets"]));
        assert_eq!(ask().text("/details/reason"), "agent_suspended");
        assert_eq!(house.one.operate(&["agents", "approve", &client]).status, 0);
        refused_everywhere(&house, &agent, &token, 401, "TOKEN_REVOKED");
        // The account is still connected: the person is asked about the agent only.
        let (link, session) = agent.authorize(&house.one, &["read:tickets"]);
        let page = browser.open(&link);
        assert!(page.says("alice@acme.test"), "{}", page.answer.body_text());
        let account = page.answer.body_text();
        let account =
            account.split("name=\"account\" value=\"").nth(1).expect("an account").split('"').next().expect("its id");
        let end = browser.submit(&page, &[("decision", "allow"), ("account", account)]).parameters();
        let fresh = agent.exchange(&house.one, &session, &end["code"]).text("/access_token");
        assert_eq!(list(house.two(), &agent, &fresh).status, 200);

        assert_eq!(house.one.operate(&["agents", "delete", &client]).status, 0);
        refused_everywhere(&house, &agent, &fresh, 401, "TOKEN_REVOKED");
        assert_eq!(house.one.operate_json(&["agents", "list"]), json!([]));
    }
}

#[test]
fn a_changed_key_goes_back_to_review() {
    for house in House::both(PKCE, "") {
        let (mut agent, _browser, token) = house.allowed("Ticket Helper");
        let client = agent.client().0;
        agent.key = AgentKey::generate().expect("a key");
        agent.publish(tests::Reply::json(&agent.document()));
        let ask = |agent: &Agent| {
            agent.post(house.two(), "/ath/authorize", &agent.authorization(&house.one, &["read:tickets"]))
        };
        let refused = ask(&agent);
        assert_eq!(refused.refusal(), (403, "AGENT_UNAPPROVED".to_owned()), "{}", refused.body_text());
        assert_eq!(refused.text("/details/reason"), "agent_key_changed");
        refused_everywhere(&house, &agent, &token, 403, "AGENT_UNAPPROVED");
        assert_eq!(house.one.operate_json(&["agents", "list"])[0]["held_back"], "key_changed");
        // Nor can whoever holds the new key end the registration and register anew.
        let path = format!("/ath/agents/{client}");
        let bearer = format!("Bearer {}", agent.attest(&format!("{}{path}", house.one.public_url())));
        assert_eq!(house.one.request("DELETE", &path).header("authorization", &bearer).send().status, 401);
        assert_eq!(house.one.operate(&["agents", "approve", &client]).status, 0);
        assert_eq!(ask(&agent).status, 200);
        assert_eq!(list(house.two(), &agent, &token).status, 200);
    }
}

#[test]
fn a_person_connects_two_accounts_and_ends_one() {
    for house in House::both(PKCE, "") {
        let (agent, mut browser, first) = house.allowed("Ticket Helper");
        // Another account: alice's browser, bob's password.
        let (link, session) = agent.authorize(&house.one, &["read:tickets"]);
        let page = browser.open(&link);
        assert!(page.says("Another account"), "{}", page.answer.body_text());
        browser.forget("localhost");
        let page = browser.submit(&page, &[("decision", "allow"), ("account", "")]);
        let page = browser.submit(&page, &[("username", "bob@acme.test"), ("password", "demo1234")]);
        let page = browser.submit(&page, &[("decision", "allow")]);
        assert!(page.says("bob@acme.test") && page.says("added to the accounts"), "{}", page.answer.body_text());
        let end = browser.submit(&page, &[("decision", "continue")]).parameters();
        let second = agent.exchange(&house.one, &session, &end["code"]).text("/access_token");
        assert_eq!(list(house.two(), &agent, &second).status, 200);

        let accounts = browser.open(&format!("{}/accounts", house.one.url()));
        assert!(accounts.says("alice@acme.test") && accounts.says("bob@acme.test"), "{}", accounts.answer.body_text());
        assert!(accounts.says("Ticket Helper") && accounts.says("See your tickets"));
        let connections = house.one.operate_json(&["connections", "list"]);
        let alice =
            connections.as_array().expect("a list").iter().find(|connection| connection["label"] == "alice@acme.test");
        let name = alice.expect("alice's")["name"].as_str().expect("a name").to_owned();

        let stranger = Browser::new().open(&format!("{}/accounts", house.one.url()));
        assert!(stranger.says("not signed in") && !stranger.says("alice"), "{}", stranger.answer.body_text());
        let forged = browser.submit_from(
            &accounts,
            &[("action", "disconnect"), ("connection", &name)],
            &[("origin", "https://evil.test")],
        );
        assert_eq!(forged.answer.status, 403);
        assert_eq!(list(&house.one, &agent, &first).status, 200, "nothing was done");

        let after = browser.submit(&accounts, &[("action", "disconnect"), ("connection", &name)]);
        assert!(!after.says("alice@acme.test") && after.says("bob@acme.test"), "{}", after.answer.body_text());
        refused_everywhere(&house, &agent, &first, 401, "TOKEN_REVOKED");
        assert_eq!(list(house.two(), &agent, &second).status, 200, "the other account goes on");

        let client = agent.client().0;
        let bob = house.one.operate_json(&["connections", "list"])[0]["name"].as_str().expect("a name").to_owned();
        let after = browser.submit(&after, &[("action", "end"), ("connection", &bob), ("client", &client)]);
        assert!(after.says("No agent may use it"), "{}", after.answer.body_text());
        refused_everywhere(&house, &agent, &second, 401, "TOKEN_REVOKED");
        // What was ended is not alive again because the same account is connected once more.
        let third = house.token(&agent, &mut Browser::new());
        assert_eq!(list(house.two(), &agent, &third).status, 200);
        refused_everywhere(&house, &agent, &first, 401, "TOKEN_REVOKED");
    }
}

#[test]
fn a_stranger_cannot_end_what_is_not_theirs() {
    let house = House::embedded(PKCE, "");
    let (agent, _alice, token) = house.allowed("Ticket Helper");
    let name = house.one.operate_json(&["connections", "list"])[0]["name"].as_str().expect("a name").to_owned();
    // Bob is signed in, too, and knows the name of alice's connection.
    let mut bob = Browser::new();
    let (link, _) = agent.authorize(&house.one, &["read:tickets"]);
    let page = bob.open(&link);
    let page = bob.submit(&page, &[("decision", "allow")]);
    let page = bob.submit(&page, &[("username", "bob@acme.test"), ("password", "demo1234")]);
    let page = bob.submit(&page, &[("decision", "allow")]);
    bob.submit(&page, &[("decision", "continue")]);
    let accounts = bob.open(&format!("{}/accounts", house.one.url()));
    assert!(accounts.says("bob@acme.test") && !accounts.says("alice@acme.test"));
    for action in
        [[("action", "disconnect"), ("connection", name.as_str())], [("action", "end"), ("connection", name.as_str())]]
    {
        let fields = [action[0], action[1], ("client", &agent.client().0)];
        assert_eq!(bob.submit(&accounts, &fields).answer.status, 404);
    }
    assert_eq!(list(&house.one, &agent, &token).status, 200);
}

#[test]
fn operators_end_connections_grants_people_and_providers() {
    for house in House::both(PKCE, "") {
        let (agent, mut browser, token) = house.allowed("Ticket Helper");
        assert_eq!(house.one.operate(&["providers", "suspend", "helpdesk"]).status, 0);
        refused_everywhere(&house, &agent, &token, 503, "OAUTH_ERROR");
        assert_eq!(house.one.operate(&["providers", "resume", "helpdesk"]).status, 0);
        assert_eq!(list(house.two(), &agent, &token).status, 200);
        assert_eq!(house.one.operate(&["providers", "suspend", "none"]).status, 1);

        let connection = house.one.operate_json(&["connections", "list"])[0].clone();
        let (name, user) =
            (connection["name"].as_str().expect("a name"), connection["user_id"].as_str().expect("a user"));
        let client = agent.client().0;
        assert_eq!(house.one.operate(&["connections", "revoke", name, "--client", &client]).status, 0);
        refused_everywhere(&house, &agent, &token, 401, "TOKEN_REVOKED");
        let token = house.token(&agent, &mut Browser::new());
        assert_eq!(house.one.operate(&["connections", "revoke", name]).status, 0);
        refused_everywhere(&house, &agent, &token, 401, "TOKEN_REVOKED");
        assert_eq!(house.one.operate(&["connections", "revoke", name]).status, 1, "it is not there any more");
        let token = house.token(&agent, &mut Browser::new());
        assert_eq!(house.one.operate(&["users", "delete", user]).status, 0);
        refused_everywhere(&house, &agent, &token, 401, "TOKEN_REVOKED");
        assert!(browser.open(&format!("{}/accounts", house.one.url())).says("not signed in"));
        assert_eq!(house.one.operate_json(&["connections", "list"]), json!([]));
        let anew = house.token(&agent, &mut Browser::new());
        assert_eq!(list(house.two(), &agent, &anew).status, 200, "the person may come back");
    }
}

#[test]
fn a_stream_that_is_open_ends_within_a_second() {
    for house in House::both(PKCE, "") {
        let (agent, _browser, token) = house.allowed("Ticket Helper");
        let mut stream = TcpStream::connect(("127.0.0.1", house.two().port())).expect("connects");
        let head = format!(
            "GET /ath/proxy/helpdesk/tickets/events HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {token}\r\nX-ATH-Agent-ID: {}\r\n\r\n",
            house.two().port(),
            agent.id.as_str()
        );
        stream.write_all(head.as_bytes()).expect("sent");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        let mut first = [0; 1024];
        assert!(stream.read(&mut first).expect("it begins") > 0);
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(agent.revoke(&house.one, &token).status, 200);
        let acknowledged = Instant::now();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(acknowledged.elapsed() < Duration::from_secs(1), "{:?}", acknowledged.elapsed());
        assert!(!rest.ends_with(b"0\r\n\r\n"), "it breaks off, and does not end as if it were whole");
    }
}

#[test]
fn a_revocation_is_everywhere_when_it_is_acknowledged_and_a_lost_store_forwards_nothing() {
    let mut house = House::on_redis(PKCE, "");
    for _ in 0..5 {
        let (agent, _browser, token) = house.allowed("Ticket Helper");
        let begun = Instant::now();
        assert_eq!(agent.revoke(&house.one, &token).status, 200);
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        refused_everywhere(&house, &agent, &token, 401, "TOKEN_REVOKED");
    }
    let (agent, _browser, token) = house.allowed("Ticket Helper");
    house.redis.as_mut().expect("one").kill();
    std::thread::sleep(Duration::from_millis(600));
    for gateway in [&house.one, house.two()] {
        let down = list(gateway, &agent, &token);
        assert_eq!(down.refusal(), (503, "INTERNAL_ERROR".to_owned()));
        assert!(down.header("retry-after").is_some());
    }
    house.redis.as_mut().expect("one").restart();
    tests::eventually("it goes on", || list(house.two(), &agent, &token).status == 200);
}

#[test]
fn the_provider_is_told_of_a_disconnection_until_it_has_heard() {
    let upstream = Upstream::start(free_port(), |_| {});
    let revoke = format!("revoke_endpoint = \"http://localhost:{}/revoke\"\n{PKCE}", upstream.port());
    let text = upstream.provider(&revoke);
    let one = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &text);
    let mut house = House { one, two: None, upstream, redis: None };
    let (_agent, _browser, _token) = house.allowed("Ticket Helper");
    let name = house.one.operate_json(&["connections", "list"])[0]["name"].as_str().expect("a name").to_owned();
    house.upstream.stop();
    assert_eq!(house.one.operate(&["connections", "revoke", &name]).status, 0, "it ends here at once");
    std::thread::sleep(Duration::from_millis(500));
    house.upstream.serve();
    let told = || house.upstream.helpdesk.counters().revocation_requests;
    tests::eventually("the provider hears of both tokens", || told() == 2);
    assert_eq!(house.one.events("upstream_revoked").len(), 1);
}

#[test]
fn the_audit_log_has_what_happened_and_nothing_happens_without_it() {
    for house in House::both(PKCE, "") {
        let (agent, mut browser, token) = house.allowed("Ticket Helper");
        let create = agent.send(&agent.call(&house.one, &token, "POST", "/tickets").json(&json!({"title": "x"})));
        assert_eq!(create.status, 403);
        let mut forged = agent.authorization(&house.one, &["read:tickets"]);
        forged["agent_attestation"] = json!("x.y.z");
        assert_eq!(agent.post(&house.one, "/ath/authorize", &forged).status, 401);
        let (link, _) = agent.authorize(&house.one, &["read:tickets"]);
        let page = browser.open(&link);
        browser.submit(&page, &[("decision", "deny")]);
        let mut greedy = agent.registration(&house.one);
        greedy["requested_providers"] = json!([{"provider_id": "none", "scopes": ["x"]}]);
        let other = Agent::new("Greedy");
        greedy["agent_id"] = json!(other.id.as_str());
        greedy["agent_attestation"] = json!(other.attest(&house.one.public_url()));
        assert_eq!(other.post(&house.one, "/ath/agents/register", &greedy).text("/agent_status"), "denied");
        assert_eq!(agent.revoke(&house.one, &token).status, 200);

        let gateways = [&house.one, house.two()];
        let find = |name: &str| -> Value {
            let mut found = None;
            tests::eventually(&format!("{name} is recorded"), || {
                let all = gateways.iter().flat_map(|gateway| gateway.audit());
                found = all.into_iter().find(|event| event["event"] == name);
                found.is_some()
            });
            found.expect("an event")
        };
        for name in [
            "agent_registered",
            "agent_registration_denied",
            "attestation_failed",
            "authorization_started",
            "access_granted",
            "access_denied",
            "token_revoked",
            "proxy_request",
            "scope_violation",
        ] {
            let event = find(name);
            assert!(event["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "{event}");
            assert_eq!(event["request_id"].as_str().map(str::len), Some(16), "{event}");
            assert!(event["agent_id"].is_string(), "{event}");
        }
        let granted = find("access_granted");
        assert_eq!(granted["requested_scopes"], json!(["read:tickets"]));
        assert_eq!(granted["effective_scopes"], json!(["read:tickets"]));
        for field in ["user_id", "provider_id", "account_id", "client_id"] {
            assert!(granted[field].is_string(), "{field}: {granted}");
        }
        assert_eq!(find("scope_violation")["denied_scopes"], json!(["write:tickets"]));
        assert!(find("access_denied")["denial_reason"].is_string());
        let call = find("proxy_request");
        assert_eq!((call["method"].as_str(), call["status"].as_u64()), (Some("GET"), Some(200)), "{call}");
    }
}

#[test]
fn what_cannot_be_recorded_is_not_done() {
    let upstream = Upstream::start(free_port(), |_| {});
    let more = "\n[audit]\npath = \"/dev/full\"\n";
    let gateway =
        Gateway::start_with(Store::Embedded, upstream.gateway_port(), &format!("{}{more}", upstream.provider(PKCE)));
    let mut agent = Agent::new("Ticket Helper");
    let refused = agent.register(&gateway);
    assert_eq!(refused.refusal(), (503, "INTERNAL_ERROR".to_owned()));
    assert_eq!(refused.text("/details/reason"), "audit_unavailable");
    assert!(refused.header("retry-after").is_some());
}

#[test]
fn requests_are_limited_by_agent_client_address_and_person() {
    let limits = "\n[limits]\nhandshake_per_agent = \"5/h\"\nwrong_secrets = \"3/h\"\nwrong_tokens = \"4/h\"\ncalls_per_agent = \"6/h\"\n";
    let house = House::embedded(PKCE, limits);
    let (agent, _browser, token) = house.allowed("Ticket Helper");
    // Three attestations so far: register, authorize, token. Two calls so far.
    for expected in [200, 200, 429] {
        let answer = agent.post(&house.one, "/ath/authorize", &agent.authorization(&house.one, &["read:tickets"]));
        assert_eq!(answer.status, expected, "{}", answer.body_text());
        if expected == 429 {
            assert!(
                answer
                    .header("retry-after")
                    .and_then(|after| after.parse::<u64>().ok())
                    .is_some_and(|after| after > 60)
            );
            assert_eq!(answer.text("/details/reason"), "rate_limited");
        }
    }
    let calls: Vec<u16> = (0..6).map(|_| list(&house.one, &agent, &token).status).collect();
    assert_eq!(calls, [200, 200, 200, 200, 429, 429]);
    let revoke = |secret: &str| {
        let body = json!({"client_id": agent.client().0, "client_secret": secret, "token": "x"});
        agent.post(&house.one, "/ath/revoke", &body).status
    };
    assert_eq!(["a", "b", "c", "d"].map(revoke), [401, 401, 401, 429]);
    assert_eq!(revoke(&agent.client().1), 429, "the right one cannot be told from the wrong ones");
    let guesses: Vec<u16> = (0..6).map(|number| list(&house.one, &agent, &format!("ath_tk_{number}")).status).collect();
    assert_eq!(guesses, [401, 401, 401, 401, 429, 429]);

    let house = House::embedded(PKCE, "\n[limits]\nhandshake_per_address = \"3/h\"\n");
    let agent = Agent::new("Ticket Helper");
    let tries: Vec<u16> = (0..5).map(|_| agent.post(&house.one, "/ath/agents/register", &json!({})).status).collect();
    assert_eq!(tries, [401, 401, 401, 429, 429]);
}

#[test]
fn the_operators_door_is_for_operators() {
    let house = House::embedded(PKCE, "");
    let folder = house.one.folder().join("data");
    tests::eventually("the whereabouts are written down", || folder.join("admin.json").exists());
    let whereabouts: Value =
        serde_json::from_slice(&std::fs::read(folder.join("admin.json")).expect("written")).expect("JSON");
    let url = whereabouts["url"].as_str().expect("a URL").to_owned();
    let key = std::fs::read_to_string(folder.join("admin.key")).expect("made");
    let key = key.trim();
    assert!(key.len() >= 43, "{}", key.len());
    let bearer = format!("Bearer {key}");
    let ask = |headers: &[(&str, &str)]| {
        let request =
            headers.iter().fold(Request::new("GET", &format!("{url}/admin/agents")), |request, (name, value)| {
                request.header(name, value)
            });
        request.send().status
    };
    assert_eq!(ask(&[("authorization", &bearer)]), 200);
    assert_eq!(ask(&[]), 401);
    for wrong in ["Bearer ", "Bearer x", "Basic eDp5", &format!("Bearer {key}x"), &format!("bearer {key}")] {
        assert_eq!(ask(&[("authorization", wrong)]), 401, "{wrong}");
    }
    assert_eq!(ask(&[("authorization", &bearer), ("origin", "http://127.0.0.1")]), 403);
    assert_eq!(ask(&[("authorization", &bearer), ("sec-fetch-site", "cross-site")]), 403);
    let port: u16 = url.rsplit(':').next().expect("a port").parse().expect("a number");
    let rebound = tests::raw(
        port,
        format!(
            "GET /admin/agents HTTP/1.1\r\nHost: evil.test\r\nAuthorization: {bearer}\r\nConnection: close\r\n\r\n"
        )
        .as_bytes(),
        "GET",
    );
    assert_eq!(rebound.status, 421, "{}", rebound.body_text());
    // Nothing of it can be reached where agents and browsers are.
    for path in ["/admin", "/admin/agents", "/ath/admin/agents", "/ath/proxy/helpdesk/../../admin/agents"] {
        let answer = house.one.request("GET", path).header("authorization", &bearer).send();
        assert!(matches!(answer.status, 400 | 401 | 403 | 404), "{path}: {}", answer.status);
    }
    let short = Gateway::refused_to_start(
        "[admin]\nkey = { env = \"CLIENT_SECRET_SHORT\" }\n",
        &[("CLIENT_SECRET_SHORT", "secret-api-key")],
        &house.upstream,
    );
    assert!(short.contains("shorter than 32 bytes"), "{short}");
}

#[test]
fn a_provider_with_a_host_of_its_own_describes_itself_there() {
    let upstream = Upstream::start(free_port(), |_| {});
    let text = upstream.provider(PKCE).replace("path_prefix = \"/helpdesk\"\n", "host = \"helpdesk.test\"\n");
    let gateway = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &text);
    let at = |host: &str| {
        tests::raw(
            gateway.port(),
            format!("GET /.well-known/ath-app.json HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes(),
            "GET",
        )
    };
    let answer = at("helpdesk.test");
    assert_eq!(answer.status, 200, "{}", answer.body_text());
    let body = answer.json();
    assert_eq!((body["ath_version"].as_str(), body["app_id"].as_str()), (Some("0.1"), Some("helpdesk")));
    assert_eq!(body["auth"]["scopes_supported"], json!(["read:tickets", "write:tickets"]));
    assert_eq!(body["auth"]["type"], "oauth2");
    assert_eq!(body["api_base"], "http://helpdesk.test");
    assert_eq!(at("127.0.0.1").status, 404);
}

#[test]
fn a_provider_may_have_a_callback_of_its_own() {
    let port = free_port();
    let upstream = Upstream::start(port, |settings| {
        settings.redirect_uris = vec![format!("http://127.0.0.1:{port}/ath/callback/helpdesk")];
    });
    let text = upstream.provider("callback = \"own\"\npkce = \"none\"");
    let house = House { one: Gateway::start_with(Store::Embedded, port, &text), two: None, upstream, redis: None };
    let (agent, _browser, token) = house.allowed("Ticket Helper");
    assert_eq!(list(&house.one, &agent, &token).status, 200);
    // The same answer at another callback is not this provider's.
    let (link, session) = agent.authorize(&house.one, &["read:tickets"]);
    let mut browser = Browser::new();
    let came = browser.stop_at("/ath/callback/helpdesk", |browser| {
        let page = browser.sign_in(&link);
        browser.submit(&page, &[("decision", "allow")])
    });
    for path in ["/ath/callback", "/ath/callback/other"] {
        let url = format!("{}{path}?{}", house.one.url(), came.query().expect("a query"));
        let answer = Request::new("GET", &url).header("cookie", &browser.cookie_header("127.0.0.1")).send();
        assert_eq!(answer.refusal(), (400, "STATE_MISMATCH".to_owned()), "{path}");
    }
    assert_eq!(agent.exchange(&house.one, &session, "x").refusal().0, 400);
}

#[test]
fn a_host_is_asked_for_so_many_documents_and_no_more() {
    let house = House::embedded(PKCE, "\n[limits]\ndocuments_per_host = \"5/h\"\n");
    let agent = Agent::new("Ticket Helper");
    let statuses: Vec<u16> = (0..12)
        .map(|number| {
            let other = format!("{}/agent-{number}.json", agent.id.origin());
            let mut request = agent.registration(&house.one);
            request["agent_id"] = json!(other);
            let mut claims = agent.claims(&house.one.public_url());
            claims["sub"] = json!(other);
            claims["iss"] = json!(other);
            request["agent_attestation"] = json!(agent.seal(br#"{"alg":"ES256"}"#, claims.to_string().as_bytes()));
            agent.post(&house.one, "/ath/agents/register", &request).status
        })
        .collect();
    assert_eq!(agent.fetches(), 5);
    assert_eq!(statuses, [[401; 5].as_slice(), [429; 7].as_slice()].concat());
}
