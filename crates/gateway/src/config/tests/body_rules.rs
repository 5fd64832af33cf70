use http::{HeaderMap, Method};
use policy::{Content, Ruling};
use protocol::ScopeSet;

use super::{Fake, GATEWAY, PROVIDER, good, lines};

fn with(allow: &str) -> String {
    format!("{GATEWAY}{}", PROVIDER.replace("allow = [\"GET /tickets\"]", &format!("allow = {allow}")))
}

/// Whether the configured rules allow a body there.
fn allows(allow: &str, path: &str, body: &str) -> bool {
    let config = good(&with(allow));
    let operations = &config.providers[0].operations;
    let effective = operations.effective(&ScopeSet::from_list("read:tickets"));
    let path = operations.path(path).expect("a path");
    match operations.decide(&effective, &Method::POST, path) {
        Ok(Ruling::Permitted(_)) => true,
        Ok(Ruling::Unread(undecided)) => {
            let content = Content::read(undecided.wants(), body.as_bytes(), &HeaderMap::new());
            undecided.judge(&content.expect("it can be read")).is_ok()
        }
        Err(_) => false,
    }
}

#[test]
fn rules_may_look_into_bodies() {
    let graphql = "[\"GET /x\", { rule = \"POST /graphql\", graphql = [\"query viewer\", \"mutation create*\"] }]";
    assert!(allows(graphql, "/graphql", r#"{"query":"{viewer{x}}"}"#));
    assert!(!allows(graphql, "/graphql", r#"{"query":"{other{x}}"}"#));
    assert!(!allows(graphql, "/x", ""));
    let calls = "[{ rule = \"POST /rpc\", jsonrpc = \"items.*\" }]";
    assert!(allows(calls, "/rpc", r#"{"jsonrpc":"2.0","id":1,"method":"items.list"}"#));
    let mcp = "{ rule = \"POST /mcp\", mcp_tools = [\"search\"], mcp_methods = [\"prompts/*\"] }";
    assert!(allows(mcp, "/mcp", r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search"}}"#));
    assert!(allows(mcp, "/mcp", r#"{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"x"}}"#));
    assert!(!allows(mcp, "/mcp", r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"x"}}"#));
}

#[test]
fn how_much_is_read_is_the_operators() {
    let config = good(&with("[\"GET /\"]").replace("api_base", "read_body = 7\napi_base"));
    assert_eq!((config.providers[0].read_body, good(&with("[\"GET /\"]")).providers[0].read_body), (7 << 10, 64 << 10));
}

#[test]
fn what_is_wrong_is_said_where_it_stands() {
    let mut wrong = Vec::new();
    for (allow, expected) in [
        (
            "[{ rule = \"GET /graphql\", graphql = [\"query a\"] }]",
            "12:65: provider.scopes.\"read:tickets\".allow.rule: only the body of a POST is looked into; write POST and the path, as in \
             \"POST /graphql\"",
        ),
        (
            "[{ rule = \"POST /graphql\", graphql = [\"query a\", \"viewer\"] }]",
            "12:104: provider.scopes.\"read:tickets\".allow.graphql: is no root field; write query, mutation or subscription, one space \
             and its name, as in \"query viewer\"",
        ),
        (
            "[{ rule = \"POST /graphql\", graphql = [\"query a-b\"] }]",
            "12:93: provider.scopes.\"read:tickets\".allow.graphql: names no field; a name has letters, digits and _, and one * at its end \
             or inside, as in \"mutation create*\"",
        ),
        (
            "[{ rule = \"POST /rpc\", jsonrpc = [] }]",
            "12:78: provider.scopes.\"read:tickets\".allow.jsonrpc: is empty; write what the body may ask for, or remove the rule",
        ),
        (
            "[{ rule = \"POST /rpc\", jsonrpc = [\"*a\"] }]",
            "12:89: provider.scopes.\"read:tickets\".allow.jsonrpc: has a star at its beginning, or two; write one at the end or inside, as \
             in \"items.*\", or \"*\" alone",
        ),
        (
            "[{ rule = \"POST /rpc\" }]",
            "12:56: provider.scopes.\"read:tickets\".allow: says nothing of the body; add `graphql = [\"query viewer\"]`, or write the \
             rule as a string",
        ),
        (
            "[{ rule = \"POST /rpc\", jsonrpc = [\"a\"], mcp_tools = [\"b\"] }]",
            "12:95: provider.scopes.\"read:tickets\".allow.mcp_tools: is another way to read the same body; write two rules, each with one \
             of them",
        ),
        (
            "[{ rule = \"POST /**\", mcp_tools = [\"a\"] }]",
            "12:65: provider.scopes.\"read:tickets\".allow.rule: has a star, and messages of MCP go to one path, by GET and DELETE as \
             well; write that path",
        ),
        (
            "[{ jsonrpc = [\"a\"] }]",
            "12:56: provider.scopes.\"read:tickets\".allow.rule: is missing; add `rule = \"POST /graphql\"`. POST and the path whose \
             bodies are looked into.",
        ),
        (
            "[{ rule = \"POST /rpc\", json_rpc = [\"a\"] }]",
            "12:78: provider.scopes.\"read:tickets\".allow.json_rpc: is not known; did you mean `jsonrpc`?",
        ),
        (
            "[7]",
            "12:55: provider.scopes.\"read:tickets\".allow: is a list; write a string, or a list of strings and tables",
        ),
        (
            "[\"* /**\", { rule = \"POST /graphql\", graphql = [\"query a\"] }]",
            "12:74: warning: provider.scopes.\"read:tickets\".allow.rule: is without effect: another rule of the scope allows the same call \
             whatever its body asks for; remove one of them",
        ),
        (
            "[\"GET /x\"], tools = [\"a\"]",
            "12:67: provider.scopes.\"read:tickets\".tools: is for a provider that is an MCP server, by `mcp = \"https://...\"`; write the \
             calls of an API in allow",
        ),
    ] {
        let found = lines(&with(allow), &Fake::new());
        if found.last() != Some(&format!("gateway.toml:{expected}")) {
            wrong.push((allow, found));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
