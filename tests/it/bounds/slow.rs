//! Clients that are slow, in every way that there is: each is let go in its time, and whoever is not slow notices nothing.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tests::{Authority, Fronted, OddHttp, PREFACE, RawFrame, RawH2, Then, Upstream, free_port};

use super::{Modest, ended, place};

const SHORT: &str = "[timeouts]\nhandshake = \"1s\"\nhead = \"2s\"\nidle = \"4s\"\nbody = \"2s\"\nwrite = \"3s\"\nhttp2_ping = \"2s\"\n";
const SECOND: Duration = Duration::from_secs(1);
const LIMIT: Duration = Duration::from_secs(14);

/// It may be a little late; never early.
fn within(took: Duration, from: u32, to: u32, what: &str) {
    assert!(took + SECOND / 5 >= from * SECOND && took <= to * SECOND, "{what}: {took:?}");
}

fn connected(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.set_nodelay(true).expect("a socket");
    stream
}

/// Says it, and then the rest byte by byte.
fn dripping(port: u16, begun: &str, each: Duration) -> (Duration, String) {
    let mut stream = connected(port);
    stream.write_all(begun.as_bytes()).expect("sent");
    let mut other = stream.try_clone().expect("a socket");
    let since = Instant::now();
    std::thread::spawn(move || {
        while other.write_all(b"x").is_ok() && since.elapsed() < LIMIT {
            std::thread::sleep(each);
        }
    });
    ended(&mut stream, LIMIT)
}

#[test]
fn whoever_does_not_come_to_the_point_is_let_go() {
    let front = place("", SHORT).front;
    let port = front.gateway.port();
    let modest = Modest::calls(front.call("GET", "/quick"));
    let upload = |length: u64| format!("{}Content-Length: {length}\r\n\r\n", front.head("PUT", "/put", "1.1"));
    std::thread::scope(|scope| {
        for (what, said, from, to) in [
            ("silent", String::new(), 2, 5),
            ("half a preface", "PRI * HTTP/2.0\r\n".to_owned(), 2, 5),
            ("half a head", format!("{}X-More:", front.head("GET", "/quick", "1.1")), 2, 5),
            ("at rest after an answer", format!("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"), 4, 8),
        ] {
            scope.spawn(move || {
                let mut stream = connected(port);
                stream.write_all(said.as_bytes()).expect("sent");
                within(ended(&mut stream, LIMIT).0, from, to, what);
            });
        }
        let half = front.head("GET", "/quick", "1.1") + "X-More: ";
        scope.spawn(move || within(dripping(port, &half, SECOND / 10).0, 2, 5, "a head that drips"));
        let after = format!("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\nGET /healthz HTTP/1.1\r\nX: ");
        scope.spawn(move || within(dripping(port, &after, SECOND / 10).0, 2, 5, "a second head that drips"));
        for (what, each) in [("a body that does not come", 60 * SECOND), ("a body that drips", SECOND / 10)] {
            let said = upload(1 << 20);
            scope.spawn(move || {
                let (took, answer) = dripping(port, &said, each);
                within(took, 2, 7, what);
                assert!(
                    answer.starts_with("HTTP/1.1 408 ") && answer.contains("\"body_too_slow\""),
                    "{what}: {answer}"
                );
                assert!(answer.to_ascii_lowercase().contains("connection: close"), "{what}: {answer}");
            });
        }
    });
    modest.was_served();
}

#[test]
fn a_body_that_comes_steadily_may_take_its_time() {
    let front = place("", &format!("{SHORT}[limits]\nbytes_per_second = 1000\n")).front;
    let mut stream = connected(front.gateway.port());
    let head = front.head("PUT", "/put", "1.1") + "Content-Length: 30000\r\nConnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).expect("sent");
    for _ in 0..30 {
        stream.write_all(&[b'x'; 1000]).expect("sent");
        std::thread::sleep(SECOND / 4);
    }
    let (_, answer) = ended(&mut stream, LIMIT);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[test]
fn http2_connections_are_let_go_too() {
    let front = place("", SHORT).front;
    let port = front.gateway.port();
    let token = format!("Bearer {}", front.token);
    let modest = Modest::calls(front.call("GET", "/quick"));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut silent = RawH2::silent(port);
            assert!(silent.write(PREFACE));
            within(silent.ends(LIMIT).expect("it ends"), 2, 5, "a preface alone");
        });
        scope.spawn(|| {
            let mut silent = RawH2::to(port, &[]);
            within(silent.ends(LIMIT).expect("it ends"), 2, 6, "settings alone");
        });
        scope.spawn(|| {
            let mut half = RawH2::to(port, &[]);
            assert!(half.send(1, 0, 1, &[0x82]));
            within(half.ends(LIMIT).expect("it ends"), 2, 6, "half a head");
        });
        scope.spawn(|| {
            let mut resting = RawH2::to(port, &[]);
            assert!(resting.request(1, "GET", "/healthz", &[], 1));
            resting.until(LIMIT, |frame| frame.kind == 0 && frame.flags & 1 == 1).expect("an answer");
            let begun = Instant::now();
            let goaway = resting.until(LIMIT, |frame| frame.kind == 7).expect("it is told to go");
            within(begun.elapsed(), 4, 8, "at rest, and there");
            assert_eq!(goaway.payload[4..8], [0; 4], "nothing was wrong");
            resting.until(LIMIT, |_| false);
            resting.ends(LIMIT).expect("and it ends");
        });
        scope.spawn(|| {
            let mut stalled = RawH2::to(port, &[]);
            assert!(stalled.request(1, "PUT", "/api/put", &[("authorization", &token)], 0));
            let begun = Instant::now();
            stalled.until(LIMIT, |frame| frame.kind == 1 && frame.stream == 1).expect("an answer");
            within(begun.elapsed(), 2, 6, "a body that does not come");
            assert!(stalled.request(3, "GET", "/api/quick", &[("authorization", &token)], 1));
            stalled.until(LIMIT, |frame| frame.kind == 0 && frame.stream == 3).expect("the connection goes on");
        });
    });
    modest.was_served();
}

