use std::collections::BTreeSet;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use serde_json::{Value, json};

use super::*;
use crate::arguments::{McpClient, McpConfig};
use crate::gateway_url::GatewayUrl;
use crate::{Arguments, Code, Exit, Failure};

const SKILL: &str = include_str!("../../../../deploy/plugin/skills/ath-gateway/SKILL.md");
const COMMANDS: &str = include_str!("../../../../deploy/plugin/skills/ath-gateway/references/commands.md");
const ERRORS: &str = include_str!("../../../../deploy/plugin/skills/ath-gateway/references/errors.md");
const AGENTS: &str = include_str!("../../../../deploy/plugin/AGENTS.md");
const HELPDESK: &str = include_str!("../../../../deploy/plugin/skills/acme-helpdesk/SKILL.md");
const SCHEMA: &str = include_str!("../../../../docs/cli.schema.json");

/// The words of a command, as a shell takes them: by spaces, and together within single quotes.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for letter in line.chars() {
        match letter {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty())),
            _ => word.push(letter),
        }
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}

/// What a text tells to type: whole lines of its code, and what stands between backticks.
fn told(text: &str) -> Vec<String> {
    let code = text.split('`').map(str::trim);
    let lines = text.lines().map(|line| line.split(" <<").next().unwrap_or(line).trim());
    let all: BTreeSet<&str> =
        code.chain(lines).filter(|line| line.starts_with("ath ") && !line.contains('\n')).collect();
    all.into_iter().map(str::to_owned).collect()
}

#[test]
fn what_the_skills_tell_to_type_is_understood() {
    let mut tried = 0;
    for line in [SKILL, COMMANDS, ERRORS, AGENTS, HELPDESK].into_iter().flat_map(told) {
        let words =
            words(&line).into_iter().map(|word| word.replace("<command>", "services").replace("<client>", "json"));
        match Arguments::try_parse_from(words) {
            Ok(_) => tried += 1,
            Err(error) if error.kind() == ErrorKind::DisplayHelp => tried += 1,
            // It is named, and not told to be typed.
            Err(error) if error.kind() == ErrorKind::MissingRequiredArgument && line.split(' ').count() == 2 => {}
            Err(error) => panic!("{line}: {error}"),
        }
    }
    assert!(tried > 25, "{tried} commands");
}

#[test]
fn every_command_is_in_the_reference() {
    for command in Arguments::command().get_subcommands() {
        let name = command.get_name();
        let known = [SKILL, COMMANDS].iter().any(|text| text.contains(&format!("`ath {name}")));
        assert!(known || ["agent", "completions", "man"].contains(&name), "{name}");
    }
}

#[test]
fn every_code_is_told_with_its_exit() {
    for code in Code::all() {
        let row = format!("| `{}` | {} |", code.as_str(), code.exit().number());
        assert!(ERRORS.contains(&row), "{row}");
    }
    let rows = ERRORS.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, Code::all().count(), "and no other");
    for exit in Exit::all().into_iter().filter(|exit| *exit != Exit::Interrupted) {
        assert!(SKILL.contains(&format!("\n| {} |", exit.number())), "{exit:?}");
    }
}

#[test]
fn every_code_is_in_the_schema() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let codes: Vec<&str> = Code::all().map(Code::as_str).collect();
    assert_eq!(schema["$defs"]["code"]["enum"], json!(codes));
    for command in Arguments::command().get_subcommands().filter(|command| command.get_name() != "run") {
        let name = if command.get_name() == "agent" { "agent-init" } else { command.get_name() };
        assert!(schema["$defs"][format!("data-{name}")].is_object(), "{name}");
    }
}

#[test]
fn a_skill_is_short() {
    for text in [SKILL, HELPDESK] {
        assert!(text.lines().count() < 120);
    }
}

#[test]
fn exits_are_numbered_once() {
    let numbers: BTreeSet<u8> = Exit::all().into_iter().map(Exit::number).collect();
    assert_eq!(numbers.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 130]);
}

