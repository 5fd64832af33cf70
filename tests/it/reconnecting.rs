//! A connection that only its owner can renew: a link for them, an ordinary consent, and the agent's own token goes on.

use helpdesk::Rotation;
use serde_json::{Value, json};
use tests::{Agent, Answer, Browser, Gateway, Launch, MovedClock, Page, RedisServer, Store, Upstream, free_port};

const PKCE: &str = "pkce = \"none\"";

/// One gateway, or two replicas, and an agent with alice's consent.
struct Scene {
    one: Gateway,
    two: Option<Gateway>,
    upstream: Upstream,
    agent: Agent,
    browser: Browser,
    token: String,
    _redis: Option<RedisServer>,
}

fn rotating() -> Upstream {
    Upstream::start(free_port(), |settings| settings.rotation = Rotation::RotatingWithReuseDetection)
}

impl Scene {
    fn with(one: Gateway, two: Option<Gateway>, upstream: Upstream, redis: Option<RedisServer>) -> Self {
        let mut agent = Agent::new("Ticket Helper");
        agent.register(&one);
        let mut browser = Browser::new();
        let token = token(&one, &agent, &mut browser, &["read:tickets"]);
        Self { one, two, upstream, agent, browser, token, _redis: redis }
    }

    fn embedded() -> Self {
        let upstream = rotating();
        let one = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &upstream.provider(PKCE));
        Self::with(one, None, upstream, None)
    }

    fn on_redis() -> Self {
        let (redis, upstream) = (RedisServer::start(), rotating());
        let one = Gateway::start_with(Store::Redis(&redis), upstream.gateway_port(), &upstream.provider(PKCE));
        let two = one.replica(Store::Redis(&redis), &upstream, PKCE);
        Self::with(one, Some(two), upstream, Some(redis))
    }

    fn two(&self) -> &Gateway {
        self.two.as_ref().unwrap_or(&self.one)
    }

    fn call(&self, gateway: &Gateway) -> Answer {
        self.agent.send(&self.agent.call(gateway, &self.token, "GET", "/tickets"))
    }

    /// The person takes the access back at the service; the link that the agent is then given.
    fn lose(&self) -> String {
        self.upstream.helpdesk.expire_all_access_tokens();
        self.upstream.helpdesk.revoke_all_refresh_tokens();
        let answer = self.call(&self.one);
        assert_eq!(answer.refusal(), (502, "OAUTH_ERROR".to_owned()), "{}", answer.body_text());
        assert_eq!(answer.text("/details/reason"), "reconnect_required");
        answer.text("/details/reconnect_url")
    }

    fn connections(&self) -> Value {
        self.one.operate_json(&["connections", "list"])
    }
}

fn token(gateway: &Gateway, agent: &Agent, browser: &mut Browser, scopes: &[&str]) -> String {
    let (link, session) = agent.authorize(gateway, scopes);
    let end = browser.consent(&link);
    let token = agent.exchange(gateway, &session, &end["code"]);
    assert_eq!(token.status, 200, "{}", token.body_text());
    token.text("/access_token")
}

/// From the consent page to the gateway's last page, as `user`, whoever the browser was before at the service.
fn consent_as(browser: &mut Browser, page: &Page, user: &str) -> Page {
    let mut page = browser.submit(page, &[("decision", "allow")]);
    if page.says("password") {
        page = browser.submit(&page, &[("username", user), ("password", "demo1234")]);
    }
    page = browser.submit(&page, &[("decision", "allow")]);
    if page.url.path() == "/ath/consent/account" {
        assert!(page.says(user), "the account is named: {}", page.answer.body_text());
        page = browser.submit(&page, &[("decision", "continue")]);
    }
    page
}

