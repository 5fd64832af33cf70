//! R26, R27, R28: what stands in a tool's arguments, and above a message, changes nothing but what it is for.

use serde_json::{Value, json};
use tests::{Answer, Spy};

use super::door::{Door, ERAS, Era, is_refused};

const PUBLIC: [&str; 2] = ["GET /public/**", "POST /public/**"];

/// agentgateway CVE-2026-29791: parameters of a tool became part of a path as they were.
#[test]
fn r26_cve_2026_29791_a_path_in_arguments_leads_where_rules_allow_and_nowhere_else() {
    let door = Door::allowing(&PUBLIC);
    let paths = [
        "/admin",
        "/public/../admin",
        "/public/%2e%2e/admin",
        "/public/.%2e/admin",
        "/public/..%2fadmin",
        "/public/..%2Fadmin",
        "/public/..%252fadmin",
        "/public/x/../../admin",
        "/public/..;/admin",
        "/public/./x",
        "/public//x",
        "//evil.test/public/x",
        "/public\\..\\admin",
        "/public/%5c..%5cadmin",
        "/public/x?admin=1",
        "/public/x?",
        "/public/x#/admin",
        "/public/x%00",
        "/public/x%0d%0aX-Evil:%201",
        "/public/x\r\nX-Evil: 1",
        "/public/x\r\n\r\nGET /admin HTTP/1.1\r\n\r\n",
        "/public/x HTTP/1.1\r\nX-Evil: 1",
        "/public/x y",
        "/public/\t",
        "/public/\u{0}",
        "/public/\u{ff0e}\u{ff0e}/admin",
        "/public/\u{fc}",
        "/public/%",
        "/public/%zz",
        "/public/%c0%ae%c0%ae/admin",
        "/public/%ff",
        "public/x",
        "",
        "*",
        "http://evil.test/public/x",
        "@evil.test/public/x",
        ":80/public/x",
    ];
    for era in ERAS {
        for path in paths {
            for (tool, method) in [("helpdesk_read", "GET"), ("helpdesk_write", "POST")] {
                let answer = door.calls(era, tool, &json!({"method": method, "path": path}));
                assert!(is_refused(&answer), "{era:?} {path:?}: {}", answer.body_text());
                assert_eq!(door.spy.count(), 0, "{era:?} {path:?}: {:?}", door.spy.heads());
            }
        }
    }
    let fine = door.calls(Era::Modern, "helpdesk_read", &json!({"path": "/public/a%20b/%C3%BC"}));
    assert!(!is_refused(&fine), "{}", fine.body_text());
    assert_eq!(door.arrived(0), ["GET /public/a%20b/%C3%BC HTTP/1.1"], "what may pass passes as it was written");
}

#[test]
fn r26_cve_2026_29791_values_are_encoded_and_stay_values() {
    let door = Door::allowing(&PUBLIC);
    let cases = [
        (json!({"q": "a&admin=1"}), "q=a%26admin%3D1"),
        (json!({"q": "../../admin?x#y"}), "q=..%2F..%2Fadmin%3Fx%23y"),
        (json!({"q": "x\r\nX-Evil: 1"}), "q=x%0D%0AX-Evil%3A%201"),
        (json!({"q": "%2e%2e%2f"}), "q=%252e%252e%252f"),
        (json!({"q": "a+b c"}), "q=a%2Bb%20c"),
        (json!({"q": "\u{fc}"}), "q=%C3%BC"),
        (json!({"a&b=c": "x"}), "a%26b%3Dc=x"),
        (json!({"q": ["x&y", 1, true]}), "q=x%26y&q=1&q=true"),
    ];
    for era in ERAS {
        for (query, expected) in &cases {
            let before = door.spy.count();
            let answer = door.calls(era, "helpdesk_read", &json!({"path": "/public/x", "query": query}));
            assert!(!is_refused(&answer), "{query}: {}", answer.body_text());
            assert_eq!(door.arrived(before), [format!("GET /public/x?{expected} HTTP/1.1")], "{era:?} {query}");
        }
    }
    let nested = door.calls(Era::Legacy, "helpdesk_read", &json!({"path": "/public/x", "query": {"q": {"a": "b"}}}));
    assert!(is_refused(&nested), "{}", nested.body_text());
    assert!(!door.spy.heads().iter().any(|head| head.to_lowercase().contains("\nx-evil")), "{:?}", door.spy.heads());
}

