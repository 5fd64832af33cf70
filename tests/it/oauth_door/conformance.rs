//! The scenarios that `@modelcontextprotocol/conformance` has for authorization servers: all of them, and each has to succeed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{Browser, OAuthClient, consented, free_port};

use super::Door;
use crate::clients::script;

const SCENARIOS: [&str; 2] = ["authorization-server-metadata-endpoint", "authorization-code-grant"];

/// Node as the package wants it: newer than what runs the other clients.
fn conformance() -> Command {
    let mut command = Command::new(script("node_modules/node/bin/node"));
    command.arg(script("node_modules/@modelcontextprotocol/conformance/dist/index.js"));
    command
}

#[test]
fn these_are_all_the_scenarios_for_authorization_servers() {
    let listed = conformance().arg("list").output().expect("it must be installed: ./tests/run does it");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let ours = listed.split("Authorization server scenarios").nth(1).expect("a list");
    let names: Vec<_> = ours.lines().filter_map(|line| line.strip_prefix("  - ")?.split(' ').next()).collect();
    assert_eq!(names, SCENARIOS, "a new scenario belongs into this test");
}

#[test]
fn the_scenarios_for_authorization_servers_succeed() {
    // Documents are announced here, as the newest revision wishes; none is fetched.
    let Door { gateway, upstream: _upstream } =
        Door::with("[oauth]\nclient_documents = \"listed\"\ndocument_hosts = [\"claude.ai\"]\n");
    let client = OAuthClient::register_as(
        &gateway,
        &json!({"redirect_uris": ["http://127.0.0.1/callback"], "token_endpoint_auth_method": "none"}),
    );
    let folder = TempDir::new().expect("a folder");
    let mut command = conformance();
    command.args(["authorization", "--url", &gateway.public_url(), "--client-id", &client.id]);
    command.args(["--resource", &client.resource, "--port", &free_port().to_string(), "--spec-version", "2026-07-28"]);
    command.arg("--output-dir").arg(folder.path()).current_dir(folder.path());
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().expect("node");
    let mut said = String::new();
    for line in BufReader::new(process.stdout.take().expect("piped")).lines() {
        let line = line.expect("text");
        if line.contains("/oauth/authorize?") {
            let mut browser = Browser::new();
            let page = browser.open(line.trim());
            let end = consented(&mut browser, page).url;
            // The tests' browser goes no further than to a client's redirect URI; the package listens there.
            let arrived = tests::Request::new("GET", end.as_str()).send();
            assert_eq!(arrived.status, 200, "{}", arrived.body_text());
        }
        said.push_str(&line);
        said.push('\n');
    }
    assert!(process.wait().expect("a process").success(), "{said}");
    let checks = checks(folder.path());
    let failed: Vec<_> = checks.iter().filter(|check| check["status"] != "SUCCESS").collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let ids: Vec<_> = checks.iter().filter_map(|check| check["id"].as_str()).collect();
    for id in ["authorization-server-metadata", "authorization-server-metadata-cimd", "authorization-code-grant"] {
        assert!(ids.contains(&id), "{id}: {ids:?}");
    }
}

fn checks(folder: &Path) -> Vec<Value> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(checks(&path));
        } else if path.file_name().is_some_and(|name| name == "checks.json") {
            let text = std::fs::read(path).expect("a file");
            found.extend(serde_json::from_slice::<Vec<Value>>(&text).expect("a list"));
        }
    }
    found
}
