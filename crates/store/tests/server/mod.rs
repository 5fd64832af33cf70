#![expect(clippy::expect_used, clippy::panic, reason = "a test without its server has failed")]

pub(crate) mod cluster;
pub(crate) mod proxy;
pub(crate) mod sentinel;

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A real redis-server on loopback.
pub(crate) struct RedisServer {
    process: Child,
    port: u16,
    tls_port: Option<u16>,
    options: Vec<String>,
    folder: tempfile::TempDir,
}

/// What speaks to a server with `redis-cli`.
#[derive(Clone)]
pub(crate) struct Client {
    port: u16,
}

impl Client {
    /// What the server answers, as it is.
    pub(crate) fn command(&self, arguments: &[&str]) -> String {
        let port = self.port.to_string();
        let asked = Command::new("redis-cli").args(["-p", &port, "--raw"]).args(arguments).output();
        String::from_utf8_lossy(&asked.expect("redis-cli comes with redis-server").stdout).trim().to_owned()
    }

    /// A connection that stays open.
    pub(crate) fn open(&self) -> Conversation {
        let process = Command::new("redis-cli")
            .args(["-p", &self.port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-cli comes with redis-server");
        Conversation(process)
    }

    /// Asks again and again until that is the answer.
    pub(crate) fn await_answer(&self, arguments: &[&str], wanted: &str) {
        sentinel::until("the server answers as it should", || self.command(arguments) == wanted);
    }
}

/// A connection that stays open until it is dropped.
pub(crate) struct Conversation(Child);

impl Conversation {
    /// Commands, one in each line.
    pub(crate) fn say(&mut self, lines: &str) {
        let input = self.0.stdin.as_mut().expect("piped");
        writeln!(input, "{lines}").and_then(|()| input.flush()).expect("it reads");
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        self.0.stdin.take();
        let _ = self.0.wait();
    }
}

impl RedisServer {
    /// One that keeps nothing on disk.
    pub(crate) fn start(options: &[&str]) -> Self {
        Self::start_at(free_port(), options)
    }

    pub(crate) fn start_at(port: u16, options: &[&str]) -> Self {
        let options = [&["--save", "", "--appendonly", "no"], options].concat();
        Self::launch(
            port,
            options.iter().map(|option| (*option).to_owned()).collect(),
            tempfile::tempdir().expect("a folder"),
        )
    }

    /// One whose every acknowledged write is on disk.
    pub(crate) fn start_kept(sync: &str) -> Self {
        let options = ["--save", "", "--appendonly", "yes", "--appendfsync", sync].map(str::to_owned);
        Self::launch(free_port(), options.to_vec(), tempfile::tempdir().expect("a folder"))
    }

    /// One that speaks TLS on a second port.
    pub(crate) fn start_tls(options: &[&str]) -> Self {
        let tls_port = free_port();
        let mut server = Self::start(&[&["--tls-port", &tls_port.to_string()], options].concat());
        server.tls_port = Some(tls_port);
        server
    }

    pub(crate) fn tls_port(&self) -> u16 {
        self.tls_port.expect("it speaks TLS")
    }

    /// Kills it, and starts it again on the same port with what it has on disk.
    pub(crate) fn restart(self) -> Self {
        self.restart_with(&[])
    }

    /// The same with further options.
    pub(crate) fn restart_with(mut self, options: &[&str]) -> Self {
        self.kill();
        self.options.extend(options.iter().map(|option| (*option).to_owned()));
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().expect("a folder"));
        Self::launch(self.port, std::mem::take(&mut self.options), folder)
    }

    fn launch(port: u16, options: Vec<String>, folder: tempfile::TempDir) -> Self {
        let process = spawn(port, &options, folder.path());
        let server = Self { process, port, tls_port: None, options, folder };
        for _ in 0..400 {
            if server.client().command(&["PING"]) == "PONG" || TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return server;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!("redis-server did not start on port {port}");
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn servers(&self) -> store::RedisServers {
        store::RedisServers::at_url(&self.url()).expect("a URL")
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn client(&self) -> Client {
        Client { port: self.port }
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.process.id().to_string()]).status().expect("kill runs");
        assert!(sent.success());
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    pub(crate) fn stop(self) -> u16 {
        self.port
    }
}

fn spawn(port: u16, options: &[String], folder: &Path) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .arg("--dir")
        .arg(folder)
        .args(options)
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server must be installed: ./tests/run does it")
}

/// A port that was free a moment ago, and that nobody is given by chance: below the range from which the system draws ports, each once in
/// this process, and begun at another place in each.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let place = std::process::id().wrapping_mul(397).wrapping_add(number) % PORTS;
        let port = FIRST_PORT + u16::try_from(place).expect("within the range");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

const FIRST_PORT: u16 = 12_000;
const PORTS: u32 = 20_000;

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}
