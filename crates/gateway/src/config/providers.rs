use std::collections::HashMap;
use std::collections::hash_map::Entry;

use protocol::ProviderId;

use super::provider::{self, ProviderConfig, SignedInAt, Surroundings};
use super::reader::{Found, Place, Table};

/// Every provider, and what can only be said of all of them.
pub(super) fn read(root: &Table<'_>, tables: &[Table<'_>], surroundings: &Surroundings) -> Vec<ProviderConfig> {
    if tables.is_empty() && root.written(&super::PROVIDER).is_none() {
        root.place().warning("no provider is configured, so there is nothing to forward to; add [[provider]]");
    }
    let sharing: Vec<_> = tables.iter().filter(|table| provider::shares_the_callback(table)).collect();
    if sharing.len() > 1 {
        sharing.into_iter().for_each(provider::warn_of_issuer);
    }
    if tables.len() > 1
        && matches!(surroundings.sign_in, SignedInAt::Provider)
        && root.written(&super::SIGN_IN).is_none()
    {
        root.place().warning(ONLY_BROWSERS);
    }
    let providers: Vec<_> = tables.iter().map(|table| provider::read(table, surroundings)).collect();
    unique(providers.iter().filter_map(|provider| provider.id.as_ref()), ProviderId::as_str);
    unique(providers.iter().filter_map(|provider| provider.host.as_ref()), String::as_str);
    apart(providers.iter().filter_map(|provider| provider.path_prefix.as_ref()));
    providers.into_iter().filter_map(provider::Partial::complete).collect()
}

/// Reports what stands somewhere before.
fn unique<'f, 'c: 'f, T: 'f>(found: impl Iterator<Item = &'f Found<'c, T>>, text: impl Fn(&T) -> &str) {
    let mut before: HashMap<&str, &Place<'c>> = HashMap::new();
    for one in found {
        match before.entry(text(&one.value)) {
            Entry::Occupied(other) => clash(&one.place, other.get()),
            Entry::Vacant(free) => drop(free.insert(&one.place)),
        }
    }
}

/// Reports paths that are one of those before, or lie below one, or above.
fn apart<'f, 'c: 'f>(found: impl Iterator<Item = &'f Found<'c, String>>) {
    // The first that is this path; the first that is this path or lies below it.
    let mut paths: HashMap<&str, (usize, &Place<'c>)> = HashMap::new();
    let mut above: HashMap<&str, (usize, &Place<'c>)> = HashMap::new();
    for (number, one) in found.enumerate() {
        let before = ways_up(&one.value).filter_map(|path| paths.get(path)).chain(above.get(one.value.as_str()));
        if let Some((_, other)) = before.min_by_key(|(number, _)| *number) {
            clash(&one.place, other);
        }
        paths.entry(one.value.as_str()).or_insert((number, &one.place));
        for path in ways_up(&one.value) {
            above.entry(path).or_insert((number, &one.place));
        }
    }
}

/// A path, and every one that it lies below.
fn ways_up(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| path.rsplit_once('/').map(|(up, _)| up).filter(|up| !up.is_empty()))
}

fn clash(one: &Place<'_>, other: &Place<'_>) {
    one.problem(format!("clashes with the one of line {}; choose another", other.line()));
}

const ONLY_BROWSERS: &str = "there are several providers and no [sign_in]: people are known by what one provider says of them, and by their browser; add \
                             [sign_in] so that people sign in at the gateway, or write `kind = \"provider\"` there if that is wanted";
