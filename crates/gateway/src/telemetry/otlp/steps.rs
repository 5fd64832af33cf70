use metrics::Door;
use prost::Message;

use super::messages::{KeyValue, Link, ResourceSpans, ScopeSpans, Span, Status, Traces};
use super::resource::About;
use crate::telemetry::span::{Finished, Service, What};

/// A request that exports these steps.
pub(crate) fn traces(about: &About, steps: &[Finished]) -> Vec<u8> {
    let spans = steps.iter().map(|step| span(about, step)).collect();
    let scope_spans = vec![ScopeSpans { scope: Some(About::scope()), spans }];
    let resource_spans = vec![ResourceSpans { resource: Some(about.resource()), scope_spans }];
    Traces { resource_spans }.encode_to_vec()
}

fn span(about: &About, step: &Finished) -> Span {
    let Told { name, kind, mut attributes, error } = told(about, &step.what);
    attributes.extend(step.request.map(|request| KeyValue::text("request_id", request.as_str())));
    let id = |span: protocol::SpanId| span.bytes().to_vec();
    let link =
        |link: protocol::TraceContext| Link { trace_id: link.trace().bytes().to_vec(), span_id: id(link.span()) };
    Span {
        trace_id: step.context.trace().bytes().to_vec(),
        span_id: id(step.context.span()),
        parent_span_id: step.parent.map(id).unwrap_or_default(),
        name,
        kind,
        start_time_unix_nano: step.begun,
        end_time_unix_nano: step.ended,
        attributes,
        links: step.link.map(link).into_iter().collect(),
        status: error.then_some(Status { code: ERROR }),
        flags: SAMPLED,
    }
}

/// A step in the words of the conventions.
struct Told {
    name: String,
    kind: i32,
    attributes: Vec<KeyValue>,
    error: bool,
}

fn told(about: &About, what: &What) -> Told {
    match what {
        What::Request { door, endpoint, method, status, refused, service } => {
            let endpoint = endpoint.as_ref().map(axum::extract::MatchedPath::as_str);
            request(about, (*door, endpoint, service.as_ref()), method, *status, *refused)
        }
        What::Call { method, status, cut, service } => call(method, *status, *cut, service.as_ref()),
        What::Tool { tool, provider, failed } => {
            let mut attributes = vec![
                KeyValue::text("mcp.method.name", "tools/call"),
                KeyValue::text("gen_ai.operation.name", "execute_tool"),
                KeyValue::text("network.transport", "tcp"),
            ];
            attributes.extend(tool.as_deref().map(|tool| KeyValue::text("gen_ai.tool.name", tool)));
            attributes.extend(provider.as_ref().map(|provider| KeyValue::text("ath.provider", provider.as_str())));
            attributes.extend(failed.map(|failed| KeyValue::text("error.type", failed)));
            let name = tool.as_deref().map_or_else(|| "tools/call".to_owned(), |tool| format!("tools/call {tool}"));
            Told { name, kind: SERVER, attributes, error: failed.is_some() }
        }
        What::Token { grant, provider, failed } => {
            let mut attributes = vec![
                KeyValue::text("ath.provider", provider.as_str()),
                KeyValue::text("ath.oauth.grant_type", grant.as_str()),
            ];
            attributes.extend(failed.as_deref().map(|failed| KeyValue::text("error.type", failed)));
            Told { name: format!("token {grant}"), kind: CLIENT, attributes, error: failed.is_some() }
        }
    }
}

/// A request's path can name people, and its query hold what nobody else may read: the route alone is told.
fn request(
    about: &About,
    (door, endpoint, service): (Door, Option<&str>, Option<&Service>),
    method: &str,
    status: Option<u16>,
    refused: Option<&str>,
) -> Told {
    let route = match door {
        Door::Ath => Some("/ath/proxy/{provider}/{path}"),
        Door::Path => Some("/{provider}/{path}"),
        Door::Host => Some("/{path}"),
        Door::Mcp => endpoint.or(Some("/{provider}/mcp")),
        Door::Control => endpoint,
    };
    let mut attributes = vec![
        KeyValue::text("http.request.method", method),
        KeyValue::text("url.scheme", about.scheme.as_str()),
        KeyValue::text("server.address", about.host.as_str()),
        KeyValue::integer("server.port", about.port),
        KeyValue::text("ath.door", door.name()),
    ];
    attributes.extend(route.map(|route| KeyValue::text("http.route", route)));
    attributes.extend(status.map(|status| KeyValue::integer("http.response.status_code", status)));
    attributes
        .extend(service.and_then(Service::place).map(|place| KeyValue::text("ath.provider", place.provider.as_str())));
    // What went wrong for the caller is no fault of the server's (semantic conventions of HTTP, status of a span).
    let failed = status.is_none_or(|status| status >= 500);
    let error = refused.map(str::to_owned).or_else(|| status.filter(|_| failed).map(|status| status.to_string()));
    attributes.extend(error.map(|error| KeyValue::text("error.type", error)));
    let name = route.map_or_else(|| shown(method).to_owned(), |route| format!("{} {route}", shown(method)));
    Told { name, kind: SERVER, attributes, error: failed }
}

fn call(method: &str, status: Option<u16>, cut: bool, service: Option<&Service>) -> Told {
    let mut attributes = vec![KeyValue::text("http.request.method", method)];
    if let Some(place) = service.and_then(Service::place) {
        attributes.push(KeyValue::text("ath.provider", place.provider.as_str()));
        attributes.push(KeyValue::text("server.address", place.host.as_str()));
        attributes.push(KeyValue::integer("server.port", place.port));
    }
    attributes.extend(status.map(|status| KeyValue::integer("http.response.status_code", status)));
    let error = match status {
        None => Some("no_answer".to_owned()),
        Some(status) if status >= 400 => Some(status.to_string()),
        Some(_) if cut => Some("cut".to_owned()),
        Some(_) => None,
    };
    let failed = error.is_some();
    attributes.extend(error.map(|error| KeyValue::text("error.type", error)));
    Told { name: shown(method).to_owned(), kind: CLIENT, attributes, error: failed }
}

/// As the conventions name a span whose method nobody knows.
fn shown(method: &str) -> &str {
    if method == "_OTHER" || method == "other" { "HTTP" } else { method }
}

/// `SPAN_KIND_SERVER`, `SPAN_KIND_CLIENT`, `STATUS_CODE_ERROR`.
const SERVER: i32 = 2;
const CLIENT: i32 = 3;
const ERROR: i32 = 2;
const SAMPLED: u32 = 1;
