//! The scenarios that `@modelcontextprotocol/conformance` has for servers. Which of them do not apply, and why, stands in
//! `tests/conformance/mcp.toml`; the others have to succeed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;
use tests::{Browser, Gateway, OAuthClient, Peer, Store, Upstream, free_port};

use crate::clients::script;

/// Node as the package wants it: newer than what runs the other clients.
fn conformance() -> Command {
    let mut command = Command::new(script("node_modules/node/bin/node"));
    command.arg(script("node_modules/@modelcontextprotocol/conformance/dist/index.js"));
    command
}

/// Its id, what came of it, and what was complained about.
type Check = (String, String, String);

/// A scenario as the page has it.
#[derive(Default)]
struct Known {
    /// It is not about a door like this one.
    foreign: bool,
    /// Checks of it that are not.
    without: BTreeSet<String>,
}

fn known() -> BTreeMap<String, Known> {
    let text = include_str!("../../conformance/mcp.toml");
    let mut known = BTreeMap::<String, Known>::new();
    let mut last = String::new();
    for (key, value) in text.lines().filter_map(|line| line.split_once(" = ")) {
        let value = value.trim_matches('"').to_owned();
        match key {
            "name" => {
                last.clone_from(&value);
                assert!(known.insert(value, Known::default()).is_none(), "{last} stands there twice");
            }
            "why_not" => known.get_mut(&last).expect("a name").foreign = true,
            "check" => assert!(known.get_mut(&last).expect("a name").without.insert(value)),
            _ => {}
        }
    }
    known
}

#[test]
fn these_are_all_the_scenarios_for_servers() {
    let listed = conformance().args(["list", "--server"]).output().expect("it must be installed: ./tests/run does it");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let names = listed.lines().filter_map(|line| line.trim().strip_prefix("- ")?.split(' ').next());
    let names: BTreeSet<_> = names.map(str::to_owned).collect();
    assert_eq!(names, known().into_keys().collect(), "a new scenario belongs into tests/conformance/mcp.toml");
}

#[test]
fn the_scenarios_that_apply_succeed() {
    let (front, port) = (free_port(), free_port());
    let upstream = Upstream::start(front, |_| {});
    let provider = upstream.provider("pkce = \"none\"");
    let gateway = Gateway::start_behind(front, Store::Embedded, port, &provider).behind(port);
    let mut forwarder = Command::new("node");
    forwarder.arg(script("mcp/bearer.mjs")).args([front.to_string(), port.to_string()]);
    let _forwarder = Peer::ready(forwarder.env("TOKEN", token(&gateway, front)));

    let url = format!("http://127.0.0.1:{front}/helpdesk/mcp");
    let mut checked = BTreeMap::<String, Vec<Check>>::new();
    for suite in [
        ["--suite", "all", "--verbose", "--spec-version", "2025-06-18"],
        ["--suite", "all", "--verbose", "--spec-version", "2025-11-25"],
        ["--suite", "all", "--verbose", "--spec-version", "2026-07-28"],
        ["--scenario", "sep-2640-skills-directory", "--force", "--spec-version", "2026-07-28"],
        ["--scenario", "sep-2640-skills-enumeration", "--force", "--spec-version", "2026-07-28"],
        ["--scenario", "sep-2640-skills-manifest", "--force", "--spec-version", "2026-07-28"],
    ] {
        let folder = TempDir::new().expect("a folder");
        let mut command = conformance();
        command.args(["server", "--url", &url]).args(suite).arg("--output-dir").arg(folder.path());
        let ended = command.current_dir(folder.path()).output().expect("it runs");
        let said = String::from_utf8_lossy(&ended.stdout).into_owned() + &String::from_utf8_lossy(&ended.stderr);
        let found = scenarios(folder.path());
        assert!(!found.is_empty(), "{suite:?}: {said}");
        for (scenario, checks) in found {
            checked.entry(scenario).or_default().extend(checks);
        }
    }
    for (name, known) in known().into_iter().filter(|(_, known)| !known.foreign) {
        let checks = checked.get(&name).unwrap_or_else(|| panic!("{name} was not run"));
        let failed: BTreeSet<_> =
            checks.iter().filter(|(_, status, _)| matches!(status.as_str(), "FAILURE" | "WARNING")).collect();
        let ids: BTreeSet<_> = failed.iter().map(|(id, _, _)| id.clone()).collect();
        assert_eq!(ids, known.without, "{name}: {failed:#?}");
        assert!(checks.iter().any(|(_, status, _)| status == "SUCCESS" || status == "SKIPPED"), "{name}: {checks:?}");
    }
}

/// A token of alice's; whoever stands at the front only lets through who has one.
fn token(gateway: &Gateway, front: u16) -> String {
    let mut client = OAuthClient::register(gateway);
    client.resource = format!("{}/helpdesk/mcp", gateway.public_url());
    let mut browser = Browser::new();
    browser.reroute(front, gateway.port());
    let code = client.consent(gateway, &mut browser).remove("code").expect("a code");
    client.exchange(gateway, &code).text("/access_token")
}

/// Each scenario that left its results in a folder.
fn scenarios(folder: &Path) -> Vec<(String, Vec<Check>)> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let read = |path: std::path::PathBuf| {
        // As in server-tools-list-2026-11-22T08-38-42-549Z.
        let name = path.file_name()?.to_str()?.strip_prefix("server-")?.to_owned();
        let name = name.split_at_checked(name.len().checked_sub(25)?)?.0.to_owned();
        let checks: Vec<Value> = serde_json::from_slice(&std::fs::read(path.join("checks.json")).ok()?).ok()?;
        let text = |check: &Value, key: &str| check[key].as_str().unwrap_or_default().to_owned();
        let checks = checks.iter().map(|check| (text(check, "id"), text(check, "status"), text(check, "errorMessage")));
        Some((name, checks.collect()))
    };
    entries.filter_map(read).collect()
}
