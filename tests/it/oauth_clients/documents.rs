//! Client ID metadata documents that are fetched. O14.

use std::time::{Duration, Instant};

use serde_json::json;
use tests::{Browser, RedisServer, Reply, Store};

use super::{REDIRECT, Signer, Site, error, named, open, signed};

#[test]
fn a_client_is_known_by_its_document() {
    let redis = RedisServer::start();
    let (one, upstream) = open(Store::Redis(&redis), "");
    let two = one.replica_with(Store::Redis(&redis), &upstream.provider("pkce = \"none\""));
    let site = Site::start();
    site.show("/client.json", Reply::json(&site.document("/client.json")));
    let client = named(&one, &site.url("/client.json"), "http://127.0.0.1:49152/callback");

    let page = Browser::new().open(&client.link(&one));
    assert!(page.says("Document Client") && page.says("127.0.0.1"), "{}", page.answer.body_text());
    let (access, refresh) = client.tokens(&one);
    assert_eq!(client.call(&two, &access, "/tickets").status, 200);
    let renewed = client.refresh(&two, &refresh);
    assert_eq!(renewed.status, 200, "{}", renewed.body_text());
    assert_eq!(client.revoke(&one, &renewed.text("/access_token")).status, 200);
    assert_eq!(client.call(&two, &renewed.text("/access_token"), "/tickets").status, 401);
    // Each replica looks once, and not at all where the client is known already.
    assert!((1..=2).contains(&site.asked()), "{}", site.asked());
    for request in site.served.received() {
        assert_eq!((request.method.as_str(), request.header("cookie")), ("GET", None));
        assert_eq!((request.header("authorization"), request.header("referer")), (None, None));
    }
    let elsewhere = named(&one, &site.url("/client.json"), "http://127.0.0.1:49152/other");
    let (answer, location) = Browser::new().peek(&elsewhere.link(&one));
    assert_eq!((answer.status, location), (400, None));
}

