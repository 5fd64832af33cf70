use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use tests::{Authority, Fronted, Spy};

use super::Scene;
use crate::gate::vectors::say;

/// Pingora CVE-2026-2833, -2835, -2836, CVE-2025-4366: bytes behind an upgrade, chunks in HTTP/1.0, a body that nobody read.
#[test]
fn r41_cve_2026_2833_what_is_left_on_a_connection_is_no_request() {
    let scene = Scene::open();
    let inner = "GET /api/smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    let with = |start: &str, lines: &str| {
        format!("{start}\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {}\r\n{lines}\r\n{inner}", scene.front.token)
    };
    for (what, request) in [
        ("an upgrade", with("GET /api/x HTTP/1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\n")),
        ("chunks in HTTP/1.0", with("POST /api/x HTTP/1.0", "Transfer-Encoding: chunked\r\n")),
        ("a length and chunks", with("POST /api/x HTTP/1.1", "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n")),
        (
            "a refusal with a body",
            with("POST /api/x/../y HTTP/1.1", &format!("Connection: close\r\nContent-Length: {}\r\n", inner.len())),
        ),
        (
            "an unknown path with a body",
            with("POST /nowhere HTTP/1.1", &format!("Connection: close\r\nContent-Length: {}\r\n", inner.len())),
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
        let request = format!(
            "POST /api/x HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {}\r\nTransfer-Encoding: chunked\r\n\r\n{size}\r\nabc\r\n0\r\n\r\n\
             GET /api/smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
            scene.front.token
        );
        let heard = say(port, request.as_bytes());
        assert!(heard.ended && heard.answers() < 2 && heard.status() != 200, "{size}: {}", heard.text);
    }
    assert!(!scene.spy.heads().concat().contains("smuggled"));
}

/// rustls RUSTSEC-2024-0336, -0399: a farewell within the handshake was read for ever, and a greeting in pieces ended the server.
#[test]
fn r43_rustsec_2024_0399_a_handshake_in_pieces() {
    let spy = Spy::default();
    let authority = Authority::of(&["localhost"]);
    let front = Fronted::over_tls(&spy.url(), "", &authority);
    let hello = client_hello("gateway.example.com");
    for odd in ["xn--gateway-mva.example", "xn--a", "localhost"] {
        let _ = answered(front.secure_port(), &[client_hello(odd)]);
    }
    let farewell = vec![0x15, 3, 3, 0, 2, 1, 0];
    assert_eq!(answered(front.secure_port(), std::slice::from_ref(&farewell)), None);
    let (first, rest) = hello.split_at(5);
    let _ = answered(front.secure_port(), &[first.to_vec(), farewell, rest.to_vec()]);
    let pieces: Vec<Vec<u8>> = hello.iter().map(|byte| vec![*byte]).collect();
    assert_eq!(answered(front.secure_port(), &pieces), Some(HANDSHAKE), "read as a whole, however it comes");
    // The same as records of one byte each.
    let records: Vec<Vec<u8>> = hello[5..].iter().map(|byte| vec![HANDSHAKE, 3, 1, 0, 1, *byte]).collect();
    let _ = answered(front.secure_port(), &records);
    assert_eq!(front.get("/x").status, 200, "it serves on");
}

fn client_hello(name: &str) -> Vec<u8> {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions().expect("TLS");
    let config = builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let mut hello = Vec::new();
    let mut client = ClientConnection::new(Arc::new(config), name).expect("a client");
    client.write_tls(&mut hello).expect("a greeting");
    hello
}

/// The kind of the first record that comes back, where one does.
fn answered(port: u16, pieces: &[Vec<u8>]) -> Option<u8> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("something listens");
    stream.set_nodelay(true).expect("a socket");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    // It may have had enough.
    let sent = pieces.iter().all(|piece| stream.write_all(piece).is_ok());
    let _ = stream.shutdown(Shutdown::Write).is_ok() && sent;
    let mut first = [0];
    stream.read_exact(&mut first).ok().map(|()| first[0]).filter(|kind| *kind != ALERT)
}

const HANDSHAKE: u8 = 0x16;
const ALERT: u8 = 0x15;
