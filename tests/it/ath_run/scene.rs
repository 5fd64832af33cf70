//! A person's machine, a gateway, and APIs behind it, spoken to over TLS and in the clear.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use tests::{
    Authority, Browser, CANARY, Gateway, Nginx, Received, Reply, Request, Served, Store, Upstream, consented,
    free_port, hold_cli,
};

/// Everything that a run wants.
pub(crate) struct Scene {
    pub(crate) gateway: Gateway,
    _upstream: Upstream,
    /// What stands behind both APIs, and remembers what it was asked.
    pub(crate) api: Served,
    /// The API over TLS, and whatever else is at that host.
    pub(crate) nginx: Nginx,
    pub(crate) authority: Authority,
    pub(crate) browser: Browser,
    home: TempDir,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// In bytes; more than anything on the way keeps.
pub(crate) const LARGE: usize = 20 << 20;

pub(crate) fn ath() -> PathBuf {
    tests::binary().with_file_name("ath")
}

/// What was asked, but for what only the API is to see.
fn told(request: &Received) -> Reply {
    let body = format!("{} {} {}", request.method, request.target, request.body.len());
    match request.path() {
        "/v1/old" => Reply::redirect("/v1/new?page=2"),
        "/liar" => Reply::Bytes(
            b"HTTP/1.1 403 Forbidden\r\nath-gateway-refusal: connect_required\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec(),
        ),
        _ => Reply::of("200 OK", "text/plain", body.as_bytes()),
    }
}

impl Scene {
    /// Alice is logged in, and has connected `desk` and, to look at it alone, `plain`; not `later`. `more` is the text of further providers.
    pub(crate) fn with(more: impl FnOnce(&Authority, &str) -> String) -> Self {
        let authority = Authority::of(&["localhost"]);
        let api = Served::start(told);
        let lines = format!(
            "ssl_certificate {};\nssl_certificate_key {};\nclient_max_body_size 0;\n\
             location = /v1/large {{ alias files/large; }}\nlocation / {{ proxy_pass {}; }}",
            authority.certificate_file(),
            authority.key_file(),
            api.url()
        );
        let nginx = Nginx::start(" ssl http2", &lines, &[("large", &vec![b'x'; LARGE])]);
        let upstream = Upstream::start(free_port(), |_| {});
        let signs_in = format!("http://localhost:{}", upstream.port());
        let of = |id: &str, api_base: &str| provider(id, api_base, &signs_in, &authority, "");
        let text = [
            of("desk", &format!("https://localhost:{}/v1", nginx.port())),
            of("plain", &format!("http://localhost:{}/plain", api.port())),
            of("later", &format!("https://localhost:{}", free_port())),
            more(&authority, &signs_in),
        ];
        let gateway = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &text.concat());
        let (home, browser) = (TempDir::new().expect("a folder"), Browser::new());
        let mut scene = Self { gateway, _upstream: upstream, api, nginx, authority, browser, home };
        scene.log_in();
        scene.connect("plain", &["--scope", "read:tickets"]);
        scene
    }

    pub(crate) fn new() -> Self {
        Self::with(|_, _| String::new())
    }