#[test]
fn r26_headers_in_arguments_are_an_agents_own() {
    let door = Door::allowing(&PUBLIC);
    for (name, value) in [
        ("Authorization", "Bearer mine"),
        ("AUTHORIZATION", "Bearer mine"),
        ("Host", "evil.test"),
        ("Cookie", "session=1"),
        ("Connection", "authorization"),
        ("Transfer-Encoding", "chunked"),
        ("Content-Length", "3"),
        ("Upgrade", "websocket"),
        ("X-ATH-Agent-ID", "https://evil.test/agent.json"),
        ("X-Forwarded-For", "10.0.0.1"),
        ("X-Forwarded-Host", "evil.test"),
        ("Forwarded", "for=10.0.0.1"),
        ("Proxy-Authorization", "Basic eA=="),
        ("X-HTTP-Method-Override", "DELETE"),
        ("X-Evil\r\nHost", "evil.test"),
        ("X-Evil", "1\r\nHost: evil.test"),
        ("", "x"),
        ("a b", "x"),
        (":path", "/admin"),
    ] {
        let mut headers = json!({});
        headers[name] = json!(value);
        let answer = door.calls(Era::Modern, "helpdesk_read", &json!({"path": "/public/x", "headers": headers}));
        assert!(is_refused(&answer), "{name:?}: {}", answer.body_text());
        assert_eq!(door.spy.count(), 0, "{name:?}: {:?}", door.spy.heads());
    }
    let fine =
        door.calls(Era::Modern, "helpdesk_read", &json!({"path": "/public/x", "headers": {"Accept": "text/csv"}}));
    assert!(!is_refused(&fine), "{}", fine.body_text());
    let last = door.spy.last();
    assert_eq!(
        last.iter().filter(|(name, _)| name == "accept").map(|(_, value)| value.as_str()).collect::<Vec<_>>(),
        ["text/csv"]
    );
    assert_eq!(last.iter().filter(|(name, _)| name == "authorization").count(), 1, "{last:?}");
    assert!(!last.iter().any(|(_, value)| value.contains(&door.token)), "the gateway's own token stays");
}

/// Kuadrant mcp-gateway GHSA-g53w: what stood in a header of the caller's chose the server.
#[test]
fn r27_ghsa_g53w_no_header_and_no_argument_chooses_the_upstream() {
    let door = Door::allowing(&["* /**"]);
    let elsewhere = Spy::default();
    let there = elsewhere.url();
    let authority = there.trim_start_matches("http://").to_owned();
    for (name, value) in [
        ("x-forwarded-host", authority.as_str()),
        ("x-forwarded-server", &authority),
        ("x-forwarded-uri", "/admin"),
        ("x-original-url", "/admin"),
        ("x-rewrite-url", "/admin"),
        ("x-host", &authority),
        ("forwarded", "host=evil.test"),
        ("router-key", "secret-api-key"),
        ("x-mcp-server", "other"),
        ("x-gateway-provider", "other"),
        ("mcp-session-id", "other"),
        ("mcp-server", &there),
        ("mcp-param-path", "/admin"),
        ("mcp-param-x", "\u{1}"),
        ("x-ath-provider", "other"),
        ("destination", &there),
        ("via", "1.1 evil.test"),
    ] {
        for era in ERAS {
            let before = door.spy.count();
            let call = ("tools/call", &json!({"name": "helpdesk_read", "arguments": {"path": "/x"}}));
            let answer = super::door::request(&door.front.gateway, "/helpdesk/mcp", era, Some(&door.token), call)
                .header(name, value)
                .send();
            let arrived = door.arrived(before);
            assert!(arrived.is_empty() || arrived == ["GET /x HTTP/1.1"], "{name}: {arrived:?} {}", answer.body_text());
            if !arrived.is_empty() {
                let last = door.spy.last();
                assert!(!last.iter().any(|(known, _)| known == name && name != "via"), "{name} went along: {last:?}");
                assert!(!last.iter().any(|(known, _)| known.starts_with("mcp-")), "{last:?}");
                let host = last.iter().find(|(known, _)| known == "host").map(|(_, value)| value.clone());
                assert_eq!(host, Some(door.spy.url().trim_start_matches("http://").to_owned()));
            }
        }
    }
    let arguments = json!({
        "path": "/x", "provider": "other", "service": "other", "url": there, "base_url": there, "host": authority, "api_base": there,
    });
    let before = door.spy.count();
    let answer = door.calls(Era::Modern, "helpdesk_read", &arguments);
    assert!(is_refused(&answer), "what a tool does not know it refuses: {}", answer.body_text());
    for tool in [
        "other_read",
        "helpdesk_delete",
        "helpdesk.read",
        "HELPDESK_READ",
        "helpdesk_read ",
        "",
        "../other_read",
        "ath_admin",
    ] {
        let answer = door.calls(Era::Legacy, tool, &json!({"path": "/x"}));
        assert!(is_refused(&answer), "{tool:?}: {}", answer.body_text());
    }
    assert_eq!((door.spy.count(), elsewhere.count()), (before, 0));
}

