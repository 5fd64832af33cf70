//! What OAuth clients look for below an entrance is the gateway's to say, and what the service says of its own stays there.

use tests::{Fronted, OddHttp, Spy, Then, raw};

use super::{Door, PLAIN, Scene, ask};

const WITHHELD: [&str; 2] = ["oauth-authorization-server", "openid-configuration"];

#[test]
fn nothing_of_it_reaches_the_service() {
    let spy = Spy::default();
    let front = Fronted::new(&spy.url(), "");
    let port = front.gateway.port();
    let asked = |host: &str, target: &str, method: &str| {
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\nX-ATH-Agent-ID: {}\r\nConnection: close\r\n\r\n",
            front.token, front.agent.id
        );
        raw(port, request.as_bytes(), method)
    };
    assert_eq!(asked("127.0.0.1", "/api/.well-known/security.txt", "GET").body_text(), "fine");
    assert_eq!(spy.count(), 1);
    for (host, before) in [("127.0.0.1", "/api"), ("127.0.0.1", "/ath/proxy/helpdesk"), (Fronted::HOST, "")] {
        for name in WITHHELD.into_iter().chain(["oauth-protected-resource"]) {
            for ends in ["", "/", "/v1/anything", "?x=y"] {
                for method in ["GET", "HEAD", "OPTIONS"] {
                    let target = format!("{before}/.well-known/{name}{ends}");
                    let answer = asked(host, &target, method);
                    let withheld = WITHHELD.contains(&name);
                    assert!(!withheld || answer.status == 404, "{method} {target}: {}", answer.status);
                    assert!(!answer.body_text().contains("fine"), "{method} {target}: {}", answer.body_text());
                }
            }
        }
        // Another spelling of the same would be another path to the gateway, and perhaps none to the service.
        for spelt in ["oauth%2Dprotected-resource", "%6fpenid-configuration", "x/../openid-configuration"] {
            let answer = asked(host, &format!("{before}/.well-known/{spelt}"), "GET");
            assert_eq!(answer.status, 400, "{spelt}: {}", answer.body_text());
        }
    }
    assert_eq!(spy.count(), 1, "{:?}", spy.heads());
}

#[test]
fn an_entrance_is_no_authorization_server() {
    let scene = Scene::embedded();
    for door in PLAIN {
        for name in WITHHELD {
            let answer = ask(&scene.one, door, ("GET", &format!("/.well-known/{name}")), &[]);
            assert_eq!(answer.refusal(), (404, "not_found".to_owned()), "no token is needed to be told");
            assert_eq!(answer.reason(), "no_such_document");
            assert!(answer.header("www-authenticate").is_none());
        }
    }
    let answer = ask(&scene.one, Door::Ath, ("GET", "/.well-known/openid-configuration"), &[]);
    assert_eq!(answer.refusal(), (404, "SCOPE_NOT_APPROVED".to_owned()));
}

/// Security table, R35: what a service says of where its tokens come from would lead a client past the gateway, to ask for one there.
#[test]
fn a_services_own_challenge_is_not_handed_on() {
    const BODY: &str = r#"{"error":"invalid_token","documentation":"the service's own words"}"#;
    let service = OddHttp::start(|exchange| {
        exchange.whole();
        let status = if exchange.path() == "/forbidden" { "403 Forbidden" } else { "401 Unauthorized" };
        let head = format!(
            "HTTP/1.1 {status}\r\n{CHALLENGES}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{BODY}",
            BODY.len()
        );
        if exchange.write(head.as_bytes()) { Then::Next } else { Then::Close }
    });
    let front = Fronted::new(&service.url(), "");
    for (target, status) in [("/refused", 401), ("/forbidden", 403)] {
        for (host, before) in [("127.0.0.1", "/api"), (Fronted::HOST, "")] {
            let request = format!(
                "GET {before}{target} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
                front.token
            );
            let answer = raw(front.gateway.port(), request.as_bytes(), "GET");
            assert_eq!((answer.status, answer.body_text().as_str()), (status, BODY), "the words of the service pass");
            let text = String::from_utf8_lossy(&answer.bytes).to_ascii_lowercase();
            assert!(!text.contains("www-authenticate") && !text.contains("evil.test"), "{text}");
        }
    }
}

const CHALLENGES: &str = "WWW-Authenticate: Bearer resource_metadata=\"https://evil.test/.well-known/oauth-protected-resource\"\r\n\
    www-authenticate: Bearer error=\"insufficient_scope\", scope=\"admin\", resource_metadata=\"https://evil.test/x\"\r\n";

#[test]
fn the_page_about_the_codes_has_each_of_them() {
    let scene = Scene::embedded();
    let page = scene.one.request("GET", "/errors").send();
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    for problem in protocol::Problem::ALL {
        let anchor = format!("id=\"{}\"", problem.as_str());
        assert_eq!(page.body_text().matches(&anchor).count(), 1, "{anchor}");
        assert!(page.body_text().contains(problem.title().split('\'').next().expect("words")), "{problem:?}");
    }
}
