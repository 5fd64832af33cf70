//! What rules mean, one by one: the plain form, which the index has to agree with.

use http::Method;
use protocol::{Scope, ScopeSet};

use crate::methods::Methods;
use crate::operations::ScopeRule;
use crate::path::{CanonicalPath, has_encoded_slash};
use crate::pattern::{Rest, Rule, Segment};

impl Rule {
    /// Whether the rule allows `method` on `path`.
    pub(crate) fn allows(&self, method: &Method, path: CanonicalPath<'_>) -> bool {
        self.methods().share(Methods::of(method)) && self.matches(path)
    }

    fn matches(&self, path: CanonicalPath<'_>) -> bool {
        let mut given = path.below_root().split('/');
        for wanted in self.segments() {
            match given.next() {
                Some(segment) if wanted.matches(segment) => {}
                _ => return false,
            }
        }
        match (self.rest(), given.next()) {
            (_, None) => true,
            (Rest::Nothing, Some(_)) => false,
            (Rest::Anything, Some(first)) => !std::iter::once(first).chain(given).any(has_encoded_slash),
        }
    }
}

impl Segment<'_> {
    fn matches(&self, segment: &str) -> bool {
        let joined = has_encoded_slash(segment);
        match self {
            Self::Exactly(text) => *text == segment,
            Self::Joined => joined && !segment.contains(':'),
            _ if joined => false,
            Self::Any => !segment.is_empty() && !segment.contains(':'),
            Self::Verb(verb) => segment.split_once(':').is_some_and(|(name, after)| !name.is_empty() && after == *verb),
            Self::AnyVerb => segment.contains(':'),
        }
    }
}

/// The scope that allows it, or all that would.
pub(crate) fn permit(
    rules: &[(Scope, ScopeRule)],
    effective: &ScopeSet,
    method: &Method,
    path: CanonicalPath<'_>,
) -> Result<Scope, ScopeSet> {
    let allowing = |(_, rule): &&(Scope, ScopeRule)| rule.rules.iter().any(|rule| rule.allows(method, path));
    let granted = rules.iter().filter(|(scope, _)| effective.contains(scope)).find(allowing);
    match granted {
        Some((scope, _)) => Ok(scope.clone()),
        None => Err(rules.iter().filter(allowing).map(|(scope, _)| scope.clone()).collect()),
    }
}
