use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Lets software agents use APIs on behalf of people, and never hands them a credential.
#[derive(Parser)]
#[command(name = "ath-gateway", version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the gateway.
    Serve(ConfigFile),
    /// Check a configuration: every problem at once, with file, line, column and remedy. Exits 2 if there is one.
    Check(ConfigFile),
    /// Print a new sealing key.
    Keygen,
    /// Read a password from standard input, and print its hash for a local account.
    HashPassword,
    /// Agents of a running gateway: list, approve, deny, suspend, delete.
    Agents(Operation<AgentsCommand>),
    /// What people have connected at a running gateway: list, revoke.
    Connections(Operation<ConnectionsCommand>),
    /// People known to a running gateway: delete.
    Users(Operation<UsersCommand>),
    /// Providers of a running gateway: suspend, resume.
    Providers(Operation<ProvidersCommand>),
    /// The sealing keys of a running gateway: status, rotate.
    Keys(Operation<KeysCommand>),
    /// Run everything on loopback: the gateway, and a helpdesk to stand in front of. No account, nothing to install.
    #[cfg(feature = "demo")]
    Demo(Demo),
}

/// What is asked of a running gateway, which is found by its configuration.
#[derive(Args)]
pub(crate) struct Operation<C: Subcommand> {
    #[command(subcommand)]
    pub(crate) command: C,
    #[command(flatten)]
    pub(crate) config: ConfigFile,
    /// Print JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum AgentsCommand {
    /// Every registration, what it may ask for, and what waits.
    List,
    /// Let an agent have what it asked for and waits for; take one back that was suspended or has a new key.
    Approve {
        /// The registration's client id.
        client: String,
        #[command(flatten)]
        what: Part,
    },
    /// Refuse what an agent asked for, also where it has it already. Holds for live tokens at once.
    Deny {
        /// The registration's client id.
        client: String,
        #[command(flatten)]
        what: Part,
        /// What the agent's developer is told.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Take an agent out of service; its tokens and grants are dead for good.
    Suspend {
        /// The registration's client id.
        client: String,
        /// For the audit log.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Remove a registration with all that hangs on it.
    Delete {
        /// The registration's client id.
        client: String,
    },
}

/// A part of what an agent asked for; all of it where nothing is named.
#[derive(Args)]
pub(crate) struct Part {
    /// At this provider; may be given several times.
    #[arg(long)]
    pub(crate) provider: Vec<String>,
    /// This scope; may be given several times.
    #[arg(long)]
    pub(crate) scope: Vec<String>,
}

#[derive(Subcommand)]
pub(crate) enum ConnectionsCommand {
    /// Every connection, and which agents may use it.
    List,
    /// End a connection, or with --client what one agent may do with it. Done everywhere when the command returns.
    Revoke {
        /// As `list` prints it: user/provider/account.
        connection: String,
        /// Only the grant of the agent with this client id.
        #[arg(long)]
        client: Option<String>,
    },
}

#[derive(Subcommand)]
pub(crate) enum UsersCommand {
    /// Remove a person, with everything they connected and allowed.
    Delete {
        /// The user id.
        user: String,
    },
}

#[derive(Subcommand)]
pub(crate) enum ProvidersCommand {
    /// Forward nothing to a provider any more, until it is resumed.
    Suspend {
        /// The provider's id.
        provider: String,
    },
    /// Forward to it again.
    Resume {
        /// The provider's id.
        provider: String,
    },
}

#[derive(Subcommand)]
pub(crate) enum KeysCommand {
    /// Which keys there are, which gateways hold them, and how many records are under each.
    Status,
    /// Move every record under the first key, and show how far it has come. Reads the keys anew; where the gateway keeps the key in a file
    /// of its own, makes a new one first.
    Rotate,
    /// Where a key is lost: remove every record that is sealed with it, for good, without a running gateway.
    Forget {
        /// As the refusal to start, or `status`, prints it.
        key: String,
        /// Says that you know what is lost.
        #[arg(long)]
        records_are_lost: bool,
    },
}

#[derive(Args)]
pub(crate) struct ConfigFile {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = "gateway.toml", global = true)]
    pub(crate) config: PathBuf,
}

#[cfg(feature = "demo")]
#[derive(Args)]
pub(crate) struct Demo {
    /// Play the whole story by itself, step by step, and exit 0 only if all of it held.
    #[arg(long)]
    pub(crate) story: bool,
    /// Keep records in this Redis instead of an embedded store that goes with the process.
    #[arg(long, value_name = "URL")]
    pub(crate) store: Option<String>,
}
