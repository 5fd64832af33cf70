//! The access log: a line for every request, without what nobody wants in a log, and never in anybody's way.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::{Agent, Browser, Gateway, Request, Store, Upstream, eventually, free_port};

const CALLS: usize = 200;

struct House {
    gateway: Gateway,
    agent: Agent,
    token: String,
    _upstream: Upstream,
    folder: tempfile::TempDir,
}

impl House {
    fn start(file: &str, keys: &str, prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::TempDir::new().expect("a folder");
        let path = folder.path().join(file);
        prepare(&path);
        let upstream = Upstream::start(free_port(), |_| {});
        let log = format!("\n[access_log]\npath = {:?}\n{keys}\n", path.display().to_string());
        let text = upstream.provider("pkce = \"none\"") + &log;
        let gateway = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &text);
        let mut agent = Agent::new("Ticket Helper");
        assert_eq!(agent.register(&gateway).status, 201);
        let (link, session) = agent.authorize(&gateway, &["read:tickets"]);
        let end = Browser::new().consent(&link);
        let token = agent.exchange(&gateway, &session, &end["code"]).text("/access_token");
        Self { gateway, agent, token, _upstream: upstream, folder }
    }

    fn call(&self, token: &str, path: &str) -> tests::Answer {
        self.agent.send(&self.agent.call(&self.gateway, token, "GET", path))
    }

    fn text(&self, file: &str) -> String {
        fs::read_to_string(self.folder.path().join(file)).unwrap_or_default()
    }

    fn lines(&self, file: &str) -> Vec<Value> {
        self.text(file).lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }

    /// The line about an answer.
    fn line(&self, answer: &tests::Answer) -> Value {
        let id = json!(answer.header("x-request-id").expect("an id"));
        let mut found = Value::Null;
        eventually("it is logged", || {
            let line = self.lines("access.jsonl").into_iter().find(|line| line["request_id"] == id);
            found = line.unwrap_or_default();
            !found.is_null()
        });
        found
    }
}

