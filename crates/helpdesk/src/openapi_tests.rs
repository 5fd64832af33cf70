use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::testing::{Answer, Desk};

const BOTH: &str = "read:tickets write:tickets";
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
/// Those of the OAuth server, which are for browsers and clients.
const ELSEWHERE: [&str; 7] = ["/authorize", "/login", "/logout", "/consent", "/token", "/revoke", "/device"];

fn document() -> Value {
    serde_json::from_str(DOCUMENT).expect("JSON")
}

/// Every operation of the document: its method, its path, and what is said of it.
fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let items =
        paths.iter().flat_map(|(path, item)| item.as_object().expect("an item").iter().map(move |of| (path, of)));
    items
        .map(|(path, (method, said))| (method.to_ascii_uppercase(), path.clone(), said))
        .filter(|(method, ..)| METHODS.contains(&method.as_str()))
        .collect()
}

/// What an answer's body has to be, by its status and type.
fn schema(document: &Value, operation: &Value, answer: &Answer) -> Value {
    let response = &operation["responses"][answer.status.as_str()];
    let reference = response["$ref"].as_str().and_then(|text| text.strip_prefix('#'));
    let response = reference.map_or(response, |pointer| document.pointer(pointer).expect("a response"));
    let content_type = answer.headers["content-type"].to_str().expect("text");
    let mut schema = response["content"][content_type]["schema"].clone();
    assert!(schema.is_object(), "{} {content_type} is not described in {operation}", answer.status);
    schema["components"] = document["components"].clone();
    schema
}

fn assert_described(document: &Value, operation: &str, answer: &Answer) {
    let operations = operations(document);
    let found = operations.iter().find(|(_, _, said)| said["operationId"] == operation);
    let (.., said) = found.unwrap_or_else(|| panic!("no {operation}"));
    let schema = schema(document, said, answer);
    let errors: Vec<String> = jsonschema::validator_for(&schema)
        .expect("a schema")
        .iter_errors(&answer.json())
        .map(|error| error.to_string())
        .collect();
    assert_eq!(errors, Vec::<String>::new(), "{operation} {}", answer.text);
}

#[tokio::test]
async fn it_is_served_without_a_token() {
    let answer = Desk::new().get("/openapi.json").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.json(), document());
}

