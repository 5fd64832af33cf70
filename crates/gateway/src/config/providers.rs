use super::provider::{self, ProviderConfig, SignedInAt, Surroundings};
use super::reader::{Found, Table};

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
    unique(providers.iter().filter_map(|provider| provider.id.as_ref()), |one, other| one == other);
    unique(providers.iter().filter_map(|provider| provider.host.as_ref()), |one, other| one == other);
    unique(providers.iter().filter_map(|provider| provider.path_prefix.as_ref()), |one, other| {
        within(one, other) || within(other, one)
    });
    providers.into_iter().filter_map(provider::Partial::complete).collect()
}

/// Reports what clashes with something that stands before it.
fn unique<'f, 'c: 'f, T: 'f>(found: impl Iterator<Item = &'f Found<'c, T>>, clashes: impl Fn(&T, &T) -> bool) {
    let mut before: Vec<&Found<'c, T>> = Vec::new();
    for one in found {
        if let Some(other) = before.iter().find(|other| clashes(&one.value, &other.value)) {
            one.place.problem(format!("clashes with the one of line {}; choose another", other.place.line()));
        }
        before.push(one);
    }
}

/// Whether `path` is `prefix` or below it.
fn within(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

const ONLY_BROWSERS: &str = "there are several providers and no [sign_in]: people are known by what one provider says of them, and by their browser; add \
                             [sign_in] so that people sign in at the gateway, or write `kind = \"provider\"` there if that is wanted";
