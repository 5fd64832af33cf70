//! Half of a preset moved to another host would send tokens of the one half to the other.

use toml::de::DeTable;
use url::Url;

use crate::config::reader::Place;

/// Reports a URL that the operator writes for another host than the preset has it for, while other URLs of the preset stay on that host.
pub(super) fn check(table: &DeTable<'_>, preset: &DeTable<'_>, place: &Place<'_>) {
    let ours = urls(table);
    let presets = urls(preset);
    for (key, offset, url) in &ours {
        let Some((_, _, moved)) = presets.iter().find(|(theirs, ..)| theirs == key) else { continue };
        if origin(url) == origin(moved) {
            continue;
        }
        let written = |key: &str| ours.iter().any(|(ours, ..)| ours == key);
        let left = presets.iter().filter(|(key, _, url)| origin(url) == origin(moved) && !written(key));
        let left: Vec<&str> = left.map(|(key, ..)| key.as_str()).collect();
        if let (false, Some(host)) = (left.is_empty(), Url::parse(moved).ok().as_ref().and_then(Url::host_str)) {
            place.below_path(key, *offset).problem(format!(
                "leads to another host, and the preset leaves these on {host}: {}; write those here too, leave them out with `without`, or see whether \
                 the preset has a value for the host",
                left.join(", ")
            ));
        }
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

fn origin(url: &str) -> Option<url::Origin> {
    Url::parse(url).ok().map(|url| url.origin())
}
