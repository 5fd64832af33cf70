//! R32, R34: who may ask from where, and what the answers' URLs are made of.

use serde_json::json;
use tests::{Answer, Gateway, Store};

use super::door::{Door, Era, request};

fn lists(door: &Door, header: (&str, &str)) -> Answer {
    let asked =
        request(&door.front.gateway, "/helpdesk/mcp", Era::Modern, Some(&door.token), ("tools/list", &json!({})));
    asked.header(header.0, header.1).send()
}

/// rmcp CVE-2026-42559, RUSTSEC-2026-0189: a name that was made to resolve to loopback reached the server there.
#[test]
fn r34_cve_2026_42559_names_that_are_not_the_gateways_reach_nothing() {
    let door = Door::allowing(&["* /**"]);
    for host in [
        "evil.test",
        "127.0.0.1.evil.test",
        "localhost.evil.test",
        "evil.test:80",
        "169.254.169.254",
        "[::1].evil.test",
    ] {
        let answer = lists(&door, ("host", host));
        assert_eq!(answer.status, 421, "{host}: {}", answer.body_text());
        assert!(answer.header("access-control-allow-origin").is_none());
    }
    for origin in [
        "http://evil.test",
        "https://evil.test",
        "null",
        "",
        "http://127.0.0.1.evil.test",
        "http://localhost.evil.test:80",
        "file://",
        "chrome-extension://x",
        "http://evil.test, http://localhost",
    ] {
        for (path, token) in [("/helpdesk/mcp", None), ("/helpdesk/mcp", Some(door.token.as_str())), ("/mcp", None)] {
            for method in ["POST", "GET", "DELETE", "OPTIONS"] {
                let asked = request(&door.front.gateway, path, Era::Modern, token, ("tools/list", &json!({})));
                let mut asked = asked.header("origin", origin);
                if method == "OPTIONS" {
                    asked = door
                        .front
                        .gateway
                        .request(method, path)
                        .header("origin", origin)
                        .header("access-control-request-method", "POST");
                } else if method != "POST" {
                    asked = door.front.gateway.request(method, path).header("origin", origin);
                }
                let answer = asked.send();
                assert_eq!(answer.status, 403, "{method} {path} {origin:?}: {}", answer.body_text());
                assert!(answer.header("access-control-allow-origin").is_none(), "{origin:?}");
            }
        }
    }
    assert_eq!(door.spy.count(), 0);
}

#[test]
fn r34_pages_that_may_come_in_come_in_without_cookies() {
    let door = Door::allowing(&["* /**"]);
    for origin in
        [door.front.gateway.public_url(), "http://localhost:6274".to_owned(), "http://127.0.0.1:9999".to_owned()]
    {
        let answer = lists(&door, ("origin", &origin));
        assert_eq!(
            (answer.status, answer.header("access-control-allow-origin")),
            (200, Some(origin.as_str())),
            "{}",
            answer.body_text()
        );
        assert!(answer.header("access-control-allow-credentials").is_none());
        assert!(
            answer.header("vary").is_some_and(|vary| vary.to_lowercase().contains("origin")),
            "{:?}",
            answer.headers
        );
        // Without a token, too: how else would a page find out where to get one?
        let asked = request(&door.front.gateway, "/helpdesk/mcp", Era::Modern, None, ("tools/list", &json!({})));
        let answer = asked.header("origin", &origin).send();
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (401, Some(origin.as_str())));
        assert!(
            answer
                .header("access-control-expose-headers")
                .is_some_and(|names| names.to_lowercase().contains("www-authenticate"))
        );
        let preflight = door.front.gateway.request("OPTIONS", "/helpdesk/mcp").header("origin", &origin);
        let preflight = preflight.header("access-control-request-method", "POST");
        let wanted =
            "authorization, content-type, mcp-protocol-version, mcp-method, mcp-name, mcp-session-id, last-event-id";
        let answer = preflight.header("access-control-request-headers", wanted).send();
        assert!(matches!(answer.status, 200 | 204), "{}", answer.status);
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin.as_str()));
        assert!(answer.header("access-control-allow-credentials").is_none());
        let allowed = answer.header("access-control-allow-headers").unwrap_or_default().to_lowercase();
        for name in wanted.split(", ") {
            assert!(allowed == "*" || allowed.contains(name), "{name}: {allowed}");
        }
    }
}

