//! The log, and what goes to a collector by OpenTelemetry's protocol.
//!
//! A finished request is a small value in its core's ring; log records and what is rarer go through a queue. One thread makes OTLP of them
//! and sends it. Where no collector is configured there is none of that.
//!
//! **Invariant:** no request waits for a collector, whatever it does, and the end of the process does for five seconds at most.
//!
//! **Invariant:** nothing that is sent of a trace names a person, an agent, a path, a query or a token: its words are the
//! configuration's, those of closed lists, and numbers.

mod exporter;
mod ids;
mod layer;
mod logs;
mod otlp;
mod outbox;
mod redaction;
mod span;
mod spans;
mod tracer;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{Next, from_fn};
use secret::{Entropy, Unspoken};
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};
use url::Url;

use crate::config::{CollectorConfig, Config, LogConfig, LogFormat, OpenTelemetryConfig, Signal};
use crate::egress::CollectorClient;
use crate::system::SystemEntropy;
use crate::telemetry::exporter::{Exporter, Running};
use crate::telemetry::ids::Ids;
use crate::telemetry::layer::Listener;
use crate::telemetry::otlp::About;
use crate::telemetry::outbox::Outbox;
use crate::telemetry::redaction::Redacted;
pub(crate) use crate::telemetry::redaction::redacted;
pub(crate) use crate::telemetry::spans::Spans;
pub(crate) use crate::telemetry::tracer::{Tracer, Underway};

/// What was started for as long as the process runs. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Telemetry(Option<Sending>);

#[derive(Clone)]
struct Sending {
    outbox: Outbox,
    ids: Arc<Ids>,
    running: Arc<Mutex<Option<Running>>>,
}

/// Starts the log, on standard error, and what goes to a collector, where one is configured. What must not be printed has types that do
/// not print; and should it be printed all the same, it is not written, nor sent.
pub(crate) fn start(config: &Config, unspoken: Arc<Unspoken>) -> Telemetry {
    let OpenTelemetryConfig::On(collector) = &config.opentelemetry else {
        to_standard_error(&config.log, unspoken);
        return Telemetry::default();
    };
    for value in collector.headers.values() {
        unspoken.note_for_good(value.to_str().unwrap_or_default());
    }
    let (outbox, inbox) = Outbox::new();
    let ids = Arc::new(Ids::new(&SystemEntropy, collector.sample_ratio));
    let (outbox_there, ids_there, traces) = (outbox.clone(), ids.clone(), collector.traces);
    let listener = Listener { outbox: outbox_there, ids: ids_there, unspoken: unspoken.clone(), traces };
    to_both(&config.log, collector, listener, unspoken);
    let exporter = match exporter(collector, &config.gateway.public_url) {
        Ok(exporter) => exporter,
        Err(error) => {
            tracing::error!(error = %error, "nothing goes to the collector of [opentelemetry]");
            return Telemetry::default();
        }
    };
    match exporter::start(exporter, inbox) {
        Ok(running) => Telemetry(Some(Sending { outbox, ids, running: Arc::new(Mutex::new(Some(running))) })),
        Err(error) => {
            tracing::error!(error = %error, "nothing goes to the collector of [opentelemetry]");
            Telemetry::default()
        }
    }
}

fn exporter(collector: &CollectorConfig, public_url: &Url) -> Result<Exporter, Box<dyn std::error::Error>> {
    let tls = crate::tls::client(&collector.extra_roots)?;
    let client = CollectorClient::new(tls, collector.headers.clone(), collector.timeout)?;
    let below = |path: &str| Url::parse(&format!("{}{path}", collector.endpoint.as_str().trim_end_matches('/')));
    let about = About::new(collector, public_url, &instance());
    Ok(Exporter { client, about, traces: below("/v1/traces")?, logs: below("/v1/logs")? })
}

/// A name for this run: sixteen random bytes.
fn instance() -> String {
    let mut bytes = [0u8; 16];
    SystemEntropy.fill(&mut bytes);
    data_encoding::HEXLOWER.encode(&bytes)
}

/// Has answers of the control plane say which endpoint they are of, as it is declared, where somebody writes that down.
pub(crate) fn with_routes(router: Router, spans: Option<&Spans>) -> Router {
    if spans.is_none() {
        return router;
    }
    router.route_layer(from_fn(async |request: Request, next: Next| {
        let endpoint = request.extensions().get::<MatchedPath>().cloned();
        let mut response = next.run(request).await;
        if let Some(endpoint) = endpoint {
            response.extensions_mut().insert(endpoint);
        }
        response
    }))
}

impl Telemetry {
    /// What writes steps down for this configuration; `None` where nobody does.
    pub(crate) fn spans(&self, config: &Config) -> Option<Spans> {
        let OpenTelemetryConfig::On(collector) = &config.opentelemetry else { return None };
        let sending = self.0.as_ref().filter(|_| collector.traces == Signal::Sent)?;
        let place = (sending.outbox.clone(), sending.ids.clone());
        Some(Spans::new(place, (collector.sample_ratio, collector.incoming), config, &collector.traceparent_to))
    }

    /// How many spans and how many log records did not reach the collector.
    pub(crate) fn dropped(&self) -> (u64, u64) {
        self.0.as_ref().map(|sending| sending.outbox.dropped()).unwrap_or_default()
    }

    /// Sends what waits, for a moment.
    pub(crate) async fn finish(&self) {
        let running =
            self.0.as_ref().map(|sending| sending.running.lock().unwrap_or_else(PoisonError::into_inner).take());
        let Some(Running { ending, ended }) = running.flatten() else { return };
        ending.cancel();
        let _ = tokio::time::timeout(PATIENCE, ended).await;
    }
}

fn to_standard_error(log: &LogConfig, unspoken: Arc<Unspoken>) {
    let builder = tracing_subscriber::fmt().with_env_filter(filter(log, &LEFT_OUT)).with_writer(Redacted(unspoken));
    // A second start, in a test or after a reload, leaves the first one's log in place.
    let _ = match log.format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => builder.with_ansi(false).try_init(),
    };
}

fn to_both(log: &LogConfig, collector: &CollectorConfig, listener: Listener, unspoken: Arc<Unspoken>) {
    let lines = tracing_subscriber::fmt::layer().with_writer(Redacted(unspoken));
    let lines = match log.format {
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
        LogFormat::Text => lines.with_ansi(false).boxed(),
    };
    let spans = filter_fn(layer::concerns).with_max_level_hint(tracing::level_filters::LevelFilter::INFO);
    let listener = match collector.logs {
        Signal::Sent => listener.with_filter(filter(log, &NOT_SENT).or(spans)).boxed(),
        Signal::Kept => listener.with_filter(spans).boxed(),
    };
    let registry = tracing_subscriber::registry().with(lines.with_filter(filter(log, &LEFT_OUT))).with(listener);
    let _ = registry.try_init();
}

fn filter(log: &LogConfig, without: &[&str]) -> EnvFilter {
    let directives = |usual: &str| format!("{usual},{}=off", without.join("=off,"));
    EnvFilter::try_new(directives(&log.filter)).unwrap_or_else(|_| EnvFilter::new(directives("info")))
}

/// The MCP library tells each request at info, and what is in it below that: arguments and results are people's. Steps of traces are
/// spans, which say nothing.
const LEFT_OUT: [&str; 2] = ["rmcp", "ath_gateway::step"];
/// Besides, what names people and agents stays on this machine: the audit log has a place of its own.
const NOT_SENT: [&str; 4] = ["rmcp", "ath_gateway::step", "ath_gateway::audit", "ath_gateway::access"];
const PATIENCE: Duration = Duration::from_secs(5);
