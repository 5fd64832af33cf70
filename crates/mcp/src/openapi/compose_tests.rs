use percent_encoding::percent_decode_str;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::samples::{CLUSTER, PAYMENTS, TICKETS, object, tool};
use super::*;

fn compose(text: &str, base: &str, wanted: &str, arguments: Value) -> Result<Composed, ArgumentError> {
    tool(text, base, wanted).expect("a tool").compose(&object(arguments))
}

/// Path and query.
fn target(text: &str, base: &str, wanted: &str, arguments: Value) -> String {
    let composed = compose(text, base, wanted, arguments).expect("a request");
    composed.query.map_or(composed.path.clone(), |query| format!("{}?{query}", composed.path))
}

fn refusal(text: &str, base: &str, wanted: &str, arguments: Value) -> String {
    compose(text, base, wanted, arguments).expect_err("a refusal").to_string()
}

fn body(text: &str, wanted: &str, arguments: Value) -> (String, String) {
    let composed = compose(text, "", wanted, arguments).expect("a request");
    let content_type = composed.headers[header::CONTENT_TYPE].to_str().expect("text").to_owned();
    (content_type, String::from_utf8(composed.body.expect("a body").to_vec()).expect("UTF-8"))
}

#[test]
fn arguments_go_where_the_document_has_them() {
    assert_eq!(target(TICKETS, "/api", "GET /tickets", json!({})), "/tickets");
    assert_eq!(
        target(TICKETS, "/api", "GET /tickets", json!({"status": "open", "verbose": "2"})),
        "/tickets?status=open&verbose=2"
    );
    assert_eq!(target(TICKETS, "/api", "GET /tickets/{id}", json!({"id": 7.0})), "/tickets/7");
    assert_eq!(target(TICKETS, "/api", "GET /tickets", json!({"status": null})), "/tickets");
    let composed = compose(TICKETS, "", "POST /api/tickets", json!({"body": {"title": "A \"b\""}})).expect("a request");
    assert_eq!((composed.method, composed.path.as_str(), composed.query), (Method::POST, "/api/tickets", None));
    assert_eq!(composed.headers[header::CONTENT_TYPE], "application/json");
    assert_eq!(composed.body.as_deref(), Some(br#"{"title":"A \"b\""}"#.as_slice()));
}

#[test]
fn every_style_is_written() {
    let wanted = "GET /repos/{owner}/{repo}/contents/{path}";
    let arguments = json!({
        "owner": "o", "repo": "r", "path_path": "src/main.rs", "query_path": "a b", "X-Trace": "1, 2",
        "filter_state": ["a", "b"], "filter.state": {"k": "v", "l": "w"}, "where": {"a": [1]},
    });
    let composed = compose(CLUSTER, "", wanted, arguments.clone()).expect("a request");
    assert_eq!(composed.headers["x-trace"], "1, 2");
    assert_eq!(composed.path, "/repos/o/r/contents/src%2Fmain.rs");
    assert_eq!(
        composed.query.as_deref(),
        Some("path=a%20b&filter%5Bstate%5D=a,b&k=v&l=w&where=%7B%22a%22%3A%5B1%5D%7D")
    );
    assert_eq!(
        target(
            PAYMENTS,
            "",
            "GET /v1/customers",
            json!({"created": {"gt": 1, "lt": 2}, "expand": ["a", "b&c"], "limit": 3})
        ),
        "/v1/customers?created%5Bgt%5D=1&created%5Blt%5D=2&expand%5B%5D=a&expand%5B%5D=b%26c&limit=3"
    );
    assert_eq!(target(PAYMENTS, "", "GET /v1/customers", json!({"created": 5})), "/v1/customers?created=5");
    assert_eq!(
        target(CLUSTER, "", "PUT /a/{x}{y}/{list}", json!({"x": "1", "y": "2", "list": ["a,b", "c/d"]})),
        "/a/12/a%2Cb,c%2Fd"
    );
    assert_eq!(
        target(
            CLUSTER,
            "",
            "GET /repos/{owner}/compare/{base}...{head}",
            json!({"owner": "o", "base": "a...b", "head": ".."})
        ),
        "/repos/o/compare/a...b....."
    );
}

#[test]
fn delimited_lists() {
    let document = json!({"openapi": "3.1.0", "paths": {"/a": {"get": {"operationId": "a", "parameters": [
        {"name": "s", "in": "query", "style": "spaceDelimited", "schema": {"type": "array"}},
        {"name": "p", "in": "query", "style": "pipeDelimited", "explode": false, "schema": {"type": "array"}},
        {"name": "e", "in": "query", "style": "pipeDelimited", "explode": true, "schema": {"type": "array"}},
        {"name": "f", "in": "query", "explode": false, "schema": {"type": "object"}},
    ]}}}})
    .to_string();
    assert_eq!(
        target(&document, "", "GET /a", json!({"s": ["a b", "c"], "p": ["d|e", "f"], "e": [1, 2], "f": {"k": "v,w"}})),
        "/a?s=a%20b%20c&p=d%7Ce%7Cf&e=1&e=2&f=k,v%2Cw"
    );
}

#[test]
fn forms_are_written_as_the_document_has_them() {
    let arguments = json!({"body": {
        "email": "a+b@c.example", "balance": 5, "address": {"city": "A&B"}, "expand": ["x", "y"], "extra": {"k": "v"}, "lines": [{"a": 1}],
    }});
    assert_eq!(
        refusal(PAYMENTS, "", "POST /v1/customers", arguments),
        "`body.lines` is an object where one plain value goes; write a string, a number, true or false"
    );
    let arguments = json!({"body": {
        "email": "a+b@c.example", "balance": 5, "address": {"city": "A&B"}, "expand": ["x", "y"], "extra": {"k": "v"},
    }});
    let (content_type, form) = body(PAYMENTS, "POST /v1/customers", arguments);
    assert_eq!(content_type, "application/x-www-form-urlencoded");
    assert_eq!(
        form,
        "address%5Bcity%5D=A%26B&balance=5&email=a%2Bb%40c.example&expand%5B%5D=x&expand%5B%5D=y&extra=%7B%22k%22%3A%22v%22%7D"
    );
    assert_eq!(compose(PAYMENTS, "", "POST /v1/customers", json!({})).expect("a request").body, None);
}

#[test]
fn other_json_keeps_its_type() {
    let document =
        json!({"openapi": "3.1.0", "paths": {"/a": {"patch": {"operationId": "a", "requestBody": {"content": {
            "application/merge-patch+json": {"schema": {"type": "object"}}, "text/plain": {},
        }}}}}})
        .to_string();
    let (content_type, text) = body(&document, "PATCH /a", json!({"body": {"x": null}}));
    assert_eq!((content_type.as_str(), text.as_str()), ("application/merge-patch+json", r#"{"x":null}"#));
}

#[test]
fn what_is_wrong_is_said_so_that_it_can_be_mended() {
    let tickets = |wanted: &str, arguments: Value| refusal(TICKETS, "/api", wanted, arguments);
    assert_eq!(tickets("GET /tickets/{id}", json!({})), "`id` is missing; it is required: a whole number");
    assert_eq!(tickets("GET /tickets/{id}", json!({"id": null})), "`id` is missing; it is required: a whole number");
    assert_eq!(tickets("GET /tickets/{id}", json!({"id": "seven"})), "`id` is \"seven\"; it must be a whole number");
    assert_eq!(tickets("GET /tickets/{id}", json!({"id": 7.5})), "`id` is 7.5; it must be a whole number");
    assert_eq!(tickets("GET /tickets/{id}", json!({"id": [7]})), "`id` is a list; it must be a whole number");
    assert_eq!(
        tickets("GET /tickets", json!({"status": "done"})),
        "`status` is \"done\"; it must be one of \"open\", \"closed\""
    );
    assert_eq!(
        tickets("GET /tickets", json!({"state": "open"})),
        "`state` is not known here; known are `status`, `verbose`"
    );
    assert_eq!(tickets("POST /tickets", json!({})), "`body` is missing; it is required: an object");
    assert_eq!(tickets("POST /tickets", json!({"body": {}})), "`body.title` is missing; it is required: a string");
    assert_eq!(tickets("POST /tickets", json!({"body": {"title": 5}})), "`body.title` is 5; it must be a string");
    assert_eq!(tickets("POST /tickets", json!({"body": "title=5"})), "`body` is \"title=5\"; it must be an object");
    assert_eq!(
        refusal(PAYMENTS, "", "POST /v1/customers", json!({"body": {"mail": "x"}})),
        "`body.mail` is not known here; known are `address`, `balance`, `email`, `expand`, `extra`, `lines`"
    );
    assert_eq!(
        refusal(PAYMENTS, "", "GET /v1/customers", json!({"created": "now"})),
        "`created` is \"now\"; it must be an object or a whole number"
    );
}

#[test]
fn no_argument_leads_elsewhere() {
    let customer = |value: &str| compose(PAYMENTS, "", "GET /v1/customers/{customer}", json!({"customer": value}));
    for value in [".", ".."] {
        let said = customer(value).expect_err("a refusal").to_string();
        assert_eq!(said, "`customer` is `.` or `..`, which leads elsewhere in a path; write what names the thing");
    }
    let said = customer("").expect_err("a refusal").to_string();
    assert_eq!(said, "`customer` is empty, and a part of a path cannot be; write what names the thing");
    for (value, path) in [
        ("../admin", "/v1/customers/..%2Fadmin"),
        ("a?b=c", "/v1/customers/a%3Fb%3Dc"),
        ("a#b", "/v1/customers/a%23b"),
        ("%2e%2e", "/v1/customers/%252e%252e"),
        ("%2f", "/v1/customers/%252f"),
        ("a\r\nX: y", "/v1/customers/a%0D%0AX%3A%20y"),
        ("a\0", "/v1/customers/a%00"),
        ("a;b", "/v1/customers/a%3Bb"),
        ("a\\b", "/v1/customers/a%5Cb"),
    ] {
        let composed = customer(value).expect("a request");
        assert_eq!((composed.path.as_str(), composed.query.as_deref()), (path, None));
    }
    // Together they would be a place as well.
    let parts = |x: &str, y: &str| compose(CLUSTER, "", "PUT /a/{x}{y}/{list}", json!({"x": x, "y": y, "list": ["l"]}));
    assert!(parts(".", ".").is_err());
    assert!(parts(".", "a").is_ok());
    let empty = json!({"x": "a", "y": "b", "list": []});
    assert!(compose(CLUSTER, "", "PUT /a/{x}{y}/{list}", empty).is_err());
    let dots = json!({"x": "a", "y": "b", "list": [".."]});
    assert!(compose(CLUSTER, "", "PUT /a/{x}{y}/{list}", dots).is_err());
}

#[test]
fn no_argument_becomes_a_header_or_another_parameter() {
    let wanted = "GET /repos/{owner}/{repo}/contents/{path}";
    let with = |name: &str, value: Value| {
        let mut arguments = object(json!({"owner": "o", "repo": "r", "path_path": "p"}));
        arguments.insert(name.to_owned(), value);
        tool(CLUSTER, "", wanted).expect("a tool").compose(&arguments)
    };
    for value in ["a\r\nHost: evil.example", "a\nb", "a\0b", "\u{e9}", " a", "a\t"] {
        let said = with("X-Trace", json!(value)).expect_err("a refusal").to_string();
        let expected = "`X-Trace` goes into a header and has a character that none can have; write visible ASCII characters and spaces alone";
        assert_eq!(said, expected, "{value:?}");
    }
    let said = with("filter.state", json!({"path": "/etc"})).expect_err("a refusal").to_string();
    assert_eq!(said, "`filter.state` has `path` in it, which is a parameter of its own; write it there");
    for name in ["Authorization", "session", "Host", "path", "__proto__"] {
        assert!(matches!(with(name, json!("x")), Err(ArgumentError::Unknown { .. })), "{name}");
    }
}

#[test]
fn headers_of_the_gateway_and_of_the_connection_are_no_parameters() {
    let names = [
        "Host",
        "X-ATH-Agent-ID",
        "X-Forwarded-For",
        "Proxy-Authorization",
        "Transfer-Encoding",
        "Content-Type",
        "Accept",
        "Cookie",
    ];
    let listed: Vec<Value> = names.iter().map(|name| json!({"name": name, "in": "header", "required": true})).collect();
    let document = json!({"openapi": "3.1.0", "paths": {"/a": {"get": {"parameters": listed}}}}).to_string();
    let composed = compose(&document, "", "GET /a", json!({})).expect("a request");
    assert!(composed.headers.is_empty());
    for name in names {
        let refused = compose(&document, "", "GET /a", json!({name: "x"}));
        assert!(matches!(refused, Err(ArgumentError::Unknown { .. })), "{name}");
    }
}

/// Text with whatever has a meaning somewhere in a request.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("/".to_owned()),
        Just("..".to_owned()),
        Just(".".to_owned()),
        Just("?".to_owned()),
        Just("#".to_owned()),
        Just("&".to_owned()),
        Just("=".to_owned()),
        Just("%2e".to_owned()),
        Just("%2F".to_owned()),
        Just("%".to_owned()),
        Just("\r\n".to_owned()),
        Just("\0".to_owned()),
        Just(";".to_owned()),
        Just("\\".to_owned()),
        Just("+".to_owned()),
        Just("@evil.example".to_owned()),
        ".{0,3}",
    ];
    proptest::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8().expect("UTF-8").into_owned()
}

proptest! {
    #[test]
    fn a_path_keeps_its_form(owner in hostile(), repo in hostile(), path in hostile(), query in hostile()) {
        let wanted = "GET /repos/{owner}/{repo}/contents/{path}";
        let arguments = json!({"owner": owner, "repo": repo, "path_path": path, "query_path": query});
        if let Ok(composed) = compose(CLUSTER, "", wanted, arguments) {
            prop_assert!(composed.path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\\;".contains(&byte)));
            let segments: Vec<String> = composed.path.split('/').map(decoded).collect();
            prop_assert_eq!(segments, ["", "repos", &owner, &repo, "contents", &path]);
            let pair = composed.query.expect("a query");
            prop_assert_eq!(pair.matches(['&', '#', '?']).count(), 0);
            prop_assert_eq!(decoded(pair.strip_prefix("path=").expect("its name")), query);
            prop_assert!(composed.headers.is_empty() && composed.body.is_none());
        } else {
            prop_assert!([&owner, &repo, &path].iter().any(|value| matches!(value.as_str(), "" | "." | "..")));
        }
    }

    #[test]
    fn a_form_keeps_its_fields(email in hostile(), city in hostile(), expand in proptest::collection::vec(hostile(), 0..3)) {
        let arguments = json!({"body": {"email": email, "address": {"city": city}, "expand": expand}});
        let (_, form) = body(PAYMENTS, "POST /v1/customers", arguments);
        let pairs: Vec<(String, String)> = form
            .split('&')
            .map(|pair| pair.split_once('=').expect("a pair"))
            .map(|(name, value)| (decoded(name), decoded(value)))
            .collect();
        let mut expected = vec![("address[city]".to_owned(), city), ("email".to_owned(), email)];
        expected.extend(expand.into_iter().map(|value| ("expand[]".to_owned(), value)));
        prop_assert_eq!(pairs, expected);
    }

    #[test]
    fn a_header_is_one_line_or_none(value in ".*") {
        let arguments = json!({"owner": "o", "repo": "r", "path_path": "p", "X-Trace": value});
        if let Ok(composed) = compose(CLUSTER, "", "GET /repos/{owner}/{repo}/contents/{path}", arguments) {
            prop_assert_eq!(composed.headers.len(), 1);
            prop_assert_eq!(composed.headers["x-trace"].as_bytes(), value.as_bytes());
        }
    }
}
