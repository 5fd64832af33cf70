//! The plugin for coding agents: its skills are valid, the agents' own command lines take it, and what it names is there.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;
use tests::{Gateway, Store, Upstream, free_port};

use crate::clients::{run, script};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const SKILLS: [&str; 2] = ["ath-gateway", "acme-helpdesk"];

fn plugin(path: &str) -> PathBuf {
    Path::new(ROOT).join("deploy/plugin").join(path)
}

fn validate(folder: &Path) {
    let mut command = Command::new(script(".venv/bin/agentskills"));
    command.arg("validate").arg(folder);
    assert!(run(command).contains("Valid skill"), "{}", folder.display());
}

#[test]
fn the_skills_are_valid() {
    for name in SKILLS {
        validate(&plugin("skills").join(name));
    }
}

/// What a running gateway serves is a skill like those, and names its own services.
#[test]
fn the_skill_of_a_running_gateway_is_valid() {
    let upstream = Upstream::start(free_port(), |_| {});
    let gateway = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &upstream.provider("pkce = \"none\""));
    let served = gateway.request("GET", "/skill.md").send();
    assert_eq!(served.status, 200);
    let text = served.body_text();
    let folder = TempDir::new().expect("a folder");
    let skill = folder.path().join("ath-gateway");
    std::fs::create_dir(&skill).expect("made");
    std::fs::write(skill.join("SKILL.md"), &text).expect("written");
    validate(&skill);
    let url = gateway.public_url();
    for part in ["| `helpdesk` | Acme Helpdesk |", &format!("ath login --gateway {url}"), "ath fetch --json <service>"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    let index = gateway.request("GET", "/llms.txt").send().body_text();
    assert!(index.starts_with("# ATH Gateway") && index.contains(&format!("({url}/skill.md)")), "{index}");
}

/// An agent's command line with a home of its own, and no way out of this machine.
fn agent(program: &str, home: &TempDir, arguments: &[&str]) -> String {
    let mut command = Command::new(script(&format!("node_modules/.bin/{program}")));
    command.args(arguments).current_dir(ROOT).env("HOME", home.path()).env_remove("CODEX_HOME");
    command.env("HTTPS_PROXY", "http://127.0.0.1:9").env("HTTP_PROXY", "http://127.0.0.1:9");
    command.env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1").env("ATH_GATEWAY_URL", "http://127.0.0.1:9");
    run(command)
}

#[test]
fn claude_code_takes_it() {
    let home = TempDir::new().expect("a folder");
    for place in [".", "deploy/plugin"] {
        agent("claude", &home, &["plugin", "validate", "--strict", place]);
    }
    agent("claude", &home, &["plugin", "marketplace", "add", "./"]);
    agent("claude", &home, &["plugin", "install", "ath-gateway@ath-gateway"]);
    let details = agent("claude", &home, &["plugin", "details", "ath-gateway"]);
    assert!(details.contains("Skills (2)  acme-helpdesk, ath-gateway") && details.contains("Hooks (0)"), "{details}");
    let servers = agent("claude", &home, &["mcp", "list"]);
    assert!(servers.contains("http://127.0.0.1:9/mcp (HTTP)"), "{servers}");
}

#[test]
fn codex_takes_it() {
    let home = TempDir::new().expect("a folder");
    agent("codex", &home, &["plugin", "marketplace", "add", "./"]);
    agent("codex", &home, &["plugin", "add", "ath-gateway@ath-gateway"]);
    let prompt = agent("codex", &home, &["debug", "prompt-input", "hello"]);
    for name in SKILLS {
        assert!(prompt.contains(&format!("ath-gateway:{name}: ")), "{prompt}");
    }
    let servers = agent("codex", &home, &["mcp", "list"]);
    assert!(!servers.contains("${"), "an address with a variable that nobody fills in: {servers}");
}

#[test]
fn the_manifests_agree() {
    let read =
        |path: PathBuf| -> Value { serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON") };
    for manifest in [".claude-plugin/plugin.json", ".codex-plugin/plugin.json"] {
        let manifest = read(plugin(manifest));
        assert_eq!(manifest["name"], "ath-gateway");
        assert_eq!(manifest["version"], env!("CARGO_PKG_VERSION"), "{manifest}");
    }
    for (path, pointer) in [
        (".claude-plugin/marketplace.json", "/plugins/0/source"),
        (".agents/plugins/marketplace.json", "/plugins/0/source/path"),
    ] {
        let marketplace = read(Path::new(ROOT).join(path));
        assert_eq!(marketplace.pointer(pointer), Some(&Value::from("./deploy/plugin")), "{path}");
    }
}

#[test]
fn every_link_leads_somewhere() {
    let mut links = 0;
    for file in
        files(&plugin("")).into_iter().filter(|file| file.extension().is_some_and(|kind| kind == "md" || kind == "txt"))
    {
        let text = std::fs::read_to_string(&file).expect("text");
        for rest in text.split("](").skip(1) {
            let link = rest.split(')').next().expect("an end");
            let target = file.parent().expect("a folder").join(link);
            assert!(target.exists(), "{} in {}", link, file.display());
            links += 1;
        }
    }
    assert!(links > 10, "{links}");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
