use tracing_subscriber::EnvFilter;

use super::key::{Form, Key};
use super::reader::Table;

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogConfig {
    /// The form of a line.
    pub(crate) format: LogFormat,
    /// Directives that `EnvFilter` accepts.
    pub(crate) filter: String,
}

/// The form of a line of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For programs: one object for each line.
    Json,
}

pub(super) fn read(table: &Table<'_>) -> Option<LogConfig> {
    let format = table.text(&FORMAT);
    let filter = table.parsed(&FILTER, |text| match EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("is no filter; write a level, or as in \"info,proxy=debug\""),
    });
    let format = match format?.value {
        "json" => LogFormat::Json,
        _ => LogFormat::Text,
    };
    Some(LogConfig { format, filter: filter?.value })
}

pub(super) const KEYS: &[Key] = &[FORMAT, FILTER];

const FORMAT: Key = Key::default(
    "format",
    Form::OneOf(&["text", "json"]),
    "text",
    "Lines for people, \"text\", or objects for programs, \"json\"; text by default, since people read the first ones.",
);
const FILTER: Key = Key::default(
    "filter",
    Form::Text,
    "info",
    "The level, for all or by part, as in \"info,proxy=debug\"; info by default, which tells of starts, stops and whatever fails.",
);
