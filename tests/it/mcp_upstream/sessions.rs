//! A session belongs to the person and the client that it was opened for, on every replica.

use std::sync::Arc;

use serde_json::json;

use super::{Scene, call, initialize, messages, text};

#[test]
fn a_session_is_nobody_elses() {
    let scene = Scene::wiki();
    let ((_a, mine), (_b, theirs)) = (scene.caller("use"), scene.caller("use"));
    let session = scene.session(&mine);
    let listed = json!({"jsonrpc": "2.0", "id": 5, "method": "tools/list"});
    for gateway in [&scene.one, &scene.two] {
        let answer = Scene::post_by(gateway, &mine, Some(&session), &listed);
        assert_eq!(answer.status, 200, "its own, on either replica: {}", answer.body_text());
        let refused = Scene::post_by(gateway, &theirs, Some(&session), &listed);
        assert_eq!(refused.status, 404, "{}", refused.body_text());
        let said = refused.json();
        assert_eq!((&said["id"], &said["error"]["data"]["reason"]), (&json!(5), &json!("session_unknown")), "{said}");
    }
    let of_the_server = scene.server.control("look")["seen"]
        .as_array()
        .and_then(|seen| seen.iter().rev().find_map(|request| request["headers"]["mcp-session-id"].as_str()))
        .expect("a session")
        .to_owned();
    assert!(!session.contains(&of_the_server), "what the server calls it is not told");
    for forged in [of_the_server.as_str(), "", "x", &session[1..], &format!("{session}A")] {
        let refused = scene.post(&mine, Some(forged), &listed);
        assert_eq!(refused.status, 404, "{forged}: {}", refused.body_text());
    }
    let ended = |token: &str| {
        let request = scene.one.request("DELETE", "/wiki/mcp").header("authorization", &format!("Bearer {token}"));
        request.header("mcp-session-id", &session).send().status
    };
    assert_eq!((ended(&theirs), ended(&mine)), (404, 200), "and only its own client ends it");
    assert_eq!(scene.post(&mine, Some(&session), &listed).status, 404, "by the server's own word");
}

#[test]
fn two_names_of_a_session_are_none() {
    let scene = Scene::wiki();
    let (_client, token) = scene.caller("use");
    let session = scene.session(&token);
    let request = scene.one.request("POST", "/wiki/mcp").json(&json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}));
    let request = request.header("authorization", &format!("Bearer {token}"));
    let answer = request.header("mcp-session-id", &session).header("mcp-session-id", &session).send();
    assert_eq!(answer.status, 404, "{}", answer.body_text());
}

/// As CVE-2026-25536 had it: one transport for everybody, and an answer that went to whoever had the same id.
#[test]
fn a_hundred_clients_with_the_same_ids_get_their_own_answers() {
    let scene = Arc::new(Scene::wiki());
    let callers: Vec<_> = (0..4).map(|_| scene.caller("use")).collect();
    let people: Vec<String> = callers
        .iter()
        .map(|(_, token)| {
            let session = scene.session(token);
            let answer = scene.post(token, Some(&session), &call(7, "whoami", &json!({})));
            text(&messages(&answer).pop().expect("an answer")["result"])
        })
        .collect();
    let mut distinct = people.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), callers.len(), "{people:?}");
    let mut under_way = Vec::new();
    for number in 0..100 {
        let (scene, person) = (scene.clone(), people[number % callers.len()].clone());
        let token = callers[number % callers.len()].1.clone();
        under_way.push(std::thread::spawn(move || {
            let gateway = if number % 2 == 0 { &scene.one } else { &scene.two };
            let opened = Scene::post_by(gateway, &token, None, &initialize());
            assert_eq!(opened.status, 200, "{}", opened.body_text());
            let session = opened.header("mcp-session-id").expect("a session").to_owned();
            for (tool, arguments, expected) in [
                ("whoami", json!({}), person.clone()),
                ("read_page", json!({"title": format!("page {number}")}), format!("All about page {number}.")),
                ("whoami", json!({}), person),
            ] {
                let answer = Scene::post_by(gateway, &token, Some(&session), &call(7, tool, &arguments));
                let said = messages(&answer).pop().unwrap_or_else(|| panic!("{}", answer.body_text()));
                assert_eq!((said["id"].as_i64(), text(&said["result"])), (Some(7), expected));
            }
        }));
    }
    for caller in under_way {
        caller.join().expect("its own answers alone");
    }
}