#[test]
fn every_request_has_a_line_and_no_line_says_too_much() {
    let house = House::start("access.jsonl", "", |_| {});
    let called = house.call(&house.token, "/tickets?secret=query");
    let line = house.line(&called);
    for (name, value) in [
        ("client", json!("127.0.0.1")),
        ("door", json!("ath")),
        ("method", json!("GET")),
        ("provider", json!("helpdesk")),
        ("status", json!(200)),
        ("bytes", json!(called.body.len())),
    ] {
        assert_eq!(line[name], value, "{name} {line}");
    }
    let (took, upstream) = (line["duration_ms"].as_f64().expect("ms"), line["upstream_ms"].as_f64().expect("ms"));
    assert!(took >= upstream && upstream > 0.0 && took < 10_000.0, "{line}");
    assert!(line["time"].as_str().is_some_and(|time| time.starts_with("20") && time.ends_with('Z')), "{line}");

    let refused = house.line(&house.call("ath_tk_wrong", "/tickets"));
    assert_eq!(
        (&refused["status"], &refused["code"], &refused["reason"]),
        (&json!(401), &json!("TOKEN_INVALID"), &json!("token_invalid"))
    );
    let gated =
        tests::raw(house.gateway.port(), b"GET http://x/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "GET");
    assert_eq!(house.line(&gated)["reason"], "target_form");
    let control = house.line(&house.gateway.request("GET", "/.well-known/ath.json").send());
    assert_eq!(
        (&control["door"], &control["status"], &control["provider"]),
        (&json!("control"), &json!(200), &Value::Null)
    );
    assert!(control["bytes"].as_u64().is_some_and(|bytes| bytes > 100), "{control}");

    let text = house.text("access.jsonl");
    let secret = house.agent.client().1;
    for word in
        [house.token.as_str(), &secret, house.agent.id.as_str(), "secret", "/tickets", "wrong", "path", tests::CANARY]
    {
        assert!(!text.contains(word), "{word} {text}");
    }
}

#[test]
fn agents_and_paths_are_named_where_the_file_asks_for_them() {
    let house = House::start("access.jsonl", "agents = true\npaths = true", |_| {});
    let line = house.line(&house.call(&house.token, "/tickets/1?secret=query"));
    assert_eq!(
        (&line["agent_id"], &line["path"]),
        (&json!(house.agent.id.as_str()), &json!("/ath/proxy/helpdesk/tickets/1"))
    );
    assert!(!house.text("access.jsonl").contains("secret"));
}

#[test]
fn a_log_that_is_moved_away_is_begun_anew_and_an_end_loses_no_line() {
    let mut house = House::start("access.jsonl", "", |_| {});
    let before = house.call(&house.token, "/tickets");
    house.line(&before);
    // What the other core has to say of the consent is written by then.
    std::thread::sleep(Duration::from_millis(500));
    let path = house.folder.path().join("access.jsonl");
    fs::rename(&path, house.folder.path().join("access.jsonl.1")).expect("moved");
    let after = house.call(&house.token, "/tickets");
    let line = house.line(&after);
    assert_eq!(house.lines("access.jsonl").len(), 1, "{line}");
    assert!(house.text("access.jsonl.1").contains(before.header("x-request-id").expect("an id")));

    // Told of it, it does the same, and goes on.
    house.gateway.hang_up();
    for _ in 0..CALLS {
        assert_eq!(house.call(&house.token, "/tickets").status, 200);
    }
    house.gateway.terminate();
    assert_eq!(house.gateway.exit_code(Duration::from_secs(10)), Some(0));
    assert_eq!(house.lines("access.jsonl").len(), 1 + CALLS);
}

#[test]
fn a_log_that_hangs_holds_nobody_up_and_what_is_lost_is_counted() {
    let mut reader = None;
    let house = House::start("access.fifo", "", |path| {
        assert!(Command::new("mkfifo").arg(path).status().expect("mkfifo").success());
        // Held open for reading and writing, so that nobody waits for the other end; and never read until the end.
        reader = Some(fs::OpenOptions::new().read(true).write(true).open(path).expect("opens"));
    });
    let head = format!(
        "GET /ath/proxy/helpdesk/tickets HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {}\r\nX-ATH-Agent-ID: {}\r\n\r\n",
        house.token, house.agent.id
    );
    let text = fs::read_to_string(house.gateway.folder().join("data/admin.json")).expect("where it is");
    let place: Value = serde_json::from_str(&text).expect("JSON");
    let key = fs::read_to_string(house.gateway.folder().join("data/admin.key")).expect("a key");
    let url = format!("{}/metrics", place["url"].as_str().expect("a URL"));
    let page = Request::new("GET", &url).header("authorization", &format!("Bearer {}", key.trim()));
    let lost = || {
        let page = page.send().body_text();
        let line = page.lines().find_map(|line| line.strip_prefix("ath_gateway_access_log_dropped_total "));
        line.and_then(|count| count.parse::<u64>().ok()).expect("a count")
    };
    let begun = Instant::now();
    let mut slowest = Duration::ZERO;
    let mut calls = 0;
    while lost() == 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "{calls} calls, and nothing is lost");
        let mut stream = TcpStream::connect(("127.0.0.1", house.gateway.port())).expect("connects");
        stream.set_nodelay(true).expect("set");
        for _ in 0..100 {
            let sent = Instant::now();
            stream.write_all(head.as_bytes()).expect("sent");
            let mut answer = vec![0; 64 << 10];
            let read = stream.read(&mut answer).expect("an answer");
            assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..read]));
            slowest = slowest.max(sent.elapsed());
            calls += 1;
        }
    }
    println!("{calls} calls in {:?}, the slowest {slowest:?}", begun.elapsed());
    assert!(slowest < Duration::from_secs(2), "nobody waited for the log: {slowest:?}");
    drop(reader);
}