#[test]
fn every_route_of_the_api_is_in_it_and_no_other() {
    let source = include_str!("routes.rs");
    let routes: BTreeSet<&str> = source
        .split(".route(\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .filter(|path| !ELSEWHERE.contains(path))
        .collect();
    let document = document();
    let described: BTreeSet<&str> = document["paths"].as_object().expect("paths").keys().map(String::as_str).collect();
    assert_eq!(described, routes);
}

#[tokio::test]
async fn every_operation_is_there_and_no_other_on_these_paths() {
    let desk = Desk::new();
    let token = desk.access_token("alice@acme.test", BOTH).await;
    let document = document();
    let operations = operations(&document);
    // Whatever its method, it is answered.
    for (_, path, _) in operations.iter().filter(|(_, path, _)| path != "/echo") {
        let target = path.replace("{id}", "1").replace("{name}", "a.txt");
        for method in METHODS {
            let known = operations.iter().any(|(one, at, _)| one == method && at == path);
            let response = desk.open(method, &target, &token, "").await;
            assert_eq!(response.status() != 405, known, "{method} {path} {}", response.status());
        }
    }
}

#[tokio::test]
async fn what_comes_back_is_what_it_says() {
    let desk = Desk::new();
    let token = desk.access_token("alice@acme.test", BOTH).await;
    let document = document();
    let new = json!({"title": "A", "team": "mobile", "priority": "p2", "assignee": "me"}).to_string();
    let comment = json!({"comment": "Done", "status": "resolved"}).to_string();
    for (operation, method, target, body, status) in [
        ("getHealth", "GET", "/health", "", 200),
        ("getDescription", "GET", "/openapi.json", "", 200),
        ("getUserinfo", "GET", "/userinfo", "", 200),
        ("listTickets", "GET", "/tickets?status=In-Progress&priority=P2", "", 200),
        ("listTickets", "GET", "/tickets", "", 200),
        ("listTickets", "GET", "/tickets?assignee=me&status=open&team=payments&priority=p1", "", 200),
        ("listTickets", "GET", "/tickets?status=done", "", 400),
        ("createTicket", "POST", "/tickets", new.as_str(), 201),
        ("createTicket", "POST", "/tickets", "{}", 400),
        ("getTicket", "GET", "/tickets/1", "", 200),
        ("getTicket", "GET", "/tickets/99", "", 404),
        ("changeTicket", "PATCH", "/tickets/1", comment.as_str(), 200),
        ("changeTicket", "PATCH", "/tickets/1", r#"{"updated_at": "2020-01-01T00:00:00Z"}"#, 409),
        ("changeTicket", "PATCH", "/tickets/1", r#"{"colour": 1}"#, 400),
        ("changeTicket", "PATCH", "/tickets/99", "{}", 404),
        ("putAttachment", "PUT", "/tickets/1/attachments/a", "abc", 201),
        ("postAttachment", "POST", "/tickets/1/attachments/a", "abc", 201),
        ("putAttachment", "PUT", "/tickets/99/attachments/a", "abc", 404),
        ("getAttachment", "GET", "/tickets/1/attachments/none", "", 404),
        ("getAttachment", "GET", "/tickets/1/attachments/a?size=x", "", 400),
        ("watchTickets", "GET", "/tickets/events?every_ms=0", "", 400),
        ("echo", "GET", "/echo?a=b", "", 200),
        ("echo", "GET", "/echo?in=header", "", 200),
        ("echo", "GET", "/echo?in=nowhere", "", 400),
    ] {
        let answer = desk.api(method, target, &token, body.to_owned()).await;
        assert_eq!(answer.status, status, "{operation} {}", answer.text);
        assert_described(&document, operation, &answer);
    }
    let large = format!("{{\"title\": \"{}\"}}", "a".repeat(70_000));
    for (operation, method, target) in [("createTicket", "POST", "/tickets"), ("changeTicket", "PATCH", "/tickets/1")] {
        let answer = desk.api(method, target, &token, large.clone()).await;
        assert_eq!(answer.status, 413);
        assert_described(&document, operation, &answer);
    }
}

#[tokio::test]
async fn what_wants_a_token_says_so() {
    let desk = Desk::new();
    let document = document();
    for (method, path, said) in operations(&document) {
        let target = path.replace("{id}", "1").replace("{name}", "a.txt");
        let open = said["security"] == json!([]);
        let name = said["operationId"].as_str().expect("a name");
        let answer =
            desk.send(http::Request::builder().method(&*method).uri(&target).body("".into()).expect("a request")).await;
        assert_eq!(answer.status == 401, !open, "{method} {path}");
        if !open {
            assert_described(&document, name, &answer);
            // The other scope is not enough, but for who the user is.
            let wrong = if method == "GET" { "write:tickets" } else { "read:tickets" };
            let token = desk.access_token("alice@acme.test", wrong).await;
            let answer = desk.api(&method, &target, &token, "{}").await;
            assert_eq!(answer.status == 403, path != "/userinfo", "{method} {path}");
            if answer.status == 403 {
                assert_described(&document, name, &answer);
            }
        }
    }
}

#[tokio::test]
async fn what_streams_and_what_is_bytes_has_its_type() {
    let desk = Desk::new();
    let token = desk.access_token("alice@acme.test", BOTH).await;
    let document = document();
    for (operation, target) in [
        ("getSkill", "/skill.md"),
        ("watchTickets", "/tickets/events"),
        ("getAttachment", "/tickets/1/attachments/a?size=5"),
        ("echo", "/echo?in=body"),
    ] {
        let response = desk.open("GET", target, &token, "").await;
        assert_eq!(response.status(), 200);
        let content_type = response.headers()["content-type"].to_str().expect("text");
        let operations = operations(&document);
        let (.., said) = operations.iter().find(|(_, _, said)| said["operationId"] == operation).expect("an operation");
        assert!(said["responses"]["200"]["content"].get(content_type).is_some(), "{operation} {content_type}");
    }
}

/// What is asked for by the document is taken, each filter and each field of it.
#[test]
fn the_words_are_those_of_the_types() {
    use crate::ticket::{Priority, Status, Team};
    let document = document();
    let words = |name: &str| document["components"]["schemas"][name]["enum"].clone();
    assert_eq!(words("Status"), json!([Status::Open, Status::InProgress, Status::Resolved]));
    assert_eq!(words("Team"), json!([Team::Payments, Team::Platform, Team::Mobile]));
    assert_eq!(words("Priority"), json!([Priority::P1, Priority::P2, Priority::P3]));
}