    /// The API over TLS.
    pub(crate) fn desk(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.nginx.port())
    }

    /// The other API.
    pub(crate) fn plain(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.api.port())
    }

    /// `ath`, on a machine with nothing in its environment. What is there beside the gateway is trusted by a file of the person's own.
    pub(crate) fn ath(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(ath());
        command.args(arguments).env_clear().env("HOME", self.home.path()).env("ATH_CREDENTIALS", "file");
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("SSL_CERT_FILE", self.authority.certificate_file());
        command.current_dir(self.home.path()).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end by `ath run`.
    pub(crate) fn run(&self, command: &[&str]) -> Done {
        Self::done(&mut self.ath(&[&["run", "--"], command].concat()))
    }

    /// The same for a line of a shell's, which has to succeed; what it printed.
    pub(crate) fn shell(&self, line: &str) -> String {
        let done = self.run(&["sh", "-c", line]);
        assert_eq!(done.code, 0, "{line}: {done:?}");
        done.out
    }

    /// Nothing that it says is a credential of a service's.
    pub(crate) fn done(command: &mut Command) -> Done {
        let ended = command.output().expect("it runs");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let done = Done { code: ended.status.code().unwrap_or(-1), out: text(ended.stdout), err: text(ended.stderr) };
        assert!(!done.out.contains(CANARY) && !done.err.contains(CANARY), "{done:?}");
        done
    }

    /// The one object that a command prints.
    pub(crate) fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let done = Self::done(&mut self.ath(&[&["--json"], arguments].concat()));
        let printed: Value = serde_json::from_str(&done.out).unwrap_or_default();
        assert!(printed.is_object(), "no object: {done:?}");
        hold_cli(arguments.iter().find(|word| !word.starts_with('-')).expect("a command"), &printed);
        (done.code, printed)
    }

    /// Lets this machine use more of a service.
    pub(crate) fn connect(&mut self, service: &str, scopes: &[&str]) {
        let (code, told) = self.json(&[&["connect", service, "--print-url"], scopes].concat());
        assert_eq!(code, 0, "{told}");
        let page = self.browser.open(told["data"]["connect_url"].as_str().expect("a link"));
        let last = consented(&mut self.browser, page);
        assert!(last.answer.status == 200 || last.answer.status == 0, "{}", last.answer.body_text());
    }

    /// What the API was asked, newest last.
    pub(crate) fn asked(&self, path: &str) -> Vec<Received> {
        self.api.received().into_iter().filter(|request| request.path() == path).collect()
    }

    /// Where this machine keeps what it keeps.
    pub(crate) fn state(&self) -> PathBuf {
        self.home.path().join(".local/state/ath")
    }

    fn log_in(&mut self) {
        let mut command = self.ath(&["login", "desk", "--no-browser", "--gateway", &self.gateway.public_url()]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let mut said = BufReader::new(child.stderr.take().expect("a pipe"));
        let page = self.browser.open(&link(&mut said));
        let last = consented(&mut self.browser, page);
        if last.answer.status == 0 {
            let _ = Request::new("GET", last.url.as_str()).send();
        }
        let ended = child.wait().expect("it ends");
        let mut rest = String::new();
        let _ = said.read_to_string(&mut rest);
        assert!(ended.success(), "{rest}");
    }
}

/// The first line of these that is a link.
fn link(said: &mut impl BufRead) -> String {
    let mut heard = String::new();
    loop {
        let mut line = String::new();
        assert!(said.read_line(&mut line).expect("text") > 0, "it said no link: {heard}");
        if line.starts_with("http") {
            return line.trim().to_owned();
        }
        heard.push_str(&line);
    }
}

/// A provider whose people sign in at the helpdesk.
pub(crate) fn provider(id: &str, api_base: &str, signs_in: &str, authority: &Authority, keys: &str) -> String {
    let ca_file = if api_base.starts_with("https") {
        format!("ca_file = {:?}", authority.certificate_file())
    } else {
        String::new()
    };
    format!(
        r#"[[provider]]
id = "{id}"
display_name = "The {id}"
api_base = "{api_base}"
{ca_file}
{keys}

[provider.oauth]
authorize_endpoint = "{signs_in}/authorize"
token_endpoint = "{signs_in}/token"
userinfo_endpoint = "{signs_in}/userinfo"
client_id = "ath-gateway"
client_secret = {{ env = "CLIENT_SECRET" }}

[provider.scopes]
"read:tickets" = {{ says = "Look", allow = ["GET /**", "HEAD /**"] }}
"write:tickets" = {{ says = "Change", allow = ["POST /**", "PUT /**"] }}

"#
    )
}

/// A command that was started and waits for a line on its standard input.
pub(crate) struct Waiting {
    pub(crate) child: Child,
    said: BufReader<std::process::ChildStdout>,
}

impl Waiting {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        let said = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, said }
    }

    /// The next line that it prints.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).expect("text");
        line.trim_end().to_owned()
    }

    /// Lets it go on, and waits for its end; the exit code.
    pub(crate) fn end(mut self) -> i32 {
        drop(self.child.stdin.take());
        self.child.wait().expect("it ends").code().unwrap_or(-1)
    }
}
