use std::collections::HashSet;
use std::sync::Arc;

use http::Method;
use policy::CanonicalPath;
use serde_json::{Map, Value, json};

use super::body::{self, Body, Required};
use super::describe::shortened;
use super::document::Said;
use super::error::UntypedError;
use super::expand::{Expansion, Side};
use super::names::ToolNames;
use super::operation::{Operation, Part, filled, parts};
use super::parameter::{self, Parameter, Place};
use super::refs;

/// An operation as a tool of its own.
#[derive(Debug, Clone)]
pub struct TypedTool {
    name: String,
    title: String,
    description: String,
    pub(super) method: Method,
    /// The template, below the API's base.
    pub(super) path: String,
    pub(super) parameters: Vec<Parameter>,
    pub(super) body: Option<BodyArgument>,
    input: Arc<Map<String, Value>>,
}

/// The argument that goes into the request's body.
#[derive(Debug, Clone)]
pub(super) struct BodyArgument {
    pub(super) required: Required,
    pub(super) schema: Value,
    pub(super) form: BodyForm,
}

/// How a body is written.
#[derive(Debug, Clone)]
pub(super) enum BodyForm {
    Json(http::HeaderValue),
    /// With what the document says of how each property is encoded.
    UrlEncoded(Value),
}

/// What a call does, as its method has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: GET, HEAD and OPTIONS.
    Read,
    /// The same however often it is made: PUT and DELETE.
    Replace,
    /// Something each time.
    Write,
}

impl TypedTool {
    /// Its name: `a-z`, `0-9` and `_`, 64 at most.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is for, in a line.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// What it is for, as far as the document says, and which request it makes.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// JSON Schema 2020-12 of its arguments: an object without references, and nothing besides what it names.
    #[must_use]
    pub fn input_schema(&self) -> &Arc<Map<String, Value>> {
        &self.input
    }

    /// The method of its request.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The template of its request's path, below the API's base.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What a call of it does.
    #[must_use]
    pub fn effect(&self) -> Effect {
        match self.method {
            Method::GET | Method::HEAD | Method::OPTIONS => Effect::Read,
            Method::PUT | Method::DELETE => Effect::Replace,
            _ => Effect::Write,
        }
    }

    pub(super) fn of(
        root: &Value,
        operation: &Operation,
        said: &Said<'_>,
        names: &mut ToolNames,
    ) -> Result<Self, UntypedError> {
        CanonicalPath::parse(&filled(&operation.path, "x")).map_err(UntypedError::Path)?;
        let mut expansion = Expansion::new(root, Side::Request, MAX_DEPTH, MAX_SCHEMAS);
        let mut parameters = Vec::new();
        let described = parameter::described(root, *said);
        if described.len() > parameter::MOST {
            return Err(UntypedError::Parameter(format!("it has more than {}", parameter::MOST)));
        }
        for one in described {
            parameters.extend(Parameter::read(one, &mut expansion)?);
        }
        check_template(&operation.path, &parameters)?;
        let body = body_argument(root, operation, said, &mut expansion)?;
        if let Some(reference) = expansion.elsewhere() {
            return Err(UntypedError::Elsewhere(reference.to_owned()));
        }
        name_arguments(&mut parameters, body.as_ref());
        let input = input_schema(&parameters, body.as_ref());
        Ok(Self {
            name: names.give(&operation.name, &operation.method, &operation.path),
            title: if operation.summary.is_empty() {
                operation.name.to_string()
            } else {
                operation.summary.to_string()
            },
            description: description(operation, said.operation),
            method: operation.method.clone(),
            path: operation.path.to_string(),
            parameters,
            body,
            input: Arc::new(input),
        })
    }
}

/// Each parameter of the template is described, and each described one is in it.
fn check_template(path: &str, parameters: &[Parameter]) -> Result<(), UntypedError> {
    let in_template: HashSet<&str> =
        parts(path).filter_map(|part| if let Part::Parameter(name) = part { Some(name) } else { None }).collect();
    let described: HashSet<&str> =
        parameters.iter().filter(|one| one.place == Place::Path).map(|one| one.name.as_str()).collect();
    let mut odd: Vec<&&str> = in_template.symmetric_difference(&described).collect();
    odd.sort_unstable();
    odd.first().map_or(Ok(()), |name| Err(UntypedError::Template((**name).to_owned())))
}

