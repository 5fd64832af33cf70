//! Services that say what they can do: finding operations, describing them, and calling chosen ones as tools of their own.

use std::sync::Arc;

use broker::Provider;
use bytes::Bytes;
use http::Request;
use policy::Ruling;
use protocol::Problem;
use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::{Map, Value, json};

use crate::openapi::{Found, Shelved, TypedTool};
use crate::results::Refusal;
use crate::toolbox::Toolbox;
use crate::visit::Guest;

/// `<service>_find`.
pub(crate) fn find(
    guest: &Guest,
    tools: &Toolbox,
    provider: &Provider,
    arguments: &Map<String, Value>,
) -> Result<CallToolResult, Refusal> {
    let query = arguments.get("query").and_then(Value::as_str).unwrap_or_default();
    let most = arguments.get("limit").and_then(Value::as_u64).unwrap_or(USUAL).clamp(1, MOST);
    let shelved = shelved(tools, provider)?;
    let found = shelved.document.find(query, usize::try_from(most).unwrap_or(1));
    let told: Vec<Value> = found.iter().map(|found| told(guest, provider, found)).collect();
    let lines: Vec<String> = found
        .iter()
        .map(|found| format!("- {} {} ({}): {}", found.method, found.path, found.operation, found.summary))
        .collect();
    let words = if lines.is_empty() {
        format!("Nothing in {} answers to that. Try other words, or fewer.", provider.display_name)
    } else {
        lines.join("\n")
    };
    let mut result = CallToolResult::success(vec![ContentBlock::text(words)]);
    result.structured_content = Some(json!({ "operations": told }));
    Ok(result)
}

/// Whether the person's grant covers it is told here already, as far as the path's form says it.
fn told(guest: &Guest, provider: &Provider, found: &Found) -> Value {
    let mut told = json!({
        "operation": found.operation,
        "method": found.method.as_str(),
        "path": found.path,
        "summary": found.summary,
        "deprecated": found.deprecated,
    });
    let caller = &guest.visit.caller;
    let sample = found.sample_path();
    if *caller.provider_id() == provider.id
        && let Ok(path) = provider.operations.path(&sample)
        && let Some(told) = told.as_object_mut()
    {
        let (allowed, wanted) = match provider.operations.decide(caller.effective(), &found.method, path) {
            Ok(Ruling::Permitted(_)) => (json!(true), None),
            Ok(Ruling::Unread(_)) => (json!("depends on the body"), None),
            Err(denied) => (json!(false), Some(denied.wanted().clone())),
        };
        told.insert("allowed".to_owned(), allowed);
        if let Some(wanted) = wanted {
            told.insert("wanted_scopes".to_owned(), json!(wanted));
        }
    }
    told
}

/// `<service>_describe`.
pub(crate) fn describe(
    tools: &Toolbox,
    provider: &Provider,
    arguments: &Map<String, Value>,
) -> Result<CallToolResult, Refusal> {
    let operation = text(arguments, "operation")?;
    let description = shelved(tools, provider)?.document.describe(operation);
    let Some(description) = description else {
        let message = format!(
            "{} has no operation {operation:?}. Take the name from {}_find.",
            provider.display_name,
            tools.prefix(&provider.id)
        );
        return Err(Refusal::new(Problem::NotFound, message));
    };
    let mut result = CallToolResult::success(vec![ContentBlock::text(description.json.to_string())]);
    result.structured_content = Some(description.json);
    Ok(result)
}

/// A tool of an operation's own.
pub(crate) async fn call(
    guest: &Guest,
    tools: &Toolbox,
    provider: &Provider,
    (tool, arguments): (&Arc<TypedTool>, Map<String, Value>),
) -> Result<CallToolResult, Refusal> {
    let composed = tool.compose(&arguments).map_err(|error| Refusal::new(Problem::BadRequest, error.to_string()))?;
    let target = match composed.query {
        Some(query) if !query.is_empty() => format!("{}?{query}", composed.path),
        _ => composed.path,
    };
    let request = Request::builder().method(composed.method).uri(target).body(composed.body.unwrap_or_else(Bytes::new));
    let mut request = request.map_err(|_| Refusal::new(Problem::BadRequest, "The arguments make no URL."))?;
    *request.headers_mut() = composed.headers;
    // The rest of a long answer is had by the tool that reads anything.
    let reads = format!("{}_read", tools.prefix(&provider.id));
    guest.call(provider, request, (0, Some(&reads))).await
}

fn shelved(tools: &Toolbox, provider: &Provider) -> Result<Arc<Shelved>, Refusal> {
    let shelved = tools.shelf(&provider.id).and_then(|shelf| shelf.current());
    shelved.ok_or_else(|| {
        let message = format!(
            "What {} can do is not known at the moment. Use the tools that read and write.",
            provider.display_name
        );
        Refusal::new(Problem::Unavailable, message)
    })
}

fn text<'a>(arguments: &'a Map<String, Value>, name: &str) -> Result<&'a str, Refusal> {
    let given = arguments.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    given.ok_or_else(|| Refusal::new(Problem::BadRequest, format!("`{name}` is missing, or no text.")))
}

const USUAL: u64 = 10;
const MOST: u64 = 50;