/// What stands above a message and what stands in it are one thing (2026-07-28): otherwise whoever reads the one is deceived by the other.
#[test]
fn r27_headers_say_what_the_message_says() {
    let door = Door::allowing(&["* /**"]);
    let message =
        Era::Modern.message(&json!(1), "tools/call", &json!({"name": "helpdesk_read", "arguments": {"path": "/x"}}));
    for (method, name, version) in [
        ("tools/list", "helpdesk_read", "2026-07-28"),
        ("tools/call", "ath_services", "2026-07-28"),
        ("tools/call", "helpdesk_read", "2099-01-01"),
    ] {
        let request = door.front.gateway.request("POST", "/helpdesk/mcp").header("content-type", "application/json");
        let request =
            request.header("accept", "application/json, text/event-stream").header("mcp-protocol-version", version);
        let request =
            request.header("mcp-method", method).header("mcp-name", name).body(message.to_string().into_bytes());
        let answer = request.header("authorization", &format!("Bearer {}", door.token)).send();
        assert_eq!(answer.status, 400, "{method} {name} {version}: {}", answer.body_text());
        assert!(answer.json()["error"]["code"].is_i64(), "{}", answer.body_text());
    }
    assert_eq!(door.spy.count(), 0);
}

/// Envoy AI Gateway GHSA-4gph: of two keys of one name, or of a name in other letters, another one counted than was checked.
#[test]
fn r28_ghsa_4gph_a_message_has_each_key_once_and_in_its_letters() {
    let door = Door::allowing(&["* /**"]);
    let call = r#""name":"helpdesk_read","arguments":{"path":"/x"}"#;
    let bodies = [
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call","params":{CALL}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","method":"tools/list","params":{CALL}}"#,
        r#"{"jsonrpc":"2.0","jsonrpc":"2.0","id":1,"method":"tools/call","params":{CALL}}"#,
        r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"tools/call","params":{CALL}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ath_services","arguments":{}},"params":{CALL}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ath_services",CALL}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{CALL,"name":"ath_services"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{"path":"/y"},CALL}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"helpdesk_read","arguments":{"path":"/y","path":"/x"}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"helpdesk_read","arguments":{"path":"/y","p\u0061th":"/x"}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"helpdesk_read","arguments":{"path":"/y","Path":"/x"}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"helpdesk_read","arguments":{"path":"/y","query":{"a":"b","a":"c"}}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"Method":"tools/call","params":{CALL}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","Params":{CALL}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"Name":"helpdesk_read","arguments":{"path":"/x"}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"Tools/Call","params":{CALL}}"#,
        r#"{"JSONRPC":"2.0","id":1,"method":"tools/call","params":{CALL}}"#,
        r#"{"jsonrpc":"1.0","id":1,"method":"tools/call","params":{CALL}}"#,
        r#"[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{CALL}}]"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{CALL}}{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{CALL}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{CALL}"#,
    ];
    for body in bodies {
        let body = body.replace("CALL", call);
        for head in [Era::Legacy, Era::Modern] {
            let body = match head {
                Era::Legacy => body.clone(),
                Era::Modern => body.replacen("\"params\":{", &format!("\"params\":{{\"_meta\":{},", meta()), 1),
            };
            let answer = posted(&door, head, &body);
            let heard = format!("{} {}", answer.status, answer.body_text());
            assert!(is_refused(&answer), "{body}: {heard}");
            assert_eq!(door.spy.count(), 0, "{body}: {heard}");
        }
    }
}

fn meta() -> Value {
    Era::Modern.message(&json!(1), "x", &json!({}))["params"]["_meta"].clone()
}

fn posted(door: &Door, era: Era, body: &str) -> Answer {
    let request = door.front.gateway.request("POST", "/helpdesk/mcp");
    let request = era.head(request, "tools/call", Some("helpdesk_read")).body(body.as_bytes().to_vec());
    request.header("authorization", &format!("Bearer {}", door.token)).send()
}
