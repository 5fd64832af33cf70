//! The command `ath`: an OAuth client of the gateway's, for people and agents at a shell. No credential of a service ever comes to this
//! machine; what is kept here are tokens of the gateway's own.
//!
//! **Invariant:** standard output holds data alone. With `--json` that is exactly one object, whatever happens.
//!
//! **Invariant:** nothing is asked of a person without a terminal, and everything that only a person can do comes with the link for it.

mod arguments;
mod exit;
mod failure;
mod output;
pub mod reference;

use std::process::ExitCode;

use clap::Parser;

pub use arguments::{Arguments, Command};
pub use exit::Exit;
pub use failure::{Code, Failure};

/// Reads the command line, does what it says, and tells how it ended.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let _ = arguments;
    Exit::Other.into()
}
