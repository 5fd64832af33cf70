//! What the command line says of itself: for the manual page, for the documentation, for shells, and for clients that come by MCP.

mod completions;
mod man;
mod mcp_config;

use clap::builder::StyledStr;
use clap::{Arg, Command};
use serde_json::Value;

pub(crate) use completions::completions;
pub(crate) use man::man;
pub(crate) use mcp_config::mcp_config;

/// What a command prints that asks nobody.
#[derive(Debug)]
pub(crate) struct Printed {
    /// For programs.
    pub(crate) data: Value,
    /// For standard output.
    pub(crate) text: String,
    /// For whoever reads along.
    pub(crate) note: Option<String>,
}

/// A command, as documentation shows it.
#[derive(Debug)]
pub struct Described {
    /// With those above it: `ath agent init`.
    pub name: String,
    /// What it does.
    pub says: String,
    /// How it is written.
    pub usage: String,
    /// What it takes: arguments first, then its own options, without those that it has from above.
    pub takes: Vec<Taken>,
}

/// An argument or an option.
#[derive(Debug)]
pub struct Taken {
    /// As it is written: `-X, --request <METHOD>`.
    pub written: String,
    /// What it does, with its values, its default and its variable.
    pub says: String,
}

/// A command and all below it, each behind the one that it belongs to.
#[must_use]
pub fn described(root: Command) -> Vec<Described> {
    let mut root = root;
    root.build();
    let mut all = Vec::new();
    descend(&root, "", &[], &mut all);
    all
}

fn descend(command: &Command, above: &str, inherited: &[&Arg], all: &mut Vec<Described>) {
    let name = format!("{above}{}", command.get_name());
    let own: Vec<&Arg> = command
        .get_arguments()
        .filter(|arg| !BUILT_IN.contains(&arg.get_id().as_str()) && !arg.is_hide_set())
        .filter(|arg| inherited.iter().all(|other| other.get_id() != arg.get_id()))
        .collect();
    let (arguments, options): (Vec<&Arg>, Vec<&Arg>) = own.iter().copied().partition(|arg| arg.is_positional());
    let usage = command.clone().render_usage().to_string();
    all.push(Described {
        says: sentence(command.get_long_about().or_else(|| command.get_about())),
        usage: usage.trim_start_matches("Usage:").trim().to_owned(),
        takes: arguments.into_iter().chain(options).map(taken).collect(),
        name: name.clone(),
    });
    let inherited: Vec<&Arg> =
        own.into_iter().filter(|arg| arg.is_global_set()).chain(inherited.iter().copied()).collect();
    for below in command.get_subcommands().filter(|below| !BUILT_IN.contains(&below.get_name()) && !below.is_hide_set())
    {
        descend(below, &format!("{name} "), &inherited, all);
    }
}

fn taken(arg: &Arg) -> Taken {
    let mut says = vec![sentence(arg.get_long_help().or_else(|| arg.get_help()))];
    if arg.get_action().takes_values() {
        let values: Vec<String> = arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
        if !values.is_empty() {
            says.push(format!("One of {}.", values.join(", ")));
        }
        let default: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
        if !default.is_empty() {
            says.push(format!("Default: {}.", default.join(" ")));
        }
    }
    says.extend(arg.get_env().map(|variable| format!("Variable: {}.", variable.to_string_lossy())));
    Taken { written: written(arg), says: says.join(" ") }
}

/// With its full stop, which the help does without.
fn sentence(said: Option<&StyledStr>) -> String {
    let said = said.map(ToString::to_string).unwrap_or_default();
    if said.is_empty() || said.ends_with('.') { said } else { format!("{said}.") }
}

fn written(arg: &Arg) -> String {
    let values: Vec<String> = arg.get_value_names().unwrap_or_default().iter().map(ToString::to_string).collect();
    let value = values.join(" ");
    if arg.is_positional() {
        return if arg.is_required_set() { format!("<{value}>") } else { format!("[{value}]") };
    }
    let short = arg.get_short().map(|short| format!("-{short}"));
    let long = arg.get_long().map(|long| format!("--{long}"));
    let names = short.into_iter().chain(long).collect::<Vec<_>>().join(", ");
    let may_be_left_out = arg.get_num_args().is_some_and(|range| range.min_values() == 0);
    match (arg.get_action().takes_values(), may_be_left_out) {
        (false, _) => names,
        (true, false) => format!("{names} <{value}>"),
        (true, true) => format!("{names} [<{value}>]"),
    }
}

/// The variables of the environment, and what each does.
pub const ENVIRONMENT: [(&str, &str); 8] = [
    ("ATH_GATEWAY_URL", "The gateway's URL, as --gateway."),
    ("ATH_OUTPUT", "json: as --json."),
    ("ATH_TOKEN", "An access token of the gateway's for every service, used instead of what is kept here."),
    ("ATH_CREDENTIALS", "keyring or file: where a login is kept. The keyring where there is one, if this is not set."),
    ("XDG_CONFIG_HOME", "Holds ath/config.toml. ~/.config if this is not set."),
    ("XDG_STATE_HOME", "Holds ath/, where a login is kept if there is no keyring. ~/.local/state if this is not set."),
    ("BROWSER", "The program that opens links. xdg-open or its like if this is not set."),
    ("NO_COLOR", "No colours, whatever the terminal can."),
];

/// The files, and what each is for.
pub const FILES: [(&str, &str); 2] = [
    (
        "$XDG_CONFIG_HOME/ath/config.toml",
        "gateway = \"https://...\": the gateway, where neither an option nor a variable names one.",
    ),
    ("$XDG_STATE_HOME/ath/", "What is kept of a login, for its owner alone, where there is no keyring."),
];

/// What every command has, and nobody has to be told.
const BUILT_IN: [&str; 3] = ["help", "version", "_version"];

#[cfg(test)]
mod tests;
