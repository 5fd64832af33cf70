//! Who gets which form: ATH's own entrance keeps ATH's.

use super::{Door, PLAIN, Scene, ask};
use tests::raw;

#[test]
fn ath_keeps_its_form() {
    let scene = Scene::embedded();
    let answer = ask(&scene.one, Door::Ath, ("GET", "/tickets"), &[]);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let body = answer.json();
    let members: Vec<&str> = body.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(members, ["code", "details", "message"]);
    let details: Vec<&str> = body["details"].as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!((body["code"].as_str(), details), (Some("TOKEN_INVALID"), vec!["hint", "reason"]));
}

#[test]
fn what_could_not_be_read_is_told_in_aths_form() {
    let scene = Scene::embedded();
    for request in [
        "GET /helpdesk/tickets HTTP/1.1\nHost: 127.0.0.1\n\n",
        "GET  /helpdesk/tickets HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "GET /helpdesk/tickets HTTP/1.1\r\nHost: evil.test\r\n\r\n",
    ] {
        let answer = raw(scene.one.port(), request.as_bytes(), "GET");
        assert!((400..500).contains(&answer.status), "{request:?}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{request:?}: {}", answer.body_text());
    }
}

/// The form follows the entrance, and not what a client says that it accepts: programs need not guess.
#[test]
fn nobody_negotiates() {
    let scene = Scene::embedded();
    for accept in ["text/html", "application/json", "*/*;q=0"] {
        for door in PLAIN {
            let answer = ask(&scene.one, door, ("GET", "/tickets"), &[("Accept", accept)]);
            assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{door:?} {accept}");
            assert!(answer.header("access-control-allow-origin").is_none());
        }
    }
    let head = ask(&scene.one, Door::Prefix, ("HEAD", "/tickets"), &[]);
    assert_eq!((head.status, head.body.len()), (401, 0));
    assert!(head.header("www-authenticate").is_some());
}
