use serde_json::Value;

/// Takes out what nobody asks for: examples, extensions, callbacks, links and the like, which are most of many documents.
pub(super) fn prune(value: &mut Value) {
    object(value);
}

/// An object of the specification's, whose keys have a meaning.
fn object(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|name, _| !is_unused(name));
            for (name, inner) in map.iter_mut() {
                if DATA.contains(&name.as_str()) {
                    continue;
                }
                if NAMES.contains(&name.as_str()) {
                    names(inner);
                } else {
                    object(inner);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(object),
        _ => {}
    }
}

/// An object whose keys are names of the document's own.
fn names(value: &mut Value) {
    match value {
        Value::Object(map) => map.values_mut().for_each(object),
        // `parameters` is a list in an operation.
        Value::Array(items) => items.iter_mut().for_each(object),
        _ => {}
    }
}

fn is_unused(name: &str) -> bool {
    name.starts_with("x-") || UNUSED.contains(&name)
}

const UNUSED: &[&str] = &[
    "example",
    "examples",
    "externalDocs",
    "callbacks",
    "links",
    "webhooks",
    "xml",
    "securitySchemes",
    "security",
    "$comment",
];
/// What is below them is data.
const DATA: &[&str] = &["enum", "const", "default", "mapping", "required"];
/// What is below them has names of the document's own.
const NAMES: &[&str] = &[
    "paths",
    "schemas",
    "responses",
    "parameters",
    "requestBodies",
    "headers",
    "pathItems",
    "mediaTypes",
    "properties",
    "patternProperties",
    "dependentSchemas",
    "dependentRequired",
    "$defs",
    "definitions",
    "content",
    "encoding",
    "variables",
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_used_goes_and_names_stay() {
        let mut document = json!({
            "x-logo": {"url": "a"},
            "paths": {"x-extended": {}, "/examples": {"get": {
                "x-codeSamples": ["a"],
                "callbacks": {"a": 1},
                "parameters": [{"name": "example", "in": "query", "example": 7, "schema": {"type": "string", "example": "a"}}],
                "responses": {"200": {"links": {}, "content": {"application/json": {"examples": {"a": 1}, "schema": {"type": "object"}}}}},
            }}},
            "components": {
                "examples": {"a": 1},
                "schemas": {"links": {"properties": {"example": {"type": "string"}, "x-y": {"type": "string", "default": {"example": 1}}}}},
            },
        });
        prune(&mut document);
        assert_eq!(
            document,
            json!({
                "paths": {"x-extended": {}, "/examples": {"get": {
                    "parameters": [{"name": "example", "in": "query", "schema": {"type": "string"}}],
                    "responses": {"200": {"content": {"application/json": {"schema": {"type": "object"}}}}},
                }}},
                "components": {
                    "schemas": {"links": {"properties": {"example": {"type": "string"}, "x-y": {"type": "string", "default": {"example": 1}}}}},
                },
            })
        );
    }
}
