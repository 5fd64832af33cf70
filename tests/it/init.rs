//! `ath-gateway init`: from nothing to a gateway that works, by the command line alone and as a person at a terminal.

mod flags;
mod terminal;

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;
use tests::{Answer, Gateway, OAuthClient, Upstream, binary};

/// The gateway's secret at the services that these tests act with.
const SECRET: &str = "the-client-secret-of-the-gateway";

/// What came of it.
struct Done {
    status: i32,
    said: String,
    complained: String,
}

impl Done {
    fn of(ended: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (said, complained) = (text(&ended.stdout), text(&ended.stderr));
        assert!(!said.contains(SECRET) && !complained.contains(SECRET), "a secret is shown: {said}{complained}");
        Self { status: ended.status.code().unwrap_or(-1), said, complained }
    }
}

/// Runs it in a folder, with this on its standard input, which is no terminal.
fn init(folder: &Path, arguments: &[&str], input: &str) -> Done {
    let mut command = Command::new(binary());
    command.arg("init").args(arguments).current_dir(folder);
    let mut process =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    // It need not be read.
    let _ = process.stdin.take().expect("piped").write_all(input.as_bytes());
    Done::of(&process.wait_with_output().expect("it ends"))
}

/// Both files are there, for their owner alone, and the file passes its own check, wherever that is run.
fn is_kept(folder: &TempDir, id: &str) -> String {
    let file = folder.path().join("gateway.toml");
    let secret = folder.path().join("secrets").join(id);
    for path in [&file, &secret] {
        let mode = path.metadata().expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
    }
    assert_eq!(std::fs::read_to_string(&secret).expect("read").trim_end(), SECRET);
    passes(folder)
}

/// The file passes its own check; its text.
fn passes(folder: &TempDir) -> String {
    let file = folder.path().join("gateway.toml");
    let elsewhere = TempDir::new().expect("a folder");
    let mut check = Command::new(binary());
    check.args(["check", "--config"]).arg(&file).current_dir(elsewhere.path());
    let checked = Done::of(&check.output().expect("it runs"));
    assert_eq!((checked.status, checked.complained.as_str()), (0, ""), "{}", checked.said);
    let text = std::fs::read_to_string(&file).expect("read");
    assert!(!text.contains(SECRET), "{text}");
    text
}

/// Alice lets an agent in, and it calls; the gateway's files are those that were written.
fn works(folder: TempDir, upstream: &Upstream) -> Answer {
    let gateway = Gateway::start_in(folder, upstream.gateway_port());
    let client = OAuthClient::register(&gateway);
    let (token, _) = client.tokens(&gateway);
    let answer = client.call(&gateway, &token, "/tickets");
    assert_eq!(answer.status, 200, "{}", answer.body_text());
    let refused =
        gateway.request("POST", "/helpdesk/tickets").header("authorization", &format!("Bearer {token}")).send();
    assert_eq!(refused.status, 403, "{}", refused.body_text());
    answer
}

/// A helpdesk that wants the redirect URI of its own, and refuses PKCE.
fn helpdesk() -> Upstream {
    Upstream::start(tests::free_port(), |settings| {
        settings.pkce = helpdesk::Pkce::Rejected;
        settings.redirect_uris = settings.redirect_uris.iter().map(|uri| format!("{uri}/helpdesk")).collect();
    })
}

/// What a command printed for programs.
pub(crate) fn json(printed: &str) -> serde_json::Value {
    let read = serde_json::from_str(printed);
    assert!(read.is_ok(), "no JSON: {printed}");
    read.expect("JSON")
}
