//! How much there may be at a time: connections, calls, sockets, calls at one provider.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::{Agent, Browser, Fronted, Request, connect_from, eventually};

use super::{Modest, ended, fronted};

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
    let front = fronted("", "[limits]\nconnections_per_address = 5\n");
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
    let front = fronted("", "trusted_proxies = [\"127.0.0.2/32\"]\n[limits]\nconnections_per_address = 5\n");
    let mut open: Vec<_> = (0..20).map(|_| connect_from(2, front.gateway.port())).collect();
    assert_eq!(open.iter_mut().filter_map(|stream| is_open(stream).then_some(())).count(), 20);
}

#[test]
fn there_are_so_many_connections_in_all() {
    let front = fronted("", "[limits]\nconnections = 12\n");
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
    let front = fronted("response_timeout = \"60s\"", "[limits]\nconcurrent_calls_per_agent = 4\n");
    let mut other = Agent::new("Another");
    assert_eq!(other.register(&front.gateway).status, 201);
    let (link, session) = other.authorize(&front.gateway, &["read:tickets"]);
    let end = Browser::new().consent(&link);
    let token = other.exchange(&front.gateway, &session, &end["code"]).text("/access_token");
    assert_eq!(front.get("/quick").status, 200);
    let held: Vec<_> = (0..4).map(|_| hanging(&front)).collect();
    // Two cores have a place of their own each, and share two: which calls go to which core is the kernel's to say.
    eventually("all it may have is under way", || {
        (0..6).all(|_| front.get("/quick").status == 429) || {
            drop(hanging(&front));
            false
        }
    });
    let refused = front.get("/quick");
    assert_eq!(refused.refusal(), (429, "INTERNAL_ERROR".to_owned()));
    assert_eq!((refused.text("/details/reason"), refused.header("retry-after")), ("too_many_at_once".into(), Some("1")));
    for _ in 0..5 {
        assert_eq!(other.send(&other.call(&front.gateway, &token, "GET", "/quick")).status, 200);
    }
    assert!(counted(&front, "ath_gateway_denied_total{reason=\"too_many_at_once\"}") >= 1.0);
    drop(held);
    eventually("what has ended makes room", || front.get("/quick").status == 200);
}

#[test]
fn an_agent_has_so_many_sockets() {
    let front = fronted("websocket = true", "[limits]\nsockets_per_agent = 1\n");
    let opening = |path: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", front.gateway.port())).expect("it listens");
        let head = front.head("GET", path, "1.1")
            + "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
               Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        stream.write_all(head.as_bytes()).expect("sent");
        stream
    };
    let held = opening("/hang");
    std::thread::sleep(Duration::from_millis(300));
    let (_, heard) = ended(&mut opening("/hang"), LIMIT);
    assert!(heard.starts_with("HTTP/1.1 429 ") && heard.contains("too_many_sockets"), "{heard}");
    assert_eq!(front.get("/quick").status, 200, "calls are another matter");
    drop(held);
}

#[test]
fn a_provider_that_hangs_holds_nothing_up_but_itself() {
    let hung = tests::OddHttp::start(super::answers);
    let front = fronted("", "[limits]\nconcurrent_calls_per_agent = 10000\n");
    let gateway = &front.gateway;
    drop((hung, gateway));
    let front = fronted("concurrent_calls = 6\nresponse_timeout = \"60s\"", "");
    let held: Vec<_> = (0..12).map(|_| hanging(&front)).collect();
    eventually("there is no more room", || front.get("/quick").status == 503);
    let begun = Instant::now();
    let refused = front.get("/quick");
    assert_eq!(refused.refusal(), (503, "INTERNAL_ERROR".to_owned()));
    assert_eq!((refused.text("/details/reason"), refused.header("retry-after")), ("provider_busy".into(), Some("1")));
    assert!(begun.elapsed() < Duration::from_secs(1), "it is said at once");
    let modest = Modest::calls(front.gateway.request("GET", "/healthz"));
    std::thread::sleep(Duration::from_millis(500));
    modest.was_served();
    drop(held);
    eventually("what has ended makes room", || front.get("/quick").status == 200);
}
