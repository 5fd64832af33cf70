use std::path::{Path, PathBuf};

use super::key::{Form, Key};
use super::reader::Table;

/// Where decisions and calls are written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AuditConfig {
    /// A file that only grows.
    File(PathBuf),
    /// Standard output, for a collector that reads it.
    StandardOutput,
}

/// `data` is the folder of whatever the gateway keeps on this machine.
pub(super) fn read(table: &Table<'_>, data: Option<&Path>) -> Option<AuditConfig> {
    if table.written(&PATH).is_none() {
        return Some(AuditConfig::File(data?.join("audit.jsonl")));
    }
    let parse = |text: &str| match text {
        "" => Err("is empty; write a file, or \"-\" for standard output"),
        "-" => Ok(AuditConfig::StandardOutput),
        path => Ok(AuditConfig::File(PathBuf::from(path))),
    };
    Some(table.parsed(&PATH, parse)?.value)
}

pub(super) const KEYS: &[Key] = &[PATH];

const PATH: Key = Key::optional(
    "path",
    Form::Text,
    "The file that decisions and calls are written to, a line of JSON each, or \"-\" for standard output; audit.jsonl in the store's folder, \
     or in ./data, by default. Without it nothing is decided, so it has to be writable.",
);
