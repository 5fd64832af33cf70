//! Where traces and logs go by OTLP. The keys are called as the variables of the field's own libraries are (`OTEL_EXPORTER_OTLP_*`).

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use protocol::ProviderId;
use rustls_pki_types::CertificateDer;
use url::Url;

use super::key::{Form, Key};
use super::reader::{Found, Table};
use super::urls::PlainHttp;
use super::{pem, urls};

/// Whether anything goes to a collector, and what.
#[derive(Debug, Clone)]
pub(crate) enum OpenTelemetryConfig {
    /// Nothing.
    Off,
    /// To this one.
    On(Box<CollectorConfig>),
}

/// A collector, and what it gets.
#[derive(Debug, Clone)]
pub(crate) struct CollectorConfig {
    /// Without a slash at its end; each signal has a path below it.
    pub(crate) endpoint: Url,
    /// What each request has besides. Their values do not print.
    pub(crate) headers: HeaderMap,
    /// Roots besides the machine's.
    pub(crate) extra_roots: Vec<CertificateDer<'static>>,
    /// For one request.
    pub(crate) timeout: Duration,
    pub(crate) traces: Signal,
    pub(crate) logs: Signal,
    /// Of the traces that begin here.
    pub(crate) sample_ratio: f64,
    pub(crate) incoming: Incoming,
    /// Upstreams that are told which trace a call belongs to.
    pub(crate) traceparent_to: Vec<ProviderId>,
    pub(crate) service_name: String,
    pub(crate) resource_attributes: Vec<(String, String)>,
}

/// Whether a kind of record is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Sent,
    Kept,
}

/// What is made of the trace that a caller says it is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// The request begins a trace of its own, with a link to the caller's.
    Link,
    /// The request continues the caller's trace, which decides whether it is recorded.
    Continue,
    /// Nothing.
    Ignore,
}

/// What else of the file it is measured by.
pub(super) struct Surroundings<'a> {
    pub(super) providers: Vec<&'a ProviderId>,
    /// Whether every provider of the file is among them.
    pub(super) complete: bool,
}

pub(super) fn read(table: &Table<'_>, around: &Surroundings<'_>) -> Option<OpenTelemetryConfig> {
    let plain = table.boolean(&ALLOW_PLAINTEXT);
    let headers = headers(table);
    let http = if plain { PlainHttp::Everywhere } else { PlainHttp::OnLoopback };
    let endpoint = endpoint(table, http);
    if let (Some(endpoint), Some(place)) = (&endpoint, table.written(&HEADERS))
        && endpoint.scheme() == "http"
        && !urls::is_loopback(endpoint)
    {
        place.problem("holds secrets, which http shows to whoever is on the way; use https, or remove it");
    }
    let extra_roots = match table.text(&CA_FILE) {
        Some(file) => pem::roots(&file)?,
        None => Vec::new(),
    };
    let timeout = table.duration(&TIMEOUT);
    let [traces, logs] = signals(table);
    let sample_ratio = table.ratio(&SAMPLE_RATIO, 1.0);
    let incoming = match table.text(&INCOMING)?.value {
        "continue" => Incoming::Continue,
        "ignore" => Incoming::Ignore,
        _ => Incoming::Link,
    };
    let traceparent_to = upstreams(table, traces, around);
    let service_name = table.words(&SERVICE_NAME);
    let resource_attributes = attributes(table);
    if table.written(&ENDPOINT).is_none() {
        if let Some(key) = KEYS.iter().find_map(|key| table.written(key)) {
            key.problem("is of no use without endpoint; add `endpoint = \"http://127.0.0.1:4318\"`, or remove it");
        }
        return Some(OpenTelemetryConfig::Off);
    }
    Some(OpenTelemetryConfig::On(Box::new(CollectorConfig {
        endpoint: endpoint?,
        headers: headers?,
        extra_roots,
        timeout: timeout?,
        traces,
        logs,
        sample_ratio: sample_ratio?,
        incoming,
        traceparent_to,
        service_name: service_name?.value,
        resource_attributes,
    })))
}

fn endpoint(table: &Table<'_>, http: PlainHttp) -> Option<Url> {
    table.written(&ENDPOINT)?;
    let found = table.parsed(&ENDPOINT, |text| {
        let url = urls::api_base(text, http)?;
        if url.path().ends_with("/v1/traces") || url.path().ends_with("/v1/logs") {
            return Err(
                "names one signal; write what stands before /v1, to which each signal's path is added".to_owned()
            );
        }
        Ok(url)
    });
    found.map(|found| found.value)
}

fn headers(table: &Table<'_>) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    let mut whole = true;
    for (name, kept) in table.secret_map(&HEADERS) {
        let read = name.parsed(header_name).zip(kept).and_then(|(name, kept)| {
            let Ok(mut value) = HeaderValue::from_str(&kept.value) else {
                return kept.place.refused("cannot stand in a header there; it is one line of visible ASCII");
            };
            value.set_sensitive(true);
            Some((name.value, value))
        });
        match read {
            Some((name, value)) => {
                headers.insert(name, value);
            }
            None => whole = false,
        }
    }
    whole.then_some(headers)
}

