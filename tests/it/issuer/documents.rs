//! What clients look for before they ask for anything: it is there, it is so, and nothing else is said to be there.

use serde_json::{Value, json};

use super::{ENDPOINTS, House};

#[test]
fn the_server_says_what_it_has_at_both_places() {
    let house = House::new();
    let own = house.get("/.well-known/oauth-authorization-server");
    assert_eq!(own.json(), house.get("/.well-known/openid-configuration").json());
    assert_eq!(own.header("cache-control"), Some("public, max-age=300"));
    let (metadata, public) = (own.json(), house.gateway.public_url());
    assert_eq!(metadata["issuer"], json!(public));
    assert_eq!(metadata["scopes_supported"], json!(["openid", "helpdesk", "other"]));
    assert_eq!(metadata["client_id_metadata_document_supported"], true, "listed hosts are on by default");
    let endpoints = metadata.as_object().expect("an object").iter();
    let endpoints: Vec<_> = endpoints.filter(|(name, _)| name.ends_with("_endpoint") || *name == "jwks_uri").collect();
    assert_eq!(endpoints.len(), 8, "{endpoints:?}");
    for (name, url) in endpoints {
        let path = url.as_str().and_then(|url| url.strip_prefix(&public)).expect("a path of the gateway's");
        let answer = house.get(path);
        assert_ne!(answer.status, 404, "{name}");
        // And by each method that it takes, nothing fails.
        let answer = house.gateway.request("POST", path).send();
        assert!(answer.status < 500 && answer.status != 404, "{name} {}", answer.body_text());
    }
    let keys = house.get("/.well-known/jwks.json").json();
    let keys = keys["keys"].as_array().expect("keys").clone();
    assert!(!keys.is_empty());
    for key in &keys {
        assert_eq!((&key["kty"], &key["crv"], &key["alg"]), (&json!("EC"), &json!("P-256"), &json!("ES256")));
        assert_eq!(key.get("d"), None, "nothing private");
    }
}

#[test]
fn a_resource_is_described_under_the_name_that_was_asked_for() {
    let house = House::new();
    let public = house.gateway.public_url();
    let port = house.gateway.port();
    let beside = "/.well-known/oauth-protected-resource";
    for (path, resource) in [
        (format!("{beside}/helpdesk"), format!("{public}/helpdesk")),
        (format!("{beside}/helpdesk/"), format!("{public}/helpdesk/")),
        (format!("{beside}/ath/proxy/helpdesk"), format!("{public}/ath/proxy/helpdesk")),
        (format!("{beside}/ath/proxy/other"), format!("{public}/ath/proxy/other")),
        (format!("/helpdesk{beside}"), format!("{public}/helpdesk")),
        (format!("/ath/proxy/helpdesk{beside}"), format!("{public}/ath/proxy/helpdesk")),
    ] {
        let answer = house.get(&path);
        assert_eq!(answer.status, 200, "{path} {}", answer.body_text());
        let told = answer.json();
        assert_eq!(told["resource"], json!(resource), "{path}");
        assert_eq!(told["authorization_servers"], json!([public]));
        assert_eq!(told["bearer_methods_supported"], json!(["header"]));
    }
    let told = house.get(&format!("{beside}/helpdesk")).json();
    assert_eq!(told["scopes_supported"], json!(["read:tickets", "write:tickets"]));
    assert_eq!(told["resource_name"], "Acme Helpdesk");
    for host in [format!("desk.localhost:{port}"), "desk.localhost".to_owned(), "DESK.localhost:1".to_owned()] {
        let answer = house.get_at(&host, beside);
        assert_eq!(answer.status, 200, "{host} {}", answer.body_text());
        assert_eq!(answer.json()["resource"], json!(format!("http://desk.localhost:{port}")), "{host}");
    }
}

#[test]
fn what_is_no_resource_is_not_described() {
    let house = House::new();
    let beside = "/.well-known/oauth-protected-resource";
    for path in [
        format!("{beside}/none"),
        format!("{beside}/none/mcp"),
        format!("{beside}/helpdesk/x"),
        format!("{beside}/helpdesk//"),
        format!("{beside}/HELPDESK"),
        format!("{beside}/%68elpdesk"),
        format!("{beside}/ath"),
        format!("{beside}/ath/proxy"),
        format!("{beside}/ath/proxy/"),
        format!("{beside}/ath/proxy/none"),
        format!("{beside}/ath/proxy/helpdesk/x"),
        format!("/ath/proxy/none{beside}"),
        format!("/none{beside}"),
    ] {
        let answer = house.get(&path);
        assert_eq!(answer.status, 404, "{path} {}", answer.body_text());
    }
    for path in [format!("{beside}/helpdesk"), format!("{beside}/x")] {
        let answer = house.get_at("desk.localhost", &path);
        assert_eq!(answer.status, 404, "{path} {}", answer.body_text());
    }
    assert_eq!(house.get_at("evil.test", beside).status, 421);
}

#[test]
fn behind_a_closed_door_is_nothing() {
    let house = House::with("[oauth]\ndoor = \"off\"\n");
    for (method, path) in ENDPOINTS {
        for method in [method, "OPTIONS", "HEAD"] {
            let answer = house.gateway.request(method, path).send();
            assert_eq!(answer.status, 404, "{method} {path} {}", answer.body_text());
        }
    }
    let described = house.get("/openapi.json").json();
    let paths = described["paths"].as_object().expect("paths");
    assert!(paths.keys().all(|path| !path.contains("oauth") && !path.contains("jwks")), "{:?}", paths.keys());
    assert!(paths.contains_key("/ath/token"));
}

#[test]
fn what_is_switched_off_is_not_announced() {
    let house = House::with("[oauth]\nregistration = \"closed\"\nclient_documents = \"off\"\n");
    let metadata = house.get("/.well-known/oauth-authorization-server").json();
    assert_eq!(metadata.get("registration_endpoint"), None);
    assert_eq!(metadata.get("client_id_metadata_document_supported"), None);
    let asked = json!({"redirect_uris": ["https://app.example/callback"]});
    let answer = house.gateway.request("POST", "/oauth/register").json(&asked).send();
    assert_eq!((answer.status, answer.text("/error")), (403, "access_denied".to_owned()));
    assert_eq!(answer.reason(), "registration_closed");
}

#[test]
fn grants_for_machines_are_announced_where_there_are_machines() {
    let usual = House::new().get("/.well-known/oauth-authorization-server").json();
    let grants = |metadata: &Value| metadata["grant_types_supported"].as_array().expect("a list").clone();
    assert_eq!(grants(&usual).len(), 4);
    assert!(!grants(&usual).contains(&json!("client_credentials")));
}

#[test]
fn the_description_names_this_gateway() {
    let house = House::new();
    let answer = house.get("/openapi.json");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let document = answer.json();
    assert_eq!(document["servers"], json!([{"url": house.gateway.public_url()}]));
    for (method, path) in ENDPOINTS.iter().take(10) {
        let operation = &document["paths"][path][method.to_ascii_lowercase()];
        assert!(operation.is_object(), "{method} {path}");
    }
}
