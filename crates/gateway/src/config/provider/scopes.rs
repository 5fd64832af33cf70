use broker::{ScopeName, ScopeNames};
use policy::{Operations, Rule, ScopeRule};
use protocol::Scope;

use crate::config::key::{Form, Key};
use crate::config::reader::Table;

pub(super) fn read(table: &Table<'_>, scopes: &Key, base: Option<&str>) -> (Operations, ScopeNames) {
    let mut allowed = 0;
    let mut rules = Vec::new();
    let mut names = Vec::new();
    for (name, scope) in table.table_map(scopes) {
        let name = name.parsed(Scope::parse);
        let says = scope.words(&SAYS);
        let allow = scope.texts(&ALLOW);
        allowed += allow.len();
        let allow = allow.into_iter().filter_map(|found| found.parsed(|text| rule(text, base)));
        let allow = allow.map(|rule| rule.value).collect();
        let own = scope_name(&scope);
        if let (Some(name), Some(says)) = (name, says) {
            names.extend(own.map(|own| (name.value.clone(), own)));
            rules.push((name.value, ScopeRule { says: says.value, rules: allow }));
        }
    }
    if allowed == 0 {
        table.nested(scopes).as_ref().unwrap_or(table).place().warning(NOTHING);
    }
    (Operations::new(rules), ScopeNames::new(names))
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

pub(super) const KEYS: &[Key] = &[SAYS, ALLOW, ASKS, ANSWERS];

const SAYS: Key = Key::required(
    "says",
    Form::Text,
    "says = \"See your tickets\"",
    "What the scope lets an agent do, as the consent page says it.",
);
const ALLOW: Key = Key::required(
    "allow",
    Form::Texts,
    "allow = [\"GET /tickets\", \"GET /tickets/*\"]",
    "The calls it allows: a method, or * for any, and a path below api_base, where * is one segment and ** the rest.",
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
