//! Who the client is: by its connection, by what trusted proxies say, and never by what it says itself.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};
use tests::{Agent, Browser, Front, Gateway, Launch, Store, Upstream, connect_from, eventually, free_port, raw};

/// Three wrong tokens from each address, and no more for an hour.
const LIMITS: &str = "[limits]\nwrong_tokens = \"3/h\"\n\n[development]\nloopback_http = true\n\n";

struct House {
    gateway: Gateway,
    upstream: Upstream,
}

impl House {
    fn start(settings: &str) -> Self {
        let upstream = Upstream::start(free_port(), |_| {});
        let port = upstream.gateway_port();
        let rest = format!("{LIMITS}{}", upstream.provider("pkce = \"none\""));
        let public_url = format!("http://127.0.0.1:{port}");
        let launch = Launch {
            store: Store::Embedded,
            port,
            public_url: &public_url,
            gateway: settings,
            rest: &rest,
            environment: &[],
        };
        Self { gateway: Gateway::launch(&launch), upstream }
    }

    /// The server of a proxy's configuration.
    fn server(&self, options: &str) -> String {
        format!("127.0.0.1:{} {options}", self.gateway.port())
    }
}

/// The status of a call with a wrong token, from 127.0.0.`host`, with these lines in its head and these bytes before it; 0 where the
/// connection is closed without an answer.
fn guess(host: u8, port: u16, before: &[u8], lines: &str) -> u16 {
    ask(connect_from(host, port), before, lines).0
}

fn ask(mut stream: TcpStream, before: &[u8], lines: &str) -> (u16, String) {
    let head = format!(
        "GET /ath/proxy/helpdesk/tickets HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nAuthorization: Bearer ath_tk_wrong\r\nX-ATH-Agent-ID: https://agent.example.com/agent.json\r\n{lines}\r\n"
    );
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let _ = stream.write_all(&[before, head.as_bytes()].concat());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    (answer.get(9..12).and_then(|code| code.parse().ok()).unwrap_or(0), answer)
}

/// Each of two clients has its own three guesses, whatever it says of itself.
fn each_has_its_own(port: u16, lines: &str) {
    for host in [2, 3] {
        for _ in 0..3 {
            assert_eq!(guess(host, port, b"", lines), 401, "127.0.0.{host}");
        }
        assert_eq!(guess(host, port, b"", lines), 429, "127.0.0.{host}");
    }
}

const SPOOFED: &str = "X-Forwarded-For: 192.0.2.66\r\n";

#[test]
fn behind_haproxy_limits_hold_for_each_client() {
    for option in ["send-proxy", "send-proxy-v2"] {
        let house = House::start("trusted_proxies = [\"127.0.0.1\"]\nproxy_protocol = \"required\"");
        each_has_its_own(Front::haproxy("tcp", &[], &[house.server(option)]).port(), SPOOFED);
    }
    let house = House::start("trusted_proxies = [\"127.0.0.1\"]");
    let front = Front::haproxy("http", &["option forwardfor", "http-reuse always"], &[house.server("")]);
    each_has_its_own(front.port(), SPOOFED);
}

#[test]
fn behind_nginx_limits_hold_for_each_client() {
    let listed = "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;";
    let house = House::start("trusted_proxies = [\"127.0.0.1/32\"]");
    each_has_its_own(Front::nginx(house.gateway.port(), listed).port(), SPOOFED);
    let two = House::start("trusted_proxies = [\"127.0.0.1/32\"]");
    let inner = Front::nginx(two.gateway.port(), listed);
    each_has_its_own(Front::nginx(inner.port(), listed).port(), "");
    let standard = "proxy_set_header Forwarded \"for=$remote_addr;proto=http\"; proxy_set_header X-Forwarded-For \"\";";
    let house = House::start("trusted_proxies = [\"127.0.0.1/32\"]\nclient_address = \"forwarded\"");
    each_has_its_own(Front::nginx(house.gateway.port(), standard).port(), SPOOFED);
}

#[test]
fn a_stranger_says_nothing_that_counts() {
    let house = House::start("trusted_proxies = [\"10.0.0.0/8\"]");
    let port = house.gateway.port();
    for (number, status) in [401, 401, 401, 429, 429].into_iter().enumerate() {
        let lines = format!("X-Forwarded-For: 192.0.2.{number}\r\nForwarded: for=198.51.100.{number}\r\n");
        assert_eq!(guess(2, port, b"", &lines), status, "{number}");
    }
    assert_eq!(guess(3, port, b"", "X-Forwarded-For: nonsense\r\n"), 401, "nobody looks at it");
    assert_eq!(guess(4, port, b"PROXY TCP4 192.0.2.1 127.0.0.1 1 2\r\n", ""), 400, "no header is expected");
}

