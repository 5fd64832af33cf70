//! The operators' commands: they ask a running gateway by its admin listener.

pub(crate) mod keys;
mod revoke_all;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::admin::{KEY, WHEREABOUTS, Whereabouts};
use crate::cli::{AgentsCommand, ConnectionsCommand, StoreCommand, UsersCommand};
use crate::config::{Config, SystemEnvironment};
use crate::egress::operator_client;
use crate::output::{out, out_line};

/// What one command asks for.
pub(crate) struct Wish {
    method: Method,
    path: String,
    body: Option<Value>,
    shows: Shows,
    patience: Duration,
}

#[derive(Clone, Copy)]
enum Shows {
    Agents,
    Agent,
    Connections,
    Status,
    Backup,
    Report,
    Reload,
}

pub(crate) use revoke_all::{AllOf, revoke_all};

/// Carries it out: what came of it on standard output, or why it did not on standard error and exit 1.
pub(crate) fn run(config: &Path, wish: &Wish, form: OutputForm) -> ExitCode {
    match carry_out(config, wish) {
        Ok(answer) => {
            match form {
                OutputForm::Json => out_line!("{answer}"),
                OutputForm::Text => out!("{}", shown(wish.shows, &answer)),
            }
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

/// How answers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutputForm {
    /// For people.
    Text,
    /// For programs.
    Json,
}

impl Wish {
    pub(crate) fn agents(command: AgentsCommand) -> Self {
        let one = |client: &str, what: &str| format!("/admin/agents/{}{what}", segment(client));
        match command {
            AgentsCommand::List => Self {
                method: Method::GET,
                path: "/admin/agents".to_owned(),
                body: None,
                shows: Shows::Agents,
                patience: PATIENCE,
            },
            AgentsCommand::Approve { client, what } => {
                let body = json!({"providers": what.provider, "scopes": what.scope});
                Self {
                    method: Method::POST,
                    path: one(&client, "/approve"),
                    body: Some(body),
                    shows: Shows::Agent,
                    patience: PATIENCE,
                }
            }
            AgentsCommand::Deny { client, what, reason } => {
                let body = json!({"providers": what.provider, "scopes": what.scope, "reason": reason});
                Self {
                    method: Method::POST,
                    path: one(&client, "/deny"),
                    body: Some(body),
                    shows: Shows::Agent,
                    patience: PATIENCE,
                }
            }
            AgentsCommand::Suspend { client, reason } => {
                let body = Some(json!({"reason": reason}));
                Self {
                    method: Method::POST,
                    path: one(&client, "/suspend"),
                    body,
                    shows: Shows::Agent,
                    patience: PATIENCE,
                }
            }
            AgentsCommand::Delete { client } => Self {
                method: Method::DELETE,
                path: one(&client, ""),
                body: None,
                shows: Shows::Status,
                patience: PATIENCE,
            },
        }
    }

    pub(crate) fn connections(command: ConnectionsCommand) -> Self {
        match command {
            ConnectionsCommand::List => Self {
                method: Method::GET,
                path: "/admin/connections".to_owned(),
                body: None,
                shows: Shows::Connections,
                patience: PATIENCE,
            },
            ConnectionsCommand::Report { provider } => Self {
                method: Method::GET,
                path: format!("/admin/providers/{}/revoked", segment(&provider)),
                body: None,
                shows: Shows::Report,
                patience: PATIENCE,
            },
            ConnectionsCommand::Revoke { connection, client, .. } => {
                let connection = connection.unwrap_or_default();
                let name: Vec<String> = connection.split('/').map(segment).collect();
                let of = client.map(|client| format!("?client_id={}", segment(&client))).unwrap_or_default();
                let path = format!("/admin/connections/{}{of}", name.join("/"));
                Self { method: Method::DELETE, path, body: None, shows: Shows::Status, patience: PATIENCE }
            }
        }
    }

    pub(crate) fn users(command: UsersCommand) -> Self {
        let UsersCommand::Delete { user } = command;
        let path = format!("/admin/users/{}", segment(&user));
        Self { method: Method::DELETE, path, body: None, shows: Shows::Status, patience: PATIENCE }
    }

    pub(crate) fn store(command: StoreCommand) -> Self {
        let StoreCommand::Backup { file } = command;
        // Relative to where the command was typed, which is not where the gateway runs.
        let file = std::path::absolute(&file).unwrap_or(file);
        let body = Some(json!({"file": file.to_string_lossy()}));
        let (path, patience) = ("/admin/store/backup".to_owned(), COPYING);
        Self { method: Method::POST, path, body, shows: Shows::Backup, patience }
    }

    /// Has the configuration read again.
    pub(crate) fn reload() -> Self {
        let path = "/admin/configuration/reload".to_owned();
        Self { method: Method::POST, path, body: None, shows: Shows::Reload, patience: RELOADING }
    }

    /// Suspends or resumes it.
    pub(crate) fn provider(provider: &str, what: &str) -> Self {
        let path = format!("/admin/providers/{}/{what}", segment(provider));
        Self { method: Method::POST, path, body: Some(json!({})), shows: Shows::Status, patience: PATIENCE }
    }
}

/// What a running gateway answers to a question; the gateway is found by its configuration.
pub(crate) fn asked(config: &Config, path: &str) -> Result<Value, String> {
    Door::find(config)?.ask(&Method::GET, path, None, PATIENCE)
}

/// The same for what is no JSON.
pub(crate) fn page(config: &Config, path: &str) -> Result<String, String> {
    let door = Door::find(config)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(async {
        let client = operator_client(PATIENCE).map_err(|error| error.to_string())?;
        let request = client.get(format!("{}{path}", door.url)).bearer_auth(&door.key);
        let answer = request.send().await.map_err(|_| format!("no gateway answers at {}: is it running?", door.url))?;
        answer.text().await.map_err(|error| error.to_string())
    })
}

fn carry_out(config: &Path, wish: &Wish) -> Result<Value, String> {
    let (config, _) = Config::load(config, &SystemEnvironment).map_err(|problems| problems.to_string())?;
    Door::find(&config)?.ask(&wish.method, &wish.path, wish.body.as_ref(), wish.patience)
}

/// The operators' door of a running gateway, and the key to it.
struct Door {
    url: String,
    key: String,
}

impl Door {
    fn find(config: &Config) -> Result<Self, String> {
        let data = &config.store.path;
        let url = whereabouts(config, data)?;
        let key = if let Some(key) = &config.admin.key {
            key.trim().to_owned()
        } else {
            let path = data.join(KEY);
            let read = fs::read_to_string(&path).map_err(|error| format!("{} cannot be read: {error}", path.display()));
            read?.trim().to_owned()
        };
        Ok(Self { url, key })
    }

    fn ask(&self, method: &Method, path: &str, body: Option<&Value>, patience: Duration) -> Result<Value, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        runtime.block_on(ask(&format!("{}{path}", self.url), &self.key, method, body, patience))
    }
}

/// A fixed port stands in the configuration; a free one was written down when the gateway started.
fn whereabouts(config: &Config, data: &Path) -> Result<String, String> {
    match config.admin.listen {
        None => Err("the configuration has no listener for operators: set listen in [admin]".to_owned()),
        Some(address) if address.port() != 0 => {
            let host = if address.ip().is_unspecified() { "127.0.0.1".to_owned() } else { address.ip().to_string() };
            Ok(format!("http://{host}:{}", address.port()))
        }
        Some(_) => {
            let path = data.join(WHEREABOUTS);
            let text = fs::read_to_string(&path);
            let text = text.map_err(|error| {
                format!("no gateway seems to run with this configuration: {}: {error}", path.display())
            })?;
            let found: Whereabouts =
                serde_json::from_str(&text).map_err(|_| format!("{} is of no use", path.display()))?;
            Ok(found.url)
        }
    }
}

async fn ask(url: &str, key: &str, method: &Method, body: Option<&Value>, patience: Duration) -> Result<Value, String> {
    let client = operator_client(patience).map_err(|error| error.to_string())?;
    let mut request = client.request(method.clone(), url).bearer_auth(key);
    if let Some(body) = body {
        request = request.header(http::header::CONTENT_TYPE, "application/json").body(body.to_string());
    }
    let response = request.send().await.map_err(|_| format!("no gateway answers at {url}: is it running?"))?;
    let status = response.status();
    let body = response.bytes().await.map_err(|error| error.to_string())?;
    let answer: Value =
        serde_json::from_slice(&body).map_err(|_| format!("the gateway's answer is none ({status})"))?;
    if status.is_success() {
        return Ok(answer);
    }
    let word = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let mut said = format!("{} {}", word("/message"), word("/details/hint"));
    for (name, what) in answer.pointer("/details").and_then(Value::as_object).into_iter().flatten() {
        if !matches!(name.as_str(), "reason" | "hint") {
            // Writing to a string does not fail.
            let _ = match what {
                Value::String(what) => write!(said, "\n{name}: {what}"),
                Value::Array(lines) if lines.iter().all(Value::is_string) => {
                    lines.iter().filter_map(Value::as_str).try_for_each(|line| write!(said, "\n{}", printable(line)))
                }
                what => write!(said, "\n{name}: {what}"),
            };
        }
    }
    Err(said)
}

fn shown(shows: Shows, answer: &Value) -> String {
    let list = answer.as_array().map(Vec::as_slice).unwrap_or_default();
    match shows {
        Shows::Agents if list.is_empty() => "no agent is registered\n".to_owned(),
        Shows::Agents => list.iter().map(agent).collect::<Vec<_>>().join("\n"),
        Shows::Agent => agent(answer),
        Shows::Connections if list.is_empty() => "nobody has connected anything\n".to_owned(),
        Shows::Connections => list.iter().map(connection).collect::<Vec<_>>().join("\n"),
        Shows::Backup => {
            let number = |name| answer.get(name).and_then(Value::as_u64).unwrap_or_default();
            format!("backed up: {} records, {} bytes\n", number("records"), number("bytes"))
        }
        Shows::Report => revoke_all::text(answer),
        Shows::Reload => reloaded(answer),
        Shows::Status => format!("{}\n", word(answer, "status")),
    }
}

fn reloaded(answer: &Value) -> String {
    let mut text = "the new configuration holds\n".to_owned();
    for what in ["added", "changed", "removed"] {
        let providers = words(answer.get("providers").unwrap_or(&Value::Null), what, "");
        if !providers.is_empty() {
            // Writing to a string does not fail.
            let _ = writeln!(text, "  {what}: {providers}");
        }
    }
    text
}

fn agent(agent: &Value) -> String {
    let held_back = agent.get("held_back").and_then(Value::as_str).map(|why| format!(" ({why})")).unwrap_or_default();
    let mut text = format!(
        "{}  {}{held_back}\n  {}, {}\n  approved until {}\n",
        word(agent, "client_id"),
        word(agent, "status"),
        word(agent, "name"),
        word(agent, "agent_id"),
        word(agent, "approval_expires"),
    );
    for provider in agent.get("providers").and_then(Value::as_array).into_iter().flatten() {
        // Writing to a string does not fail.
        let _ =
            writeln!(text, "  {}: {}", word(provider, "provider_id"), words(provider, "approved_scopes", "nothing"));
    }
    for waiting in agent.get("waiting").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        let _ = writeln!(text, "  waits: {}", printable(waiting));
    }
    text
}

