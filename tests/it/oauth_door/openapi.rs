//! What the gateway says of its own endpoints, `/openapi.json`, is so: schemathesis makes requests from it, good and bad, the same in every run.

use std::process::Command;

use data_encoding::BASE64;
use serde_json::json;
use tempfile::TempDir;
use tests::{Gateway, OAuthClient};

use super::Door;
use crate::clients::script;

/// What is looked at in each answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                      response_schema_conformance,allow_header_conformance";

#[test]
fn every_answer_is_as_the_document_says() {
    let Door { gateway, upstream: _upstream } = Door::open();
    let document = gateway.request("GET", "/openapi.json").send();
    assert_eq!(document.status, 200, "{}", document.body_text());
    let paths = document.json()["paths"].as_object().expect("paths").clone();
    for path in ["token", "register", "revoke", "introspect", "userinfo", "device_authorization", "authorize"] {
        assert!(paths.contains_key(&format!("/oauth/{path}")), "{path} is described");
    }

    // As anybody, then as a client that proves itself, where that changes what is answered.
    let client = OAuthClient::register_as(&gateway, &json!({"token_endpoint_auth_method": "client_secret_basic"}));
    let basic = BASE64.encode(format!("{}:{}", client.id, client.secret()).as_bytes());
    let proves = format!("Authorization: Basic {basic}");
    let takes_forms = "^/oauth/(token|revoke|introspect|device_authorization)$";
    let cases = [
        schemathesis(&gateway, "coverage,fuzzing", &[]),
        schemathesis(&gateway, "fuzzing", &["-H", &proves, "--include-path-regex", takes_forms]),
    ];
    assert!(cases[0] > 1000 && cases[1] >= 40, "{cases:?}");
    assert_eq!(gateway.request("GET", "/.well-known/oauth-authorization-server").send().status, 200);
}

/// How many requests it made; every answer was as it should be.
fn schemathesis(gateway: &Gateway, phases: &str, further: &[&str]) -> u64 {
    let folder = TempDir::new().expect("a folder");
    let mut command = Command::new(script(".venv/bin/python"));
    command.args(["-m", "schemathesis.cli", "run"]).arg(format!("{}/openapi.json", gateway.url()));
    command.args(["--checks", CHECKS, "--phases", phases, "--max-examples", "15"]);
    command.args(["--generation-deterministic", "--no-shrink", "--warnings", "off", "--workers", "1", "--no-color"]);
    command.args(["--continue-on-failure", "--suppress-health-check", "all"]).args(further);
    let ended = command.current_dir(folder.path()).output().expect("it must be installed: ./tests/run does it");
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(ended.status.success(), "{said}{}", String::from_utf8_lossy(&ended.stderr));
    let (_, summary) = said.split_once("Test cases:").expect("a summary");
    println!("{said}");
    summary.split_whitespace().next().and_then(|count| count.parse().ok()).expect("a count")
}
