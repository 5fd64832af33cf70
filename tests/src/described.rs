//! Every answer of the gateway's own endpoints is held against what it says of itself at `/openapi.json`, whichever test asked for it.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::Answer;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../crates/issuer/src/openapi.json")).expect("the document is JSON")
});

/// Fails the test where an answer is none of those that the endpoint is said to give.
pub(crate) fn check(method: &str, path: &str, answer: &Answer) {
    // Other servers have the same paths, and say nothing of themselves here.
    if answer.header("x-request-id").is_none() {
        return;
    }
    // So has a provider's own host, and what is refused there has a schema of its own.
    if answer.header("content-type") == Some("application/problem+json") {
        return;
    }
    let Some((template, item)) = described(path) else { return };
    // Behind a closed door is nothing.
    if item.get("x-door").is_some() && answer.status == 404 && answer.reason() == "not_found" {
        return;
    }
    let Some(operation) = item.get(method.to_ascii_lowercase()) else { return };
    let what = format!("{method} {template}: {} {}", answer.status, answer.body_text());
    let response = operation["responses"].get(answer.status.to_string());
    let response = response.unwrap_or_else(|| panic!("not described: {what}"));
    let response = match response.get("$ref").and_then(Value::as_str) {
        Some(reference) => DOCUMENT.pointer(&reference[1..]).expect("it is there"),
        None => response,
    };
    let kind = answer.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default();
    match response.get("content").and_then(|content| content.get(kind)) {
        Some(media) if kind == "application/json" => hold(&media["schema"], &answer.json(), &what),
        Some(_) => {}
        None => assert!(response.get("content").is_none() && answer.body.is_empty(), "of another type: {what}"),
    }
    for name in response.get("headers").and_then(Value::as_object).into_iter().flat_map(serde_json::Map::keys) {
        assert!(answer.header(&name.to_ascii_lowercase()).is_some(), "without {name}: {what}");
    }
}

/// The path that has most in common with this one.
fn described(path: &str) -> Option<(&'static str, &'static Value)> {
    let fits = |template: &str| {
        let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
        let equal = |(wanted, given): (&&str, &&str)| wanted == given || wanted.starts_with('{') && !given.is_empty();
        template.len() == path.len() && template.iter().zip(&path).all(equal)
    };
    let paths = DOCUMENT["paths"].as_object().expect("paths");
    let fitting = paths.iter().filter(|(template, _)| fits(template));
    fitting.min_by_key(|(template, _)| template.matches('{').count()).map(|(template, item)| (template.as_str(), item))
}

fn hold(schema: &Value, body: &Value, what: &str) {
    let schema = json!({"allOf": [schema], "components": DOCUMENT["components"]});
    let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&schema).expect("a schema");
    let errors: Vec<String> =
        validator.iter_errors(body).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{what}: {errors:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(method: &str, path: &str, status: u16, kind: &str, body: &str) -> bool {
        let headers = [("content-type", kind), ("x-request-id", "1"), ("retry-after", "1")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let answer = Answer { status, headers, body: body.as_bytes().to_vec(), bytes: Vec::new() };
        std::panic::catch_unwind(|| check(method, path, &answer)).is_ok()
    }

    #[test]
    fn what_is_not_described_is_noticed() {
        let refusal = r#"{"error": "invalid_grant", "error_description": "No.", "reason": "code_used"}"#;
        let json = "application/json";
        assert!(holds("POST", "/oauth/token", 400, json, refusal));
        assert!(!holds("POST", "/oauth/token", 402, json, refusal));
        assert!(!holds("POST", "/oauth/token", 400, "text/plain", refusal));
        assert!(!holds("POST", "/oauth/token", 400, json, r#"{"error": "unheard_of"}"#));
        assert!(!holds("POST", "/oauth/token", 200, json, r#"{"access_token": "x"}"#));
        assert!(holds("POST", "/oauth/revoke", 200, "", ""));
        assert!(!holds("POST", "/oauth/revoke", 200, "text/plain", "x"));
        assert!(!holds("GET", "/oauth/userinfo", 401, json, &refusal.replace("invalid_grant", "invalid_token")));
        assert!(!holds("GET", "/.well-known/oauth-protected-resource/ath/proxy/x", 200, json, r#"{"resource": "x"}"#));
        assert!(holds("PUT", "/oauth/token", 405, json, "{}"));
        assert!(holds("GET", "/elsewhere", 402, "x", "x"));
    }
}
