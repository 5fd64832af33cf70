use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::{CANARY, RedisServer, Request, Upstream};

mod process;

/// Where a gateway keeps its records.
#[derive(Clone, Copy)]
pub enum Store<'a> {
    /// In a folder of its own: one gateway.
    Embedded,
    /// In a folder that is there already: one gateway, whose audit log lies elsewhere.
    Folder(&'a Path),
    /// In this Redis: as many as you like.
    Redis(&'a RedisServer),
    /// In the Redis that these lines of `[store]` say.
    Written(&'a str),
}

/// How a gateway is started.
#[derive(Clone, Copy)]
pub struct Launch<'a> {
    /// Where it keeps its records.
    pub store: Store<'a>,
    /// Where it listens.
    pub port: u16,
    /// What it is called by agents and browsers.
    pub public_url: &'a str,
    /// Further lines of its `[gateway]` table.
    pub gateway: &'a str,
    /// What follows the tables of gateway, store and log.
    pub rest: &'a str,
    /// Further variables of its environment.
    pub environment: &'a [(&'a str, String)],
}

/// The built binary, running on loopback. Its log is searched for canaries when it ends.
pub struct Gateway {
    process: Child,
    port: u16,
    public_url: String,
    folder: TempDir,
    log: PathBuf,
    environment: Vec<(String, String)>,
}

/// A sealing key, the same for all replicas of a test.
pub const SEALING_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// What tests do in a second, others do in a day. A text with limits of its own has those alone.
const UNLIMITED: &str = "[limits]\nhandshake_per_address = \"off\"\nhandshake_per_agent = \"off\"\ntoken_per_client = \"off\"\n\
    wrong_secrets = \"off\"\nwrong_tokens = \"off\"\nregistrations = \"off\"\nregistrations_per_address = \"off\"\nuser_codes = \"off\"\n\n";

/// Within so long a gateway listens.
const USUAL_START: Duration = Duration::from_secs(10);

impl Gateway {
    /// A gateway in front of `upstream`, with `settings` added to its `[provider.oauth]` table.
    #[must_use]
    pub fn start(store: Store<'_>, upstream: &Upstream, settings: &str) -> Self {
        Self::start_with(store, crate::free_port(), &upstream.provider(settings))
    }

    /// A gateway with this text as its `[[provider]]` tables and whatever follows them. It comes right after the `[development]` table,
    /// so that further settings of that table may come first.
    #[must_use]
    pub fn start_with(store: Store<'_>, port: u16, providers: &str) -> Self {
        Self::start_at(port, &format!("http://127.0.0.1:{port}"), store, &in_development(providers))
    }

    /// A second gateway on the same store, with the same public URL.
    #[must_use]
    pub fn replica(&self, store: Store<'_>, upstream: &Upstream, settings: &str) -> Self {
        Self::start_at(crate::free_port(), &self.public_url, store, &in_development(&upstream.provider(settings)))
    }

    /// The same with this text as its `[[provider]]` tables and whatever follows them.
    #[must_use]
    pub fn replica_with(&self, store: Store<'_>, providers: &str) -> Self {
        Self::start_at(crate::free_port(), &self.public_url, store, &in_development(providers))
    }

    /// What a gateway says that does not start with these settings.
    #[must_use]
    pub fn refused_to_start(settings: &str, environment: &[(&str, &str)], upstream: &Upstream) -> String {
        let folder = TempDir::new().expect("a folder");
        let config = folder.path().join("gateway.toml");
        let port = crate::free_port();
        let text = format!(
            "[gateway]\npublic_url = \"http://127.0.0.1:{port}\"\nlisten = \"127.0.0.1:{port}\"\n{settings}\n{}",
            in_development(&upstream.provider(""))
        );
        fs::write(&config, text).expect("written");
        let mut command = Command::new(binary());
        command.args(["serve", "--config"]).arg(&config).current_dir(folder.path());
        command.env("CLIENT_SECRET", crate::upstream::CLIENT_SECRET).envs(environment.iter().copied());
        let ended = command.output().expect("it runs");
        assert_eq!(ended.status.code(), Some(2), "it does not start");
        String::from_utf8_lossy(&ended.stderr).into_owned()
    }

    /// A gateway as it runs in earnest: a public URL on https, whose TLS ends elsewhere, and no `[development]` table. `providers` is the
    /// text of its `[[provider]]` tables.
    #[must_use]
    pub fn start_in_earnest(store: Store<'_>, public_url: &str, providers: &str) -> Self {
        Self::start_at(crate::free_port(), public_url, store, providers)
    }

