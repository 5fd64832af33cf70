use serde_json::Value;
use tests::{CANARY, Fronted};

use super::WEBSOCKET;
use super::hostile::RawService;
use super::sides::{ACCEPT, KEY, RIGHT, RawAgent, Service, by_http2};

const SOCKET: &str = "GET /ath/proxy/helpdesk/socket HTTP/1.1";

fn refusal(front: &Fronted, start: &str, lines: &str) -> (u64, String, String) {
    let mut agent = RawAgent::send(front, start, lines, b"");
    let head = agent.head();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let body = agent.exactly(length.expect("a length"));
    let reason: Value = serde_json::from_slice(&body).unwrap_or_default();
    (status, reason["details"]["reason"].as_str().unwrap_or_default().to_owned(), head)
}

#[test]
fn without_the_key_an_upgrade_is_refused_and_says_what_to_do() {
    let service = Service::start(&[]);
    let front = Fronted::new(&service.url("http"), "");
    let (status, reason, head) = refusal(&front, SOCKET, RIGHT);
    assert_eq!((status, reason.as_str()), (403, "websocket_not_allowed"), "{head}");
    let by_http2 = by_http2(&front, "answered", "/socket");
    assert_eq!((by_http2["status"].as_u64(), by_http2["reason"].as_str()), (Some(403), Some("websocket_not_allowed")));
    assert!(service.ends().is_empty());
}

#[test]
fn it_is_a_get_that_a_scope_must_allow() {
    let service = Service::start(&[]);
    let front = Fronted::new(&service.url("http"), WEBSOCKET);
    for (start, lines, expected) in [
        ("GET /ath/proxy/helpdesk/a/../socket HTTP/1.1", RIGHT, 400),
        ("GET /ath/proxy/other/socket HTTP/1.1", RIGHT, 403),
        ("GET /ath/proxy/helpdesk/socket?access_token=x HTTP/1.1", RIGHT, 400),
    ] {
        assert_eq!(refusal(&front, start, lines).0, expected, "{start}");
    }
    let without = by_http2(&front, "token", "/socket");
    assert_eq!((without["status"].as_u64(), without["reason"].as_str()), (Some(401), Some("token_missing")));
    let narrow = super::ends::House::start(None, &service);
    let mut agent = RawAgent::send(narrow.door(&narrow.one), "GET /ath/proxy/helpdesk/secret HTTP/1.1", RIGHT, b"");
    assert!(agent.head().starts_with("http/1.1 403 "));
    assert!(service.ends().is_empty());
}

