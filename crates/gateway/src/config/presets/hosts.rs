//! Half of a preset moved to another host would send tokens of the one half to the other.

use std::collections::BTreeMap;

use catalogue::Preset;
use toml::de::DeTable;
use url::Url;

use crate::config::reader::Place;

/// Reports a URL that the operator writes for a host that is none of the preset's, while other URLs of the preset stay in force.
pub(super) fn check(table: &DeTable<'_>, beneath: &DeTable<'_>, known: &Known<'_>, place: &Place<'_>) {
    let (ours, set) = (urls(table), urls(known.preset.template()));
    let set = |key: &str| set.iter().any(|(name, ..)| name == key);
    let moved = ours.iter().filter(|(key, _, url)| set(key) && !known.has(key, url));
    let Some((key, offset, _)) = moved.min_by_key(|(_, offset, _)| *offset) else { return };
    let written = |key: &str| ours.iter().any(|(ours, ..)| ours == key);
    let left: Vec<String> = urls(beneath).into_iter().map(|(key, ..)| key).filter(|key| !written(key)).collect();
    if left.is_empty() {
        return;
    }
    place.below_path(key, *offset).problem(format!(
        "leads to another host than those of the preset {} ({}), and tokens of the one would go to the other; write these for the new host, too: {}; or \
         leave them out with `without`, or see whether the preset has a value for the host",
        known.preset.name(),
        known.hosts().collect::<Vec<_>>().join(", "),
        left.join(", ")
    ));
}

/// The hosts of a preset, as its values make them.
pub(super) struct Known<'p> {
    pub(super) preset: &'p Preset,
    pub(super) values: &'p BTreeMap<&'p str, &'p str>,
}

impl Known<'_> {
    fn hosts(&self) -> impl Iterator<Item = String> {
        self.preset.about().hosts.iter().map(|host| {
            self.values.iter().fold(host.clone(), |host, (name, value)| host.replace(&format!("{{{name}}}"), value))
        })
    }

    /// An API may be on a neighbour of a host that the preset names itself, as Google's are; where a host begins with a value or is a pattern,
    /// its neighbours are other people's.
    fn has(&self, key: &str, text: &str) -> bool {
        // What is no URL is reported where it is read.
        let Ok(url) = Url::parse(text) else { return true };
        let named = self.preset.about().hosts.iter().zip(self.hosts());
        let mut named = named.filter_map(|(written, host)| Some((written, origin(&host)?)));
        named.any(|(written, theirs)| {
            let neighbour = key == "api_base" && !written.starts_with(['{', '*']) && url.port().is_none();
            let (Some(host), Some(known)) = (url.host_str(), theirs.host_str()) else { return false };
            theirs.origin() == url.origin()
                || written.starts_with("*.") && url.port().is_none() && host.ends_with(&format!(".{known}"))
                || neighbour && host.ends_with(&format!(".{}", domain(known)))
        })
    }
}

/// Of a pattern, that of what stands behind the star.
fn origin(host: &str) -> Option<Url> {
    let host = host.trim_start_matches("*.");
    Url::parse(&if host.contains("://") { host.to_owned() } else { format!("https://{host}") }).ok()
}

/// What somebody registered, as far as that can be told without a list: two labels, and three below `com.au` and the like.
fn domain(host: &str) -> &str {
    let ends: Vec<usize> = host.rmatch_indices('.').map(|(at, _)| at).collect();
    let from = |count: usize| ends.get(count).and_then(|at| host.get(at + 1..)).unwrap_or(host);
    let labels: Vec<&str> = from(1).split('.').collect();
    match labels.as_slice() {
        [second, top] if top.len() == 2 && second.len() <= 3 => from(2),
        _ => from(1),
    }
}

/// Every URL of a provider, with its path of keys and its offset.
fn urls(table: &DeTable<'_>) -> Vec<(String, usize, String)> {
    let oauth = table.get("oauth").and_then(|oauth| oauth.get_ref().as_table());
    let of = |table: &DeTable<'_>, above: &str| {
        let named = |name: &str| name.ends_with("_endpoint") || matches!(name, "api_base" | "issuer");
        let found = table.iter().filter(|(key, _)| named(key.get_ref()));
        let found = found.filter_map(|(key, value)| {
            Some((format!("{above}{}", key.get_ref()), value.span().start, value.get_ref().as_str()?.to_owned()))
        });
        found.collect::<Vec<_>>()
    };
    let mut urls = of(table, "");
    urls.extend(oauth.into_iter().flat_map(|oauth| of(oauth, "oauth.")));
    urls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_registered() {
        for (host, expected) in [
            ("www.googleapis.com", "googleapis.com"),
            ("oauth.platform.intuit.com", "intuit.com"),
            ("github.com", "github.com"),
            ("accounts.zoho.com.au", "zoho.com.au"),
            ("api.zoom.us", "zoom.us"),
        ] {
            assert_eq!(domain(host), expected);
        }
    }
}
