//! What is refused at a provider's own path and host, and with which code.

use super::{Door, PLAIN, Scene, ask, token};
use tests::{Answer, eventually};

/// Status, code, reason.
fn told(answer: &Answer) -> (u16, String, String) {
    let (status, code) = answer.refusal();
    (status, code, answer.reason())
}

fn expected(status: u16, code: &str, reason: &str) -> (u16, String, String) {
    (status, code.to_owned(), reason.to_owned())
}

#[test]
fn a_bearer_token_alone_is_enough() {
    for scene in Scene::both() {
        for gateway in [&scene.one, scene.two()] {
            for door in PLAIN {
                let bearer = format!("Bearer {}", scene.token);
                let answer = ask(gateway, door, ("GET", "/tickets"), &[("Authorization", &bearer)]);
                assert_eq!(answer.status, 200, "{door:?}: {}", answer.body_text());
                assert!(answer.header("www-authenticate").is_none());
            }
        }
        assert_eq!(scene.forwarded(), 4);
    }
}

/// One row of the table below: method, target, headers; status, code, reason.
type Row<'a> = ((&'a str, &'a str), Vec<(&'a str, &'a str)>, (u16, &'a str, &'a str));

#[test]
fn each_refusal_has_its_code() {
    let scene = Scene::embedded();
    let bearer = format!("Bearer {}", scene.token);
    let other = format!("Bearer {}", token(&scene.one, &scene.agent, "other", &["read:tickets"]));
    let before = scene.forwarded();
    let good = ("Authorization", bearer.as_str());
    let rows: Vec<Row<'_>> = vec![
        (("GET", "/tickets"), vec![], (401, "login_required", "token_missing")),
        (("GET", "/tickets"), vec![("Authorization", "Basic eDp4")], (401, "login_required", "token_missing")),
        (("GET", "/tickets"), vec![("Authorization", "Bearer a b")], (401, "login_required", "token_missing")),
        (("GET", "/tickets"), vec![("Authorization", "Bearer ath_tk_x")], (401, "login_required", "token_invalid")),
        (("GET", "/tickets"), vec![("Authorization", &other)], (403, "wrong_service", "provider_mismatch")),
        (
            ("GET", "/tickets"),
            vec![good, ("X-ATH-Agent-ID", "https://x.test/a")],
            (403, "wrong_agent", "agent_mismatch"),
        ),
        (
            ("POST", "/tickets"),
            vec![good, ("Content-Length", "0")],
            (403, "insufficient_scope", "operation_not_allowed"),
        ),
        (("GET", "/admin"), vec![good], (403, "operation_not_allowed", "operation_not_allowed")),
        (("GET", "/tickets/../admin"), vec![good], (400, "ambiguous_request", "path_dot_segment")),
        (("GET", "/tickets;x"), vec![good], (400, "ambiguous_request", "path_character")),
        (("GET", "/tickets?access_token=x"), vec![good], (400, "bad_request", "query_parameter")),
        (("GET", "/tickets"), vec![good, good], (400, "ambiguous_request", "authorization_doubled")),
        (("PROPFIND", "/tickets"), vec![good], (405, "bad_request", "method_not_allowed")),
        (("GET", "/tickets"), vec![good, ("Expect", "200-ok")], (417, "bad_request", "expect")),
        (("GET", "/tickets"), vec![good, ("Connection", "host")], (400, "ambiguous_request", "connection_header")),
        (
            ("GET", "/tickets"),
            vec![good, ("Connection", "Upgrade"), ("Upgrade", "websocket")],
            (403, "operation_not_allowed", "websocket_not_allowed"),
        ),
        (("GET", "/.well-known/openid-configuration"), vec![good], (404, "not_found", "no_such_document")),
    ];
    for (request, headers, (status, code, reason)) in rows {
        for door in PLAIN {
            let answer = ask(&scene.one, door, request, &headers);
            assert_eq!(told(&answer), expected(status, code, reason), "{door:?} {request:?}: {}", answer.body_text());
            assert_eq!(answer.header("content-type"), Some("application/problem+json"));
            let code_page = format!("{}/errors#{code}", scene.one.public_url());
            assert_eq!(answer.text("/type"), code_page);
            assert!(answer.text("/detail").ends_with(&answer.text("/hint")), "{}", answer.body_text());
            assert!(!answer.body_text().contains("ath_tk_"), "{}", answer.body_text());
        }
    }
    let wanted = ask(&scene.one, Door::Prefix, ("POST", "/tickets"), &[good, ("Content-Length", "0")]);
    assert_eq!(wanted.json()["wanted_scopes"], serde_json::json!(["write:tickets"]));
    assert_eq!(scene.forwarded(), before, "nothing of that was forwarded");
}

