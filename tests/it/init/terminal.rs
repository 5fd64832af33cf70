use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{Gateway, Person, binary, free_port};

use super::{Done, SECRET, helpdesk, is_kept, json as json_of};
use crate::clients::{OidcProvider, script};

/// A person at a terminal, who waits for the first of each and types the second.
fn at_a_terminal(folder: &TempDir, steps: &[(&str, &str)]) -> Done {
    with_a_browser(folder, &Home::default(), steps)
}

/// Where the command `ath` keeps its things, and who looks at what it opens.
#[derive(Default)]
struct Home {
    folder: Option<TempDir>,
    person: Person,
}

impl Home {
    fn new() -> Self {
        Self { folder: Some(TempDir::new().expect("a folder")), person: Person::default() }
    }

    fn enter(&self, command: &mut Command) {
        if let Some(folder) = &self.folder {
            for name in ["HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"] {
                command.env(name, folder.path());
            }
        }
        command.env("ATH_CREDENTIALS", "file").env("BROWSER", script("mcp/browser")).env("PERSON", self.person.url());
    }

    /// What the command says to programs, and how it ends.
    fn ath(&self, gateway: &Gateway, arguments: &[&str]) -> (i32, Value) {
        let mut command = Command::new(binary().with_file_name("ath"));
        command.args(arguments).args(["--json", "--gateway", &gateway.public_url()]);
        self.enter(&mut command);
        let ended = command.output().expect("it runs");
        let said = String::from_utf8_lossy(&ended.stdout).into_owned();
        (ended.status.code().unwrap_or(-1), json_of(&said))
    }
}

fn with_a_browser(folder: &TempDir, home: &Home, steps: &[(&str, &str)]) -> Done {
    let mut command = Command::new(script(".venv/bin/python"));
    command.arg(script("at_a_terminal.py")).arg(json!(steps).to_string());
    command.arg(binary()).arg("init").current_dir(folder.path());
    home.enter(&mut command);
    Done::of(&command.output().expect("it must be installed: ./tests/run does it"))
}

/// From nothing: a configuration, the gateway, the service connected, a call, what was allowed, and its end.
#[test]
fn a_person_answers_question_after_question_and_connects_at_once() {
    let upstream = helpdesk();
    let base = format!("http://localhost:{}", upstream.port());
    let at = |path: &str| format!("{base}{path}");
    let public_url = format!("http://127.0.0.1:{}", upstream.gateway_port());
    let (folder, home) = (TempDir::new().expect("a folder"), Home::new());
    let done = with_a_browser(
        &folder,
        &home,
        &[
            ("will reach the gateway [http://127.0.0.1:4180]", "http://gateway.acme.example"),
            ("That is http on a host that is not this machine; use https.", ""),
            ("will reach the gateway", &public_url),
            ("Service:", "helpdusk"),
            ("is no service that the gateway knows", ""),
            ("Service:", &base),
            ("A short name for it, which stands in paths [service]:", "helpdesk"),
            ("What people call it [Helpdesk]:", "\r"),
            (" operations, which agents can search.", ""),
            // Nobody publishes anything there.
            ("Issuer:", &base),
            ("cannot be read", ""),
            ("Issuer:", "endpoints"),
            ("Authorize endpoint:", &at("/authorize")),
            ("Token endpoint:", &at("/token")),
            ("says who signed in", &at("/userinfo")),
            ("takes tokens back", &at("/revoke")),
            ("PKCE", "none"),
            (&format!("{public_url}/ath/callback/helpdesk"), ""),
            ("Client id:", "ath-gateway"),
            ("Client secret", SECRET),
            ("Which scopes does the service have", "read:tickets write:tickets"),
            ("read:tickets lets an agent [Read tickets]:", "See your tickets"),
            ("read:tickets allows [GET /tickets, ", "GET /tickets, GET /tickets/*"),
            ("write:tickets lets an agent [Write tickets]:", "\r"),
            ("write:tickets allows [POST /tickets, ", "\r"),
            ("Written:", ""),
            ("redirect URI, to be registered there exactly as it stands:", ""),
            ("knows the gateway's client", ""),
            ("ath login helpdesk --gateway", ""),
            ("Start the gateway now? [y]:", "\r"),
            ("And connect Helpdesk in your browser, as soon as it runs? [y]:", "\r"),
            ("The gateway goes on; Ctrl-C ends it.", "\x03"),
            ("stopped", ""),
        ],
    );
    assert_eq!(done.status, 0, "{}{}", done.said, done.complained);
    assert!(!done.said.contains("Nothing was connected"), "{}", done.said);
    let text = is_kept(&folder, "helpdesk");
    assert!(text.contains("says = \"See your tickets\", allow = [\"GET /tickets\", \"GET /tickets/*\"]"), "{text}");

    let gateway = Gateway::start_in(folder, upstream.gateway_port());
    let (status, fetched) = home.ath(&gateway, &["fetch", "helpdesk", "/tickets"]);
    assert_eq!((status, &fetched["data"]["status"]), (0, &json!(200)), "{fetched}");
    let (status, connections) = home.ath(&gateway, &["connections"]);
    assert_eq!((status, &connections["data"]["connections"][0]["service"]), (0, &json!("helpdesk")), "{connections}");
    let (status, ended) = home.ath(&gateway, &["disconnect", "helpdesk"]);
    assert_eq!(status, 0, "{ended}");
    let (status, refused) = home.ath(&gateway, &["fetch", "helpdesk", "/tickets"]);
    assert!(matches!(status, 3 | 4), "{status} {refused}");
}

#[test]
fn a_person_who_takes_what_is_proposed_and_starts_at_once() {
    let port = free_port();
    let public_url = format!("http://127.0.0.1:{port}");
    let oidc = OidcProvider::start_for(&format!("{public_url}/ath/callback/modern"), "3600");
    let issuer = oidc.issuer();
    let folder = TempDir::new().expect("a folder");
    let done = at_a_terminal(
        &folder,
        &[
            ("will reach the gateway", &public_url),
            ("Service:", &format!("{issuer}/api")),
            ("[service]:", "modern"),
            ("[Modern]:", "\r"),
            (&format!("Issuer [{issuer}]:"), "\r"),
            (&format!("token      {issuer}/token"), ""),
            ("Client id:", "ath-gateway"),
            ("Client secret", SECRET),
            ("may agents ask for? With spaces between [api:read api:write]:", "api:read"),
            ("[Read api]:", "\r"),
            ("[GET /**]:", "\r"),
            ("CAREFUL: GET /** allow everything", ""),
            ("Start the gateway now? [y]:", "y"),
            ("And connect Modern in your browser, as soon as it runs? [y]:", "n"),
            ("the gateway is ready", "\x03"),
            ("stopped", ""),
        ],
    );
    assert_eq!(done.status, 0, "{}{}", done.said, done.complained);
    is_kept(&folder, "modern");
}

#[test]
fn a_person_who_leaves_leaves_nothing() {
    let folder = TempDir::new().expect("a folder");
    let done = at_a_terminal(&folder, &[("will reach the gateway", "\r"), ("Service:", "\x03")]);
    assert_ne!(done.status, 0, "{}", done.said);
    let done = at_a_terminal(&folder, &[("will reach the gateway", "\r"), ("Service:", "\x04\x03")]);
    assert_ne!(done.status, 0, "{}", done.said);
    assert!(std::fs::read_dir(folder.path()).expect("a folder").next().is_none());
}
