//! Every answer of the gateway's JSON endpoints is held against the published schema of ATH 0.1, whichever test asked for it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::Answer;

/// The closed set of codes, each with its status, and the other statuses it may come with: those of the protocol's rules for the
/// handshake (interop rule 12), then those of HTTP itself for what is no request of the protocol at all.
const CODES: [(&str, u16, &[u16]); 17] = [
    ("INVALID_ATTESTATION", 401, &[400, 404, 405, 413]),
    ("AGENT_NOT_REGISTERED", 403, &[401]),
    ("AGENT_UNAPPROVED", 403, &[]),
    ("PROVIDER_NOT_APPROVED", 403, &[]),
    // A request that can be read in two ways matches no approved operation; 429 is a limit's.
    ("SCOPE_NOT_APPROVED", 403, &[400, 404, 405, 413, 414, 415, 417, 431, 421]),
    ("SESSION_NOT_FOUND", 400, &[]),
    ("SESSION_EXPIRED", 400, &[]),
    ("STATE_MISMATCH", 400, &[]),
    ("TOKEN_INVALID", 401, &[]),
    ("TOKEN_EXPIRED", 401, &[]),
    ("TOKEN_REVOKED", 401, &[]),
    ("AGENT_IDENTITY_MISMATCH", 403, &[]),
    ("PROVIDER_MISMATCH", 403, &[]),
    ("USER_DENIED", 403, &[]),
    // An upstream that is switched off, or too slow.
    ("OAUTH_ERROR", 502, &[503, 504]),
    ("INTERNAL_ERROR", 500, &[503]),
    // Not in the schema's set: the answer to a duplicate registration.
    ("CONFLICT", 409, &[]),
];

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../conformance/ath-schema-0.1.json")).expect("the schema is JSON")
});

static VALIDATORS: LazyLock<BTreeMap<&'static str, Validator>> = LazyLock::new(|| {
    let definitions = [
        "DiscoveryDocument",
        "ServiceDiscoveryDocument",
        "AgentRegistrationResponse",
        "AuthorizationResponse",
        "TokenResponse",
        "ATHError",
    ];
    let mut validators: BTreeMap<_, _> =
        definitions.into_iter().map(|name| (name, validator(SCHEMA.clone(), name))).collect();
    // The protocol's schema has no definition for reading a registration: it is the registration's answer without the secret.
    let mut own = SCHEMA.clone();
    let required = own.pointer_mut("/$defs/AgentRegistrationResponse/required").and_then(Value::as_array_mut);
    required.expect("a list").retain(|name| name != "client_secret");
    own["$defs"]["AgentRegistrationResponse"]["properties"]["client_secret"] = json!(false);
    validators.insert(OWN_REGISTRATION, validator(own, "AgentRegistrationResponse"));
    let problem = serde_json::from_str(include_str!("../../docs/problem.schema.json")).expect("the schema is JSON");
    let problem = jsonschema::draft202012::options().should_validate_formats(true).build(&problem);
    validators.insert(PROBLEM, problem.expect("a schema"));
    validators
});

/// What people see; all else below `/ath` is for programs.
const PAGES: [&str; 5] = ["/ath/consent", "/ath/callback", "/ath/reconnect", "/ath/sign-in", "/ath/sign-out"];

const PROBLEM: &str = "problem document";
const OWN_REGISTRATION: &str = "AgentRegistrationResponse without its secret";

fn validator(mut schema: Value, definition: &str) -> Validator {
    assert!(schema.pointer(&format!("/$defs/{definition}")).is_some(), "the schema defines {definition}");
    schema["$ref"] = json!(format!("#/$defs/{definition}"));
    jsonschema::draft202012::options().should_validate_formats(true).build(&schema).expect("a schema")
}