fn header_name(text: &str) -> Result<HeaderName, &'static str> {
    let name = HeaderName::try_from(text).map_err(|_| "is no name of a header; write it as in \"x-api-key\"")?;
    let own =
        [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::CONTENT_ENCODING, header::HOST, header::CONNECTION];
    if own.contains(&name) || name == header::TRANSFER_ENCODING {
        return Err("says how the message is framed, which the gateway does; remove it");
    }
    Ok(name)
}

fn signals(table: &Table<'_>) -> [Signal; 2] {
    if table.written(&SIGNALS).is_none() {
        return [Signal::Sent; 2];
    }
    let parse = |text: &str| match text {
        "traces" => Ok(0),
        "logs" => Ok(1),
        _ => Err("is no signal of the gateway's; write \"traces\" or \"logs\" (metrics are read at /metrics)"),
    };
    let named: Vec<usize> =
        table.texts(&SIGNALS).into_iter().filter_map(|text| text.parsed(parse)).map(|found| found.value).collect();
    [0, 1].map(|signal| if named.contains(&signal) { Signal::Sent } else { Signal::Kept })
}

fn upstreams(table: &Table<'_>, traces: Signal, around: &Surroundings<'_>) -> Vec<ProviderId> {
    let known = |text: &str| {
        let id = ProviderId::parse(text).map_err(|error| error.to_string())?;
        if around.complete && !around.providers.contains(&&id) {
            return Err("is no provider of this file; write the id of one".to_owned());
        }
        Ok(id)
    };
    if let (Signal::Kept, Some(place)) = (traces, table.written(&TRACEPARENT_TO)) {
        place.problem("is of no use without traces; add \"traces\" to signals, or remove it");
    }
    let found = table.texts(&TRACEPARENT_TO).into_iter().filter_map(|text: Found<'_, &str>| text.parsed(known));
    found.map(|found| found.value).collect()
}

fn attributes(table: &Table<'_>) -> Vec<(String, String)> {
    let name = |text: &str| match text {
        "service.name" => Err("is what service_name says; remove it"),
        text if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Err("is no name of an attribute; write it as in \"deployment.environment.name\"")
        }
        text => Ok(text.to_owned()),
    };
    let pairs = table.text_map(&RESOURCE_ATTRIBUTES).into_iter();
    pairs.filter_map(|(key, value)| Some((key.parsed(name)?.value, value.value.to_owned()))).collect()
}

pub(super) const KEYS: &[Key] = &[
    ENDPOINT,
    ALLOW_PLAINTEXT,
    CA_FILE,
    HEADERS,
    TIMEOUT,
    SIGNALS,
    SAMPLE_RATIO,
    INCOMING,
    TRACEPARENT_TO,
    SERVICE_NAME,
    RESOURCE_ATTRIBUTES,
];

const ENDPOINT: Key = Key::optional(
    "endpoint",
    Form::Text,
    "The collector's base URL for OTLP over HTTP with protobuf, to which /v1/traces and /v1/logs are added; nothing is sent by default.",
);
const ALLOW_PLAINTEXT: Key = Key::optional(
    "allow_plaintext",
    Form::Boolean,
    "Whether the endpoint may be http on another machine; false by default, since whoever is on the way reads what is sent.",
);
const CA_FILE: Key = Key::optional(
    "ca_file",
    Form::Text,
    "A PEM file of certificates to trust besides the machine's, for a collector with a private authority.",
);
const HEADERS: Key = Key::optional(
    "headers",
    Form::SecretMap,
    "Headers that each export has, such as an API key, by where their values are kept; none by default.",
);
const TIMEOUT: Key = Key::default(
    "timeout",
    Form::Text,
    "10s",
    "How long the collector may take for one export, 10s by default; no request of an agent ever waits for it.",
);
const SIGNALS: Key =
    Key::optional("signals", Form::Texts, "What is sent, of \"traces\" and \"logs\"; both by default.");
const SAMPLE_RATIO: Key = Key::optional(
    "sample_ratio",
    Form::Number,
    "The part of the traces beginning here that is recorded, from 0 to 1; 1 by default.",
);
const INCOMING: Key = Key::default(
    "incoming",
    Form::OneOf(&["link", "continue", "ignore"]),
    "link",
    "What a caller's traceparent is worth: \"link\" begins a trace of the gateway's own that points to it, \"continue\" takes its trace and \
     its word on recording, for callers that are all your own; link by default.",
);
const TRACEPARENT_TO: Key = Key::optional(
    "traceparent_to",
    Form::Texts,
    "The providers whose services get the gateway's own traceparent in place of the agent's; none by default.",
);
const SERVICE_NAME: Key = Key::default(
    "service_name",
    Form::Text,
    "ath-gateway",
    "What the gateway is called in the collector's records: service.name; ath-gateway by default.",
);
const RESOURCE_ATTRIBUTES: Key = Key::optional(
    "resource_attributes",
    Form::TextMap,
    "Further attributes of everything that is sent, such as the environment; none by default.",
);
