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
    /// Run everything on loopback: the gateway, and a helpdesk to stand in front of. No account, nothing to install.
    #[cfg(feature = "demo")]
    Demo(Demo),
}

#[derive(Args)]
pub(crate) struct ConfigFile {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = "gateway.toml")]
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
