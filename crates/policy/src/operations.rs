use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::FixedState;
use http::Method;
use protocol::{Scope, ScopeSet};

use crate::bodies::Bodies;
use crate::index::{Grant, Index};
use crate::methods::Methods;
use crate::path::{CanonicalPath, EncodedSlash, PathError};
use crate::pattern::Rule;
use crate::ruling::{Ruling, Undecided};

/// What a scope means: a sentence for people, and the operations it allows.
#[derive(Debug, Clone)]
pub struct ScopeRule {
    /// As it stands on the consent page: "See your tickets".
    pub says: String,
    /// Without any, the scope can be granted and carries nothing.
    pub rules: Vec<Rule>,
}

/// All that can be asked of one provider, scope by scope, made ready once. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Operations(Arc<Table>);

#[derive(Debug, Default)]
struct Table {
    scopes: ScopeSet,
    /// By number, in the order of the configuration.
    meanings: Vec<(Scope, Box<str>)>,
    numbers: HashMap<Scope, u32, FixedState>,
    index: Index,
    /// Rules that the path alone does not decide.
    bodies: Bodies,
    rules: usize,
    /// Whether any rule speaks of one.
    slash: EncodedSlash,
}

/// Scopes in force, as the operations that they were made for know them: to be kept for as long as they stay the same. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Effective {
    of: Arc<Table>,
    /// Numbers of scopes, in order.
    members: Arc<[u32]>,
    /// Those below 64, as bits.
    low: u64,
}

/// The proof that a granted scope allows one operation. Only [`Operations::decide`] and [`Undecided::judge`] make it.
#[derive(Debug)]
pub struct Permit<'p> {
    method: &'p Method,
    path: CanonicalPath<'p>,
    scope: &'p Scope,
}

/// No granted scope allows the operation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no granted scope allows this operation")]
pub struct Denied {
    wanted: ScopeSet,
}

impl Operations {
    /// From the configuration's table. A scope that stands there twice means what it says first, and allows both.
    #[must_use]
    pub fn new(rules: Vec<(Scope, ScopeRule)>) -> Self {
        let mut table = Table::default();
        let mut numbered = Vec::with_capacity(rules.len());
        for (scope, rule) in rules {
            let free = table.meanings.len();
            let Ok(free) = u32::try_from(free) else { break };
            let number = *table.numbers.entry(scope.clone()).or_insert(free);
            if number == free {
                table.meanings.push((scope, rule.says.into()));
            }
            table.rules += rule.rules.len();
            if rule.rules.iter().any(Rule::joins) {
                table.slash = EncodedSlash::InSegments;
            }
            numbered.push((number, rule.rules));
        }
        let each = numbered.iter().flat_map(|(number, rules)| rules.iter().map(|rule| (*number, rule)));
        let beside: Vec<(u32, Rule)> =
            each.clone().filter_map(|(number, rule)| Some((number, rule.beside()?))).collect();
        let beside = beside.iter().map(|(number, rule)| (*number, rule));
        table.index = Index::new(each.clone().filter(|(_, rule)| rule.body().is_none()).chain(beside));
        table.bodies = Bodies::new(each.filter_map(|(number, rule)| Some((number, rule, rule.body()?))));
        table.scopes = table.meanings.iter().map(|(scope, _)| scope.clone()).collect();
        Self(Arc::new(table))
    }

    /// Every scope that an agent may ask for.
    #[must_use]
    pub fn scopes(&self) -> &ScopeSet {
        &self.0.scopes
    }

    /// What a scope means, in words.
    #[must_use]
    pub fn says(&self, scope: &Scope) -> Option<&str> {
        let number = self.0.numbers.get(scope)?;
        self.0.meanings.get(*number as usize).map(|(_, says)| &**says)
    }

    /// Whether nothing at all can be forwarded.
    #[must_use]
    pub fn is_unmapped(&self) -> bool {
        self.0.rules == 0
    }

    /// Prepares the scopes of a caller; those that are not known here allow nothing.
    #[must_use]
    pub fn effective(&self, scopes: &ScopeSet) -> Effective {
        let mut members: Vec<u32> = scopes.iter().filter_map(|scope| self.0.numbers.get(scope).copied()).collect();
        members.sort_unstable();
        let low = members.iter().take_while(|number| **number < u64::BITS).fold(0, |bits, number| bits | 1 << number);
        Effective { of: self.0.clone(), members: members.into(), low }
    }

