//! Two gateways on a Redis of every shape, and on one that changes its mind or is out of reach.

use std::time::{Duration, Instant};

use tests::{
    Agent, Answer, Browser, FaultProxy, Gateway, RedisCluster, RedisServer, Store, Upstream, WatchedRedis, Weather,
    free_port,
};

const PKCE: &str = "pkce = \"none\"";

/// Two gateways, each with its own way to the same Redis.
struct House {
    one: Gateway,
    two: Gateway,
    _upstream: Upstream,
}

impl House {
    fn start(one: Store<'_>, two: Store<'_>) -> Self {
        let upstream = Upstream::start(free_port(), |_| {});
        let first = Gateway::start_with(one, upstream.gateway_port(), &upstream.provider(PKCE));
        let second = first.replica(two, &upstream, PKCE);
        Self { one: first, two: second, _upstream: upstream }
    }

    /// An agent with alice's consent, and a token that both gateways have used.
    fn allowed(&self) -> (Agent, String) {
        let mut agent = Agent::new("Ticket Helper");
        assert_eq!(agent.register(&self.one).status, 201);
        let (link, session) = agent.authorize(&self.one, &["read:tickets"]);
        let end = Browser::new().consent(&link);
        let token = agent.exchange(&self.two, &session, &end["code"]);
        assert_eq!(token.status, 200, "{}", token.body_text());
        let token = token.text("/access_token");
        for gateway in [&self.one, &self.two] {
            assert_eq!(list(gateway, &agent, &token).status, 200);
        }
        (agent, token)
    }
}

fn list(gateway: &Gateway, agent: &Agent, token: &str) -> Answer {
    agent.send(&agent.call(gateway, token, "GET", "/tickets"))
}

/// A refusal that says when to come again, and does not keep anybody waiting.
fn is_refused_in_time(gateway: &Gateway, agent: &Agent, token: &str) {
    let begun = Instant::now();
    let down = list(gateway, agent, token);
    assert_eq!(down.refusal(), (503, "INTERNAL_ERROR".to_owned()));
    assert!(down.header("retry-after").is_some());
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[test]
fn a_failover_by_sentinels_loses_nothing_and_is_over_soon() {
    let mut redis = WatchedRedis::start();
    let lines = redis.lines();
    let house = House::start(Store::Written(&lines), Store::Written(&lines));
    let (agent, token) = house.allowed();
    let (other, revoked) = house.allowed();
    assert_eq!(other.revoke(&house.two, &revoked).status, 200);
    redis.fail_over();
    for gateway in [&house.one, &house.two] {
        tests::eventually("the gateway finds the new primary", || list(gateway, &agent, &token).status == 200);
        tests::eventually("it is ready", || gateway.request("GET", "/readyz").send().status == 200);
    }
    assert_eq!(agent.revoke(&house.one, &token).status, 200);
    for gateway in [&house.two, &house.one] {
        assert_eq!(list(gateway, &agent, &token).refusal(), (401, "TOKEN_REVOKED".to_owned()));
        assert_eq!(list(gateway, &other, &revoked).refusal(), (401, "TOKEN_REVOKED".to_owned()));
    }
}

#[test]
fn two_gateways_on_a_cluster() {
    let cluster = RedisCluster::start();
    let lines = cluster.lines();
    let house = House::start(Store::Written(&lines), Store::Written(&lines));
    for _ in 0..3 {
        let (agent, token) = house.allowed();
        let begun = Instant::now();
        assert_eq!(agent.revoke(&house.one, &token).status, 200);
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        for gateway in [&house.two, &house.one] {
            assert_eq!(list(gateway, &agent, &token).refusal(), (401, "TOKEN_REVOKED".to_owned()));
        }
    }
    let ready = house.one.request("GET", "/readyz").send();
    assert_eq!(ready.status, 200, "{}", ready.body_text());
}

#[test]
fn a_gateway_that_is_cut_off_from_redis_refuses_and_the_other_serves() {
    let redis = RedisServer::start();
    let proxy = FaultProxy::start(redis.port());
    let through = format!("url = \"redis://127.0.0.1:{}\"", proxy.port());
    let house = House::start(Store::Written(&through), Store::Redis(&redis));
    let (agent, token) = house.allowed();
    proxy.turn(Weather::Partitioned);
    std::thread::sleep(Duration::from_millis(600));
    for _ in 0..3 {
        is_refused_in_time(&house.one, &agent, &token);
    }
    assert_eq!(house.one.request("GET", "/readyz").send().status, 503);
    assert_eq!(list(&house.two, &agent, &token).status, 200);
    assert_eq!(agent.revoke(&house.two, &token).status, 200);
    proxy.turn(Weather::Fair);
    let healed = Instant::now();
    tests::eventually("it is back", || list(&house.one, &agent, &token).status != 503);
    assert!(healed.elapsed() < Duration::from_secs(2), "{:?}", healed.elapsed());
    assert_eq!(list(&house.one, &agent, &token).refusal(), (401, "TOKEN_REVOKED".to_owned()));
}

#[test]
fn a_redis_that_begins_to_evict_is_reported() {
    let redis = RedisServer::start();
    let upstream = Upstream::start(free_port(), |_| {});
    let gateway = Gateway::start_with(Store::Redis(&redis), upstream.gateway_port(), &upstream.provider(PKCE));
    assert_eq!(gateway.request("GET", "/readyz").send().status, 200);
    assert_eq!(redis.command(&["config", "set", "maxmemory-policy", "allkeys-lru"]), "OK");
    assert_eq!(gateway.request("GET", "/readyz").send().status, 503);
    tests::eventually("operators are told", || gateway.log().contains("allkeys-lru"));
    assert_eq!(redis.command(&["config", "set", "maxmemory-policy", "noeviction"]), "OK");
    assert_eq!(gateway.request("GET", "/readyz").send().status, 200);
}

#[test]
fn a_redis_that_is_not_what_the_configuration_says_is_refused_at_the_start() {
    let upstream = Upstream::start(free_port(), |_| {});
    let redis = RedisServer::start();
    let settings =
        format!("[store]\nurl = \"redis://127.0.0.1:{}\"\ntls = true\nkeys = [{{ env = \"K\" }}]", redis.port());
    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let said = Gateway::refused_to_start(&settings, &[("K", key)], &upstream);
    assert!(said.contains("store.tls: is for sentinels and cluster"), "{said}");
}
