//! Of an agent's headers only those that are listed go on.

use tests::{Fronted, Spy};

fn names(spy: &Spy) -> Vec<String> {
    let mut names: Vec<String> = spy.last().into_iter().map(|(name, _)| name).collect();
    names.sort();
    names
}

/// What the gateway sends of its own: to whom, as whom, and that bodies come plain.
const OWN: [&str; 3] = ["accept-encoding", "authorization", "host"];

/// Headers by which some service, proxy or framework decides something, and what nobody has heard of.
fn three_hundred() -> Vec<String> {
    let words = [
        "user",
        "host",
        "url",
        "uri",
        "path",
        "method",
        "role",
        "tenant",
        "account",
        "client-ip",
        "remote-user",
        "forwarded-host",
        "original-url",
        "rewrite-url",
        "real-ip",
        "api-key",
        "auth",
        "token",
        "debug",
        "admin",
        "scope",
        "origin",
        "proto",
        "port",
        "scheme",
        "request-id",
        "trace",
        "cluster",
        "route",
        "backend",
    ];
    let shapes = [
        "x-{}",
        "x-{}-override",
        "x_{}",
        "x.{}",
        "{}-override",
        "x-acme-{}",
        "x-envoy-{}",
        "x-amz-{}",
        "cf-{}",
        "x-b3-{}",
    ];
    shapes.iter().flat_map(|shape| words.iter().map(move |word| shape.replace("{}", word))).collect()
}

/// `name`s, fifty to a request.
pub(crate) fn seen_of(front: &Fronted, spy: &Spy, sent: &[String]) -> Vec<String> {
    let mut seen = Vec::new();
    for some in sent.chunks(50) {
        let request = some.iter().fold(front.call("GET", "/x"), |request, name| request.header(name, "1"));
        let answer = front.agent.send(&request);
        assert_eq!(answer.status, 200, "{}", answer.body_text());
        seen.extend(names(spy).into_iter().filter(|name| !OWN.contains(&name.as_str())));
    }
    seen
}

#[test]
fn of_three_hundred_names_those_listed_go_on() {
    let spy = Spy::default();
    let front = Fronted::new(&spy.url(), "request_headers = [\"X-Trace\", \"x-acme-*\"]");
    let sent = three_hundred();
    assert_eq!(sent.len(), 300);
    let seen = seen_of(&front, &spy, &sent);
    assert!(seen.contains(&"x-trace".to_owned()) && seen.contains(&"x-acme-tenant".to_owned()), "{seen:?}");
    let odd: Vec<&String> = seen.iter().filter(|name| *name != "x-trace" && !name.starts_with("x-acme-")).collect();
    assert!(odd.is_empty(), "{odd:?}");
    for name in ["x-acme-api-key", "x-acme-token"] {
        assert!(!seen.contains(&name.to_owned()), "a family takes no credential in: {name}");
    }
}

#[test]
fn the_headers_that_every_api_knows_go_on_and_nothing_beside_them() {
    let spy = Spy::default();
    let front = Fronted::new(&spy.url(), "");
    let sent = [
        ("accept", "*/*"),
        ("accept-language", "en"),
        ("baggage", "role=admin"),
        ("cache-control", "no-cache"),
        ("cookie", "a=b"),
        ("if-none-match", "\"x\""),
        ("idempotency-key", "7"),
        ("last-event-id", "7"),
        ("mcp-protocol-version", "2025-06-18"),
        ("origin", "https://evil.test"),
        ("prefer", "return=minimal"),
        ("range", "bytes=0-1"),
        ("referer", "https://evil.test/"),
        ("te", "trailers"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("upgrade-insecure-requests", "1"),
        ("user-agent", "agent/1"),
    ];
    let request = sent.iter().fold(front.call("POST", "/x"), |request, (name, value)| request.header(name, value));
    let answer = front.agent.send(&request.header("content-type", "text/plain").body(b"four".to_vec()));
    assert_eq!(answer.status, 200, "{}", answer.body_text());
    assert_eq!(
        names(&spy),
        [
            "accept",
            "accept-encoding",
            "accept-language",
            "authorization",
            "cache-control",
            "content-length",
            "content-type",
            "host",
            "idempotency-key",
            "if-none-match",
            "last-event-id",
            "mcp-protocol-version",
            "prefer",
            "traceparent",
            "user-agent",
        ]
    );
    let values = spy.last();
    let value = |wanted: &str| values.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    assert_eq!((value("accept-encoding"), value("content-length")), (Some("identity"), Some("4")));
}

/// What an upstream's own version header is by default, an agent may say otherwise; what the operator says for good, it may not.
#[test]
fn default_headers_are_the_agents_to_change() {
    let spy = Spy::default();
    let keys = "default_headers = { Notion-Version = \"2022-06-28\" }\nheaders = { X-Fixed = \"1\" }";
    let front = Fronted::new(&spy.url(), keys);
    let call = |version: Option<&str>| {
        let request = front.call("GET", "/x").header("x-fixed", "2").header("x_fixed", "3");
        let request = version.map_or(request.clone(), |version| request.header("notion-version", version));
        assert_eq!(front.agent.send(&request).status, 200);
        let seen = spy.last().into_iter().filter(|(name, _)| name.contains("version") || name.contains("fixed"));
        let mut seen: Vec<String> = seen.map(|(name, value)| format!("{name}: {value}")).collect();
        seen.sort();
        seen
    };
    assert_eq!(call(None), ["notion-version: 2022-06-28", "x-fixed: 1"]);
    assert_eq!(call(Some("2025-09-03")), ["notion-version: 2025-09-03", "x-fixed: 1"]);
}
