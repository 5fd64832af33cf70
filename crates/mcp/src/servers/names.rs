use std::collections::{HashMap, HashSet};

use secret::SecretHash;

/// What a server's tools are called at the door for all services: `<service>_<tool>`, of 64 characters at most, which is what most clients
/// take, and each name once.
pub(super) struct Names {
    /// From the server's name to the one here.
    here: HashMap<String, String>,
    /// And back.
    original: HashMap<String, String>,
}

impl Names {
    /// `others` are what the names of other services' tools begin with: a name that begins so, too, would lead there.
    /// `taken` are the names of tools that are the gateway's.
    pub(super) fn new<'t>(
        prefix: &str,
        (others, taken): (&[String], &HashSet<String>),
        tools: impl Iterator<Item = &'t str>,
    ) -> Self {
        let mut names = Self { here: HashMap::new(), original: HashMap::new() };
        for tool in tools {
            let name = name(prefix, (others, taken), tool);
            // A server that lists a tool twice has it once.
            if !names.here.contains_key(tool) && !names.original.contains_key(&name) {
                names.here.insert(tool.to_owned(), name.clone());
                names.original.insert(name, tool.to_owned());
            }
        }
        names
    }

    pub(super) fn here(&self, tool: &str) -> Option<&str> {
        self.here.get(tool).map(String::as_str)
    }

    pub(super) fn original(&self, name: &str) -> Option<&str> {
        self.original.get(name).map(String::as_str)
    }
}

fn name(prefix: &str, (others, taken): (&[String], &HashSet<String>), tool: &str) -> String {
    let plain = tool.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    let whole = format!("{prefix}_{tool}");
    let leads_elsewhere = others.iter().any(|other| {
        let longer = other.len() > prefix.len() && other.starts_with(prefix);
        longer && whole.strip_prefix(other.as_str()).is_some_and(|rest| rest.starts_with('_'))
    });
    if plain && whole.len() <= MOST && !leads_elsewhere && !taken.contains(&whole) {
        return whole;
    }
    let clean: String =
        whole.chars().map(|it| if it.is_ascii_alphanumeric() || matches!(it, '_' | '-') { it } else { '_' }).collect();
    let mark = SecretHash::of(tool).to_hex();
    let mark = mark.get(..MARK).unwrap_or_default();
    let clean = clean.strip_prefix(prefix).and_then(|clean| clean.strip_prefix('_')).unwrap_or(&clean);
    let room = MOST.saturating_sub(prefix.len() + MARK + 2);
    format!("{prefix}_{mark}_{}", clean.get(..room).unwrap_or(clean))
}

const MOST: usize = 64;
const MARK: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_back_to_its_tool() {
        let long = "x".repeat(90);
        let taken = HashSet::from(["wiki_taken".to_owned()]);
        let tools = ["taken", "search", "read.page", "Read-Page", "search", "notes_read", "notesx", &long];
        let names = Names::new("wiki", (&["wiki_notes".to_owned(), "wiki".to_owned()], &taken), tools.into_iter());
        assert_eq!(names.here("search"), Some("wiki_search"));
        assert_eq!(names.here("Read-Page"), Some("wiki_Read-Page"));
        assert_eq!(names.here("notesx"), Some("wiki_notesx"));
        for tool in tools {
            let here = names.here(tool).expect("a name");
            assert!(
                here.len() <= 64 && here.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)),
                "{here}"
            );
            assert!(!taken.contains(here), "{here}");
            assert!(here.starts_with("wiki_") && !here.starts_with("wiki_notes_"), "{here}");
            assert_eq!(names.original(here), Some(tool));
        }
        assert_eq!(names.original("search"), None);
    }
}
