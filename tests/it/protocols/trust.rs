//! Bodies that are guarded, and bodies that pass unread.

use tests::{Answer, CANARY, Fronted, Nginx, Reply, Served};

const SERVER: &str = "gzip on;\ngzip_min_length 1;\ngzip_types *;\ngzip_vary on;";

fn nginx(keys: &str) -> (Nginx, Fronted) {
    let page = "Tickets, tickets, tickets.\n".repeat(400);
    let nginx = Nginx::start("", SERVER, &[("page.txt", page.as_bytes())]);
    let front = Fronted::new(&format!("http://127.0.0.1:{}", nginx.port()), keys);
    (nginx, front)
}

fn get(front: &Fronted, headers: &[(&str, &str)]) -> Answer {
    let call = front.call("GET", "/page.txt");
    front.agent.send(&headers.iter().fold(call, |call, (name, value)| call.header(name, value)))
}

#[test]
fn with_trust_ranges_and_compressed_bodies_pass() {
    let (nginx, front) = nginx("guard = \"trust\"");
    let whole = std::fs::read(nginx.files().join("page.txt")).expect("a file");

    let plain = get(&front, &[]);
    assert_eq!((plain.status, &plain.body, plain.header("content-encoding")), (200, &whole, None));
    let etag = plain.header("etag").expect("a tag").to_owned();

    let packed = get(&front, &[("accept-encoding", "gzip")]);
    assert_eq!((packed.status, packed.header("content-encoding")), (200, Some("gzip")));
    assert!(packed.body.starts_with(&[0x1f, 0x8b]) && packed.body.len() < whole.len() / 10);

    let part = get(&front, &[("range", "bytes=100-199")]);
    assert_eq!((part.status, part.header("content-range")), (206, Some("bytes 100-199/10800")));
    assert_eq!(part.body, &whole[100..200]);
    let unchanged = get(&front, &[("range", "bytes=100-199"), ("if-range", &etag)]);
    assert_eq!((unchanged.status, unchanged.body.len()), (206, 100));
    let changed = get(&front, &[("range", "bytes=100-199"), ("if-range", "\"another\"")]);
    assert_eq!((changed.status, changed.body.len()), (200, whole.len()));
    let parts = get(&front, &[("range", "bytes=0-1,10-11")]);
    assert!(parts.header("content-type").is_some_and(|kind| kind.starts_with("multipart/byteranges")));
    let beyond = get(&front, &[("range", "bytes=99999999-")]);
    assert_eq!((beyond.status, beyond.header("content-range")), (416, Some("bytes */10800")));
}

#[test]
fn with_the_guard_on_neither_is_asked_for() {
    let (nginx, front) = nginx("");
    let whole = std::fs::read(nginx.files().join("page.txt")).expect("a file");
    let answer = get(&front, &[("accept-encoding", "gzip"), ("range", "bytes=100-199"), ("if-range", "\"x\"")]);
    assert_eq!((answer.status, answer.header("content-encoding"), answer.header("content-range")), (200, None, None));
    assert_eq!(answer.body, whole);
    let unchanged = get(&front, &[("if-none-match", answer.header("etag").expect("a tag"))]);
    assert_eq!((unchanged.status, unchanged.body.len(), unchanged.header("etag")), (304, 0, answer.header("etag")));
}

/// Says the credential in a body and in a header.
fn echo() -> Served {
    Served::start(|request| {
        let credential = request.header("authorization").unwrap_or_default().to_owned();
        Reply::Bytes(
            format!(
                "HTTP/1.1 200 OK\r\nx-echo: {credential}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{credential}",
                credential.len()
            )
            .into_bytes(),
        )
    })
}

#[test]
fn a_credential_in_a_header_is_masked_whatever_is_trusted() {
    let upstream = echo();
    for (keys, in_body) in [("guard = \"trust\"", true), ("guard = \"mask\"", false)] {
        let front = Fronted::new(&upstream.url(), keys);
        // Not remembered as what the agent was sent: with trust it is what the operator accepted.
        let answer = front.call("GET", "/echo").send();
        let header = answer.header("x-echo").expect("a header");
        assert!(header.starts_with("Bearer ***") && !header.contains(CANARY), "{keys}: {header}");
        assert_eq!(answer.body_text().contains(CANARY), in_body, "{keys}: {}", answer.body_text());
    }
}
