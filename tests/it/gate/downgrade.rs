//! What HTTP/2 can say and HTTP/1.1 reads otherwise: none of it reaches an upstream that is spoken to in HTTP/1.1.

use tests::{Fronted, Spy};

use super::frames::{Outcome, ask};

struct Range {
    spy: Spy,
    front: Fronted,
    bearer: String,
}

impl Range {
    fn new() -> Self {
        let spy = Spy::default();
        let front = Fronted::new(&spy.url(), "");
        let bearer = format!("Bearer {}", front.token);
        Self { spy, front, bearer }
    }

    /// A right request but for these fields, each instead of the one of its name.
    fn ask(&self, changed: &[(&str, &str)], body: Option<&[u8]>) -> Outcome {
        let right = [
            (":method", "POST"),
            (":scheme", "http"),
            (":authority", "127.0.0.1"),
            (":path", "/api/x"),
            ("authorization", &self.bearer),
        ];
        let kept = right.into_iter().filter(|(name, _)| !changed.iter().any(|(other, _)| other == name));
        let pseudo = |field: &&(&str, &str)| field.0.starts_with(':');
        let (first, then): (Vec<_>, Vec<_>) = kept.chain(changed.iter().copied()).partition(|field| pseudo(&field));
        ask(self.front.gateway.port(), &[first, then].concat(), body, &[])
    }

    fn refuses(&self, changed: &[(&str, &str)], body: Option<&[u8]>) {
        let outcome = self.ask(changed, body);
        self.is_refusal(outcome, &format!("{changed:?}"));
    }

    fn is_refusal(&self, outcome: Outcome, what: &str) {
        let refused = match outcome {
            Outcome::Answered(status) => (400..500).contains(&status),
            Outcome::Reset | Outcome::Gone => true,
        };
        assert!(refused, "{what}: {outcome:?}");
        assert_eq!(self.spy.count(), 0, "{what}: {:?}", self.spy.heads());
    }
}

#[test]
fn what_http1_reads_otherwise_is_refused() {
    let range = Range::new();
    for value in ["a\r\nx-evil: b", "a\nb", "a\rb", "a\0b", "a\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n"] {
        for name in ["accept", "user-agent", ":path", ":authority", ":method", ":scheme"] {
            range.refuses(&[(name, value)], None);
        }
    }
    for name in ["Accept", "X-Upper", "a b", "a:b", "a\r\nb", "a\0", "", "accept\n", "accept ", "\taccept"] {
        range.refuses(&[(name, "x")], None);
    }
    for (name, value) in [
        ("transfer-encoding", "chunked"),
        ("transfer-encoding", "identity"),
        ("connection", "close"),
        ("connection", "authorization"),
        ("keep-alive", "1"),
        ("proxy-connection", "close"),
        ("upgrade", "websocket"),
        ("te", "gzip"),
        ("te", "trailers, gzip"),
        ("content-length", "5"),
        ("content-length", "-1"),
        ("content-length", "+5"),
        ("content-length", "x"),
        ("content-length", "99999999999999999999"),
        ("host", "evil.test"),
        ("host", "127.0.0.1:1"),
        ("host", ""),
        ("transfer_encoding", "chunked"),
        ("content_length", "5"),
        ("x_ath_agent_id", "x"),
        ("authorization_", "Bearer x"),
        ("expect", "200-ok"),
        ("x-large", &"x".repeat(17 << 10)),
    ] {
        range.refuses(&[(name, value)], None);
    }
    for path in [
        "",
        "*",
        "x",
        "http://evil.test/",
        "//evil.test@",
        "/api/x y",
        "/api/x\t",
        "/api/%2e%2e/y",
        "/api\\x",
        "/api/../x",
        "/api/\u{e9}",
    ] {
        range.refuses(&[(":path", path)], None);
    }
    for method in ["", "get", "TRACE", "CONNECT", "PRI", "GET /smuggled HTTP/1.1", "G T", "PROPFIND"] {
        range.refuses(&[(":method", method)], None);
    }
    for authority in [
        "",
        "evil.test",
        "127.0.0.1@evil.test",
        "evil.test@127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:x",
        "a/b",
        "127.0.0.1, evil.test",
    ] {
        range.refuses(&[(":authority", authority)], None);
    }
}

