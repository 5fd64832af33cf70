//! An agent that has nothing but the text of the skills, and a shell: what it types stands there, and each request of the story is one call.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{Gateway, Person, Store, Upstream, binary, free_port, hold_cli};

const GATEWAY: &str = include_str!("../../deploy/plugin/skills/ath-gateway/SKILL.md");
const HELPDESK: &str = include_str!("../../deploy/plugin/skills/acme-helpdesk/SKILL.md");

/// A machine with a shell and `ath`, a gateway, and the helpdesk behind it, as the demonstration has them.
struct Scene {
    home: TempDir,
    upstream: Upstream,
    gateway: Gateway,
    person: Person,
}

impl Scene {
    fn open() -> Self {
        let upstream = Upstream::start(free_port(), |_| {});
        let described = r#""GET /echo", "GET /skill.md", "GET /openapi.json"]"#;
        let providers = upstream.provider("pkce = \"none\"").replace(r#""GET /echo"]"#, described);
        let gateway = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &providers);
        Self { home: TempDir::new().expect("a folder"), upstream, gateway, person: Person::default() }
    }

    /// What a line of the skill's does: its exit code, and what it prints.
    fn type_in(&self, line: &str) -> (i32, Value) {
        let programs = binary();
        let path = format!("{}:/usr/bin:/bin", programs.parent().map(Path::display).expect("a folder"));
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", line]).env_clear().env("PATH", path).env("HOME", self.home.path());
        shell.env("ATH_CREDENTIALS", "file").env("ATH_GATEWAY_URL", self.gateway.public_url());
        let ended = shell.output().expect("a shell");
        let printed = String::from_utf8_lossy(&ended.stdout).into_owned();
        let complained = String::from_utf8_lossy(&ended.stderr).into_owned();
        let value = serde_json::from_str::<Value>(&printed);
        assert!(value.is_ok(), "{line}: {value:?}: {printed}{complained}");
        let value = value.expect("JSON");
        hold_cli(line.split(' ').nth(1).expect("a command"), &value);
        assert!(!printed.contains(tests::CANARY) && !complained.contains(tests::CANARY), "{line}");
        (ended.status.code().expect("it ended"), value)
    }

    /// The data of a call that has to succeed.
    fn data(&self, line: &str) -> Value {
        let (exit, printed) = self.type_in(line);
        assert_eq!((exit, &printed["ok"]), (0, &json!(true)), "{line}: {printed}");
        printed["data"].clone()
    }

    /// The same, and the service was asked once.
    fn one_call(&self, line: &str) -> Value {
        let before = self.upstream.helpdesk.counters().api_requests;
        let data = self.data(line);
        assert_eq!(self.upstream.helpdesk.counters().api_requests - before, 1, "{line}");
        data["body"].clone()
    }

    /// The link of a command that waits for the person.
    fn link(&self, line: &str, exit: i32) -> String {
        let (ended, printed) = self.type_in(line);
        assert_eq!(ended, exit, "{line}: {printed}");
        printed["error"]["connect_url"].as_str().expect("a link").to_owned()
    }

    /// The person opens a link, and says yes to the end.
    fn follow(&self, link: &str) {
        let page = self.person.follow(link);
        assert_eq!(page.answer.status, 200, "{}", page.answer.body_text());
    }

    /// What the skill says for exit code 3: a link for the person, and a command that waits for them.
    fn log_in(&self, service: &str) {
        let link = self.link(&filled(GATEWAY, "ath login --device --wait 0 --json <service>", service), 3);
        self.follow(&link);
        let data = self.data(&filled(GATEWAY, "ath login --device --json <service>", service));
        assert_eq!(data["gateway"].as_str().map(|url| url.trim_end_matches('/')), Some(&*self.gateway.public_url()));
    }
}

/// A command of a skill's, for this service. It has to be told there in so many words.
fn filled(skill: &str, command: &str, service: &str) -> String {
    assert!(skill.contains(&format!("`{command}`")), "the skill does not say {command}");
    command.replace("<service>", service)
}

/// The call that stands beside what somebody wants, in the helpdesk's skill.
fn call_for(wish: &str) -> &'static str {
    let row = HELPDESK.lines().find(|line| line.starts_with(&format!("| {wish} |")));
    let call = row.and_then(|row| row.split('`').nth(1));
    assert!(call.is_some(), "the skill has no call for {wish}");
    call.expect("a call")
}

fn ids(body: &Value) -> Vec<u64> {
    body["tickets"].as_array().expect("a list").iter().map(|ticket| ticket["id"].as_u64().expect("a number")).collect()
}

