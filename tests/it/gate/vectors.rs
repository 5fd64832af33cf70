//! Requests that two servers could read differently, byte by byte: none of them reaches the upstream, and after each the connection ends.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use tests::{Fronted, Spy};

/// What came back on one connection, to its end.
pub(crate) struct Heard {
    pub(crate) text: String,
    pub(crate) ended: bool,
}

/// Sends these bytes on a connection of their own, and hears everything to its end.
pub(crate) fn say(port: u16, bytes: &[u8]) -> Heard {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("something listens");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    // Whoever refuses early may have gone before it has read everything.
    let _ = stream.write_all(bytes);
    let mut heard = Vec::new();
    let ended = match stream.read_to_end(&mut heard) {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    };
    Heard { text: String::from_utf8_lossy(&heard).into_owned(), ended }
}

impl Heard {
    pub(crate) fn answers(&self) -> usize {
        self.text.matches("HTTP/1.1 ").count()
    }

    pub(crate) fn status(&self) -> u16 {
        self.text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }
}

struct Range {
    spy: Spy,
    front: Fronted,
}

impl Range {
    fn new(keys: &str) -> Self {
        let spy = Spy::default();
        let front = Fronted::new(&spy.url(), keys);
        Self { spy, front }
    }

    /// `H` in a vector stands for the lines that make a request right, `\n` for the end of a line, as long as it is not escaped.
    fn written(&self, vector: &str) -> Vec<u8> {
        let right = format!("Host: 127.0.0.1\r\nAuthorization: Bearer {}\r\n", self.front.token);
        let text =
            vector.replace("{LF}", "\u{1}").replace('\n', "\r\n").replace('\u{1}', "\n").replace("{H}\r\n", &right);
        text.replace("{CR}", "\r").replace("{NUL}", "\0").replace("{T}", &self.front.token).into_bytes()
    }

    /// A vector, and a request behind it that nobody may look at any more.
    fn refuses(&self, vector: &str, status: u16, reason: &str) {
        let mut bytes = self.written(vector);
        bytes.extend(self.written("GET /api/behind HTTP/1.1\n{H}\n\n"));
        let heard = say(self.front.gateway.port(), &bytes);
        let said = format!("{vector:.300?}: {:.400}", heard.text);
        assert_eq!((heard.status(), heard.answers()), (status, 1), "{said}");
        assert!(heard.text.contains(&format!("\"reason\":\"{reason}\"")), "{reason} of {said}");
        assert!(heard.text.to_ascii_lowercase().contains("\r\nconnection: close\r\n"), "{said}");
        assert!(heard.ended, "the connection ends: {said}");
        assert!(self.spy.heads().is_empty(), "{said}: {:?}", self.spy.heads());
    }
}

#[test]
fn a_length_that_can_be_read_in_two_ways() {
    let range = Range::new("");
    for lines in [
        "Content-Length: 5\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\nContent-Length: 5",
        "Content-Length: 5\nContent-Length: 5",
        "Content-Length: 5\nContent-Length: 6",
        "Content-Length: 5, 5",
        "Content-Length: +5",
        "Content-Length: -5",
        "Content-Length: 0x5",
        "Content-Length: 05",
        "Content-Length: 5 5",
        "Content-Length: 5;",
        "Content-Length: 5e0",
        "Content-Length: 5.0",
        "Content-Length:",
        "Content-Length: 99999999999999999999",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\nTransfer-Encoding: identity",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: chunked,",
        "Transfer-Encoding: ,chunked",
        "Transfer-Encoding:",
    ] {
        range.refuses(&format!("POST /api/x HTTP/1.1\n{{H}}\n{lines}\n\n0\n\n"), 400, "framing");
    }
    // A body with a GET is one that half of all servers do not look for.
    for method in ["GET", "HEAD"] {
        for lines in ["Content-Length: 5\n\nfives", "Transfer-Encoding: chunked\n\n0\n\n"] {
            let vector = format!("{method} /api/x HTTP/1.1\n{{H}}\n{lines}");
            if method == "GET" {
                range.refuses(&vector, 400, "framing");
            } else {
                assert_eq!(say(range.front.gateway.port(), &range.written(&vector)).status(), 400, "{vector}");
            }
        }
    }
    range.refuses("POST /api/x HTTP/1.0\n{H}\nTransfer-Encoding: chunked\n\n0\n\n", 400, "framing");
}

