//! What docs/clients.md tells people to paste, as it stands there.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::Scene;
use crate::clients::script;

/// The block of that language below a heading of the page, for this gateway.
fn block(scene: &Scene, heading: &str, language: &str) -> String {
    let page = include_str!("../../../docs/clients.md");
    let below = page.split_once(&format!("\n### {heading}\n")).expect("the heading").1;
    let block =
        below.split_once(&format!("\n```{language}\n")).expect("a block").1.split_once("```").expect("its end").0;
    assert!(block.contains("https://gateway.example.com"), "{block}");
    block.replace("https://gateway.example.com", &scene.one.public_url())
}

fn ready(scene: &Scene, mut command: Command) -> Command {
    command.env("PERSON", scene.person.url()).env("BROWSER", script("mcp/browser"));
    command.env("NO_PROXY", "127.0.0.1,localhost");
    command
}

#[test]
fn the_lines_for_langchain() {
    let scene = Scene::open();
    let mut python = Command::new(script(".venv-langchain/bin/python"));
    python.arg("-c").arg(block(&scene, "LangChain", "python"));
    let ended = ready(&scene, python).output().expect("it must be installed: ./tests/run does it");
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(ended.status.success(), "{said}{}", String::from_utf8_lossy(&ended.stderr));
    assert!(said.contains("helpdesk_write") && said.contains("Card payments fail"), "{said}");
}

#[test]
fn the_lines_for_curl() {
    let scene = Scene::open();
    let mut shell = Command::new("timeout");
    shell.args(["60", "sh", "-c"]).arg(block(&scene, "curl", "sh"));
    let mut shell = ready(&scene, shell).stdout(Stdio::piped()).spawn().expect("a shell");
    let mut said = String::new();
    for line in BufReader::new(shell.stdout.take().expect("piped")).lines() {
        let line = line.expect("text");
        if let Some(link) = line.strip_prefix("Open ") {
            let page = scene.person.follow(link);
            assert_eq!(page.answer.status, 200, "{}", page.answer.body_text());
        }
        said.push_str(&line);
    }
    assert!(shell.wait().expect("it ends").success(), "{said}");
    assert!(said.contains("Card payments fail") && said.contains("structuredContent"), "{said}");
}

#[test]
fn the_line_for_the_inspector() {
    let scene = Scene::open();
    let line = block(&scene, "Inspector", "sh");
    let line = line.trim().strip_prefix("npx @modelcontextprotocol/inspector ").expect("its program");
    let folder = tempfile::TempDir::new().expect("a folder");
    let mut inspector = Command::new(script("node_modules/node/bin/node"));
    inspector.arg(script("node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"));
    inspector.args(line.split(' ')).env("HOME", folder.path()).env("MCP_STORAGE_DIR", folder.path());
    inspector.env("MCP_AUTO_OPEN_ENABLED", "true");
    let ended = ready(&scene, inspector).output().expect("it runs");
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(
        ended.status.success() && said.contains("helpdesk_read"),
        "{said}{}",
        String::from_utf8_lossy(&ended.stderr)
    );
}
