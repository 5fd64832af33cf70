//! Whatever is sent to an endpoint: malformed, twice, too much. It is refused in the form that refusals have, and never with a 5xx.

use std::collections::BTreeMap;

use serde_json::json;
use tests::{Answer, Gateway, OAuthClient, raw};

use super::{Door, refusal};

const POSTED: [&str; 4] = ["/oauth/token", "/oauth/revoke", "/oauth/introspect", "/oauth/device_authorization"];

/// Bytes that are no request of RFC 6749 at any endpoint that takes forms.
fn bad_bodies() -> Vec<Vec<u8>> {
    let mut bodies: Vec<Vec<u8>> = [
        "",
        "&",
        "=",
        "&&&=&=",
        "%",
        "%zz=%zz",
        "token=%ff%fe",
        "token=%00",
        "grant_type",
        "grant_type=",
        "{}",
        "[]",
        "grant_type[]=x",
        "grant_type=refresh_token;refresh_token=x",
        "client_id=%00",
        "client_id=\u{0}\u{1}",
        "client_id=../../etc/passwd",
        "client_id=https://[",
        "client_id=https://[::1",
        "client_id=\u{202e}",
        "client_id=x%0d%0aSet-Cookie:%20a=b&token=x",
        "client_id='%20OR%201=1--&token=x",
        "client_id=*&token=*",
        "client_id=client:{x}&token={x}",
        "grant_type=refresh_token&refresh_token=%20&client_id=x",
    ]
    .into_iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    bodies.push(vec![0xff; 64]);
    bodies.push(b"client_id=".iter().copied().chain([0xc3, 0x28]).collect());
    bodies.push(format!("token={}", "x".repeat(100_000)).into_bytes());
    bodies.push(format!("{}=x", "n".repeat(100_000)).into_bytes());
    bodies.push("a=b&".repeat(20_000).into_bytes());
    bodies.push(format!("scope={}", "read:tickets+".repeat(5_000)).into_bytes());
    bodies
}

/// A refusal's description has characters that RFC 6749 section 5.2 allows, and none of what was sent.
fn is_refused(answer: &Answer, what: &str) {
    assert!((400..500).contains(&answer.status), "{what}: {} {}", answer.status, answer.body_text());
    let (_, code) = refusal(answer);
    assert!(!code.is_empty(), "{what}");
    let description = answer.text("/error_description");
    assert!(description.bytes().all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)), "{description}");
    assert!(description.len() < 400 && !description.contains("xxxxx"), "{description}");
    assert!(answer.header("set-cookie").is_none(), "{what}");
}

fn post(gateway: &Gateway, path: &str, kind: &str, body: Vec<u8>) -> Answer {
    gateway.request("POST", path).header("content-type", kind).body(body).send()
}

#[test]
fn malformed_and_oversize_forms_are_refused() {
    let Door { gateway, upstream: _upstream } = Door::open();
    for path in POSTED {
        for body in bad_bodies() {
            let what = format!("{path} {:.60}", String::from_utf8_lossy(&body));
            is_refused(&post(&gateway, path, "application/x-www-form-urlencoded", body), &what);
        }
        for kind in ["application/json", "text/plain", "multipart/form-data; boundary=x", "", "x"] {
            let body = br#"{"grant_type":"client_credentials","client_id":"x","token":"x"}"#.to_vec();
            is_refused(&post(&gateway, path, kind, body), &format!("{path} {kind}"));
        }
        let huge = format!("token={}", "x".repeat(4 << 20)).into_bytes();
        let answer = post(&gateway, path, "application/x-www-form-urlencoded", huge);
        assert!(matches!(answer.status, 400 | 413), "{path}: {}", answer.status);
    }
}

