//! A gateway whose configuration is read again and again while agents call: right ones, wrong ones, with certificates, secrets and keys that change.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::{Agent, Browser, Gateway, Request, Store, Upstream, free_port};

/// What came of all that.
#[derive(Debug, Default)]
pub struct Reloads {
    /// Configurations that were taken.
    pub done: usize,
    /// Configurations that were refused.
    pub refused: usize,
    /// Calls that were answered as they should be.
    pub calls: usize,
    /// What was not, in words.
    pub failed: Vec<String>,
    /// Connections that were kept alive to the end, of those that agents opened.
    pub kept: usize,
    /// Events of a stream that was open all the time.
    pub events: usize,
    /// Memory of the process after a tenth, and at the end, in bytes.
    pub memory: (u64, u64),
    /// How long one took on average.
    pub each: Duration,
}

/// A gateway, the service behind it, and an agent that may call it.
pub struct Rig {
    /// The gateway.
    pub gateway: Gateway,
    /// The service.
    pub upstream: Upstream,
    agent: Agent,
    token: String,
    good: String,
}

impl Rig {
    /// With one connection, and room for more services in the configuration.
    #[must_use]
    pub fn start() -> Self {
        let upstream = Upstream::start(free_port(), |_| {});
        let providers = upstream.provider("pkce = \"none\"");
        let gateway = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &providers);
        let mut agent = Agent::new("Ticket Helper");
        assert_eq!(agent.register(&gateway).status, 201);
        let (link, session) = agent.authorize(&gateway, &["read:tickets"]);
        let end = Browser::new().consent(&link);
        let token = agent.exchange(&gateway, &session, &end["code"]).text("/access_token");
        let good = fs::read_to_string(gateway.folder().join("gateway.toml")).expect("a configuration");
        Self { gateway, upstream, agent, token, good }
    }

    /// The configuration as it was at the start.
    #[must_use]
    pub fn good(&self) -> &str {
        &self.good
    }

    /// A service more, at `/more`, that anybody with consent for it may read.
    #[must_use]
    pub fn more(&self, name: &str) -> String {
        let base = format!("http://localhost:{}", self.upstream.port());
        format!(
            "{}\n[[provider]]\nid = \"more\"\ndisplay_name = \"{name}\"\napi_base = \"{base}\"\npath_prefix = \"/more\"\n\n[provider.oauth]\n\
             authorize_endpoint = \"{base}/authorize\"\ntoken_endpoint = \"{base}/token\"\nclient_id = \"ath-gateway\"\n\
             client_secret = {{ env = \"CLIENT_SECRET\" }}\npkce = \"none\"\n\n[provider.scopes]\n\
             \"read:tickets\" = {{ says = \"See your tickets\", allow = [\"GET /tickets\"] }}\n",
            self.good
        )
    }

    /// Puts a configuration into the place of the other one.
    pub fn write(&self, text: &str) {
        let (new, place) = (self.gateway.folder().join("gateway.new"), self.gateway.folder().join("gateway.toml"));
        fs::write(&new, text).expect("written");
        fs::rename(new, place).expect("in its place");
    }

    /// A request with the agent's token.
    #[must_use]
    pub fn call(&self, path: &str) -> Request {
        let request = self.gateway.request("GET", path).header("authorization", &format!("Bearer {}", self.token));
        request.header("x-ath-agent-id", self.agent.id.as_str())
    }

    /// One number of the page of metrics.
    #[must_use]
    pub fn metric(&self, name: &str) -> u64 {
        let folder = self.gateway.folder().join("data");
        crate::eventually("operators are listened for", || folder.join("admin.json").exists());
        let place = fs::read_to_string(folder.join("admin.json")).expect("where it is");
        let place: serde_json::Value = serde_json::from_str(&place).expect("JSON");
        let key = fs::read_to_string(folder.join("admin.key")).expect("a key");
        let page = Request::new("GET", &format!("{}/metrics", place["url"].as_str().expect("a URL")))
            .header("authorization", &format!("Bearer {}", key.trim()))
            .send();
        let text = page.body_text();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).map(str::to_owned);
        value.and_then(|value| value.parse().ok()).unwrap_or_else(|| unreachable!("{name} is not on the page: {text}"))
    }

    /// Sends SIGHUP, and waits until the gateway has counted one more of these.
    pub fn hang_up_until(&self, result: &str) {
        let name = format!("ath_gateway_config_reloads_total{{result=\"{result}\"}}");
        let before = self.metric(&name);
        self.gateway.hang_up();
        crate::eventually(&format!("a configuration was {result}"), || self.metric(&name) > before);
    }

    /// Reads so many configurations while agents call: each third one is wrong, and each of the others differs from the one before.
    #[must_use]
    pub fn storm(&self, rounds: usize) -> Reloads {
        let (over, calls, kept) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
        let failed = Mutex::new(Vec::new());
        let mut told = Reloads::default();
        std::thread::scope(|scope| {
            for _ in 0..AGENTS {
                scope.spawn(|| match self.keeps_calling(&over, &calls) {
                    Ok(()) => drop(kept.fetch_add(1, Ordering::Relaxed)),
                    Err(error) => failed.lock().expect("no panic").push(error),
                });
            }
            let events = scope.spawn(|| self.listens(&over));
            let begun = Instant::now();
            for round in 0..rounds {
                let (text, result) = match round % 3 {
                    0 => (self.more(&format!("More {round}")), "done"),
                    1 => (self.wrong(round), "refused"),
                    _ => (self.good.clone(), "done"),
                };
                self.write(&text);
                self.hang_up_until(result);
                if result == "done" {
                    told.done += 1;
                } else {
                    told.refused += 1;
                }
                if round == rounds / 10 {
                    told.memory.0 = self.gateway.memory();
                }
            }
            told.each = begun.elapsed() / u32::try_from(rounds.max(1)).unwrap_or(u32::MAX);
            told.memory.1 = self.gateway.memory();
            over.store(true, Ordering::Relaxed);
            match events.join().expect("no panic") {
                Ok(events) => told.events = events,
                Err(error) => failed.lock().expect("no panic").push(error),
            }
        });
        told.calls = calls.into_inner();
        told.kept = kept.into_inner();
        told.failed = failed.into_inner().expect("no panic");
        told
    }

    /// Each is wrong in its own way.
    fn wrong(&self, round: usize) -> String {
        match round % 4 {
            0 => self.good.replace("[[provider]]", "[[provider]"),
            1 => format!("{}\n[no_such_section]\n", self.good),
            2 => self.good.replace("workers = 2", "workers = 3"),
            _ => self.good.replace("{ env = \"CLIENT_SECRET\" }", "{ file = \"/no/such/secret\" }"),
        }
    }

    /// Calls by one connection, until all is over.
    fn keeps_calling(&self, over: &AtomicBool, calls: &AtomicUsize) -> Result<(), String> {
        let mut line = self.line("/helpdesk/tickets")?;
        loop {
            let length = read_head(&mut line)?;
            let mut body = vec![0; length];
            line.read_exact(&mut body).map_err(|error| format!("a body broke off: {error}"))?;
            calls.fetch_add(1, Ordering::Relaxed);
            if over.load(Ordering::Relaxed) {
                return Ok(());
            }
            let head = self.head("/helpdesk/tickets");
            line.get_mut().write_all(head.as_bytes()).map_err(|error| format!("a request was not taken: {error}"))?;
        }
    }

    /// A stream that is open all the time, by the way that every configuration has; how many events came.
    fn listens(&self, over: &AtomicBool) -> Result<usize, String> {
        let mut line = self.line("/helpdesk/tickets/events?every_ms=50")?;
        let mut events = 0;
        let mut text = String::new();
        while !over.load(Ordering::Relaxed) {
            text.clear();
            match line.read_line(&mut text) {
                Ok(0) => return Err("the stream ended".to_owned()),
                Ok(_) => events += usize::from(text.starts_with("event: ")),
                Err(error) => return Err(format!("the stream broke off: {error}")),
            }
        }
        Ok(events)
    }

    fn line(&self, path: &str) -> Result<BufReader<TcpStream>, String> {
        let stream = TcpStream::connect(("127.0.0.1", self.gateway.port())).map_err(|error| error.to_string())?;
        stream.set_read_timeout(Some(Duration::from_secs(20))).map_err(|error| error.to_string())?;
        let mut line = BufReader::new(stream);
        line.get_mut().write_all(self.head(path).as_bytes()).map_err(|error| error.to_string())?;
        Ok(line)
    }

    fn head(&self, path: &str) -> String {
        format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {}\r\nX-ATH-Agent-ID: {}\r\n\r\n",
            self.token, self.agent.id
        )
    }
}

/// The length of an answer with status 200.
fn read_head(line: &mut BufReader<TcpStream>) -> Result<usize, String> {
    let (mut status, mut length, mut text) = (String::new(), 0, String::new());
    loop {
        text.clear();
        if line.read_line(&mut text).map_err(|error| format!("no answer: {error}"))? == 0 {
            return Err("a connection ended before its answer".to_owned());
        }
        let field = text.trim_end().to_ascii_lowercase();
        if field.is_empty() {
            return if status == "200" { Ok(length) } else { Err(format!("status {status}")) };
        }
        if let Some(rest) = field.strip_prefix("http/1.1 ") {
            status = rest.chars().take(3).collect();
        } else if let Some(value) = field.strip_prefix("content-length: ") {
            length = value.parse().map_err(|_| "a length that is none".to_owned())?;
        } else if field == "connection: close" {
            return Err("a connection was to be closed".to_owned());
        }
    }
}

const AGENTS: usize = 8;
