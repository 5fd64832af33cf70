//! A gateway that cannot start says why, with a code of docs/errors.md and what to do; and `doctor` says the same before.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use tests::{Authority, RedisServer, SEALING_KEY, SecureSite, binary, free_port};

use crate::init::json as json_of;
use crate::versions::say_format;

/// The key of somebody else's store.
const OTHER_KEY: &str = "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=";

/// A configuration in a folder of its own.
struct Desk {
    folder: TempDir,
    port: u16,
}

impl Desk {
    /// `store` is the table of that name, `rest` what follows it; `$folder` stands for the folder.
    fn new(store: &str, rest: &str) -> Self {
        let desk = Self { folder: TempDir::new().expect("a folder"), port: free_port() };
        desk.listen(&format!("127.0.0.1:{}", desk.port), store, rest);
        desk
    }

    /// On that Redis.
    fn on(redis: &RedisServer) -> Self {
        Self::new(&by_url(&redis.url()), "")
    }

    fn listen(&self, at: &str, store: &str, rest: &str) {
        let text = format!(
            "[gateway]\npublic_url = \"http://127.0.0.1:{}\"\nlisten = \"{at}\"\n\n[store]\n{store}\n\n[development]\nloopback_http = true\n\n{rest}",
            self.port
        );
        let text = text.replace("$folder", &self.folder.path().display().to_string());
        fs::write(self.folder.path().join("gateway.toml"), text).expect("written");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(arguments).arg("--config").arg(self.folder.path().join("gateway.toml"));
        command.current_dir(self.folder.path()).env("SEALING_KEY", SEALING_KEY);
        command
    }

    /// It ends with 1, and its log has the code, what happened here, and a remedy.
    fn does_not_start(&self, code: &str, says: &str) {
        let ended = self.command(&["serve"]).output().expect("it runs");
        let log = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(1), "{code}: {log}");
        let last = log.lines().rfind(|line| line.contains("the gateway cannot run")).unwrap_or_default();
        assert!(last.contains(&format!("code=\"{code}\"")), "{code}: {log}");
        assert!(last.contains(says), "{code} says {says}: {log}");
        let errors = include_str!("../../docs/errors.md");
        assert!(last.contains("remedy=") && errors.contains(&format!("| `{code}` | 1 |")), "{code}: {log}");
    }

    /// It finds something wrong about this, says so, and what to do.
    fn doctor_says(&self, about: &str, verdict: &str, says: &str) {
        let ended = self.command(&["doctor", "--json"]).output().expect("it runs");
        let told = json_of(&String::from_utf8_lossy(&ended.stdout));
        let findings = told["gateway"]["findings"].as_array().expect("findings");
        let text = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
        let found = findings.iter().find(|finding| {
            text(finding, "about").starts_with(about)
                && text(finding, "verdict") == verdict
                && text(finding, "says").contains(says)
        });
        assert!(found.is_some(), "{about} {verdict} {says}: {told:#}");
        assert_eq!(ended.status.code(), Some(i32::from(verdict == "wrong")), "{told:#}");
    }
}

/// A gateway that starts, and ends with the test.
struct Running(Child);