#[test]
fn what_is_no_document_makes_no_client() {
    let (gateway, _upstream) = open(Store::Embedded, "");
    let site = Site::start();
    site.show("/good", Reply::json(&site.document("/good")));
    let of = |path: &str, field: &str, value: serde_json::Value| {
        let mut document = site.document(path);
        document[field] = value;
        Reply::json(&document)
    };
    let text = |path: &str| site.document(path).to_string();
    let padded = |path: &str, size: usize| {
        let text = text(path);
        format!("{}{}", text, " ".repeat(size - text.len()))
    };
    let json = "application/json";
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{";
    let cases = [
        ("/redirect", Reply::redirect(&site.url("/good"))),
        ("/missing", Reply::of("404 Not Found", json, text("/missing").as_bytes())),
        ("/created", Reply::of("201 Created", json, text("/created").as_bytes())),
        ("/fails", Reply::of("500 Internal Server Error", json, b"{}")),
        ("/html", Reply::of("200 OK", "text/html", text("/html").as_bytes())),
        ("/untyped", Reply::of("200 OK", "", text("/untyped").as_bytes())),
        ("/large", Reply::of("200 OK", json, padded("/large", 5 * 1024 + 1).as_bytes())),
        ("/endless", Reply::Endless(head.as_bytes().to_vec())),
        ("/empty", Reply::of("200 OK", json, b"")),
        ("/list", Reply::of("200 OK", json, b"[]")),
        ("/doubled", Reply::of("200 OK", json, text("/doubled").replacen('{', "{\"client_id\":\"x\",", 1).as_bytes())),
        ("/other", of("/other", "client_id", json!(site.url("/good")))),
        ("/slash", of("/slash", "client_id", json!(site.url("/slash/")))),
        ("/secret", of("/secret", "client_secret", json!("hunter2"))),
        ("/basic", of("/basic", "token_endpoint_auth_method", json!("client_secret_basic"))),
        ("/script", of("/script", "redirect_uris", json!([REDIRECT, "javascript:alert(1)"]))),
        ("/plain", of("/plain", "redirect_uris", json!(["http://evil.test/callback"]))),
        ("/none", of("/none", "redirect_uris", json!([]))),
        ("/private", of("/private", "jwks", json!({"keys": [{"kty": "oct", "k": "AAAA"}]}))),
    ];
    for (path, reply) in cases {
        site.show(path, reply);
        // Only a client that signs has keys that matter.
        if path == "/private" {
            let mut document = site.document(path);
            document["token_endpoint_auth_method"] = json!("private_key_jwt");
            document["jwks"] = json!({"keys": [{"kty": "oct", "k": "AAAA"}]});
            site.show(path, Reply::json(&document));
        }
        let client = named(&gateway, &site.url(path), REDIRECT);
        let begun = Instant::now();
        let (answer, location) = Browser::new().peek(&client.link(&gateway));
        let expected = if path == "/endless" { 502 } else { 400 };
        assert_eq!((answer.status, location), (expected, None), "{path} {}", answer.body_text());
        assert!(begun.elapsed() < Duration::from_secs(8), "{path} {:?}", begun.elapsed());
        let again = Browser::new().peek(&client.link(&gateway));
        assert_eq!((again.0.status, again.1), (answer.status, None), "{path}");
        let refused = client.exchange(&gateway, "ath_code_nothing");
        let expected = if path == "/endless" { 503 } else { 401 };
        assert_eq!(error(&refused).0, expected, "{path} {}", refused.body_text());
    }
    let asked = site.served.received();
    for path in ["/redirect", "/large", "/other"] {
        assert_eq!(asked.iter().filter(|request| request.path() == path).count(), 1, "{path}: remembered for a minute");
    }
    assert!(asked.iter().all(|request| request.path() != "/good"), "no redirect is followed");
    let exact = "/exact";
    site.show(exact, Reply::of("200 OK", "application/json; charset=utf-8", padded(exact, 5 * 1024).as_bytes()));
    let client = named(&gateway, &site.url(exact), REDIRECT);
    assert_eq!(Browser::new().open(&client.link(&gateway)).answer.status, 200, "what is just small enough");
}

#[test]
fn a_document_with_keys_is_a_client_that_signs() {
    let (gateway, _upstream) = open(Store::Embedded, "");
    let site = Site::start();
    let (own, stranger) = (Signer::new("k"), Signer::new("k"));
    site.show("/keys", Reply::json(&own.set()));
    let mut document = site.document("/client.json");
    document["token_endpoint_auth_method"] = json!("private_key_jwt");
    document["jwks_uri"] = json!(site.url("/keys"));
    site.show("/client.json", Reply::json(&document));
    let client = named(&gateway, &site.url("/client.json"), REDIRECT);
    let code = client.code(&gateway);
    let exchange = |statement: Option<String>| {
        let mut fields = client.code_grant(&code);
        fields.extend(statement.into_iter().flat_map(signed));
        client.post(&gateway, "/oauth/token", &fields)
    };
    assert_eq!(error(&exchange(None)), (401, "invalid_client".to_owned()));
    let forged = stranger.proof(&gateway, &client.id);
    assert_eq!(error(&exchange(Some(forged))), (401, "invalid_client".to_owned()));
    let proof = own.proof(&gateway, &client.id);
    let issued = exchange(Some(proof.clone()));
    assert_eq!(issued.status, 200, "{}", issued.body_text());
    assert_eq!(client.call(&gateway, &issued.text("/access_token"), "/tickets").status, 200);
    assert_eq!(error(&exchange(Some(proof))), (401, "invalid_client".to_owned()), "once");
}

#[test]
fn whose_documents_are_fetched_is_the_operators_choice() {
    let site = Site::start();
    site.show("/client.json", Reply::json(&site.document("/client.json")));
    for (setting, announced) in [("off", json!(false)), ("listed", json!(true)), ("any", json!(true))] {
        let (gateway, _upstream) = open(Store::Embedded, &format!("[oauth]\nclient_documents = \"{setting}\"\n"));
        let metadata = gateway.request("GET", "/.well-known/oauth-authorization-server").send().json();
        let told = metadata.get("client_id_metadata_document_supported").cloned().unwrap_or(json!(false));
        assert_eq!(told, announced, "{setting}");
        let before = site.asked();
        let client = named(&gateway, &site.url("/client.json"), REDIRECT);
        let (answer, _) = Browser::new().peek(&client.link(&gateway));
        let stranger = named(&gateway, "https://client.invalid/client.json", REDIRECT);
        let (strangers, _) = Browser::new().peek(&stranger.link(&gateway));
        let expected = if setting == "off" { (403, 0) } else { (200, 1) };
        assert_eq!((answer.status, site.asked() - before), expected, "{setting}: {}", answer.body_text());
        assert_eq!(strangers.status, if setting == "any" { 502 } else { 403 }, "{setting}");
    }
}
