//! References within a document; what lies elsewhere is not there.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde_json::Value;

/// What a value is, where it may be a reference, in turn to another one and so on.
pub(super) fn resolved<'d>(root: &'d Value, mut value: &'d Value) -> Option<&'d Value> {
    for _ in 0..MAX_HOPS {
        let Some(reference) = text(value, "$ref") else { return Some(value) };
        value = target(root, reference)?;
    }
    None
}

/// What a reference leads to.
pub(super) fn target<'d>(root: &'d Value, reference: &str) -> Option<&'d Value> {
    let pointer: Cow<'_, str> = percent_decode_str(reference.strip_prefix('#')?).decode_utf8().ok()?;
    root.pointer(&pointer)
}

/// The last part of a reference: `Customer` of `#/components/schemas/Customer`.
pub(super) fn name(reference: &str) -> &str {
    reference.rsplit('/').next().unwrap_or_default()
}

/// The text under a name.
pub(super) fn text<'d>(value: &'d Value, name: &str) -> Option<&'d str> {
    value.get(name).and_then(Value::as_str)
}

/// Whether the value under a name is true.
pub(super) fn is_true(value: &Value, name: &str) -> bool {
    value.get(name).and_then(Value::as_bool).unwrap_or_default()
}

const MAX_HOPS: usize = 16;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_lead_on_within_the_document_alone() {
        let root = json!({
            "a": {"$ref": "#/b"},
            "b": {"$ref": "#/c~1d"},
            "c/d": {"x": 1},
            "round": {"$ref": "#/trip"},
            "trip": {"$ref": "#/round"},
            "out": {"$ref": "other.yaml#/b"},
            "web": {"$ref": "https://evil.example/#/b"},
            "encoded": {"$ref": "#/c~1d%2Fe"},
        });
        assert_eq!(resolved(&root, &root["a"]), Some(&json!({"x": 1})));
        for unknown in ["round", "out", "web", "encoded"] {
            assert_eq!(resolved(&root, &root[unknown]), None, "{unknown}");
        }
        assert_eq!(name("#/components/schemas/Customer"), "Customer");
    }
}
