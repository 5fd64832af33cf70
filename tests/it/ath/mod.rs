//! The command `ath`: as an agent uses it, by pipes, and as a person does, at a terminal.

mod awkward;
mod files;
mod hostile;
mod journey;
mod keyring;
mod logins;
mod parallel;
mod terminal;

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tests::{Browser, CANARY, Gateway, Request, Store, Upstream, consented, free_port, hold_cli};

/// Somebody's machine: a home of its own, and nothing else of the environment that the tests run in.
struct Machine {
    home: TempDir,
    environment: Vec<(String, String)>,
}

/// How a command ended, and what it said.
#[derive(Debug)]
struct Done {
    code: i32,
    out: String,
    err: String,
    bytes: Vec<u8>,
}

/// A command that waits for somebody.
struct Waiting {
    child: Child,
    said: BufReader<std::process::ChildStderr>,
}

fn ath() -> PathBuf {
    tests::binary().with_file_name("ath")
}

impl Machine {
    fn new() -> Self {
        Self { home: TempDir::new().expect("a folder"), environment: vec![("ATH_CREDENTIALS".into(), "file".into())] }
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    fn state(&self) -> PathBuf {
        self.home.path().join(".local/state/ath")
    }

    /// The file of its one login.
    fn login_file(&self) -> PathBuf {
        let entries = std::fs::read_dir(self.state().join("logins")).expect("a folder");
        let mut files = entries.map(|entry| entry.expect("an entry").path());
        files.find(|path| path.extension().is_some_and(|extension| extension == "json")).expect("a login")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(ath());
        command.args(arguments).env_clear().env("HOME", self.home.path()).env("PATH", "/usr/bin:/bin");
        let pairs = self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        command.envs(pairs).current_dir(self.home.path()).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Done {
        Done::of(self.command(arguments).output().expect("it runs"))
    }

    /// The one object that it prints, held against the schema; and how it ended.
    fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let done = self.run(&[&["--json"], arguments].concat());
        (done.code, done.object(arguments[0]))
    }

    /// The data of a success.
    fn data(&self, arguments: &[&str]) -> Value {
        let (code, told) = self.json(arguments);
        assert_eq!((code, &told["ok"]), (0, &Value::Bool(true)), "{arguments:?}: {told}");
        told["data"].clone()
    }

    /// How a failure ended, its code, and all of it.
    fn failure(&self, arguments: &[&str]) -> (i32, String, Value) {
        let (code, told) = self.json(arguments);
        assert_eq!(told["ok"], Value::Bool(false), "{arguments:?}: {told}");
        (code, told["error"]["code"].as_str().expect("a code").to_owned(), told["error"].clone())
    }

    fn start(&self, arguments: &[&str]) -> Waiting {
        let mut command = self.command(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let said = BufReader::new(child.stderr.take().expect("a pipe"));
        Waiting { child, said }
    }

    /// Alice logs it in at the gateway, by the helpdesk.
    fn log_in(&self, gateway: &Gateway, browser: &mut Browser) -> Done {
        self.log_in_by("helpdesk", gateway, browser)
    }

    fn log_in_by(&self, service: &str, gateway: &Gateway, browser: &mut Browser) -> Done {
        let waiting = self.start(&["login", service, "--no-browser", "--json", "--gateway", &gateway.public_url()]);
        let done = waiting.answered_in(browser);
        assert_eq!(done.code, 0, "{done:?}");
        done
    }
}

impl Waiting {
    /// The next line of its talk that is a link.
    fn link(&mut self) -> String {
        let mut heard = String::new();
        loop {
            let mut line = String::new();
            assert!(self.said.read_line(&mut line).expect("text") > 0, "it said no link: {heard}");
            if line.starts_with("http") {
                return line.trim().to_owned();
            }
            heard.push_str(&line);
        }
    }

    /// The person follows its link, allows everything, and comes back to the port on which it waits.
    fn answered_in(mut self, browser: &mut Browser) -> Done {
        let page = browser.open(&self.link());
        let last = consented(browser, page);
        if last.answer.status == 0 {
            let shown = Request::new("GET", last.url.as_str()).send();
            assert!(shown.status == 200 && shown.body_text().contains("You are logged in"), "{}", shown.body_text());
        }
        self.end()
    }

    fn signal(&self, signal: Signal) {
        let process = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process");
        kill_process(process, signal).expect("it is there");
    }

    fn end(mut self) -> Done {
        let mut said = String::new();
        self.said.read_to_string(&mut said).expect("text");
        let mut done = Done::of(self.child.wait_with_output().expect("it ends"));
        done.err = said;
        done
    }
}

impl Done {
    fn of(output: Output) -> Self {
        let code = output.status.code().unwrap_or_else(|| 1000 + output.status.signal().expect("a signal"));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let done = Self { code, out: text(&output.stdout), err: text(&output.stderr), bytes: output.stdout };
        for said in [&done.out, &done.err] {
            assert!(!said.contains(CANARY), "a token of the service's is on this machine: {done:?}");
            assert!(!said.contains("ath_tk_") && !said.contains("ath_rt_"), "a token is told: {done:?}");
            assert!(!said.contains("panicked"), "{done:?}");
        }
        done
    }

    fn object(&self, command: &str) -> Value {
        let mut lines = self.out.lines();
        let told: Value = serde_json::from_str(lines.next().unwrap_or_default()).unwrap_or_default();
        assert!(told.is_object(), "no object: {self:?}");
        assert_eq!(lines.next(), None, "exactly one object: {self:?}");
        hold_cli(command, &told);
        told
    }
}

/// A gateway in front of the helpdesk and of another service, and a machine where alice is logged in.
struct Scene {
    gateway: Gateway,
    upstream: Upstream,
    machine: Machine,
    browser: Browser,
}

impl Scene {
    fn open() -> Self {
        Self::on(Store::Embedded, |text| text)
    }

    /// With the providers' tables changed.
    fn on(store: Store<'_>, change: impl FnOnce(String) -> String) -> Self {
        let upstream = Upstream::start(free_port(), |_| {});
        let text = change(upstream.provider("pkce = \"none\""));
        let gateway = Gateway::start_with(store, upstream.gateway_port(), &text);
        let (machine, mut browser) = (Machine::new(), Browser::new());
        machine.log_in(&gateway, &mut browser);
        Self { gateway, upstream, machine, browser }
    }

    /// With the helpdesk's API at another address than its OAuth server.
    fn with_api_at(url: &str) -> Self {
        Self::on(Store::Embedded, |text| {
            let (before, rest) = text.split_once("api_base = \"").expect("a base");
            let (_, after) = rest.split_once('"').expect("its end");
            format!("{before}api_base = \"{url}\"{after}")
        })
    }

    /// Alice follows a link, and allows what it asks for.
    fn follow(&mut self, link: &str) {
        let page = self.browser.open(link);
        let last = consented(&mut self.browser, page);
        assert_eq!(last.answer.status, 200, "{} {}", last.url, last.answer.body_text());
    }
}
