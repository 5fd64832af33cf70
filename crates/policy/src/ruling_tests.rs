use http::HeaderMap;
use protocol::ScopeSet;

use super::*;
use crate::content::{GraphqlRule, JsonRpcRule, McpRule, NamePattern};
use crate::operations::ScopeRule;
use crate::path::PathError;
use crate::pattern::{Rule, RuleError};

fn graphql(rule: &str, fields: &[&str]) -> Rule {
    let body = BodyRule::Graphql(GraphqlRule::parse(fields.iter().copied()).expect("fields"));
    Rule::parse(rule).expect("a rule").looking_into(body).expect("a rule")
}

fn patterns(texts: &[&str]) -> Vec<NamePattern> {
    texts.iter().map(|text| NamePattern::parse(text).expect("a pattern")).collect()
}

fn operations() -> Operations {
    let calls = BodyRule::JsonRpc(JsonRpcRule::new(patterns(&["items.*"])));
    let calls = Rule::parse("POST /rpc/**").and_then(|rule| rule.looking_into(calls)).expect("a rule");
    let table = [
        ("read:user", vec![graphql("POST /graphql", &["query viewer"]), graphql("POST /*", &["query user"])]),
        ("read:repo", vec![graphql("POST /graphql", &["query repository"])]),
        ("write", vec![graphql("POST /graphql", &["query *", "mutation create*"])]),
        ("all", vec![Rule::parse("* /**").expect("a rule")]),
        ("items", vec![calls]),
        ("wiki", vec![Rule::mcp("/mcp", McpRule::new(patterns(&["search"]), Vec::new())).expect("a rule")]),
    ];
    let scope = |(name, rules)| (Scope::parse(name).expect("a scope"), ScopeRule { says: String::new(), rules });
    Operations::new(table.into_iter().map(scope).collect())
}

/// The scope that allows it, or those that would.
fn asked(held: &str, method: &Method, path: &str, body: &str) -> Result<String, String> {
    let operations = operations();
    let effective = operations.effective(&ScopeSet::from_list(held));
    let path = operations.path(path).expect("a path");
    let told = |denied: Denied| denied.wanted().to_string();
    match operations.decide(&effective, method, path).map_err(told)? {
        Ruling::Permitted(permit) => Ok(format!("{} unread", permit.scope())),
        Ruling::Unread(undecided) => {
            let content = Content::read(undecided.wants(), body.as_bytes(), &HeaderMap::new());
            let permit = undecided.judge(&content.map_err(|error| error.reason().to_owned())?).map_err(told)?;
            assert_eq!((permit.method(), permit.path().as_str()), (method, path.as_str()));
            Ok(permit.scope().to_string())
        }
    }
}

fn query(text: &str) -> String {
    format!(r#"{{"query":"{text}"}}"#)
}

#[test]
fn one_scope_has_to_allow_all_of_it() {
    let post = |held, text| asked(held, &Method::POST, "/graphql", &query(text));
    let ok = |scope: &str| Ok(scope.to_owned());
    let wants = |scopes: &str| Err(scopes.to_owned());
    assert_eq!(post("read:user", "{viewer{x}}"), ok("read:user"));
    assert_eq!(post("read:user", "{viewer{x} user{x}}"), ok("read:user"), "two rules of one scope");
    assert_eq!(post("read:user read:repo", "{repository{x}}"), ok("read:repo"));
    assert_eq!(post("read:user read:repo", "{viewer repository}"), wants("all write"));
    assert_eq!(post("read:user write", "{viewer repository}"), ok("write"));
    assert_eq!(post("read:user", "{repository{x}}"), wants("all read:repo write"));
    assert_eq!(post("", "{viewer{x}}"), wants("all read:user write"));
    assert_eq!(post("write", "mutation{deleteIssue{x}}"), wants("all"));
    assert_eq!(post("read:user", "{"), Err("graphql_syntax".to_owned()));
}

#[test]
fn a_rule_without_a_body_part_has_it_unread() {
    assert_eq!(asked("all read:user", &Method::POST, "/graphql", "anything"), Ok("all unread".to_owned()));
    assert_eq!(asked("wiki all", &Method::PUT, "/mcp", "anything"), Ok("all unread".to_owned()));
}

#[test]
fn only_a_post_has_a_body_to_look_into() {
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::OPTIONS] {
        assert_eq!(asked("read:user write", &method, "/graphql", ""), Err("all".to_owned()), "{method}");
    }
    let body = BodyRule::Graphql(GraphqlRule::parse(["query *"]).expect("fields"));
    for rule in ["GET /graphql", "* /graphql", "PUT /graphql"] {
        let rule = Rule::parse(rule).expect("a rule");
        assert_eq!(rule.looking_into(body.clone()), Err(RuleError::Body));
    }
    assert!(matches!(Rule::mcp("/a/../b", McpRule::new(Vec::new(), Vec::new())), Err(RuleError::Path(_))));
}

#[test]
fn mcp_has_its_stream_and_its_end_of_a_session() {
    for (method, expected) in [
        (Method::GET, Ok("wiki unread".to_owned())),
        (Method::DELETE, Ok("wiki unread".to_owned())),
        (Method::HEAD, Err("all".to_owned())),
        (Method::PUT, Err("all".to_owned())),
    ] {
        assert_eq!(asked("wiki", &method, "/mcp", ""), expected, "{method}");
    }
    let call = |name: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{name}"}}}}"#);
    assert_eq!(asked("wiki", &Method::POST, "/mcp", &call("search")), Ok("wiki".to_owned()));
    assert_eq!(asked("wiki", &Method::POST, "/mcp", &call("delete")), Err("all".to_owned()));
    assert_eq!(asked("read:user", &Method::POST, "/mcp", &call("search")), Err("all wiki".to_owned()));
}

#[test]
fn two_kinds_at_one_place_are_told_apart() {
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"items.list"}"#;
    assert_eq!(asked("items", &Method::POST, "/rpc", call), Ok("items".to_owned()));
    assert_eq!(asked("items", &Method::POST, "/rpc/deeper", call), Ok("items".to_owned()));
    assert_eq!(asked("items read:user", &Method::POST, "/rpc", &query("{user{x}}")), Ok("read:user".to_owned()));
    assert_eq!(asked("items", &Method::POST, "/other", call), Err("body_member".to_owned()));
}

#[test]
fn who_reads_no_body_is_denied_what_needs_one() {
    let operations = operations();
    let held = operations.effective(&ScopeSet::from_list("read:user write"));
    let path = operations.path("/graphql").expect("a path");
    let denied = operations.permit(&held, &Method::POST, path).expect_err("denied");
    assert_eq!(denied.wanted().to_string(), "all read:repo read:user write");
    let others = operations.clone();
    let foreign = self::operations().effective(&ScopeSet::from_list("read:user"));
    assert!(others.decide(&foreign, &Method::POST, path).is_err(), "scopes made for other operations");
    assert_eq!(operations.path("/graph%2Fql").err(), Some(PathError::AmbiguousEncoding));
}
