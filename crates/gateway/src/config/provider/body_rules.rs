use http::Method;
use policy::{
    BodyRule, FieldPatternError, GraphqlRule, JsonRpcRule, McpRule, NamePattern, Operations, Rule, ScopeRule,
};
use protocol::{Scope, ScopeSet};

use crate::config::key::{Form, Key};
use crate::config::reader::{Found, Place, Table};

/// A rule that looks into the body.
pub(super) struct Looking<'c> {
    pub(super) rule: Rule,
    /// Of method and path, and what stands there.
    place: Place<'c>,
    written: &'c str,
}

/// Reads `{ rule = "POST /graphql", graphql = ["query viewer"] }`; `rule` reads what is the same in every rule.
pub(super) fn read<'c>(table: &Table<'c>, rule: impl FnOnce(&str) -> Result<Rule, String>) -> Option<Looking<'c>> {
    let written = table.text(&RULE);
    let graphql = table.written(&GRAPHQL).map(|place| (place, graphql(table)));
    let calls = table.written(&JSONRPC).map(|place| (place, Some(jsonrpc(table))));
    let mcp = table.written(&MCP_TOOLS).or_else(|| table.written(&MCP_METHODS)).map(|place| (place, Some(mcp(table))));
    let kinds: Vec<(Place<'c>, Option<BodyRule>)> = [graphql, calls, mcp].into_iter().flatten().collect();
    if let [_, (second, _), ..] = kinds.as_slice() {
        second.problem("is another way to read the same body; write two rules, each with one of them");
        return None;
    }
    let Some((_, body)) = kinds.into_iter().next() else {
        table.place().missing(format!("says nothing of the body; add `{EXAMPLE}`, or write the rule as a string"));
        return None;
    };
    let found = written?;
    if matches!(body, Some(BodyRule::Mcp(_))) && found.value.contains('*') {
        let why = "has a star, and messages of MCP go to one path, by GET and DELETE as well; write that path";
        return found.place.refused(why.to_owned());
    }
    let (written, place) = (found.value, found.place.clone());
    let rule = found.parsed(rule)?.value;
    match rule.looking_into(body?) {
        Ok(rule) => Some(Looking { rule, place, written }),
        Err(error) => place.refused(error.to_string()),
    }
}

/// The patterns behind a key; what is none is reported.
pub(super) fn names(table: &Table<'_>, key: &Key) -> Vec<NamePattern> {
    let found = table.texts(key).into_iter();
    found.filter_map(|found| Some(found.parsed(NamePattern::parse)?.value)).collect()
}

fn graphql(table: &Table<'_>) -> Option<BodyRule> {
    let found = some(table, &GRAPHQL);
    let mut texts = Vec::with_capacity(found.len());
    for found in found {
        let each = |text: &str| GraphqlRule::parse([text]).map(|_| text.to_owned());
        texts.push(found.parsed::<String, FieldPatternError>(each)?.value);
    }
    GraphqlRule::parse(texts.iter().map(String::as_str)).ok().map(BodyRule::Graphql)
}

fn jsonrpc(table: &Table<'_>) -> BodyRule {
    some(table, &JSONRPC);
    BodyRule::JsonRpc(JsonRpcRule::new(names(table, &JSONRPC)))
}

fn mcp(table: &Table<'_>) -> BodyRule {
    BodyRule::Mcp(McpRule::new(names(table, &MCP_TOOLS), names(table, &MCP_METHODS)))
}

/// What is empty allows nothing, which nobody means.
fn some<'c>(table: &Table<'c>, key: &Key) -> Vec<Found<'c, &'c str>> {
    let found = table.texts(key);
    if let Some(place) = table.written(key).filter(|_| found.is_empty()) {
        place.problem("is empty; write what the body may ask for, or remove the rule");
    }
    found
}

/// Where a rule of the same scope allows the same call whatever its body asks for, nobody looks into that.
pub(super) fn warn_of_void(looking: &Looking<'_>, plain: &[Rule]) {
    let Ok(scope) = Scope::parse("scope") else { return };
    let scopes: ScopeSet = std::iter::once(scope.clone()).collect();
    let operations = Operations::new(vec![(scope, ScopeRule { says: String::new(), rules: plain.to_vec() })]);
    let path = looking.written.split_once(' ').map_or("", |(_, path)| path);
    let Ok(path) = operations.path(path) else { return };
    if operations.permit(&operations.effective(&scopes), &Method::POST, path).is_ok() {
        looking.place.warning(
            "is without effect: another rule of the scope allows the same call whatever its body asks for; remove one of them",
        );
    }
}

pub(super) const KEYS: &[Key] = &[RULE, GRAPHQL, JSONRPC, MCP_TOOLS, MCP_METHODS];

const RULE: Key =
    Key::required("rule", Form::Text, "rule = \"POST /graphql\"", "POST and the path whose bodies are looked into.");
const GRAPHQL: Key = Key::optional(
    "graphql",
    Form::Texts,
    "The root fields that a GraphQL document may have, where * at the end or inside is any text; introspection has to be written, as in \
     query __schema.",
);
const JSONRPC: Key = Key::optional(
    "jsonrpc",
    Form::Texts,
    "The methods that a call of JSON-RPC 2.0 may be of, where * at the end or inside is any text.",
);
const MCP_TOOLS: Key = Key::optional(
    "mcp_tools",
    Form::Texts,
    "The tools that a message of MCP may call, by name, with * in the same way.",
);
const MCP_METHODS: Key = Key::optional(
    "mcp_methods",
    Form::Texts,
    "The methods that a message of MCP may be of besides those that the protocol itself needs, with * in the same way.",
);

const EXAMPLE: &str = "graphql = [\"query viewer\"]";