    /// A gateway that listens on `port` and is reached at `front`, where something forwards to it.
    #[must_use]
    pub fn start_behind(front: u16, store: Store<'_>, port: u16, providers: &str) -> Self {
        let mut gateway = Self::start_at(port, &format!("http://127.0.0.1:{front}"), store, &in_development(providers));
        gateway.port = front;
        gateway
    }

    fn start_at(port: u16, public_url: &str, store: Store<'_>, rest: &str) -> Self {
        Self::launch(&Launch { store, port, public_url, gateway: "", rest, environment: &[] })
    }

    /// The same gateway, reached at another port, where something forwards to it.
    #[must_use]
    pub fn behind(self, front: u16) -> Self {
        let mut gateway = self;
        gateway.port = front;
        gateway
    }

    /// A gateway that is started in some other way than most.
    #[must_use]
    pub fn launch(launch: &Launch<'_>) -> Self {
        Self::launch_patiently(launch, USUAL_START)
    }

    /// The same for one whose configuration takes long to read.
    #[must_use]
    pub fn launch_patiently(launch: &Launch<'_>, patience: Duration) -> Self {
        let Launch { store, port, public_url, gateway, rest, environment } = *launch;
        let folder = TempDir::new().expect("a folder");
        let audit = folder.path().join("data/audit.jsonl");
        let store = match store {
            Store::Embedded => format!(
                "path = {:?}\nkeys = [{{ env = \"SEALING_KEY\" }}]",
                folder.path().join("data").display().to_string()
            ),
            Store::Folder(path) => format!(
                "path = {:?}\nkeys = [{{ env = \"SEALING_KEY\" }}]\n\n[audit]\npath = {:?}",
                path.display().to_string(),
                audit.display().to_string()
            ),
            Store::Redis(server) => format!("url = \"{}\"\nkeys = [{{ env = \"SEALING_KEY\" }}]", server.url()),
            Store::Written(lines) => format!("{lines}\nkeys = [{{ env = \"SEALING_KEY\" }}]"),
        };
        let limits = if rest.contains("[limits]") || gateway.contains("[limits]") { "" } else { UNLIMITED };
        let log =
            if rest.contains("[log]") || gateway.contains("[log]") { "" } else { "[log]\nfilter = \"debug\"\n\n" };
        let text = format!(
            "[gateway]\npublic_url = \"{public_url}\"\nlisten = \"127.0.0.1:{port}\"\nworkers = 2\n{gateway}\n\n[store]\n{store}\n\n\
             {log}{limits}{rest}"
        );
        let config = folder.path().join("gateway.toml");
        fs::write(&config, text).expect("written");
        let log = folder.path().join("log");
        let environment: Vec<(String, String)> =
            environment.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let process = spawn(&config, &log, &environment);
        let mut gateway = Self { process, port, public_url: public_url.to_owned(), folder, log, environment };
        gateway.await_listening(patience);
        gateway
    }

    /// A gateway with the configuration that lies in `folder` as gateway.toml, by which it listens on `port` of this machine and keeps its
    /// things in `data`.
    #[must_use]
    pub fn start_in(folder: TempDir, port: u16) -> Self {
        let log = folder.path().join("log");
        let process = spawn(&folder.path().join("gateway.toml"), &log, &[]);
        let public_url = format!("http://127.0.0.1:{port}");
        let mut gateway = Self { process, port, public_url, folder, log, environment: Vec::new() };
        gateway.await_listening(USUAL_START);
        gateway
    }

    /// Kills it, and starts it again with the same configuration and the same store.
    pub fn restart(&mut self) {
        self.kill();
        self.process = spawn(&self.folder.path().join("gateway.toml"), &self.log, &self.environment);
        self.await_listening(USUAL_START);
    }

