use http::Method;
use protocol::{Scope, ScopeSet};

use crate::path::CanonicalPath;
use crate::pattern::Rule;

/// What a scope means: a sentence for people, and the operations it allows.
#[derive(Debug, Clone)]
pub struct ScopeRule {
    /// As it stands on the consent page: "See your tickets".
    pub says: String,
    /// Without any, the scope can be granted and carries nothing.
    pub rules: Vec<Rule>,
}

/// All that can be asked of one provider, scope by scope.
#[derive(Debug, Clone, Default)]
pub struct Operations {
    scopes: ScopeSet,
    rules: Vec<(Scope, ScopeRule)>,
}

/// The proof that a granted scope allows one operation. Only [`Operations::permit`] makes it.
#[derive(Debug)]
pub struct Permit {
    method: Method,
    path: CanonicalPath,
    scope: Scope,
}

/// No granted scope allows the operation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no granted scope allows this operation")]
pub struct Denied {
    wanted: ScopeSet,
}

impl Operations {
    /// From the configuration's table.
    #[must_use]
    pub fn new(rules: Vec<(Scope, ScopeRule)>) -> Self {
        Self { scopes: rules.iter().map(|(scope, _)| scope.clone()).collect(), rules }
    }

    /// Every scope that an agent may ask for.
    #[must_use]
    pub fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// What a scope means, in words.
    #[must_use]
    pub fn says(&self, scope: &Scope) -> Option<&str> {
        self.rules.iter().find(|(known, _)| known == scope).map(|(_, rule)| rule.says.as_str())
    }

    /// Whether nothing at all can be forwarded.
    #[must_use]
    pub fn is_unmapped(&self) -> bool {
        self.rules.iter().all(|(_, rule)| rule.rules.is_empty())
    }

    /// Allows an operation if some scope of `effective` has a rule for it; default deny.
    pub fn permit(&self, effective: &ScopeSet, method: &Method, path: CanonicalPath) -> Result<Permit, Denied> {
        let allowing = |(_, rule): &&(Scope, ScopeRule)| rule.rules.iter().any(|rule| rule.allows(method, &path));
        let granted = self.rules.iter().filter(|(scope, _)| effective.contains(scope)).find(allowing);
        match granted {
            Some((scope, _)) => Ok(Permit { scope: scope.clone(), method: method.clone(), path }),
            None => {
                Err(Denied { wanted: self.rules.iter().filter(allowing).map(|(scope, _)| scope.clone()).collect() })
            }
        }
    }
}

impl Permit {
    /// What to send.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Where to send it, below the API's base.
    #[must_use]
    pub fn path(&self) -> &CanonicalPath {
        &self.path
    }

    /// The scope that allowed it.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }
}

impl Denied {
    /// The scopes that would have allowed it; none where the operation is not mapped at all.
    #[must_use]
    pub fn wanted(&self) -> &ScopeSet {
        &self.wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operations() -> Operations {
        let rule = |scope: &str, says: &str, rules: &[&str]| {
            let rules = rules.iter().map(|rule| Rule::parse(rule).expect("a rule")).collect();
            (Scope::parse(scope).expect("a scope"), ScopeRule { says: says.to_owned(), rules })
        };
        Operations::new(vec![
            rule("read:tickets", "See your tickets", &["GET /tickets", "GET /tickets/*"]),
            rule("write:tickets", "Open and change tickets", &["POST /tickets", "PATCH /tickets/*"]),
            rule("empty", "Nothing", &[]),
        ])
    }

    fn path(raw: &str) -> CanonicalPath {
        CanonicalPath::parse(raw).expect("a canonical path")
    }

    #[test]
    fn a_permit_says_what_and_by_which_scope() {
        let effective = ScopeSet::from_list("read:tickets");
        let permit = operations().permit(&effective, &Method::GET, path("/tickets/7")).expect("allowed");
        assert_eq!(
            (permit.method(), permit.path().as_str(), permit.scope().as_str()),
            (&Method::GET, "/tickets/7", "read:tickets")
        );
    }

    #[test]
    fn what_no_granted_scope_allows_is_denied_with_the_scope_it_wants() {
        let effective = ScopeSet::from_list("read:tickets empty");
        let denied = operations().permit(&effective, &Method::POST, path("/tickets")).expect_err("denied");
        assert_eq!(denied.wanted().to_string(), "write:tickets");
        let denied = operations().permit(&effective, &Method::GET, path("/admin")).expect_err("denied");
        assert!(denied.wanted().is_empty());
        assert!(operations().permit(&ScopeSet::default(), &Method::GET, path("/tickets")).is_err());
    }
}