#[test]
fn a_head_that_is_none() {
    let range = Range::new("");
    for lines in [
        "Accept: a{LF}X-Injected: b",
        "Accept: a{CR}X-Injected: b",
        "Accept: a{NUL}b",
        "Accept: a\n folded",
        "Accept: a\n\tfolded",
        "Accept : a",
        "Accept\t: a",
        " Accept: a",
        "Content-Length : 5",
        "Transfer-Encoding : chunked",
        "Accept",
        ": a",
        "Acc ept: a",
        "Acc\u{e9}pt: a",
        "Transfer-Encoding{CR}: chunked",
        "Accept: a{CR}",
    ] {
        range.refuses(&format!("POST /api/x HTTP/1.1\n{{H}}\n{lines}\n\n"), 400, "syntax");
    }
    for start in [
        "GET /api/x HTTP/1.1{LF}",
        "GET  /api/x HTTP/1.1\n",
        "GET /api/x  HTTP/1.1\n",
        "GET\t/api/x HTTP/1.1\n",
        "GET /api/x HTTP/1.1 \n",
        "GET /api/x y HTTP/1.1\n",
        "GET /api/x HTTP/1.2\n",
        "GET /api/x HTTP/2.0\n",
        "GET /api/x HTTP/0.9\n",
        "GET /api/x http/1.1\n",
        "GET /api/x HTTP/1.10\n",
        "GET /api/x HTTP/11\n",
        "GET /api/x\n",
        " GET /api/x HTTP/1.1\n",
        "\nGET /api/x HTTP/1.1\n",
        "{LF}GET /api/x HTTP/1.1\n",
        "G\u{e9}T /api/x HTTP/1.1\n",
        "GET{NUL} /api/x HTTP/1.1\n",
    ] {
        range.refuses(&format!("{start}{{H}}\n\n"), 400, "syntax");
    }
}

#[test]
fn a_target_in_another_form() {
    let range = Range::new("");
    for target in [
        "http://evil.test/api/x",
        "http://127.0.0.1/api/x",
        "https://127.0.0.1:443/api/x",
        "HTTP://127.0.0.1/api/x",
        "evil.test:443",
        "*",
        "api/x",
        "/api/x#fragment",
        "/api/x#/../admin",
        "/api#/x",
        "/api/x?a=b#c",
        "/api\\x",
        "\\api/x",
        "/api/\u{e9}",
        "/api/x?q=\u{e9}",
    ] {
        range.refuses(&format!("GET {target} HTTP/1.1\n{{H}}\n\n"), 400, "target_form");
    }
    range.refuses("OPTIONS * HTTP/1.1\n{H}\n\n", 400, "target_form");
    range.refuses(&format!("GET /api/{} HTTP/1.1\n{{H}}\n\n", "a".repeat(8192)), 414, "target_too_long");
    range.refuses(&format!("GET /api/x?{} HTTP/1.1\n{{H}}\n\n", "a".repeat(8192)), 414, "target_too_long");
}

#[test]
fn a_host_that_is_none_or_two() {
    let range = Range::new("");
    for lines in ["", "Host: 127.0.0.1\nHost: 127.0.0.1\n", "Host: 127.0.0.1\nHost: evil.test\n", "Host:\n"] {
        range.refuses(&format!("GET /api/x HTTP/1.1\n{lines}Authorization: Bearer {{T}}\n\n"), 400, "host");
    }
    for host in [
        "evil.test",
        "127.0.0.1@evil.test",
        "evil.test@127.0.0.1",
        "127.0.0.1,evil.test",
        "127.0.0.1:",
        "127.0.0.1:x",
        "a b",
    ] {
        let vector = format!("GET /api/x HTTP/1.1\nHost: {host}\nAuthorization: Bearer {{T}}\n\n");
        range.refuses(&vector, 421, "misdirected");
    }
}