#[test]
fn a_parameter_that_comes_twice_is_refused() {
    let Door { gateway, upstream: _upstream } = Door::open();
    let client = OAuthClient::register_with_secret(&gateway);
    let (access, refresh) = client.tokens(&gateway);
    let requests: [(&str, BTreeMap<&'static str, String>); 4] = [
        ("/oauth/token", client.code_grant(&client.code(&gateway))),
        ("/oauth/token", client.refresh_grant(&refresh)),
        ("/oauth/revoke", client.about(&access)),
        ("/oauth/introspect", client.about(&access)),
    ];
    let written = |fields: &BTreeMap<&'static str, String>| {
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
    };
    for (path, fields) in &requests {
        // RFC 8707 allows any number of resources; one token is for one.
        for name in fields.keys().filter(|name| **name != "resource") {
            for again in [fields[name].as_str(), "x", ""] {
                let pair = url::form_urlencoded::Serializer::new(String::new()).append_pair(name, again).finish();
                let body = format!("{}&{pair}", written(fields));
                let answer = post(&gateway, path, "application/x-www-form-urlencoded", body.into_bytes());
                is_refused(&answer, &format!("{path} {name}"));
                assert!(
                    matches!(answer.text("/error").as_str(), "invalid_request" | "invalid_client"),
                    "{path} {name}"
                );
            }
        }
    }
    assert_eq!(client.call(&gateway, &access, "/tickets").status, 200, "nothing of it had an effect");
    for (path, fields) in &requests {
        let body = format!("{}&unheard_of=1&unheard_of=2", written(fields));
        let answer = post(&gateway, path, "application/x-www-form-urlencoded; charset=UTF-8", body.into_bytes());
        assert!(matches!(answer.status, 200 | 400), "{path} {}", answer.body_text());
    }

    let link = client.link(&gateway);
    for name in client.authorization().keys().filter(|name| **name != "resource") {
        let (answer, location) = tests::Browser::new().peek(&format!("{link}&{name}=x"));
        let told = answer.status == 400 || location.is_some_and(|to| to.contains("error=invalid_request"));
        assert!(told, "{name}: {} {}", answer.status, answer.body_text());
    }
}

#[test]
fn what_proves_a_client_is_in_one_place_and_well_written() {
    let Door { gateway, upstream: _upstream } = Door::open();
    let client = OAuthClient::register_as(&gateway, &json!({"token_endpoint_auth_method": "client_secret_basic"}));
    let encode = |text: &str| data_encoding::BASE64.encode(text.as_bytes());
    let good = format!("Basic {}", encode(&format!("{}:{}", client.id, client.secret())));
    let ask = |authorization: &[&str], body: &str| {
        let mut request = gateway.request("POST", "/oauth/introspect");
        for value in authorization {
            request = request.header("authorization", value);
        }
        request.header("content-type", "application/x-www-form-urlencoded").body(body.as_bytes().to_vec()).send()
    };
    assert_eq!(ask(&[&good], "token=x").json(), json!({"active": false}));
    let bad = [
        "Basic",
        "Basic ",
        "Basic !!!!",
        "Basic Og==",
        &format!("Basic {}", encode("no-colon")),
        &format!("Basic {}", encode(&format!("{}:", client.id))),
        &format!("Basic {}", encode(&format!("{}:{}x", client.id, client.secret()))),
        &format!("Basic {}", encode(&format!("{}:{}:", client.id, client.secret()))),
        &format!("Basic {}", encode("%zz:%zz")),
        &format!("Basic {}", encode(&"x".repeat(9000))),
        &format!("Bearer {}", client.secret()),
        "Digest x",
        "\u{1}",
    ];
    for value in bad {
        let answer = ask(&[value], "token=x");
        assert!(matches!(answer.status, 400 | 401 | 431), "{value:.40}: {}", answer.body_text());
    }
    for (authorization, body) in [
        (vec![good.as_str(), good.as_str()], "token=x".to_owned()),
        (vec![good.as_str()], format!("token=x&client_secret={}", client.secret())),
        (vec![good.as_str()], "token=x&client_id=another".to_owned()),
        (vec![good.as_str()], "token=x&client_assertion=a.b.c&client_assertion_type=x".to_owned()),
        (vec![], format!("token=x&client_id={}&client_secret={}x", client.id, client.secret())),
        (vec![], format!("token=x&client_secret={}", client.secret())),
        (vec![], format!("token=x&client_id={}", client.id)),
    ] {
        let count = authorization.len();
        let answer = ask(&authorization, &body);
        assert!(matches!(answer.status, 400 | 401), "{count} {:.40}: {}", body, answer.body_text());
    }
    // Nothing of the form is read from the query, where it would be logged on the way.
    let path = format!("/oauth/introspect?token=x&client_id={}&client_secret={}", client.id, client.secret());
    assert!(matches!(post(&gateway, &path, "application/x-www-form-urlencoded", Vec::new()).status, 400 | 401));
}

