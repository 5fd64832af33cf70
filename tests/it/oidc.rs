//! npm's oidc-provider, known by its issuer alone: endpoints from its metadata, a client that signs, revocation, and metadata that moves.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::acting::{Ground, Wants};
use tests::{Agent, Answer, CANARY, Gateway, Reply, Request, Served, Store, free_port};

use crate::clients::{OidcProvider, with_consent};

const SCOPES: &str = "[provider.scopes]\n\"openid\" = { says = \"Know who you are\", allow = [] }\n\
                      \"api:read\" = { says = \"See your things\", allow = [\"GET /things\"] }\n";

/// A gateway in front of it, told nothing but this, and an agent with alice's consent.
struct Scene {
    gateway: Gateway,
    oidc: OidcProvider,
    agent: Agent,
    token: String,
}

impl Scene {
    fn start(environment: &[(&str, &str)], oauth: &str) -> Self {
        let port = free_port();
        let redirect_uri = format!("http://127.0.0.1:{port}/ath/callback");
        // Half a minute is less than the gateway's buffer: every call renews.
        let oidc = OidcProvider::start_with(&redirect_uri, "30", environment);
        let issuer = oidc.issuer();
        let text = format!(
            "[[provider]]\nid = \"modern\"\napi_base = \"{issuer}/api\"\n\n[provider.oauth]\nissuer = \"{issuer}\"\ndiscovery = true\n\
             client_id = \"ath-gateway\"\n{oauth}\n\n{SCOPES}"
        );
        let gateway = Gateway::start_with(Store::Embedded, port, &text);
        let (agent, token) = with_consent(&gateway, &["openid", "api:read"]);
        Self { gateway, oidc, agent, token }
    }

    fn call(&self) -> Answer {
        let request = Request::new("GET", &format!("{}/ath/proxy/modern/things", self.gateway.url()));
        let request = request.header("authorization", &format!("Bearer {}", self.token));
        self.agent.send(&request.header("x-ath-agent-id", self.agent.id.as_str()))
    }

    /// Calls and renewals work, and so does giving everything back.
    fn holds(&self) {
        for _ in 0..3 {
            let things = self.call();
            assert_eq!((things.status, things.text("/account")), (200, "alice".to_owned()), "{}", things.body_text());
        }
        let state = self.oidc.state();
        assert_eq!(state["requests"]["authorization_code"], json!(1), "{state}");
        assert!(state["requests"]["refresh_token"].as_u64().is_some_and(|renewed| renewed >= 3), "{state}");
        assert_eq!(state["requests"]["failed"], json!(0), "{state}");
        let done = self.gateway.operate(&["connections", "revoke", "--provider", "modern"]);
        assert!(done.said.contains("1 done, 0 waiting, 0 failing"), "{}{}", done.said, done.complained);
        assert!(self.oidc.state()["revoked"].as_u64().is_some_and(|revoked| revoked >= 1), "{}", self.oidc.state());
        let log = self.gateway.log();
        for issued in state["issued"].as_array().expect("a list") {
            assert!(!log.contains(issued.as_str().expect("a token")), "a token of the provider's was logged");
        }
    }
}

#[test]
fn the_issuer_says_everything_else() {
    Scene::start(&[], "client_secret = { env = \"CLIENT_SECRET\" }").holds();
}

fn openssl(arguments: &[&str]) {
    let ended =
        Command::new("openssl").args(arguments).output().expect("openssl must be installed: ./tests/run does it");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
}

/// A private key, and its public half.
fn keys(folder: &Path, kind: &[&str]) -> (PathBuf, PathBuf) {
    let (private, public) = (folder.join("private.pem"), folder.join("public.pem"));
    let path = |path: &Path| path.display().to_string();
    openssl(&[&["genpkey", "-out", &path(&private)], kind].concat());
    openssl(&["pkey", "-in", &path(&private), "-pubout", "-out", &path(&public)]);
    (private, public)
}

#[test]
fn a_client_that_signs_has_no_secret() {
    let kinds: [(&str, &[&str]); 3] = [
        ("RS256", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
        ("ES256", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
        ("EdDSA", &["-algorithm", "ED25519"]),
    ];
    for (algorithm, kind) in kinds {
        let folder = TempDir::new().expect("a folder");
        let (private, public) = keys(folder.path(), kind);
        let oauth = format!(
            "client_auth = \"private_key_jwt\"\nclient_key = {{ file = \"{}\" }}\nclient_key_id = \"k-1\"",
            private.display()
        );
        let public = public.display().to_string();
        Scene::start(&[("CLIENT_KEY", &public), ("CLIENT_ALG", algorithm)], &oauth).holds();
    }
}

/// A day later the metadata names another host: tokens go where they always went, and the log says that somebody has to look.
#[test]
fn metadata_that_moves_is_not_heeded() {
    let wants = Wants { name: "moving", scopes: &["read"], issuer: Some(""), lifetime: Some(600), ..Wants::STANDARD };
    let toml = "api_base = \"$base/api\"\n\n[provider.oauth]\ncallback = \"own\"\nissuer = \"$base\"\ndiscovery = true\nclient_id = \"ath-gateway\"\n\
                client_secret = $secret\n\n[provider.scopes]\nread = { says = \"Look\", allow = [\"GET /things\"] }\n";
    let mut street = Ground::new().with(wants, toml, &["read"], ("GET", "/things")).open(Store::Embedded);
    street.opens(0);
    let (base, evil) = (street.houses[0].acting.url().to_owned(), Served::start(|_| Reply::json(&json!({}))));
    let moved: Value = json!({
        "issuer": base, "authorization_endpoint": format!("{}/authorize", evil.url()), "token_endpoint": format!("{}/token", evil.url()),
        "userinfo_endpoint": format!("{}/userinfo", evil.url()), "revocation_endpoint": format!("{}/revoke", evil.url()),
    });
    street.houses[0].acting.answer_instead("/.well-known/openid-configuration", Some(Reply::json(&moved)));
    street.forward(2 * 86400);
    for agent in 0..2 {
        street.works(0, agent);
    }
    assert!(!street.houses[0].acting.presentations().is_empty(), "it was renewed where it always was");
    assert!(evil.received().is_empty(), "{:?}", evil.received());
    assert!(!street.gateway.log().contains(CANARY));
}
