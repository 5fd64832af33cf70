use std::process::Command;
use std::time::{Duration, Instant};

use tests::{Agent, Authority, Browser, Fronted, Gateway, RedisServer, Store, Tunnel, Upstream, free_port};

use super::WEBSOCKET;
use super::hostile::RawService;
use super::sides::{Door, Holding, RawAgent, Service};
use crate::clients::{run, script};

/// A service behind two replicas on one Redis, or behind one gateway; `GET /socket` alone is allowed there.
pub(crate) struct House {
    pub(crate) one: Gateway,
    two: Option<Gateway>,
    agent: Agent,
    token: String,
    _around: Around,
}

/// What has to live as long as the house.
type Around = (Upstream, Option<RedisServer>, Option<Tunnel>);

impl House {
    pub(crate) fn start(redis: Option<RedisServer>, service: &Service) -> Self {
        let (upstream, text) = behind(free_port(), service);
        let store = redis.as_ref().map_or(Store::Embedded, Store::Redis);
        let one = Gateway::start_with(store, upstream.gateway_port(), &text);
        let two = redis.is_some().then(|| one.replica_with(store, &text));
        Self::with_consent(one, two, (upstream, redis, None))
    }

    /// The same behind TLS of the gateway's own; and the port of that. What the consent takes goes through a tunnel.
    pub(crate) fn start_with_tls(authority: &Authority, service: &Service) -> (Self, u16) {
        let port = free_port();
        let tunnel = Tunnel::start(port, &std::fs::read_to_string(authority.certificate_file()).expect("a file"), None);
        let (upstream, text) = behind(tunnel.port(), service);
        let (certificate, key) = (authority.certificate_file(), authority.key_file());
        let text = format!("[gateway.tls]\ncert_file = {certificate:?}\nkey_file = {key:?}\n\n{text}");
        let gateway = Gateway::start_behind(tunnel.port(), Store::Embedded, port, &text);
        (Self::with_consent(gateway, None, (upstream, None, Some(tunnel))), port)
    }

    fn with_consent(one: Gateway, two: Option<Gateway>, around: Around) -> Self {
        let mut agent = Agent::new("Ticket Helper");
        agent.register(&one);
        let (link, session) = agent.authorize(&one, &["read:tickets"]);
        let end = Browser::new().consent(&link);
        let token = agent.exchange(&one, &session, &end["code"]).text("/access_token");
        Self { one, two, agent, token, _around: around }
    }

    pub(crate) fn door(&self, gateway: &Gateway) -> Door {
        Door { port: gateway.port(), token: self.token.clone(), agent: self.agent.id.as_str().to_owned() }
    }

    fn two(&self) -> &Gateway {
        self.two.as_ref().unwrap_or(&self.one)
    }
}

/// Where people sign in for the gateway at `gateway`, and the text of its providers.
fn behind(gateway: u16, service: &Service) -> (Upstream, String) {
    let upstream = Upstream::start(gateway, |_| {});
    let own = format!("api_base = \"http://localhost:{}\"", upstream.port());
    let text = upstream.provider("pkce = \"none\"");
    let text = text.replacen(&own, &format!("api_base = \"{}\"\n{WEBSOCKET}", service.url("http")), 1);
    let text = text.replacen("\"GET /tickets\", ", "\"GET /socket\", ", 1);
    (upstream, text)
}

#[test]
fn over_tls_both_versions_of_http_have_it() {
    let (service, authority) = (Service::start(&[]), Authority::of(&["localhost"]));
    let (house, port) = House::start_with_tls(&authority, &service);
    let certificate = authority.certificate_file();
    let (token, agent) = (&house.token, house.agent.id.as_str());
    let url = format!("wss://localhost:{port}/ath/proxy/helpdesk/socket");
    let mut by_http1 = Command::new(script(".venv/bin/python"));
    by_http1.arg(script("websocket_agent.py")).args(["masked", &url, token, agent]).env("SSL_CERT_FILE", &certificate);
    assert!(run(by_http1).contains("done"));
    let mut by_http2 = Command::new("node");
    by_http2.arg(script("websocket_h2.mjs")).args(["echo", &format!("https://localhost:{port}")]);
    by_http2.args(["/ath/proxy/helpdesk/socket", token, agent]).env("NODE_EXTRA_CA_CERTS", &certificate);
    assert!(run(by_http2).contains("4002"));
}

#[test]
fn a_revocation_ends_a_socket_within_a_second_on_every_replica() {
    for redis in [None, Some(RedisServer::start())] {
        let service = Service::start(&[]);
        let house = House::start(redis, &service);
        let socket = Holding::open(house.door(house.two()));
        let by_http2 = Holding::open_by_http2(house.door(house.two()));
        let mut quiet = RawAgent::open(house.door(house.two())).0;
        assert_eq!(house.agent.revoke(&house.one, &house.token).status, 200);
        let begun = Instant::now();
        let end = socket.end();
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        assert_eq!(end, (1008, "access was ended".to_owned()));
        assert_eq!(by_http2.end(), (1008, "access was ended".to_owned()));
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        assert_eq!(quiet.rest(), b"\x88\x12\x03\xf0access was ended");
        tests::eventually("the service heard it, too", || {
            let ends = service.ends();
            ends.len() == 3 && ends.iter().all(|end| end["code"] == 1008)
        });
        tests::eventually("both are recorded", || {
            let calls = house.two().events("proxy_request");
            calls.iter().filter(|call| call["end"] == "revoked").count() == 3
        });
        let late = RawAgent::open(house.door(house.two()));
        assert!(late.1.starts_with("http/1.1 401 "), "{}", late.1);
    }
}

#[test]
fn a_gateway_that_stops_tells_both_sides() {
    let service = Service::start(&[]);
    let mut house = House::start(None, &service);
    let socket = Holding::open(house.door(&house.one));
    let by_http2 = Holding::open_by_http2(house.door(&house.one));
    let pid = house.one.process_id();
    let begun = Instant::now();
    let asked = std::process::Command::new("kill").args(["-TERM", &pid.to_string()]).status().expect("kill is there");
    assert!(asked.success());
    assert_eq!(socket.end(), (1001, "the gateway is stopping".to_owned()));
    assert_eq!(by_http2.end(), (1001, "the gateway is stopping".to_owned()));
    assert!(house.one.ends_within(Duration::from_secs(15)), "it ends, and before it must");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    tests::eventually("the service heard it, too", || service.ends().iter().any(|end| end["code"] == 1001));
    assert!(house.one.events("proxy_request").iter().any(|call| call["end"] == "stopped"));
}

#[test]
fn a_socket_in_the_midst_of_a_frame_ends_with_the_gateway_all_the_same() {
    let service = RawService::switching("", b"\x81\x05he");
    let mut front = Fronted::new(&service.url(), WEBSOCKET);
    let (mut agent, _) = RawAgent::open(&front);
    assert_eq!(agent.exactly(4), b"\x81\x05he");
    let asked = std::process::Command::new("kill").args(["-TERM", &front.gateway.process_id().to_string()]).status();
    assert!(asked.expect("kill is there").success());
    assert_eq!(agent.rest(), b"", "no Close in the midst of a frame");
    assert!(front.gateway.ends_within(Duration::from_secs(15)));
}
