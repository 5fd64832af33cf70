//! The command `ath`: an OAuth client of the gateway's, for people and agents at a shell. No credential of a service ever comes to this
//! machine; what is kept here are tokens of the gateway's own.
//!
//! **Invariant:** standard output holds data alone. With `--json` that is exactly one object, whatever happens.
//!
//! **Invariant:** nothing is asked of a person without a terminal, and everything that only a person can do comes with the link for it.
//!
//! **Invariant:** a link is told, and opened, where it leads to the gateway; nothing that a service says is taken for the gateway's word.

mod agent;
mod arguments;
mod commands;
mod context;
mod credentials;
mod dispatch;
mod doctor;
mod egress;
mod exit;
mod failure;
mod gateway;
mod gateway_url;
mod login;
mod machine;
mod output;
mod plain;
mod private_file;
pub mod reference;
mod run;
mod settings;
mod talk;
mod unbroken;
mod written;

use std::process::ExitCode;

pub use arguments::{Arguments, Command};
pub use exit::Exit;
pub use failure::{Code, Failure};

/// Reads the command line, does what it says, and tells how it ended.
#[must_use]
pub fn run() -> ExitCode {
    dispatch::run(&machine::Machine::this())
}
