use super::{Scene, query, refused};

/// Security advisories of other gateways tell of names that are there twice, or in other letters (GHSA-4gph).
#[test]
fn r28_ghsa_4gph_names_twice_or_in_other_letters_change_no_call() {
    let scene = Scene::new();
    let (json, member) = (refused(400, "body_json"), refused(400, "body_member"));
    for (body, expected) in [
        (r#"{"query":"{viewer}","query":"{deleteAll}"}"#, &json),
        (r#"{"query":"{viewer}","\u0071uery":"{deleteAll}"}"#, &json),
        (r#"{"query":"{viewer}","variables":{"a":1,"a":2}}"#, &json),
        (r#"{"query":"{viewer}","variables":{"a":[{"b":{"c":1,"c":2}}]}}"#, &json),
        (r#"{"query":"{viewer}","Query":"{deleteAll}"}"#, &member),
        (r#"{"query":"{viewer}","QUERY":"{deleteAll}"}"#, &member),
        (r#"{"Query":"{deleteAll}"}"#, &member),
        (r#"{"query":"{viewer}","query ":"{deleteAll}"}"#, &member),
        (r#"{"query":"{viewer}","query\u0000":"{deleteAll}"}"#, &json),
        (r#"{"query":"{viewer}","doc_id":"1"}"#, &member),
    ] {
        assert_eq!(&scene.refusal("/graphql", body), expected, "{body}");
    }
    for (body, expected) in [
        (r#"{"jsonrpc":"2.0","id":1,"method":"items.list","method":"items.delete"}"#, &json),
        (r#"{"jsonrpc":"2.0","id":1,"method":"items.list","Method":"items.delete"}"#, &member),
        (r#"{"jsonrpc":"2.0","id":1,"METHOD":"items.list"}"#, &member),
        (r#"{"jsonrpc":"2.0","id":1,"method":"items.list","param\u017f":[]}"#, &member),
    ] {
        assert_eq!(&scene.refusal("/rpc", body), expected, "{body}");
    }
    let twice = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search","name":"delete"}}"#;
    assert_eq!(scene.refusal("/tools/mcp", twice), json);
    for (other, expected) in [("name\\u0000", &json), ("Name", &member), ("name ", &member)] {
        let params = format!(r#"{{"name":"search","{other}":"delete"}}"#);
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
        assert_eq!(&scene.refusal("/tools/mcp", &body), expected, "{body}");
    }
    assert_eq!(scene.forwarded(), 0);
}

#[test]
fn what_is_no_plain_json_is_refused() {
    let scene = Scene::new();
    let good = query("{viewer}");
    for (body, expected) in [
        ("", refused(400, "body_json")),
        ("{", refused(400, "body_json")),
        ("query={viewer}", refused(400, "body_json")),
        ("{viewer}", refused(400, "body_json")),
        ("\"{viewer}\"", refused(400, "body_not_an_object")),
        ("null", refused(400, "body_not_an_object")),
        ("\u{feff}{\"query\":\"{viewer}\"}", refused(400, "body_json")),
        ("{\"query\":\"{viewer}\"}{}", refused(400, "body_json")),
        ("{\"query\":\"{viewer}\"}\0", refused(400, "body_json")),
        ("{\"query\":\"{viewer}\", \"variables\":{\"a\":1e999}}", refused(400, "body_json")),
        ("[{\"query\":\"{viewer}\"}]", refused(400, "body_batch")),
        ("{}", refused(400, "graphql_persisted")),
        ("{\"query\":null}", refused(400, "graphql_persisted")),
        (
            "{\"extensions\":{\"persistedQuery\":{\"version\":1,\"sha256Hash\":\"x\"}}}",
            refused(400, "graphql_persisted"),
        ),
        (
            "{\"query\":\"{viewer}\",\"extensions\":{\"persistedQuery\":{\"version\":1,\"sha256Hash\":\"x\"}}}",
            refused(400, "graphql_persisted"),
        ),
    ] {
        assert_eq!(scene.refusal("/graphql", body), expected, "{body:?}");
    }
    let invalid = [good.as_bytes(), b"\xff"].concat();
    assert_eq!(scene.post("/graphql", "").body(invalid).send().reason(), "body_json");
    let deep = format!("{{\"query\":\"{{viewer}}\",\"variables\":{{\"a\":{}{}}}}}", "[".repeat(9000), "]".repeat(9000));
    assert_eq!(scene.refusal("/graphql", &deep), refused(400, "body_json"));
    let deep = query(&format!("{{viewer{}{}}}", "{a".repeat(5000), "}".repeat(5000)));
    assert_eq!(scene.refusal("/graphql", &deep), refused(400, "graphql_too_large"));
    assert_eq!(
        scene.refusal("/graphql", &query(&format!("{{{}}}", "viewer ".repeat(9500)))),
        refused(413, "body_too_long")
    );
    assert_eq!(
        scene.refusal("/graphql", &query(&format!("{{{}}}", "user ".repeat(10_500)))),
        refused(400, "graphql_too_large")
    );
    assert_eq!((scene.forwarded(), scene.refusal("/graphql", &good)), (0, None));
}

#[test]
fn the_head_may_not_say_otherwise() {
    let scene = Scene::new();
    let good = query("{viewer}");
    let sent = |headers: &[(&str, &str)], path: &str| {
        let call = scene.agent.call(&scene.gateway, &scene.token, "POST", path).body(good.clone().into_bytes());
        let answer = headers.iter().fold(call, |call, (name, value)| call.header(name, value)).send();
        if answer.status == 200 { None } else { Some((answer.status, answer.reason())) }
    };
    let json = ("content-type", "application/json");
    for headers in [
        &[][..],
        &[("content-type", "application/graphql")],
        &[("content-type", "text/plain")],
        &[("content-type", "application/x-www-form-urlencoded")],
        &[("content-type", "application/json; charset=utf-16")],
        &[json, json],
    ] {
        assert_eq!(sent(headers, "/graphql"), refused(415, "body_type"), "{headers:?}");
    }
    for coding in ["gzip", "identity", "x"] {
        assert_eq!(sent(&[json, ("content-encoding", coding)], "/graphql"), refused(415, "body_encoded"), "{coding}");
    }
    for path in ["/graphql?query=mutation%7BdeleteAll%7D", "/graphql?x=y"] {
        let answer = scene.agent.call(&scene.gateway, &scene.token, "POST", path).header(json.0, json.1);
        let target = format!("/ath/proxy/helpdesk{path}");
        let answer = answer.body(good.clone().into_bytes()).send_to(&target);
        assert_eq!((answer.status, answer.reason().as_str()), (400, "body_and_query"), "{path}");
    }
    assert_eq!(scene.forwarded(), 0);
    assert_eq!(sent(&[("content-type", "Application/JSON; charset=UTF-8")], "/graphql"), None);
}