#[test]
fn registrations_that_are_none_are_refused() {
    let Door { gateway, upstream: _upstream } = Door::open();
    let good = json!(["https://app.example/callback"]);
    let many: Vec<_> = (0..1000).map(|number| format!("https://app.example/{number}")).collect();
    let bad = [
        json!(null),
        json!([]),
        json!("x"),
        json!(1),
        json!({"redirect_uris": null}),
        json!({"redirect_uris": "https://app.example/callback"}),
        json!({"redirect_uris": [], "grant_types": ["authorization_code"]}),
        json!({"redirect_uris": [1]}),
        json!({"redirect_uris": [null]}),
        json!({"redirect_uris": [["https://app.example/callback"]]}),
        json!({"redirect_uris": many}),
        json!({"redirect_uris": [format!("https://app.example/{}", "x".repeat(10_000))]}),
        json!({"redirect_uris": good, "grant_types": "authorization_code"}),
        json!({"redirect_uris": good, "grant_types": ["implicit"]}),
        json!({"redirect_uris": good, "grant_types": ["password"]}),
        json!({"redirect_uris": good, "response_types": ["token"]}),
        json!({"redirect_uris": good, "token_endpoint_auth_method": "tls_client_auth"}),
        json!({"redirect_uris": good, "token_endpoint_auth_method": 1}),
        json!({"redirect_uris": good, "token_endpoint_auth_method": "private_key_jwt"}),
        json!({"redirect_uris": good, "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": []}}),
        json!({"redirect_uris": good, "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [{"kty": "oct", "k": "AAAA"}]}}),
        json!({"redirect_uris": good, "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "file:///etc/passwd"}),
        json!({"redirect_uris": good, "client_name": ["x"]}),
        json!({"redirect_uris": good, "scope": 1}),
    ];
    for registration in &bad {
        let body = registration.to_string().into_bytes();
        let answer = post(&gateway, "/oauth/register", "application/json", body);
        is_refused(&answer, &format!("{registration:.120}"));
        let code = answer.text("/error");
        assert!(
            matches!(code.as_str(), "invalid_redirect_uri" | "invalid_client_metadata" | "invalid_request"),
            "{code} {registration:.120}"
        );
    }
    let deep = "[".repeat(100_000);
    let texts =
        ["", "{", "{\"redirect_uris\":", "\u{feff}{}", "{}{}", "NaN", deep.as_str(), "{\"a\":1e999}", "\"\\ud800\""];
    for text in texts {
        is_refused(&post(&gateway, "/oauth/register", "application/json", text.as_bytes().to_vec()), text);
    }
    let twice = r#"{"redirect_uris":["https://app.example/callback"],"redirect_uris":["https://evil.test/callback"]}"#;
    let answer = post(&gateway, "/oauth/register", "application/json", twice.as_bytes().to_vec());
    is_refused(&answer, "a member that comes twice");
    let huge = json!({"redirect_uris": good, "client_name": "x".repeat(2 << 20)}).to_string().into_bytes();
    let answer = post(&gateway, "/oauth/register", "application/json", huge);
    assert!(matches!(answer.status, 400 | 413), "{}", answer.status);
    // What is not known is passed over (RFC 7591 section 2).
    let odd =
        json!({"redirect_uris": good, "x": {"y": [1, 2, 3]}, "token_endpoint_auth_method": "none", "contacts": 7});
    let answer = gateway.request("POST", "/oauth/register").json(&odd).send();
    assert_eq!(answer.status, 201, "{}", answer.body_text());
}

#[test]
fn methods_that_an_endpoint_does_not_have_are_told() {
    let Door { gateway, upstream: _upstream } = Door::open();
    let wrong = [
        ("/oauth/token", "GET"),
        ("/oauth/token", "PUT"),
        ("/oauth/register", "GET"),
        ("/oauth/revoke", "GET"),
        ("/oauth/introspect", "DELETE"),
        ("/oauth/device_authorization", "GET"),
        ("/oauth/authorize", "PUT"),
        ("/oauth/authorize", "DELETE"),
        ("/oauth/userinfo", "DELETE"),
        ("/.well-known/oauth-authorization-server", "POST"),
        ("/.well-known/openid-configuration", "DELETE"),
        ("/.well-known/jwks.json", "POST"),
        ("/openapi.json", "POST"),
    ];
    for (path, method) in wrong {
        let answer = gateway.request(method, path).send();
        assert_eq!(answer.status, 405, "{method} {path}: {}", answer.body_text());
        assert!(answer.header("allow").is_some(), "{method} {path}");
    }
    for path in ["/oauth", "/oauth/", "/oauth/nothing", "/oauth/token/", "/oauth/token/x", "/.well-known/nothing"] {
        let answer = gateway.request("GET", path).send();
        assert!(matches!(answer.status, 400 | 404), "{path}: {}", answer.status);
    }
}

/// Bytes that no client library sends.
#[test]
fn requests_from_raw_sockets_are_refused() {
    let Door { gateway, upstream: _upstream } = Door::open();
    let host = format!("Host: 127.0.0.1:{}\r\n", gateway.port());
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let requests = [
        format!("POST /oauth/token HTTP/1.1\r\n{host}{form}Content-Length: 5\r\nContent-Length: 6\r\n\r\nx=yyyy"),
        format!(
            "POST /oauth/token HTTP/1.1\r\n{host}{form}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"
        ),
        format!("POST /oauth/token HTTP/1.1\r\n{host}{form}Transfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n0\r\n\r\n"),
        format!(
            "POST /oauth/token HTTP/1.1\r\n{host}{form}Content-Encoding: gzip\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc"
        ),
        format!("POST /oauth/token HTTP/1.1\r\n{host}{form}{form}Content-Length: 3\r\nConnection: close\r\n\r\na=b"),
        format!("GET /oauth/authorize?state=\u{1} HTTP/1.1\r\n{host}Connection: close\r\n\r\n"),
        format!("GET /oauth/authorize?{} HTTP/1.1\r\n{host}Connection: close\r\n\r\n", "x".repeat(70_000)),
        format!("GET /oauth/authorize?client_id=%ff%fe&redirect_uri=%00 HTTP/1.1\r\n{host}Connection: close\r\n\r\n"),
        format!("GET /oauth/../oauth/authorize HTTP/1.1\r\n{host}Connection: close\r\n\r\n"),
        format!("GET //oauth/authorize HTTP/1.1\r\n{host}Connection: close\r\n\r\n"),
        format!("GET /oauth%2fauthorize HTTP/1.1\r\n{host}Connection: close\r\n\r\n"),
        format!("GET http://evil.test/oauth/authorize HTTP/1.1\r\n{host}Connection: close\r\n\r\n"),
        "POST /oauth/token HTTP/1.1\r\nHost: evil.test\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned(),
        format!(
            "POST /oauth/token HTTP/1.1\r\n{host}{form}Authorization: Basic x\r\nAuthorization: Bearer y\r\nContent-Length: 7\r\nConnection: close\r\n\r\ntoken=x"
        ),
    ];
    for request in requests {
        let answer = raw(gateway.port(), request.as_bytes(), "POST");
        assert!((400..500).contains(&answer.status), "{request:.200}: {} {}", answer.status, answer.body_text());
    }
    assert_eq!(gateway.request("GET", "/.well-known/oauth-authorization-server").send().status, 200);
}
