//! Clients and servers that this project did not write.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tests::{Agent, Browser, CANARY, Gateway, RedisServer, Request, Store, Upstream, free_port};

const PKCE: &str = "pkce = \"none\"";

pub(crate) fn script(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/clients")).join(name)
}

pub(crate) fn run(mut command: Command) -> String {
    let ended = command.env("CANARY", CANARY).output().expect("it must be installed: ./tests/run does it");
    let (said, complained) =
        (String::from_utf8_lossy(&ended.stdout).into_owned(), String::from_utf8_lossy(&ended.stderr).into_owned());
    assert!(ended.status.success(), "{said}{complained}");
    said
}

#[test]
fn the_official_python_client_completes_the_handshake() {
    let redis = RedisServer::start();
    for store in [Store::Embedded, Store::Redis(&redis)] {
        for style in ["redirect", "page", "none"] {
            let upstream = Upstream::start(free_port(), |_| {});
            let development = if style == "none" { "placeholder_codes = true\n\n" } else { "" };
            let providers = format!("{development}{}", upstream.provider(PKCE));
            let gateway = Gateway::start_with(store, upstream.gateway_port(), &providers);
            let mut command = Command::new(script(".venv/bin/python"));
            command.arg(script("ath_sdk.py")).arg(gateway.url()).arg(style);
            assert!(run(command).contains("the token is revoked"));
        }
    }
}

#[test]
fn a_person_consents_in_a_real_chromium() {
    let upstream = Upstream::start(free_port(), |_| {});
    let gateway = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &upstream.provider(PKCE));
    let mut agent = Agent::new("Ticket Helper");
    agent.register(&gateway);
    let mut request = agent.authorization(&gateway, &["read:tickets"]);
    request.as_object_mut().expect("an object").remove("user_redirect_uri");
    let begun = agent.post(&gateway, "/ath/authorize", &request);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
    std::fs::create_dir_all(&folder).expect("a folder");
    let mut command = Command::new("node");
    command.arg(script("browser.mjs")).arg(begun.text("/authorization_url")).arg(&folder);
    let said = run(command);
    let end: Value = serde_json::from_str(said.lines().last().expect("a line")).expect("JSON");
    let code = end["code"].as_str().expect("a code on the last page");
    let token = agent.exchange(&gateway, &begun.text("/ath_session_id"), code);
    assert_eq!(token.status, 200, "{}", token.body_text());
    for shot in ["01-consent.png", "04-account.png", "05-end.png"] {
        assert!(std::fs::metadata(folder.join(shot)).expect("a screenshot").len() > 1000);
    }
}

/// npm's oidc-provider, ended with the test.
pub(crate) struct OidcProvider {
    process: Child,
    port: u16,
}

impl OidcProvider {
    fn start(gateway: u16, access_ttl: &str) -> Self {
        Self::start_for(&format!("http://127.0.0.1:{gateway}/ath/callback"), access_ttl)
    }

    pub(crate) fn start_for(redirect_uri: &str, access_ttl: &str) -> Self {
        Self::start_with(redirect_uri, access_ttl, &[])
    }

    /// The same with further variables of its environment.
    pub(crate) fn start_with(redirect_uri: &str, access_ttl: &str, environment: &[(&str, &str)]) -> Self {
        let port = free_port();
        let mut process = Command::new("node")
            .arg(script("oidc_provider.mjs"))
            .args([&port.to_string(), redirect_uri])
            .env("ACCESS_TTL", access_ttl)
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node must be installed");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        assert!(line.starts_with("READY"), "{line}");
        Self { process, port }
    }

