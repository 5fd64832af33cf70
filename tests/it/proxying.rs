//! The data plane: who may call what, what the upstream sees, and what comes back.

use serde_json::json;
use tests::{Agent, Browser, CANARY, Gateway, Store, Upstream, free_port, raw};

struct Scene {
    gateway: Gateway,
    upstream: Upstream,
    agent: Agent,
    token: String,
}

impl Scene {
    fn new() -> Self {
        let upstream = Upstream::start(free_port(), |_| {});
        let gateway =
            Gateway::start_with(Store::Embedded, upstream.gateway_port(), &upstream.provider("pkce = \"none\""));
        Self::with(gateway, upstream)
    }

    fn with(gateway: Gateway, upstream: Upstream) -> Self {
        let mut agent = Agent::new("Ticket Helper");
        agent.register(&gateway);
        let (link, session) = agent.authorize(&gateway, &["read:tickets", "write:tickets"]);
        let end = Browser::new().consent(&link);
        let token = agent.exchange(&gateway, &session, &end["code"]).text("/access_token");
        Self { gateway, upstream, agent, token }
    }

    fn forwarded(&self) -> usize {
        self.upstream.helpdesk.recorded_requests().len()
    }
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[test]
fn checks_come_in_the_protocols_order() {
    let scene = Scene::new();
    let (gateway, token) = (&scene.gateway, &scene.token);
    let id = scene.agent.id.as_str();
    let call = |path: &str, headers: &[(&str, &str)]| {
        let request = gateway.request("GET", path);
        headers.iter().fold(request, |request, (name, value)| request.header(name, value)).send().refusal()
    };
    let bearer = format!("Bearer {token}");
    assert_eq!(call("/ath/proxy/helpdesk/tickets", &[]), refused(401, "TOKEN_INVALID"));
    assert_eq!(
        call("/ath/proxy/helpdesk/tickets", &[("authorization", "Bearer ath_tk_unknown")]),
        refused(401, "TOKEN_INVALID")
    );
    let upstreams_own =
        scene.upstream.helpdesk.issued_tokens().into_iter().find(|token| token.starts_with(CANARY)).expect("a token");
    let passed_through = format!("Bearer {upstreams_own}");
    assert_eq!(
        call("/ath/proxy/helpdesk/tickets", &[("authorization", &passed_through)]),
        refused(401, "TOKEN_INVALID")
    );
    let agent = [("authorization", bearer.as_str()), ("x-ath-agent-id", "https://other.example/agent.json")];
    assert_eq!(call("/ath/proxy/none/tickets", &agent), refused(403, "AGENT_IDENTITY_MISMATCH"));
    let right = [("authorization", bearer.as_str()), ("x-ath-agent-id", id)];
    assert_eq!(call("/ath/proxy/other/tickets", &right), refused(403, "PROVIDER_MISMATCH"));
    assert_eq!(call("/ath/proxy/none/tickets", &right), refused(403, "PROVIDER_MISMATCH"));
    assert_eq!(call("/ath/proxy/helpdesk/tickets", &right[..1]), refused(403, "AGENT_IDENTITY_MISMATCH"));
    assert_eq!(call("/ath/proxy/helpdesk/admin", &right), refused(403, "SCOPE_NOT_APPROVED"));
    assert_eq!(scene.forwarded(), 0);
    let own = gateway.request("GET", "/helpdesk/tickets").header("authorization", &bearer).send();
    assert_eq!(own.status, 200, "a provider's own path needs the token alone");
}

#[test]
fn no_other_spelling_reaches_the_upstream() {
    let scene = Scene::new();
    for target in [
        "/ath/proxy/helpdesk/tickets/../userinfo",
        "/ath/proxy/helpdesk/tickets/%2e%2e/userinfo",
        "/ath/proxy/helpdesk/tickets/.%2E/userinfo",
        "/ath/proxy/helpdesk//tickets",
        "/ath/proxy/helpdesk/tickets//1",
        "/ath/proxy/helpdesk/tickets;x=1",
        "/ath/proxy/helpdesk/tickets%2f1",
        "/ath/proxy/helpdesk/tickets%5c1",
        "/ath/proxy/helpdesk/tickets%00",
        "/ath/proxy/helpdesk/%74ickets",
        "/ath/proxy/helpdesk/tickets%252f1",
        "/ath/proxy/helpdesk/tickets\\1",
        "/ath/proxy/helpdesk/Tickets",
        "/ath/proxy/helpdesk/tickets/1/",
        "/ath/proxy/helpdesk/./tickets",
        "/ath/proxy/%68elpdesk/tickets",
        "/ath/proxy/helpdesk@evil.test/tickets",
        "/ath/proxy//helpdesk/tickets",
        "/helpdesk/../helpdesk/tickets",
        "/ath/proxy/helpdesk/tickets?access_token=x",
        "http://evil.test/ath/proxy/helpdesk/tickets",
        "/ath/proxy/helpdesk/tickets/..%3b/x",
    ] {
        let answer = scene.agent.call(&scene.gateway, &scene.token, "GET", "/tickets").send_to(target);
        assert!((400..500).contains(&answer.status), "{target}: {} {}", answer.status, answer.body_text());
    }
    for method in ["TRACE", "CONNECT", "get", "PROPFIND"] {
        let answer = scene.agent.call(&scene.gateway, &scene.token, method, "/tickets").send();
        assert!((400..500).contains(&answer.status), "{method}: {}", answer.status);
    }
    assert_eq!(scene.forwarded(), 0);
}

#[test]
fn ambiguous_http_is_refused() {
    let scene = Scene::new();
    let port = scene.gateway.port();
    let head = format!("Authorization: Bearer {}\r\nX-ATH-Agent-ID: {}\r\n", scene.token, scene.agent.id);
    for lines in [
        "Host: a\r\nHost: b\r\n",
        "",
        "Host: 127.0.0.1\r\nTransfer-Encoding: gzip, chunked\r\n",
        "Host: 127.0.0.1\r\nAuthorization: Bearer x\r\n",
        "Host: 127.0.0.1\r\nTransfer_Encoding: chunked\r\n",
        "Host: 127.0.0.1\r\nConnection: authorization\r\n",
        "Host: 127.0.0.1\r\nExpect: 200-ok\r\n",
        "Host: 127.0.0.1\r\nX_ATH_Agent_ID: other\r\n",
    ] {
        let request = format!("GET /ath/proxy/helpdesk/tickets HTTP/1.1\r\n{lines}{head}\r\n");
        let answer = raw(port, request.as_bytes(), "GET");
        assert!((400..500).contains(&answer.status), "{lines:?}: {}", answer.status);
    }
    assert_eq!(scene.forwarded(), 0);
}

#[test]
fn the_upstream_sees_its_own_token_and_nothing_of_the_agents_credentials() {
    let scene = Scene::new();
    let request = scene.agent.call(
        &scene.gateway,
        &scene.token,
        "GET",
        "/tickets?status=open&team=payments&status=open&x=%20%2f;a",
    );
    let request = [
        ("cookie", "a=b"),
        ("x-forwarded-for", "1.2.3.4"),
        ("forwarded", "for=x"),
        ("x-http-method-override", "DELETE"),
        ("accept-language", "kept"),
        ("x-custom", "unknown"),
        ("proxy-authorization", "Basic x"),
        ("te", "trailers"),
        ("accept-encoding", "gzip"),
    ]
    .iter()
    .fold(request, |request, (name, value)| request.header(name, value));
    let _ = scene.agent.send(&request);
    let seen = scene.upstream.helpdesk.recorded_requests();
    let seen = seen.last().expect("one call");
    let values = |name: &str| {
        let values = seen.headers.get_all(name).iter().map(|value| value.to_str().expect("text").to_owned());
        values.collect::<Vec<_>>()
    };
    let authorization = values("authorization");
    assert_eq!(authorization.len(), 1);
    assert!(authorization[0].starts_with(&format!("Bearer {CANARY}")), "its own token");
    assert_eq!(values("accept-language"), ["kept"]);
    assert_eq!(values("accept-encoding"), ["identity"]);
    assert!(values("host")[0].starts_with("localhost:"));
    for name in [
        "cookie",
        "x-ath-agent-id",
        "x-forwarded-for",
        "forwarded",
        "x-custom",
        "x-http-method-override",
        "proxy-authorization",
        "te",
        "connection",
    ] {
        assert!(values(name).is_empty(), "{name}: {:?}", values(name));
    }
    assert!(seen.target.ends_with("/tickets?status=open&team=payments&status=open&x=%20%2f;a"), "{}", seen.target);
}

#[test]
fn an_echoed_token_comes_back_masked() {
    let scene = Scene::new();
    for place in ["body", "header", "split", "location"] {
        let answer =
            scene.agent.send(&scene.agent.call(&scene.gateway, &scene.token, "GET", &format!("/echo?in={place}")));
        assert!(answer.status < 400, "{place}: {}", answer.body_text());
        let text = String::from_utf8_lossy(&answer.bytes).into_owned();
        assert!(text.contains("*****"), "{place}: {text}");
        assert!(!text.contains(CANARY), "{place}");
    }
}

#[test]
fn heads_and_bodies_pass() {
    let scene = Scene::new();
    let call = |method: &str, path: &str| scene.agent.call(&scene.gateway, &scene.token, method, path);
    let get = scene.agent.send(&call("GET", "/tickets"));
    let head = scene.agent.send(&call("HEAD", "/tickets"));
    assert_eq!((head.status, head.header("content-length")), (200, get.header("content-length")));
    assert!(head.body.is_empty());
    assert_eq!(get.header("x-content-type-options"), Some("nosniff"));
    let missing = scene.agent.send(&call("GET", "/tickets/999"));
    assert_eq!(missing.status, 404, "an upstream's own refusals pass");

    let before = scene.gateway.memory();
    let body = vec![b'x'; 64 << 20];
    let sent = scene.agent.send(&call("PUT", "/tickets/1/attachments/big").body(body));
    assert_eq!(sent.json()["bytes"], json!(64 << 20), "{}", sent.body_text());
    let got = call("GET", "/tickets/1/attachments/big?size=67108864").send();
    assert_eq!(got.body.len(), 64 << 20);
    let grown = scene.gateway.memory().saturating_sub(before);
    assert!(grown < 24 << 20, "streaming is flat: it grew by {grown} bytes");
}

#[test]
fn an_event_arrives_when_it_is_sent() {
    use std::io::Read;
    let scene = Scene::new();
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", scene.gateway.port())).expect("connects");
    let request = format!(
        "GET /ath/proxy/helpdesk/tickets/events?every_ms=60000 HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {}\r\nX-ATH-Agent-ID: {}\r\n\r\n",
        scene.token, scene.agent.id
    );
    std::io::Write::write_all(&mut stream, request.as_bytes()).expect("sent");
    stream.set_read_timeout(Some(std::time::Duration::from_secs(5))).expect("a timeout");
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    while !seen.windows(6).any(|window| window == b"data: ") {
        let read = stream.read(&mut buffer).expect("the first event comes long before the second");
        seen.extend_from_slice(&buffer[..read]);
    }
    assert!(String::from_utf8_lossy(&seen).contains("text/event-stream"));
}

#[test]
fn an_upstream_that_is_down_or_slow_is_said_so() {
    let mut scene = Scene::new();
    let call = |scene: &Scene| scene.agent.send(&scene.agent.call(&scene.gateway, &scene.token, "GET", "/tickets"));
    assert_eq!(call(&scene).status, 200);
    scene.upstream.stop();
    tests::eventually("the upstream is gone", || call(&scene).status == 502);
    let down = call(&scene);
    assert_eq!(down.refusal(), refused(502, "OAUTH_ERROR"));
    assert_eq!(down.text("/details/reason"), "upstream_unreachable");
    scene.upstream.serve();
    assert_eq!(call(&scene).status, 200);
}

/// An API of raw bytes in front of which the gateway stands, while the helpdesk signs people in. `answer` makes an answer of a
/// request's head; each connection is kept as long as the gateway keeps it.
struct RawApi {
    scene: Scene,
    connections: std::sync::Arc<std::sync::atomic::AtomicUsize>,
}

impl RawApi {
    fn start(answer: fn(&str) -> Option<Vec<u8>>) -> Self {
        use std::sync::atomic::{AtomicUsize, Ordering};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let connections = std::sync::Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                counted.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || converse(&stream, answer));
            }
        });
        let upstream = Upstream::start(free_port(), |_| {});
        let providers = upstream.provider("pkce = \"none\"");
        let base = providers.lines().find(|line| line.starts_with("api_base")).expect("a line").to_owned();
        let providers = providers.replacen(&base, &format!("api_base = \"http://127.0.0.1:{port}\""), 1);
        let gateway = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &format!("{providers}\n"));
        Self { scene: Scene::with(gateway, upstream), connections }
    }

    fn get(&self, path: &str) -> tests::Answer {
        self.scene.agent.send(&self.scene.agent.call(&self.scene.gateway, &self.scene.token, "GET", path))
    }

    fn connections(&self) -> usize {
        self.connections.load(std::sync::atomic::Ordering::SeqCst)
    }
}

