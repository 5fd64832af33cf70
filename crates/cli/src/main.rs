//! The binary `ath`. What it does is in the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
