use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;
use http::{Request, Response};
use serde_json::{Value, json};

use super::*;
use crate::testing::{answer, endpoint, outside, ready, written};
use crate::{AuthorizationRequest, Provider, Settings, TransportError};
use secret::{AuthorizationCode, RefreshToken};

/// A world of pages; what is not there is 404.
struct Pages {
    /// By method and URL.
    pages: HashMap<String, Page>,
    asked: Mutex<Vec<String>>,
}

/// Status, headers and body.
type Page = (u16, Vec<(&'static str, String)>, String);

#[async_trait]
impl HttpClient for Pages {
    async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, TransportError> {
        self.asked.lock().expect("no panic elsewhere").push(written(&request));
        let found = self.pages.get(&format!("{} {}", request.method(), request.uri()));
        Ok(match found {
            Some((status, headers, body)) => {
                let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
                answer(*status, &headers, body)
            }
            None => answer(404, &[], ""),
        })
    }
}

fn pages(pages: &[(&str, u16, Option<&str>, Value)]) -> Pages {
    let pages = pages.iter().map(|(place, status, challenge, body)| {
        let headers = challenge.iter().map(|text| ("www-authenticate", (*text).to_owned())).collect();
        ((*place).to_owned(), (*status, headers, body.to_string()))
    });
    Pages { pages: pages.collect(), asked: Mutex::default() }
}

fn resource(listed: &[&str]) -> ProtectedResource {
    ProtectedResource {
        url: endpoint("https://wiki.corp.example/team/mcp"),
        plaintext: Plaintext::Refused,
        authorization_servers: listed.iter().map(|text| endpoint(text)).collect(),
        hosts: Vec::new(),
        client_auth: AuthChoice::Announced,
    }
}

fn document(server: &str) -> Value {
    json!({"resource": "https://wiki.corp.example/team/mcp", "authorization_servers": [server], "scopes_supported": ["a", "b"]})
}

const KNOCK: &str = "POST https://wiki.corp.example/team/mcp";
const AT_PATH: &str = "GET https://wiki.corp.example/.well-known/oauth-protected-resource/team/mcp";
const AT_ROOT: &str = "GET https://wiki.corp.example/.well-known/oauth-protected-resource";

fn described(listed: &[&str], world: &Pages) -> Result<Described, OAuthError> {
    ready(resource(listed).describe(world))
}

#[test]
fn the_challenge_leads_to_the_document_and_else_the_well_known_places_do() {
    let own = "https://id.corp.example/";
    let challenge =
        "Bearer error=\"x, resource_metadata=y\", resource_metadata=\"https://wiki.corp.example/about\", scope=\"r w\"";
    let world = pages(&[
        (KNOCK, 401, Some(challenge), json!(null)),
        ("GET https://wiki.corp.example/about", 200, None, document(own)),
    ]);
    let found = described(&[], &world).expect("described");
    assert_eq!((found.discovery.issuer.written(), found.scopes.join(" ").as_str()), (own, "r w"));

    for place in [AT_PATH, AT_ROOT] {
        let world = pages(&[(KNOCK, 401, Some("Bearer"), json!(null)), (place, 200, None, document(own))]);
        let found = described(&[], &world).expect("described");
        assert_eq!((found.discovery.issuer.written(), found.scopes.join(" ").as_str()), (own, "a b"), "{place}");
    }
    let found = described(&[], &pages(&[(KNOCK, 401, None, json!(null))])).expect("described");
    assert_eq!(found.discovery.issuer.written(), "https://wiki.corp.example", "as older servers have it");
    assert_eq!(found.resource, "https://wiki.corp.example/team/mcp");
}

#[test]
fn a_server_of_its_own_domain_or_of_the_list_is_asked_and_no_other() {
    let at = |server: &str, listed: &[&str]| {
        let world = pages(&[(KNOCK, 401, None, json!(null)), (AT_PATH, 200, None, document(server))]);
        described(listed, &world).map(|found| found.discovery.issuer.written().to_owned())
    };
    for server in ["https://wiki.corp.example", "https://id.corp.example/realms/x", "https://corp.example:8443"] {
        assert_eq!(at(server, &[]).expect(server), server);
    }
    let elsewhere = [
        "https://id.evil.example",
        "https://wiki.corp.example.evil.test",
        "https://example",
        "http://id.corp.example",
        "http://127.0.0.1:9",
        "http://169.254.169.254/",
        "https://10.0.0.1/",
    ];
    for server in elsewhere {
        assert_eq!(at(server, &[]).expect_err(server).reason(), "discovery_server", "{server}");
        assert_eq!(at(server, &["https://id.other.example"]).expect_err(server).reason(), "discovery_server");
    }
    assert_eq!(
        at("https://id.other.example", &["https://id.other.example"]).expect("listed"),
        "https://id.other.example"
    );
    assert!(at("https://id.other.example/", &["https://id.other.example"]).is_err(), "issuers are compared as written");
    assert_eq!(at("ftp://x", &[]).expect_err("no server").reason(), "resource_metadata_servers");
}

#[test]
fn a_challenge_sends_nobody_elsewhere() {
    for url in [
        "https://evil.example/about",
        "http://wiki.corp.example/about",
        "http://169.254.169.254/latest/meta-data",
        "https://wiki.corp.example@evil.example/",
        "file:///etc/passwd",
    ] {
        let world = pages(&[(KNOCK, 401, Some(&format!("Bearer resource_metadata=\"{url}\"")), json!(null))]);
        assert!(described(&[], &world).is_err(), "{url}");
        assert_eq!(world.asked.lock().expect("no panic elsewhere").len(), 1, "{url} was asked");
    }
}

#[test]
fn the_document_must_be_about_this_resource() {
    let about = |named: &str| {
        let document = json!({"resource": named, "authorization_servers": ["https://wiki.corp.example"]});
        described(&[], &pages(&[(KNOCK, 401, None, json!(null)), (AT_ROOT, 200, None, document)]))
    };
    for named in [
        "https://wiki.corp.example",
        "https://wiki.corp.example/",
        "https://wiki.corp.example/team",
        "https://wiki.corp.example/team/mcp/",
    ] {
        assert_eq!(about(named).expect(named).resource, named, "as the server wrote it");
    }
    for named in [
        "https://other.corp.example/team/mcp",
        "https://wiki.corp.example/te",
        "https://wiki.corp.example/team/mcp/x",
        "http://wiki.corp.example",
        "x",
    ] {
        assert_eq!(about(named).expect_err(named).reason(), "resource_metadata_resource", "{named}");
    }
}

#[test]
fn the_resource_is_named_in_every_request_for_tokens() {
    let issuer = "https://id.corp.example";
    let metadata = json!({
        "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"), "token_endpoint": format!("{issuer}/token"),
    });
    let token = json!({"access_token": "at", "token_type": "Bearer", "refresh_token": "rt"});
    let world = pages(&[
        (KNOCK, 401, None, json!(null)),
        (AT_PATH, 200, None, document(issuer)),
        ("GET https://id.corp.example/.well-known/openid-configuration", 404, None, json!(null)),
        ("GET https://id.corp.example/.well-known/oauth-authorization-server", 200, None, metadata),
        ("POST https://id.corp.example/token", 200, None, token),
    ]);
    let client = Settings::of_client("gateway", "https://gateway.example/cb");
    let provider = Provider::new(Settings { protected_resource: Some(resource(&[])), ..client });
    let outside = outside(&world);
    let request = AuthorizationRequest {
        scopes: &[],
        state: "s",
        challenge: Some("c"),
        nonce: None,
        resource: Some("https://what-an-agent-says.example"),
        dpop_jkt: None,
    };
    let url = ready(provider.authorization_url(&outside, &request)).expect("a URL");
    assert!(
        url.contains("resource=https%3A%2F%2Fwiki.corp.example%2Fteam%2Fmcp&")
            || url.ends_with("resource=https%3A%2F%2Fwiki.corp.example%2Fteam%2Fmcp"),
        "{url}"
    );
    assert!(url.contains("scope=a%20b"), "what it says it knows, where nobody says what: {url}");
    assert!(!url.contains("what-an-agent-says"), "{url}");
    ready(provider.exchange(&outside, &AuthorizationCode::new("code"), None, None)).expect("tokens");
    ready(provider.refresh(&outside, &RefreshToken::new("rt"))).expect("tokens");
    let asked = world.asked.lock().expect("no panic elsewhere");
    let tokens: Vec<&String> = asked.iter().filter(|request| request.starts_with("POST https://id.")).collect();
    assert_eq!(tokens.len(), 2);
    for request in tokens {
        assert!(request.contains("resource=https%3A%2F%2Fwiki.corp.example%2Fteam%2Fmcp"), "{request}");
    }
    assert_eq!(provider.issuer().as_deref(), Some(issuer));
}
