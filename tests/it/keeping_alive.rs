//! Refresh tokens that nobody uses are used in time, once; consents that end in any case are said to.

use std::time::Duration;

use helpdesk::Rotation;
use serde_json::Value;
use tests::{Agent, Browser, Gateway, Launch, MovedClock, RedisServer, Store, Upstream, free_port};

/// Gateways that live by a clock of the test's own, and an agent with alice's consent.
struct Scene {
    gateways: Vec<Gateway>,
    upstream: Upstream,
    clock: MovedClock,
    redis: Option<RedisServer>,
}

impl Scene {
    fn new(redis: Option<RedisServer>, settings: &str) -> Self {
        let upstream =
            Upstream::start(free_port(), |settings| settings.rotation = Rotation::RotatingWithReuseDetection);
        let clock = MovedClock::new();
        let one = gateway(redis.as_ref(), &upstream, &clock, upstream.gateway_port(), settings);
        let mut agent = Agent::new("Ticket Helper");
        agent.register(&one);
        let (link, session) = agent.authorize(&one, &["read:tickets"]);
        let end = Browser::new().consent(&link);
        assert_eq!(agent.exchange(&one, &session, &end["code"]).status, 200);
        Self { gateways: vec![one], upstream, clock, redis }
    }

    /// With another replica.
    fn and_another(mut self, settings: &str) -> Self {
        self.gateways.push(gateway(self.redis.as_ref(), &self.upstream, &self.clock, free_port(), settings));
        self
    }

    fn refreshes(&self) -> u64 {
        self.upstream.helpdesk.counters().token_requests.refresh_token
    }

    fn days_later(&self, days: u64) {
        self.clock.forward(days * 86_400);
    }

    fn connection(&self) -> Value {
        self.gateways[0].operate_json(&["connections", "list"])[0].clone()
    }
}

fn gateway(redis: Option<&RedisServer>, upstream: &Upstream, clock: &MovedClock, port: u16, settings: &str) -> Gateway {
    let public_url = format!("http://127.0.0.1:{}", upstream.gateway_port());
    let providers = upstream.provider(&format!("pkce = \"none\"\n{settings}"));
    let rest = format!("[development]\nloopback_http = true\n\n{providers}");
    let store = redis.map_or(Store::Embedded, Store::Redis);
    let environment = clock.environment();
    Gateway::launch(&Launch {
        store,
        port,
        public_url: &public_url,
        gateway: "",
        rest: &rest,
        environment: &environment,
    })
}

/// Longer than a gateway takes between two looks.
fn some_looks() {
    std::thread::sleep(Duration::from_secs(12));
}

const IDLE: &str = "refresh_token_idle = \"30d\"";

fn kept_alive(scene: &Scene) {
    scene.days_later(17);
    some_looks();
    assert_eq!(scene.refreshes(), 0, "it is not due before 60 % of the time");
    scene.days_later(22);
    tests::eventually("it is used", || scene.refreshes() == 1);
    some_looks();
    assert_eq!(scene.refreshes(), 1, "once, whoever looks");
    scene.days_later(22 + 22);
    tests::eventually("it is used again", || scene.refreshes() == 2);
    tests::eventually("what came is stored", || scene.connection()["state"] == "connected");
    assert_eq!(scene.gateways[0].events("token_refreshed").len(), 2, "each is on record");
}

#[test]
fn an_idle_connection_of_two_replicas_is_refreshed_once() {
    let scene = Scene::new(Some(RedisServer::start()), IDLE).and_another(IDLE);
    scene.days_later(17);
    some_looks();
    assert_eq!(scene.refreshes(), 0, "it is not due before 60 % of the time");
    scene.days_later(22);
    tests::eventually("it is used", || scene.refreshes() == 1);
    some_looks();
    assert_eq!(scene.refreshes(), 1, "once, whoever looks");
    tests::eventually("what came is stored", || scene.connection()["state"] == "connected");
}

#[test]
fn an_idle_connection_of_the_embedded_store_is_refreshed_each_time() {
    kept_alive(&Scene::new(None, IDLE));
}

#[test]
fn a_new_setting_holds_for_old_connections_and_is_off_without_it() {
    let scene = Scene::new(Some(RedisServer::start()), "");
    scene.days_later(22);
    some_looks();
    assert_eq!(scene.refreshes(), 0, "nobody said that they idle out");
    let scene = scene.and_another(IDLE);
    tests::eventually("it is used", || scene.refreshes() == 1);
}

#[test]
fn a_consent_that_ends_is_said_to_and_begins_anew() {
    for redis in [None, Some(RedisServer::start())] {
        let scene = Scene::new(redis, "refresh_token_lifetime = \"90d\"");
        let ends = scene.connection()["ends"].clone();
        assert_eq!(scene.connection()["state"], "connected");
        scene.days_later(82);
        assert_eq!((&scene.connection()["state"], &scene.connection()["ends"]), (&"connected".into(), &ends));
        scene.days_later(84);
        let connection = scene.connection();
        assert_eq!((&connection["state"], &connection["reason"]), (&"ending_soon".into(), &"lifetime".into()));
        let said = scene.gateways[0].operate(&["connections", "list"]).said;
        assert!(said.contains("ending_soon") && said.contains("\n  ends 20"), "{said}");

        let mut browser = Browser::new();
        let page = browser.open(connection["reconnect_url"].as_str().expect("a link"));
        for text in ["should be reconnected soon", "can use it for you until", "lets nobody stay connected for longer"]
        {
            assert!(page.says(text), "{text}: {}", page.answer.body_text());
        }
        let page = browser.submit(&page, &[]);
        let page = browser.submit(&page, &[("decision", "allow")]);
        let page = browser.submit(&page, &[("username", "alice@acme.test"), ("password", "demo1234")]);
        let page = browser.submit(&page, &[("decision", "allow")]);
        let page = browser.submit(&page, &[("decision", "continue")]);
        assert!(page.says("is connected again"), "{}", page.answer.body_text());
        let connection = scene.connection();
        assert_eq!(connection["state"], "connected", "the time begins anew");
        assert_ne!(connection["ends"], ends);
        assert_eq!(connection["agents"].as_array().map(Vec::len), Some(1));
    }
}
