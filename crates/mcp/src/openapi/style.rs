//! Values as the API wants them written. Every part is encoded for itself, so that what stands between parts is never an argument's.

use serde_json::Value;

use super::encode::{Query, component};
use super::error::ArgumentError;
use super::parameter::{Explode, Style};

/// A plain value as text.
pub(super) fn plain(name: &str, value: &Value) -> Result<String, ArgumentError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(whole(number).unwrap_or_else(|| number.to_string())),
        Value::Bool(value) => Ok(value.to_string()),
        Value::Null => Ok(String::new()),
        Value::Array(_) => Err(ArgumentError::Nested { name: name.to_owned(), got: "a list" }),
        Value::Object(_) => Err(ArgumentError::Nested { name: name.to_owned(), got: "an object" }),
    }
}

/// `7.0` as `7`.
fn whole(number: &serde_json::Number) -> Option<String> {
    let float = number.as_f64().filter(|_| number.is_f64())?;
    (float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0).then(|| format!("{float:.0}"))
}

/// For a path or a header: `a,b`, `k,v` or `k=v`; `write` makes a part of it what its place may have.
pub(super) fn simple(
    name: &str,
    style: Style,
    value: &Value,
    write: impl Fn(&str) -> String,
) -> Result<String, ArgumentError> {
    if style == Style::Json {
        return Ok(write(&value.to_string()));
    }
    let parts: Result<Vec<String>, ArgumentError> = match value {
        Value::Array(items) => items.iter().map(|item| Ok(write(&plain(name, item)?))).collect(),
        Value::Object(map) => {
            let between = if style == Style::Simple(Explode::Yes) { "=" } else { "," };
            map.iter().map(|(key, item)| Ok(format!("{}{between}{}", write(key), write(&plain(name, item)?)))).collect()
        }
        _ => return Ok(write(&plain(name, value)?)),
    };
    Ok(parts?.join(","))
}

/// For a query or a form. `others` are names that mean something else there.
pub(super) fn form(
    query: &mut Query,
    (name, argument): (&str, &str),
    style: Style,
    value: &Value,
    others: &[&str],
) -> Result<(), ArgumentError> {
    let listed = |items: &[Value], between: &str| {
        let parts: Result<Vec<String>, ArgumentError> =
            items.iter().map(|item| Ok(component(&plain(argument, item)?))).collect();
        parts.map(|parts| parts.join(between))
    };
    match (style, value) {
        (Style::Json, _) => query.add(name, &value.to_string()),
        (Style::Deep, Value::Object(_) | Value::Array(_)) => deep(query, name, argument, value, 0)?,
        (Style::Form(Explode::Yes) | Style::Simple(_), Value::Array(items)) => {
            for item in items {
                query.add(name, &plain(argument, item)?);
            }
        }
        (Style::Form(Explode::Yes) | Style::Simple(_), Value::Object(map)) => {
            for (key, item) in map {
                if others.contains(&key.as_str()) {
                    return Err(ArgumentError::Taken { name: argument.to_owned(), inner: key.clone() });
                }
                query.add(key, &plain(argument, item)?);
            }
        }
        (Style::Delimited(between), Value::Array(items)) => query.add_encoded(name, &listed(items, between)?),
        (_, Value::Array(items)) => query.add_encoded(name, &listed(items, ",")?),
        (style, Value::Object(map)) => {
            let flat: Vec<Value> =
                map.iter().flat_map(|(key, item)| [Value::from(key.clone()), item.clone()]).collect();
            let between = if let Style::Delimited(between) = style { between } else { "," };
            query.add_encoded(name, &listed(&flat, between)?);
        }
        (_, plain_value) => query.add(name, &plain(argument, plain_value)?),
    }
    Ok(())
}

/// `name[k]=v`, and further down `name[k][l]=v`; a list's values as `name[]=v`, and `name[0][k]=v` where they have parts themselves.
fn deep(query: &mut Query, name: &str, argument: &str, value: &Value, depth: usize) -> Result<(), ArgumentError> {
    if depth > MAX_DEPTH {
        return Err(ArgumentError::Nested { name: argument.to_owned(), got: "too deep a value" });
    }
    match value {
        Value::Object(map) => map
            .iter()
            .filter(|(_, item)| !item.is_null())
            .try_for_each(|(key, item)| deep(query, &format!("{name}[{key}]"), argument, item, depth + 1)),
        Value::Array(items) => items.iter().enumerate().try_for_each(|(at, item)| {
            let inner = if item.is_object() || item.is_array() { format!("{name}[{at}]") } else { format!("{name}[]") };
            deep(query, &inner, argument, item, depth + 1)
        }),
        _ => {
            query.add(name, &plain(argument, value)?);
            Ok(())
        }
    }
}

const MAX_DEPTH: usize = 8;
