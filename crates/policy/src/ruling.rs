use http::Method;
use protocol::Scope;

use crate::content::{BodyRule, Content, Reading};
use crate::methods::Methods;
use crate::operations::{Denied, Effective, Operations, Permit};
use crate::path::CanonicalPath;

/// What method and path decide of an operation.
#[derive(Debug)]
pub enum Ruling<'p> {
    /// A granted scope allows it, whatever is in its body.
    Permitted(Permit<'p>),
    /// Its body has to be read.
    Unread(Undecided<'p>),
}

/// An operation that is allowed or not by what its body asks for.
#[derive(Debug)]
pub struct Undecided<'p> {
    operations: &'p Operations,
    effective: Effective,
    method: &'p Method,
    path: CanonicalPath<'p>,
    /// Those of all scopes, each with the number of its scope, in the order of scopes: who lacks a scope is told which.
    rules: Vec<(u32, &'p BodyRule)>,
}

impl<'p> Undecided<'p> {
    pub(crate) fn new(
        operations: &'p Operations,
        effective: &Effective,
        (method, path): (&'p Method, CanonicalPath<'p>),
        rules: Vec<(u32, &'p BodyRule)>,
    ) -> Self {
        Self { operations, effective: effective.clone(), method, path, rules }
    }

    /// In which ways the body is to be read.
    #[must_use]
    pub fn wants(&self) -> Reading {
        self.rules.iter().fold(Reading::default(), |reading, (_, rule)| reading.and(rule.reading()))
    }

    /// Allows it if the rules of one scope in force allow all of the content.
    pub fn judge(&self, content: &Content) -> Result<Permit<'p>, Denied> {
        let mut allowing = self.by_scope().filter(|(_, rules)| content.is_allowed(rules.iter().map(|(_, rule)| *rule)));
        let granted = allowing.clone().find(|(scope, _)| self.effective.holds(*scope));
        match granted.and_then(|(scope, _)| self.operations.scope(scope)) {
            Some(scope) => Ok(Permit::new((self.method, self.path), scope)),
            None => Err(self.denied(allowing.by_ref().map(|(scope, _)| scope))),
        }
    }

    /// The denial of whoever cannot have the body read: any of these scopes could allow it.
    pub(crate) fn unread(&self) -> Denied {
        self.denied(self.by_scope().map(|(scope, _)| scope))
    }

    fn by_scope(&self) -> impl Iterator<Item = (u32, &[(u32, &'p BodyRule)])> + Clone {
        let scopes = self.rules.chunk_by(|(one, _), (other, _)| one == other);
        scopes.filter_map(|rules| Some((rules.first()?.0, rules)))
    }

    /// Scopes that allow it whatever is in the body count, too.
    fn denied(&self, scopes: impl Iterator<Item = u32>) -> Denied {
        let scopes = scopes.filter_map(|scope| self.operations.scope(scope)).map(Scope::clone);
        self.operations.denied(Methods::of(self.method), self.path).or(scopes)
    }
}

#[cfg(test)]
#[path = "ruling_tests.rs"]
mod tests;
