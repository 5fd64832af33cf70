//! What a request's `scope` and `resource` (RFC 8707) come to.

use protocol::{ProviderId, Scope, ScopeSet};

use super::FrontError;
use crate::{Broker, Provider};

/// What a client asks for, in the gateway's terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) provider: ProviderId,
    /// What tokens will be for, as the client wrote it, or the provider's first entrance.
    pub(crate) resource: String,
    pub(crate) scopes: ScopeSet,
    /// The words that are none of the provider's scopes: its own name, qualified scopes, `openid`.
    pub(crate) words: Vec<String>,
}

/// The words of a `scope` parameter (RFC 6749 §3.3).
struct Words<'a>(Vec<&'a str>);

impl<'a> Words<'a> {
    fn read(scope: Option<&'a str>) -> Result<Self, FrontError> {
        let words: Vec<&str> = scope.unwrap_or_default().split(' ').filter(|word| !word.is_empty()).collect();
        if words.len() > MOST_WORDS || words.iter().any(|word| Scope::parse(word).is_err()) {
            return Err(FrontError::Scope);
        }
        Ok(Self(words))
    }
}

impl Broker {
    /// What `scope` and `resource` come to. The resource names the provider; without one the scopes do, or there is only one. Without
    /// scopes it is everything that the provider offers.
    pub(crate) fn wish(&self, scope: Option<&str>, resources: &[String]) -> Result<Wish, FrontError> {
        let words = Words::read(scope)?;
        let resource = self.named_by(resources)?;
        let provider = match resource {
            Named::Provider(provider) => provider,
            Named::Nothing => self.provider_meant(&words)?,
            // The person comes by one service first, whose account says who they are.
            Named::EveryService => self.provider_meant(&words).map_err(|_| FrontError::ServiceNotChosen)?,
        };
        let written =
            resources.first().cloned().or_else(|| self.resources(provider).into_iter().next()).unwrap_or_default();
        let offered = provider.operations.scopes();
        let (mut scopes, mut kept) = (Vec::new(), Vec::new());
        for word in &words.0 {
            let named = Scope::parse(word).ok().filter(|scope| offered.contains(scope));
            match (named, qualified(provider, word)) {
                (Some(scope), _) => scopes.push(scope),
                (None, Some(Qualified::Whole)) => {
                    scopes.extend(offered.iter().cloned());
                    kept.push((*word).to_owned());
                }
                (None, Some(Qualified::One(scope))) if offered.contains(&scope) => {
                    scopes.push(scope);
                    kept.push((*word).to_owned());
                }
                (None, _) if *word == OPENID => kept.push(OPENID.to_owned()),
                (None, _) if OF_OPENID.contains(word) => {}
                (None, _) if matches!(resource, Named::EveryService) && self.is_another_service(word) => {}
                (None, _) => return Err(FrontError::Scope),
            }
        }
        let mut scopes: ScopeSet = scopes.into_iter().collect();
        if scopes.is_empty() {
            // Who wants to know the person, and names nothing that the provider has, wants nothing of the provider.
            if !words.0.is_empty() && resources.is_empty() {
                return Err(FrontError::Scope);
            }
            scopes = offered.clone();
        }
        kept.sort_unstable();
        kept.dedup();
        Ok(Wish { provider: provider.id.clone(), resource: written, scopes, words: kept })
    }

    /// The `scope` of an answer: the client's own words as far as they still hold, and the provider's scopes. The provider's id stands there
    /// only where everything is granted that it stands for.
    pub(crate) fn written(&self, provider: &ProviderId, words: &[String], scopes: &ScopeSet) -> String {
        let offered = self.provider(provider).map(|provider| provider.operations.scopes().clone()).unwrap_or_default();
        let holds = |word: &&String| match word.strip_prefix(provider.as_str()) {
            Some("") => offered.is_subset(scopes),
            Some(rest) => {
                let scope = rest.strip_prefix(':').and_then(|scope| Scope::parse(scope).ok());
                scope.is_none_or(|scope| scopes.contains(&scope))
            }
            None => true,
        };
        let words = words.iter().filter(holds).map(String::as_str);
        words.chain(scopes.iter().map(Scope::as_str)).collect::<Vec<_>>().join(" ")
    }

    /// Whether every resource is one that tokens for `granted` are good for.
    pub(crate) fn are_of(
        &self,
        resources: &[String],
        (provider, granted): (&ProviderId, &str),
    ) -> Result<(), FrontError> {
        match self.named_by(resources)? {
            Named::Provider(named) if named.id != *provider || self.is_every_service(granted) => {
                Err(FrontError::Target)
            }
            Named::EveryService if !self.is_every_service(granted) => Err(FrontError::Target),
            _ => Ok(()),
        }
    }

    /// What all of the resources are of.
    fn named_by(&self, resources: &[String]) -> Result<Named<'_>, FrontError> {
        let Some(first) = resources.first() else { return Ok(Named::Nothing) };
        if self.is_every_service(first) {
            let all = resources.iter().all(|resource| self.is_every_service(resource));
            return if all { Ok(Named::EveryService) } else { Err(FrontError::Target) };
        }
        let first = self.provider_at_resource(first).ok_or(FrontError::Target)?;
        let is_first = |resource: &String| self.provider_at_resource(resource).is_some_and(|it| it.id == first.id);
        if resources.iter().all(is_first) { Ok(Named::Provider(first)) } else { Err(FrontError::Target) }
    }

    fn is_another_service(&self, word: &str) -> bool {
        let id = word.split_once(':').map_or(word, |(id, _)| id);
        ProviderId::parse(id).is_ok_and(|id| self.provider(&id).is_ok())
    }

    /// The provider that scopes name: by its id, alone or before a colon; or the only one that there is.
    fn provider_meant(&self, words: &Words<'_>) -> Result<&Provider, FrontError> {
        if let Some(only) = self.providers.only() {
            return Ok(only);
        }
        let mut named = words.0.iter().filter_map(|word| {
            let id = word.split_once(':').map_or(*word, |(id, _)| id);
            self.provider(&ProviderId::parse(id).ok()?).ok()
        });
        let first = named.next().ok_or(FrontError::Target)?;
        if named.any(|other| other.id != first.id) { Err(FrontError::Target) } else { Ok(first) }
    }
}

/// What resources are of.
#[derive(Clone, Copy)]
enum Named<'b> {
    Nothing,
    Provider(&'b Provider),
    /// The door for MCP clients to all of them.
    EveryService,
}

/// What a word that begins with the provider's id stands for.
enum Qualified {
    Whole,
    One(Scope),
}

fn qualified(provider: &Provider, word: &str) -> Option<Qualified> {
    let rest = word.strip_prefix(provider.id.as_str())?;
    match rest.strip_prefix(':') {
        Some(scope) => Scope::parse(scope).ok().map(Qualified::One),
        None if rest.is_empty() => Some(Qualified::Whole),
        None => None,
    }
}

/// Whether a word is OpenID's, and none of any provider's.
pub(crate) fn is_of_openid(word: &str) -> bool {
    word.is_empty() || word == OPENID || OF_OPENID.contains(&word)
}

/// Whether an ID token is asked for (OpenID Connect Core §3.1.2.1).
pub(crate) const OPENID: &str = "openid";
/// OpenID's further scopes: a client that asks for them gets on without.
const OF_OPENID: [&str; 5] = ["offline_access", "profile", "email", "address", "phone"];
const MOST_WORDS: usize = 256;
