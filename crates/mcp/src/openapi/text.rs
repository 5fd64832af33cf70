use serde_json::Value;
use serde_saphyr::DuplicateKeyPolicy;

use super::error::DocumentError;

/// The largest document that is read, in bytes.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;

/// JSON where it begins with a brace, YAML otherwise.
pub(super) fn read(text: &[u8]) -> Result<Value, DocumentError> {
    if text.len() > MAX_BYTES {
        return Err(DocumentError::TooLarge);
    }
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    if text.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{') {
        // A flow mapping of YAML begins in the same way, and nobody writes a document so.
        return serde_json::from_slice(text).map_err(DocumentError::Json);
    }
    yaml(text)
}

fn yaml(text: &[u8]) -> Result<Value, DocumentError> {
    let budget = serde_saphyr::budget! {
        max_events: MAX_NODES * 2,
        max_nodes: MAX_NODES,
        max_depth: MAX_DEPTH,
        max_documents: 1,
        max_aliases: MAX_ALIASES,
        max_anchors: MAX_ALIASES,
        max_total_scalar_bytes: MAX_BYTES,
    };
    let mut aliases = serde_saphyr::options::AliasLimits::default();
    aliases.max_total_replayed_events = MAX_REPLAYED;
    let options = serde_saphyr::options! {
        budget: budget,
        alias_limits: aliases,
        duplicate_keys: DuplicateKeyPolicy::LastWins,
        strict_booleans: true,
        with_snippet: false,
    };
    serde_saphyr::from_slice_with_options(text, options).map_err(|error| DocumentError::Yaml(error.to_string()))
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
const MAX_NODES: usize = 2_000_000;
const MAX_DEPTH: usize = 120;
const MAX_ALIASES: usize = 10_000;
/// What aliases stand for, all together.
const MAX_REPLAYED: usize = 200_000;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn yaml_and_json_say_the_same() {
        let yaml = "openapi: 3.0.3\ninfo: {title: Pets, version: '1'}\npaths:\n  /pets:\n    get:\n      responses:\n        200: {description: yes}\n        \"404\": {description: ok}\n";
        let expected = json!({
            "openapi": "3.0.3",
            "info": {"title": "Pets", "version": "1"},
            "paths": {"/pets": {"get": {"responses": {"200": {"description": "yes"}, "404": {"description": "ok"}}}}},
        });
        assert_eq!(read(yaml.as_bytes()).expect("YAML"), expected);
        assert_eq!(read(format!("\u{feff} {expected}").as_bytes()).expect("JSON"), expected);
    }

    #[test]
    fn an_alias_stands_for_what_it_names() {
        let value = read(b"a: &one {x: 1}\nb: *one\n").expect("YAML");
        assert_eq!(value, json!({"a": {"x": 1}, "b": {"x": 1}}));
    }

    #[test]
    fn a_bomb_of_aliases_does_not_go_off() {
        let level = |level: usize| format!("a{level}: &a{level} [{}]", vec![format!("*a{}", level - 1); 10].join(", "));
        let lines: Vec<String> = Some("a0: &a0 [x]".to_owned()).into_iter().chain((1..12).map(level)).collect();
        let text = lines.join("\n");
        assert!(matches!(read(text.as_bytes()), Err(DocumentError::Yaml(_))));
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        assert!(read(nested(100).as_bytes()).is_ok());
        assert!(matches!(read(nested(100_000).as_bytes()), Err(DocumentError::Json(_))));
        let yaml = format!("a: {}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(matches!(read(yaml.as_bytes()), Err(DocumentError::Yaml(_))));
    }

    #[test]
    fn size_is_bounded() {
        let text = vec![b' '; MAX_BYTES + 1];
        assert!(matches!(read(&text), Err(DocumentError::TooLarge)));
    }
}