    /// Reads a path as these operations take it: an encoded slash is refused where no rule speaks of one.
    pub fn path<'p>(&self, raw: &'p str) -> Result<CanonicalPath<'p>, PathError> {
        CanonicalPath::parse_with(raw, self.0.slash)
    }

    /// Allows an operation if some scope of `effective` has a rule for it; default deny, scopes made for other operations too. Where
    /// only rules could allow it that look into the body, that has to be read first.
    pub fn decide<'p>(
        &'p self,
        effective: &Effective,
        method: &'p Method,
        path: CanonicalPath<'p>,
    ) -> Result<Ruling<'p>, Denied> {
        let wanted = Methods::of(method);
        let mut first: Option<u32> = None;
        let known = Arc::ptr_eq(&effective.of, &self.0);
        if known {
            self.0.index.find(path, |grants| {
                let found = effective.first(grants, wanted);
                first = first.into_iter().chain(found).min();
            });
        }
        match first.and_then(|number| self.scope(number)) {
            Some(scope) => Ok(Ruling::Permitted(Permit { method, path, scope })),
            None if known => self.undecided(effective, method, path),
            None => Err(self.denied(wanted, path)),
        }
    }

    /// The same for who reads no bodies: what needs one is denied.
    pub fn permit<'p>(
        &'p self,
        effective: &Effective,
        method: &'p Method,
        path: CanonicalPath<'p>,
    ) -> Result<Permit<'p>, Denied> {
        match self.decide(effective, method, path)? {
            Ruling::Permitted(permit) => Ok(permit),
            Ruling::Unread(undecided) => Err(undecided.unread()),
        }
    }

    #[cold]
    fn undecided<'p>(
        &'p self,
        effective: &Effective,
        method: &'p Method,
        path: CanonicalPath<'p>,
    ) -> Result<Ruling<'p>, Denied> {
        let rules = self.0.bodies.find(path, Methods::of(method));
        if rules.is_empty() {
            return Err(self.denied(Methods::of(method), path));
        }
        Ok(Ruling::Unread(Undecided::new(self, effective, (method, path), rules)))
    }

    pub(crate) fn scope(&self, number: u32) -> Option<&Scope> {
        self.0.meanings.get(number as usize).map(|(scope, _)| scope)
    }

    #[cold]
    pub(crate) fn denied(&self, method: Methods, path: CanonicalPath<'_>) -> Denied {
        let mut wanted = Vec::new();
        self.0.index.find(path, |grants| {
            let allowing = grants.iter().filter(|grant| grant.methods.share(method));
            wanted.extend(allowing.filter_map(|grant| self.scope(grant.scope)).cloned());
        });
        Denied { wanted: wanted.into() }
    }
}

impl Effective {
    pub(crate) fn holds(&self, scope: u32) -> bool {
        if scope < u64::BITS { self.low >> scope & 1 == 1 } else { self.members.binary_search(&scope).is_ok() }
    }

    /// The first of `grants` that these scopes hold, for one of `methods`. What is searched is the shorter of the two.
    fn first(&self, grants: &[Grant], methods: Methods) -> Option<u32> {
        if grants.len() <= FEW.max(self.members.len()) {
            let held = grants.iter().find(|grant| grant.methods.share(methods) && self.holds(grant.scope));
            return held.map(|grant| grant.scope);
        }
        self.members.iter().copied().find(|number| {
            let at = grants.binary_search_by_key(number, |grant| grant.scope).ok();
            at.and_then(|at| grants.get(at)).is_some_and(|grant| grant.methods.share(methods))
        })
    }
}

impl<'p> Permit<'p> {
    pub(crate) fn new((method, path): (&'p Method, CanonicalPath<'p>), scope: &'p Scope) -> Self {
        Self { method, path, scope }
    }

    /// What to send.
    #[must_use]
    pub fn method(&self) -> &'p Method {
        self.method
    }

    /// Where to send it, below the API's base.
    #[must_use]
    pub fn path(&self) -> CanonicalPath<'p> {
        self.path
    }

    /// The scope that allowed it.
    #[must_use]
    pub fn scope(&self) -> &'p Scope {
        self.scope
    }
}

impl Denied {
    /// With these scopes besides.
    pub(crate) fn or(self, scopes: impl Iterator<Item = Scope>) -> Self {
        Self { wanted: self.wanted.iter().cloned().chain(scopes).collect() }
    }

    /// The scopes that would have allowed it; none where the operation is not mapped at all.
    #[must_use]
    pub fn wanted(&self) -> &ScopeSet {
        &self.wanted
    }
}

/// As many are looked at one by one, faster than by halving.
const FEW: usize = 16;

#[cfg(test)]
#[path = "operations_tests.rs"]
mod tests;
