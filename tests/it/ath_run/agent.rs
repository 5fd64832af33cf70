//! `ath agent`, and what an agent of its own does with the person's commands.

use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use tests::{Browser, Gateway, Reply, Served, Store, Upstream, free_port, hold_cli};

struct Machine<'a> {
    home: TempDir,
    gateway: &'a Gateway,
}

impl Machine<'_> {
    fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let mut command = Command::new(super::scene::ath());
        command.arg("--json").args(arguments).env_clear().env("HOME", self.home.path()).stdin(Stdio::null());
        let ended = command.env("ATH_GATEWAY_URL", self.gateway.public_url()).output().expect("it runs");
        let printed: Value = serde_json::from_slice(&ended.stdout).unwrap_or_default();
        assert!(printed.is_object(), "no object: {ended:?}");
        let words: Vec<&str> = arguments.iter().copied().filter(|word| !word.starts_with('-')).collect();
        hold_cli(if words[0] == "agent" { "agent-init" } else { words[0] }, &printed);
        assert!(!printed.to_string().contains("ath_tk_") && !printed.to_string().contains("ath_secret_"), "{printed}");
        (ended.status.code().unwrap_or(-1), printed)
    }

    fn data(&self, arguments: &[&str]) -> Value {
        let (code, told) = self.json(arguments);
        assert_eq!(code, 0, "{arguments:?}: {told}");
        told["data"].clone()
    }
}

/// The code that the gateway's last page shows, where the agent has no redirect URI.
fn code(browser: &mut Browser, link: &str) -> String {
    let page = browser.open(link);
    let page = tests::consented(browser, page);
    let html = page.answer.body_text();
    let shown = html.split("id=\"code\">").nth(1).and_then(|rest| rest.split("</p>").next());
    assert!(shown.is_some(), "no code: {html}");
    shown.unwrap_or_default().to_owned()
}

#[test]
fn an_agent_of_its_own_is_allowed_calls_and_ends() {
    let upstream = Upstream::start(free_port(), |_| {});
    let gateway = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &upstream.provider("pkce = \"none\""));
    let machine = Machine { home: TempDir::new().expect("a folder"), gateway: &gateway };
    let folder = machine.home.path().join(".local/state/ath/agent");
    let file = folder.join("agent.json");
    let site =
        Served::start(move |_| Reply::of("200 OK", "application/json", &std::fs::read(&file).unwrap_or_default()));
    let (code_of_none, told) = machine.json(&["--agent", "services"]);
    assert_eq!((code_of_none, &told["error"]["code"]), (2, &Value::from("usage")), "{told}");

    let id = format!("{}/agent.json", site.url());
    let made = machine.data(&["agent", "init", &id, "--name", "Ticket Helper"]);
    assert_eq!(
        (made["id"].as_str(), &made["document"]["public_key"]["crv"]),
        (Some(id.as_str()), &Value::from("P-256"))
    );
    let key = std::fs::metadata(made["key_file"].as_str().expect("a path")).expect("a key");
    assert_eq!(key.mode() & 0o777, 0o600);
    assert_eq!(machine.json(&["agent", "init", &id, "--name", "Another"]).0, 2, "what is there stays");

    let services = machine.data(&["--agent", "services"]);
    assert_eq!(services["services"].as_array().map(Vec::len), Some(2), "{services}");
    let (exit, told) = machine.json(&["--agent", "fetch", "helpdesk", "/tickets"]);
    assert_eq!((exit, &told["error"]["code"]), (4, &Value::from("connect_required")), "{told}");
    let link = told["error"]["connect_url"].as_str().expect("a link").to_owned();
    let again = machine.json(&["--agent", "fetch", "helpdesk", "/tickets"]).1;
    assert_eq!(again["error"]["connect_url"], Value::from(link.clone()), "the person is asked once");
    assert_eq!(machine.json(&["connect", "helpdesk", "--code", "wrong"]).0, 2, "a code is an agent's");
    let (exit, told) = machine.json(&["--agent", "connect", "helpdesk", "--code", "wrong"]);
    assert!(exit == 4 && told["ok"] == false, "{exit}: {told}");

    let asked = machine.data(&["--agent", "connect", "helpdesk", "--scope", "read:tickets"]);
    let code = code(&mut Browser::new(), asked["connect_url"].as_str().expect("a link"));
    let connected = machine.data(&["--agent", "connect", "helpdesk", "--code", &code]);
    assert_eq!(connected["state"], "connected", "{connected}");
    let tickets = machine.data(&["--agent", "fetch", "helpdesk", "/tickets"]);
    assert_eq!(tickets["status"], 200, "{tickets}");
    let (exit, told) = machine.json(&["--agent", "fetch", "helpdesk", "/tickets", "-d", "{\"title\":\"x\"}"]);
    assert_eq!(exit, 4, "read alone was allowed: {told}");
    let held = machine.data(&["--agent", "connections"]);
    assert_eq!(held["connections"][0]["scopes"][0], "read:tickets", "{held}");

    assert_eq!(told["error"]["code"], "insufficient_scope", "{told}");
    assert_eq!(machine.data(&["--agent", "disconnect", "helpdesk"])["ended"], 1);
    assert_eq!(machine.data(&["--agent", "disconnect", "helpdesk"])["ended"], 0);
    assert_eq!(machine.json(&["--agent", "fetch", "helpdesk", "/tickets"]).0, 4);
    assert_eq!(machine.json(&["--agent", "logout"]).0, 2, "that is the person's");
}
