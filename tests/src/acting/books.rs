use std::collections::BTreeMap;

use crate::{CANARY, Reply};

/// What an acting provider has issued, and what it saw.
pub(crate) struct Books {
    name: &'static str,
    number: u64,
    pub(crate) later: u64,
    pub(crate) secret: Option<&'static str>,
    pub(crate) person: (String, String),
    pub(crate) odd: Option<&'static str>,
    pub(crate) cookies: Vec<String>,
    pub(crate) spoils_next_challenge: bool,
    /// What stands in the place of an answer, by path.
    pub(crate) instead: BTreeMap<String, Reply>,
    pub(crate) pending: BTreeMap<String, Asked>,
    pub(crate) codes: BTreeMap<String, Code>,
    grants: Vec<Grant>,
    access: BTreeMap<String, Access>,
    refresh: BTreeMap<String, Kept>,
    pub(crate) refusals: Vec<String>,
    pub(crate) presentations: Vec<Presentation>,
    pub(crate) calls: Vec<Call>,
    pub(crate) given_back: usize,
}

/// An authorization request that a person looks at.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) state: String,
    pub(crate) challenge: Option<String>,
    pub(crate) nonce: Option<String>,
    pub(crate) scopes: Vec<String>,
}

impl Asked {
    /// As if the challenge had been lost on the way.
    pub(crate) fn with_another_challenge(self) -> Self {
        Self { challenge: Some("another".to_owned()), ..self }
    }
}

pub(crate) struct Code {
    pub(crate) asked: Asked,
    pub(crate) issued: u64,
    /// The grant that came of it.
    pub(crate) used: Option<usize>,
}

struct Grant {
    alive: bool,
    pub(crate) scopes: Vec<String>,
    id: String,
    name: String,
}

struct Access {
    grant: usize,
    ends: Option<u64>,
}

struct Kept {
    grant: usize,
    used: bool,
}

/// A refresh that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presentation {
    /// Tokens were issued.
    Renewed,
    /// It had been used before, and ended the grant.
    Reused,
    /// It was void.
    Void,
}

/// A call of the API.
#[derive(Debug, Clone)]
pub struct Call {
    /// The account whose token it had.
    pub id: String,
    /// The path and query.
    pub target: String,
}

/// Whose a token is.
pub(crate) struct Holder {
    pub(crate) grant: usize,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) scopes: Vec<String>,
}

impl Books {
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            number: 0,
            later: 0,
            secret: None,
            person: ("4711".to_owned(), "alice@acme.test".to_owned()),
            odd: None,
            cookies: Vec::new(),
            spoils_next_challenge: false,
            instead: BTreeMap::new(),
            pending: BTreeMap::new(),
            codes: BTreeMap::new(),
            grants: Vec::new(),
            access: BTreeMap::new(),
            refresh: BTreeMap::new(),
            refusals: Vec::new(),
            presentations: Vec::new(),
            calls: Vec::new(),
            given_back: 0,
        }
    }

    pub(crate) fn now(&self) -> u64 {
        crate::now() + self.later
    }

    /// Another word that begins so.
    pub(crate) fn word(&mut self, begins: &str) -> String {
        self.number += 1;
        format!("{begins}{}-{:06}-6b7e1c0fd2a94853", self.name, self.number)
    }

    pub(crate) fn grant(&mut self, scopes: &[String]) -> usize {
        let (id, name) = self.person.clone();
        self.grants.push(Grant { alive: true, scopes: scopes.to_vec(), id, name });
        self.grants.len() - 1
    }

    pub(crate) fn issue_access(&mut self, grant: usize, lifetime: Option<u64>) -> String {
        let token = self.word(&format!("{CANARY}at-"));
        let ends = lifetime.map(|lifetime| self.now() + lifetime);
        self.access.insert(token.clone(), Access { grant, ends });
        token
    }

    pub(crate) fn issue_refresh(&mut self, grant: usize) -> String {
        let token = self.word(&format!("{CANARY}rt-"));
        self.refresh.insert(token.clone(), Kept { grant, used: false });
        token
    }

    /// Whose access token it is, if it is good.
    pub(crate) fn holder(&self, access: &str) -> Option<Holder> {
        let found = self.access.get(access).filter(|found| found.ends.is_none_or(|ends| self.now() < ends))?;
        self.holds(found.grant)
    }

    pub(crate) fn holds(&self, grant: usize) -> Option<Holder> {
        let found = self.grants.get(grant).filter(|found| found.alive)?;
        Some(Holder { grant, id: found.id.clone(), name: found.name.clone(), scopes: found.scopes.clone() })
    }

    /// Takes a refresh token that is good for one use, or for many.
    pub(crate) fn present(&mut self, refresh: &str, once: bool) -> Result<Holder, Presentation> {
        let found = self.refresh.get_mut(refresh).ok_or(Presentation::Void)?;
        let grant = found.grant;
        if once && std::mem::replace(&mut found.used, true) {
            self.end(grant);
            return Err(Presentation::Reused);
        }
        self.holds(grant).ok_or(Presentation::Void)
    }

    pub(crate) fn end(&mut self, grant: usize) {
        self.grants[grant].alive = false;
    }

    /// The grant of a token that is given back, if it is one.
    pub(crate) fn grant_of_access(&self, token: &str) -> Option<usize> {
        self.access.get(token).map(|found| found.grant)
    }

    pub(crate) fn grant_of_refresh(&self, token: &str) -> Option<usize> {
        self.refresh.get(token).map(|found| found.grant)
    }

    pub(crate) fn live_grants(&self) -> usize {
        self.grants.iter().filter(|grant| grant.alive).count()
    }

    pub(crate) fn expire_all(&mut self) {
        for access in self.access.values_mut() {
            access.ends = Some(0);
        }
    }

    pub(crate) fn end_all(&mut self) {
        for grant in &mut self.grants {
            grant.alive = false;
        }
    }
}
