use crate::content::BodyRule;
use crate::index::Index;
use crate::methods::Methods;
use crate::path::CanonicalPath;
use crate::pattern::Rule;

/// The rules of one provider that look into bodies, found by path and method. Looked at where no other rule allows an operation.
#[derive(Debug, Default)]
pub(crate) struct Bodies {
    /// Of the rules, by their numbers.
    index: Index,
    /// Each with the number of its scope, in the order of scopes.
    rules: Vec<(u32, BodyRule)>,
}

impl Bodies {
    /// From the rules, each with the number of its scope, in whatever order.
    pub(crate) fn new<'r>(rules: impl Iterator<Item = (u32, &'r Rule, &'r BodyRule)>) -> Self {
        let mut found: Vec<_> = rules.collect();
        found.sort_by_key(|(scope, ..)| *scope);
        let numbered = found.iter().zip(0..).map(|((_, rule, _), number)| (number, *rule));
        let index = Index::new(numbered);
        Self { index, rules: found.into_iter().map(|(scope, _, body)| (scope, body.clone())).collect() }
    }

    /// Those that speak of the operation, each with the number of its scope, in the order of scopes.
    pub(crate) fn find(&self, path: CanonicalPath<'_>, methods: Methods) -> Vec<(u32, &BodyRule)> {
        if self.rules.is_empty() {
            return Vec::new();
        }
        let mut numbers = Vec::new();
        self.index.find(path, |grants| {
            numbers.extend(grants.iter().filter(|grant| grant.methods.share(methods)).map(|grant| grant.scope));
        });
        numbers.sort_unstable();
        let rules = numbers.into_iter().filter_map(|number| self.rules.get(number as usize));
        rules.map(|(scope, rule)| (*scope, rule)).collect()
    }
}
