use std::collections::HashSet;

use super::*;

fn document() -> Value {
    of("https://gw.example", Door::Open).expect("a document")
}

fn paths(document: &Value) -> Vec<&String> {
    document["paths"].as_object().expect("paths").keys().collect()
}

/// Each object within, with the names that lead there.
fn walk(value: &Value, each: &mut impl FnMut(&serde_json::Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            each(object);
            object.values().for_each(|inner| walk(inner, each));
        }
        Value::Array(items) => items.iter().for_each(|inner| walk(inner, each)),
        _ => {}
    }
}

#[test]
fn it_names_this_gateway() {
    assert_eq!(document()["servers"], json!([{"url": "https://gw.example"}]));
    assert_eq!(document()["openapi"], "3.1.0");
    assert_eq!(document()["info"]["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn a_closed_door_is_not_described() {
    let closed = of("https://gw.example", Door::Closed).expect("a document");
    let oauth = |path: &&String| {
        path.starts_with("/oauth/")
            || path.starts_with("/ath/my/")
            || path.contains("oauth-")
            || path.contains("openid")
            || path.contains("jwks")
    };
    assert_eq!(paths(&closed).iter().filter(|path| oauth(path)).count(), 0);
    assert!(paths(&closed).iter().any(|path| *path == "/ath/token"));
    let open = document();
    let (with, without) = (paths(&open).len(), paths(&closed).len());
    assert_eq!(with - without, paths(&open).iter().filter(|path| oauth(path)).count());
}

#[test]
fn whatever_it_refers_to_is_there_and_nothing_is_there_for_nobody() {
    let document = document();
    let mut used = HashSet::new();
    walk(&document, &mut |object| {
        if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
            let pointer = reference.strip_prefix('#').expect("of this document");
            assert!(document.pointer(pointer).is_some(), "{reference}");
            used.insert(pointer.to_owned());
        }
    });
    for kind in ["schemas", "responses"] {
        for name in document["components"][kind].as_object().expect("components").keys() {
            assert!(used.contains(&format!("/components/{kind}/{name}")), "{kind} {name}");
        }
    }
}

#[test]
fn every_operation_says_how_it_can_end() {
    let document = document();
    let mut names = HashSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            if !["get", "post", "delete"].contains(&method.as_str()) {
                continue;
            }
            assert!(names.insert(operation["operationId"].as_str().expect("a name")), "{path} {method}");
            let responses = operation["responses"].as_object().expect("responses");
            for status in ["400", "414", "417", "421", "431", "500", "503"] {
                assert!(responses.contains_key(status), "{path} {method} {status}");
            }
            assert!(responses.keys().any(|status| matches!(status.as_str(), "200" | "201" | "303")), "{path} {method}");
            let takes = operation.get("requestBody").is_some();
            assert!(!takes || ["408", "413"].iter().all(|status| responses.contains_key(*status)), "{path} {method}");
        }
    }
}

#[test]
fn every_code_of_the_table_is_in_it() {
    let document = document();
    let listed = &document["components"]["schemas"]["OAuthError"]["properties"]["error"]["enum"];
    let listed: HashSet<&str> = listed.as_array().expect("codes").iter().filter_map(Value::as_str).collect();
    let told: HashSet<&str> = Refusal::rows().iter().map(Refusal::error).collect();
    assert_eq!(listed, told);
}