#[test]
fn what_a_trusted_proxy_says_in_two_ways_or_in_none_is_refused() {
    let house = House::start("trusted_proxies = [\"127.0.0.1\"]");
    for (lines, reason) in [
        ("X-Forwarded-For: nonsense\r\n", "client_address"),
        ("X-Forwarded-For: 192.0.2.1,\r\n", "client_address"),
        ("X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: unknown\r\n", "client_address"),
        ("Forwarded: for=_hidden\r\n", "client_address"),
        ("X-Forwarded-For: 192.0.2.1\r\nForwarded: for=192.0.2.2\r\n", "client_address_doubled"),
    ] {
        for path in ["/ath/proxy/helpdesk/tickets", "/.well-known/ath.json"] {
            let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{lines}\r\n");
            let answer = raw(house.gateway.port(), request.as_bytes(), "GET");
            assert_eq!((answer.refusal().0, answer.text("/details/reason")), (400, reason.to_owned()), "{lines}");
        }
    }
    assert_eq!(guess(1, house.gateway.port(), b"", "X-Forwarded-For: 192.0.2.1\r\nForwarded: for=192.0.2.1\r\n"), 401);
}

#[test]
fn a_proxy_header_is_taken_from_trusted_proxies_alone_and_nothing_passes_without() {
    let house = House::start("trusted_proxies = [\"127.0.0.2\"]\nproxy_protocol = \"required\"");
    let port = house.gateway.port();
    let header = b"PROXY TCP4 192.0.2.1 127.0.0.1 1 2\r\n";
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00";
    assert_eq!(guess(2, port, header, ""), 401);
    assert_eq!(guess(2, port, local, ""), 401, "the proxy itself");
    assert_eq!(guess(2, port, b"", ""), 0, "without a header");
    assert_eq!(guess(2, port, b"PROXY TCP4 192.0.2.1\r\n", ""), 0, "half a header");
    assert_eq!(guess(3, port, header, ""), 0, "from nobody that is trusted");
    let mut slow = connect_from(2, port);
    slow.write_all(b"PROXY TCP4 ").expect("sent");
    slow.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    assert_eq!(slow.read(&mut [0; 1]).expect("closed, and not for want of patience"), 0, "a header that does not come");
    // Behind the header HTTP/2 is found as it is without one.
    let mut stream = connect_from(2, port);
    stream
        .write_all(&[header.as_slice(), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"].concat())
        .expect("sent");
    let mut frame = [0; 9];
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    stream.read_exact(&mut frame).expect("a frame");
    assert_eq!(frame[3], 4, "SETTINGS");
}

#[test]
fn the_audit_log_names_the_client_and_the_upstream_hears_nothing_of_it() {
    let house = House::start("trusted_proxies = [\"127.0.0.1\"]");
    let listed =
        "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Real-IP $remote_addr;";
    let front = Front::nginx(house.gateway.port(), listed);
    let mut agent = Agent::new("Ticket Helper");
    agent.register(&house.gateway);
    let (link, session) = agent.authorize(&house.gateway, &["read:tickets"]);
    let end = Browser::new().consent(&link);
    let token = agent.exchange(&house.gateway, &session, &end["code"]).text("/access_token");
    let request = format!(
        "GET /ath/proxy/helpdesk/tickets HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         X-ATH-Agent-ID: {}\r\nX-Forwarded-For: 192.0.2.66\r\nX-Forwarded-Proto: https\r\n\r\n",
        agent.id
    );
    let mut stream = connect_from(7, front.port());
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    eventually("the call is recorded", || {
        let calls = house.gateway.audit();
        calls.iter().any(|event| event["event"] == "proxy_request" && event["address"] == json!("127.0.0.7"))
    });
    let sent: Value = serde_json::to_value(house.upstream.helpdesk.recorded_requests()).expect("JSON");
    let sent = sent.to_string().to_lowercase();
    assert!(sent.contains("/tickets") && !sent.contains("forwarded") && !sent.contains("192.0.2.66"), "{sent}");
    assert!(Ipv4Addr::new(127, 0, 0, 7).is_loopback() && !sent.contains("127.0.0.7"), "{sent}");
}
