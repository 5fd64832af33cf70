//! What goes to a collector: read by OpenTelemetry's own messages in Python, and taken by a collector that this project did not write.

mod collectors;
mod logs;
mod mcp;
mod outgoing;
mod rotel;
mod traces;

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tests::{Agent, Browser, Gateway, OddHttp, Store, Then, Upstream, eventually, free_port};

use crate::clients::script;

/// Takes whatever it is sent.
struct Collector {
    server: OddHttp,
    seen: Arc<Mutex<Vec<Export>>>,
}

#[derive(Clone)]
struct Export {
    path: String,
    kind: String,
    key: String,
    body: Vec<u8>,
}

impl Collector {
    fn start() -> Self {
        Self::answering(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n",
            Duration::ZERO,
        )
    }

    /// One whose answer is these bytes, after so long.
    fn answering(answer: &'static [u8], after: Duration) -> Self {
        let seen = Arc::<Mutex<Vec<Export>>>::default();
        let taken = seen.clone();
        let server = OddHttp::start(move |exchange| {
            let (path, kind) = (exchange.path().to_owned(), exchange.header("content-type").to_owned());
            let key = exchange.header("x-api-key").to_owned();
            let body = exchange.body();
            taken.lock().unwrap_or_else(PoisonError::into_inner).push(Export { path, kind, key, body });
            std::thread::sleep(after);
            if exchange.write(answer) { Then::Next } else { Then::Close }
        });
        Self { server, seen }
    }

    fn exports(&self) -> Vec<Export> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Everything that came to one path, as OpenTelemetry's own messages read it.
    fn read(&self, path: &str) -> Vec<Value> {
        let mut lines = String::new();
        for export in self.exports().iter().filter(|export| export.path == path) {
            assert_eq!(export.kind, "application/x-protobuf");
            lines.extend([path, " ", &data_encoding::HEXLOWER.encode(&export.body), "\n"]);
        }
        let mut command = Command::new(script(".venv/bin/python"));
        command.arg(script("otlp_decode.py")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("it must be installed: ./tests/run does it");
        let mut input = process.stdin.take().expect("its input");
        let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()).expect("written"));
        let ended = process.wait_with_output().expect("it ends");
        writer.join().expect("written");
        assert!(ended.status.success(), "what was sent is no OTLP");
        serde_json::from_slice(&ended.stdout).expect("JSON")
    }

    fn spans(&self) -> Vec<Value> {
        self.read("/v1/traces")
    }

    fn logs(&self) -> Vec<Value> {
        self.read("/v1/logs")
    }

    /// The spans of the request that an answer is to, when there are so many.
    fn spans_of(&self, answer: &tests::Answer, count: usize) -> Vec<Value> {
        let id = answer.header("x-request-id").expect("an id").to_owned();
        let mut found = Vec::new();
        eventually("its spans have come", || {
            found = self.spans().into_iter().filter(|span| span["attributes"]["request_id"] == id.as_str()).collect();
            found.len() >= count
        });
        assert_eq!(found.len(), count, "{found:#?}");
        found
    }

    /// The table of the configuration that leads here.
    fn table(&self, further: &str) -> String {
        format!("\n[log]\nfilter = \"info\"\n\n[opentelemetry]\nendpoint = \"{}\"\n{further}\n", self.server.url())
    }
}

/// Of one kind: `SPAN_KIND_SERVER`, `SPAN_KIND_CLIENT`.
fn of_kind<'s>(spans: &'s [Value], kind: &str) -> &'s Value {
    let mut found = spans.iter().filter(|span| span["kind"] == kind);
    let (Some(span), None) = (found.next(), found.next()) else { return &Value::Null };
    span
}

/// A gateway before the helpdesk, and an agent that may read tickets there.
struct House {
    gateway: Gateway,
    agent: Agent,
    token: String,
    upstream: Upstream,
}

impl House {
    fn start(tables: &str) -> Self {
        let upstream = Upstream::start(free_port(), |_| {});
        let text = upstream.provider("pkce = \"none\"") + tables;
        let gateway = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &text);
        let mut agent = Agent::new("Ticket Helper");
        assert_eq!(agent.register(&gateway).status, 201);
        let (link, session) = agent.authorize(&gateway, &["read:tickets"]);
        let end = Browser::new().consent(&link);
        let token = agent.exchange(&gateway, &session, &end["code"]).text("/access_token");
        Self { gateway, agent, token, upstream }
    }

    fn call(&self, path: &str) -> tests::Answer {
        self.agent.send(&self.agent.call(&self.gateway, &self.token, "GET", path))
    }

    /// The same with a further header.
    fn call_with(&self, path: &str, name: &str, value: &str) -> tests::Answer {
        self.agent.send(&self.agent.call(&self.gateway, &self.token, "GET", path).header(name, value))
    }
}

/// As the recommendation has it for an example.
const HEARD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const HEARD_TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const HEARD_SPAN: &str = "b7ad6b7169203331";
