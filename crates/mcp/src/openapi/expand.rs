//! Schemas without references, and no larger than they may be.

use serde_json::{Map, Value, json};

use super::describe::shortened;
use super::refs;

/// Whose schema it is: what a service alone writes is nothing to send, and what is sent alone never comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Request,
    Answer,
}

/// One schema on its way into JSON Schema 2020-12 of its own.
#[derive(Debug)]
pub(super) struct Expansion<'d> {
    root: &'d Value,
    side: Side,
    /// How many schemas may stand within each other.
    depth: usize,
    /// How many more there may be at all.
    left: usize,
    /// How many bytes of values and descriptions there is room for.
    room: usize,
    /// The references that are being followed.
    open: Vec<&'d str>,
    /// What lies elsewhere.
    elsewhere: Option<String>,
}

impl<'d> Expansion<'d> {
    pub(super) fn new(root: &'d Value, side: Side, depth: usize, left: usize) -> Self {
        Self { root, side, depth, left, room: left * BYTES_EACH, open: Vec::new(), elsewhere: None }
    }

    /// The first reference that led nowhere.
    pub(super) fn elsewhere(&self) -> Option<&str> {
        self.elsewhere.as_deref()
    }

    pub(super) fn schema(&mut self, schema: &'d Value) -> Value {
        let Value::Object(map) = schema else {
            self.left = self.left.saturating_sub(1);
            return if schema == &Value::Bool(false) { json!({"not": {}}) } else { json!({}) };
        };
        if self.left == 0 || self.depth == 0 {
            self.left = self.left.saturating_sub(1);
            return cut(map);
        }
        self.left -= 1;
        if let Some(reference) = refs::text(schema, "$ref") {
            return self.reference(reference, map);
        }
        self.depth -= 1;
        let expanded = self.object(map);
        self.depth += 1;
        Value::Object(expanded)
    }

    /// What was told takes room; where there is none, no more is told.
    fn tell(&mut self, told: &Map<String, Value>) {
        let length: usize = told.values().map(length).sum();
        self.room = self.room.saturating_sub(length);
        if self.room == 0 {
            self.left = 0;
        }
    }

    fn reference(&mut self, reference: &'d str, beside: &'d Map<String, Value>) -> Value {
        let name = shortened(refs::name(reference), MAX_NAME);
        if self.open.contains(&reference) || self.open.len() >= MAX_OPEN {
            let mut again = Map::new();
            if let Some(kind) = refs::target(self.root, reference).and_then(|target| refs::text(target, "type")) {
                again.insert("type".to_owned(), json!(kind));
            }
            again.insert("description".to_owned(), json!(format!("{name}, as described further up")));
            return Value::Object(again);
        }
        let Some(target) = refs::target(self.root, reference) else {
            self.elsewhere.get_or_insert_with(|| shortened(reference, MAX_NAME));
            return json!({"description": format!("{name}, which the document does not describe")});
        };
        self.open.push(reference);
        let expanded = self.schema(target);
        self.open.pop();
        let Value::Object(mut expanded) = expanded else { return expanded };
        if let Some(text) = beside.get("description").and_then(Value::as_str) {
            expanded.insert("description".to_owned(), json!(shortened(text, MAX_DESCRIPTION)));
        }
        // 3.1 lets whole schemas stand beside it, too; they are rare, and left to the service.
        expanded.extend(beside.iter().filter(is_told).map(copied));
        Value::Object(expanded)
    }

