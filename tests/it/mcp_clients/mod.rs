//! The door for MCP clients: clients that this project did not write, as they come, each held to the same story, and attacks.

mod aggregate;
mod arguments;
mod conformance;
mod described;
mod door;
mod elicitation;
mod ending;
mod many;
mod origins;
mod page;
mod results;
mod servers;
mod stories;
mod tokens;

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::{CANARY, Gateway, Person, Puppet, RedisServer, Store, Upstream, Wire, free_port};

use crate::clients::script;

/// Two replicas on one Redis in front of the helpdesk, reached by turns; a person whose browser is opened by programs.
struct Scene {
    wire: Wire,
    one: Gateway,
    _two: Gateway,
    upstream: Upstream,
    person: Person,
    _redis: RedisServer,
}

/// Tokens of the gateway's end within a story.
const TOKEN: Duration = Duration::from_secs(6);

impl Scene {
    fn open() -> Self {
        Self::with("")
    }

    /// With further tables of the configuration.
    fn with(tables: &str) -> Self {
        let (front, ports) = (free_port(), [free_port(), free_port()]);
        let (redis, upstream) = (RedisServer::start(), Upstream::start(front, |_| {}));
        let text = format!(
            "{}\n[lifetimes]\ntoken = \"{}s\"\n\n{tables}",
            upstream.provider("pkce = \"none\""),
            TOKEN.as_secs()
        );
        let wire = Wire::start(front, &ports);
        let [one, two] = ports.map(|port| Gateway::start_behind(front, Store::Redis(&redis), port, &text));
        Self { wire, one, _two: two, upstream, person: Person::default(), _redis: redis }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.one.public_url())
    }

    /// A client of the door at `path`.
    fn client(&self, client: &Client, path: &str) -> Puppet {
        self.client_with(client, path, &[])
    }

    /// The same with further arguments.
    fn client_with(&self, client: &Client, path: &str, further: &[&str]) -> Puppet {
        let mut command = match client.program.rsplit_once('.').expect("an ending").1 {
            "py" => Command::new(script(client.python())),
            _ => Command::new("node"),
        };
        command.arg(script(&format!("mcp/{}", client.program))).arg(self.url(path)).args(client.options).args(further);
        command.env("PERSON", self.person.url()).env("BROWSER", script("mcp/browser"));
        // Nothing leaves this machine: whatever tries to finds a closed port.
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"] {
            command.env(name, "http://127.0.0.1:9");
        }
        for name in ["NO_PROXY", "no_proxy"] {
            command.env(name, "127.0.0.1,localhost");
        }
        Puppet::start(&mut command)
    }

    /// The service takes the access back.
    fn lose(&self) {
        self.upstream.helpdesk.expire_all_access_tokens();
        self.upstream.helpdesk.revoke_all_refresh_tokens();
    }
}

/// Waits until no token is good any more that was given out before.
fn until_tokens_have_ended(before: Instant) {
    std::thread::sleep((TOKEN + Duration::from_secs(1)).saturating_sub(before.elapsed()));
}

/// A program of others'.
struct Client {
    program: &'static str,
    options: &'static [&'static str],
}

impl Client {
    fn python(&self) -> &'static str {
        if self.program == "adapters.py" { ".venv-langchain/bin/python" } else { ".venv/bin/python" }
    }
}

/// The names of the tools in a list, in its order.
fn names(tools: &Value) -> Vec<String> {
    let tools = tools.as_array().expect("a list");
    tools.iter().map(|tool| tool["name"].as_str().expect("a name").to_owned()).collect()
}

/// Everything that a result says to people and models.
fn text(result: &Value) -> String {
    let parts = result["content"].as_array().expect("content");
    parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n")
}

fn read(path: &str) -> Value {
    json!({"name": "helpdesk_read", "arguments": {"method": "GET", "path": path}})
}

fn write(method: &str, path: &str, body: &Value) -> Value {
    json!({"name": "helpdesk_write", "arguments": {"method": method, "path": path, "body": body}})
}

/// A result that went well; nothing of the service's credentials is in it.
fn went_well(result: &Value) -> &Value {
    assert_ne!(result["isError"], json!(true), "{result}");
    assert!(!result.to_string().contains(CANARY), "{result}");
    result
}
