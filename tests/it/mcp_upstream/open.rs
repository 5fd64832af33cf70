//! Servers that want no token: the gateway is their only door.

use serde_json::json;

use super::{Scene, Server, call, messages, text};

#[test]
fn the_everything_server_of_npm_becomes_protected() {
    let scene = Scene::open(|_| Server::everything());
    let anybody = scene.one.request("POST", "/wiki/mcp").json(&super::initialize()).send();
    assert_eq!(anybody.status, 401, "{}", anybody.body_text());
    for program in ["sdk1.mjs", "sdk.py"] {
        let mut client = scene.client(program, if program == "sdk.py" { &["--era", "legacy"] } else { &[] });
        client.does("connect", &json!({}));
        let tools = client.does("list", &json!({}));
        assert!(tools.to_string().contains("\"echo\""), "{tools}");
        let echo = client.does("call", &json!({"name": "echo", "arguments": {"message": "hello"}}));
        assert!(text(&echo).contains("hello"), "{echo}");
    }
    let (_client, token) = scene.caller("use");
    let session = scene.session(&token);
    let mut slow = call(3, "trigger-long-running-operation", &json!({"duration": 1, "steps": 2}));
    slow["params"]["_meta"] = json!({"progressToken": "p"});
    let answer = scene.post(&token, Some(&session), &slow);
    let said = messages(&answer);
    let progress = said.iter().filter(|message| message["method"] == "notifications/progress").count();
    assert_eq!(progress, 2, "{said:?}");
    assert_eq!(said.last().map(|last| &last["id"]), Some(&json!(3)), "{said:?}");
    let request = scene.one.request("DELETE", "/wiki/mcp").header("authorization", &format!("Bearer {token}"));
    assert_eq!(request.header("mcp-session-id", &session).send().status, 200);
}

#[test]
fn a_server_without_sessions_or_tokens_is_as_well() {
    let scene = Scene::open(|front| Server::wiki(front, &["open"]));
    for (program, era) in [("client2.mjs", "2026-07-28"), ("sdk.py", "2026-07-28"), ("sdk.py", "legacy")] {
        let mut client = scene.client(program, &["--era", era]);
        client.does("connect", &json!({}));
        let who = client.does("call", &json!({"name": "whoami", "arguments": {}}));
        assert_eq!(text(&who), "nobody", "{program} {era}: no token of anybody's goes there");
    }
    let seen = scene.server.control("look");
    for request in seen["seen"].as_array().expect("a list") {
        assert_eq!(request["headers"]["authorization"], json!(""), "{request}");
    }
    let mut server = scene.server;
    let _ = server.process.kill();
    let _ = server.process.wait();
    let (mut client, token) = {
        let mut client = tests::OAuthClient::register(&scene.one);
        client.resource = format!("{}/wiki/mcp", scene.one.public_url());
        "use".clone_into(&mut client.scope);
        let (token, _) = client.tokens(&scene.one);
        (client, token)
    };
    let refused = Scene::post_by(&scene.one, &token, None, &call("x", "whoami", &json!({})));
    let said = refused.json();
    assert_eq!((refused.status, &said["id"]), (502, &json!("x")), "{said}");
    assert_eq!(said["error"]["data"]["code"], "upstream_unreachable", "{said}");
    client.scope.clear();
}