#[test]
fn a_link_leads_back_to_a_connection_that_works() {
    for scene in [Scene::on_redis(), Scene::embedded()] {
        let id = scene.connections()[0]["name"].clone();
        let link = scene.lose();
        assert!(link.starts_with(&format!("{}/ath/reconnect/", scene.one.public_url())), "{link}");
        assert!(link.len() < 600, "{link}");
        let ticket = link.rsplit('/').next().expect("a ticket");
        assert!(ticket.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')), "{link}");

        let mut browser = Browser::new();
        browser.reroute(scene.upstream.gateway_port(), scene.two().port());
        let mut page = browser.open(&link);
        for _ in 0..2 {
            for text in
                ["Acme Helpdesk", "Ticket Helper", "has to be reconnected", "The service has ended the access", " UTC"]
            {
                assert!(page.says(text), "{text}: {}", page.answer.body_text());
            }
            assert!(!page.says("alice"), "whoever has the link does not learn whose account it is");
            page = browser.open(&link);
        }
        assert_eq!(scene.call(scene.two()).text("/details/reason"), "reconnect_required", "looking changes nothing");

        let page = browser.submit(&page, &[]);
        assert_eq!(page.url.path(), "/ath/consent");
        assert!(page.says("Ticket Helper") && page.says("See your tickets"), "{}", page.answer.body_text());
        let session = page.parameters()["session_id"].clone();
        let page = consent_as(&mut browser, &page, "alice@acme.test");
        assert_eq!(page.url.path(), "/ath/consent/done", "{}", page.answer.body_text());
        assert!(page.says("is connected again") && !page.says("id=\"code\""), "{}", page.answer.body_text());

        for gateway in [&scene.one, scene.two()] {
            assert_eq!(scene.call(gateway).status, 200, "the agent's own token works again");
        }
        let connections = scene.connections();
        assert_eq!((&connections[0]["state"], &connections[0]["name"]), (&json!("connected"), &id));
        assert_eq!(connections.as_array().map(Vec::len), Some(1));
        assert!(browser.open(&link).says("Nothing has to be done"));
        for code in ["x", ""] {
            let exchanged = scene.agent.exchange(&scene.one, &session, code);
            assert_eq!(exchanged.refusal(), (400, "SESSION_NOT_FOUND".to_owned()), "no token comes of it");
        }
    }
}

#[test]
fn a_form_from_elsewhere_begins_nothing() {
    let scene = Scene::embedded();
    let link = scene.lose();
    let mut browser = Browser::new();
    let page = browser.open(&link);
    for headers in [[("origin", "https://evil.test")], [("sec-fetch-site", "cross-site")]] {
        assert_eq!(browser.submit_from(&page, &[], &headers).answer.status, 403, "{headers:?}");
    }
    assert_eq!(browser.submit(&page, &[("csrf", "x")]).answer.status, 403);
    assert_eq!(Browser::new().submit(&page, &[]).answer.status, 403, "another browser's form token");
    assert_eq!(scene.one.events("authorization_started").len(), 1, "the agent's own consent alone was begun");
}

#[test]
fn another_account_renews_nothing() {
    let scene = Scene::embedded();
    let link = scene.lose();
    let mut browser = Browser::new();
    let page = browser.open(&link);
    let page = browser.submit(&page, &[]);
    let page = consent_as(&mut browser, &page, "bob@acme.test");
    assert!(page.says("Another account was connected"), "{}", page.answer.body_text());
    assert_eq!(scene.call(&scene.one).text("/details/reason"), "reconnect_required", "alice's is as it was");
    let states = scene.connections();
    let of = |label: &str| {
        let all = states.as_array().expect("a list").iter();
        all.filter(|connection| connection["label"] == label).map(|found| found["state"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        (of("alice@acme.test"), of("bob@acme.test")),
        (vec![json!("needs_reconnecting")], vec![json!("connected")])
    );
    // Her own browser renews it all the same.
    let mut own = Browser::new();
    let page = own.open(&link);
    let page = own.submit(&page, &[]);
    assert!(consent_as(&mut own, &page, "alice@acme.test").says("is connected again"));
    assert_eq!(scene.call(&scene.one).status, 200);
}

#[test]
fn what_another_agent_may_do_does_not_shrink() {
    let mut scene = Scene::embedded();
    let mut writer = Agent::new("Ticket Writer");
    writer.register(&scene.one);
    let written = token(&scene.one, &writer, &mut Browser::new(), &["read:tickets", "write:tickets"]);
    let link = scene.lose();
    let page = scene.browser.open(&link);
    let page = scene.browser.submit(&page, &[]);
    assert!(!page.says("write:tickets"), "the page speaks of the agent that the link is for");
    let page = consent_as(&mut scene.browser, &page, "alice@acme.test");
    assert!(page.says("is connected again"), "{}", page.answer.body_text());
    let ticket = json!({"title": "Card payments fail", "team": "payments", "priority": "p1"});
    let opened = writer.send(&writer.call(&scene.one, &written, "POST", "/tickets").json(&ticket));
    assert_eq!(opened.status, 201, "{}", opened.body_text());
    assert_eq!(scene.call(&scene.one).status, 200);
}

#[test]
fn a_person_renews_on_their_accounts_page() {
    let mut scene = Scene::embedded();
    scene.lose();
    let page = scene.browser.open(&format!("{}/accounts", scene.one.url()));
    assert!(
        page.says("Has to be reconnected, since") && page.says("The service has ended the access"),
        "{}",
        page.answer.body_text()
    );
    let page = scene.browser.submit(&page, &[("action", "renew")]);
    assert_eq!(page.url.path(), "/ath/consent", "{}", page.answer.body_text());
    let page = consent_as(&mut scene.browser, &page, "alice@acme.test");
    assert!(page.says("is connected again"), "{}", page.answer.body_text());
    assert_eq!(scene.call(&scene.one).status, 200);
    let page = scene.browser.open(&format!("{}/accounts", scene.one.url()));
    assert!(page.says("Connected since") && !page.says("reconnected"), "{}", page.answer.body_text());
}

#[test]
fn operators_see_why_and_since_when() {
    let scene = Scene::embedded();
    let link = scene.lose();
    let found = &scene.connections()[0];
    assert_eq!((&found["state"], &found["reason"]), (&json!("needs_reconnecting"), &json!("invalid_grant")));
    assert!(found["says"].as_str().is_some_and(|says| says.starts_with("The service has ended the access")));
    assert!(found["since"].as_str().is_some_and(|since| since.ends_with('Z')), "{found}");
    let prefix = link.rsplit_once('/').expect("a link").0;
    assert!(found["reconnect_url"].as_str().is_some_and(|url| url.starts_with(prefix)), "{found}");
    let said = scene.one.operate(&["connections", "list"]).said;
    for text in
        ["needs_reconnecting", "invalid_grant: The service has ended the access", "since 20", "for its owner: http"]
    {
        assert!(said.contains(text), "{text}: {said}");
    }
}

#[test]
fn a_link_to_what_was_ended_says_so() {
    let gone = |scene: &Scene, link: &str, status: u16, text: &str| {
        let page = Browser::new().open(link);
        assert_eq!(page.answer.status, status, "{}", page.answer.body_text());
        assert!(page.says(text), "{}", page.answer.body_text());
        assert!(scene.one.audit().iter().filter(|event| event["event"] == "authorization_started").count() == 1);
    };
    let scene = Scene::embedded();
    let link = scene.lose();
    let client = scene.agent.client().0;
    assert_eq!(scene.one.operate(&["agents", "suspend", &client, "--reason", "looks odd"]).status, 0);
    gone(&scene, &link, 403, "The agent may not ask for this");
    assert_eq!(scene.one.operate(&["agents", "approve", &client]).status, 0);
    gone(&scene, &link, 410, "There is nothing to reconnect");

    let scene = Scene::embedded();
    let link = scene.lose();
    let name = scene.connections()[0]["name"].as_str().expect("a name").to_owned();
    assert_eq!(scene.one.operate(&["connections", "revoke", &name, "--client", &scene.agent.client().0]).status, 0);
    gone(&scene, &link, 410, "There is nothing to reconnect");

    let scene = Scene::embedded();
    let link = scene.lose();
    let user = scene.connections()[0]["user_id"].as_str().expect("a user").to_owned();
    let open = Browser::new().open(&link);
    assert_eq!(scene.one.operate(&["users", "delete", &user]).status, 0);
    gone(&scene, &link, 410, "There is nothing to reconnect");
    assert_eq!(open.answer.status, 200);

    let scene = Scene::embedded();
    let link = scene.lose();
    let mut changed = link.clone();
    let last = changed.pop().expect("a character");
    changed.push(if last == 'A' { 'B' } else { 'A' });
    for link in [changed, format!("{}x", &link[..link.len() / 2]), format!("{}/ath/reconnect/x", scene.one.url())] {
        gone(&scene, &link, 404, "This link is not known");
    }
}

#[test]
fn a_link_is_good_for_thirty_days() {
    let upstream = rotating();
    let clock = MovedClock::new();
    let port = upstream.gateway_port();
    let public_url = format!("http://127.0.0.1:{port}");
    let rest = format!("[development]\nloopback_http = true\n\n{}", upstream.provider(PKCE));
    let environment = clock.environment();
    let launch = Launch {
        store: Store::Embedded,
        port,
        public_url: &public_url,
        gateway: "",
        rest: &rest,
        environment: &environment,
    };
    let scene = Scene::with(Gateway::launch(&launch), None, upstream, None);
    let link = scene.lose();
    clock.forward(29 * 86400);
    assert_eq!(Browser::new().open(&link).answer.status, 200);
    clock.forward(31 * 86400);
    let page = Browser::new().open(&link);
    assert_eq!(page.answer.status, 410);
    assert!(page.says("This link has expired"), "{}", page.answer.body_text());
}
