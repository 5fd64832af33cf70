//! deploy/one-machine, as docs/many-gateways.md and docs/legacy-api.md say: two gateways on one Redis behind nginx, in front of an API that knows
//! nothing but a key, through rolling restarts under load.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tests::{Reply, Served, binary, eventually, free_port};

use super::{blocks, content, deployed, tool};

/// The key of the acting API, which nobody but the API may see.
const KEY: &str = "CANARY-the-key-of-the-crm";

/// The installation, in a folder of its own. Its processes end with it.
pub(super) struct Installation {
    process: Child,
    folder: TempDir,
    port: u16,
    gateways: [u16; 2],
    admin: [u16; 2],
}

impl Installation {
    /// From the pages' own text, with ports of its own.
    pub(super) fn start(api: &Served) -> Self {
        let folder = TempDir::new().expect("a folder");
        let place = folder.path().join("try");
        fs::create_dir(&place).expect("a folder");
        let provider = &blocks("legacy-api.md", "toml")[0];
        let provider = provider.replace("https://crm.internal", &format!("http://127.0.0.1:{}", api.port()));
        let provider = provider.replace("people = \"*\"", "people = \"*\"\nallow_plaintext = true");
        for (name, text) in
            [("provider.toml", provider.as_str()), ("crm.key", KEY), ("nightly.secret", &"n".repeat(40))]
        {
            fs::write(place.join(name), text).expect("written");
            fs::set_permissions(place.join(name), fs::Permissions::from_mode(0o600)).expect("a mode");
        }
        let ports = [(); 6].map(|()| free_port());
        let mut command = Command::new(deployed("one-machine"));
        command.arg(&place).current_dir(folder.path()).env("ATH_GATEWAY", binary()).env("ATH_DRAIN_DELAY", "5s");
        command.env("ATH_PORTS", ports.map(|port| port.to_string()).join(" "));
        let log = fs::File::create(folder.path().join("log")).expect("a file");
        command.stdout(log.try_clone().expect("a file")).stderr(log).stdin(Stdio::null());
        let process = command.spawn().expect("bash");
        let mut installation =
            Self { process, folder, port: ports[0], gateways: [ports[2], ports[3]], admin: [ports[4], ports[5]] };
        installation.await_line("https://localhost:", 1, Duration::from_secs(40));
        installation
    }

