use super::Scene;
use crate::gate::vectors::say;

/// Pingora CVE-2026-2833, -2835, -2836, CVE-2025-4366: bytes behind an upgrade, chunks in HTTP/1.0, a body that nobody read.
#[test]
fn r41_cve_2026_2833_what_is_left_on_a_connection_is_no_request() {
    let scene = Scene::open();
    let inner = "GET /api/smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    let head = |start: &str, lines: &str| {
        format!("{start}\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {}\r\n{lines}\r\n{inner}", scene.front.token)
    };
    for (what, request) in [
        ("an upgrade", head("GET /api/x HTTP/1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\n")),
        ("chunks in HTTP/1.0", head("POST /api/x HTTP/1.0", "Transfer-Encoding: chunked\r\n")),
        ("a length and chunks", head("POST /api/x HTTP/1.1", "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n")),
        (
            "a refusal with a body",
            head("POST /api/x/../y HTTP/1.1", &format!("Connection: close\r\nContent-Length: {}\r\n", inner.len())),
        ),
        (
            "an unknown path with a body",
            head("POST /nowhere HTTP/1.1", &format!("Connection: close\r\nContent-Length: {}\r\n", inner.len())),
        ),
    ] {
        let heard = say(scene.front.gateway.port(), request.as_bytes());
        assert!(heard.ended && heard.answers() == 1, "{what}: {}", heard.text);
        assert!(!scene.spy.heads().concat().contains("smuggled"), "{what}: {:?}", scene.spy.heads());
    }
}

/// hyper CVE-2021-21299, -32714, -32715, RUSTSEC-2020-0008; async-h1 RUSTSEC-2020-0093: lengths and chunks that were read otherwise.
#[test]
fn r42_cve_2021_32714_framing_has_one_reading() {
    let scene = Scene::open();
    for lines in [
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: cow",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
        "Content-Length: +3",
        "Content-Length: 3\r\nContent-Length: 3",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding:\r\n chunked",
    ] {
        scene.refused(&scene.sends_as_agent("POST", "/api/x", &format!("{lines}\r\n")), 400, lines);
    }
    let port = scene.front.gateway.port();
    // A size beyond 64 bits, of which the low ones would be a small chunk.
    for size in ["f0000000000000003", "10000000000000003", "fffffffffffffffff"] {
        let head = format!(
            "POST /api/x HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {}\r\nTransfer-Encoding: chunked\r\n\r\n{size}\r\nabc\r\n0\r\n\r\n\
             GET /api/smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
            scene.front.token
        );
        let heard = say(port, head.as_bytes());
        assert!(heard.ended && heard.answers() < 2 && heard.status() != 200, "{size}: {}", heard.text);
    }
    assert!(!scene.spy.heads().concat().contains("smuggled"));
}
