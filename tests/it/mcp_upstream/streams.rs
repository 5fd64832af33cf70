//! Streams of an MCP server pass event by event, and end where the caller's rights do.

use std::time::{Duration, Instant};

use serde_json::json;
use tests::Talk;

use super::{Scene, call};

const SOON: Duration = Duration::from_secs(5);

/// A call whose answer is a stream of progress, begun.
fn begun(scene: &Scene, token: &str, session: &str, pages: u32) -> Talk {
    let mut message = call("slow", "read_slowly", &json!({"pages": pages}));
    message["params"]["_meta"] = json!({"progressToken": "p"});
    let body = message.to_string();
    let mut talk = Talk::to(scene.one.port());
    talk.say(&format!(
        "POST /wiki/mcp HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\nmcp-session-id: {session}\r\n\
         mcp-protocol-version: 2025-06-18\r\naccept: application/json, text/event-stream\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        scene.one.public_url().trim_start_matches("http://"),
        body.len()
    ));
    talk
}

#[test]
fn an_event_arrives_before_the_next_one_is_written() {
    let scene = Scene::wiki();
    let (_client, token) = scene.caller("use");
    let session = scene.session(&token);
    let mut talk = begun(&scene, &token, &session, 3);
    for page in 1..=3 {
        let heard = talk.hears(&format!("page {page}"), SOON);
        assert!(!heard.contains(&format!("page {}", page + 1)), "{heard}");
        assert!(heard.to_lowercase().contains("content-type: text/event-stream"), "{heard}");
        scene.server.control("step");
    }
    let heard = talk.hears("\"id\":\"slow\"", SOON);
    assert!(heard.contains("read"), "{heard}");
}

#[test]
fn a_revocation_ends_a_stream_within_a_second() {
    let scene = Scene::wiki();
    let (client, token) = scene.caller("use");
    let session = scene.session(&token);
    let mut talk = begun(&scene, &token, &session, 2);
    talk.hears("page 1", SOON);
    let mut listening = Talk::to(scene.two.port());
    listening.say(&format!(
        "GET /wiki/mcp HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\nmcp-session-id: {session}\r\n\
         mcp-protocol-version: 2025-06-18\r\naccept: text/event-stream\r\n\r\n",
        scene.one.public_url().trim_start_matches("http://")
    ));
    listening.hears("200 OK", SOON);

    assert_eq!(client.revoke(&scene.one, &token).status, 200);
    let revoked = Instant::now();
    for stream in [&mut talk, &mut listening] {
        let (heard, _) = stream.to_the_end();
        assert!(!heard.contains("page 2"), "{heard}");
    }
    assert!(revoked.elapsed() < Duration::from_millis(1500), "{:?}", revoked.elapsed());
    let refused = scene.post(&token, Some(&session), &json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}));
    assert_eq!(refused.status, 401, "and now a login is asked for");
    assert!(refused.header("www-authenticate").is_some_and(|it| it.contains("invalid_token")));
}
