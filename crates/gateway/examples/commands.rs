//! Prints docs/cli.md: the command lines of `ath` and `ath-gateway`, from the definitions that read them.

use std::fmt::Write as _;

use clap::{Command, CommandFactory};
use cli::reference::{Described, ENVIRONMENT, FILES, described};
use cli::{Arguments, Code, Exit};

#[path = "../src/cli.rs"]
mod gateway;

fn main() {
    print!("{}", page());
}

fn page() -> String {
    let mut text = String::from(HEAD);
    program(&mut text, Arguments::command());
    text.push_str("\n### How it ends\n\n| exit | means |\n|---|---|\n");
    for exit in Exit::all() {
        row(&mut text, &[&exit.number().to_string(), exit.says()]);
    }
    text.push_str(OUTPUT);
    for code in Code::all() {
        row(&mut text, &[&format!("`{}`", code.as_str()), &code.exit().number().to_string()]);
    }
    text.push_str("\n### The environment\n\n| variable | does |\n|---|---|\n");
    for (name, says) in ENVIRONMENT {
        row(&mut text, &[&format!("`{name}`"), says]);
    }
    text.push_str("\n### Files\n\n| file | holds |\n|---|---|\n");
    for (path, says) in FILES {
        row(&mut text, &[&format!("`{path}`"), says]);
    }
    program(&mut text, gateway::Cli::command());
    text.push_str(GATEWAY_ENDS);
    text
}

fn program(text: &mut String, root: Command) {
    for (at, one) in described(root).iter().enumerate() {
        let level = if at == 0 { "##" } else { "###" };
        command(text, level, one);
    }
}

fn command(text: &mut String, level: &str, one: &Described) {
    let Described { name, says, usage, takes } = one;
    // Writing into a text does not fail.
    let _ = write!(text, "\n{level} `{name}`\n\n{says}\n\n```text\n{usage}\n```\n");
    if takes.is_empty() {
        return;
    }
    text.push_str("\n| takes | |\n|---|---|\n");
    for taken in takes {
        row(text, &[&format!("`{}`", taken.written), &taken.says]);
    }
}

fn row(text: &mut String, cells: &[&str]) {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect();
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

const HEAD: &str = "# Command lines

`ath` is for people and agents at a shell; `ath-gateway` is the gateway itself, for its operators. Each understands `--help` and `--version` everywhere.

This page is made from the definitions that read the command lines:
`cargo run -q -p gateway --example commands > docs/cli.md`; a test fails where it differs. `ath man` prints the same for man(1), `ath completions` for a shell.
";

const OUTPUT: &str = "
### What it prints

Data go to standard output, talk to standard error. With `--json`, or `ATH_OUTPUT=json`, standard output is exactly one object:
`{\"ok\": true, \"data\": ...}`, or `{\"ok\": false, \"error\": {\"code\", \"message\", \"hint\", \"connect_url\", \"retryable\", \"request_id\"}}`.
[cli.schema.json](cli.schema.json) has both as a JSON Schema, with the data of each command. The list of codes is closed; what the gateway means by its own stands in
[errors.md](errors.md).

`ath doctor` tells what it found as data, also where something is wrong, and then ends with 1. What `ath run` prints is the program's; an object comes only where it could not be started.

| code | exit |
|---|---|
";

const GATEWAY_ENDS: &str = "
### How `ath-gateway` ends

0 where it did what it was asked for, 2 where the command line or the configuration is wrong, 1 for everything else.
";

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_is_what_the_definitions_say() {
        let written = include_str!("../../../docs/cli.md");
        let command = "cargo run -q -p gateway --example commands > docs/cli.md";
        assert!(written == super::page(), "docs/cli.md is not what the definitions say; `{command}` writes it anew");
    }
}
