//! Whether arguments are what a schema wants, as far as that is said plainly: types, values that there are, and what must not be missing.
//! The rest is the service's to say.

use serde_json::{Map, Value};

use super::error::ArgumentError;
use super::style;

/// What becomes of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// Text in any case, so that `"7"` is as good as `7`.
    AsText,
    AsJson,
}

/// Checks a value and what is in it. `name` says where it is: `body.lines[2].amount`.
pub(super) fn check(name: &str, schema: &Value, value: &Value, sent: Sent) -> Result<(), ArgumentError> {
    let Value::Object(map) = schema else { return Ok(()) };
    if !types(map).is_empty() && !types(map).iter().any(|kind| is_of(value, kind, sent)) {
        return Err(ArgumentError::Type { name: name.to_owned(), got: told(value), wanted: wanted(schema) });
    }
    if let Some(allowed) = allowed(map)
        && !allowed.iter().any(|one| same(one, value, sent))
    {
        return Err(ArgumentError::Enum { name: name.to_owned(), got: told(value), allowed: listed(&allowed) });
    }
    match value {
        Value::Object(object) => inside_object(name, map, object, sent)?,
        Value::Array(items) => {
            if let Some(schema) = map.get("items") {
                items
                    .iter()
                    .take(MAX_ITEMS)
                    .enumerate()
                    .try_for_each(|(at, item)| check(&format!("{name}[{at}]"), schema, item, sent))?;
            }
        }
        _ => {}
    }
    let parts = |name: &str| map.get(name).and_then(Value::as_array);
    if let Some(parts) = parts("allOf") {
        parts.iter().try_for_each(|part| check(name, part, value, sent))?;
    }
    for choice in ["anyOf", "oneOf"].into_iter().filter_map(parts) {
        one_of(choice, name, schema, value, sent)?;
    }
    Ok(())
}

/// One part at least must take it. Where there is but one, what that one says is told.
fn one_of(choice: &[Value], name: &str, schema: &Value, value: &Value, sent: Sent) -> Result<(), ArgumentError> {
    let mut refusal = None;
    for part in choice {
        match check(name, part, value, sent) {
            Ok(()) => return Ok(()),
            Err(error) => refusal = Some(error),
        }
    }
    match refusal {
        None => Ok(()),
        Some(error) if choice.len() == 1 => Err(error),
        Some(_) => Err(ArgumentError::Type { name: name.to_owned(), got: told(value), wanted: wanted(schema) }),
    }
}

fn inside_object(
    name: &str,
    schema: &Map<String, Value>,
    object: &Map<String, Value>,
    sent: Sent,
) -> Result<(), ArgumentError> {
    let empty = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    for required in schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        if !object.contains_key(required) {
            let wanted = properties.get(required).map_or_else(|| "any value".to_owned(), wanted);
            return Err(ArgumentError::Missing { name: format!("{name}.{required}"), wanted });
        }
    }
    for (key, value) in object {
        let inner = format!("{name}.{key}");
        match properties.get(key).or(schema.get("additionalProperties")) {
            Some(Value::Bool(false)) => {
                return Err(ArgumentError::Unknown { name: inner, known: names(properties.keys()) });
            }
            Some(schema) => check(&inner, schema, value, sent)?,
            None => {}
        }
    }
    Ok(())
}

/// Names, as a sentence has them.
pub(super) fn names<'n>(names: impl Iterator<Item = &'n String>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// What a value of the schema is, in a few words.
pub(super) fn wanted(schema: &Value) -> String {
    let Value::Object(map) = schema else { return "any value".to_owned() };
    if let Some(allowed) = allowed(map) {
        return format!("one of {}", listed(&allowed));
    }
    let mut kinds: Vec<String> = types(map).iter().map(|kind| article(kind).to_owned()).collect();
    let choice = ["anyOf", "oneOf"].iter().find_map(|name| map.get(*name)?.as_array());
    if let (true, Some(choice)) = (kinds.is_empty(), choice) {
        kinds = choice.iter().map(wanted).collect();
        kinds.dedup();
    }
    if kinds.is_empty() { "any value".to_owned() } else { kinds.join(" or ") }
}

fn types(schema: &Map<String, Value>) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(kind)) => vec![kind],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn allowed(schema: &Map<String, Value>) -> Option<Vec<Value>> {
    schema.get("enum").and_then(Value::as_array).cloned().or_else(|| Some(vec![schema.get("const")?.clone()]))
}

fn is_of(value: &Value, kind: &str, sent: Sent) -> bool {
    let text = value.as_str().filter(|_| sent == Sent::AsText);
    match kind {
        "string" => value.is_string() || (sent == Sent::AsText && (value.is_number() || value.is_boolean())),
        "integer" => is_whole(value) || text.is_some_and(|text| text.parse::<i128>().is_ok()),
        "number" => value.is_number() || text.is_some_and(|text| text.parse::<f64>().is_ok_and(f64::is_finite)),
        "boolean" => value.is_boolean() || matches!(text, Some("true" | "false")),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => true,
    }
}

fn is_whole(value: &Value) -> bool {
    value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|float| float.fract() == 0.0)
}

fn same(one: &Value, other: &Value, sent: Sent) -> bool {
    if one == other {
        return true;
    }
    let text = |value: &Value| style::plain("", value).ok();
    sent == Sent::AsText && text(one).is_some() && text(one) == text(other)
}

fn listed(values: &[Value]) -> String {
    let shown: Vec<String> = values.iter().take(MAX_SHOWN).map(Value::to_string).collect();
    let more =
        if values.len() > MAX_SHOWN { format!(", and {} more", values.len() - MAX_SHOWN) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

fn told(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) if text.chars().count() <= MAX_TOLD => value.to_string(),
        Value::String(_) => "a string".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

fn article(kind: &str) -> &str {
    match kind {
        "string" => "a string",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "an object",
        other => other,
    }
}

const MAX_SHOWN: usize = 24;
/// Those behind them are the service's to judge.
const MAX_ITEMS: usize = 1000;
/// In characters.
const MAX_TOLD: usize = 60;
