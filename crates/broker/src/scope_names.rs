use oauth::ScopeAnswer;
use protocol::{Scope, ScopeSet};

/// What a provider calls the gateway's scopes, where it calls them otherwise.
#[derive(Debug, Clone, Default)]
pub struct ScopeNames(Vec<(Scope, ScopeName)>);

/// One scope at the provider.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScopeName {
    /// What is asked for; nothing where the provider knows nothing of the scope, which the gateway then keeps by itself.
    pub asks: Vec<String>,
    /// What stands in the provider's answer if it was granted: all of these.
    pub answers: Vec<String>,
}

impl ScopeNames {
    /// The scopes that have other names; all others are called what they are.
    #[must_use]
    pub fn new(names: Vec<(Scope, ScopeName)>) -> Self {
        Self(names)
    }

    /// The same for a provider that knows nothing of scopes which have no other names: the gateway keeps them by itself.
    #[must_use]
    pub fn or_kept_here(mut self, scopes: &ScopeSet) -> Self {
        let kept: Vec<Scope> = scopes.iter().filter(|scope| self.of(scope).is_none()).cloned().collect();
        self.0.extend(kept.into_iter().map(|scope| (scope, ScopeName::default())));
        self
    }

    fn of(&self, scope: &Scope) -> Option<&ScopeName> {
        self.0.iter().find(|(known, _)| known == scope).map(|(_, name)| name)
    }

    /// Whether the word is the provider's for something that the gateway calls otherwise.
    fn is_name(&self, word: &String) -> bool {
        self.0.iter().any(|(_, name)| name.asks.contains(word) || name.answers.contains(word))
    }

    /// The provider's words for `scopes`, each once.
    #[must_use]
    pub fn words<'a>(&'a self, scopes: &'a ScopeSet) -> Vec<&'a str> {
        self.words_of(scopes.iter())
    }

    pub(crate) fn words_of<'a>(&'a self, scopes: impl Iterator<Item = &'a Scope>) -> Vec<&'a str> {
        let mut words = Vec::new();
        for scope in scopes {
            match self.of(scope) {
                Some(name) => words.extend(name.asks.iter().map(String::as_str)),
                None => words.push(scope.as_str()),
            }
        }
        let mut seen = std::collections::HashSet::new();
        words.retain(|word| seen.insert(*word));
        words
    }

    /// What was granted of `asked`, by the provider's answer; and what it says of scopes that have no other names.
    ///
    /// Nothing that has another name is granted because its words came: they may be the words of several.
    pub(crate) fn granted(&self, answer: Option<&[String]>, how: ScopeAnswer, asked: &ScopeSet) -> ScopeSet {
        let Some(answer) = answer.filter(|_| how == ScopeAnswer::Read) else { return asked.clone() };
        let has = |word: &String| answer.contains(word);
        let plain = answer.iter().filter_map(|word| Some((word, Scope::parse(word).ok()?)));
        let plain = plain.filter(|(word, scope)| asked.contains(scope) || !self.is_name(word)).map(|(_, scope)| scope);
        let own = plain.filter(|scope| self.of(scope).is_none());
        let named = asked.iter().filter(|scope| self.of(scope).is_some_and(|name| name.answers.iter().all(has)));
        own.chain(named.cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> ScopeNames {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let name = |scope: &str, asks: &[&str], answers: &[&str]| {
            (Scope::parse(scope).expect(scope), ScopeName { asks: words(asks), answers: words(answers) })
        };
        ScopeNames::new(vec![
            name("issues.read", &["repo"], &["repo"]),
            name("issues.write", &["repo"], &["repo"]),
            name("email", &["email"], &["https://id.example/email"]),
            name("pages", &[], &[]),
        ])
    }

    fn granted(answer: Option<&str>, how: ScopeAnswer, asked: &str) -> String {
        let answer: Option<Vec<String>> = answer.map(|answer| answer.split_whitespace().map(str::to_owned).collect());
        names().granted(answer.as_deref(), how, &ScopeSet::from_list(asked)).to_string()
    }

    #[test]
    fn the_provider_is_asked_in_its_own_words_once() {
        let scopes = ScopeSet::from_list("issues.read issues.write email pages plain");
        assert_eq!(names().words(&scopes), ["email", "repo", "plain"]);
    }

    #[test]
    fn what_was_asked_for_is_granted_where_its_words_come_back() {
        let read = ScopeAnswer::Read;
        assert_eq!(
            granted(Some("repo"), read, "issues.read"),
            "issues.read",
            "and not issues.write, which has the same word"
        );
        assert_eq!(granted(Some("repo"), read, "repo"), "repo", "a scope may be called what others are made of");
        assert_eq!(granted(Some("repo plain"), read, "issues.read issues.write"), "issues.read issues.write plain");
        assert_eq!(granted(Some("https://id.example/email"), read, "email"), "email");
        assert_eq!(granted(Some("email"), read, "email"), "");
        assert_eq!(granted(Some(""), read, "issues.read pages"), "pages", "the provider knows nothing of pages");
        assert_eq!(granted(None, read, "issues.read"), "issues.read");
        assert_eq!(granted(Some("what the app has"), ScopeAnswer::Ignored, "issues.read"), "issues.read");
    }
}
