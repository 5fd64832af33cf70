use serde_json::json;
use tests::eventually;

use super::{Scene, call, refused};

#[test]
fn calls_of_json_rpc_go_by_their_method() {
    let scene = Scene::new();
    let denied = refused(403, "content_not_allowed");
    for (body, expected) in [
        (call("items.list", &json!([1, {"method": "items.delete"}])), None),
        (call("items.getAll", &json!({})), None),
        (json!({"jsonrpc": "2.0", "method": "items.list"}).to_string(), None),
        (call("items.delete", &json!({})), denied.clone()),
        (call("Items.list", &json!({})), denied.clone()),
        (call("items.list.x", &json!({})), denied.clone()),
        (json!({"jsonrpc": "2.0", "id": 1, "result": 1}).to_string(), denied),
        (json!({"id": 1, "method": "items.list"}).to_string(), refused(400, "json_rpc_message")),
        (json!([{"jsonrpc": "2.0", "id": 1, "method": "items.list"}]).to_string(), refused(400, "body_batch")),
        ("[]".to_owned(), refused(400, "body_batch")),
    ] {
        let before = scene.forwarded();
        assert_eq!(scene.refusal("/rpc", &body), expected, "{body}");
        assert_eq!(scene.forwarded() - before, usize::from(expected.is_none()), "{body}");
    }
}

#[test]
fn messages_of_mcp_go_by_tool_and_method() {
    let scene = Scene::new();
    let denied = refused(403, "content_not_allowed");
    for (body, expected) in [
        (call("tools/call", &json!({"name": "search", "arguments": {"name": "delete"}})), None),
        (call("tools/call", &json!({"name": "delete"})), denied.clone()),
        (call("tools/call", &json!({"name": "Search"})), denied.clone()),
        (call("tools/call", &json!({})), refused(400, "json_rpc_message")),
        (call("Tools/Call", &json!({"name": "search"})), refused(400, "json_rpc_message")),
        (call("tools/list", &json!({})), None),
        (call("initialize", &json!({"protocolVersion": "2025-11-25"})), None),
        (call("server/discover", &json!({})), None),
        (call("prompts/get", &json!({"name": "x"})), None),
        (call("resources/read", &json!({"uri": "x"})), denied),
        (json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string(), None),
        (json!({"jsonrpc": "2.0", "id": "a", "result": {"action": "accept"}}).to_string(), None),
        (call("tools/call", &json!({"name": "search", "Name": "delete"})), refused(400, "body_member")),
    ] {
        assert_eq!(scene.refusal("/tools/mcp", &body), expected, "{body}");
    }
    for (method, status) in [("GET", 200), ("DELETE", 200), ("PUT", 403)] {
        let answer = scene.agent.call(&scene.gateway, &scene.token, method, "/tools/mcp").send();
        assert_eq!(answer.status, status, "{method}");
    }
    eventually("the calls are on record", || scene.gateway.events("proxy_request").len() == 9);
    assert!(scene.gateway.events("proxy_request").iter().all(|event| event["scope"] == "pages"));
}

#[test]
fn headers_that_say_something_else_than_the_body_are_refused() {
    let scene = Scene::new();
    let search = call("tools/call", &json!({"name": "search"}));
    let sent = |headers: &[(&str, &str)]| {
        let request = scene.post("/tools/mcp", &search);
        let answer = headers.iter().fold(request, |request, (name, value)| request.header(name, value)).send();
        (answer.status, if answer.status == 200 { String::new() } else { answer.reason() })
    };
    assert_eq!(sent(&[("mcp-method", "tools/call"), ("mcp-name", "search")]).0, 200);
    assert_eq!(sent(&[("mcp-name", "=?base64?c2VhcmNo?=")]).0, 200);
    let before = scene.forwarded();
    for headers in [
        &[("mcp-method", "tools/list")][..],
        &[("mcp-method", "tools/call"), ("mcp-name", "delete")],
        &[("Mcp-Method", "tools/call"), ("MCP-METHOD", "tools/call")],
        &[("mcp-name", "search"), ("mcp-name", "delete")],
    ] {
        assert_eq!(sent(headers), (400, "mcp_header_mismatch".to_owned()), "{headers:?}");
    }
    assert_eq!(scene.forwarded(), before);
}
