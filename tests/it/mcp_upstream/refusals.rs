//! What a client is told at the door of an MCP server, whose words it is told in, and what of it reaches the server.

use serde_json::{Value, json};
use tests::{Answer, OAuthClient, Reply, Served, Store, free_port};

use super::{Scene, call, messages};

/// A server that takes every token and answers as it is asked to by the tool's name.
fn odd() -> Served {
    Served::start(|request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        match body["params"]["name"].as_str() {
            Some("read_forbidden") => Reply::of("403 Forbidden", "application/json", b"{}"),
            Some("read_more") => Reply::Bytes(
                b"HTTP/1.1 403 Forbidden\r\nwww-authenticate: Bearer error=\"insufficient_scope\", scope=\"admin\"\r\ncontent-length: 0\r\n\r\n"
                    .to_vec(),
            ),
            Some("read_elsewhere") => Reply::redirect("/mcp/"),
            Some("read_unauthorized") => Reply::Bytes(
                b"HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Bearer resource_metadata=\"http://evil.test/\"\r\ncontent-length: 0\r\n\r\n"
                    .to_vec(),
            ),
            _ => Reply::json(&json!({"jsonrpc": "2.0", "id": body["id"], "result": {"content": []}})),
        }
    })
}

/// A gateway before it, and a token for the door.
fn before(server: &Served, credential: &str) -> (tests::Gateway, OAuthClient, String) {
    let url = format!("{}/mcp", server.url());
    let text = format!("[[provider]]\nid = \"wiki\"\nmcp = \"{url}\"\n{credential}\n{}", super::SCOPES);
    let gateway = tests::Gateway::start_with(Store::Embedded, free_port(), &text);
    let mut client = OAuthClient::register(&gateway);
    "use".clone_into(&mut client.scope);
    client.resource = format!("{}/wiki/mcp", gateway.public_url());
    let (token, _) = client.tokens(&gateway);
    (gateway, client, token)
}

fn refused(answer: &Answer, id: &Value) -> Value {
    assert!(answer.header("www-authenticate").is_none(), "{:?}", answer.headers);
    let said = answer.json();
    assert_eq!(&said["id"], id, "{said}");
    let result = &said["result"]["_meta"]["ath-gateway/refusal"];
    if result.is_object() { result.clone() } else { said["error"]["data"].clone() }
}

#[test]
fn a_tool_that_no_scope_allows_is_a_result_that_says_which_would() {
    let scene = Scene::wiki();
    let (_client, token) = scene.caller("use");
    let session = scene.session(&token);
    let answer = scene.post(&token, Some(&session), &call("w", "write_page", &json!({"title": "x"})));
    assert_eq!((answer.status, &answer.json()["result"]["isError"]), (200, &json!(true)), "{}", answer.body_text());
    let about = refused(&answer, &json!("w"));
    assert_eq!((&about["code"], &about["wanted_scopes"]), (&json!("insufficient_scope"), &json!(["edit"])), "{about}");
    let seen = scene.server.control("look");
    assert!(!seen["seen"].to_string().contains("wrote"), "it did not reach the server");
    let unknown = json!({"jsonrpc": "2.0", "id": 8, "method": "resources/read", "params": {"uri": "x:y"}});
    let answer = scene.post(&token, Some(&session), &unknown);
    assert_eq!((answer.status, &answer.json()["id"]), (200, &json!(8)), "{}", answer.body_text());
    assert!(answer.json()["error"]["data"]["code"].is_string(), "{}", answer.body_text());
}

