//! Clients of npm and `PyPI`, unmodified, before a provider with PKCE and one that refuses its parameters.

use std::process::Command;

use helpdesk::Pkce;
use serde_json::Value;
use tests::{Gateway, RedisServer, Store, Upstream, free_port};

use crate::clients::{run, script};

/// What each of them did, in this order.
const STEPS: [&str; 10] = [
    "challenge",
    "discovery",
    "registration",
    "authorization",
    "token",
    "call",
    "refresh",
    "introspection",
    "revocation",
    "refused",
];

/// One gateway, and behind it a provider of each kind: `/modern` wants PKCE, `/legacy` refuses whoever speaks of it.
pub(super) struct Street {
    pub(super) gateway: Gateway,
    modern: Upstream,
    legacy: Upstream,
}

impl Street {
    pub(super) fn open(store: Store<'_>) -> Self {
        let port = free_port();
        let modern = Upstream::start(port, |settings| settings.pkce = Pkce::Required);
        let legacy = Upstream::start(port, |settings| settings.pkce = Pkce::Rejected);
        let text = provider(&modern, "modern", "s256") + &provider(&legacy, "legacy", "none");
        let gateway = Gateway::start_with(store, port, &text);
        Self { gateway, modern, legacy }
    }
}

fn provider(upstream: &Upstream, id: &str, pkce: &str) -> String {
    let text = upstream.provider(&format!("pkce = \"{pkce}\""));
    let (first, _) = text.split_once("\n[[provider]]").expect("two providers");
    first.replace("id = \"helpdesk\"", &format!("id = \"{id}\"")).replace("/helpdesk", &format!("/{id}"))
}

fn completes(program: &str, further: &[&str]) {
    let redis = RedisServer::start();
    let street = Street::open(Store::Redis(&redis));
    for (path, upstream) in [("/modern", &street.modern), ("/legacy", &street.legacy)] {
        let mut command = match program.rsplit_once('.').expect("an ending").1 {
            "py" => Command::new(script(".venv/bin/python")),
            _ => Command::new("node"),
        };
        command.arg(script(program)).arg(street.gateway.url()).arg(path);
        let said = run(command);
        let report: Value = serde_json::from_str(said.lines().last().expect("a report")).expect("JSON");
        let expected = [&STEPS, further].concat();
        assert_eq!(report["steps"], serde_json::json!(expected), "{program} at {path}");
        assert!(report["bytes"].as_u64().is_some_and(|bytes| bytes > 2000), "{report}");
        assert!(upstream.helpdesk.counters().token_requests.authorization_code >= 1, "{path} was asked itself");
    }
}

#[test]
fn openid_client() {
    completes("oauth_openid_client.mjs", &["identity"]);
}

#[test]
fn oauth4webapi() {
    completes("oauth_oauth4webapi.mjs", &["signing"]);
}

#[test]
fn the_oauth_half_of_the_mcp_sdk() {
    completes("oauth_mcp_sdk.mjs", &["orchestration"]);
}

#[test]
fn authlib() {
    completes("oauth_authlib.py", &[]);
}

#[test]
fn requests_oauthlib() {
    completes("oauth_requests.py", &[]);
}
