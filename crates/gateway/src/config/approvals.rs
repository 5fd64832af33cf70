use policy::{ApprovalRule, Decision, HostPattern, ScopePattern, Vouching};
use protocol::{AgentId, Loopback, ProviderId};

use super::key::{Form, Key};
use super::reader::{Found, Table};

/// The rules, in the order of the file.
pub(super) fn read(tables: &[Table<'_>], loopback: Loopback) -> Vec<ApprovalRule> {
    tables.iter().filter_map(|table| rule(table, loopback)).collect()
}

fn rule(table: &Table<'_>, loopback: Loopback) -> Option<ApprovalRule> {
    let decision = match table.text(&DECISION)?.value {
        "auto" => Decision::Auto,
        "pending" => Decision::Pending,
        _ => Decision::Deny,
    };
    Some(ApprovalRule {
        decision,
        agents: all(table.texts(&AGENTS), |text| AgentId::parse(text, loopback))?,
        hosts: all(table.texts(&HOSTS), HostPattern::parse)?,
        vouched_by: all(table.texts(&VOUCHED_BY), Vouching::parse)?,
        providers: all(table.texts(&PROVIDERS), ProviderId::parse)?,
        scopes: all(table.texts(&SCOPES), ScopePattern::parse)?,
        reason: table.written(&REASON).and_then(|_| table.words(&REASON)).map(|found| found.value),
    })
}

/// `None` where one of them is wrong: a rule that lost a part would speak of more than it was written for.
fn all<T, E: std::fmt::Display>(texts: Vec<Found<'_, &str>>, parse: impl Fn(&str) -> Result<T, E>) -> Option<Vec<T>> {
    let parsed: Vec<Option<T>> = texts.into_iter().map(|text| text.parsed(&parse).map(|found| found.value)).collect();
    parsed.into_iter().collect()
}

pub(super) const KEYS: &[Key] = &[DECISION, AGENTS, HOSTS, VOUCHED_BY, PROVIDERS, SCOPES, REASON];

const DECISION: Key = Key::required(
    "decision",
    Form::OneOf(&["auto", "pending", "deny"]),
    "decision = \"pending\"",
    "Approve at once, wait for an operator (`ath-gateway agents approve`), or refuse.",
);
const AGENTS: Key = Key::optional("agents", Form::Texts, "Agents it speaks of, by their agent_id; all if left out.");
const HOSTS: Key = Key::optional(
    "hosts",
    Form::Texts,
    "Hosts of identity documents that it speaks of, such as \"agents.example.com\" or \"*.example.com\"; all if left out.",
);
const VOUCHED_BY: Key = Key::optional(
    "vouched_by",
    Form::Texts,
    "Agents for which one of these vouches: \"host\" (their document's), \"operator\" (`[[client]]`), \"nobody\" (they registered themselves); all if left out.",
);
const PROVIDERS: Key = Key::optional("providers", Form::Texts, "Providers it speaks of, by their id; all if left out.");
const SCOPES: Key = Key::optional(
    "scopes",
    Form::Texts,
    "Scopes it speaks of, such as \"write:tickets\", or \"write:*\" for all that begin so; all if left out.",
);
const REASON: Key =
    Key::optional("reason", Form::Text, "What the agent's developer is told; a plain sentence if left out.");
