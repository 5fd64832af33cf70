use http::{HeaderMap, HeaderValue};

use super::*;

fn reading(graphql: bool, message: bool, mcp: bool) -> Reading {
    Reading { graphql, message, mcp }
}

fn patterns(texts: &[&str]) -> Vec<NamePattern> {
    texts.iter().map(|text| NamePattern::parse(text).expect("a pattern")).collect()
}

#[test]
fn a_body_is_read_as_its_rules_want_it() {
    let (graphql, call) = (r#"{"query":"{a}"}"#, r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}"#);
    let read = |reading, body: &str| Content::read(reading, body.as_bytes(), &HeaderMap::new());
    assert!(read(reading(true, false, false), graphql).is_ok());
    assert!(read(reading(true, true, false), graphql).is_ok());
    assert!(read(reading(true, true, false), call).is_ok());
    assert!(read(reading(false, true, false), call).is_ok());
    assert_eq!(read(reading(true, false, false), call), Err(Unreadable::Member));
    assert_eq!(read(reading(false, true, false), graphql), Err(Unreadable::Message));
    // To MCP it lacks the tool's name.
    assert_eq!(read(reading(false, true, true), call), Err(Unreadable::Message));
    let both = r#"{"query":"{a}","jsonrpc":"2.0","id":1,"method":"m"}"#;
    assert_eq!(read(reading(true, true, false), both), Err(Unreadable::Member));
    assert_eq!(read(reading(true, true, true), "[]"), Err(Unreadable::Batch));
}

#[test]
fn headers_count_where_mcp_is_spoken() {
    let mut headers = HeaderMap::new();
    headers.insert("mcp-method", HeaderValue::from_static("other"));
    let call = br#"{"jsonrpc":"2.0","id":1,"method":"items.list"}"#;
    assert!(Content::read(reading(false, true, false), call, &headers).is_ok());
    assert_eq!(Content::read(reading(false, true, true), call, &headers), Err(Unreadable::HeaderMismatch));
}

#[test]
fn rules_of_one_kind_allow_nothing_of_another() {
    let rules = [
        BodyRule::Graphql(GraphqlRule::parse(["query *"]).expect("a rule")),
        BodyRule::JsonRpc(JsonRpcRule::new(patterns(&["items.*"]))),
        BodyRule::Mcp(McpRule::new(patterns(&["search"]), Vec::new())),
    ];
    let all = rules.iter().fold(Reading::default(), |reading, rule| reading.and(rule.reading()));
    assert!(all.is_mcp());
    for (body, expected) in [
        (r#"{"query":"{a}"}"#, [true, false, false]),
        (r#"{"query":"{__typename}"}"#, [true, false, false]),
        (r#"{"jsonrpc":"2.0","id":1,"method":"items.list"}"#, [false, true, false]),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search"}}"#, [false, false, true]),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, [false, false, true]),
        (r#"{"jsonrpc":"2.0","id":1,"method":"other"}"#, [false, false, false]),
    ] {
        let content = Content::read(all, body.as_bytes(), &HeaderMap::new()).expect("a content");
        let found = rules.each_ref().map(|rule| content.is_allowed(std::iter::once(rule)));
        assert_eq!(found, expected, "{body}");
        assert_eq!(content.is_allowed(rules.iter()), expected.contains(&true), "{body}");
    }
}
