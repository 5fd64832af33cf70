use prost::Message;
use protocol::{Sampling, TraceContext};
use tracing::Level;

use super::messages::{AnyValue, KeyValue, LogRecord, Logs, ResourceLogs, ScopeLogs, Value};
use super::resource::About;
use crate::telemetry::logs;

/// A request that exports these records.
pub(crate) fn logs(about: &About, records: &[logs::Record]) -> Vec<u8> {
    let log_records = records.iter().map(record).collect();
    let scope_logs = vec![ScopeLogs { scope: Some(About::scope()), log_records }];
    let resource_logs = vec![ResourceLogs { resource: Some(about.resource()), scope_logs }];
    Logs { resource_logs }.encode_to_vec()
}

fn record(record: &logs::Record) -> LogRecord {
    let (severity_number, severity_text) = match record.level {
        Level::ERROR => (17, "ERROR"),
        Level::WARN => (13, "WARN"),
        Level::INFO => (9, "INFO"),
        Level::DEBUG => (5, "DEBUG"),
        Level::TRACE => (1, "TRACE"),
    };
    let mut attributes = vec![KeyValue::text("target", record.target)];
    attributes.extend(record.request.as_deref().map(|request| KeyValue::text("request_id", request)));
    attributes.extend(record.fields.iter().map(|(name, value)| KeyValue::of(name, of(value))));
    let context = record.context.as_ref();
    LogRecord {
        time_unix_nano: record.at,
        observed_time_unix_nano: record.at,
        severity_number,
        severity_text: severity_text.to_owned(),
        body: Some(AnyValue { value: Some(Value::Text(record.message.clone())) }),
        attributes,
        flags: context.map_or(0, |context| u32::from(context.sampling() == Sampling::Recorded)),
        trace_id: context.map(TraceContext::trace).map(|trace| trace.bytes().to_vec()).unwrap_or_default(),
        span_id: context.map(TraceContext::span).map(|span| span.bytes().to_vec()).unwrap_or_default(),
    }
}

fn of(value: &logs::Value) -> Value {
    match value {
        logs::Value::Text(text) => Value::Text(text.clone()),
        logs::Value::Integer(number) => Value::Integer(*number),
        logs::Value::Number(number) => Value::Number(*number),
        logs::Value::Truth(truth) => Value::Truth(*truth),
    }
}
