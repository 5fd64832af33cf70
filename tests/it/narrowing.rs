//! What a provider takes back with a renewal is gone at once, for tokens that are out as well.

use serde_json::json;
use tests::{Agent, Browser, CANARY, Gateway, Received, Reply, Served, Store, free_port};

/// Grants both scopes for a code, and after that one of them with each refresh; its tokens are always about to expire.
fn provider() -> Served {
    Served::start(|received: &Received| match received.path() {
        "/authorize" => {
            let back = received.query("redirect_uri").expect("a redirect URI");
            Reply::redirect(&format!("{back}?code=code-1&state={}", received.query("state").expect("a state")))
        }
        "/token" if String::from_utf8_lossy(&received.body).contains("grant_type=authorization_code") => {
            tokens("read write")
        }
        "/token" => tokens("read"),
        _ => Reply::json(&json!({"done": true})),
    })
}

fn tokens(scope: &str) -> Reply {
    Reply::json(&json!({
        "access_token": format!("{CANARY}at"), "refresh_token": format!("{CANARY}rt"), "token_type": "Bearer", "expires_in": 30, "scope": scope,
    }))
}

#[test]
fn a_renewal_that_brings_less_takes_it_from_live_tokens_at_once() {
    let served = provider();
    let base = served.url();
    let table = format!(
        "[[provider]]\nid = \"helpdesk\"\napi_base = \"{base}/api\"\n[provider.oauth]\nauthorize_endpoint = \"{base}/authorize\"\n\
         token_endpoint = \"{base}/token\"\nclient_id = \"gw\"\n[provider.scopes]\n\
         read = {{ says = \"Look\", allow = [\"GET /things\"] }}\nwrite = {{ says = \"Change\", allow = [\"POST /things\"] }}\n"
    );
    let gateway = Gateway::start_with(Store::Embedded, free_port(), &table);
    let mut agent = Agent::new("Ticket Helper");
    agent.register_for(&gateway, &["read", "write"]);
    let (link, session) = agent.authorize(&gateway, &["read", "write"]);
    let mut browser = Browser::new();
    let page = browser.open(&link);
    let page = browser.submit(&page, &[("decision", "allow")]);
    let end = browser.submit(&page, &[("decision", "continue")]).parameters();
    let answer = agent.exchange(&gateway, &session, &end["code"]);
    assert_eq!(answer.json()["scope_intersection"]["effective"], json!(["read", "write"]));
    let token = answer.text("/access_token");

    let write = |agent: &Agent| agent.send(&agent.call(&gateway, &token, "POST", "/things").json(&json!({})));
    let refused = (403, "SCOPE_NOT_APPROVED".to_owned());
    assert_eq!(write(&agent).refusal(), refused, "the renewal on its way takes it");
    assert_eq!(write(&agent).refusal(), refused, "and it stays so");
    assert_eq!(agent.send(&agent.call(&gateway, &token, "GET", "/things")).status, 200, "the rest goes on");
    let posted =
        served.received().into_iter().filter(|one| one.method == "POST" && one.path() == "/api/things").count();
    assert_eq!(posted, 0, "nothing was sent with it");
}
