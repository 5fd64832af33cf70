//! The door for all services: one login, the tools of each, and a link where a service has not been consented to yet.

use serde_json::{Value, json};
use tests::Puppet;

use super::{Client, Scene, names, text, went_well};

fn tool(name: &str, arguments: &Value) -> Value {
    json!({"name": name, "arguments": arguments})
}

fn state(services: &Value, id: &str) -> String {
    let list = services["structuredContent"]["services"].as_array().expect("a list");
    let service = list.iter().find(|service| service["id"] == json!(id)).expect("it is there");
    service["state"].as_str().expect("a state").to_owned()
}

fn reaches_all(client: &Client) {
    let scene = Scene::open();
    let mut puppet: Puppet = scene.client(client, "/mcp");
    puppet.does("connect", &json!({}));
    let tools = puppet.does("list", &json!({}));
    assert_eq!(tools, puppet.does("list", &json!({})), "the same list in the same order");
    let listed = names(&tools);
    for name in ["helpdesk_read", "helpdesk_write", "other_read", "other_write", "ath_services", "ath_connect"] {
        assert!(listed.iter().any(|listed| listed == name), "{name}: {listed:?}");
    }
    assert!(scene.wire.said().contains("/.well-known/oauth-protected-resource/mcp"), "it discovers what it needs");

    let tickets = puppet.does("call", &tool("helpdesk_read", &json!({"path": "/tickets"})));
    assert_eq!(went_well(&tickets)["structuredContent"]["status"], json!(200), "{tickets}");
    let services = puppet.does("call", &tool("ath_services", &json!({})));
    assert_eq!((state(&services, "helpdesk"), state(&services, "other")), ("connected".into(), "not_connected".into()));

    let missing = puppet.does("call", &tool("other_read", &json!({"path": "/tickets"})));
    assert_eq!(missing["isError"], json!(true), "{missing}");
    assert_eq!(missing["structuredContent"]["code"], json!("connect_required"), "{missing}");
    let link = missing["structuredContent"]["connect_url"].as_str().expect("a link").to_owned();
    assert!(link.starts_with(&scene.url("/")) && text(&missing).contains(&link), "{missing}");
    let offered = puppet.does("call", &tool("ath_connect", &json!({"service": "other"})));
    assert!(text(went_well(&offered)).contains(&scene.url("/")), "{offered}");

    let page = scene.person.follow(&link);
    assert_eq!(page.answer.status, 200, "{} {}", page.url, page.answer.body_text());
    let tickets = puppet.does("call", &tool("other_read", &json!({"path": "/tickets"})));
    assert_eq!(went_well(&tickets)["structuredContent"]["status"], json!(200), "{tickets}");
    let services = puppet.does("call", &tool("ath_services", &json!({})));
    assert_eq!(state(&services, "other"), "connected");
    assert_eq!(scene.person.logins(), 1, "one login for all: {:?}", scene.person.opened());

    // What was consented to there is all that can be done there.
    let write =
        json!({"method": "POST", "path": "/tickets", "body": {"title": "x", "team": "platform", "priority": "p2"}});
    let refused = puppet.does("call", &tool("other_write", &write));
    assert_eq!(refused["isError"], json!(true), "{refused}");
}

#[test]
fn modelcontextprotocol_client_2() {
    reaches_all(&Client { program: "client2.mjs", options: &["--era", "2026-07-28"] });
}

#[test]
fn modelcontextprotocol_sdk_1() {
    reaches_all(&Client { program: "sdk1.mjs", options: &[] });
}

#[test]
fn mcp_of_pypi() {
    reaches_all(&Client { program: "sdk.py", options: &["--era", "auto"] });
}

#[test]
fn fastmcp() {
    reaches_all(&Client { program: "fast.py", options: &["--era", "legacy"] });
}

#[test]
fn inspector() {
    reaches_all(&Client { program: "inspector.mjs", options: &["--era", "modern"] });
}