#[test]
fn a_header_that_passes_for_another() {
    let range = Range::new("");
    for name in [
        "Transfer_Encoding: chunked",
        "Content_Length: 5",
        "Content.Length: 5",
        "X_ATH_Agent_ID: other",
        "X-ATH_Agent-ID: other",
        "Authorization_: Bearer x",
        "_Authorization: Bearer x",
        "Proxy_Authorization: Basic x",
        "Cookie_: a=b",
        "Host_: evil.test",
    ] {
        range.refuses(&format!("GET /api/x HTTP/1.1\n{{H}}\n{name}\n\n"), 400, "header_name");
    }
    for named in ["Authorization", "close, X-ATH-Agent-ID", "HOST", "content-length", "cookie", "proxy-authorization"] {
        range.refuses(&format!("GET /api/x HTTP/1.1\n{{H}}\nConnection: {named}\n\n"), 400, "connection_header");
    }
    range.refuses("GET /api/x HTTP/1.1\n{H}\nAuthorization: Bearer x\n\n", 400, "authorization_doubled");
    range.refuses("GET /api/x HTTP/1.1\n{H}\nAuthorization: Bearer {T}\n\n", 400, "authorization_doubled");
    for expectation in ["200-ok", "100-continue, 200-ok", "100-continue;x=y", ""] {
        let vector = format!("POST /api/x HTTP/1.1\n{{H}}\nContent-Length: 5\nExpect: {expectation}\n\nfives");
        range.refuses(&vector, 417, "expect");
    }
}

#[test]
fn more_than_a_head_may_hold() {
    let range = Range::new("");
    let fields = |count: usize| (0..count).map(|number| format!("X-{number}: 1\n")).collect::<Vec<_>>().concat();
    for lines in [
        fields(65),
        fields(101),
        fields(5000),
        format!("X-Large: {}\n", "x".repeat(17 << 10)),
        format!("X-Large: {}\n", "x".repeat(1 << 20)),
    ] {
        range.refuses(&format!("GET /api/x HTTP/1.1\n{{H}}\n{lines}\n"), 431, "headers_too_large");
    }
}

/// Until the chunks go wrong the request is one, and may be on its way: what stands behind them never is.
#[test]
fn chunks_that_are_none() {
    let range = Range::new("");
    for (number, chunks) in [
        "5{LF}fives\n0\n\n",
        "5\nfives0\n\n",
        "5\nfivesX\n0\n\n",
        "6\nfives\n0\n\n",
        "0x5\nfives\n0\n\n",
        "+5\nfives\n0\n\n",
        "-5\nfives\n0\n\n",
        " 5\nfives\n0\n\n",
        "5 \nfives\n0\n\n",
        "\n5\nfives\n0\n\n",
        "g\nfives\n0\n\n",
        "FFFFFFFFFFFFFFFFF\nfives\n0\n\n",
        "5;a{LF}b\nfives\n0\n\n",
        "5;a{CR}b\nfives\n0\n\n",
        "5\nfives{LF}0\n\n",
        "5\nfives\n0\n{LF}",
        "5\nfives\n0\nX: a{LF}b\n\n",
    ]
    .into_iter()
    .enumerate()
    {
        let vector = format!("POST /api/{number} HTTP/1.1\n{{H}}\nTransfer-Encoding: chunked\n\n{chunks}");
        let mut bytes = range.written(&vector);
        bytes.extend(range.written("GET /api/behind HTTP/1.1\n{H}\n\n"));
        let heard = say(range.front.gateway.port(), &bytes);
        assert!(heard.ended && heard.answers() < 2 && heard.status() != 200, "{chunks:?}: {}", heard.text);
    }
    let heads = range.spy.heads();
    assert!(heads.iter().all(|head| head.starts_with("POST /")), "{heads:?}");
    assert!(heads.len() <= 17, "each at most once: {heads:?}");
    assert_eq!(range.front.get("/fine").status, 200);
}

