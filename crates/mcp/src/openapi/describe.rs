use http::Method;
use serde_json::{Map, Value, json};

use super::body::{self, Body};
use super::document::Said;
use super::expand::{Expansion, Side};
use super::operation::Operation;
use super::parameter;
use super::refs;

/// What an operation takes and answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// Its name.
    pub operation: String,
    /// Its method.
    pub method: Method,
    /// Its template, below the API's base.
    pub path: String,
    /// All of it, short: `operation`, `method`, `path`, `summary`, `description`, `parameters`, `body`, `answers`.
    pub json: Value,
}

pub(super) fn of(root: &Value, operation: &Operation, said: Said<'_>) -> Description {
    let mut json = Map::new();
    json.insert("operation".to_owned(), json!(operation.name));
    json.insert("method".to_owned(), json!(operation.method.as_str()));
    json.insert("path".to_owned(), json!(operation.path));
    if operation.deprecated {
        json.insert("deprecated".to_owned(), json!(true));
    }
    for (name, most) in [("summary", 200), ("description", 1200)] {
        if let Some(text) = refs::text(said.operation, name).filter(|text| !text.trim().is_empty()) {
            json.insert(name.to_owned(), json!(shortened(text, most)));
        }
    }
    // One measure for all of them.
    let mut expansion = Expansion::new(root, Side::Request, 6, 300);
    let parameters = parameter::described(root, said).into_iter().take(parameter::MOST);
    let parameters: Vec<Value> = parameters.map(|one| parameter_json(one, &mut expansion)).collect();
    if !parameters.is_empty() {
        json.insert("parameters".to_owned(), Value::Array(parameters));
    }
    if let Some(body) = body_json(root, said.operation) {
        json.insert("body".to_owned(), body);
    }
    let answers = answers(root, said.operation);
    if !answers.is_empty() {
        json.insert("answers".to_owned(), Value::Object(answers));
    }
    Description {
        operation: operation.name.to_string(),
        method: operation.method.clone(),
        path: operation.path.to_string(),
        json: Value::Object(json),
    }
}

fn parameter_json<'d>(parameter: &'d Value, expansion: &mut Expansion<'d>) -> Value {
    let mut json = Map::new();
    for name in ["name", "in"] {
        json.insert(name.to_owned(), json!(shortened(refs::text(parameter, name).unwrap_or_default(), 200)));
    }
    for name in ["required", "deprecated"] {
        if refs::is_true(parameter, name) {
            json.insert(name.to_owned(), json!(true));
        }
    }
    if let Some(text) = refs::text(parameter, "description").filter(|text| !text.trim().is_empty()) {
        json.insert("description".to_owned(), json!(shortened(text, 300)));
    }
    if let Some(schema) = parameter::schema(parameter) {
        json.insert("schema".to_owned(), expansion.schema(schema));
    }
    Value::Object(json)
}

fn body_json(root: &Value, operation: &Value) -> Option<Value> {
    let request = refs::resolved(root, operation.get("requestBody")?)?;
    let mut json = Map::new();
    if refs::is_true(request, "required") {
        json.insert("required".to_owned(), json!(true));
    }
    if let Some(text) = refs::text(request, "description").filter(|text| !text.trim().is_empty()) {
        json.insert("description".to_owned(), json!(shortened(text, 300)));
    }
    let (content_type, schema) = match body::of(root, operation) {
        Body::None => return None,
        Body::Json { content_type, schema, .. } | Body::Form { content_type, schema, .. } => (content_type, schema),
        Body::Other(types) => (types, None),
    };
    json.insert("type".to_owned(), json!(shortened(&content_type, 200)));
    if let Some(schema) = schema {
        json.insert("schema".to_owned(), Expansion::new(root, Side::Request, 8, 400).schema(schema));
    }
    Some(Value::Object(json))
}

/// What comes back, by its status: with its form where all went well.
fn answers(root: &Value, operation: &Value) -> Map<String, Value> {
    let responses = operation.get("responses").and_then(Value::as_object);
    let mut answers = Map::new();
    let mut expansion = Expansion::new(root, Side::Answer, 5, 250);
    for (status, response) in responses.into_iter().flatten().take(MAX_ANSWERS) {
        let Some(response) = refs::resolved(root, response) else { continue };
        let mut json = Map::new();
        if let Some(text) = refs::text(response, "description").filter(|text| !text.trim().is_empty()) {
            json.insert("description".to_owned(), json!(shortened(text, 160)));
        }
        let content = response.get("content").and_then(Value::as_object);
        let first = content
            .and_then(|content| content.iter().find(|(name, _)| body::is_json(name)).or_else(|| content.iter().next()));
        if let Some((content_type, media)) = first.filter(|_| status.starts_with('2') || status == "default") {
            json.insert("type".to_owned(), json!(shortened(content_type, 200)));
            if let Some(schema) = media.get("schema").filter(|_| status.starts_with('2')) {
                json.insert("schema".to_owned(), expansion.schema(schema));
            }
        }
        answers.insert(shortened(status, 20), Value::Object(json));
    }
    answers
}

/// As much of a text as has its place, in one line or several.
pub(super) fn shortened(text: &str, most: usize) -> String {
    let text = text.trim();
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}...", text.get(..at).unwrap_or_default().trim_end()),
        None => text.to_owned(),
    }
}

const MAX_ANSWERS: usize = 24;