fn converse(stream: &std::net::TcpStream, answer: fn(&str) -> Option<Vec<u8>>) {
    use std::io::{BufRead, BufReader, Write};
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).map_or(0, |read| read) == 0 {
                return;
            }
        }
        match answer(&head) {
            Some(bytes) => {
                (&*stream).write_all(&bytes).expect("sent");
                if bytes.windows(5).any(|window| window == b"close") {
                    return;
                }
            }
            None => return,
        }
    }
}

#[test]
fn an_upstream_connection_serves_one_call_after_another() {
    let api = RawApi::start(|head| {
        Some(match head.split(' ').nth(1).unwrap_or_default() {
            "/tickets/1" => b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec(),
            "/tickets/2" => b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n".to_vec(),
            _ => b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
        })
    });
    for round in 0..12 {
        for path in ["/tickets/1", "/tickets/2", "/tickets/3"] {
            let answer = api.get(path);
            assert!(matches!(answer.status, 200 | 204), "{round} {path}: {} {}", answer.status, answer.body_text());
        }
    }
    assert!(api.connections() <= 2, "one for each core, not {}", api.connections());
    let log = api.scene.gateway.log();
    assert_eq!(log.matches("end=\"complete\"").count(), 36, "every call is recorded as complete");
}

#[test]
fn an_answer_that_can_be_read_in_two_ways_is_not_handed_on() {
    for (answer, why) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            "two lengths",
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "two other lengths"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "another coding"),
        ("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello", "compressed unasked"),
        ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "switched unasked"),
        ("not HTTP at all\r\n\r\n", "no HTTP"),
        ("HTTP/1.1 200 OK\r\nX: a\r\n folded\r\nContent-Length : 5\r\n\r\nhello", "a folded line"),
    ] {
        static ANSWER: std::sync::Mutex<String> = std::sync::Mutex::new(String::new());
        answer.clone_into(&mut ANSWER.lock().expect("no panic"));
        let api = RawApi::start(|_| Some(ANSWER.lock().expect("no panic").clone().into_bytes()));
        let got = api.get("/tickets/1");
        assert_eq!(got.refusal(), refused(502, "OAUTH_ERROR"), "{why}: {}", got.body_text());
    }
}