#[test]
fn one_form_is_taken_and_no_other() {
    let service = Service::start(&[]);
    let front = Fronted::new(&service.url("http"), WEBSOCKET);
    let with = |from: &str, to: &str| RIGHT.replace(from, to);
    for (start, lines) in [
        (SOCKET, with("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "")),
        (SOCKET, with("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ=")),
        (SOCKET, with("dGhlIHNhbXBsZSBub25jZQ==", "not base64 at all, no")),
        (SOCKET, format!("{RIGHT}Sec-WebSocket-Key: {KEY}\r\n")),
        (SOCKET, with("Sec-WebSocket-Version: 13\r\n", "")),
        (SOCKET, with("Connection: Upgrade\r\n", "")),
        (SOCKET, with("Connection: Upgrade", "Connection: close")),
        (SOCKET, with("Upgrade: websocket\r\n", "Upgrade: websocket, h2c\r\n")),
        (SOCKET, format!("{RIGHT}Upgrade: h2c\r\n")),
        (SOCKET, format!("{RIGHT}Upgrade: websocket\r\n")),
        (SOCKET, with("websocket", "websocket/13")),
        (SOCKET, format!("{RIGHT}Content-Length: 5\r\n")),
        (SOCKET, format!("{RIGHT}Transfer-Encoding: chunked\r\n")),
        (SOCKET, format!("{RIGHT}Sec-WebSocket-Protocol: a b\r\n")),
        (SOCKET, format!("{RIGHT}Sec-WebSocket-Protocol: a;b=c\r\n")),
        (
            SOCKET,
            format!("{RIGHT}Sec-WebSocket-Protocol: v4.channel.k8s.io, base64url.bearer.authorization.k8s.io.eA\r\n"),
        ),
        ("POST /ath/proxy/helpdesk/socket HTTP/1.1", RIGHT.to_owned()),
        ("GET /ath/proxy/helpdesk/socket HTTP/1.0", RIGHT.to_owned()),
    ] {
        let (status, reason, head) = refusal(&front, start, &lines);
        assert_eq!(status, 400, "{lines}: {head}");
        // A body with a GET is refused before anybody looks for a handshake.
        let body = lines.contains("Content-Length") || lines.contains("Transfer-Encoding");
        let expected = if body { "framing" } else { "websocket_" };
        assert!(reason.starts_with(expected), "{lines}: {reason}");
        assert!(head.contains("connection: close"), "{lines}: {head}");
    }
    let (status, reason, head) = refusal(&front, SOCKET, &with("13", "8"));
    assert_eq!((status, reason.as_str()), (426, "websocket_version"));
    assert!(head.contains("sec-websocket-version: 13"), "{head}");
    assert!(service.ends().is_empty(), "none of them reached the service");
}

#[test]
fn by_http2_one_form_is_taken_and_no_other() {
    let service = Service::start(&[]);
    let front = Fronted::new(&service.url("http"), WEBSOCKET);
    for (what, status, reason) in [("version", 426, "websocket_version"), ("other", 405, "method_not_allowed")] {
        let answer = by_http2(&front, what, "/socket");
        assert_eq!((answer["status"].as_u64(), answer["reason"].as_str()), (Some(status), Some(reason)), "{what}");
    }
    let with_a_length = by_http2(&front, "length", "/socket");
    assert!(with_a_length["reset"].as_u64().is_some_and(|code| code != 0), "the library resets it: {with_a_length}");
    for path in ["/ath/token", "/ath/nothing"] {
        let control = by_http2(&front, "answered", path);
        assert!(control["status"].as_u64().is_some_and(|status| matches!(status, 404 | 405)), "{path}: {control}");
    }
    assert!(service.ends().is_empty());
}

#[test]
fn any_other_upgrade_goes_no_further() {
    let service =
        RawService::start(|_| b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok".to_vec());
    let front = Fronted::new(&service.url(), WEBSOCKET);
    let lines = "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";
    let mut agent = RawAgent::send(&front, SOCKET, lines, b"");
    assert!(agent.head().starts_with("http/1.1 200 "));
    let heads = service.heads();
    assert_eq!(heads.len(), 1);
    assert!(!heads[0].contains("upgrade") && !heads[0].contains("http2-settings"), "{}", heads[0]);
}

#[test]
fn the_gateway_makes_a_handshake_of_its_own() {
    let service = RawService::switching("", b"\x81\x02hi");
    let front = Fronted::new(&service.url(), WEBSOCKET);
    let lines = format!("{RIGHT}Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Accept: x\r\n");
    let mut agent = RawAgent::send(&front, SOCKET, &lines, b"");
    let head = agent.head();
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    assert!(head.contains(&format!("sec-websocket-accept: {}\r\n", ACCEPT.to_ascii_lowercase())), "{head}");
    assert_eq!(agent.exactly(4), b"\x81\x02hi", "what came along with the 101");
    let heads = service.heads();
    assert!(heads[0].contains(&CANARY.to_ascii_lowercase()), "its own credential");
    assert!(!heads[0].contains(&KEY.to_ascii_lowercase()) && heads[0].contains("sec-websocket-key: "), "{}", heads[0]);
    assert!(heads[0].contains("connection: upgrade\r\n") && heads[0].contains("upgrade: websocket\r\n"));
    for dropped in ["sec-websocket-extensions", "sec-websocket-accept"] {
        assert!(!heads[0].contains(dropped), "{}", heads[0]);
    }
}

#[test]
fn an_upstream_that_does_not_switch_as_it_was_asked_to_is_an_error() {
    for lines in [
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        "Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: unasked",
        "Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Extensions: permessage-deflate",
        "Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Accept: {accept}",
        "X: y",
    ] {
        let service = RawService::start_with_accept(move |accept| {
            let lines = lines.replace("{accept}", accept);
            format!("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{lines}\r\n\r\n")
                .into_bytes()
        });
        let front = Fronted::new(&service.url(), WEBSOCKET);
        let (status, reason, _) = refusal_open(&front);
        assert_eq!((status, reason.as_str()), (502, "upstream_malformed"), "{lines}");
    }
    for start in ["Upgrade: h2c\r\nConnection: Upgrade", "Upgrade: websocket", "Connection: Upgrade"] {
        let service = RawService::start_with_accept(move |accept| {
            format!("HTTP/1.1 101 Switching Protocols\r\n{start}\r\nSec-WebSocket-Accept: {accept}\r\n\r\n")
                .into_bytes()
        });
        let front = Fronted::new(&service.url(), WEBSOCKET);
        assert_eq!(refusal_open(&front).0, 502, "{start}");
    }
}

/// The agent sends frames at once; whatever the answer is, the upstream must not have seen them.
fn refusal_open(front: &Fronted) -> (u64, String, String) {
    let lines = format!("{RIGHT}Connection: close\r\n");
    refusal(front, SOCKET, &lines)
}

#[test]
fn what_is_answered_instead_is_an_ordinary_answer() {
    let service = RawService::start(|head| {
        let credential =
            head.lines().find(|line| line.starts_with("authorization: ")).expect("a credential").to_owned();
        format!(
            "HTTP/1.1 400 Bad Request\r\nContent-Length: {}\r\nSec-WebSocket-Version: 13\r\n\r\n{credential}",
            credential.len()
        )
        .into_bytes()
    });
    let front = Fronted::new(&service.url(), WEBSOCKET);
    // What follows it is a request like any other, and no tunnel.
    let mut agent = RawAgent::send(
        &front,
        SOCKET,
        RIGHT,
        b"GET /smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
    );
    let head = agent.head();
    assert!(head.starts_with("http/1.1 400 ") && head.contains("sec-websocket-version: 13"), "{head}");
    let rest = String::from_utf8_lossy(&agent.rest()).into_owned();
    assert!(rest.starts_with("authorization: Bearer ****") && !rest.contains(CANARY), "{rest}");
    assert!(rest.contains("HTTP/1.1 404"), "the second is answered by itself: {rest}");
    assert_eq!(service.heads().len(), 1, "{:?}", service.heads());
    assert!(!service.received().contains("smuggled"));
    let by_http2 = by_http2(&front, "answered", "/socket");
    assert_eq!(by_http2["status"].as_u64(), Some(400));
}

#[test]
fn by_http2_an_answer_of_success_is_no_tunnel() {
    let service = RawService::start(|_| b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec());
    let front = Fronted::new(&service.url(), WEBSOCKET);
    let answer = by_http2(&front, "answered", "/socket");
    assert_eq!((answer["status"].as_u64(), answer["reason"].as_str()), (Some(502), Some("upstream_not_switched")));
    let mut agent = RawAgent::send(&front, SOCKET, RIGHT, b"");
    assert!(agent.head().starts_with("http/1.1 200 "), "by HTTP/1.1 it says what it is");
}

#[test]
fn a_token_that_the_upstream_refuses_is_renewed_and_the_handshake_repeated() {
    let refused = std::sync::atomic::AtomicBool::new(false);
    let service = RawService::start_with_accept(move |accept| {
        if !refused.swap(true, std::sync::atomic::Ordering::SeqCst) {
            return b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n".to_vec();
        }
        format!("HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n")
            .into_bytes()
    });
    let front = Fronted::new(&service.url(), WEBSOCKET);
    let (_agent, head) = RawAgent::open(&front);
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    let heads = service.heads();
    assert_eq!(heads.len(), 2, "{heads:?}");
    for name in ["authorization: ", "sec-websocket-key: "] {
        let values: Vec<_> =
            heads.iter().filter_map(|head| head.lines().find_map(|line| line.strip_prefix(name))).collect();
        assert!(values.len() == 2 && values[0] != values[1], "each attempt has its own: {values:?}");
    }
}
