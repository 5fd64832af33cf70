use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tests::{Fronted, free_port};

use crate::clients::{run, script};

/// The library `websockets` as a service, ended with the test.
pub(crate) struct Service {
    process: Child,
    port: u16,
    said: Arc<Mutex<Vec<String>>>,
}

impl Service {
    /// With a certificate and its key, over TLS.
    pub(crate) fn start(identity: &[&str]) -> Self {
        let port = free_port();
        let mut process = Command::new(script(".venv/bin/python"))
            .arg(script("websocket_server.py"))
            .arg(port.to_string())
            .args(identity)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it must be installed: ./tests/run does it");
        let mut lines = BufReader::new(process.stdout.take().expect("piped"));
        assert_eq!(line(&mut lines), "READY");
        let said = Arc::new(Mutex::new(Vec::new()));
        let log = said.clone();
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                log.lock().expect("no panic").push(line);
            }
        });
        Self { process, port, said }
    }

    pub(crate) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://localhost:{}", self.port)
    }

    /// How each socket has ended so far, as the service has it.
    pub(crate) fn ends(&self) -> Vec<Value> {
        let said = self.said.lock().expect("no panic");
        said.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The library `websockets` as an agent, by HTTP/1.1.
pub(crate) fn agent(front: &Fronted, what: &str, path: &str) {
    let url = format!("ws://127.0.0.1:{}/ath/proxy/helpdesk{path}", front.gateway.port());
    let mut command = Command::new(script(".venv/bin/python"));
    command.arg(script("websocket_agent.py")).args([what, &url, &front.token, front.agent.id.as_str()]);
    assert!(run(command).contains("done"));
}

/// The library `ws` over node's http2 as an agent; what it says at its end.
pub(crate) fn by_http2(front: &Fronted, what: &str, path: &str) -> Value {
    let path = if path.starts_with("/ath/") { path.to_owned() } else { format!("/ath/proxy/helpdesk{path}") };
    let mut command = Command::new("node");
    command.arg(script("websocket_h2.mjs")).args([what, &front.gateway.url(), &path]);
    command.args([&front.token, front.agent.id.as_str()]);
    let said = run(command);
    serde_json::from_str(said.lines().last().expect("a line")).expect("JSON")
}

/// An agent that keeps a socket open until somebody ends it.
pub(crate) struct Holding {
    process: Child,
    lines: BufReader<ChildStdout>,
}

impl Holding {
    pub(crate) fn open_by_http2(door: impl Into<Door>) -> Self {
        let Door { port, token, agent } = door.into();
        let mut command = Command::new("node");
        command.arg(script("websocket_h2.mjs")).args(["hold", &format!("http://127.0.0.1:{port}")]);
        Self::run(command.args(["/ath/proxy/helpdesk/socket", &token, &agent]))
    }

    pub(crate) fn open(door: impl Into<Door>) -> Self {
        let Door { port, token, agent } = door.into();
        let url = format!("ws://127.0.0.1:{port}/ath/proxy/helpdesk/socket");
        let mut command = Command::new(script(".venv/bin/python"));
        Self::run(command.arg(script("websocket_agent.py")).args(["hold", &url, &token, &agent]))
    }

    fn run(command: &mut Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().expect("it must be installed: ./tests/run does it");
        let mut lines = BufReader::new(process.stdout.take().expect("piped"));
        assert_eq!(line(&mut lines), "OPEN");
        Self { process, lines }
    }

    /// Waits for the end: the code of the Close, 1006 without one, and its reason.
    pub(crate) fn end(mut self) -> (u64, String) {
        let end: Value = serde_json::from_str(&line(&mut self.lines)).expect("JSON");
        assert!(self.process.wait().expect("it ends").success());
        (end["code"].as_u64().expect("a code"), end["reason"].as_str().expect("a reason").to_owned())
    }
}

fn line(lines: &mut impl BufRead) -> String {
    let mut text = String::new();
    lines.read_line(&mut text).expect("a line");
    text.trim().to_owned()
}

/// Where an agent calls, and as whom.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) port: u16,
    pub(crate) token: String,
    pub(crate) agent: String,
}

impl From<&Fronted> for Door {
    fn from(front: &Fronted) -> Self {
        Self { port: front.gateway.port(), token: front.token.clone(), agent: front.agent.id.as_str().to_owned() }
    }
}

/// An agent that writes bytes of its own.
pub(crate) struct RawAgent(TcpStream);

/// The key that the RFC has as its example, and what it is answered with.
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub(crate) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// The lines of a handshake that is right.
pub(crate) const RIGHT: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

impl RawAgent {
    /// Sends a request of these lines, with the token, and what is to follow it at once.
    pub(crate) fn send(door: impl Into<Door>, start: &str, lines: &str, behind: &[u8]) -> Self {
        let Door { port, token, agent } = door.into();
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connects");
        stream.set_read_timeout(Some(Duration::from_secs(15))).expect("a timeout");
        let head = format!(
            "{start}\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nX-ATH-Agent-ID: {agent}\r\n{lines}\r\n"
        );
        stream.write_all(&[head.as_bytes(), behind].concat()).expect("sent");
        Self(stream)
    }

    /// A right handshake, and the head of its answer.
    pub(crate) fn open(door: impl Into<Door>) -> (Self, String) {
        let mut agent = Self::send(door, "GET /ath/proxy/helpdesk/socket HTTP/1.1", RIGHT, b"");
        let head = agent.head();
        (agent, head)
    }

    /// The head of an answer.
    pub(crate) fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            if self.0.read(&mut byte).unwrap_or(0) == 0 {
                break;
            }
            head.push(byte[0]);
        }
        String::from_utf8_lossy(&head).to_ascii_lowercase()
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        // The gateway may have gone already: what comes back tells.
        let _ = self.0.write_all(bytes);
    }

    pub(crate) fn finish(&self) {
        let _ = self.0.shutdown(std::net::Shutdown::Write);
    }

    pub(crate) fn exactly(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).expect("so many bytes");
        bytes
    }

    /// Everything to the end of the connection.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let ended = self.0.read_to_end(&mut bytes);
        assert!(
            ended.is_ok() || ended.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset),
            "no end"
        );
        bytes
    }
}