#[test]
fn each_request_of_the_story_is_one_call() {
    let scene = Scene::open();
    let mine = call_for("their open tickets");

    // Nobody has logged in yet: the agent finds out by calling, and does what the skill says.
    let (exit, printed) = scene.type_in(mine);
    assert_eq!((exit, &printed["error"]["code"]), (3, &json!("login_required")), "{printed}");
    scene.log_in("helpdesk");

    assert_eq!(ids(&scene.one_call(mine)), [1, 4]);
    let opened = scene.one_call(call_for("a P1 for the payments team"));
    assert_eq!((&opened["priority"], &opened["team"]), (&json!("p1"), &json!("payments")));
    let platform = scene.one_call(call_for("the platform team's tickets that are in progress"));
    assert_eq!(ids(&platform), [6]);
    let resolved = scene.one_call(call_for("ticket 6 marked as resolved"));
    assert_eq!((&resolved["id"], &resolved["status"]), (&json!(6), &json!("resolved")));
    assert_eq!(
        ids(&scene.one_call("ath fetch --json helpdesk '/tickets?status=in_progress&team=platform'")),
        [0u64; 0]
    );

    // Without a skill of its own, the API is found out the same way.
    let skill = scene.data("ath fetch --json helpdesk /skill.md");
    assert_eq!(skill["body"], HELPDESK);
    assert!(scene.data("ath fetch --json helpdesk /openapi.json")["body"]["paths"]["/tickets"].is_object());
}

#[test]
fn the_words_of_people_are_understood_or_named() {
    let scene = Scene::open();
    scene.log_in("helpdesk");
    let body = scene.one_call(
        "ath fetch --json helpdesk /tickets -d '{\"title\": \"x\", \"team\": \"Payments\", \"priority\": \"P1\"}'",
    );
    assert_eq!(body["priority"], "p1");
    let heredoc = GATEWAY.lines().skip_while(|line| !line.ends_with("<<'END'")).take(3).collect::<Vec<_>>().join("\n");
    assert_eq!(scene.one_call(&heredoc)["title"], "Customers can't pay");
    let data = scene.data("ath fetch --json helpdesk '/tickets?status=done'");
    assert_eq!(data["status"], 400);
    let said = data["body"]["error_description"].as_str().expect("a sentence");
    assert!(said.contains("open, in_progress and resolved"), "{said}");
}

/// Exit code 4, as the skill says: the link for the person, a command that waits, and the call again.
#[test]
fn a_service_that_is_not_connected_is_connected_on_the_way() {
    let scene = Scene::open();
    scene.log_in("helpdesk");
    let call = "ath fetch --json other /tickets";
    let link = scene.link(call, 4);
    scene.follow(&link);
    let connected = scene.data(&filled(GATEWAY, "ath connect <service> --wait --json", "other"));
    assert_eq!(connected["state"], "connected");
    assert!(ids(&scene.one_call(call)).len() >= 12);

    // What may be done, and the end of it.
    let connections = scene.data("ath connections --json");
    let services: Vec<&Value> =
        connections["connections"].as_array().expect("a list").iter().map(|one| &one["service"]).collect();
    assert_eq!(services.len(), 2, "{connections}");
    scene.data("ath disconnect other --json");
    assert_eq!(scene.type_in(call).0, 4);
}

#[test]
fn what_asks_nobody_is_printed_at_once() {
    let scene = Scene::open();
    let config = scene.data("ath mcp-config cursor --json");
    assert_eq!(config["content"]["mcpServers"]["ath-gateway"]["url"], format!("{}/mcp", scene.gateway.public_url()));
    assert!(scene.data("ath version --json")["version"].is_string());
    // The manual page has nothing that a formatter warns of.
    let page = scene.data("ath man --json")["page"].as_str().expect("a page").to_owned();
    let file = scene.home.path().join("ath.1");
    std::fs::write(&file, page).expect("written");
    let linted = Command::new("mandoc").args(["-T", "lint", "-W", "warning"]).arg(&file).output();
    let linted = linted.expect("it must be installed: ./tests/run does it");
    let warnings = String::from_utf8_lossy(&linted.stdout).into_owned();
    // The page is as old as the program.
    let warnings: Vec<&str> = warnings.lines().filter(|line| !line.contains("missing date")).collect();
    assert!(warnings.is_empty(), "{warnings:?}");
    // A shell that has read the completions knows the commands.
    let script = scene.data("ath completions bash --json")["script"].as_str().expect("a script").to_owned();
    let file = scene.home.path().join("ath.bash");
    std::fs::write(&file, script).expect("written");
    let complete = "source \"$0\"; COMP_WORDS=(ath fe); COMP_CWORD=1; _ath ath fe ath; echo \"${COMPREPLY[@]}\"";
    let completed = Command::new("bash").args(["--norc", "-c", complete]).arg(&file).output().expect("bash");
    assert_eq!(String::from_utf8_lossy(&completed.stdout).trim(), "fetch", "{completed:?}");
}
