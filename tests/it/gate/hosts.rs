//! A request for a host that is none of the gateway's is not served, whoever resolved that name to its address.

use super::vectors::say;
use tests::{Fronted, Gateway, Launch, Spy, Store, Upstream, free_port, raw};

fn asked(port: u16, path: &str, host: &str) -> (u16, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let answer = raw(port, request.as_bytes(), "GET");
    (answer.status, answer.reason())
}

const NOT_OURS: [&str; 14] = [
    "evil.test",
    "evil.test:80",
    "gw.example.com.",
    "gw.example.com.evil.test",
    "evil-gw.example.com",
    "gw.example.com@evil.test",
    "gw.example.com:8443",
    "gw.example.com:",
    "gw.example.com:0443",
    "gw.example.com:443:443",
    "gw.example.com, evil.test",
    "127.0.0.1.evil.test",
    "169.254.169.254",
    "xn--gw-example-com",
];

#[test]
fn only_its_own_names_are_served() {
    let upstream = Upstream::start(free_port(), |_| {});
    let port = upstream.gateway_port();
    let rest = upstream
        .provider("pkce = \"none\"")
        .replace("path_prefix", "allow_plaintext = true\nhost = \"desk.example.com\"\npath_prefix");
    let rest = rest.replace("id = \"other\"", "id = \"other\"\nallow_plaintext = true");
    let gateway = Gateway::launch(&Launch {
        store: Store::Embedded,
        port,
        public_url: "https://gw.example.com",
        gateway: "hosts = [\"gateway.internal\", \"10.0.0.7:8080\"]",
        rest: &rest,
        environment: &[],
    });
    for host in [
        "gw.example.com",
        "GW.EXAMPLE.COM",
        "gw.example.com:443",
        "gateway.internal",
        "gateway.internal:8080",
        "10.0.0.7:8080",
        "127.0.0.1",
        &format!("localhost:{port}"),
    ] {
        assert_eq!(asked(port, "/.well-known/ath.json", host).0, 200, "{host}");
        assert_eq!(asked(port, "/ath/proxy/helpdesk/tickets", host), (401, "token_missing".to_owned()), "{host}");
    }
    for host in ["desk.example.com", "Desk.Example.com:8443"] {
        assert_eq!(asked(port, "/tickets", host), (401, "token_missing".to_owned()), "{host}");
    }
    for host in NOT_OURS.into_iter().chain(["10.0.0.7", "10.0.0.7:8081", "desk.example.com.", "x.desk.example.com"]) {
        for path in ["/", "/.well-known/ath.json", "/ath/proxy/helpdesk/tickets", "/helpdesk/tickets", "/ath/token"] {
            assert_eq!(asked(port, path, host), (421, "misdirected".to_owned()), "{host} {path}");
        }
        // Load balancers know an address only, and learn nothing but whether it is there.
        assert_eq!(asked(port, "/healthz", host).0, 200, "{host}");
        assert_eq!(asked(port, "/readyz", host).0, 200, "{host}");
    }
    assert!(gateway.log().contains("misdirected"));
    assert!(upstream.helpdesk.recorded_requests().is_empty());
}

/// The way of a page that has made its own name resolve to loopback: its browser says the page's name, to whichever listener.
#[test]
fn a_page_that_was_rebound_gets_nothing() {
    let spy = Spy::default();
    let front = Fronted::new(&spy.url(), "");
    let port = front.gateway.port();
    let request = format!(
        "GET /api/x HTTP/1.1\r\nHost: rebound.test:{port}\r\nOrigin: http://rebound.test:{port}\r\nAuthorization: Bearer {}\r\n\
         Connection: close\r\n\r\n",
        front.token
    );
    let answer = raw(port, request.as_bytes(), "GET");
    assert_eq!((answer.status, answer.reason()), (421, "misdirected".to_owned()));
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(asked(port, "/accounts", "rebound.test").0, 421);
    assert_eq!(spy.count(), 0);
    assert_eq!(front.get("/x").status, 200);
    // A provider's own name serves that provider's API alone.
    let request = format!(
        "GET /ath/agents/register HTTP/1.1\r\nHost: {}:{port}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
        Fronted::HOST,
        front.token
    );
    assert_eq!(say(port, request.as_bytes()).status(), 200);
    assert!(spy.heads()[1].starts_with("GET /ath/agents/register "));
}
