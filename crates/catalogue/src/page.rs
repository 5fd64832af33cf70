//! The catalogue as a page: docs/providers.md.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use toml::de::{DeTable, DeValue};

use crate::{CatalogueError, Preset, find, names};

/// The page in Markdown, made of the presets alone.
pub fn page() -> Result<String, CatalogueError> {
    let presets = names().map(find).collect::<Result<Vec<_>, _>>()?;
    let mut text = String::from(HEAD);
    let mut needed: BTreeMap<String, Vec<(&str, String)>> = BTreeMap::new();
    for preset in &presets {
        row(preset, &mut text);
        for (key, value) in keys(preset) {
            needed.entry(key).or_default().push((preset.name(), value));
        }
    }
    text.push_str(KEYS);
    for (key, providers) in &needed {
        let Some((first, value)) = providers.first() else { continue };
        let others: Vec<&str> = providers.iter().skip(1).take(4).map(|(name, _)| *name).collect();
        let more = providers.len().saturating_sub(5);
        let mut others = others.join(", ");
        if more > 0 {
            // Writing to a string does not fail.
            let _ = write!(others, ", and {more} more");
        }
        let _ = writeln!(text, "| `{key}` | {first}: `{value}` | {others} |");
    }
    Ok(text)
}

fn row(preset: &Preset, text: &mut String) {
    let about = preset.about();
    let values: Vec<String> = preset.values().iter().map(|value| format!("`{}`", value.name())).collect();
    let set: Vec<String> = keys(preset).into_iter().map(|(key, _)| format!("`{key}`")).collect();
    let unverified: Vec<String> = about.unverified.iter().map(|key| format!("`{key}`")).collect();
    // Writing to a string does not fail.
    let _ = writeln!(
        text,
        "| `{}` | [{}]({}) | {} | {} | {} | {}, {} | {} |",
        preset.name(),
        about.title,
        about.documentation,
        about.class,
        or_nothing(&values),
        or_nothing(&set),
        about.sources.as_str(),
        about.read,
        or_nothing(&unverified),
    );
}

fn or_nothing(words: &[String]) -> String {
    if words.is_empty() { "\u{2013}".to_owned() } else { words.join(", ") }
}

/// What the preset sets besides what every provider has, each with its value.
fn keys(preset: &Preset) -> Vec<(String, String)> {
    let mut found = BTreeMap::new();
    collect(preset.template(), "", &mut found);
    found.into_iter().collect()
}

fn collect(table: &DeTable<'_>, above: &str, found: &mut BTreeMap<String, String>) {
    for (key, value) in table {
        let name = key.get_ref();
        let path = if above.is_empty() { name.to_string() } else { format!("{above}.{name}") };
        match value.get_ref() {
            _ if EVERYBODYS.contains(&path.as_str()) => {}
            DeValue::Table(scopes) if path == "scopes" => asked(scopes, found),
            DeValue::Table(below) if !MAPS.contains(&path.as_str()) => collect(below, &path, found),
            value => {
                let value = written(value);
                if !DEFAULTS.contains(&(path.as_str(), value.as_str())) {
                    found.insert(path, value);
                }
            }
        }
    }
}

/// The one key of scopes that is about the provider.
fn asked(scopes: &DeTable<'_>, found: &mut BTreeMap<String, String>) {
    let asks = scopes.values().find_map(|scope| scope.get_ref().as_table()?.get("asks"));
    if let Some(asks) = asks {
        found.insert("scopes.*.asks".to_owned(), written(asks.get_ref()));
    }
}

fn written(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("\"{text}\""),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Boolean(truth) => truth.to_string(),
        DeValue::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| written(item.get_ref())).collect();
            format!("[{}]", items.join(", "))
        }
        DeValue::Table(table) => {
            let entries = table.iter().map(|(key, value)| format!("{} = {}", key.get_ref(), written(value.get_ref())));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        DeValue::Float(_) | DeValue::Datetime(_) => String::new(),
    }
}

/// What a provider cannot be without says nothing of it.
const EVERYBODYS: &[&str] = &[
    "display_name",
    "categories",
    "api_base",
    "oauth.authorize_endpoint",
    "oauth.token_endpoint",
    "oauth.userinfo_endpoint",
    "oauth.userinfo_subject",
    "oauth.userinfo_name",
    "oauth.revoke_endpoint",
    "oauth.issuer",
];
/// Tables that are one thing.
const MAPS: &[&str] = &[
    "headers",
    "default_headers",
    "credential",
    "api_base_from",
    "oauth.authorize_parameters",
    "oauth.token_parameters",
    "oauth.refresh_parameters",
    "oauth.token_headers",
    "oauth.parameter_names",
];
const DEFAULTS: &[(&str, &str)] = &[
    ("oauth.client_auth", "\"post\""),
    ("oauth.pkce", "\"s256\""),
    ("oauth.scope_separator", "\"space\""),
    ("oauth.token_request", "\"form\""),
];

const HEAD: &str = "# Providers

What the gateway knows of providers, one preset for each. `preset = \"github\"` in `[[provider]]`, with `client_id` and `client_secret`, is a working provider;
`ath-gateway providers show github` prints the lines to write, and everything that the preset sets. What you write yourself counts, key by key: a list is
replaced as a whole, and so are `[provider.scopes]`, `credential`, `api_base_from` and `[provider.key]`; `without = [\"oauth.revoke_endpoint\"]` takes a key out.

How rules are written, a slash that is percent-encoded within a segment among them, and which headers of agents go on to a provider, stands in
[own-api.md](own-api.md#2-say-what-each-scope-allows).

The presets are files in [crates/catalogue/presets](../crates/catalogue/presets). This page is made from them: `cargo run -q -p catalogue --example page >
docs/providers.md` writes it anew, and a test compares.

Sources: *documentation* means that pages of the provider's own were read for it, of that month or before; *cross-checked*, that it was compared with what other
programs have; what is named as not verified is what was found in neither. No account at a provider was used: try a preset with one before you rely on it.

| preset | provider | unlike the standards | values | sets, besides endpoints and scopes | sources | not verified |
|---|---|---|---|---|---|---|
";
const KEYS: &str = "
## Which key which provider needs

| key of `[[provider]]` | as in | also |
|---|---|---|
";

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_in_the_documentation_is_this_one() {
        let written = include_str!("../../../docs/providers.md");
        let made = super::page().expect("every preset can be read");
        let command = "cargo run -q -p catalogue --example page > docs/providers.md";
        assert!(written == made, "docs/providers.md is not what the presets say; `{command}` writes it anew");
    }
}