/// Fails the test where an answer of a JSON endpoint is not as the schema has it. `request` is what was sent, byte for byte.
pub(crate) fn check(request: &[u8], answer: &Answer) {
    let line = String::from_utf8_lossy(request.split(|byte| *byte == b'\r').next().unwrap_or_default()).into_owned();
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = target.split('?').next().unwrap_or_default();
    if method != "HEAD" && answer.status != 0 {
        crate::described::check(method, path, answer);
    }
    if method != "HEAD" && answer.header("content-type") == Some("application/problem+json") {
        return check_problem(method, path, answer);
    }
    let json = answer.header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
    let is_page = PAGES.iter().any(|page| path.starts_with(page));
    // A program's own endpoints are the gateway's, and described there.
    let is_own = path.starts_with("/ath/my/");
    let is_protocol = path.starts_with("/ath/") && !is_own || path.starts_with("/.well-known/ath");
    if !is_protocol || answer.status == 0 || method == "HEAD" || is_page && !json {
        return;
    }
    let body = answer.json();
    // What the upstream answers passes through the proxy as it is; a refusal of the gateway's own has a code.
    if path.starts_with("/ath/proxy/") && body.get("code").is_none() {
        return;
    }
    assert!(json, "{method} {path}: not JSON: {} {}", answer.status, answer.body_text());
    if answer.status >= 400 {
        return check_error(method, path, answer, body);
    }
    let definition = match (method, path) {
        ("GET", "/.well-known/ath.json") => "DiscoveryDocument",
        ("GET", "/.well-known/ath-app.json") => "ServiceDiscoveryDocument",
        ("POST", "/ath/agents/register") => "AgentRegistrationResponse",
        ("POST", "/ath/authorize") => "AuthorizationResponse",
        ("POST", "/ath/token") => "TokenResponse",
        ("GET", _) if path.starts_with("/ath/agents/") => OWN_REGISTRATION,
        // The protocol wants a JSON body and does not say which.
        ("DELETE", _) if path.starts_with("/ath/agents/") => return assert!(body.is_object(), "{body}"),
        ("POST", "/ath/revoke") => return assert!(body.is_object(), "{body}"),
        _ => panic!("{method} {path} answers {} and nobody said with what: {body}", answer.status),
    };
    hold(definition, method, path, &body);
}

/// An entrance's own form, for clients that know nothing of ATH. An API may speak it, too: the gateway's own has a reason.
fn check_problem(method: &str, path: &str, answer: &Answer) {
    let body = answer.json();
    if body.get("reason").is_none() {
        return;
    }
    hold(PROBLEM, method, path, &body);
    assert_eq!(body["status"], answer.status, "{method} {path}: {body}");
    assert_eq!(answer.header("x-request-id").map(Value::from), body.get("request_id").cloned(), "{method} {path}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{method} {path}: {body}");
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    let challenged = challenge.starts_with("Bearer realm=\"ath-gateway\"");
    assert!(challenged == matches!(answer.status, 401 | 403), "{method} {path}: {challenge:?} {body}");
}

fn check_error(method: &str, path: &str, answer: &Answer, mut body: Value) {
    let code = answer.text("/code");
    let (_, status, others) = CODES
        .iter()
        .find(|(known, _, _)| *known == code)
        .unwrap_or_else(|| panic!("{method} {path}: {code:?} is not in the closed set: {body}"));
    let limited = answer.status == 429 && answer.header("retry-after").is_some();
    assert!(
        answer.status == *status || others.contains(&answer.status) || limited,
        "{method} {path}: {code} has the status {status}, not {}: {body}",
        answer.status
    );
    if code == "CONFLICT" {
        body["code"] = json!("INTERNAL_ERROR");
    }
    hold("ATHError", method, path, &body);
}

fn hold(definition: &str, method: &str, path: &str, body: &Value) {
    let validator = VALIDATORS.get(definition).expect("a definition");
    let errors: Vec<String> =
        validator.iter_errors(body).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{method} {path}: no {definition}: {errors:?} in {body}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Answer { status, headers, body: body.as_bytes().to_vec(), bytes: Vec::new() }
    }

    fn holds(line: &str, status: u16, body: &str) -> bool {
        std::panic::catch_unwind(|| check(format!("{line} HTTP/1.1\r\n\r\n").as_bytes(), &answer(status, body))).is_ok()
    }

    #[test]
    fn what_is_not_of_the_schema_is_noticed() {
        let good = r#"{"authorization_url": "https://a.test/x", "ath_session_id": "s"}"#;
        assert!(holds("POST /ath/authorize", 200, good));
        assert!(!holds("POST /ath/authorize", 200, r#"{"authorization_url": "https://a.test/x"}"#));
        assert!(!holds("POST /ath/authorize", 200, r#"{"authorization_url": "not a URL", "ath_session_id": "s"}"#));
        assert!(!holds("GET /ath/agents/ath_x", 200, r#"{"client_secret": "x"}"#));
        assert!(!holds("POST /ath/unheard", 200, "{}"));
        assert!(holds("GET /elsewhere", 200, "x"));
    }

    #[test]
    fn an_error_has_a_code_of_the_closed_set_and_its_status() {
        let body = |code: &str| format!(r#"{{"code": "{code}", "message": "m", "details": {{}}}}"#);
        assert!(holds("POST /ath/token", 403, &body("USER_DENIED")));
        assert!(holds("POST /ath/agents/register", 409, &body("CONFLICT")));
        assert!(!holds("POST /ath/token", 400, &body("USER_DENIED")));
        assert!(!holds("POST /ath/token", 403, &body("FORBIDDEN")));
        assert!(!holds("POST /ath/token", 400, &body("CONFLICT")));
        assert!(!holds("POST /ath/token", 403, r#"{"code": "USER_DENIED"}"#));
        assert!(!holds("GET /ath/proxy/helpdesk/x", 200, &body("USER_DENIED")));
    }
}
