//! What is said in the log, as records that go to a collector.

use std::fmt;

use protocol::TraceContext;
use secret::Unspoken;
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

use super::redaction::redacted;

/// One line of the log. Nothing of it is a secret by type, and the words that are have been taken out, as on standard error.
#[derive(Debug)]
pub(crate) struct Record {
    /// In nanoseconds since the Unix epoch.
    pub(crate) at: u64,
    pub(crate) level: Level,
    pub(crate) target: &'static str,
    pub(crate) message: String,
    pub(crate) fields: Vec<(&'static str, Value)>,
    pub(crate) request: Option<String>,
    pub(crate) context: Option<TraceContext>,
}

/// What a field holds.
#[derive(Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Integer(i64),
    Number(f64),
    Truth(bool),
}

impl Record {
    pub(super) fn of(event: &Event<'_>, at: u64, unspoken: &Unspoken) -> Self {
        let mut reader = Reader { unspoken, message: String::new(), fields: Vec::new() };
        event.record(&mut reader);
        Self {
            at,
            level: *event.metadata().level(),
            target: event.metadata().target(),
            message: reader.message,
            fields: reader.fields,
            request: None,
            context: None,
        }
    }
}

struct Reader<'a> {
    unspoken: &'a Unspoken,
    message: String,
    fields: Vec<(&'static str, Value)>,
}

impl Reader<'_> {
    fn text(&mut self, field: &Field, text: &str) {
        let mut text = redacted(text, self.unspoken).into_owned();
        if text.len() > LONGEST {
            let end = (0..=LONGEST).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
            text.truncate(end);
        }
        match field.name() {
            "message" => self.message = text,
            name => self.fields.push((name, Value::Text(text))),
        }
    }
}

impl Visit for Reader<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.fields.push((field.name(), Value::Integer(value)));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        let value = i64::try_from(value).map_or_else(|_| Value::Text(value.to_string()), Value::Integer);
        self.fields.push((field.name(), value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.fields.push((field.name(), Value::Number(value)));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.fields.push((field.name(), Value::Truth(value)));
    }
}

/// Of a message or a field, in bytes: records wait in memory.
const LONGEST: usize = 4096;