    pub(crate) fn issuer(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// The issuer of a realm, where it was started with one.
    pub(crate) fn issuer_of(&self, realm: &str) -> String {
        format!("{}/realms/{realm}", self.issuer())
    }

    fn providers(&self) -> String {
        let base = self.issuer();
        format!(
            r#"[[provider]]
id = "modern"
display_name = "Modern API"
api_base = "{base}/api"

[provider.oauth]
authorize_endpoint = "{base}/auth"
token_endpoint = "{base}/token"
userinfo_endpoint = "{base}/me"
issuer = "{base}"
client_id = "ath-gateway"
client_secret = {{ env = "CLIENT_SECRET" }}
client_auth = "basic"
authorize_parameters = {{ prompt = "consent" }}

[provider.scopes]
"openid" = {{ says = "Know who you are", allow = [] }}
"offline_access" = {{ says = "Stay connected", allow = [] }}
"api:read" = {{ says = "See your things", allow = ["GET /things", "GET /echo"] }}
"api:write" = {{ says = "Change your things", allow = ["POST /things"] }}
"#
        )
    }

    pub(crate) fn state(&self) -> Value {
        Request::new("GET", &format!("http://localhost:{}/_control/state", self.port)).send().json()
    }
}

impl Drop for OidcProvider {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An agent that alice let in at the provider `modern`, and its token.
pub(crate) fn with_consent(gateway: &Gateway, scopes: &[&str]) -> (Agent, String) {
    let mut agent = Agent::new("Ticket Helper");
    let mut registration = agent.registration(gateway);
    registration["requested_providers"] = json!([{"provider_id": "modern", "scopes": scopes}]);
    let registered = agent.post(gateway, "/ath/agents/register", &registration);
    agent.client = Some((registered.text("/client_id"), registered.text("/client_secret")));
    let mut request = agent.authorization(gateway, scopes);
    request["provider_id"] = json!("modern");
    let begun = agent.post(gateway, "/ath/authorize", &request);
    assert_eq!(begun.status, 200, "{}", begun.body_text());

    let mut browser = Browser::new();
    let page = browser.open(&begun.text("/authorization_url"));
    let page = browser.submit(&page, &[("decision", "allow")]);
    let page = browser.submit(&page, &[("login", "alice"), ("password", "x")]);
    let page = browser.submit(&page, &[("go", "on")]);
    assert!(page.says("Is this the right account?"), "{} {}", page.url, page.answer.body_text());
    let end = browser.submit(&page, &[("decision", "continue")]).parameters();
    let token = agent.exchange(gateway, &begun.text("/ath_session_id"), &end["code"]);
    assert_eq!(token.status, 200, "{}", token.body_text());
    let token = token.text("/access_token");
    (agent, token)
}

#[test]
fn a_modern_authorization_server_with_pkce_rotation_and_reuse_detection() {
    let port = free_port();
    let oidc = OidcProvider::start(port, "30");
    let gateway = Gateway::start_with(Store::Embedded, port, &oidc.providers());
    let (agent, token) = with_consent(&gateway, &["openid", "offline_access", "api:read"]);

    // Access tokens live for half a minute, less than the gateway's buffer: every call renews, and every refresh token is presented once.
    let call = |path: &str| {
        let request = Request::new("GET", &format!("{}/ath/proxy/modern{path}", gateway.url()));
        let request =
            request.header("authorization", &format!("Bearer {token}")).header("x-ath-agent-id", agent.id.as_str());
        agent.send(&request)
    };
    for _ in 0..4 {
        let things = call("/things");
        assert_eq!(things.status, 200, "{}", things.body_text());
        assert_eq!(things.text("/account"), "alice");
    }
    let echo = call("/echo");
    assert!(echo.body_text().contains("Bearer ****"), "{}", echo.body_text());
    let state = oidc.state();
    assert_eq!(state["requests"], json!({"authorization_code": 1, "refresh_token": 5, "failed": 0}));
    let received = format!("{}{}", echo.body_text(), gateway.log());
    for issued in state["issued"].as_array().expect("a list") {
        assert!(!received.contains(issued.as_str().expect("a token")), "a token of the provider's was seen");
    }
}
