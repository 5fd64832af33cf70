//! Clients that live in pages of other origins, and methods that nobody has.

use super::{ENDPOINTS, House};

#[test]
fn pages_of_any_origin_may_ask_and_read() {
    let house = House::new();
    let open = ENDPOINTS.iter().chain(&[("GET", "/openapi.json")]).filter(|(_, path)| *path != "/oauth/introspect");
    for (method, path) in open {
        let asked = house.gateway.request("OPTIONS", path).header("origin", "https://inspector.example");
        let answer = asked.header("access-control-request-method", method).send();
        assert_eq!(answer.status, 204, "{path} {}", answer.body_text());
        let allowed = |name: &str| answer.header(name).unwrap_or_default().to_owned();
        assert_eq!(allowed("access-control-allow-origin"), "*", "{path}");
        assert!(allowed("access-control-allow-methods").contains(method), "{path}");
        let headers = allowed("access-control-allow-headers").to_ascii_lowercase();
        for name in ["authorization", "content-type", "mcp-protocol-version"] {
            assert!(headers.contains(name), "{path} {name}");
        }
        assert!(allowed("access-control-max-age").parse::<u32>().is_ok_and(|seconds| seconds >= 600), "{path}");

        let answer = house.gateway.request(method, path).header("origin", "https://inspector.example").send();
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path} {}", answer.body_text());
        assert_eq!(answer.header("access-control-allow-credentials"), None, "{path}");
        let exposed = answer.header("access-control-expose-headers").unwrap_or_default();
        assert!(exposed.contains("WWW-Authenticate") && exposed.contains("Retry-After"), "{path}");
    }
}

#[test]
fn what_has_a_secret_or_a_cookie_is_for_no_page_of_another_origin() {
    let house = House::new();
    for path in ["/oauth/introspect", "/oauth/authorize", "/oauth/device", "/ath/token", "/accounts"] {
        for method in ["OPTIONS", "GET", "POST"] {
            let answer = house.gateway.request(method, path).header("origin", "https://evil.example").send();
            assert_eq!(answer.header("access-control-allow-origin"), None, "{method} {path}");
        }
    }
}

#[test]
fn every_endpoint_names_its_methods() {
    let house = House::new();
    for (method, path) in ENDPOINTS {
        for other in ["PUT", "PATCH", "DELETE"] {
            let answer = house.gateway.request(other, path).send();
            assert_eq!(answer.status, 405, "{other} {path} {}", answer.body_text());
            assert_eq!(answer.reason(), "method_not_allowed", "{other} {path}");
            let allow = answer.header("allow").unwrap_or_default();
            assert!(allow.split(',').any(|allowed| allowed == method), "{path} {allow}");
            assert!(!allow.contains(other), "{path} {allow}");
        }
        if method == "GET" {
            let (head, get) = (house.gateway.request("HEAD", path).send(), house.get(path));
            assert_eq!((head.status, head.body.len()), (get.status, 0), "{path}");
        } else if path != "/oauth/userinfo" {
            assert_eq!(house.get(path).status, 405, "{path}");
            assert_eq!(house.gateway.request("HEAD", path).send().status, 405, "{path}");
        }
    }
}

#[test]
fn nothing_that_is_for_one_client_is_kept_by_anybody() {
    let house = House::new();
    for (method, path) in ENDPOINTS.iter().filter(|(_, path)| path.starts_with("/oauth/")) {
        let answer = house.gateway.request(method, path).send();
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{method} {path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{method} {path}");
    }
}
