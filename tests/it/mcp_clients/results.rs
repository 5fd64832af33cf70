//! What tools answer: as text and as data, in pieces where it is long, and nothing of it anybody's credential.

use serde_json::{Value, json};
use tests::{CANARY, Fronted, Reply, Served};

use super::door::{ERAS, Era, client_of, request};

fn called(front: &Fronted, token: &str, era: Era, arguments: &Value) -> Value {
    let call = json!({"name": "helpdesk_read", "arguments": arguments});
    let answer = request(&front.gateway, "/helpdesk/mcp", era, Some(token), ("tools/call", &call)).send();
    assert_eq!(answer.status, 200, "{}", answer.body_text());
    answer.json()["result"].clone()
}

/// Longer than a result may be; what stands where can be told from itself, and letters of several bytes fall on every border.
fn long() -> String {
    (0..30_000).flat_map(|number| [format!("{number:05}"), "\u{e9}\u{1f642}".to_owned()]).collect()
}

#[test]
fn a_long_answer_comes_in_pieces_that_fit_together() {
    let served = Served::start(|_| Reply::of("200 OK", "text/plain; charset=utf-8", long().as_bytes()));
    let front = Fronted::new(&served.url(), "");
    let (_client, token) = client_of(&front.gateway, "/helpdesk/mcp");
    for era in ERAS {
        let (mut whole, mut arguments, mut pieces) = (String::new(), json!({"path": "/long"}), 0);
        loop {
            let result = called(&front, &token, era, &arguments);
            let data = &result["structuredContent"];
            let piece = data["body"].as_str().expect("text");
            assert!(piece.len() <= 64 * 1024 && !piece.is_empty(), "{}", piece.len());
            whole.push_str(piece);
            pieces += 1;
            assert_eq!(data["truncated"], json!(!data["next"].is_null()), "{data}");
            match data["next"].as_object() {
                Some(next) => {
                    let said = result["content"][0]["text"].as_str().unwrap_or_default();
                    assert!(said.contains(&next["offset"].to_string()), "the text says how to go on");
                    for (name, value) in next {
                        arguments[name] = value.clone();
                    }
                }
                None => break,
            }
        }
        assert!(whole == long(), "{era:?}: {} of {} bytes", whole.len(), long().len());
        assert!(pieces > 4, "{pieces}");
    }
}

#[test]
fn results_are_what_the_tools_schema_says() {
    let served = Served::start(|request| match request.path() {
        "/json" => Reply::json(&json!({"a": [1, "x", null]})),
        "/none" => Reply::Bytes(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
        "/bytes" => Reply::of("200 OK", "image/png", &[0x89, b'P', 0, 0xff, 0xfe]),
        "/bad" => Reply::of("200 OK", "application/json", b"{not json"),
        "/missing" => Reply::of("404 Not Found", "application/problem+json", b"{\"title\":\"no\"}"),
        "/broken" => Reply::of("500 Internal Server Error", "text/html", b"<h1>no</h1>"),
        _ => Reply::redirect("http://127.0.0.1:9/elsewhere"),
    });
    let front = Fronted::new(&served.url(), "");
    let (_client, token) = client_of(&front.gateway, "/helpdesk/mcp");
    for era in ERAS {
        let listed = request(&front.gateway, "/helpdesk/mcp", era, Some(&token), ("tools/list", &json!({}))).send();
        let tools = listed.json()["result"]["tools"].clone();
        let read =
            tools.as_array().expect("tools").iter().find(|tool| tool["name"] == "helpdesk_read").expect("it").clone();
        let valid = jsonschema::validator_for(&read["outputSchema"]).expect("a schema");
        for (path, status, failed) in [
            ("/json", 200, false),
            ("/none", 204, false),
            ("/bytes", 200, false),
            ("/bad", 200, false),
            ("/missing", 404, true),
            ("/broken", 500, true),
            ("/moved", 302, false),
        ] {
            let result = called(&front, &token, era, &json!({"path": path}));
            let data = &result["structuredContent"];
            assert!(valid.is_valid(data), "{path}: {data}");
            assert_eq!(data["status"], json!(status), "{path}: {result}");
            assert_eq!(result["isError"].as_bool().unwrap_or(false), failed, "{path}: {result}");
            assert!(result["content"][0]["text"].is_string(), "{path}: {result}");
        }
        let json = called(&front, &token, era, &json!({"path": "/json"}));
        assert_eq!(json["structuredContent"]["body"], json!({"a": [1, "x", null]}));
        // What the schema says of arguments is what is taken.
        let arguments = jsonschema::validator_for(&read["inputSchema"]).expect("a schema");
        assert!(
            arguments.is_valid(&json!({"path": "/x", "query": {"a": [1]}, "headers": {"accept": "x"}, "offset": 3}))
        );
        for wrong in
            [json!({}), json!({"path": 1}), json!({"path": "/x", "more": 1}), json!({"path": "/x", "offset": -1})]
        {
            assert!(!arguments.is_valid(&wrong), "{wrong}");
            let result = called(&front, &token, era, &wrong);
            assert_eq!(result["isError"], json!(true), "{wrong}: {result}");
        }
    }
}

/// An upstream that says again what it was sent: the guard is the same as for every other call.
#[test]
fn what_an_upstream_echoes_of_its_credential_reaches_no_model() {
    let served = Served::start(|request| {
        let credential = request.header("authorization").unwrap_or_default().to_owned();
        match request.path() {
            "/body" => Reply::json(&json!({"headers": {"Authorization": credential}})),
            "/late" => {
                Reply::of("200 OK", "text/plain", format!("{}{credential}", "x".repeat(64 * 1024 - 10)).as_bytes())
            }
            _ => Reply::Bytes(
                format!(
                    "HTTP/1.1 200 OK\r\nX-You-Sent: {credential}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}"
                )
                .into_bytes(),
            ),
        }
    });
    let front = Fronted::new(&served.url(), "");
    let (_client, token) = client_of(&front.gateway, "/helpdesk/mcp");
    for era in ERAS {
        for path in ["/body", "/header", "/late"] {
            for offset in [0, 64 * 1024 - 20, 64 * 1024 - 4] {
                let call = json!({"name": "helpdesk_read", "arguments": {"path": path, "offset": offset}});
                let answer = request(&front.gateway, "/helpdesk/mcp", era, Some(&token), ("tools/call", &call)).send();
                let seen = String::from_utf8_lossy(&answer.bytes).into_owned();
                assert!(!seen.contains(CANARY), "{path} {offset}: {seen}");
                assert_eq!(answer.status, 200, "{seen}");
            }
        }
    }
    assert!(
        served
            .received()
            .iter()
            .all(|request| request.header("authorization").is_some_and(|sent| sent.contains(CANARY)))
    );
}
