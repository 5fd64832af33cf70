//! MCP servers behind the gateway, as they come from npm and `PyPI`, and clients in front of it, as they come: the server knows nothing of
//! the gateway, and the client nothing of the server's authorization server.

mod discovery;
mod open;
mod refusals;
mod sessions;
mod stories;
mod streams;

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::{Answer, CANARY, Gateway, OAuthClient, Person, Puppet, RedisServer, Request, Store, Wire, free_port};

use crate::clients::script;

/// A server in a process of its own, ended with the test.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    /// The wiki of `mcp/wiki.py`, for the gateway at `front`.
    fn wiki(front: u16, modes: &[&str]) -> Self {
        let port = free_port();
        let mut command = Command::new(script(".venv/bin/python"));
        command.arg(script("mcp/wiki.py")).arg(port.to_string());
        command.arg(format!("http://127.0.0.1:{front}/ath/callback")).args(modes).env("CANARY", CANARY);
        Self::start(command, port)
    }

    /// `@modelcontextprotocol/server-everything`, which wants no token.
    fn everything() -> Self {
        let port = free_port();
        let mut command = Command::new("node");
        command.arg(script("node_modules/@modelcontextprotocol/server-everything/dist/index.js"));
        command.arg("streamableHttp").env("PORT", port.to_string());
        Self::start(command, port)
    }

    fn start(mut command: Command, port: u16) -> Self {
        let process = command.spawn().expect("it must be installed: ./tests/run does it");
        let server = Self { process, port };
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "it does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/mcp", self.port)
    }

    /// What the test wants of the wiki, and how it does.
    fn control(&self, deed: &str) -> Value {
        let answer = Request::new("POST", &format!("http://127.0.0.1:{}/control/{deed}", self.port)).send();
        assert_eq!(answer.status, 200, "{}", answer.body_text());
        answer.json()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Two replicas on one Redis in front of a server, reached by turns.
struct Scene {
    wire: Wire,
    one: Gateway,
    two: Gateway,
    server: Server,
    person: Person,
    _redis: RedisServer,
}

/// How the wiki stands in the configuration: a URL and a client id.
const OAUTH: &str = "[provider.oauth]\nclient_id = \"gateway\"\n";

impl Scene {
    /// In front of the wiki, which takes tokens of its own alone.
    fn wiki() -> Self {
        Self::before(|front| Server::wiki(front, &[]), "", OAUTH)
    }

    /// In front of a server that wants no token.
    fn open(server: impl FnOnce(u16) -> Server) -> Self {
        Self::before(server, "credential = \"none\"\n", "")
    }

    fn before(server: impl FnOnce(u16) -> Server, keys: &str, way: &str) -> Self {
        let (front, ports) = (free_port(), [free_port(), free_port()]);
        let (redis, server) = (RedisServer::start(), server(front));
        let text = format!(
            "[[provider]]\nid = \"wiki\"\ndisplay_name = \"The wiki\"\nmcp = \"{}\"\n{keys}\n{way}\n{SCOPES}",
            server.url()
        );
        let wire = Wire::start(front, &ports);
        let [one, two] = ports.map(|port| Gateway::start_behind(front, Store::Redis(&redis), port, &text));
        Self { wire, one, two, server, person: Person::default(), _redis: redis }
    }

    fn url(&self) -> String {
        format!("{}/wiki/mcp", self.one.public_url())
    }

    /// A program of others' at the door.
    fn client(&self, program: &str, options: &[&str]) -> Puppet {
        let mut command = match program.rsplit_once('.').expect("an ending").1 {
            "py" => Command::new(script(".venv/bin/python")),
            _ => Command::new("node"),
        };
        command.arg(script(&format!("mcp/{program}"))).arg(self.url()).args(options);
        command.env("PERSON", self.person.url()).env("BROWSER", script("mcp/browser"));
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"] {
            command.env(name, "http://127.0.0.1:9");
        }
        for name in ["NO_PROXY", "no_proxy"] {
            command.env(name, "127.0.0.1,localhost");
        }
        Puppet::start(&mut command)
    }

    /// An OAuth client of the test's own, with a token for the door that somebody new has consented to.
    fn caller(&self, scope: &str) -> (OAuthClient, String) {
        let mut client = OAuthClient::register(&self.one);
        scope.clone_into(&mut client.scope);
        client.resource = self.url();
        let (token, _) = client.tokens(&self.one);
        (client, token)
    }

    /// What comes back for a message of a client with this token.
    fn post(&self, token: &str, session: Option<&str>, message: &Value) -> Answer {
        Self::post_by(&self.one, token, session, message)
    }

    fn post_by(gateway: &Gateway, token: &str, session: Option<&str>, message: &Value) -> Answer {
        let mut request = gateway.request("POST", "/wiki/mcp").json(message);
        request = request.header("authorization", &format!("Bearer {token}"));
        request = request.header("accept", "application/json, text/event-stream");
        if let Some(session) = session {
            request = request.header("mcp-session-id", session).header("mcp-protocol-version", "2025-06-18");
        }
        let answer = request.send();
        let everything = String::from_utf8_lossy(&answer.bytes).into_owned();
        assert!(!everything.contains(CANARY), "a token of the server's was seen: {everything}");
        answer
    }

    /// A session of the older kind.
    fn session(&self, token: &str) -> String {
        let answer = self.post(token, None, &initialize());
        assert_eq!(answer.status, 200, "{}", answer.body_text());
        let session = answer.header("mcp-session-id").expect("a session").to_owned();
        let known = self.post(token, Some(&session), &json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        assert_eq!(known.status, 202, "{}", known.body_text());
        session
    }
}

/// Two scopes of the gateway's own.
const SCOPES: &str = r#"[provider.scopes]
use = { says = "Read the wiki", tools = ["read_*", "whoami", "echo", "trigger-*"] }
edit = { says = "Write in it", tools = ["write_*"] }
"#;

fn initialize() -> Value {
    let client = json!({"name": "test", "version": "1"});
    let params = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client});
    json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})
}

fn call(id: impl Into<Value>, tool: &str, arguments: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id.into(), "method": "tools/call", "params": {"name": tool, "arguments": arguments}})
}

/// The JSON-RPC messages of an answer, whether it is one or a stream of them.
fn messages(answer: &Answer) -> Vec<Value> {
    let text = answer.body_text();
    if answer.header("content-type").is_some_and(|kind| kind.starts_with("application/json")) {
        return vec![serde_json::from_str(&text).expect("JSON")];
    }
    let data = text.lines().filter_map(|line| line.strip_prefix("data:"));
    data.filter_map(|data| serde_json::from_str(data.trim()).ok()).collect()
}

/// Everything that a result says.
fn text(result: &Value) -> String {
    let parts = result["content"].as_array().expect("content");
    parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n")
}
