use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

// Also where this file is read by a program that prints the command line.
#[path = "cli/init.rs"]
pub(crate) mod init;

/// Lets software agents use APIs on behalf of people, and never hands them a credential.
#[derive(Parser)]
#[command(name = "ath-gateway", version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Write a configuration: asks at a terminal, or takes everything from the command line. Overwrites nothing.
    Init(Box<init::Init>),
    /// Run the gateway.
    Serve(ConfigFile),
    /// Check a configuration: every problem at once, with file, line, column and remedy. Exits 2 if there is one.
    Check(Check),
    /// Look for what is wrong: names, listeners, certificates, the store and its keys, disks and the clock on this machine; and at every
    /// provider whether its endpoints answer, whether it knows the gateway's client, what its metadata says otherwise. Says how to mend it.
    Doctor(Doctor),
    /// Write what somebody who helps has to know into one file: no secret, and nobody's name.
    SupportBundle(SupportBundle),
    /// Ask the gateway on this machine whether it takes work; exits 0, or 1 and says why not. For images and units that have no other client.
    Healthcheck(Healthcheck),
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
    /// Print every key of gateway.toml: as a JSON Schema (2020-12) for editors, or as a page.
    Schema(Schema),
    /// Providers: which ones the gateway knows and what is to be written for them (list, show), and those of a running gateway (suspend,
    /// resume).
    Providers(Operation<ProvidersCommand>),
    /// Have a running gateway read its configuration again, as SIGHUP does; exits 0 when it holds, or 1 and says why it was refused.
    Reload(Reload),
    /// The store of a running gateway: back up.
    Store(Operation<StoreCommand>),
    /// The sealing keys of a running gateway: status, rotate.
    Keys(Operation<KeysCommand>),
    /// Run everything on loopback: the gateway, and a helpdesk to stand in front of. No account, nothing to install.
    #[cfg(feature = "demo")]
    Demo(Demo),
}

#[derive(Args)]
pub(crate) struct Schema {
    /// Print a page in Markdown, with a table of keys for each table of the file: docs/configuration.md.
    #[arg(long)]
    pub(crate) markdown: bool,
}

#[derive(Args)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) config: ConfigFile,
    /// Ask the providers, too, as `doctor` does; exits 1 if something is wrong there.
    #[arg(long)]
    pub(crate) online: bool,
    /// Print JSON: what was found in the file, each with its line and key; with --online, what came of asking the providers.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Doctor {
    /// This provider alone, by its id, and nothing of this machine.
    pub(crate) provider: Option<String>,
    #[command(flatten)]
    pub(crate) config: ConfigFile,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Healthcheck {
    #[command(flatten)]
    pub(crate) config: ConfigFile,
    /// Ask this URL, and read no configuration.
    #[arg(long, conflicts_with = "config")]
    pub(crate) url: Option<String>,
    /// Ask only whether the process runs, whatever becomes of its store.
    #[arg(long)]
    pub(crate) alive: bool,
    /// How many seconds the answer may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    pub(crate) timeout: u64,
}

#[derive(Args)]
pub(crate) struct SupportBundle {
    #[command(flatten)]
    pub(crate) config: ConfigFile,
    /// The file to write, which must not be there; - is standard output. A name with the time by default.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Ask no provider.
    #[arg(long)]
    pub(crate) offline: bool,
}

#[derive(Args)]
pub(crate) struct Reload {
    #[command(flatten)]
    pub(crate) config: ConfigFile,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
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
    /// End a connection, or with --client what one agent may do with it; with --provider all connections there, at once. Done everywhere
    /// when the command returns.
    Revoke {
        /// As `list` prints it: user/provider/account.
        #[arg(required_unless_present = "provider", conflicts_with = "provider")]
        connection: Option<String>,
        /// Only the grant of the agent with this client id.
        #[arg(long, conflicts_with = "provider")]
        client: Option<String>,
        #[command(flatten)]
        all: AllAt,
    },
    /// What became of the last `revoke --provider`: what ended, and what may still be alive at the provider.
    Report {
        /// Where everything was ended.
        #[arg(long)]
        provider: String,
    },
}

/// All connections at a provider.
#[derive(Args, Clone)]
pub(crate) struct AllAt {
    /// Every connection at this provider, of everybody.
    #[arg(long)]
    pub(crate) provider: Option<String>,
    /// Of this person alone.
    #[arg(long, requires = "provider")]
    pub(crate) user: Option<String>,
    /// Do not ask whether that is meant.
    #[arg(long, requires = "provider")]
    pub(crate) yes: bool,
    /// How many seconds to wait until the provider has been told; the report says how far that is.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, requires = "provider")]
    pub(crate) wait: u64,
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
    /// Every preset: what it is called, what it is unlike the standards in, and how far it was verified.
    List,
    /// What a preset sets and wants to be told, or what holds for a provider of the configuration; and what to write.
    Show {
        /// A preset's name, or a provider's id.
        name: String,
    },
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
pub(crate) enum StoreCommand {
    /// Copy an embedded store, while it runs, into a new file on the gateway's machine. The sealing key is not in it.
    Backup {
        /// Where to; nothing is replaced.
        file: PathBuf,
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