#[test]
fn what_the_server_says_of_its_tokens_stays_here() {
    let server = odd();
    let (gateway, _client, token) = before(&server, "credential = \"none\"");
    for (tool, reason) in [
        ("read_forbidden", "upstream_refused"),
        ("read_more", "operators_key_refused"),
        ("read_elsewhere", "upstream_redirects"),
        ("read_unauthorized", "operators_key_refused"),
    ] {
        let answer = Scene::post_by(&gateway, &token, None, &call(tool, tool, &json!({})));
        assert!(!matches!(answer.status, 301..=308 | 401 | 403), "{tool}: {}", answer.status);
        let about = refused(&answer, &json!(tool));
        assert_eq!(about["reason"], json!(reason), "{tool}: {about}");
        assert!(!answer.body_text().contains("evil.test"), "{tool}");
    }
}

#[test]
fn headers_of_the_protocol_go_on_and_no_others() {
    let server = odd();
    let (gateway, _client, token) = before(&server, "credential = \"none\"");
    let request = gateway.request("POST", "/wiki/mcp/").json(&call(1, "read_page", &json!({"token": "t"})));
    let request = request.header("authorization", &format!("Bearer {token}"));
    let sent = [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "read_page"),
        ("mcp-param-token", "t"),
        ("mcp-param-page_key", "k"),
        ("last-event-id", "7"),
    ];
    let kept = [("cookie", "a=b"), ("x-ath-agent-id", ""), ("x-api-key", "k"), ("x-forwarded-host", "evil.test")];
    let request =
        sent.iter().chain(&kept[..1]).chain(&kept[2..]).fold(request, |it, (name, value)| it.header(name, value));
    let answer = request.send();
    assert_eq!(answer.status, 200, "{}", answer.body_text());
    assert_eq!(messages(&answer)[0]["id"], json!(1));
    let received = server.received().pop().expect("a request");
    assert_eq!(received.target, "/mcp", "the server has a path of its own");
    for (name, value) in sent {
        assert_eq!(received.header(name), Some(value), "{name}");
    }
    for (name, _) in kept.iter().chain(&[("authorization", ""), ("origin", "")]) {
        assert_eq!(received.header(name), None, "{name}");
    }
}

#[test]
fn a_page_of_another_origin_stays_outside() {
    let server = odd();
    let (gateway, _client, token) = before(&server, "credential = \"none\"");
    let from = |origin: &str, method: &str| {
        let request = gateway.request(method, "/wiki/mcp").header("origin", origin);
        request.header("access-control-request-method", "POST").header("access-control-request-headers", "mcp-param-x")
    };
    let asked = server.received().len();
    let page = from("https://evil.test", "POST").json(&call(1, "read_page", &json!({})));
    let answer = page.header("authorization", &format!("Bearer {token}")).send();
    assert_eq!((answer.status, server.received().len()), (403, asked), "{}", answer.body_text());
    let preflight = from("http://localhost:6274", "OPTIONS").send();
    assert_eq!((preflight.status, preflight.header("access-control-allow-headers")), (204, Some("mcp-param-x")));
    let page = from("http://localhost:6274", "POST").json(&call(1, "read_page", &json!({})));
    let answer = page.header("authorization", &format!("Bearer {token}")).send();
    assert_eq!(answer.header("access-control-allow-origin"), Some("http://localhost:6274"));
    assert_eq!(answer.status, 200, "{}", answer.body_text());
}

/// What the server itself publishes about its authorization is nobody's here.
#[test]
fn nothing_of_the_servers_well_known_places_is_reachable() {
    let server = odd();
    let (gateway, _client, token) = before(&server, "credential = \"none\"");
    let asked = server.received().len();
    for path in [
        "/wiki/mcp/.well-known/oauth-authorization-server",
        "/wiki/mcp/.well-known/openid-configuration",
        "/.well-known/oauth-protected-resource/wiki/mcp",
        "/wiki/mcp/.well-known/oauth-protected-resource",
        "/wiki/.well-known/oauth-protected-resource",
    ] {
        let answer = gateway.request("GET", path).header("authorization", &format!("Bearer {token}")).send();
        assert!(!answer.body_text().contains(&server.url()), "{path}: {}", answer.body_text());
    }
    assert_eq!(server.received().len(), asked, "nothing of it came there");
}