/// Security table, O16: a token is for one service.
#[test]
fn a_token_for_one_service_is_none_for_another() {
    for scene in Scene::both() {
        let bearer = format!("Bearer {}", token(&scene.one, &scene.agent, "other", &["read:tickets"]));
        let before = scene.forwarded();
        for gateway in [&scene.one, scene.two()] {
            for door in PLAIN {
                let answer = ask(gateway, door, ("GET", "/tickets"), &[("Authorization", &bearer)]);
                assert_eq!(told(&answer), expected(403, "wrong_service", "provider_mismatch"), "{door:?}");
            }
            let answer = ask(gateway, Door::Ath, ("GET", "/tickets"), &[("Authorization", &bearer)]);
            assert_eq!(told(&answer), expected(403, "PROVIDER_MISMATCH", "provider_mismatch"));
        }
        assert_eq!(scene.forwarded(), before);
    }
}

/// Security table, O17: what the service itself issued is worth nothing here, and goes nowhere.
#[test]
fn a_token_of_the_service_is_not_passed_through() {
    for scene in Scene::both() {
        let before = scene.forwarded();
        let issued = scene.upstream.helpdesk.issued_tokens();
        assert!(!issued.is_empty());
        for gateway in [&scene.one, scene.two()] {
            for own in &issued {
                for door in PLAIN {
                    let bearer = format!("Bearer {own}");
                    let answer = ask(gateway, door, ("GET", "/tickets"), &[("Authorization", &bearer)]);
                    assert_eq!(told(&answer), expected(401, "login_required", "token_invalid"), "{door:?}");
                }
            }
        }
        assert_eq!(scene.forwarded(), before, "the service sees nothing");
    }
}

#[test]
fn what_was_ended_is_refused_on_every_replica() {
    for scene in Scene::both() {
        for door in PLAIN {
            assert_eq!(scene.call(door, "/tickets").status, 200);
        }
        assert_eq!(scene.agent.revoke(&scene.one, &scene.token).status, 200);
        let bearer = format!("Bearer {}", scene.token);
        for gateway in [&scene.one, scene.two()] {
            for door in PLAIN {
                let answer = ask(gateway, door, ("GET", "/tickets"), &[("Authorization", &bearer)]);
                assert_eq!(told(&answer), expected(401, "login_required", "token_revoked"), "{door:?}");
            }
        }
    }
}

#[test]
fn whose_fault_it_is_says_the_code() {
    let mut scene = Scene::embedded();
    assert_eq!(scene.one.operate(&["providers", "suspend", "helpdesk"]).status, 0);
    for door in PLAIN {
        let answer = scene.call(door, "/tickets");
        assert_eq!(told(&answer), expected(503, "service_suspended", "provider_suspended"), "{door:?}");
        assert!(answer.header("retry-after").is_some());
        assert_eq!(answer.json()["retryable"], true);
    }
    assert_eq!(scene.one.operate(&["providers", "resume", "helpdesk"]).status, 0);
    eventually("the service is back", || scene.call(Door::Prefix, "/tickets").status == 200);
    scene.upstream.stop();
    for door in PLAIN {
        eventually("the connection is gone", || scene.call(door, "/tickets").reason() == "upstream_unreachable");
        let answer = scene.call(door, "/tickets");
        assert_eq!(told(&answer), expected(502, "upstream_unreachable", "upstream_unreachable"), "{door:?}");
        assert_eq!(answer.json()["retryable"], true);
    }
    let client = scene.agent.client().0;
    assert_eq!(scene.one.operate(&["agents", "suspend", &client]).status, 0);
    for door in PLAIN {
        let answer = scene.call(door, "/tickets");
        assert_eq!(told(&answer), expected(401, "login_required", "token_revoked"), "{door:?}");
        assert_eq!(answer.json()["retryable"], false);
    }
}
