//! What every client lives through before a server that has an authorization server of its own.

use serde_json::json;
use tests::Puppet;

use super::{Scene, text};

fn lives(program: &str, options: &[&str], expects_sessions: bool) {
    let scene = Scene::wiki();
    let mut client = scene.client(program, options);
    client.does("connect", &json!({}));
    let tools = client.does("list", &json!({}));
    assert_eq!(scene.person.logins(), 1, "{:?}", scene.person.opened());
    assert!(tools.to_string().contains("read_page"), "the server's own tools: {tools}");
    assert_eq!(called(&mut client, "whoami"), "person-1", "by the token of whoever has agreed");
    let page = client.does("call", &json!({"name": "read_page", "arguments": {"title": "bees"}}));
    assert_eq!(text(&page), "All about bees.");
    let masked = called(&mut client, "read_token");
    assert!(masked.contains("****") && masked.ends_with(" all along."), "{masked}");

    // The server takes its tokens back before their time: one refresh, and the call is made.
    scene.server.control("expire");
    assert_eq!(called(&mut client, "whoami"), "person-1");

    // It takes the refresh tokens, too: the person is asked, and the same program goes on.
    scene.server.control("revoke");
    let missing = client.does("call", &json!({"name": "whoami", "arguments": {}}));
    assert_eq!(missing["isError"], json!(true), "{missing}");
    let said = text(&missing);
    let link = said.split_whitespace().find(|word| word.starts_with("http")).expect("a link");
    assert!(said.ends_with("then call again."), "{said}");
    scene.server.control("same");
    scene.person.follow(link);
    assert_eq!(called(&mut client, "whoami"), "person-1", "whom the server's own page has signed in again");

    let told = scene.server.control("look");
    for resource in told["resources"].as_array().expect("a list") {
        assert_eq!(resource, &json!(scene.server.url()), "tokens are asked for this server (RFC 8707)");
    }
    let seen = told["seen"].as_array().expect("a list");
    let sessions = seen.iter().filter(|request| request["headers"]["mcp-session-id"].is_string()).count();
    assert_eq!(sessions > 0, expects_sessions, "{seen:#?}");
    for request in seen.iter().filter(|request| request["headers"].is_object()) {
        let headers = request["headers"].as_object().expect("headers");
        for name in ["cookie", "origin", "x-ath-agent-id", "x-forwarded-for"] {
            assert!(!headers.contains_key(name), "{request}");
        }
        let authorization = headers["authorization"].as_str().expect("text");
        assert!(matches!(authorization, "" | "Bearer at-"), "{request}");
    }
    // Nobody was led to the server's own authorization server, and no refusal of the server's came through.
    let heard = scene.wire.answered();
    assert!(!heard.contains(&format!("127.0.0.1:{}/.well-known", scene.server.port)), "the server's own metadata");
    let challenges = heard.to_lowercase().matches("www-authenticate:").count();
    let own = heard.matches("/.well-known/oauth-protected-resource/wiki/mcp").count();
    assert!(challenges >= 1 && own >= challenges, "{challenges} {own}");
}

fn called(client: &mut Puppet, tool: &str) -> String {
    let result = client.does("call", &json!({"name": tool, "arguments": {}}));
    assert_ne!(result["isError"], json!(true), "{result}");
    text(&result)
}

#[test]
fn mcp_of_pypi_with_sessions() {
    lives("sdk.py", &["--era", "legacy"], true);
}

#[test]
fn mcp_of_pypi_without_sessions() {
    lives("sdk.py", &["--era", "2026-07-28"], false);
}

#[test]
fn the_sdk_of_npm_1() {
    lives("sdk1.mjs", &[], true);
}

#[test]
fn the_client_of_npm_2() {
    lives("client2.mjs", &["--era", "2026-07-28"], false);
}
