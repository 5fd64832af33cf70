//! What `ath --json` prints is held against its published schema, whichever test asked for it.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Value, json};

static SCHEMA: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../docs/cli.schema.json")).expect("the schema is JSON"));

/// Fails the test where this is not what `ath <command> --json` may print. `agent init` is called `agent-init`.
pub fn hold_cli(command: &str, printed: &Value) {
    hold(&SCHEMA, command, printed);
    if printed["ok"] == true {
        let definition = format!("data-{command}");
        assert!(SCHEMA["$defs"][&definition].is_object(), "the schema has no {definition}");
        let mut schema = json!({"$ref": format!("#/$defs/{definition}")});
        schema["$defs"] = SCHEMA["$defs"].clone();
        hold(&schema, command, &printed["data"]);
    }
}

fn hold(schema: &Value, command: &str, value: &Value) {
    let errors: Vec<String> =
        validator(schema).iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "ath {command}: {errors:?} in {value}");
}

fn validator(schema: &Value) -> Validator {
    jsonschema::draft202012::options().should_validate_formats(true).build(schema).expect("a schema")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(command: &str, printed: &Value) -> bool {
        std::panic::catch_unwind(|| hold_cli(command, printed)).is_ok()
    }

    #[test]
    fn what_is_not_of_the_schema_is_noticed() {
        let error = json!({
            "code": "connect_required", "message": "m", "hint": "h", "connect_url": "https://gw.test/x",
            "retryable": false, "request_id": null,
        });
        assert!(holds("fetch", &json!({"ok": false, "error": error})));
        for (member, value) in
            [("code", json!("unheard")), ("connect_url", Value::Null), ("hint", json!("")), ("more", json!(1))]
        {
            let mut wrong = error.clone();
            wrong[member] = value;
            assert!(!holds("fetch", &json!({"ok": false, "error": wrong})), "{member}");
        }
        assert!(holds("version", &json!({"ok": true, "data": {"version": "0.1.0"}})));
        assert!(!holds("version", &json!({"ok": true, "data": {"version": 1}})));
        assert!(!holds("version", &json!({"ok": true, "data": {"version": "1"}, "error": error})));
        assert!(!holds("unheard", &json!({"ok": true, "data": {}})));
        let both = json!({"status": 200, "url": "https://gw.test/x", "headers": {}, "body": 1, "body_base64": ""});
        assert!(!holds("fetch", &json!({"ok": true, "data": both})));
    }
}
