use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// One OAuth scope: the characters of RFC 6749 §3.3 (`%x21 / %x23-5B / %x5D-7E`), at most 256 of them, and no comma.
///
/// A comma separates scopes at several providers, so a scope that held one could be read as two. Cheap to clone: the text is shared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scope(Arc<str>);

/// Why a text is no scope.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a scope is 1 to 256 printable ASCII characters without space, quote, comma or backslash")]
pub struct ScopeError;

impl Scope {
    /// Checks the form.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        let allowed = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e) && byte != b',';
        if text.is_empty() || text.len() > 256 || !text.bytes().all(allowed) {
            return Err(ScopeError);
        }
        Ok(Self(text.into()))
    }

    /// The scope as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Scope {
    type Error = ScopeError;

    fn try_from(text: String) -> Result<Self, ScopeError> {
        Self::parse(&text)
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.as_str().to_owned()
    }
}

/// A set of scopes, in alphabetical order. Cheap to clone: the scopes are shared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Scope>")]
pub struct ScopeSet(Arc<[Scope]>);

impl ScopeSet {
    /// Reads a list as providers write it: separated by spaces, commas, or both. What is no scope is left out.
    #[must_use]
    pub fn from_list(text: &str) -> Self {
        text.split([' ', ',']).filter_map(|part| Scope::parse(part).ok()).collect()
    }

    /// What both sets hold.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.those(|scope| other.contains(scope))
    }

    /// What either set holds.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.iter().chain(other.iter()).cloned().collect()
    }

    /// What this set holds and `other` does not.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.those(|scope| !other.contains(scope))
    }

    /// Whether `other` holds all of this set.
    #[must_use]
    pub fn is_subset(&self, other: &Self) -> bool {
        self.iter().all(|scope| other.contains(scope))
    }

    /// Whether the set holds `scope`.
    #[must_use]
    pub fn contains(&self, scope: &Scope) -> bool {
        self.0.binary_search(scope).is_ok()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The scopes, in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.0.iter()
    }

    fn those(&self, wanted: impl Fn(&Scope) -> bool) -> Self {
        Self(self.iter().filter(|scope| wanted(scope)).cloned().collect())
    }
}

impl From<Vec<Scope>> for ScopeSet {
    fn from(mut scopes: Vec<Scope>) -> Self {
        scopes.sort_unstable();
        scopes.dedup();
        Self(scopes.into())
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        scopes.into_iter().collect::<Vec<_>>().into()
    }
}

impl std::fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (position, scope) in self.iter().enumerate() {
            let space = if position == 0 { "" } else { " " };
            write!(f, "{space}{scope}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_separated_by_spaces_or_commas() {
        let set = ScopeSet::from_list("write:tickets,read:tickets read:tickets");
        assert_eq!(set.to_string(), "read:tickets write:tickets");
        assert!(ScopeSet::from_list("").is_empty());
    }

    #[test]
    fn only_the_characters_of_rfc_6749_make_a_scope() {
        assert!(Scope::parse("https://www.example.com/auth/drive.readonly").is_ok());
        for text in ["", "a b", "a,b", "a\"b", "a\\b", "ä", "a\n", &"x".repeat(257)] {
            assert_eq!(Scope::parse(text), Err(ScopeError), "{text:?}");
        }
    }

    #[test]
    fn a_set_is_written_as_a_list_and_read_in_any_order() {
        let set: ScopeSet = serde_json::from_str(r#"["b", "a", "b"]"#).expect("a set");
        assert_eq!(set, ScopeSet::from_list("a b"));
        assert_eq!(serde_json::to_string(&set).expect("written"), r#"["a","b"]"#);
        assert!(serde_json::from_str::<ScopeSet>(r#"["a b"]"#).is_err());
    }

    #[test]
    fn a_clone_shares_what_it_was_made_of() {
        let set = ScopeSet::from_list("a b");
        let (scope, copy) = (set.iter().next().expect("a scope"), set.clone());
        assert!(std::ptr::eq(scope, copy.iter().next().expect("a scope")));
        assert!(std::ptr::eq(scope.as_str(), scope.clone().as_str()));
    }

    #[test]
    fn sets_meet_and_unite() {
        let asked = ScopeSet::from_list("a b c");
        let approved = ScopeSet::from_list("b c d");
        assert_eq!(asked.intersection(&approved).to_string(), "b c");
        assert_eq!(asked.difference(&approved).to_string(), "a");
        assert_eq!(asked.union(&approved).to_string(), "a b c d");
        assert!(ScopeSet::from_list("b").is_subset(&asked));
    }
}
