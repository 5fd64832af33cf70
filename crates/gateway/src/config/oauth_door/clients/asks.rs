//! What a configured client may ask for.

use protocol::{ProviderId, Scope, ScopeSet};

use crate::config::key::Key;
use crate::config::oauth_door::Surroundings;
use crate::config::reader::{Found, Table};

/// By provider; no scopes mean all of the provider's. `None` where nothing is written.
pub(super) fn read(
    table: &Table<'_>,
    key: &Key,
    surroundings: &Surroundings<'_>,
) -> Option<Vec<(ProviderId, ScopeSet)>> {
    let place = table.written(key)?;
    let texts = table.texts(key);
    if texts.is_empty() {
        place.problem("is empty, so that the client may ask for nothing; name a provider or a scope, or remove it");
    }
    let mut may: Vec<(ProviderId, Vec<Scope>, Reach)> = Vec::new();
    for found in texts.into_iter().filter_map(|text| text.parsed(one)) {
        if !is_known(&found, surroundings) {
            continue;
        }
        let (provider, scope) = found.value;
        let at = may.iter().position(|(known, ..)| *known == provider).unwrap_or_else(|| {
            may.push((provider, Vec::new(), Reach::Named));
            may.len() - 1
        });
        let Some((_, scopes, reach)) = may.get_mut(at) else { continue };
        match scope {
            Some(scope) => scopes.push(scope),
            None => *reach = Reach::All,
        }
    }
    let scopes = |scopes: Vec<Scope>, reach| if reach == Reach::All { Vec::new() } else { scopes };
    Some(
        may.into_iter()
            .map(|(provider, named, reach)| (provider, scopes(named, reach).into_iter().collect()))
            .collect(),
    )
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    Named,
    All,
}

fn is_known(found: &Found<'_, (ProviderId, Option<Scope>)>, surroundings: &Surroundings<'_>) -> bool {
    if !surroundings.complete {
        return true;
    }
    let (id, scope) = &found.value;
    let Some(provider) = surroundings.providers.iter().find(|provider| provider.id == *id) else {
        found.place.problem(format!("names {id}, which is no provider of this file; write the id of one"));
        return false;
    };
    let known = scope.as_ref().is_none_or(|scope| provider.operations.scopes().contains(scope));
    if !known {
        found
            .place
            .problem(format!("is no scope of {id}; write one that its provider.scopes has, or {id} alone for all"));
    }
    known
}

fn one(text: &str) -> Result<(ProviderId, Option<Scope>), &'static str> {
    const FORM: &str =
        "is no provider, nor a provider and its scope; write as in \"helpdesk\" or \"helpdesk:read:tickets\"";
    match text.split_once(':') {
        None => Ok((ProviderId::parse(text).map_err(|_| FORM)?, None)),
        Some((provider, scope)) => {
            Ok((ProviderId::parse(provider).map_err(|_| FORM)?, Some(Scope::parse(scope).map_err(|_| FORM)?)))
        }
    }
}
