//! The Agentic Developer Hub: an OAuth server with habits of its own, by the TOML that stands in the documentation, word for word.

use serde_json::json;
use tests::Store;
use tests::acting::{Body, Ground, Refresh, Revoke, Street, Takes, Wants, Who};

const HUB: Wants = Wants {
    name: "hub",
    authorize: "/api/oauth/signin/start",
    token: "/api/oauth/signin/exchange",
    exchange: Body::Json,
    scopes: &["repos:read"],
    code_lifetime: 60,
    bad_verifier: (401, "invalid_verifier"),
    refresh: Refresh {
        path: "/api/auth/refresh",
        answer: r#"{"access_token":"$access","refresh_token":"$refresh","expires_in":$in,"token_type":"Bearer"}"#,
        ..Refresh::JSON
    },
    revoke: Some(Revoke { body: Body::Json, takes: Takes::Refresh, ..Revoke::at("/api/auth/revoke") }),
    who: Who::Userinfo("/api/v1/me", r#"{"id":"$id","login":"alice"}"#),
    api_path: "/api/v1",
    expired: (401, "", r#"{"error":"token_expired"}"#),
    ..Wants::STANDARD
};

/// The provider's table in the documentation, below its id.
fn documented() -> String {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/own-api.md")).expect("a page");
    let (_, rest) = page.split_once("id = \"hub\"\n").expect("the Hub's table");
    let (table, _) = rest.split_once("```").expect("its end");
    let secret = "client_secret = { file = \"/run/secrets/hub\" }";
    assert!(table.contains(secret), "{table}");
    table.replace("https://hub.example", "$base").replace(secret, "client_secret = $secret")
}

fn street() -> Street {
    let nested = Wants { name: "hub-nested", expired: (401, "", r#"{"error":{"code":"token_expired"}}"#), ..HUB };
    let table = documented();
    let with = |ground: Ground, wants| ground.with(wants, &table, &["repos:read"], ("GET", "/repos"));
    with(with(Ground::new(), HUB), nested).open(Store::Embedded)
}

#[test]
fn the_documented_table_is_all_that_the_hub_needs() {
    street().walk();
}

#[test]
fn a_verifier_that_the_hub_refuses_ends_the_consent_and_nothing_else() {
    let mut street = street();
    street.opens(0);
    street.houses[0].acting.spoil_next_challenge();
    let page = street.tries(0, 0);
    assert!(page.answer.status >= 400, "{} {}", page.url, page.answer.body_text());
    assert!(!page.says("invalid_verifier"), "{}", page.answer.body_text());
    let refusals = street.houses[0].acting.take_refusals();
    assert_eq!(refusals, ["hub: token: the verifier is not that of the challenge"]);
    let listed = street.gateway.operate_json(&["connections", "list"]);
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!(listed[0]["state"], json!("connected"));
    street.works(0, 0);
    let token = street.consents(0, 0);
    assert!(!token.is_empty());
}
