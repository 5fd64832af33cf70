use std::path::PathBuf;

use clap::Args;

use super::ConfigFile;

/// What the first configuration is made of. What is left out is asked for at a terminal, and found out or left as it is by default elsewhere.
#[derive(Args)]
pub(crate) struct Init {
    #[command(flatten)]
    pub(crate) config: ConfigFile,
    /// Where browsers and agents reach the gateway; port 4180 of this machine, for it alone, by default.
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<String>,
    /// The address and port to listen on; the port of a public URL on this machine, or 127.0.0.1:4180, by default.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
    #[command(flatten)]
    pub(crate) service: InitService,
    #[command(flatten)]
    pub(crate) server: InitServer,
    #[command(flatten)]
    pub(crate) client: InitClient,
    #[command(flatten)]
    pub(crate) scopes: InitScopes,
    /// Ask nothing, also where there is a terminal.
    #[arg(long)]
    pub(crate) no_input: bool,
    /// Send nothing to the service: nothing is found out, and nothing tried.
    #[arg(long)]
    pub(crate) offline: bool,
    /// Run the gateway when the file is written.
    #[arg(long)]
    pub(crate) start: bool,
}

/// The service that agents are to use.
#[derive(Args)]
pub(crate) struct InitService {
    /// One that the gateway knows, as `ath-gateway providers list` has it.
    #[arg(long, value_name = "NAME")]
    pub(crate) preset: Option<String>,
    /// What the preset wants to be told; may be given several times.
    #[arg(long, value_name = "NAME=VALUE", requires = "preset")]
    pub(crate) value: Vec<String>,
    /// The base URL of its API.
    #[arg(long, value_name = "URL")]
    pub(crate) api: Option<String>,
    /// The URL of an MCP server.
    #[arg(long, value_name = "URL", conflicts_with_all = ["preset", "api"])]
    pub(crate) mcp: Option<String>,
    /// The URL of its OpenAPI document; openapi.json below the API's base, where there is one, by default.
    #[arg(long, value_name = "URL", conflicts_with = "mcp")]
    pub(crate) openapi: Option<String>,
    /// Names the service in paths and records; made of its host by default.
    #[arg(long)]
    pub(crate) id: Option<String>,
    /// What people are shown; made of the id by default.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// A PEM file with the authority of its certificate, where that is one of your own.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Its URLs may be http, by which whoever is on the way reads its tokens.
    #[arg(long)]
    pub(crate) allow_plaintext: bool,
}

/// Where its people sign in.
#[derive(Args)]
pub(crate) struct InitServer {
    /// The OAuth server's issuer, whose metadata says the rest; found from the service where it says it.
    #[arg(long, value_name = "URL", conflicts_with_all = ["authorize_endpoint", "personal_keys"])]
    pub(crate) issuer: Option<String>,
    /// A host that the metadata may name besides the issuer's own; may be given several times.
    #[arg(long, value_name = "HOST")]
    pub(crate) endpoint_host: Vec<String>,
    /// Where the browser is sent to sign in, for a server without metadata.
    #[arg(long, value_name = "URL", requires = "token_endpoint")]
    pub(crate) authorize_endpoint: Option<String>,
    /// Where codes are exchanged, for a server without metadata.
    #[arg(long, value_name = "URL", requires = "authorize_endpoint")]
    pub(crate) token_endpoint: Option<String>,
    /// Where such a server says who signed in.
    #[arg(long, value_name = "URL", requires = "authorize_endpoint")]
    pub(crate) userinfo_endpoint: Option<String>,
    /// Where such a server takes tokens back (RFC 7009).
    #[arg(long, value_name = "URL", requires = "authorize_endpoint")]
    pub(crate) revoke_endpoint: Option<String>,
    /// Whether PKCE protects the code; none for servers that refuse parameters they do not know.
    #[arg(long, value_parser = ["s256", "none"])]
    pub(crate) pkce: Option<String>,
    /// There is no OAuth: each person pastes a key of their own.
    #[arg(long, conflicts_with_all = ["authorize_endpoint", "preset", "mcp"])]
    pub(crate) personal_keys: bool,
}

/// The gateway as a client there.
#[derive(Args)]
pub(crate) struct InitClient {
    /// The client id that the service gave out for the gateway.
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: Option<String>,
    /// The file that holds the client's secret; - reads it from standard input and keeps it in a file of its own.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["client_secret_env", "public_client"])]
    pub(crate) client_secret_file: Option<PathBuf>,
    /// The environment variable that holds it.
    #[arg(long, value_name = "NAME", conflicts_with = "public_client")]
    pub(crate) client_secret_env: Option<String>,
    /// There is no secret.
    #[arg(long)]
    pub(crate) public_client: bool,
    /// Where browsers come back to: own is /ath/callback/<id>, shared is /ath/callback, for a redirect URI that is registered there already; own,
    /// or what the preset has, by default.
    #[arg(long, value_parser = ["shared", "own"])]
    pub(crate) callback: Option<String>,
    /// How the secret is presented; what the metadata says, or post, by default.
    #[arg(long, value_parser = ["post", "basic"])]
    pub(crate) client_auth: Option<String>,
    /// Register the gateway there by itself (RFC 7591), where the server lets clients do so.
    #[arg(long, conflicts_with_all = ["client_id", "client_secret_file", "client_secret_env", "public_client"])]
    pub(crate) register: bool,
}

/// What agents may ask for there.
#[derive(Args)]
pub(crate) struct InitScopes {
    /// A scope of the service's; may be given several times. By default those of the preset or of the metadata, and where there are none, read
    /// and write, which the gateway alone knows.
    #[arg(long)]
    pub(crate) scope: Vec<String>,
    /// What people are told of a scope; may be given several times.
    #[arg(long, value_name = "SCOPE=TEXT", requires = "scope")]
    pub(crate) says: Vec<String>,
    /// A call that a scope allows, or a tool of an MCP server; may be given several times.
    #[arg(long, value_name = "SCOPE=CALL", requires = "scope")]
    pub(crate) allow: Vec<String>,
}
