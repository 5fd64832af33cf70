use std::path::PathBuf;

use super::key::{Form, Key};
use super::reader::Table;

/// Where every request is logged, and what of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccessLogConfig {
    pub(crate) path: AccessLogPath,
    /// Whether lines name the agent.
    pub(crate) agents: bool,
    /// Whether lines of calls have their path.
    pub(crate) paths: bool,
}

/// Where it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AccessLogPath {
    /// Nowhere.
    Off,
    /// A file that only grows, until somebody moves it away.
    File(PathBuf),
    /// Standard output, for a collector that reads it.
    StandardOutput,
}

pub(super) fn read(table: &Table<'_>) -> Option<AccessLogConfig> {
    let parse = |text: &str| match text {
        "" => Err("is empty; write a file, or \"-\" for standard output"),
        "-" => Ok(AccessLogPath::StandardOutput),
        path => Ok(AccessLogPath::File(PathBuf::from(path))),
    };
    let (agents, paths) = (table.boolean(&AGENTS), table.boolean(&PATHS));
    if table.written(&PATH).is_none() {
        if agents || paths {
            table.place().problem(
                "is off without path; add `path = \"/var/log/ath-gateway/access.jsonl\"`, or \"-\" for standard output",
            );
        }
        return Some(AccessLogConfig { path: AccessLogPath::Off, agents, paths });
    }
    let path = table.parsed(&PATH, parse)?.value;
    Some(AccessLogConfig { path, agents, paths })
}

pub(super) const KEYS: &[Key] = &[PATH, AGENTS, PATHS];

const PATH: Key = Key::optional(
    "path",
    Form::Text,
    "The file for a line of JSON about every request, or \"-\" for standard output; by default there is no such log.",
);
const AGENTS: Key = Key::optional("agents", Form::Boolean, "Whether its lines name the agent; false by default.");
const PATHS: Key = Key::optional(
    "paths",
    Form::Boolean,
    "Whether lines about calls have the path, without the query; false by default, since paths can name people and their things.",
);