fn body_argument<'d>(
    root: &'d Value,
    operation: &Operation,
    said: &Said<'d>,
    expansion: &mut Expansion<'d>,
) -> Result<Option<BodyArgument>, UntypedError> {
    if matches!(operation.method, Method::GET | Method::HEAD) {
        return Ok(None);
    }
    let mut expanded = |schema: Option<&'d Value>| {
        schema.map_or_else(
            || json!({"anyOf": [{"type": "object"}, {"type": "array"}]}),
            |schema| expansion.schema(schema),
        )
    };
    match body::of(root, said.operation) {
        Body::None => Ok(None),
        Body::Json { content_type, schema, required } => {
            let value = http::HeaderValue::try_from(&content_type).map_err(|_| UntypedError::Body(content_type))?;
            Ok(Some(BodyArgument { required, schema: expanded(schema), form: BodyForm::Json(value) }))
        }
        Body::Form { schema, encoding, required, .. } => {
            let encoding = encoding.cloned().unwrap_or_default();
            let schema = expanded(schema);
            Ok(Some(BodyArgument { required, schema, form: BodyForm::UrlEncoded(encoding) }))
        }
        Body::Other(types) => Err(UntypedError::Body(types)),
    }
}

/// Names that every client takes. What several places have goes by its place and name.
fn name_arguments(parameters: &mut [Parameter], body: Option<&BodyArgument>) {
    let plain: Vec<String> = parameters.iter().map(|one| argument_name(&one.name)).collect();
    let mut taken: HashSet<String> = body.map(|_| BODY.to_owned()).into_iter().collect();
    for (at, parameter) in parameters.iter_mut().enumerate() {
        let name = plain.get(at).cloned().unwrap_or_default();
        let shared = plain.iter().filter(|other| **other == name).count() > 1 || taken.contains(&name);
        let name = if shared { argument_name(&format!("{}_{name}", parameter.place.word())) } else { name };
        let counted = (2..).map(|count| format!("{name}_{count}"));
        let mut free = Some(name.clone()).into_iter().chain(counted).filter(|name| !taken.contains(name));
        parameter.argument = free.next().unwrap_or_default();
        taken.insert(parameter.argument.clone());
    }
}

fn argument_name(name: &str) -> String {
    let mut text = String::new();
    for character in name.chars().take(MAX_ARGUMENT) {
        match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '-' => text.push(character),
            _ if text.is_empty() || text.ends_with('_') => {}
            _ => text.push('_'),
        }
    }
    let text = text.trim_end_matches('_');
    if text.is_empty() { "value".to_owned() } else { text.to_owned() }
}

fn input_schema(parameters: &[Parameter], body: Option<&BodyArgument>) -> Map<String, Value> {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for parameter in parameters {
        let mut schema = parameter.schema.as_object().cloned().unwrap_or_default();
        let text = parameter.description.as_deref().map(|text| shortened(text, MAX_DESCRIPTION));
        let sent = (parameter.argument != parameter.name)
            .then(|| format!("Sent as `{}` in the {}.", parameter.name, parameter.place.word()));
        let text: Vec<String> = text.into_iter().chain(sent).collect();
        if !text.is_empty() {
            schema.insert("description".to_owned(), json!(text.join(" ")));
        }
        properties.insert(parameter.argument.clone(), Value::Object(schema));
        if parameter.required == Required::Yes {
            required.push(parameter.argument.clone());
        }
    }
    if let Some(body) = body {
        properties.insert(BODY.to_owned(), body.schema.clone());
        if body.required == Required::Yes {
            required.push(BODY.to_owned());
        }
    }
    let mut schema = Map::new();
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("properties".to_owned(), Value::Object(properties));
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    schema.insert("additionalProperties".to_owned(), json!(false));
    schema
}

fn description(operation: &Operation, said: &Value) -> String {
    let request = format!("{} {}", operation.method, operation.path);
    let texts = [refs::text(said, "summary"), refs::text(said, "description")];
    let mut told: Vec<String> = Vec::new();
    for text in texts.into_iter().flatten().map(str::trim).filter(|text| !text.is_empty()) {
        if !told.iter().any(|known| known == text) {
            told.push(shortened(text, MAX_TOLD));
        }
    }
    told.push(format!("Request: {request}"));
    told.join("\n")
}

/// The argument that is the body.
pub(super) const BODY: &str = "body";
/// How deep the schema of arguments is, and how many schemas are in it.
const MAX_DEPTH: usize = 10;
const MAX_SCHEMAS: usize = 1500;
/// In characters.
const MAX_DESCRIPTION: usize = 400;
const MAX_TOLD: usize = 800;
/// In characters, so that there is room for the place.
const MAX_ARGUMENT: usize = 50;

#[cfg(test)]
#[path = "typed_tests.rs"]
mod tests;
