use clap::CommandFactory;
use clap_complete::Shell;
use serde_json::json;

use crate::Arguments;
use crate::reference::Printed;

/// `ath completions`: the script that a shell reads.
pub(crate) fn completions(shell: Shell) -> Printed {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "ath", &mut script);
    let text = String::from_utf8_lossy(&script).into_owned();
    Printed { data: json!({"shell": shell.to_string(), "script": text}), text, note: None }
}
