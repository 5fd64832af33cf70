//! How much there may be at a time: connections, calls, sockets, calls at one provider.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;
use tests::{Fronted, Request, connect_from, eventually};

use super::place;

const LIMIT: Duration = Duration::from_secs(10);

/// A call that is answered by nobody, and is under way as long as the connection is kept.
fn hanging(front: &Fronted) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", front.gateway.port())).expect("it listens");
    stream.write_all((front.head("GET", "/hang", "1.1") + "\r\n").as_bytes()).expect("sent");
    stream
}

/// A number of the page of metrics.
pub(super) fn counted(front: &Fronted, line: &str) -> f64 {
    let file = front.gateway.folder().join("data/admin.json");
    eventually("operators are listened for", || file.exists());
    let place: Value = serde_json::from_str(&std::fs::read_to_string(file).expect("a place")).expect("JSON");
    let key = std::fs::read_to_string(front.gateway.folder().join("data/admin.key")).expect("a key");
    let page = Request::new("GET", &format!("{}/metrics", place["url"].as_str().expect("a URL")));
    let page = page.header("authorization", &format!("Bearer {}", key.trim())).send().body_text();
    let found = page.lines().find_map(|found| found.strip_prefix(line)?.trim().parse().ok());
    found.unwrap_or_default()
}

fn turned_away(front: &Fronted, reason: &str) -> f64 {
    counted(front, &format!("ath_gateway_agent_connections_turned_away_total{{reason=\"{reason}\"}}"))
}

fn is_open(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_millis(300))).expect("a timeout");
    stream.read(&mut [0]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}

#[test]
fn an_address_has_so_many_connections_and_no_more() {
    let front = place("", "[limits]\nconnections_per_address = 5\n").front;
    let port = front.gateway.port();
    eventually("nobody is connected", || counted(&front, "ath_gateway_agent_connections") < 0.5);
    let mut open: Vec<_> = (0..8).map(|_| connect_from(2, port)).collect();
    assert_eq!(open.iter_mut().filter_map(|stream| is_open(stream).then_some(())).count(), 5);
    assert_eq!(front.get("/quick").status, 200, "another address has its own");
    assert!(turned_away(&front, "address") >= 3.0);
    drop(open);
    eventually("what was given back is given again", || is_open(&mut connect_from(2, port)));
}

#[test]
fn a_trusted_proxy_has_as_many_as_there_are_and_whoever_stands_behind_it_has_its_own() {
    let front = place("", "trusted_proxies = [\"127.0.0.2/32\"]\n[limits]\nconnections_per_address = 5\n").front;
    let mut open: Vec<_> = (0..20).map(|_| connect_from(2, front.gateway.port())).collect();
    assert_eq!(open.iter_mut().filter_map(|stream| is_open(stream).then_some(())).count(), 20);
}

#[test]
fn behind_a_proxy_that_forwards_connections_the_address_counts_that_it_names() {
    let gateway =
        "trusted_proxies = [\"127.0.0.1/32\"]\nproxy_protocol = \"required\"\n[limits]\nconnections_per_address = 2\n";
    let upstream = tests::Upstream::start(tests::free_port(), |_| {});
    let port = upstream.gateway_port();
    let rest = format!("[development]\nloopback_http = true\n\n{}", upstream.provider("pkce = \"none\""));
    let _gateway = tests::Gateway::launch(&tests::Launch {
        store: tests::Store::Embedded,
        port,
        public_url: &format!("http://127.0.0.1:{port}"),
        gateway,
        rest: &rest,
        environment: &[],
    });
    let of = |address: &str| {
        let mut stream = connect_from(1, port);
        stream.write_all(format!("PROXY TCP4 {address} 192.0.2.9 4128 443\r\n").as_bytes()).expect("sent");
        stream
    };
    let mut open = [of("192.0.2.1"), of("192.0.2.1"), of("192.0.2.1"), of("192.0.2.2")];
    assert_eq!(open.iter_mut().filter_map(|stream| is_open(stream).then_some(())).count(), 3);
    assert!(is_open(&mut open[3]), "another client");
}

#[test]
fn there_are_so_many_connections_in_all() {
    let front = place("", "[limits]\nconnections = 12\n").front;
    let port = front.gateway.port();
    eventually("nobody is connected", || counted(&front, "ath_gateway_agent_connections") < 0.5);
    let mut open: Vec<_> = (0..20).map(|number| connect_from(2 + number % 7, port)).collect();
    assert_eq!(open.iter_mut().filter_map(|stream| is_open(stream).then_some(())).count(), 12);
    assert!(turned_away(&front, "connections") >= 8.0);
    drop(open);
    eventually("there is room again", || front.gateway.request("GET", "/healthz").try_send(LIMIT).is_some());
}

#[test]
fn an_agent_has_so_many_calls_under_way_and_another_agent_has_its_own() {
    let place = place("response_timeout = \"60s\"", "[limits]\nconcurrent_calls_per_agent = 4\n");
    let (front, other) = (&place.front, place.of_another("/quick"));
    // Two cores have a place of their own each, and share two: which calls go to which core is the kernel's to say.
    let mut held = Vec::new();
    let mut refused = front.get("/quick");
    while held.len() < 12 && refused.status != 429 {
        held.push(hanging(front));
        std::thread::sleep(Duration::from_millis(100));
        refused = front.get("/quick");
    }
    assert_eq!(refused.refusal(), (429, "INTERNAL_ERROR".to_owned()));
    assert_eq!((refused.reason(), refused.header("retry-after")), ("too_many_at_once".into(), Some("1")));
    for _ in 0..8 {
        assert_eq!(other.send().status, 200, "another agent has its own");
    }
    assert!(counted(front, "ath_gateway_denied_total{reason=\"too_many_at_once\"}") >= 1.0);
    place.let_go();
    eventually("what has ended makes room", || front.get("/quick").status == 200);
}

#[test]
fn an_agent_has_so_many_sockets() {
    let place = place("websocket = true", "[limits]\nsockets_per_agent = 1\n");
    let front = &place.front;
    let opening = || {
        let mut stream = TcpStream::connect(("127.0.0.1", front.gateway.port())).expect("it listens");
        let head = front.head("GET", "/hang", "1.1")
            + "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
               Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        stream.write_all(head.as_bytes()).expect("sent");
        stream
    };
    let held = opening();
    std::thread::sleep(Duration::from_millis(300));
    let mut refused = opening();
    refused.set_read_timeout(Some(LIMIT)).expect("a timeout");
    let mut heard = vec![0; 4096];
    let length = refused.read(&mut heard).expect("an answer");
    let heard = String::from_utf8_lossy(&heard[..length]).into_owned();
    assert!(heard.starts_with("HTTP/1.1 429 ") && heard.contains("too_many_sockets"), "{heard}");
    assert_eq!(front.get("/quick").status, 200, "calls are another matter");
    drop(held);
}

#[test]
fn a_provider_that_hangs_is_refused_at_once_when_enough_wait_for_it() {
    let place = place("concurrent_calls = 6\nresponse_timeout = \"60s\"", "");
    let front = &place.front;
    let mut held = Vec::new();
    let mut refused = front.get("/quick");
    while held.len() < 16 && refused.status != 503 {
        held.push(hanging(front));
        std::thread::sleep(Duration::from_millis(100));
        refused = front.get("/quick");
    }
    assert_eq!(refused.refusal(), (503, "INTERNAL_ERROR".to_owned()));
    assert_eq!((refused.reason(), refused.header("retry-after")), ("provider_busy".into(), Some("1")));
    place.let_go();
    eventually("what has ended makes room", || front.get("/quick").status == 200);
}
