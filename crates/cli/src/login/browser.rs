//! The person's browser.

use std::process::{Command, Stdio};

use crate::machine::Environment;
use crate::talk::{Reader, Talk};

/// Whether a browser can be expected to open here.
pub(crate) fn is_here(environment: &dyn Environment) -> bool {
    let set = |name: &str| environment.variable(name).is_some();
    set("BROWSER") || cfg!(target_os = "macos") || set("DISPLAY") || set("WAYLAND_DISPLAY")
}

/// Opens a link of the gateway's for a person; nothing where nobody is there, or no browser is.
pub(crate) fn open(link: &str, talk: Talk, environment: &dyn Environment) {
    if talk.reader == Reader::Program || !is_here(environment) {
        return;
    }
    let program = environment.variable("BROWSER").unwrap_or_else(|| USUAL.to_owned());
    // The link is one word of the command, and no shell reads it.
    let started =
        Command::new(program).arg(link).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    if started.is_err() {
        talk.say("No browser could be started; open the link yourself.");
    }
}

const USUAL: &str = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
