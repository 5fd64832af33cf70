use serde_json::Value;

use super::refs;

/// What an operation takes besides its parameters.
#[derive(Debug)]
pub(super) enum Body<'d> {
    None,
    Json {
        content_type: String,
        schema: Option<&'d Value>,
        required: Required,
    },
    Form {
        content_type: String,
        schema: Option<&'d Value>,
        encoding: Option<&'d Value>,
        required: Required,
    },
    /// Of these types, which are not written here.
    Other(String),
}

/// Whether something may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Required {
    Yes,
    No,
}

impl Required {
    pub(super) fn of(value: &Value) -> Self {
        if refs::is_true(value, "required") { Self::Yes } else { Self::No }
    }
}

/// JSON where there is a choice, then a form.
pub(super) fn of<'d>(root: &'d Value, operation: &'d Value) -> Body<'d> {
    let request = operation.get("requestBody").and_then(|request| refs::resolved(root, request));
    let content = request.and_then(|request| Some((request, request.get("content")?.as_object()?)));
    let Some((request, content)) = content.filter(|(_, content)| !content.is_empty()) else { return Body::None };
    let required = Required::of(request);
    let pick = |wanted: fn(&str) -> bool| content.iter().find(|(name, _)| wanted(name));
    let found = content.get_key_value(JSON).or_else(|| pick(is_json));
    if let Some((name, media)) = found {
        let content_type = if name == "*/*" { JSON.to_owned() } else { name.clone() };
        return Body::Json { content_type, schema: media.get("schema"), required };
    }
    if let Some((_, media)) = pick(is_form) {
        return Body::Form {
            content_type: FORM.to_owned(),
            schema: media.get("schema"),
            encoding: media.get("encoding"),
            required,
        };
    }
    Body::Other(content.keys().cloned().collect::<Vec<_>>().join(", "))
}

/// `application/json`, whatever is `+json`, and where anything goes.
pub(super) fn is_json(media_type: &str) -> bool {
    let essence = essence(media_type);
    let (kind, name) = essence.split_once('/').unwrap_or_default();
    essence == "*/*" || essence == JSON || (kind == "application" && name.ends_with("+json") && !name.contains('*'))
}

fn is_form(media_type: &str) -> bool {
    essence(media_type) == FORM
}

fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
