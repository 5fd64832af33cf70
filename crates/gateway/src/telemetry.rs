mod redaction;

use std::sync::Arc;

use secret::Unspoken;
use tracing_subscriber::EnvFilter;

use crate::config::{LogConfig, LogFormat};
use crate::telemetry::redaction::Redacted;
pub(crate) use crate::telemetry::redaction::redacted;

/// Starts the log, on standard error. What must not be printed has types that do not print; and should it be printed all the same, it is
/// not written.
pub(crate) fn start(log: &LogConfig, unspoken: Arc<Unspoken>) {
    // The MCP library tells each request at info, and what is in it below that: arguments and results are people's.
    let filter = EnvFilter::try_new(format!("{},rmcp=off", log.filter));
    let filter = filter.unwrap_or_else(|_| EnvFilter::new("info,rmcp=off"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(Redacted(unspoken));
    // A second start, in a test or after a reload, leaves the first one's log in place.
    let _ = match log.format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => builder.with_ansi(false).try_init(),
    };
}