#[test]
fn a_body_that_breaks_off_is_not_a_whole_one() {
    let api =
        RawApi::start(|_| Some(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 100\r\n\r\nbroken".to_vec()));
    let request = api.scene.agent.call(&api.scene.gateway, &api.scene.token, "GET", "/tickets/1");
    let answer = request.send();
    assert_eq!(answer.header("content-length"), Some("100"));
    assert!(
        answer.bytes.ends_with(&[0; 94]) || answer.body.len() < 100,
        "94 bytes are missing, and the agent can tell"
    );
    tests::eventually("the call is recorded as cut", || api.scene.gateway.log().contains("end=\"cut\""));
}

#[test]
fn a_slow_upstream_times_out() {
    let hole = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = hole.local_addr().expect("an address").port();
    let upstream = Upstream::start(free_port(), |_| {});
    let providers = upstream.provider("pkce = \"none\"").replacen(
        "api_base = \"http://localhost",
        "api_base = \"http://127.0.0.1:PORT#",
        1,
    );
    let base = providers.lines().find(|line| line.contains("PORT#")).expect("a line").to_owned();
    let providers = providers.replace(&base, &format!("api_base = \"http://127.0.0.1:{port}\""));
    let gateway = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &providers);
    let mut agent = Agent::new("Ticket Helper");
    agent.register(&gateway);
    let (link, session) = agent.authorize(&gateway, &["read:tickets"]);
    let end = Browser::new().consent(&link);
    let token = agent.exchange(&gateway, &session, &end["code"]).text("/access_token");
    let slow = agent.send(&agent.call(&gateway, &token, "GET", "/tickets"));
    assert_eq!(slow.refusal(), refused(504, "OAUTH_ERROR"));
    assert_eq!(slow.text("/details/reason"), "upstream_timeout");
    drop(hole);
}
