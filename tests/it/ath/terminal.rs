//! As a person does: in tmux, with a browser of their own.

use std::process::Command;

use tempfile::TempDir;
use tests::{Browser, Reply, Request, Served, consented};

use super::{Machine, Scene, ath};

/// A terminal of 100 columns, in a tmux of the test's own.
struct Terminal {
    folder: TempDir,
}

impl Terminal {
    fn open(machine: &Machine, further: &[(&str, &str)]) -> Self {
        let terminal = Self { folder: TempDir::new().expect("a folder") };
        let mut command = terminal.tmux(&["new-session", "-d", "-x", "100", "-y", "40", "-c"]);
        command.arg(machine.home.path()).arg("/bin/sh").env_clear();
        command.env("PATH", "/usr/bin:/bin").env("HOME", machine.home.path()).env("TERM", "xterm").env("PS1", "$ ");
        command.env("LC_ALL", "C.UTF-8").env("ATH", ath());
        command.envs(machine.environment.iter().map(|(name, value)| (name, value))).envs(further.iter().copied());
        assert!(command.status().expect("it must be installed: ./tests/run does it").success());
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(self.folder.path().join("socket")).args(["-f", "/dev/null"]).args(arguments);
        command
    }

    fn type_in(&self, keys: &[&str]) {
        assert!(self.tmux(&[["send-keys"].as_slice(), keys].concat()).status().expect("tmux").success());
    }

    fn screen(&self) -> String {
        let shown = self.tmux(&["capture-pane", "-p", "-J", "-S", "-200"]).output().expect("tmux");
        String::from_utf8_lossy(&shown.stdout).into_owned()
    }

    fn until(&self, wanted: &str) -> String {
        tests::eventually(&format!("{wanted:?} is shown"), || self.screen().contains(wanted));
        self.screen()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.tmux(&["kill-server"]).status();
    }
}

/// What the person's browser was opened with.
fn opened(folder: &std::path::Path) -> String {
    let file = folder.join("opened");
    tests::eventually("the browser opens", || std::fs::read_to_string(&file).is_ok_and(|link| link.ends_with('\n')));
    let link = std::fs::read_to_string(&file).expect("text").trim().to_owned();
    std::fs::remove_file(&file).expect("removed");
    link
}

#[test]
fn a_person_logs_in_connects_and_looks() {
    let scene = Scene::open();
    let person = Machine::new();
    let browser = person.home.path().join("browser");
    std::fs::write(
        &browser,
        "#!/bin/sh\necho \"$1\" > \"$HOME/opened.new\"; mv \"$HOME/opened.new\" \"$HOME/opened\"\n",
    )
    .expect("written");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&browser, mode).expect("set");
    let path = browser.display().to_string();
    let terminal = Terminal::open(&person, &[("BROWSER", &path)]);
    terminal.type_in(&[
        &format!("$ATH login helpdesk --gateway {}; echo logged-in $?", scene.gateway.public_url()),
        "Enter",
    ]);
    let mut alice = Browser::new();
    let link = opened(person.home.path());
    let screen = terminal.until("Waiting for you in the browser");
    assert!(screen.replace('\n', "").contains(&link), "the link is shown as well: {screen}");
    let page = alice.open(&link);
    let last = consented(&mut alice, page);
    assert_eq!(Request::new("GET", last.url.as_str()).send().status, 200);
    let screen = terminal.until("logged-in 0");
    assert!(screen.contains("Logged in at") && !screen.contains("Waiting for you"), "the line is wiped: {screen}");

    terminal.type_in(&["clear; $ATH connect other; echo connected $?", "Enter"]);
    let link = opened(person.home.path());
    let page = alice.open(&link);
    consented(&mut alice, page);
    let screen = terminal.until("connected 0");
    assert!(screen.contains("other is connected.") && screen.contains("See your tickets"), "{screen}");

    terminal.type_in(&["clear; $ATH services; echo listed $?", "Enter"]);
    let screen = terminal.until("listed 0");
    assert!(screen.contains("helpdesk  Acme Helpdesk    connected"), "{screen}");

    terminal.type_in(&["clear; $ATH connect nothing; echo unknown $?", "Enter"]);
    let screen = terminal.until("unknown 2");
    assert!(screen.contains("ath: "), "{screen}");

    terminal.type_in(&["clear; $ATH login helpdesk; echo stopped $?", "Enter"]);
    opened(person.home.path());
    terminal.until("Waiting for you in the browser");
    terminal.type_in(&["C-c"]);
    terminal.until("stopped 130");
    assert_eq!(person.data(&["services"])["services"][0]["state"], "connected", "the login of before is as it was");
}

/// What a service says is shown, and does nothing.
#[test]
fn a_terminal_obeys_no_service() {
    let service = Served::start(|request| match request.path() {
        "/tickets/binary" => Reply::of("200 OK", "application/octet-stream", b"\x00\x01"),
        _ => Reply::of("200 OK", "text/plain", b"begin\x1b[2J\x1b[H\x1b]0;owned\x07\x1b[8mhidden\r\nover\rwritten"),
    });
    let scene = Scene::with_api_at(&service.url());
    let terminal = Terminal::open(&scene.machine, &[]);
    terminal.type_in(&["$ATH fetch helpdesk /tickets/x; echo shown $?", "Enter"]);
    let screen = terminal.until("shown 0");
    assert!(screen.contains("begin\u{fffd}[2J\u{fffd}[H") && screen.contains("[8mhidden"), "{screen}");
    assert!(screen.contains("over\u{fffd}written\n"), "the prompt has a line of its own: {screen}");
    terminal.type_in(&["clear; $ATH fetch helpdesk /tickets/binary; echo binary $?", "Enter"]);
    let screen = terminal.until("binary 1");
    assert!(screen.contains("-o"), "{screen}");
}