fn connection(connection: &Value) -> String {
    let mut text = format!(
        "{}  {}\n  {} at {}, since {}\n",
        word(connection, "name"),
        word(connection, "state"),
        word(connection, "label"),
        word(connection, "provider_name"),
        word(connection, "connected"),
    );
    if connection.get("reason").is_some_and(Value::is_string) {
        let _ = writeln!(text, "  {}: {}", word(connection, "reason"), word(connection, "says"));
    }
    for (name, says) in [
        ("since", "since"),
        ("next_attempt", "tried again from"),
        ("ends", "ends"),
        ("reconnect_url", "for its owner:"),
    ] {
        if connection.get(name).is_some_and(Value::is_string) {
            let _ = writeln!(text, "  {says} {}", word(connection, name));
        }
    }
    for agent in connection.get("agents").and_then(Value::as_array).into_iter().flatten() {
        let scopes = words(agent, "scopes", "nothing");
        let _ = writeln!(text, "  {}  {}: {scopes}", word(agent, "client_id"), word(agent, "agent_name"));
    }
    text
}

fn word(value: &Value, name: &str) -> String {
    printable(value.get(name).and_then(Value::as_str).unwrap_or_default())
}

fn words(value: &Value, name: &str, none: &str) -> String {
    let words = value.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let text = words.map(printable).collect::<Vec<_>>().join(" ");
    if text.is_empty() { none.to_owned() } else { text }
}

/// What agents say of themselves goes to a terminal: nothing in it may move a cursor.
fn printable(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { '\u{fffd}' } else { char }).collect()
}

/// One segment of a path, whatever was typed.
fn segment(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

const PATIENCE: Duration = Duration::from_secs(10);
/// A large configuration, and cores that are busy.
const RELOADING: Duration = Duration::from_secs(60);
/// A large store on a slow disk.
const COPYING: Duration = Duration::from_secs(3600);
