use std::io::IsTerminal;
use std::process::ExitCode;

use secret::SealingKey;

use crate::output::out_line;
use crate::system::SystemEntropy;

/// Prints a new sealing key on standard output, and for a person what to do with it.
pub(crate) fn run() -> ExitCode {
    out_line!("{}", SealingKey::generate(&SystemEntropy).as_str());
    if std::io::stdout().is_terminal() {
        eprintln!("Keep it in a file that only the gateway can read, and name that file in gateway.toml:");
        eprintln!("  [store]");
        eprintln!("  keys = [{{ file = \"/run/secrets/ath-sealing-key\" }}]");
        eprintln!("Every gateway on the same store needs the same keys. Without them the stored tokens are lost.");
    }
    ExitCode::SUCCESS
}