/// The library cuts off a fragment before anybody can see it: what is left is what is matched and what is sent.
#[test]
fn a_fragment_is_no_part_of_what_is_matched_or_sent() {
    let range = Range::new();
    assert_eq!(range.ask(&[(":path", "/api/x#/../y")], None), Outcome::Answered(200));
    assert!(range.spy.heads()[0].starts_with("POST /x HTTP/1.1\r\n"));
    let outcome = range.ask(&[(":path", "/nowhere#/api/x")], None);
    assert_eq!((outcome, range.spy.count()), (Outcome::Answered(404), 1));
}

#[test]
fn fields_in_another_order_or_number_are_refused() {
    let range = Range::new();
    let port = range.front.gateway.port();
    let bearer = ("authorization", range.bearer.as_str());
    let (method, scheme, authority, path) =
        ((":method", "GET"), (":scheme", "http"), (":authority", "127.0.0.1"), (":path", "/api/x"));
    for (what, fields) in [
        ("a pseudo-header behind a field", vec![method, scheme, authority, bearer, path]),
        ("two paths", vec![method, scheme, authority, path, (":path", "/api/y"), bearer]),
        ("two methods", vec![method, (":method", "DELETE"), scheme, authority, path, bearer]),
        ("two authorities", vec![method, scheme, authority, (":authority", "evil.test"), path, bearer]),
        ("one that is unknown", vec![method, scheme, authority, path, (":evil", "x"), bearer]),
        ("an answer's", vec![method, scheme, authority, path, (":status", "200"), bearer]),
        ("no path", vec![method, scheme, authority, bearer]),
        ("no method", vec![scheme, authority, path, bearer]),
        ("no scheme", vec![method, authority, path, bearer]),
        ("no host", vec![method, scheme, path, bearer]),
        ("two hosts", vec![method, scheme, authority, path, ("host", "127.0.0.1"), ("host", "127.0.0.1"), bearer]),
        ("two credentials", vec![method, scheme, authority, path, bearer, ("authorization", "Bearer x")]),
        (
            "two lengths",
            vec![method, scheme, authority, path, bearer, ("content-length", "0"), ("content-length", "0")],
        ),
        ("a protocol", vec![method, scheme, authority, path, (":protocol", "websocket"), bearer]),
    ] {
        range.is_refusal(ask(port, &fields, None, &[]), what);
    }
}

/// Until it is another length than was said the request is one, and may be on its way: it never comes to its end there.
#[test]
fn a_body_of_another_length_is_never_whole() {
    let range = Range::new();
    for (length, body) in [("5", &b"fou"[..]), ("3", b"fives"), ("0", b"GET /smuggled HTTP/1.1\r\n\r\n")] {
        let outcome = range.ask(&[("content-length", length)], Some(body));
        assert!(!matches!(outcome, Outcome::Answered(200..400)), "{length}: {outcome:?}");
    }
    assert!(!range.spy.heads().concat().contains("smuggled"), "{:?}", range.spy.heads());
    assert!(range.spy.count() <= 3);
}

#[test]
fn what_is_plain_passes_and_trailers_do_not() {
    let range = Range::new();
    assert_eq!(range.ask(&[], None), Outcome::Answered(200));
    assert_eq!(range.ask(&[("content-length", "5")], Some(b"fives")), Outcome::Answered(200));
    let body = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n";
    let fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "127.0.0.1"),
        (":path", "/api/x"),
        ("authorization", &range.bearer),
        ("cookie", "a=b"),
        ("te", "trailers"),
    ];
    let trailers = [("authorization", "Bearer evil"), ("content-length", "9"), ("x-checksum", "1")];
    assert_eq!(ask(range.front.gateway.port(), &fields, Some(body), &trailers), Outcome::Answered(200));
    let heads = range.spy.heads();
    assert_eq!(heads.len(), 3, "{heads:?}");
    let last = heads[2].to_ascii_lowercase();
    assert!(
        last.contains("transfer-encoding: chunked")
            && !last.contains("evil")
            && !last.contains("cookie")
            && !last.contains("\r\nte:")
    );
}
