//! How programs read a command line without acting on it.

use std::path::Path;
use std::process::{Command, Output};

use cargo_metadata::{Metadata, MetadataCommand};
use tempfile::TempDir;
use tests::{RedisServer, binary};

use super::{root, shell};
use crate::clients::script as script_of_clients;

/// Whether a line begins as a command does that this file knows.
pub(super) fn is_known(line: &str) -> bool {
    let command = shell::commands(line).into_iter().next().unwrap_or_default();
    let Some((program, arguments)) = command.split_first() else { return false };
    let own = ["ath-gateway", "ath"].contains(&name(program)) && !line.starts_with(' ');
    let others =
        ["cargo", "curl", "docker", "kubectl", "helm", "promtool", "systemctl", "apt-get", "npx", "claude", "codex"];
    (own || others.contains(&program.as_str()) && !line.starts_with(' '))
        && !arguments.is_empty()
        && !program.ends_with(':')
}

/// Whether every command of the statement is one that its program understands.
pub(super) fn read(statement: &str) -> Result<(), String> {
    if let Some(acl) = statement.strip_prefix("ACL ") {
        return redis(acl);
    }
    let commands = shell::commands(statement);
    // What another command's output goes through is read by nobody.
    let Some(command) = commands.first() else { return Err("there is no command in it".to_owned()) };
    let (program, arguments) = command.split_first().expect("not empty");
    if commands.len() > 1 && !["ath-gateway", "ath", "cargo"].contains(&name(program)) {
        return Err("several commands".to_owned());
    }
    match name(program) {
        "ath-gateway" | "ath" => own(name(program), arguments),
        "cargo" => cargo(arguments),
        "promtool" => ended(program, Command::new("promtool").args(arguments).current_dir(root())),
        "kubectl" => kubectl(arguments),
        "claude" | "codex" => coding_agent(program, arguments),
        "curl" => Err("curl asks somebody: a test has to run it".to_owned()),
        _ if program.contains('/') => script(program, arguments),
        _ => Err(format!("nobody knows {program} here")),
    }
}

fn name(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

/// Our own programs say their help, once they have understood everything before.
fn own(program: &str, arguments: &[String]) -> Result<(), String> {
    let end = arguments.iter().position(|argument| argument == "--").unwrap_or(arguments.len());
    let mut command = Command::new(binary().with_file_name(program));
    command.args(&arguments[..end]).arg("--help");
    ended(&arguments.join(" "), &mut command)
}

fn cargo(arguments: &[String]) -> Result<(), String> {
    let (Some(task), rest) = (arguments.first(), arguments.get(1..).unwrap_or_default()) else {
        return Err("cargo alone".to_owned());
    };
    if !["run", "build", "test"].contains(&task.as_str()) {
        return Err(format!("cargo {task} is not known here"));
    }
    let end = rest.iter().position(|argument| argument == "--").unwrap_or(rest.len());
    let help = Command::new("cargo").arg("help").arg(task).current_dir(root()).output().expect("cargo");
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let metadata = MetadataCommand::new().no_deps().manifest_path(root().join("Cargo.toml")).exec().expect("metadata");
    let mut package = "gateway";
    let mut words = rest[..end].iter();
    while let Some(word) = words.next() {
        let flag = word.split('=').next().unwrap_or(word);
        if !help.split(|letter: char| letter.is_whitespace() || letter == ',').any(|known| known == flag) {
            return Err(format!("cargo {task} knows no {flag}"));
        }
        let mut value = || words.next().map(String::as_str).unwrap_or_default();
        match flag {
            "-p" | "--package" => package = value(),
            "--example" => {
                let example = value();
                if !has(&metadata, package, |target| target.is_example() && target.name == example) {
                    return Err(format!("{package} has no example {example}"));
                }
            }
            "--features" => drop(value()),
            _ => {}
        }
    }
    if !has(&metadata, package, |_| true) {
        return Err(format!("there is no package {package}"));
    }
    // What is handed on is for the gateway, where no other package is named.
    let handed = rest.get(end + 1..).unwrap_or_default();
    if package == "gateway" && task == "run" && !rest[..end].iter().any(|word| word == "--example") {
        return own("ath-gateway", handed);
    }
    Ok(())
}

fn has(metadata: &Metadata, package: &str, is: impl Fn(&cargo_metadata::Target) -> bool) -> bool {
    let package = metadata.packages.iter().find(|known| known.name.as_str() == package);
    package.is_some_and(|package| package.targets.iter().any(is))
}

/// Without a cluster: what is created, is created in a dry run, from files that are there.
fn kubectl(arguments: &[String]) -> Result<(), String> {
    let folder = TempDir::new().expect("a folder");
    for file in arguments.iter().filter_map(|argument| argument.strip_prefix("--from-file=")) {
        std::fs::write(folder.path().join(file), "a value").expect("written");
    }
    let mut command = Command::new("kubectl");
    match arguments {
        [apply, k, place] if apply == "apply" && k == "-k" => {
            command.arg("kustomize").arg(root().join(place));
        }
        _ if arguments.iter().any(|argument| argument == "create") => {
            command.args(arguments).args(["--dry-run=client", "-o", "name"]).current_dir(folder.path());
        }
        _ => return Err("it wants a cluster".to_owned()),
    }
    ended("kubectl", &mut command)
}

/// With a home of its own and no way out: what only writes there is done, and the help of what would log in knows every flag.
fn coding_agent(program: &str, arguments: &[String]) -> Result<(), String> {
    let home = TempDir::new().expect("a folder");
    let mut command = Command::new(script_of_clients(&format!("node_modules/.bin/{program}")));
    command.args(arguments).current_dir(home.path()).env("HOME", home.path()).env_remove("CODEX_HOME");
    command.env("HTTPS_PROXY", "http://127.0.0.1:9").env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1");
    if program == "codex" || arguments.iter().any(|argument| argument == "login") {
        command.arg("--help");
    }
    ended(program, &mut command)
}

/// One of the project's own: it is there, can be started, is a script that bash understands, and its flags are written beside it.
fn script(program: &str, arguments: &[String]) -> Result<(), String> {
    let path = root().join(program.trim_start_matches("./"));
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{program}: {error}"))?;
    if !text.starts_with("#!/usr/bin/env bash\n") {
        return Err(format!("{program} is no script of bash"));
    }
    ended(program, Command::new("bash").arg("-n").arg(&path))?;
    let beside = path.parent().map(everything_in).unwrap_or_default();
    match arguments.iter().find(|flag| flag.starts_with("--") && !beside.contains(flag.trim_start_matches("--"))) {
        Some(flag) => Err(format!("{program} does not know {flag}")),
        None => Ok(()),
    }
}

fn everything_in(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.filter(|path| path.is_file()).filter_map(|path| std::fs::read_to_string(path).ok()).collect()
}

/// A rule for a user, given to a real server.
fn redis(acl: &str) -> Result<(), String> {
    let server = RedisServer::start();
    let words: Vec<&str> = std::iter::once("ACL").chain(acl.split(' ')).collect();
    match server.command(&words).trim() {
        "OK" => Ok(()),
        said => Err(said.to_owned()),
    }
}

fn ended(what: &str, command: &mut Command) -> Result<(), String> {
    let Output { status, stdout, stderr } = command.output().map_err(|error| format!("{what}: {error}"))?;
    let said = [stderr, stdout].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    if status.success() { Ok(()) } else { Err(said.trim().to_owned()) }
}
