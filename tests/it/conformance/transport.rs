//! Transport, discovery, and the form of every error (C001 to C007).

use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};
use tests::{Authority, Impostor, SecureSite, binary, eventually, free_port, raw};

use super::stage::{Script, Setup, Stage, refused};

on_both!(
    c001_outside_of_loopback_there_is_https_alone_and_no_tls_before_1_2,
    c002_an_upstream_whose_certificate_does_not_hold_gets_nothing,
    c005_the_discovery_document_names_the_configured_providers,
    c007_every_error_has_a_code_of_the_closed_set_with_its_status,
);

/// What `openssl s_client` makes of a server: whether it got through, and what it read.
fn s_client(port: u16, version: &str, trusted: &Authority, request: &str) -> (bool, String) {
    use std::io::Write;
    let mut client = Command::new("openssl")
        .args(["s_client", "-connect", &format!("127.0.0.1:{port}"), version, "-cipher", "ALL:@SECLEVEL=0"])
        .args(["-CAfile", &trusted.certificate_file(), "-verify_return_error", "-ign_eof", "-no_ign_eof"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl must be installed: ./tests/run does it");
    let mut input = client.stdin.take().expect("piped");
    // Where the handshake fails, nobody reads.
    let _ = input.write_all(request.as_bytes());
    let _ = input.flush();
    let ended = if request.is_empty() {
        drop(input);
        client.wait_with_output()
    } else {
        let ended = client.wait_with_output();
        drop(input);
        ended
    };
    let ended: Output = ended.expect("it ends");
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    (ended.status.success() && said.contains("Verify return code: 0 (ok)"), said)
}

/// A server that speaks whatever is old, so that a refusal by the gateway is known to be the gateway's.
struct OldServer(Child, u16);

impl OldServer {
    fn start(authority: &Authority) -> Self {
        let port = free_port();
        let process = Command::new("openssl")
            .args(["s_server", "-accept", &format!("127.0.0.1:{port}"), "-cipher", "ALL:@SECLEVEL=0", "-quiet"])
            .args(["-cert", &authority.certificate_file(), "-key", &authority.key_file()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl must be installed: ./tests/run does it");
        eventually("the old server listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self(process, port)
    }
}

impl Drop for OldServer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn c001_outside_of_loopback_there_is_https_alone_and_no_tls_before_1_2(setup: Setup) {
    let authority = Authority::of(&["127.0.0.1", "localhost"]);
    let tls =
        format!("tls = {{ cert_file = {:?}, key_file = {:?} }}", authority.certificate_file(), authority.key_file());
    let stage = Stage::with(setup, &Script { https: true, gateway: &tls, ..Script::default() });
    let old = OldServer::start(&authority);
    for version in ["-tls1", "-tls1_1"] {
        assert!(s_client(old.1, version, &authority, "").0, "the client can speak {version} where it is spoken");
    }
    for gateway in stage.all() {
        for version in ["-tls1", "-tls1_1"] {
            assert!(!s_client(gateway.port(), version, &authority, "").0, "{version}");
        }
        for version in ["-tls1_2", "-tls1_3"] {
            let request = "GET /.well-known/ath.json HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
            let (through, said) = s_client(gateway.port(), version, &authority, request);
            assert!(
                through && said.contains("HTTP/1.1 200 OK") && said.contains(&stage.public_url()),
                "{version}: {said}"
            );
        }
        let plain = raw(gateway.port(), b"GET /.well-known/ath.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "GET");
        assert_eq!((plain.status, plain.body.len()), (0, 0), "plain HTTP gets no answer where TLS is spoken");
    }
    // No configuration has the gateway, or a provider, at http on another host.
    let complaint = checked("http://gateway.example.com", "https://helpdesk.internal");
    assert!(complaint.contains("public_url") && complaint.contains("use https"), "{complaint}");
    let complaint = checked("https://gateway.example.com", "http://helpdesk.internal");
    assert!(complaint.contains("api_base") && complaint.contains("use https"), "{complaint}");
    assert_eq!(checked("https://gateway.example.com", "https://helpdesk.internal"), "");
}

/// What `ath-gateway check` complains about; nothing where all is right.
fn checked(public_url: &str, api_base: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("gateway.toml");
    let text = format!(
        "[gateway]\npublic_url = \"{public_url}\"\n[[provider]]\nid = \"helpdesk\"\napi_base = \"{api_base}\"\n\
         [provider.oauth]\nauthorize_endpoint = \"https://helpdesk.internal/authorize\"\n\
         token_endpoint = \"https://helpdesk.internal/token\"\nclient_id = \"x\"\n\
         [provider.scopes]\n\"read\" = {{ says = \"Read\", allow = [\"GET /things\"] }}\n"
    );
    std::fs::write(&path, text).expect("written");
    let ended = Command::new(binary()).args(["check", "--config"]).arg(&path).output().expect("it runs");
    if ended.status.success() {
        return String::new();
    }
    assert_eq!(ended.status.code(), Some(2));
    String::from_utf8_lossy(&ended.stderr).into_owned()
}

/// A provider whose `field` leads to a site with its own certificate.
fn secured(field: &'static str, site: &SecureSite, trusted: Option<&Authority>) -> impl FnOnce(&str) -> String {
    let port = site.port;
    let ca = trusted.map(|authority| format!("ca_file = {:?}\n", authority.certificate_file())).unwrap_or_default();
    move |providers| {
        let line = providers.lines().find(|line| line.starts_with(field)).expect("the field is there").to_owned();
        let path = if field == "token_endpoint" { "/token" } else { "" };
        let providers = providers.replacen(&line, &format!("{field} = \"https://localhost:{port}{path}\""), 1);
        let first = providers.find("display_name").expect("the field is there");
        format!("{}{ca}{}", &providers[..first], &providers[first..])
    }
}

fn c002_an_upstream_whose_certificate_does_not_hold_gets_nothing(setup: Setup) {
    let right = Authority::of(&["localhost"]);
    let other = Authority::of(&["other.test"]);
    for (served, trusted, reached) in [
        (&right, None, false),
        (&right, Some(&other), false),
        (&other, Some(&other), false),
        (&right, Some(&right), true),
    ] {
        let site = SecureSite::start(served);
        let stage = Stage::before(setup, &Script::default(), |_| {}, secured("api_base", &site, trusted));
        let agent = stage.agent();
        let token = stage.token(&agent, &["read:tickets"]);
        for _ in stage.all() {
            let answer = stage.call(&agent, &token, "GET", "/tickets");
            if reached {
                assert_eq!((answer.status, answer.json()), (200, json!({"secure": true})));
            } else {
                assert_eq!(answer.refusal(), refused(502, "OAUTH_ERROR"));
            }
        }
        assert_eq!(site.requests() > 0, reached);
    }
    // The token endpoint, too: no code goes there.
    let site = SecureSite::start(&right);
    let stage = Stage::before(setup, &Script::default(), |_| {}, secured("token_endpoint", &site, None));
    let agent = stage.agent();
    let (link, session) = agent.authorize(stage.next(), &["read:tickets"]);
    let mut browser = stage.browser();
    let page = browser.sign_in(&link);
    assert_eq!(browser.submit(&page, &[("decision", "allow")]).answer.status, 502);
    assert_eq!(agent.exchange(stage.next(), &session, "code").refusal(), refused(502, "OAUTH_ERROR"));
    assert_eq!(site.requests(), 0);
}

fn c005_the_discovery_document_names_the_configured_providers(setup: Setup) {
    let stage = Stage::new(setup);
    let mut documents = Vec::new();
    for gateway in stage.all() {
        let found = gateway.request("GET", "/.well-known/ath.json").send();
        assert_eq!(found.status, 200);
        assert_eq!(found.header("content-type"), Some("application/json"));
        documents.push(found.json());
    }
    assert!(documents.windows(2).all(|pair| pair[0] == pair[1]), "all replicas say the same");
    let found = &documents[0];
    assert_eq!(found["ath_version"], "0.1");
    assert_eq!(found["gateway_id"], json!(stage.public_url()));
    let providers = found["supported_providers"].as_array().expect("a list");
    let ids: Vec<&Value> = providers.iter().map(|provider| &provider["provider_id"]).collect();
    assert_eq!(ids, ["helpdesk", "other"]);
    assert_eq!(providers[0]["display_name"], "Acme Helpdesk");
    assert_eq!(providers[0]["available_scopes"], json!(["read:tickets", "write:tickets"]));
    assert_eq!(providers[1]["available_scopes"], json!(["read:tickets"]));
    for provider in providers {
        assert_eq!(provider["auth_mode"], "OAUTH2");
        assert_eq!(provider["agent_approval_required"], true);
        assert!(provider["categories"].is_array());
    }
}

fn c007_every_error_has_a_code_of_the_closed_set_with_its_status(setup: Setup) {
    let stage = Stage::new(setup);
    let mut agent = Impostor::new();
    assert_eq!(agent.register(stage.next()).status, 201);
    let honest = stage.agent();
    let token = stage.token(&honest, &["read:tickets"]);
    let public = stage.public_url();
    let fresh = || agent.attest(&public);
    let for_token = || agent.attest(&stage.token_url());
    let (id, secret) = agent.client();
    let post = |path: &str, body: &Value| stage.next().request("POST", path).json(body).send();
    let proxy = |token: &str, headers: &[(&str, &str)], path: &str| {
        let request = stage.next().request("GET", path).header("authorization", &format!("Bearer {token}"));
        headers.iter().fold(request, |request, (name, value)| request.header(name, value)).send()
    };
    let authorize = |change: &dyn Fn(&mut Value)| {
        let mut body = json!({
            "client_id": id, "agent_attestation": fresh(), "provider_id": "helpdesk", "scopes": ["read:tickets"], "state": "s",
        });
        change(&mut body);
        post("/ath/authorize", &body)
    };
    let exchange = |change: &dyn Fn(&mut Value)| {
        let mut body = json!({
            "grant_type": "authorization_code", "client_id": id, "client_secret": secret, "code": "c",
            "agent_attestation": for_token(), "ath_session_id": "ath_sess_none",
        });
        change(&mut body);
        post("/ath/token", &body)
    };
    let own = [("x-ath-agent-id", honest.id.as_str())];
    let provoked = [
        (post("/ath/agents/register", &json!({})), 401, "INVALID_ATTESTATION"),
        (post("/ath/agents/register", &agent.registration(&fresh())), 409, "CONFLICT"),
        (authorize(&|body| body["client_id"] = json!("ath_none")), 403, "AGENT_NOT_REGISTERED"),
        (authorize(&|body| body["agent_attestation"] = json!("x")), 401, "INVALID_ATTESTATION"),
        (authorize(&|body| body["provider_id"] = json!("other")), 403, "PROVIDER_NOT_APPROVED"),
        (authorize(&|body| body["scopes"] = json!(["write:tickets"])), 403, "SCOPE_NOT_APPROVED"),
        (authorize(&|body| body["state"] = json!("")), 400, "STATE_MISMATCH"),
        (exchange(&|_| {}), 400, "SESSION_NOT_FOUND"),
        (exchange(&|body| body["client_secret"] = json!("x")), 401, "AGENT_NOT_REGISTERED"),
        (exchange(&|body| body["agent_attestation"] = json!("x")), 401, "INVALID_ATTESTATION"),
        (post("/ath/revoke", &json!({"token": "x"})), 401, "AGENT_NOT_REGISTERED"),
        (stage.next().request("GET", &format!("/ath/agents/{id}")).send(), 401, "AGENT_NOT_REGISTERED"),
        (stage.next().request("GET", "/ath/proxy/helpdesk/tickets").send(), 401, "TOKEN_INVALID"),
        (proxy("ath_tk_none", &own, "/ath/proxy/helpdesk/tickets"), 401, "TOKEN_INVALID"),
        (proxy(&token, &[], "/ath/proxy/helpdesk/tickets"), 403, "AGENT_IDENTITY_MISMATCH"),
        (proxy(&token, &own, "/ath/proxy/other/tickets"), 403, "PROVIDER_MISMATCH"),
        (proxy(&token, &own, "/ath/proxy/helpdesk/admin"), 403, "SCOPE_NOT_APPROVED"),
    ];
    for (answer, status, code) in provoked {
        assert_eq!(answer.refusal(), refused(status, code), "{}", answer.body_text());
        let body = answer.json();
        let members: Vec<&String> = body.as_object().expect("an object").keys().collect();
        assert_eq!(members, ["code", "details", "message"], "{body}");
    }
    // What is not even a request of the protocol's has the same form.
    for (method, path, body) in [
        ("POST", "/ath/authorize", "{"),
        ("POST", "/ath/token", "[]"),
        ("POST", "/ath/token", "grant_type=authorization_code"),
        ("PUT", "/ath/token", "{}"),
        ("GET", "/ath/unheard-of", ""),
        ("POST", "/ath/proxy", ""),
    ] {
        let answer = stage.next().request(method, path).body(body.as_bytes().to_vec()).send();
        assert!((400..500).contains(&answer.refusal().0), "{method} {path}: {}", answer.status);
    }
}
