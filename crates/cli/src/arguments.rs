use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use url::Url;

/// Uses services behind an ATH Gateway in your name. No credential of a service ever comes to this machine.
#[derive(Debug, Parser)]
#[command(name = "ath", version, propagate_version = true, max_term_width = 100)]
pub struct Arguments {
    #[command(flatten)]
    pub(crate) common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command understands.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// The gateway's URL; the one of the last login where it is left out.
    #[arg(long, global = true, value_name = "URL", env = "ATH_GATEWAY_URL")]
    pub(crate) gateway: Option<Url>,
    /// Print exactly one JSON object. `ATH_OUTPUT=json` does the same.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// As the agent that `ath agent init` made, rather than as yourself (ATH 0.1).
    #[arg(long, global = true)]
    pub(crate) agent: bool,
    /// Ask nothing and open nothing, also where there is a terminal.
    #[arg(long, global = true)]
    pub(crate) no_input: bool,
    /// How many seconds a request may take.
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) timeout: u64,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The services of this gateway, and how you stand with each.
    Services,
    /// Who is logged in, where, and until when.
    Status,
    /// Log in at a gateway, in your browser or by a code.
    Login(Login),
    /// End this machine's login, and every token that came of it.
    Logout,
    /// Let this program use a service: prints the link for the person, or opens it.
    Connect(Connect),
    /// What this program may do, with which of your accounts.
    Connections,
    /// End what this program may do at a service. The login ends with the service that it came by.
    Disconnect(Disconnect),
    /// Call a service's API; the gateway adds your credential. Prints the answer's body.
    Fetch(Fetch),
    /// Run a program whose HTTPS calls to your services go through the gateway; its output and its exit code are its own, also with --json.
    Run(Run),
    /// Print what an MCP client needs to use this gateway.
    McpConfig(McpConfig),
    /// Look for what is wrong between here and your services, with a remedy for each; end with 1 where something failed.
    Doctor,
    /// An identity of this program's own, for gateways that know agents by their keys (ATH 0.1).
    Agent(Agent),
    /// Print completions for a shell.
    Completions(Completions),
    /// Print the manual page.
    Man,
    /// Print the version.
    Version,
}

/// How to log in.
#[derive(Debug, Args)]
pub struct Login {
    /// The service that you come by; asked in the browser where it is left out.
    pub(crate) service: Option<String>,
    /// By a code that you type in on any device, without a browser here (RFC 8628).
    #[arg(long)]
    pub(crate) device: bool,
    /// Print the link, and open nothing.
    #[arg(long)]
    pub(crate) no_browser: bool,
    /// Wait at most so many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub(crate) wait: u64,
    /// The client id that the gateway's operator gave you, where programs cannot register themselves.
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: Option<String>,
}

/// What to connect.
#[derive(Debug, Args)]
pub struct Connect {
    /// The service's id, as `ath services` prints it.
    pub(crate) service: String,
    /// This scope alone; may be given several times.
    #[arg(long)]
    pub(crate) scope: Vec<String>,
    /// Wait until the person has done it; at most so many seconds, 300 where none are given.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "300")]
    pub(crate) wait: Option<u64>,
    /// Print the link, and open nothing.
    #[arg(long)]
    pub(crate) print_url: bool,
    /// With --agent: the code that the person was shown on the last page behind the link.
    #[arg(long, value_name = "CODE")]
    pub(crate) code: Option<String>,
}

/// What to disconnect.
#[derive(Debug, Args)]
pub struct Disconnect {
    /// The service's id.
    pub(crate) service: String,
    /// End the connection itself as well, at the gateway and at the service, where nobody else uses it.
    #[arg(long)]
    pub(crate) remote: bool,
}

/// What to fetch.
#[derive(Debug, Args)]
pub struct Fetch {
    /// The service's id.
    pub(crate) service: String,
    /// A path of its API, or its whole URL.
    pub(crate) path: String,
    /// The method; POST where there are data, GET otherwise.
    #[arg(short = 'X', long = "request", value_name = "METHOD")]
    pub(crate) method: Option<String>,
    /// The body. What begins with { or [ is sent as JSON, everything else as a form.
    #[arg(short, long, value_name = "DATA", conflicts_with = "data_file")]
    pub(crate) data: Option<String>,
    /// The body, from a file; - is standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) data_file: Option<PathBuf>,
    /// A further header; may be given several times. Authorization is the gateway's, and headers that it does not list go no further.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub(crate) headers: Vec<String>,
    /// Write the body to this file.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Print the status and the headers, too.
    #[arg(short, long)]
    pub(crate) include: bool,
    /// End with 5 where the service answers with 400 or more.
    #[arg(short, long)]
    pub(crate) fail: bool,
}

/// What to run.
#[derive(Debug, Args)]
pub struct Run {
    /// The command and its arguments.
    #[arg(last = true, required = true)]
    pub(crate) command: Vec<String>,
}

/// Which client.
#[derive(Debug, Args)]
pub struct McpConfig {
    /// The client; json is for those that read .mcp.json, mcp-remote for those that start servers as commands.
    pub(crate) client: McpClient,
    /// For this service alone; for all of them where it is left out.
    #[arg(long)]
    pub(crate) service: Option<String>,
}

/// A program that speaks MCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum McpClient {
    ClaudeCode,
    Codex,
    Opencode,
    Cursor,
    Vscode,
    Inspector,
    McpRemote,
    Json,
}

/// What to do with an agent's identity.
#[derive(Debug, Args)]
pub struct Agent {
    #[command(subcommand)]
    pub(crate) command: AgentCommand,
}

/// What to do with an agent's identity.
#[derive(Debug, Subcommand)]
pub(crate) enum AgentCommand {
    /// Make a key, and the identity document to publish.
    Init(AgentInit),
}

/// Who the agent is.
#[derive(Debug, Args)]
pub(crate) struct AgentInit {
    /// Where its identity document will be: the agent's id.
    pub(crate) id: Url,
    /// As people read it.
    #[arg(long)]
    pub(crate) name: String,
}

/// Which shell.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell.
    pub(crate) shell: clap_complete::Shell,
}
