//! What the gateway says of its own endpoints, `/openapi.json`, is so: schemathesis makes requests from it, good and bad, the same in every run.

use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

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

    let folder = TempDir::new().expect("a folder");
    let mut command = Command::new(script(".venv/bin/python"));
    command.args(["-m", "schemathesis.cli", "run"]).arg(format!("{}/openapi.json", gateway.url()));
    command.args(["--checks", CHECKS, "--phases", "examples,coverage,fuzzing", "--max-examples", "40"]);
    command.args(["--generation-deterministic", "--no-shrink", "--warnings", "off"]);
    command.args(["--workers", "2", "--no-color", "--continue-on-failure", "--suppress-health-check", "all"]);
    command.args(["--report", "json", "--report-json-path"]).arg(folder.path().join("report.json"));
    let ended = command.current_dir(folder.path()).output().expect("it must be installed: ./tests/run does it");
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(ended.status.success(), "{said}{}", String::from_utf8_lossy(&ended.stderr));
    let report = std::fs::read(folder.path().join("report.json")).expect("a report");
    let report: Value = serde_json::from_slice(&report).expect("JSON");
    assert!(said.contains("generated"), "{said} {report:.2000}");
    println!("{said}");
}