#[test]
fn r34_in_earnest_no_page_of_this_machine_comes_in() {
    let provider = r#"
[mcp]
origins = ["https://inspector.example"]

[[provider]]
id = "helpdesk"
api_base = "https://helpdesk.invalid"
[provider.oauth]
authorize_endpoint = "https://helpdesk.invalid/authorize"
token_endpoint = "https://helpdesk.invalid/token"
client_id = "ath-gateway"
client_secret = { env = "CLIENT_SECRET" }
pkce = "none"
[provider.scopes]
"read:tickets" = { says = "See your tickets", allow = ["GET /tickets"] }
"#;
    let gateway = Gateway::start_in_earnest(Store::Embedded, "https://gateway.example", provider);
    let ask = |method: &str, origin: &str| {
        let asked = gateway.request(method, "/helpdesk/mcp").header("host", "gateway.example").header("origin", origin);
        asked.header("x-forwarded-proto", "https").header("access-control-request-method", "POST").send()
    };
    for origin in [
        "http://localhost:6274",
        "http://127.0.0.1",
        "http://gateway.example",
        "https://gateway.example.evil.test",
        "https://inspector.example:8443",
        "null",
    ] {
        for method in ["POST", "GET", "OPTIONS"] {
            assert_eq!(ask(method, origin).status, 403, "{method} {origin}");
        }
    }
    for origin in ["https://gateway.example", "https://inspector.example"] {
        let answer = ask("POST", origin);
        assert_eq!(
            (answer.status, answer.header("access-control-allow-origin")),
            (401, Some(origin)),
            "{}",
            answer.body_text()
        );
        assert!(matches!(ask("OPTIONS", origin).status, 200 | 204));
    }
}

/// mcp-remote CVE-2025-6514: a URL of metadata reached a shell.
#[test]
fn r32_cve_2025_6514_urls_of_the_doors_documents_are_the_gateways_own() {
    let door = Door::allowing(&["* /**"]);
    let gateway = &door.front.gateway;
    let public = gateway.public_url();
    let asked = |path: &str, header: (&str, &str)| gateway.request("GET", path).header(header.0, header.1).send();
    let paths = [
        "/helpdesk/mcp",
        "/.well-known/oauth-protected-resource/helpdesk/mcp",
        "/.well-known/oauth-authorization-server",
    ];
    for header in [
        ("x-forwarded-host", "$(touch /tmp/x)"),
        ("x-forwarded-host", "evil.test"),
        ("x-forwarded-proto", "file"),
        ("x-forwarded-prefix", "/`id`"),
        ("forwarded", "host=\"a:$(calc.exe)\""),
        ("x-original-url", "/'; id; '"),
    ] {
        for path in paths {
            let answer = asked(path, header);
            let text = format!("{} {}", answer.header("www-authenticate").unwrap_or_default(), answer.body_text());
            assert!(text.contains(&public), "{path}: {text}");
            for url in text.split(['"', ' ']).filter(|part| part.contains("://")) {
                assert!(url.starts_with(&public), "{path} {header:?}: {url}");
                assert!(
                    url.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":/.-_#".contains(&byte)),
                    "{path} {header:?}: {url}"
                );
            }
        }
    }
    for host in ["$(touch /tmp/x)", "`id`", "evil.test", "127.0.0.1;id"] {
        for path in paths {
            let answer = asked(path, ("host", host));
            assert!(matches!(answer.status, 400 | 421), "{host} {path}: {}", answer.status);
            assert!(!answer.body_text().contains(host), "{}", answer.body_text());
        }
    }
}