    fn object(&mut self, map: &'d Map<String, Value>) -> Map<String, Value> {
        let mut result: Map<String, Value> = map.iter().filter(is_told).map(copied).collect();
        if let Some(text) = map.get("description").and_then(Value::as_str).filter(|text| !text.trim().is_empty()) {
            result.insert("description".to_owned(), json!(shortened(text, MAX_DESCRIPTION)));
        }
        self.tell(&result);
        self.properties(map, &mut result);
        for name in SCHEMAS {
            if let Some(inner) = map.get(*name).filter(|_| !result.contains_key(*name)) {
                let inner = if inner.is_boolean() { inner.clone() } else { self.schema(inner) };
                result.insert((*name).to_owned(), inner);
            }
        }
        for name in SCHEMA_LISTS {
            if let Some(inner) = map.get(*name).and_then(Value::as_array) {
                let told = inner.iter().take(self.left.min(MAX_CHOICES)).map(|inner| self.schema(inner));
                let mut schemas: Vec<Value> = told.collect();
                if schemas.len() < inner.len() {
                    schemas.push(json!({}));
                }
                result.insert((*name).to_owned(), Value::Array(schemas));
            }
        }
        if map.contains_key("patternProperties") {
            // What they allow is not told, and so not forbidden either.
            result.remove("additionalProperties");
        }
        exclusive(&mut result);
        nullable(map, &mut result);
        one_type(&mut result);
        merged(result)
    }

    fn properties(&mut self, map: &'d Map<String, Value>, result: &mut Map<String, Value>) {
        let Some(properties) = map.get("properties").and_then(Value::as_object) else {
            if let Some(required) = map.get("required").filter(|required| required.is_array() && is_short(required)) {
                result.insert("required".to_owned(), required.clone());
            }
            return;
        };
        let mut kept = Map::new();
        let mut dropped = Vec::new();
        for (name, schema) in properties {
            if self.left == 0 {
                // What is not told is not forbidden either.
                result.insert("additionalProperties".to_owned(), json!(true));
                break;
            }
            if name.len() > MAX_NAME {
                continue;
            }
            let unused = match self.side {
                Side::Request => "readOnly",
                Side::Answer => "writeOnly",
            };
            if refs::resolved(self.root, schema).is_some_and(|schema| refs::is_true(schema, unused)) {
                dropped.push(name.as_str());
                continue;
            }
            kept.insert(name.clone(), self.schema(schema));
        }
        result.insert("properties".to_owned(), Value::Object(kept));
        let required = map.get("required").and_then(Value::as_array);
        let names = required.into_iter().flatten().filter_map(Value::as_str).filter(|name| !dropped.contains(name));
        let names: Vec<Value> =
            names.take(MAX_VALUES).filter(|name| name.len() <= MAX_NAME).map(|name| json!(name)).collect();
        if !names.is_empty() && self.side == Side::Request {
            result.insert("required".to_owned(), Value::Array(names));
        }
    }
}

/// Whether it is taken over as it is; what is long is the service's to judge.
fn is_told((name, value): &(&String, &Value)) -> bool {
    PLAIN.contains(&name.as_str()) && is_short(value)
}

fn is_short(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.len() <= MAX_VALUES && items.iter().all(|item| !item.is_array() && is_short(item)),
        Value::Object(map) => map.is_empty(),
        Value::String(text) => text.len() <= MAX_TEXT,
        _ => true,
    }
}

/// About as many bytes as it takes.
fn length(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(length).sum(),
        _ => 4,
    }
}