/// What says how far a message goes says it once: trailers are read, and dropped.
#[test]
fn trailers_are_dropped() {
    let range = Range::new("");
    let vector = "POST /api/x HTTP/1.1\n{H}\nTransfer-Encoding: chunked\nTrailer: Authorization\n\n5\nfives\n0\nAuthorization: Bearer evil\n\
                  X-ATH-Agent-ID: other\nContent-Length: 9\n\n";
    let mut bytes = range.written(vector);
    bytes.extend(range.written("GET /api/second HTTP/1.1\n{H}\nConnection: close\n\n"));
    let heard = say(range.front.gateway.port(), &bytes);
    assert_eq!(heard.answers(), 2, "{}", heard.text);
    let heads = range.spy.heads();
    assert_eq!(heads.len(), 2, "{heads:?}");
    assert!(!heads.concat().contains("evil") && !heads[0].to_ascii_lowercase().contains("trailer"), "{heads:?}");
}

/// What is refused for another reason than its form, with its body unread, ends the connection or reads the body: a request in it is
/// never one.
#[test]
fn a_request_in_an_unread_body_is_never_one() {
    let range = Range::new("");
    let inner = String::from_utf8(range.written("GET /api/smuggled HTTP/1.1\n{H}\n\n")).expect("text");
    for start in ["POST /api/x", "POST /ath/proxy/none/x", "POST /nowhere", "POST /ath/token", "POST /api/x/../y"] {
        let mut bytes = format!(
            "{start} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer wrong\r\nContent-Length: {}\r\n\r\n{inner}",
            inner.len()
        )
        .into_bytes();
        bytes.extend_from_slice(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
        let heard = say(range.front.gateway.port(), &bytes);
        assert!(heard.ended && (1..=2).contains(&heard.answers()) && heard.status() >= 400, "{start}: {}", heard.text);
        assert!(!heard.text.contains("fine"), "{start}: {}", heard.text);
    }
    assert_eq!(range.spy.count(), 0);
}

/// Bytes behind an upgrade that nobody agreed to are no request of the upstream's.
#[test]
fn what_stands_behind_an_upgrade_is_not_forwarded_early() {
    let range = Range::new("websocket = true");
    for lines in [
        "Connection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n",
        "Connection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\n",
        "Connection: Upgrade\nUpgrade: TLS/1.0\n",
    ] {
        let before = range.spy.count();
        let mut bytes = range.written(&format!("GET /api/switch HTTP/1.1\n{{H}}\n{lines}\n"));
        bytes.extend_from_slice(b"GET /smuggled HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n");
        let heard = say(range.front.gateway.port(), &bytes);
        assert!(heard.ended, "{lines}: {}", heard.text);
        let heads = range.spy.heads();
        assert!(heads.len() - before < 2 && !heads.concat().contains("smuggled"), "{lines}: {heads:?}");
        assert!(!heads.concat().to_ascii_lowercase().contains("h2c"), "{heads:?}");
    }
}

/// The other side of it: what can be read in one way is forwarded, as often as it was sent.
#[test]
fn what_is_plain_passes_once_each() {
    let range = Range::new("");
    let each = [
        "GET /api/1 HTTP/1.1\n{H}\n\n",
        "POST /api/2 HTTP/1.1\n{H}\nContent-Length: 5\n\nfives",
        "PUT /api/3 HTTP/1.1\n{H}\nTransfer-Encoding: Chunked\n\n5\nfives\n0\n\n",
        "POST /api/4 HTTP/1.1\n{H}\nTransfer-Encoding: \t chunked \n\n3;x=y\nfiv\n2\nes\n0\n\n",
        "DELETE /api/5 HTTP/1.1\n{H}\nContent-Length: 0\n\n",
        "POST /api/6 HTTP/1.1\n{H}\nContent-Length: 5\nExpect: 100-Continue\n\nfives",
        "GET /api/7?x=%zz&y=a;b HTTP/1.1\n{H}\nConnection: close, X-Hop\nX-Hop: 1\n\n",
    ];
    let bytes: Vec<u8> = each.iter().flat_map(|vector| range.written(vector)).collect();
    let heard = say(range.front.gateway.port(), &bytes);
    assert_eq!(heard.text.matches("HTTP/1.1 200").count(), each.len(), "{}", heard.text);
    let heads = range.spy.heads();
    assert_eq!(heads.len(), each.len());
    assert_eq!(heads[6].lines().next(), Some("GET /7?x=%zz&y=a;b HTTP/1.1"));
}
