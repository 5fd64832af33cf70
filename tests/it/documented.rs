//! Every command in the documentation is seen to: run, read by its own program in a form that changes nothing, or on a list that says why
//! it cannot be run here. Whatever is none of these fails the test, and so does an entry of a list that no page has.

mod pages;
mod programs;
mod quickstart;
mod requests;
mod shell;
mod untried;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pages::{Block, Page};
use untried::{RUN_WHOLE, UNTRIED};

/// The project's own folder.
fn root() -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).canonicalize().expect("the project")
}

const WHAT_TO_DO: &str = "run it in a test and name the test in RUN_WHOLE, teach programs.rs how its program reads a command line without acting, \
     or say in UNTRIED why it cannot be run (all in tests/it/documented)";

#[test]
fn every_command_is_seen_to() {
    let mut problems = Vec::new();
    let (mut whole, mut untried, mut tried) = (BTreeSet::new(), BTreeSet::new(), 0);
    for page in Page::all() {
        for block in page.blocks() {
            if let Some(run) = RUN_WHOLE.iter().find(|run| run.holds(&page, block)) {
                whole.insert(run.begins);
                continue;
            }
            for statement in block.statements() {
                if let Some((known, _)) = UNTRIED.iter().find(|(known, _)| *known == statement) {
                    untried.insert(*known);
                    continue;
                }
                tried += 1;
                if let Err(problem) = programs::read(&statement) {
                    problems.push(format!("{}:{}: `{statement}`: {problem}", page.path(), block.line()));
                }
            }
        }
    }
    assert!(problems.is_empty(), "{}\n\nWhat to do: {WHAT_TO_DO}", problems.join("\n"));
    println!("{} blocks run, {tried} commands read by their programs, {} not run here", whole.len(), untried.len());
    let unused: Vec<&str> = UNTRIED.iter().map(|(known, _)| *known).filter(|known| !untried.contains(known)).collect();
    assert!(unused.is_empty(), "no page has these any more; take them out of UNTRIED: {unused:#?}");
    let unused: Vec<&str> = RUN_WHOLE.iter().map(|run| run.begins).filter(|begins| !whole.contains(begins)).collect();
    assert!(unused.is_empty(), "no page has these any more; take them out of RUN_WHOLE: {unused:#?}");
}

/// Who says that a test runs a block names one that is there, and that knows the page or the words of the command.
#[test]
fn the_tests_that_run_blocks_are_there() {
    for run in RUN_WHOLE {
        let text = std::fs::read_to_string(root().join("tests/it").join(run.file)).expect(run.file);
        assert!(text.contains(&format!("fn {}(", run.test)), "{} of {}", run.test, run.file);
        let name = run.page.rsplit('/').next().expect("a name");
        let words: Vec<String> = run.begins.split(' ').skip(1).map(|word| format!("{word:?}")).collect();
        assert!(text.contains(name) || text.contains(&words.join(", ")), "{} does not know {name}", run.file);
    }
}

/// A block says what it is, and commands stand in blocks of commands.
#[test]
fn blocks_say_what_they_are() {
    let mut problems = Vec::new();
    for page in Page::all() {
        for block in page.every_block() {
            let at = format!("{}:{}", page.path(), block.line());
            match block.language() {
                "" => problems
                    .push(format!("{at}: a block without a language; write sh, console or text behind its fence")),
                // How commands are written, from their own definitions.
                "text" if page.path() == "docs/cli.md" => {}
                "text" => {
                    let command = block.lines().find(|line| programs::is_known(line));
                    problems.extend(command.map(|line| format!("{at}: `{line}` is a command; make it a block of sh")));
                }
                "sh" | "console" | "redis" | "toml" | "json" | "yaml" | "python" | "html" | "http" | "mermaid"
                | "js" | "ts" | "rust" | "nginx" | "jsonc" | "graphql" => {}
                language => problems.push(format!("{at}: blocks of {language} are not known to this test")),
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// A command that a program does not know is found, in every form.
#[test]
fn a_wrong_command_is_found() {
    for (statement, says) in [
        ("ath-gateway chekc --config gateway.toml", "chekc"),
        ("ath-gateway check --onlin", "--onlin"),
        ("X=1 ./target/release/ath-gateway serve --port 1", "--port"),
        ("ath fetch crm /x --jsn", "--jsn"),
        ("ath run --nothing -- npm test", "--nothing"),
        ("ath-gateway conections list | head", "conections"),
        ("cargo run --release -p echo --example guard_costs", "guard_costs"),
        ("cargo build --relase", "--relase"),
        ("tests/bench/ran --quick", "tests/bench/ran"),
        ("promtool check rule deploy/prometheus/alerts.yaml", "rule"),
        ("promtool check rules deploy/prometheus/alert.yaml", "alert.yaml"),
        ("kubectl create namespaces", "namespace"),
        ("frobnicate the gateway", "frobnicate"),
        ("curl https://gateway.example.com/", "curl"),
    ] {
        let problem = programs::read(statement).expect_err(statement);
        assert!(problem.contains(says), "{statement}: {problem}");
    }
    for statement in
        ["ath-gateway check --config gateway.toml", "ath run -- sh -c 'curl x | jq .'", "cargo run -- demo"]
    {
        assert_eq!(programs::read(statement), Ok(()), "{statement}");
    }
}

/// Whoever reads that a file shows something finds the file.
#[test]
fn files_that_pages_name_are_there() {
    let mut missing = Vec::new();
    for page in Page::all() {
        let text = std::fs::read_to_string(root().join(page.path())).expect("a page");
        for named in text.split('`').skip(1).step_by(2) {
            let path = named.split([' ', '{', '*', ':']).next().unwrap_or_default().trim_start_matches("./");
            let ours = ["tests/", "crates/", "deploy/", "docs/", ".ci/"].iter().any(|folder| path.starts_with(folder));
            // Secrets are made there, by whoever starts compose.
            if ours && !path.starts_with("deploy/secrets") && !root().join(path).exists() {
                missing.push(format!("{}: `{named}`", page.path()));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
