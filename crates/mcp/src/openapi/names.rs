//! Names for operations and tools, the same at every start.

use std::collections::HashSet;

use http::Method;
use protocol::ProviderId;

/// What the names of a provider's tools begin with: its id in `a-z0-9_`, 40 characters at most.
#[must_use]
pub fn tool_prefix(provider: &ProviderId) -> String {
    let id = provider.as_str().replace('-', "_");
    cut(&id, MAX_PREFIX, provider.as_str())
}

/// A name for an operation that has none of its own: `get_tickets_id`.
pub(super) fn of_operation(method: &Method, path: &str) -> String {
    let name = snake(&format!("{method}/{path}"));
    if name == snake(method.as_str()) { format!("{name}_root") } else { name }
}

/// Names of a provider's tools, each given out once.
#[derive(Debug)]
pub(super) struct ToolNames {
    prefix: String,
    taken: HashSet<String>,
}

impl ToolNames {
    /// With those taken that every provider has.
    pub(super) fn new(provider: &ProviderId) -> Self {
        let prefix = tool_prefix(provider);
        let taken = GENERAL.iter().map(|name| format!("{prefix}_{name}")).collect();
        Self { prefix, taken }
    }

    /// A name for an operation; where that name is long or taken, what tells operations apart, method and path, goes into it as a few digits.
    pub(super) fn give(&mut self, operation: &str, method: &Method, path: &str) -> String {
        let whole = format!("{}_{}", self.prefix, snake(operation));
        let identity = format!("{method} {path}");
        let name = cut(&whole, MAX_NAME, &identity);
        if self.taken.insert(name.clone()) {
            return name;
        }
        let mut round = 0;
        loop {
            let name = marked(&whole, MAX_NAME, &format!("{identity}{}", "+".repeat(round)));
            if self.taken.insert(name.clone()) {
                return name;
            }
            round += 1;
        }
    }
}

/// `listForOrg`, `repos/list-for-org` and `GetHTTPAnswer` as `list_for_org`, `repos_list_for_org` and `get_http_answer`.
pub(super) fn snake(text: &str) -> String {
    let mut name = String::with_capacity(text.len() + 8);
    let characters: Vec<char> = text.chars().collect();
    for (at, character) in characters.iter().enumerate() {
        if !character.is_ascii_alphanumeric() {
            if !name.is_empty() && !name.ends_with('_') {
                name.push('_');
            }
            continue;
        }
        let before = at.checked_sub(1).and_then(|at| characters.get(at));
        let after = characters.get(at + 1);
        let begins = character.is_ascii_uppercase()
            && before.is_some_and(|before| {
                before.is_ascii_lowercase()
                    || before.is_ascii_digit()
                    || (before.is_ascii_uppercase() && after.is_some_and(char::is_ascii_lowercase))
            });
        if begins && !name.ends_with('_') {
            name.push('_');
        }
        name.push(character.to_ascii_lowercase());
    }
    name.trim_end_matches('_').to_owned()
}

fn cut(name: &str, most: usize, identity: &str) -> String {
    if name.len() <= most { name.to_owned() } else { marked(name, most, identity) }
}

/// As much of the name as leaves room, and six digits that follow from the identity.
fn marked(name: &str, most: usize, identity: &str) -> String {
    let room = most.saturating_sub(MARK + 1);
    let kept = name.get(..room.min(name.len())).unwrap_or_default().trim_end_matches('_');
    format!("{kept}_{:06x}", fnv(identity) & 0x00ff_ffff)
}

/// FNV-1a: the same everywhere and always. Nobody is protected by it.
fn fnv(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

const MAX_PREFIX: usize = 40;
const MAX_NAME: usize = 64;
const MARK: usize = 6;
/// What follows the prefix in tools that are there for every provider.
const GENERAL: &[&str] = &["read", "write", "find", "describe"];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn provider(id: &str) -> ProviderId {
        ProviderId::parse(id).expect("an id")
    }

    #[test]
    fn words_are_told_apart() {
        let names = [
            "listTickets",
            "repos/list-for-org",
            "GetHTTPAnswer",
            "v1.customers:search",
            "__a__",
            "readCoreV1Pod",
            "é",
        ];
        let expected = [
            "list_tickets",
            "repos_list_for_org",
            "get_http_answer",
            "v1_customers_search",
            "a",
            "read_core_v1_pod",
            "",
        ];
        assert_eq!(names.map(snake), expected);
    }

    #[test]
    fn what_has_no_name_is_called_by_method_and_path() {
        assert_eq!(of_operation(&Method::GET, "/tickets/{id}"), "get_tickets_id");
        assert_eq!(of_operation(&Method::GET, "/"), "get_root");
    }

    #[test]
    fn a_name_is_given_once() {
        let mut names = ToolNames::new(&provider("help-desk"));
        assert_eq!(names.give("listTickets", &Method::GET, "/tickets"), "help_desk_list_tickets");
        assert_eq!(names.give("list_tickets", &Method::GET, "/v2/tickets"), "help_desk_list_tickets_7b7648");
        assert_eq!(names.give("read", &Method::GET, "/it"), "help_desk_read_06f8a3");
    }

    #[test]
    fn a_long_name_is_cut_and_marked() {
        let mut names = ToolNames::new(&provider(&"p".repeat(64)));
        let long = "listAllTheThingsThatThereAreInTheWholeWorldAndBeyond";
        let (one, other) = (names.give(long, &Method::GET, "/a"), names.give(long, &Method::GET, "/b"));
        assert_ne!(one, other);
        assert_eq!((one.len(), other.len()), (64, 64));
        assert!(one.starts_with(&"p".repeat(33)), "{one}");
    }

    proptest! {
        #[test]
        fn every_name_is_one_that_clients_take(id in "[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?", operations in proptest::collection::vec(".{0,90}", 1..6)) {
            let mut names = ToolNames::new(&provider(&id));
            let mut seen = HashSet::new();
            for operation in &operations {
                let name = names.give(operation, &Method::GET, operation);
                prop_assert!((1..=64).contains(&name.len()), "{}", name);
                prop_assert!(name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_')), "{}", name);
                prop_assert!(seen.insert(name));
            }
        }
    }
}
