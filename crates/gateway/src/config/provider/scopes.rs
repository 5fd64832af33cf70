use policy::{Operations, Rule, ScopeRule};
use protocol::Scope;

use crate::config::key::{Form, Key};
use crate::config::reader::Table;

pub(super) fn read(table: &Table<'_>, scopes: &Key) -> Operations {
    let mut allowed = 0;
    let mut rules = Vec::new();
    for (name, scope) in table.table_map(scopes) {
        let name = name.parsed(Scope::parse);
        let says = scope.words(&SAYS);
        let allow = scope.texts(&ALLOW);
        allowed += allow.len();
        let allow = allow.into_iter().filter_map(|rule| rule.parsed(Rule::parse)).map(|rule| rule.value).collect();
        if let (Some(name), Some(says)) = (name, says) {
            rules.push((name.value, ScopeRule { says: says.value, rules: allow }));
        }
    }
    if allowed == 0 {
        table.nested(scopes).as_ref().unwrap_or(table).place().warning(NOTHING);
    }
    Operations::new(rules)
}

pub(super) const KEYS: &[Key] = &[SAYS, ALLOW];

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

const NOTHING: &str = "allows no call, so nothing is forwarded; add to [provider.scopes] a line such as \
                       `\"read\" = { says = \"Read your data\", allow = [\"GET /**\"] }`";
