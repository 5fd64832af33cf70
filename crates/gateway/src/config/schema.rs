//! `gateway.toml` as a JSON Schema, for editors: made of the keys that the reader reads by, so that it cannot say anything else.

use serde_json::{Map, Value, json};

use super::key::{Form, Key, Presence};

/// A JSON Schema (2020-12) of the whole file.
pub(crate) fn schema() -> Value {
    let mut schema = object(super::KEYS, Wants::Everything);
    insert(&mut schema, "$schema", json!("https://json-schema.org/draft/2020-12/schema"));
    insert(&mut schema, "title", json!("gateway.toml, the configuration of the ATH Gateway"));
    // Which of its keys are needed depends on the kind.
    if let Some(Value::Object(sign_in)) = schema.pointer_mut("/properties/sign_in") {
        sign_in.remove("required");
    }
    if let Some(provider) = schema.pointer_mut("/properties/provider/items") {
        presets(provider);
    }
    schema
}

/// Whether keys that may not be left out are asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wants {
    Everything,
    /// Something else may bring them: a preset.
    Nothing,
}

fn object(keys: &[Key], wants: Wants) -> Value {
    let properties: Map<String, Value> = keys.iter().map(|key| (key.name.to_owned(), property(key, wants))).collect();
    let mut object = json!({"type": "object", "additionalProperties": false, "properties": properties});
    let required = required(keys);
    if wants == Wants::Everything && !required.is_empty() {
        insert(&mut object, "required", json!(required));
    }
    object
}

fn required(keys: &[Key]) -> Vec<&'static str> {
    keys.iter().filter(|key| matches!(key.presence, Presence::Required(_))).map(|key| key.name).collect()
}

fn property(key: &Key, wants: Wants) -> Value {
    let wants = if key.name == "provider" { Wants::Nothing } else { wants };
    let mut property = form(key.form, wants);
    insert(&mut property, "description", json!(key.says));
    if let Presence::Default(value) = key.presence {
        let number = matches!(key.form, Form::Integer { .. }).then(|| value.parse::<u32>().ok()).flatten();
        insert(&mut property, "default", number.map_or_else(|| json!(value), |number| json!(number)));
    }
    property
}

fn form(form: Form, wants: Wants) -> Value {
    let text = || json!({"type": "string"});
    let list = |items: Value| json!({"type": "array", "items": items});
    match form {
        Form::Text | Form::Rate => text(),
        Form::Duration => json!({"type": "string", "pattern": "^[0-9]+[smhd]$"}),
        Form::OneOf(words) => json!({"enum": words}),
        Form::Texts => json!({"anyOf": [text(), list(text())]}),
        Form::TextsOrTables(keys) => {
            // Which of its keys are needed, no preset changes.
            let table = object(keys, Wants::Everything);
            json!({"anyOf": [text(), table, list(json!({"anyOf": [text(), table]}))]})
        }
        Form::Boolean => json!({"type": "boolean"}),
        Form::Integer { least, most } => json!({"type": "integer", "minimum": least, "maximum": most}),
        Form::Number => json!({"type": "number"}),
        Form::Table(keys) => object(keys, wants),
        Form::WordOrTable(word, keys) => json!({"anyOf": [{"const": word}, object(keys, wants)]}),
        Form::Tables(keys) => list(object(keys, wants)),
        Form::TextMap => json!({"type": "object", "additionalProperties": text()}),
        Form::TableMap(keys) => json!({"type": "object", "additionalProperties": object(keys, wants)}),
        Form::Secret => kept(&["file", "env"]),
        Form::Secrets => list(kept(&["file", "env"])),
        Form::SecretMap => json!({"type": "object", "additionalProperties": kept(&["file", "env"])}),
        Form::TextOrSecret => json!({"anyOf": [text(), kept(&["file", "env"])]}),
        Form::TextOrFile => json!({"anyOf": [text(), kept(&["file"])]}),
    }
}

/// Where something is kept, in one of these ways.
fn kept(ways: &[&str]) -> Value {
    let properties: Map<String, Value> =
        ways.iter().map(|way| ((*way).to_owned(), json!({"type": "string"}))).collect();
    json!({"type": "object", "additionalProperties": false, "properties": properties, "minProperties": 1, "maxProperties": 1})
}

/// What a provider wants depends on whether a preset brings it.
fn presets(provider: &mut Value) {
    if let Some(preset) = provider.pointer_mut("/properties/preset") {
        insert(preset, "enum", json!(catalogue::names().collect::<Vec<_>>()));
    }
    let mut written = wanted(super::provider::KEYS);
    insert(&mut written, "oneOf", json!([{"required": ["api_base"]}, {"required": ["mcp"]}]));
    let mut cases = vec![json!({"if": {"required": ["preset"]}, "then": {"required": ["id"]}, "else": written})];
    cases.extend(catalogue::names().filter_map(|name| catalogue::find(name).ok()).map(|preset| values(&preset)));
    insert(provider, "allOf", json!(cases));
}

/// What the keys ask for, at any depth, besides the client id, which may stand at the provider itself, and the calls of a scope, which are
/// those of an MCP server or of an API.
fn wanted(keys: &[Key]) -> Value {
    let mut names = required(keys);
    names.retain(|name| !matches!(*name, "client_id" | "allow"));
    let below = |key: &Key| {
        let wanted = match key.form {
            Form::Table(keys) => wanted(keys),
            Form::Tables(keys) => json!({"items": wanted(keys)}),
            Form::TableMap(keys) => json!({"additionalProperties": wanted(keys)}),
            _ => return None,
        };
        Some((key.name.to_owned(), wanted))
    };
    let properties: Map<String, Value> = keys.iter().filter_map(below).collect();
    json!({"required": names, "properties": properties})
}

/// The values of one preset.
fn values(preset: &catalogue::Preset) -> Value {
    let value = |value: &catalogue::Value| {
        let mut schema = json!({"type": "string", "description": value.says(), "examples": [value.example()]});
        if let Some(pattern) = value.form().pattern() {
            insert(&mut schema, "pattern", json!(pattern));
        }
        if let catalogue::Form::OneOf(words) = value.form() {
            insert(&mut schema, "enum", json!(words));
        }
        if let Some(default) = value.default() {
            insert(&mut schema, "default", json!(default));
        }
        (value.name().to_owned(), schema)
    };
    let properties: Map<String, Value> = preset.values().iter().map(value).collect();
    let needed = preset.values().iter().filter(|value| value.default().is_none());
    let needed: Vec<&str> = needed.map(catalogue::Value::name).collect();
    let then = json!({
        "required": if needed.is_empty() { json!([]) } else { json!(["values"]) },
        "properties": {"values": {"additionalProperties": false, "properties": properties, "required": needed}},
    });
    let this = json!({"required": ["preset"], "properties": {"preset": {"const": preset.name()}}});
    json!({"if": this, "then": then})
}

fn insert(object: &mut Value, name: &str, value: Value) {
    if let Value::Object(object) = object {
        object.insert(name.to_owned(), value);
    }
}