    fn await_line(&mut self, line: &str, times: usize, patience: Duration) {
        let begun = Instant::now();
        while self.said().matches(line).count() < times {
            let ended = self.process.try_wait().expect("a process");
            assert!(ended.is_none() && begun.elapsed() < patience, "{line}: {}{}", self.said(), self.logs());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(super) fn place(&self) -> PathBuf {
        self.folder.path().join("try")
    }

    pub(super) fn admin(&self) -> [u16; 2] {
        self.admin
    }

    fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Everything that its processes wrote.
    fn logs(&self) -> String {
        let read =
            |entry: Result<fs::DirEntry, _>| fs::read_to_string(entry.expect("an entry").path()).unwrap_or_default();
        fs::read_dir(self.place().join("log")).expect("logs").map(read).collect()
    }

    /// Runs the commands of a page, which must all succeed; what they printed.
    fn runs(&self, commands: &str, folder: &Path) -> String {
        let mut command = Command::new("bash");
        let commands = format!("PATH={}:$PATH\n{commands}", binary().parent().expect("a folder").display());
        command.args(["-euo", "pipefail", "-c", &commands]).current_dir(folder);
        command.env("GATEWAY", self.url()).env("CA", self.authority());
        let ended = command.output().expect("bash");
        assert!(ended.status.success(), "{commands}: {}{}", super::all(&ended), self.logs());
        String::from_utf8_lossy(&ended.stdout).into_owned()
    }

    fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    fn authority(&self) -> PathBuf {
        self.place().join("secrets/ca.crt")
    }

    /// A token for both scopes of the machine.
    pub(super) fn token(&self) -> String {
        let commands = &blocks("legacy-api.md", "sh")[0];
        let asked = commands.split("\ncurl").next().expect("the token's command");
        let asked = asked.replace("scope=contacts.read", "'scope=contacts.read contacts.write'");
        self.runs(&format!("{asked}\nprintf %s \"$TOKEN\""), &self.place())
    }

    /// As many calls as there are, one after the other on one connection to nginx; their statuses.
    pub(super) fn calls(&self, token: &str, method: &str, number: u32) -> Vec<String> {
        self.calls_by(self.port, token, method, number)
    }

    /// The same by what listens on `port`.
    fn calls_by(&self, port: u16, token: &str, method: &str, number: u32) -> Vec<String> {
        let mut command = Command::new("curl");
        command
            .args(["-sS", "-o", "/dev/null", "-w", "%{http_code}\n", "-X", method, "--cacert"])
            .arg(self.authority());
        command.args(["-H", &format!("Authorization: Bearer {token}"), "--max-time", "20"]);
        if method == "POST" {
            command.args(["-d", "name=Grace"]);
        }
        let ended =
            command.arg(format!("https://localhost:{port}/crm/contacts?n=[1-{number}]")).output().expect("curl");
        let text = String::from_utf8_lossy(&ended.stdout).into_owned();
        text.lines().map(|line| line.to_owned() + " " + String::from_utf8_lossy(&ended.stderr).trim()).collect()
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        if let Some(process) = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(process, Signal::TERM);
        }
        let _ = self.process.wait();
        if !std::thread::panicking() {
            assert!(!self.logs().contains("CANARY"), "a log holds the API's key");
        }
    }
}

/// Envoy in the place of nginx, as deploy/envoy.yaml has it.
struct Envoy {
    process: Child,
    port: u16,
}

impl Envoy {
    fn start(installation: &Installation) -> Self {
        let port = free_port();
        let text = fs::read_to_string(deployed("envoy.yaml")).expect("a file");
        let secrets = installation.place().join("secrets").display().to_string();
        let mut text = text.replace("/run/secrets", &secrets);
        text = text.replace("address: 0.0.0.0, port_value: 8443", &format!("address: 127.0.0.1, port_value: {port}"));
        for (name, gateway) in [("gateway-1", installation.gateways[0]), ("gateway-2", installation.gateways[1])] {
            let written = format!("address: {name}, port_value: 8080");
            text = text.replace(&written, &format!("address: 127.0.0.1, port_value: {gateway}"));
        }
        let file = installation.place().join("envoy.yaml");
        fs::write(&file, text).expect("written");
        let file = file.display().to_string();
        content(&tool("envoy"), &["--mode", "validate", "-c", &file], "");
        let mut command = Command::new(tool("envoy"));
        command.args(["--disable-hot-restart", "--concurrency", "1", "--log-level", "error", "-c", &file]);
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("tests/run installs it");
        let envoy = Self { process, port };
        eventually("envoy listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        envoy
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An API that wants a key and knows nothing else.
pub(super) fn legacy_api() -> Served {
    Served::start(|request| {
        let known = request.headers.iter().any(|(name, value)| name == "x-api-key" && value == KEY);
        let (status, body) = if known { ("200 OK", "{\"contacts\":[]}") } else { ("403 Forbidden", "{}") };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        Reply::Bytes((head + body).into_bytes())
    })
}

#[test]
fn two_gateways_behind_nginx_and_envoy_live_through_rolling_restarts() {
    let api = legacy_api();
    let mut installation = Installation::start(&api);
    // Both pages' commands, as they stand.
    let place = installation.place();
    let machine = blocks("legacy-api.md", "sh").concat();
    assert_eq!(installation.runs(&machine, &place).trim(), "{\"contacts\":[]}");
    let page = blocks("many-gateways.md", "sh");
    let folder = installation.folder.path().to_owned();
    let ready =
        installation.runs(&page[1].replace("localhost:8443", &format!("localhost:{}", installation.port)), &folder);
    assert!(ready.contains("\"status\":\"ok\"") && ready.contains("\"durability\":\"durable\""), "{ready}");
    let keys = installation.runs(&page[3], &folder);
    assert!(keys.contains("gateway-"), "they say who holds the key: {keys}");

    let token = installation.token();
    let envoy = Envoy::start(&installation);
    let seen_by_envoy = || installation.calls_by(envoy.port, &token, "GET", 1).concat();
    eventually("envoy has found them", || seen_by_envoy() == "200 ");
    let (over, statuses) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for (front, port) in [("nginx", installation.port), ("envoy", envoy.port)] {
            for method in ["GET", "POST"] {
                let (over, statuses, token, here) = (&over, &statuses, &token, &installation);
                scope.spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        let seen = here.calls_by(port, token, method, 25);
                        let seen = seen.into_iter().map(|status| format!("{front} {method} {status}"));
                        statuses.lock().expect("no panic").extend(seen);
                    }
                });
            }
        }
        installation.runs(&page[2], &folder);
        let begun = Instant::now();
        while !installation.said().contains("restarted") && begun.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(100));
        }
        over.store(true, Ordering::Relaxed);
    });
    installation.await_line("restarted", 1, Duration::from_secs(1));
    let statuses = statuses.into_inner().expect("no panic");
    let failed: Vec<&String> = statuses.iter().filter(|line| !line.ends_with(" 200 ")).collect();
    println!("{} requests through a restart of each gateway, {} failed", statuses.len(), failed.len());
    assert!(failed.is_empty(), "{failed:?} {}", installation.logs());
    assert!(statuses.len() > 200, "{}", statuses.len());
    assert!(!installation.said().contains("did not come back"));
}