fn copied((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}

/// What is left of a schema for which there is no room: its type.
fn cut(map: &Map<String, Value>) -> Value {
    let mut left = Map::new();
    let nullable = map.get("nullable") == Some(&Value::Bool(true));
    if let Some(kind) = map.get("type").filter(|kind| kind.is_string() && !nullable) {
        left.insert("type".to_owned(), kind.clone());
    }
    left.insert("description".to_owned(), json!("more than is told here"));
    Value::Object(left)
}

/// 3.0 has a flag beside the bound where JSON Schema has another bound.
fn exclusive(schema: &mut Map<String, Value>) {
    for (bound, exclusive) in [("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")] {
        match schema.get(exclusive) {
            Some(Value::Bool(true)) => {
                schema.remove(exclusive);
                if let Some(value) = schema.remove(bound) {
                    schema.insert(exclusive.to_owned(), value);
                }
            }
            Some(Value::Bool(false)) => drop(schema.remove(exclusive)),
            _ => {}
        }
    }
}

/// 3.0 has a flag where JSON Schema has a type.
fn nullable(written: &Map<String, Value>, schema: &mut Map<String, Value>) {
    if written.get("nullable") != Some(&Value::Bool(true)) {
        return;
    }
    if let Some(Value::String(kind)) = schema.get("type") {
        let kinds = json!([kind, "null"]);
        schema.insert("type".to_owned(), kinds);
    }
    if let Some(Value::Array(allowed)) = schema.get_mut("enum")
        && !allowed.contains(&Value::Null)
    {
        allowed.push(Value::Null);
    }
}

/// Several types as a choice of one each, and a type where only its parts are told: there are clients that know schemas by one type alone.
fn one_type(schema: &mut Map<String, Value>) {
    if schema.contains_key("properties") && !schema.contains_key("type") {
        schema.insert("type".to_owned(), json!("object"));
    }
    let Some(Value::Array(kinds)) = schema.get("type") else { return };
    let kinds = kinds.clone();
    schema.remove("type");
    match kinds.as_slice() {
        [kind] => drop(schema.insert("type".to_owned(), kind.clone())),
        _ if schema.contains_key("anyOf") => {}
        kinds => {
            let choice = kinds.iter().map(|kind| json!({"type": kind})).collect();
            schema.insert("anyOf".to_owned(), Value::Array(choice));
        }
    }
}

/// `allOf` of plain objects as one object, which says the same in fewer words.
fn merged(mut schema: Map<String, Value>) -> Map<String, Value> {
    let Some(Value::Array(parts)) = schema.get("allOf") else { return schema };
    let rest: Map<String, Value> = schema.iter().filter(|(name, _)| *name != "allOf").map(copied).collect();
    let single = parts.len() == 1 && rest.keys().all(|name| BESIDE.contains(&name.as_str()));
    let plain = |part: &Value| part.as_object().is_some_and(is_plain_object);
    if !(single || (is_plain_object(&rest) && parts.iter().all(plain))) {
        return schema;
    }
    let Some(Value::Array(parts)) = schema.remove("allOf") else { return schema };
    for (name, value) in parts.into_iter().filter_map(object_of).flatten() {
        match (schema.get_mut(&name), value) {
            (Some(Value::Object(known)), Value::Object(more)) => known.extend(more),
            (Some(Value::Array(known)), Value::Array(more)) => {
                let more: Vec<Value> = more.into_iter().filter(|one| !known.contains(one)).collect();
                known.extend(more);
            }
            (Some(_), _) => {}
            (None, value) => drop(schema.insert(name, value)),
        }
    }
    schema
}

fn object_of(value: Value) -> Option<Map<String, Value>> {
    if let Value::Object(map) = value { Some(map) } else { None }
}

fn is_plain_object(schema: &Map<String, Value>) -> bool {
    schema.iter().all(|(name, value)| MERGED.contains(&name.as_str()) && (name != "type" || value == "object"))
}

/// What stands in a schema and is taken over as it is.
const PLAIN: &[&str] = &[
    "type",
    "format",
    "enum",
    "const",
    "default",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "deprecated",
];
/// What is a schema itself.
const SCHEMAS: &[&str] = &["items", "additionalProperties", "not", "contains", "propertyNames"];
/// What is a list of schemas.
const SCHEMA_LISTS: &[&str] = &["allOf", "anyOf", "oneOf", "prefixItems"];
/// What may stand beside a reference and is seen to by itself.
const BESIDE: &[&str] = &["$ref", "description", "default"];
/// What can be merged.
const MERGED: &[&str] = &["type", "properties", "required", "description"];
/// In characters.
const MAX_DESCRIPTION: usize = 300;
const MAX_OPEN: usize = 24;
/// Of a list of schemas, and of one of values.
const MAX_CHOICES: usize = 64;
const MAX_VALUES: usize = 400;
/// In bytes.
const MAX_TEXT: usize = 1000;
const MAX_NAME: usize = 200;
/// What each schema may take, one with another.
const BYTES_EACH: usize = 80;
