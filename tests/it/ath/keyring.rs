//! Secrets in a real Secret Service: the desktop's keyring, behind a session bus of the test's own.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tests::Browser;

use super::{Machine, Scene};

/// A session bus, and a keyring that was opened with a password.
struct Desktop {
    bus: Child,
    keyring: Child,
    address: String,
    _home: TempDir,
}

impl Desktop {
    fn start() -> Self {
        let home = TempDir::new().expect("a folder");
        let mut bus = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--print-address=1"])
            .env("XDG_RUNTIME_DIR", home.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it must be installed: ./tests/run does it");
        let mut address = String::new();
        let said = bus.stdout.take().expect("a pipe");
        BufReader::new(said).read_line(&mut address).expect("an address");
        let address = address.trim().to_owned();
        let mut keyring = Command::new("gnome-keyring-daemon")
            .args(["--foreground", "--unlock", "--components=secrets"])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", home.path())
            .env("XDG_RUNTIME_DIR", home.path())
            .env("DBUS_SESSION_BUS_ADDRESS", &address)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it must be installed: ./tests/run does it");
        keyring.stdin.take().expect("a pipe").write_all(b"password").expect("it reads");
        Self { bus, keyring, address, _home: home }
    }

    fn stop_keyring(&mut self) {
        let _ = self.keyring.kill();
        let _ = self.keyring.wait();
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        self.stop_keyring();
        let _ = self.bus.kill();
        let _ = self.bus.wait();
    }
}

#[test]
fn a_login_lies_in_the_keyring_and_nowhere_else() {
    let mut scene = Scene::open();
    let mut desktop = Desktop::start();
    let machine = || Machine::new().with("ATH_CREDENTIALS", "").with("DBUS_SESSION_BUS_ADDRESS", &desktop.address);
    let person = machine();
    tests::eventually("the keyring is there", || {
        // Asked in any other way, the bus would start another one.
        let asked = Command::new("dbus-send")
            .args(["--session", "--dest=org.freedesktop.DBus", "--print-reply", "/org/freedesktop/DBus"])
            .args(["org.freedesktop.DBus.NameHasOwner", "string:org.freedesktop.secrets"])
            .env("DBUS_SESSION_BUS_ADDRESS", &desktop.address)
            .output();
        asked.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("boolean true"))
    });
    let done = person.log_in(&scene.gateway, &mut scene.browser);
    assert_eq!(done.object("login")["data"]["kept_in"], "keyring", "{done:?}");
    assert_eq!(person.data(&["fetch", "helpdesk", "/tickets"])["status"], 200);
    let kept = std::fs::read_to_string(person.login_file()).expect("a file");
    assert!(kept.contains("\"keyring\"") && !kept.contains("ath_"), "where it is, and nothing of it: {kept}");

    // Whoever forces the file has no login, and makes one of their own.
    let forced = ["--json", "services"];
    let mut command = person.command(&forced);
    command.env("ATH_CREDENTIALS", "file");
    assert_eq!(command.output().expect("it runs").status.code(), Some(3));

    assert_eq!(person.data(&["logout"])["ended"], true);
    assert_eq!(person.failure(&["services"]).0, 3);

    // Without a keyring the best place is a file; whoever forces the keyring is told.
    let (second, forced) = (machine(), machine().with("ATH_CREDENTIALS", "keyring"));
    desktop.stop_keyring();
    let second = second.with("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere");
    let done = second.log_in(&scene.gateway, &mut Browser::new());
    assert_eq!(done.object("login")["data"]["kept_in"], "file", "{done:?}");
    let forced = forced.with("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere");
    let (code, word, error) = forced.failure(&["login", "helpdesk", "--gateway", &scene.gateway.public_url()]);
    assert_eq!((code, word.as_str()), (1, "local"), "before anybody logs in for nothing: {error}");
    assert!(error["hint"].as_str().is_some_and(|hint| hint.contains("ATH_CREDENTIALS=file")), "{error}");
}