impl Running {
    fn start(desk: &Desk) -> Self {
        let running =
            Self(desk.command(&["serve"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts"));
        tests::eventually("it listens", || TcpStream::connect(("127.0.0.1", desk.port)).is_ok());
        running
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn by_url(url: &str) -> String {
    format!("url = \"{url}\"\nkeys = [{{ env = \"SEALING_KEY\" }}]\npath = \"$folder/data\"")
}

#[test]
fn a_redis_that_is_not_there_or_is_another_one() {
    let nowhere = Desk::new(&by_url(&format!("redis://127.0.0.1:{}", free_port())), "");
    nowhere.does_not_start("store_not_opened", "cannot be used");
    nowhere.doctor_says("store", "wrong", "cannot be used");

    let guarded = RedisServer::start_with(&["--requirepass", "the-password"]);
    for url in [guarded.url(), guarded.url().replace("redis://", "redis://:another@")] {
        let desk = Desk::new(&by_url(&url), "");
        desk.does_not_start("store_not_opened", "it refuses the login");
        desk.doctor_says("store", "wrong", "look at the user and the password");
    }
}

#[test]
fn a_redis_that_takes_no_writes() {
    let primary = RedisServer::start();
    let replica = RedisServer::start_with(&["--replicaof", "127.0.0.1", &primary.port().to_string()]);
    let desk = Desk::on(&replica);
    desk.does_not_start("store_not_opened", "it is a replica");
    desk.doctor_says("store", "wrong", "it is a replica");

    let full = RedisServer::start_with(&["--maxmemory", "1mb"]);
    let desk = Desk::on(&full);
    desk.does_not_start("store_not_opened", "no memory left");
    desk.doctor_says("store", "wrong", "raise its maxmemory");

    let evicting = RedisServer::start_with(&["--maxmemory-policy", "allkeys-lru"]);
    let desk = Desk::on(&evicting);
    desk.does_not_start("store_not_opened", "maxmemory-policy noeviction");
    desk.doctor_says("store", "wrong", "maxmemory-policy noeviction");

    let forgetful = RedisServer::start_with(&["--appendonly", "no"]);
    Desk::on(&forgetful).doctor_says("store", "note", "appendonly yes");
}

#[test]
fn a_store_of_another_version_or_key() {
    let redis = RedisServer::start();
    let desk = Desk::on(&redis);
    say_format(&redis, "2");
    desk.does_not_start("store_newer", "the store is in format 2");
    desk.doctor_says("store", "wrong", "start the newer version again");
    say_format(&redis, "nonsense");
    desk.does_not_start("store_foreign", "was not written by a gateway");
    say_format(&redis, "1");

    // A gateway begins the store, and the next one has another key.
    drop(Running::start(&desk));
    let other = Desk::on(&redis);
    fs::write(other.folder.path().join("other"), OTHER_KEY).expect("written");
    let text = by_url(&redis.url()).replace("{ env = \"SEALING_KEY\" }", "{ file = \"$folder/other\" }");
    other.listen(&format!("127.0.0.1:{}", other.port), &text, "");
    other.does_not_start("keys_missing", "are sealed with key");
    other.doctor_says("sealing keys", "wrong", "put it back");
}

#[test]
fn a_folder_a_log_or_a_key_that_is_of_no_use() {
    let desk = Desk::new("path = \"$folder/gateway.toml/data\"", "");
    desk.does_not_start("store_not_opened", "gateway.toml/data");
    desk.doctor_says("data folder", "wrong", "cannot be written by this user");

    let desk = Desk::new("path = \"$folder/data\"", "");
    fs::create_dir(desk.folder.path().join("data")).expect("made");
    fs::write(desk.folder.path().join("data/sealing.key"), "no key").expect("written");
    desk.does_not_start("key_file", "is of no use");
    desk.doctor_says("sealing keys", "wrong", "put the right file back");
    fs::write(desk.folder.path().join("data/sealing.key"), SEALING_KEY).expect("written");
    fs::write(desk.folder.path().join("data/gateway.redb"), vec![7; 8192]).expect("written");
    desk.does_not_start("store_not_opened", "gateway.redb");
    desk.doctor_says("store", "wrong", "gateway.redb");

    for (mode, verdict, says) in
        [(0o755, "note", "may be read by others"), (0o770, "wrong", "may be written by others")]
    {
        let desk = Desk::new("path = \"$folder/data\"", "");
        fs::create_dir(desk.folder.path().join("data")).expect("made");
        fs::set_permissions(desk.folder.path().join("data"), fs::Permissions::from_mode(mode)).expect("changed");
        desk.doctor_says("data folder", verdict, says);
    }

    let desk = Desk::new("path = \"$folder/data\"", "[audit]\npath = \"$folder/gateway.toml/audit\"\n");
    desk.does_not_start("audit_log", "gateway.toml/audit");
    desk.doctor_says("audit log", "wrong", "path in [audit]");
    let desk = Desk::new("path = \"$folder/data\"", "[access_log]\npath = \"$folder/gateway.toml/access\"\n");
    desk.does_not_start("access_log", "gateway.toml/access");
    desk.doctor_says("access log", "wrong", "path in [access_log]");
}

#[test]
fn a_service_whose_certificate_is_of_no_use() {
    let told = |site: &Authority, trusts: bool| {
        let port = SecureSite::start(site).port;
        let trust = if trusts { format!("ca_file = {:?}", site.certificate_file()) } else { String::new() };
        let base = format!("https://localhost:{port}");
        let provider = format!(
            "[[provider]]\nid = \"acme\"\ndisplay_name = \"Acme\"\napi_base = \"{base}\"\n{trust}\n\n[provider.oauth]\n\
             authorize_endpoint = \"{base}/authorize\"\ntoken_endpoint = \"{base}/token\"\nclient_id = \"gateway\"\n\n[provider.scopes]\n\
             read = {{ says = \"Read\", allow = [\"GET /things\"] }}\n"
        );
        let desk = Desk::new("path = \"$folder/data\"", &provider);
        let ended = desk.command(&["doctor", "acme"]).output().expect("it runs");
        assert_eq!(ended.status.code(), Some(1), "{}", String::from_utf8_lossy(&ended.stderr));
        let said = String::from_utf8_lossy(&ended.stdout).into_owned();
        said.lines().find(|line| line.contains("wrong api_base")).unwrap_or(&said).to_owned()
    };
    for (site, trusts, says) in [
        (Authority::of(&["localhost"]), false, "name the authority of its certificate with ca_file"),
        (Authority::over("localhost"), true, "its certificate is over, or this machine's clock is wrong"),
        (Authority::of(&["another.example"]), true, "its certificate is for other names"),
    ] {
        let said = told(&site, trusts);
        assert!(said.contains(says), "{says}: {said}");
    }
}

#[test]
fn an_address_that_is_not_to_be_had() {
    let desk = Desk::new("path = \"$folder/data\"", "");
    desk.listen("192.0.2.1:4180", "path = \"$folder/data\"", "");
    desk.does_not_start("listener", "192.0.2.1:4180 cannot be listened on");
    desk.doctor_says("listener 192.0.2.1:4180", "wrong", "this machine has no such address");

    let holder = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = holder.local_addr().expect("an address").to_string();
    desk.listen(&address, "path = \"$folder/data\"", "");
    desk.does_not_start("listener", "in use");
    desk.doctor_says(&format!("listener {address}"), "wrong", "something listens there");
}

/// The kernel lets two gateways of one user have one address, and would give each some of the connections.
#[test]
fn an_address_that_another_gateway_has() {
    let first = Desk::new("path = \"$folder/data\"", "");
    let runs = Running::start(&first);
    // The same configuration once more: its store is held.
    first.does_not_start("store_not_opened", "gateway.redb");
    let second = Desk::new("path = \"$folder/data\"", "");
    second.listen(&format!("127.0.0.1:{}", first.port), "path = \"$folder/data\"", "");
    second.does_not_start("listener", "in use");
    drop(runs);
}
