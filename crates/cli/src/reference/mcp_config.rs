use serde_json::{Value, json};

use crate::Failure;
use crate::arguments::{McpClient, McpConfig};
use crate::commands::service_id;
use crate::gateway_url::GatewayUrl;
use crate::reference::Printed;

/// `ath mcp-config`: what makes the gateway's services tools of an MCP client. There is no token in it: each client logs in by itself.
pub(crate) fn mcp_config(asked: &McpConfig, gateway: &GatewayUrl) -> Result<Printed, Failure> {
    let (name, path) = match &asked.service {
        Some(service) => {
            let id = service_id(service)?;
            (id.to_string(), format!("/{id}/mcp"))
        }
        None => (ALL.to_owned(), "/mcp".to_owned()),
    };
    let url = gateway.at(&path)?.to_string();
    let told = tell(asked.client, &name, &url);
    let data = json!({
        "client": client_name(asked.client), "name": name, "url": url,
        "file": told.file, "content": told.content, "commands": told.commands,
    });
    Ok(Printed { data, text: told.text(), note: told.file.map(|file| format!("This goes into {file}:")) })
}

/// What is to be done: put content into a file, run commands, or both.
struct Told {
    file: Option<&'static str>,
    content: Option<Value>,
    commands: Vec<Vec<String>>,
}

impl Told {
    fn file(file: &'static str, content: Value) -> Self {
        Self { file: Some(file), content: Some(content), commands: Vec::new() }
    }

    fn run(commands: &[&[&str]]) -> Self {
        let commands = commands.iter().map(|words| words.iter().map(|word| (*word).to_owned()).collect()).collect();
        Self { file: None, content: None, commands }
    }

    fn text(&self) -> String {
        let content = self.content.iter().map(|content| format!("{content:#}\n"));
        let commands = self.commands.iter().map(|words| {
            let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
            format!("{}\n", words.join(" "))
        });
        content.chain(commands).collect()
    }
}

fn tell(client: McpClient, name: &str, url: &str) -> Told {
    match client {
        McpClient::ClaudeCode => {
            Told::run(&[&["claude", "mcp", "add", "--transport", "http", name, url], &["claude", "mcp", "login", name]])
        }
        McpClient::Codex => Told::run(&[&["codex", "mcp", "add", name, "--url", url]]),
        McpClient::Opencode => Told {
            commands: Told::run(&[&["opencode", "mcp", "auth", name]]).commands,
            ..Told::file(
                "opencode.json",
                json!({
                    "$schema": "https://opencode.ai/config.json", "mcp": {name: {"type": "remote", "url": url}},
                }),
            )
        },
        McpClient::Cursor => Told::file(".cursor/mcp.json", json!({"mcpServers": {name: {"url": url}}})),
        McpClient::Vscode => Told::file(".vscode/mcp.json", json!({"servers": {name: {"type": "http", "url": url}}})),
        McpClient::Inspector => Told::run(&[&[
            "npx",
            "@modelcontextprotocol/inspector",
            "--cli",
            "--server-url",
            url,
            "--transport",
            "http",
            "--protocol-era",
            "modern",
            "--method",
            "tools/list",
        ]]),
        McpClient::McpRemote => Told::file(
            "the client's list of MCP servers",
            json!({"mcpServers": {name: {"command": "npx", "args": ["-y", "mcp-remote", url]}}}),
        ),
        McpClient::Json => Told::file(".mcp.json", json!({"mcpServers": {name: {"type": "http", "url": url}}})),
    }
}

/// As a shell reads it: an address such as `http://[::1]:4180` is a pattern to some. No word of these has a quote.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@".contains(&byte);
    if word.bytes().all(plain) { word.to_owned() } else { format!("'{word}'") }
}

fn client_name(client: McpClient) -> String {
    clap::ValueEnum::to_possible_value(&client).map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// What the door for all services is called.
const ALL: &str = "ath-gateway";