    fn await_listening(&mut self, patience: Duration) {
        let begun = Instant::now();
        while begun.elapsed() < patience && self.is_running() {
            if std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!("the gateway does not listen: {}", self.log());
    }

    /// What agents and browsers call: the address of this very replica.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What attestations name: the same for all replicas.
    #[must_use]
    pub fn public_url(&self) -> String {
        self.public_url.clone()
    }

    /// The port of this replica.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A plain request to this replica.
    #[must_use]
    pub fn request(&self, method: &str, path: &str) -> Request {
        Request::new(method, &format!("{}{path}", self.url()))
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Everything in its audit log, oldest first.
    #[must_use]
    pub fn audit(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.folder.path().join("data/audit.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }

    /// The events of that name, oldest first; waits for calls, which are written when their answers have ended.
    #[must_use]
    pub fn events(&self, name: &str) -> Vec<Value> {
        let found = || self.audit().into_iter().filter(|event| event["event"] == name).collect::<Vec<_>>();
        crate::eventually(&format!("{name} is recorded"), || !found().is_empty());
        found()
    }

    /// An operator's command against this gateway.
    #[must_use]
    pub fn operate(&self, arguments: &[&str]) -> Operated {
        let mut command = Command::new(program(&self.environment));
        command.args(arguments).arg("--config").arg(self.folder.path().join("gateway.toml"));
        let ended = command.current_dir(self.folder.path()).env("SEALING_KEY", SEALING_KEY);
        let ended = ended.env("CLIENT_SECRET", crate::upstream::CLIENT_SECRET);
        let environment = self.environment.iter().map(|(name, value)| (name, value));
        let ended = ended.envs(environment).output().expect("it runs");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Operated { status: ended.status.code().unwrap_or(-1), said: text(ended.stdout), complained: text(ended.stderr) }
    }

    /// The same as JSON; it has to succeed.
    #[must_use]
    pub fn operate_json(&self, arguments: &[&str]) -> Value {
        let done = self.operate(&[arguments, &["--json"]].concat());
        assert_eq!(done.status, 0, "{}", done.complained);
        serde_json::from_str(&done.said).expect("JSON")
    }

    /// Kills it, and says why it does not start again with what now stands in its folder.
    #[must_use]
    pub fn refused_again(&mut self) -> String {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let before = self.log().len();
        self.process = spawn(&self.folder.path().join("gateway.toml"), &self.log, &self.environment);
        let mut ended = None;
        crate::eventually("it does not start", || {
            ended = self.process.try_wait().expect("a process");
            ended.is_some()
        });
        assert_eq!(ended.and_then(|ended| ended.code()), Some(1), "it says why");
        self.log().split_off(before)
    }

    /// The folder that it works in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its process.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Resident memory, in bytes.
    #[must_use]
    pub fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("it runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") * 1024
    }

    /// Everything that its embedded store has on disk.
    #[must_use]
    pub fn at_rest(&self) -> Vec<u8> {
        everything_below(&self.folder.path().join("data"))
    }
}

/// What came of an operator's command.
#[derive(Debug)]
pub struct Operated {
    /// The exit code.
    pub status: i32,
    /// Standard output.
    pub said: String,
    /// Standard error.
    pub complained: String,
}

fn in_development(providers: &str) -> String {
    format!("[development]\nloopback_http = true\n\n{providers}")
}

fn spawn(config: &Path, log: &Path, environment: &[(String, String)]) -> Child {
    let log = fs::OpenOptions::new().create(true).append(true).open(log).expect("a log");
    let mut command = Command::new(program(environment));
    command.args(["serve", "--config"]).arg(config).current_dir(config.parent().expect("a folder"));
    // Nothing goes through a proxy of the environment's: every request of every test would fail there.
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        command.env(name, "http://127.0.0.1:9");
    }
    command.env_remove("NO_PROXY").env_remove("no_proxy");
    command.env("SEALING_KEY", SEALING_KEY).env("CLIENT_SECRET", crate::upstream::CLIENT_SECRET);
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command.stdout(Stdio::null()).stderr(log).spawn().expect("the gateway starts")
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if !std::thread::panicking() {
            let log = self.log() + &fs::read_to_string(self.folder.path().join("data/audit.jsonl")).unwrap_or_default();
            assert!(!log.contains(CANARY), "the log holds a token of the upstream's");
            assert!(!log.contains(crate::upstream::CLIENT_SECRET), "the log holds the client secret");
            assert!(!log.contains("panicked"), "something panicked: {log}");
        }
    }
}

/// Names, in a gateway's environment, another program than the built one.
pub const PROGRAM: &str = "TESTED_PROGRAM";

fn program(environment: &[(String, String)]) -> PathBuf {
    let other = environment.iter().find(|(name, _)| name == PROGRAM);
    other.map_or_else(binary, |(_, path)| PathBuf::from(path))
}

/// The binary that lies beside this test's own.
#[must_use]
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("a path");
    let folder = test.parent().and_then(Path::parent).expect("target/debug");
    let binary = folder.join("ath-gateway");
    assert!(
        binary.exists(),
        "{} is missing: run `cargo build --workspace --features gateway/failpoints` first",
        binary.display()
    );
    binary
}

pub(crate) fn everything_below(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            bytes.extend(everything_below(&path));
        } else {
            bytes.extend(fs::read(&path).expect("readable"));
        }
    }
    bytes
}
