//! README.md and docs/quickstart.md, line by line, as they stand there.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{binary, free_port};

use super::pages::Page;
use super::programs;
use crate::clients::{OidcProvider, script};

/// A line for the shell, in this folder, with our own programs on the path.
fn shell(line: &str, folder: &Path) -> Command {
    let mut command = Command::new("bash");
    let line = format!("PATH='{}':$PATH\n{line}", binary().parent().expect("a folder").display());
    command.args(["-euo", "pipefail", "-c", &line]).current_dir(folder);
    command
}

/// What runs until it is told to stop.
struct Running {
    process: Child,
    said: Vec<String>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Running {
    /// Started, and read up to a line with this in it.
    fn up_to(mut command: Command, last: &str) -> Self {
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().expect("bash");
        let lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        let mut running = Self { process, said: Vec::new() };
        let mut lines = lines.map(|line| line.expect("text"));
        for line in lines.by_ref() {
            let over = line.contains(last);
            running.said.push(line);
            if over {
                break;
            }
        }
        // Somebody goes on reading, as a terminal does.
        std::thread::spawn(move || lines.for_each(drop));
        assert!(running.said.last().is_some_and(|line| line.contains(last)), "{:#?}", running.said);
        running
    }

    fn stop(mut self, signal: Signal) -> Option<i32> {
        let process = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw).expect("a process");
        kill_process(process, signal).expect("told");
        for _ in 0..300 {
            if let Some(status) = self.process.try_wait().expect("a process") {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        None
    }
}

/// The commands of a page's block that begins so.
fn commands(page: &str, begins: &str) -> Vec<String> {
    let page = Page::at(page);
    let found = page
        .blocks()
        .map(super::Block::statements)
        .find(|found| found.first().is_some_and(|first| first.starts_with(begins)));
    found.expect(begins)
}

/// What differs from one start to the next.
fn same(line: &str) -> String {
    let place = line.split(' ').find(|word| word.ends_with("/gateway.toml"));
    place.map_or_else(|| line.to_owned(), |place| line.replace(place, "PLACE/gateway.toml"))
}

#[test]
fn the_two_commands_of_the_readme() {
    let folder = TempDir::new().expect("a folder");
    assert_eq!(commands("docs/quickstart.md", "cargo run"), ["cargo run -- demo"]);
    let [demo] = &commands("README.md", "cargo run")[..] else { panic!("one command") };
    let started = demo.replace("cargo run --", "exec ath-gateway");
    let running = Running::up_to(shell(&started, folder.path()), "Ctrl-C ends it");
    // What the page shows is what is printed.
    let page = Page::at("README.md");
    let shown =
        page.every_block().find(|block| block.lines().any(|line| line.contains("Ctrl-C ends it"))).expect("shown");
    let printed: Vec<String> = running.said.iter().map(|line| same(line)).collect();
    assert_eq!(shown.lines().map(same).collect::<Vec<_>>(), printed);
    // And what is printed can be pasted.
    let mut answers = Vec::new();
    for line in running
        .said
        .iter()
        .map(|line| line.trim())
        .filter(|line| line.starts_with("curl ") || line.starts_with("ath-gateway "))
    {
        let ended = shell(line, folder.path()).output().expect("bash");
        assert!(ended.status.success(), "{line}: {}", String::from_utf8_lossy(&ended.stderr));
        answers.push(String::from_utf8_lossy(&ended.stdout).into_owned());
    }
    let [found, refused, _agents] = &answers[..] else { panic!("three lines: {answers:?}") };
    let json = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    assert!(json(found)["supported_providers"].to_string().contains("helpdesk"), "{found}");
    assert_eq!(json(refused)["code"], "TOKEN_INVALID", "{refused}");
    let place = running
        .said
        .iter()
        .find_map(|line| line.split(' ').find(|word| word.ends_with("/gateway.toml")))
        .map(str::to_owned);
    assert_eq!(running.stop(Signal::INT), Some(0));
    assert!(!Path::new(&place.expect("a place")).exists(), "everything goes with it");
}

#[test]
fn from_nothing_to_a_gateway_that_runs() {
    let folder = TempDir::new().expect("a folder");
    let release = folder.path().join("target/release");
    std::fs::create_dir_all(&release).expect("a folder");
    symlink(binary(), release.join("ath-gateway")).expect("linked");
    let [build, init] = &commands("docs/quickstart.md", "cargo build")[..] else { panic!("two commands") };
    // Built it is already; a build for release takes minutes.
    assert_eq!(programs::read(build), Ok(()));

    let public_url = format!("http://127.0.0.1:{}", free_port());
    let oidc = OidcProvider::start_for(&format!("{public_url}/ath/callback/modern"), "3600");
    let api = format!("{}/api", oidc.issuer());
    let steps = json!([
        ("will reach the gateway", &public_url),
        ("Service:", &api),
        ("[service]:", "modern"),
        ("[Modern]:", "\r"),
        ("Issuer [", "\r"),
        ("Client id:", "ath-gateway"),
        ("Client secret", "the-client-secret-of-the-gateway"),
        ("may agents ask for?", "api:read"),
        ("[Read api]:", "\r"),
        ("[GET /**]:", "\r"),
        ("Start the gateway now? [y]:", "n"),
    ]);
    let mut person = Command::new(script(".venv/bin/python"));
    person.arg(script("at_a_terminal.py")).arg(steps.to_string()).args(["bash", "-c", init]).current_dir(folder.path());
    let ended = person.output().expect("tests/run installs it");
    assert!(
        ended.status.success(),
        "{}{}",
        String::from_utf8_lossy(&ended.stdout),
        String::from_utf8_lossy(&ended.stderr)
    );

    let [check, doctor, serve] = &commands("docs/quickstart.md", "./target/release/ath-gateway check")[..] else {
        panic!("three commands")
    };
    let checked = shell(check, folder.path()).output().expect("bash");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    assert!(String::from_utf8_lossy(&checked.stdout).contains(&format!("{public_url}/ath/callback/modern")));
    let looked = shell(doctor, folder.path()).output().expect("bash");
    let said = String::from_utf8_lossy(&looked.stdout).into_owned();
    assert!(looked.status.code().is_some_and(|code| code < 2) && said.contains("modern"), "{said}");
    let mut serving = shell(&format!("exec {serve} 2>&1"), folder.path());
    serving.env("ATH_GATEWAY_URL", &public_url);
    let running = Running::up_to(serving, "ready");
    let asked = shell(&format!("curl -sS --fail {public_url}/healthz"), folder.path()).output().expect("bash");
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    assert_eq!(running.stop(Signal::TERM), Some(0));
}
