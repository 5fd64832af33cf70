use serde_json::json;
use tests::eventually;

use super::{Scene, query, refused};

#[test]
fn what_the_root_fields_ask_for_decides() {
    let scene = Scene::new();
    let denied = refused(403, "content_not_allowed");
    for (text, expected) in [
        ("{viewer{login}}", None),
        ("query Q($x:Int){a:viewer{login} userList(first:$x){id} __typename}", None),
        ("{...F} fragment F on Query{viewer{x} ...G} fragment G on Query{user{x}}", None),
        ("{deleteAll}", denied.clone()),
        ("{viewer:deleteAll}", denied.clone()),
        ("mutation{viewer}", denied.clone()),
        ("subscription{viewer}", denied.clone()),
        ("{viewer{x} deleteAll}", denied.clone()),
        ("{viewer} mutation{deleteAll}", denied.clone()),
        ("{viewer ...F} fragment F on Query{deleteAll}", denied.clone()),
        ("{... on Query@skip(if:true){deleteAll} viewer}", denied.clone()),
        ("{viewer __schema{types{name}}}", denied.clone()),
        ("{__type(name:\"User\"){name}}", denied),
        ("{viewer ...F}", refused(400, "graphql_fragment")),
        ("{viewer", refused(400, "graphql_syntax")),
        ("", refused(400, "graphql_syntax")),
        ("type A{b:Int}", refused(400, "graphql_syntax")),
    ] {
        let before = scene.forwarded();
        assert_eq!(scene.refusal("/graphql", &query(text)), expected, "{text}");
        assert_eq!(scene.forwarded() - before, usize::from(expected.is_none()), "{text}");
    }
}

#[test]
fn an_operation_name_hides_no_other_operation() {
    let scene = Scene::new();
    let body = json!({"query": "query A{viewer} mutation B{deleteAll}", "operationName": "A"}).to_string();
    assert_eq!(scene.refusal("/graphql", &body), refused(403, "content_not_allowed"));
    let body =
        json!({"query": "query A{viewer} query B{user}", "operationName": "B", "variables": {"x": 1e3}}).to_string();
    assert_eq!(scene.refusal("/graphql", &body), None);
}

#[test]
fn the_bytes_that_were_read_are_the_bytes_that_are_sent() {
    let scene = Scene::new();
    let odd = "\r\n{ \"variables\" : {\"n\":1.50e+3,\"big\":12345678901234567890123,\"t\":\"\\u00e9\u{e9}\"},\t\"query\":\"{viewer # }\\n}\"} \n";
    assert_eq!(scene.refusal("/graphql", odd), None);
    let last = scene.last();
    assert_eq!(
        (last.body.as_slice(), last.header("content-length")),
        (odd.as_bytes(), Some(odd.len().to_string().as_str()))
    );
    assert_eq!(
        (last.method.as_str(), last.target.as_str(), last.header("transfer-encoding")),
        ("POST", "/graphql", None)
    );
    assert!(last.header("authorization").is_some_and(|value| value.starts_with("Bearer CANARY-")));
    let own = scene.own("/graphql", odd).send();
    assert_eq!((own.status, scene.last().body.as_slice()), (200, odd.as_bytes()));
}

#[test]
fn whoever_lacks_a_scope_is_told_which_one_allows_it() {
    let scene = Scene::new();
    let asked = |body: &str| scene.sent("/graphql", &query(body));
    let answer = asked("mutation{createIssue{id}}");
    assert_eq!(
        (answer.refusal(), answer.reason()),
        ((403, "SCOPE_NOT_APPROVED".to_owned()), "content_not_allowed".to_owned())
    );
    assert_eq!(answer.json()["details"]["wanted_scopes"], json!(["write:user"]));
    assert_eq!(asked("mutation{deleteIssue{id}}").json()["details"]["wanted_scopes"], json!([]));
    // No one of the granted scopes allows both.
    let write = scene.token_for(&["read:user", "write:user"]);
    let both = query("mutation{createIssue{id}} {viewer{x}}");
    let call = scene.agent.call(&scene.gateway, &write, "POST", "/graphql").header("content-type", "application/json");
    assert_eq!(call.body(both.into_bytes()).send().status, 200, "write:user has query * besides");

    let own = scene.own("/graphql", &query("mutation{createIssue{id}}")).send();
    assert_eq!(
        (own.status, own.text("/code"), own.text("/reason")),
        (403, "insufficient_scope".into(), "content_not_allowed".into())
    );
    assert_eq!(own.json()["wanted_scopes"], json!(["write:user"]));
    assert!(own.header("www-authenticate").is_some_and(|value| value.contains("scope=\"write:user\"")));
    let own = scene.own("/graphql", &query("mutation{deleteIssue{id}}")).send();
    assert_eq!((own.status, own.text("/code")), (403, "operation_not_allowed".to_owned()));
    assert_eq!(scene.forwarded(), 1);
}

#[test]
fn a_denial_is_on_record() {
    let scene = Scene::new();
    let _ = scene.sent("/graphql", &query("mutation{createIssue{id}}"));
    eventually("the violation is on record", || !scene.gateway.events("scope_violation").is_empty());
    let violation = &scene.gateway.events("scope_violation")[0];
    assert_eq!(violation["denied_scopes"], json!(["write:user"]));
    assert_eq!(violation["provider_id"], "helpdesk");
    assert!(!violation.to_string().contains("createIssue"), "no content");
    let _ = scene.sent("/graphql", &query("{viewer{x}}"));
    eventually("the call is on record", || !scene.gateway.events("proxy_request").is_empty());
    assert_eq!(scene.gateway.events("proxy_request")[0]["scope"], "read:user");
}

#[test]
fn no_other_method_or_path_gets_past_the_rule() {
    let scene = Scene::new();
    for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        let answer = scene.agent.call(&scene.gateway, &scene.token, method, "/graphql").send();
        assert_eq!(answer.status, 403, "{method}");
    }
    assert_eq!(scene.refusal("/graphql/", &query("{viewer}")), refused(403, "operation_not_allowed"));
    assert_eq!(scene.refusal("/Graphql", &query("{viewer}")), refused(403, "operation_not_allowed"));
    assert_eq!(scene.forwarded(), 0);
    let plain = scene.agent.call(&scene.gateway, &scene.token, "GET", "/items").send();
    assert_eq!(
        (plain.status, scene.forwarded()),
        (200, 1),
        "a rule of the plain kind beside one that looks into bodies"
    );
}