#[test]
fn a_stream_of_grpc_may_be_silent() {
    let front = place("response_timeout = \"3s\"", SHORT).front;
    let token = format!("Bearer {}", front.token);
    let mut client = RawH2::to(front.gateway.port(), &[]);
    let fields = [("authorization", token.as_str()), ("content-type", "application/grpc"), ("te", "trailers")];
    assert!(client.request(1, "POST", "/api/put", &fields, 0));
    let answered = |frame: &RawFrame| frame.kind == 1 && frame.stream == 1;
    assert!(client.until(7 * SECOND, answered).is_none(), "it is waited for");
    assert!(client.send(0, 1, 1, b"at last"));
    client.until(LIMIT, answered).expect("an answer");
}

#[test]
fn a_tls_handshake_has_its_time() {
    let authority = Authority::of(&["localhost", "127.0.0.1"]);
    let upstream = Upstream::start(free_port(), |_| {});
    let there = format!("http://localhost:{}", upstream.port());
    let front = Fronted::over_tls(&there, "", &authority);
    let port = front.secure_port();
    std::thread::scope(|scope| {
        // The head of a ClientHello of 512 bytes, and no more of it, or a byte now and then.
        scope.spawn(move || within(ended(&mut connected(port), LIMIT).0, 5, 8, "no hello"));
        let hello = "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\u{7c}\u{3}\u{3}";
        scope.spawn(move || within(dripping(port, hello, SECOND / 2).0, 5, 8, "a hello that drips"));
    });
}

/// An API that never stops to speak; tells when nobody listens any more.
fn endless() -> (OddHttp, mpsc::Receiver<Duration>) {
    let (tell, told) = mpsc::channel();
    let api = OddHttp::start(move |exchange| {
        if exchange.path().contains("quick") {
            return super::answers(exchange, &AtomicBool::new(true));
        }
        let begun = Instant::now();
        let mut taken = exchange.write(b"HTTP/1.1 200 OK\r\n\r\n");
        while taken {
            taken = exchange.write(&[b'x'; 8 << 10]);
        }
        let _ = tell.send(begun.elapsed());
        Then::Close
    });
    (api, told)
}

#[test]
fn an_answer_that_nobody_takes_is_not_kept() {
    let (api, told) = endless();
    let front = Fronted::with(&api.url(), "", SHORT);
    let modest = Modest::calls(front.call("GET", "/quick"));
    let mut stream = connected(front.gateway.port());
    stream.write_all((front.head("GET", "/endless", "1.1") + "\r\n").as_bytes()).expect("sent");
    within(told.recv_timeout(LIMIT).expect("the upstream is let go"), 3, 9, "HTTP/1.1");
    modest.was_served();
}

#[test]
fn a_stream_that_nobody_takes_is_not_kept_and_the_others_of_its_connection_go_on() {
    let (api, told) = endless();
    let front = Fronted::with(&api.url(), "", SHORT);
    let token = format!("Bearer {}", front.token);
    let mut client = RawH2::to(front.gateway.port(), &[]);
    // Its window is full after 64 KiB; the connection's is large.
    assert!(client.send(8, 0, 0, &(1u32 << 30).to_be_bytes()));
    assert!(client.request(1, "GET", "/api/endless", &[("authorization", &token)], 1));
    let begun = Instant::now();
    let mut number = 3;
    let stalled = loop {
        assert!(client.request(number, "GET", "/api/quick", &[("authorization", &token)], 1));
        client.until(LIMIT, |frame| frame.kind == 0 && frame.stream == number).expect("others go on");
        number += 2;
        if let Ok(took) = told.try_recv() {
            break took;
        }
        assert!(begun.elapsed() < LIMIT, "the upstream is let go");
        std::thread::sleep(SECOND / 10);
    };
    within(stalled, 3, 9, "HTTP/2");
    assert!(client.request(number, "GET", "/api/quick", &[("authorization", &token)], 1));
    client.until(LIMIT, |frame| frame.kind == 0 && frame.stream == number).expect("others go on");
}