#[test]
fn all_commands_are_described_and_none_of_the_help() {
    let all = described(Arguments::command());
    let names: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
    for name in ["ath", "ath fetch", "ath agent init", "ath man"] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    assert!(!names.iter().any(|name| name.contains("help")), "{names:?}");
    let fetch = all.iter().find(|one| one.name == "ath fetch").unwrap();
    assert_eq!(fetch.usage, "ath fetch [OPTIONS] <SERVICE> <PATH>");
    let written: Vec<&str> = fetch.takes.iter().map(|taken| taken.written.as_str()).collect();
    assert_eq!(written[..3], ["<SERVICE>", "<PATH>", "-X, --request <METHOD>"]);
    assert!(!written.contains(&"--json"), "what is had from above is said there");
    let connect = all.iter().find(|one| one.name == "ath connect").unwrap();
    assert!(connect.takes.iter().any(|taken| taken.written == "--wait [<SECONDS>]"), "{connect:?}");
    assert!(all.iter().all(|one| !one.says.is_empty() && one.takes.iter().all(|taken| !taken.says.is_empty())));
}

#[test]
fn the_page_has_every_command_and_every_exit() {
    let page = man().text;
    for part in [".TH ATH 1", ".SH NAME", "ath fetch [OPTIONS] <SERVICE> <PATH>", ".SH \"EXIT STATUS\"", "ATH_TOKEN"] {
        assert!(page.contains(part), "{part}");
    }
    assert_eq!(page.matches("\n.SS ").count(), described(Arguments::command()).len() - 1);
}

#[test]
fn each_shell_has_its_completions() {
    use clap::ValueEnum;
    for shell in clap_complete::Shell::value_variants() {
        let script = completions(*shell);
        assert!(script.text.contains("mcp-config"), "{shell}");
        assert_eq!(script.data["script"], script.text);
    }
}

fn config(client: McpClient, service: Option<&str>) -> Result<Printed, Failure> {
    let gateway = GatewayUrl::parse("https://gateway.example.com").unwrap();
    mcp_config(&McpConfig { client, service: service.map(str::to_owned) }, &gateway)
}

#[test]
fn a_client_is_told_where_the_door_is() {
    use clap::ValueEnum;
    for client in McpClient::value_variants() {
        for (service, url) in
            [(None, "https://gateway.example.com/mcp"), (Some("helpdesk"), "https://gateway.example.com/helpdesk/mcp")]
        {
            let printed = config(*client, service).unwrap();
            assert!(printed.text.contains(url), "{client:?}");
            assert_eq!(printed.data["url"], url);
            assert_eq!(printed.data["content"].is_object(), printed.data["file"].is_string());
            assert_eq!(printed.note.is_some(), printed.data["file"].is_string());
        }
    }
    let cursor = config(McpClient::Cursor, Some("helpdesk")).unwrap();
    let written: Value = serde_json::from_str(&cursor.text).unwrap();
    assert_eq!(written, json!({"mcpServers": {"helpdesk": {"url": "https://gateway.example.com/helpdesk/mcp"}}}));
    let claude = config(McpClient::ClaudeCode, None).unwrap();
    assert_eq!(
        claude.text,
        "claude mcp add --transport http ath-gateway https://gateway.example.com/mcp\nclaude mcp login ath-gateway\n"
    );
}

#[test]
fn an_address_is_one_word_to_a_shell() {
    let wanted = McpConfig { client: McpClient::Codex, service: None };
    let printed = mcp_config(&wanted, &GatewayUrl::parse("http://[::1]:4180").unwrap()).unwrap();
    assert_eq!(printed.text, "codex mcp add ath-gateway --url 'http://[::1]:4180/mcp'\n");
    assert_eq!(printed.data["commands"][0][5], "http://[::1]:4180/mcp");
}

#[test]
fn a_service_that_cannot_be_is_refused() {
    for service in ["Help Desk", "../x", "", "a;rm"] {
        let failure = config(McpClient::Codex, Some(service)).unwrap_err();
        assert_eq!(failure.code, Code::Usage, "{service:?}");
    }
}
