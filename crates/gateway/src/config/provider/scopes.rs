use broker::{ScopeName, ScopeNames};
use policy::{McpRule, Operations, Rule, ScopeRule};
use protocol::Scope;

use super::body_rules;
use crate::config::key::{Form, Key};
use crate::config::reader::{Table, TextOrTable};

/// What the scopes of a provider are about.
#[derive(Clone, Copy)]
pub(super) enum Side<'s> {
    /// Calls of an HTTP API with this base, where that could be read.
    Api(Option<&'s str>),
    /// Messages to an MCP server at this path below its base.
    Mcp(&'s str),
}

pub(super) fn read(table: &Table<'_>, scopes: &Key, side: Side<'_>) -> (Operations, ScopeNames) {
    let mut allowed = 0;
    let mut rules = Vec::new();
    let mut names = Vec::new();
    for (name, scope) in table.table_map(scopes) {
        let name = name.parsed(Scope::parse);
        let says = scope.words(&SAYS);
        let (written, allow) = match side {
            Side::Api(base) => calls(&scope, base),
            Side::Mcp(path) => messages(&scope, path),
        };
        allowed += written;
        let own = scope_name(&scope);
        if let (Some(name), Some(says)) = (name, says) {
            names.extend(own.map(|own| (name.value.clone(), own)));
            rules.push((name.value, ScopeRule { says: says.value, rules: allow }));
        }
    }
    if allowed == 0 {
        let nothing = match side {
            Side::Api(_) => NOTHING,
            Side::Mcp(_) => NO_TOOLS,
        };
        table.nested(scopes).as_ref().unwrap_or(table).place().warning(nothing);
    }
    (Operations::new(rules), ScopeNames::new(names))
}

/// The calls of an API, and how many are written.
fn calls(scope: &Table<'_>, base: Option<&str>) -> (usize, Vec<Rule>) {
    if let Some(place) = scope.written(&TOOLS).or_else(|| scope.written(&METHODS)) {
        place.problem(
            "is for a provider that is an MCP server, by `mcp = \"https://...\"`; write the calls of an API in allow",
        );
        return (1, Vec::new());
    }
    let found = scope.texts_or_tables(&ALLOW);
    let (mut plain, mut looking) = (Vec::new(), Vec::new());
    let written = found.len();
    for one in found {
        match one {
            TextOrTable::Text(text) => plain.extend(text.parsed(|text| rule(text, base)).map(|rule| rule.value)),
            TextOrTable::Table(table) => looking.extend(body_rules::read(&table, |text| rule(text, base))),
        }
    }
    for rule in &looking {
        body_rules::warn_of_void(rule, &plain);
    }
    (written, plain.into_iter().chain(looking.into_iter().map(|looking| looking.rule)).collect())
}

/// The messages to an MCP server.
fn messages(scope: &Table<'_>, path: &str) -> (usize, Vec<Rule>) {
    if let Some(place) = scope.written(&ALLOW) {
        place.problem("is for the calls of an API, and this provider is an MCP server; write tools and methods");
        return (1, Vec::new());
    }
    let (tools, methods) = (body_rules::names(scope, &TOOLS), body_rules::names(scope, &METHODS));
    if scope.written(&TOOLS).or_else(|| scope.written(&METHODS)).is_none() {
        scope.place().missing("says nothing of what it allows; add `tools = [\"search\", \"read_*\"]`".to_owned());
        return (1, Vec::new());
    }
    match Rule::mcp(path, McpRule::new(tools, methods)) {
        Ok(rule) => (1, vec![rule]),
        Err(error) => {
            scope.place().problem(format!("cannot be matched to the path of the MCP server: {error}"));
            (1, Vec::new())
        }
    }
}

/// A rule, or what is wrong with it; `base` is that of the API.
fn rule(text: &str, base: Option<&str>) -> Result<Rule, String> {
    Rule::parse(text).map_err(|error| {
        let (method, url) = text.split_once(' ').unwrap_or(("GET", text));
        let Some((_, behind)) = url.split_once("://") else { return error.to_string() };
        let path = behind.find('/').and_then(|at| behind.get(at..)).unwrap_or("/");
        let below = base.and_then(|base| url.strip_prefix(base.trim_end_matches('/')));
        let path = below.filter(|below| below.starts_with('/')).unwrap_or(path);
        match Rule::parse(&format!("{method} {path}")) {
            Ok(_) => format!("is a whole URL; write the path below api_base: \"{method} {path}\""),
            Err(_) => format!("is a whole URL; write a method and the path below api_base: {error}"),
        }
    })
}

/// `None` where the provider calls the scope what the gateway calls it.
fn scope_name(scope: &Table<'_>) -> Option<ScopeName> {
    let words = |key: &Key| {
        let words = scope.texts(key).into_iter().map(|found| found.value.to_owned()).collect::<Vec<_>>();
        scope.written(key).map(|_| words)
    };
    let (asks, answers) = (words(&ASKS), words(&ANSWERS));
    if let (Some(place), None) = (scope.written(&ANSWERS), &asks) {
        place.problem("is what comes back for what was asked; add `asks = [\"...\"]`");
    }
    let asks = asks?;
    Some(ScopeName { answers: answers.unwrap_or_else(|| asks.clone()), asks })
}

pub(super) const KEYS: &[Key] = &[SAYS, ALLOW, TOOLS, METHODS, ASKS, ANSWERS];

const SAYS: Key = Key::required(
    "says",
    Form::Text,
    "says = \"See your tickets\"",
    "What the scope lets an agent do, as the consent page says it.",
);
const ALLOW: Key = Key::required(
    "allow",
    Form::TextsOrTables(body_rules::KEYS),
    "allow = [\"GET /tickets\", \"GET /tickets/*\"]",
    "The calls it allows: a method, or * for any, and a path below api_base, where * is one segment and ** the rest.",
);
const TOOLS: Key = Key::optional(
    "tools",
    Form::Texts,
    "Of an MCP server: the tools that it allows, by name, where * at the end or inside is any text; instead of allow.",
);
const METHODS: Key = Key::optional(
    "methods",
    Form::Texts,
    "Of an MCP server: the methods that it allows besides, such as resources/read or prompts/*; what the protocol itself needs is allowed \
     with any scope.",
);
const ASKS: Key = Key::optional(
    "asks",
    Form::Texts,
    "What the provider calls it, one scope or several; an empty list where the provider knows nothing of it and the gateway alone keeps \
     agents to it; the scope's own name by default.",
);
const ANSWERS: Key = Key::optional(
    "answers",
    Form::Texts,
    "What the provider's answer calls it, where that is something else; as asks says by default.",
);

const NOTHING: &str = "allows no call, so nothing is forwarded; add to [provider.scopes] a line such as \
                       `\"read\" = { says = \"See your things\", allow = [\"GET /things\", \"GET /things/*\"] }`";
const NO_TOOLS: &str = "allows nothing, so nothing is forwarded; add to [provider.scopes] a line such as \
                        `\"read\" = { says = \"Search and read\", tools = [\"search\", \"read_*\"] }`";
