//! Which calls a scope is proposed to allow: by its name and what the service says of its operations, or else everything of a method.

use mcp::openapi::Found;
use policy::Rule;

/// Reading, unless the name says that it writes; of the operations that the service describes, those that the name speaks of.
pub(super) fn usual(name: &str, described: &[String]) -> Vec<String> {
    let name = name.to_ascii_lowercase();
    let words: Vec<&str> = name.split(SEPARATORS).filter(|word| !word.is_empty()).collect();
    let methods: &[&str] = if words.iter().any(|word| WRITING.contains(word)) { CHANGE } else { &["GET"] };
    let of_methods =
        described.iter().filter(|rule| rule.split_once(' ').is_some_and(|(method, _)| methods.contains(&method)));
    let fitting: Vec<String> = of_methods.cloned().collect();
    let things = |part: &str| words.contains(&part) && !READING.contains(&part) && !WRITING.contains(&part);
    let spoken_of = |rule: &&String| rule.to_ascii_lowercase().split('/').skip(1).any(things);
    let named: Vec<String> = fitting.iter().filter(spoken_of).cloned().collect();
    let proposed = if named.is_empty() { fitting } else { named };
    if proposed.is_empty() || proposed.len() > MOST {
        return methods.iter().map(|method| format!("{method} /**")).collect();
    }
    proposed
}

/// An operation as a rule: `*` for each segment with a parameter; nothing where no rule says it.
pub(super) fn rule(operation: &Found) -> Option<String> {
    let segments = operation.path.split('/').map(|segment| if segment.contains('{') { "*" } else { segment });
    let rule = format!("{} {}", operation.method, segments.collect::<Vec<_>>().join("/"));
    Rule::parse(&rule).is_ok().then_some(rule)
}

/// Whether the rule allows everything of its method.
pub(super) fn is_wide(rule: &str) -> bool {
    rule.split_once(' ').is_some_and(|(_, path)| path.trim() == "/**")
}

/// What separates the words of a scope.
pub(super) const SEPARATORS: [char; 5] = [':', '.', '_', '-', '/'];
pub(super) const READING: &[&str] = &["read", "view", "list", "get", "see", "search"];
pub(super) const WRITING: &[&str] =
    &["write", "edit", "create", "update", "delete", "manage", "modify", "send", "post", "admin"];
const CHANGE: &[&str] = &["POST", "PUT", "PATCH", "DELETE"];
/// More than this nobody reads at a prompt.
const MOST: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_speaks_of_operations() {
        let described =
            ["GET /health", "GET /tickets", "POST /tickets", "GET /tickets/*", "PATCH /tickets/*"].map(str::to_owned);
        for (name, calls) in [
            ("read:tickets", "GET /tickets, GET /tickets/*"),
            ("tickets.write", "POST /tickets, PATCH /tickets/*"),
            ("get:tickets", "GET /tickets, GET /tickets/*"),
            ("read", "GET /health, GET /tickets, GET /tickets/*"),
            ("write", "POST /tickets, PATCH /tickets/*"),
        ] {
            assert_eq!(usual(name, &described).join(", "), calls, "{name}");
        }
        assert_eq!(usual("write", &described[..1]).join(", "), "POST /**, PUT /**, PATCH /**, DELETE /**");
        let many: Vec<String> = (0..=MOST).map(|at| format!("GET /a{at}")).collect();
        assert_eq!(usual("read", &many), ["GET /**"]);
        assert!(is_wide("GET /**") && !is_wide("GET /tickets/**"));
    }
}
