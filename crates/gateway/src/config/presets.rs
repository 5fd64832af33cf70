//! What presets say is laid beneath what the operator says, before anything is read: tables into tables, and what the operator wrote counts.
//! So the reader knows of one tree, and what a preset says is checked as everything is.

mod hosts;
mod values;
mod without;

use catalogue::Preset;
use protocol::ProviderId;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::reader::{Context, Place};
use super::suggest;

/// In every `[[provider]]` of the file: lays its preset beneath it, and puts the client's id and secret where they are read.
pub(super) fn lay_beneath(root: &mut DeTable<'_>, context: &Context<'_>) {
    let Some(DeValue::Array(providers)) = root.get_mut("provider").map(Spanned::get_mut) else { return };
    if providers.len() > 1 {
        context
            .name_providers(providers.iter().filter_map(|one| Some((one.span().start, id(one.get_ref())?))).collect());
    }
    let mut kept = DeArray::new();
    for mut provider in std::mem::replace(providers, DeArray::new()) {
        let place = context.place(provider.span().start).below("provider", provider.span().start);
        let readable = match provider.get_mut() {
            DeValue::Table(table) => one(table, &place),
            _ => Readable::Yes,
        };
        if readable == Readable::Yes {
            kept.push(provider);
        }
    }
    *providers = kept;
}

fn id(provider: &DeValue<'_>) -> Option<ProviderId> {
    ProviderId::parse(provider.as_table()?.get("id")?.get_ref().as_str()?).ok()
}

/// Whether there is a point in reading a provider any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Readable {
    Yes,
    /// Its preset is none, so that most of it would seem to be missing.
    No,
}

fn one(table: &mut DeTable<'_>, place: &Place<'_>) -> Readable {
    let found = match preset(table, place) {
        Ok(found) => found,
        Err(NoPreset) => return Readable::No,
    };
    if let Some((at, preset)) = found {
        let values = values::filled(table, &preset, &at);
        let mut beneath = preset.provider(&values);
        without::take_out(table, &mut beneath, place);
        if goes_by_key(table) {
            beneath.remove("oauth");
            if catalogue::placeholders(&beneath).contains(catalogue::CLIENT_ID) {
                at.problem("puts a client id into `headers`, and [provider.key] has none; write `headers` with what the service wants there");
            }
        }
        if has_no_browser(table)
            && let Some(DeValue::Table(oauth)) = beneath.get_mut("oauth").map(Spanned::get_mut)
        {
            for key in OF_THE_BROWSER {
                oauth.remove(*key);
            }
        }
        if table.contains_key("api_base") && !table.contains_key("api_base_from") {
            beneath.remove("api_base_from");
        }
        hosts::check(table, &beneath, &hosts::Known { preset: &preset, values: &values }, place);
        let client = client(table, place);
        merge(table, spanned(beneath, at.beneath(preset.name())));
        put(table, client, place);
    } else {
        let client = client(table, place);
        put(table, client, place);
    }
    Readable::Yes
}

/// A preset is named that there is not, and that was reported.
struct NoPreset;

/// Whether a key stands in the place of OAuth, which is then nothing that the preset says anything of.
fn goes_by_key(table: &DeTable<'_>) -> bool {
    table.contains_key("key") && !table.contains_key("oauth")
}

/// Whether tokens are got in a way in which no browser is sent to the provider.
fn has_no_browser(table: &DeTable<'_>) -> bool {
    let grant = table.get("oauth").and_then(|oauth| oauth.get_ref().as_table()?.get("grant"));
    grant.and_then(|grant| grant.get_ref().as_str()).is_some_and(|grant| grant != "authorization_code")
}

/// The preset that the table names, if there is one of that name.
fn preset<'c>(table: &DeTable<'_>, place: &Place<'c>) -> Result<Option<(Place<'c>, Preset)>, NoPreset> {
    let Some((key, value)) = table.get_key_value("preset") else { return Ok(None) };
    let Some(name) = value.get_ref().as_str() else { return Ok(None) };
    if let Ok(preset) = catalogue::find(name) {
        return Ok(Some((place.below("preset", key.span().start), preset)));
    }
    place.below("preset", value.span().start).problem(match meant(name) {
        Some(meant) => format!("is no preset; did you mean {meant}?"),
        None => {
            "is no preset; `ath-gateway providers list` has them, and without one all keys are written here".to_owned()
        }
    });
    Err(NoPreset)
}

/// The presets that somebody who wrote `name` may have had in mind: by its letters, by a part of it, or by what people call the service.
pub(crate) fn meant(name: &str) -> Option<String> {
    if let Some(nearest) = suggest::nearest(name, catalogue::names()) {
        return Some(format!("`{nearest}`"));
    }
    let name = name.to_ascii_lowercase();
    let parts = || name.split(['-', '_', ' ', '.']).filter(|part| part.len() > 2);
    let named = catalogue::names().filter(|known| known.split('-').any(|word| parts().any(|part| part == word)));
    let mut found: Vec<&str> = named.collect();
    if found.is_empty() {
        let title = |known: &str| catalogue::find(known).map(|preset| preset.about().title.to_ascii_lowercase());
        let titled = |known: &&str| title(known).is_ok_and(|title| parts().any(|part| title.contains(part)));
        found.extend(catalogue::names().filter(titled));
    }
    found.truncate(3);
    (!found.is_empty()).then(|| format!("`{}`", found.join("` or `")))
}

type Entry<'t> = (Spanned<toml::de::DeString<'t>>, Spanned<DeValue<'t>>);

/// What says who the gateway is there, taken out of `[[provider]]`; reported where `[provider.oauth]` has it, too.
fn client<'t>(table: &mut DeTable<'t>, place: &Place<'_>) -> Vec<Entry<'t>> {
    let mut taken = Vec::new();
    for name in [CLIENT_ID, CLIENT_SECRET] {
        let both = table
            .get("oauth")
            .and_then(|oauth| oauth.get_ref().as_table())
            .is_some_and(|oauth| oauth.contains_key(name));
        if let Some((key, value)) = table.remove_entry(name) {
            if both {
                place
                    .below(name, key.span().start)
                    .problem("stands in [provider.oauth] as well; remove one of the two");
            } else {
                taken.push((key, value));
            }
        }
    }
    taken
}

fn put<'t>(table: &mut DeTable<'t>, client: Vec<Entry<'t>>, place: &Place<'_>) {
    let Some((first, _)) = client.first() else { return };
    let span = first.span();
    if table.contains_key("key") && !table.contains_key("oauth") {
        place
            .below(first.get_ref(), span.start)
            .problem("is for [provider.oauth], and there is [provider.key]; remove it");
        return;
    }
    let key = Spanned::new(span.clone(), "oauth".into());
    let oauth = table.entry(key).or_insert_with(|| Spanned::new(span, DeValue::Table(DeTable::new())));
    if let DeValue::Table(oauth) = oauth.get_mut() {
        oauth.extend(client);
    }
}

/// What is not there yet, in all tables. A list is one thing, and so are the tables of [`WHOLE`]: mixed with what a preset says, they would
/// let through more than the operator sees there.
fn merge<'t>(over: &mut DeTable<'t>, beneath: DeTable<'t>) {
    for (key, value) in beneath {
        match over.get_mut(key.get_ref().as_ref()).map(Spanned::get_mut) {
            None => drop(over.insert(key, value)),
            Some(DeValue::Table(over)) if !WHOLE.contains(&key.get_ref().as_ref()) => {
                if let DeValue::Table(beneath) = value.into_inner() {
                    merge(over, beneath);
                }
            }
            Some(_) => {}
        }
    }
}

/// The same table, all of it at one offset.
fn spanned(table: DeTable<'static>, offset: usize) -> DeTable<'static> {
    let at = |value| Spanned::new(offset..offset, value);
    table
        .into_iter()
        .map(|(key, value)| (Spanned::new(offset..offset, key.into_inner()), at(moved(value.into_inner(), offset))))
        .collect()
}

fn moved(value: DeValue<'static>, offset: usize) -> DeValue<'static> {
    match value {
        DeValue::Table(table) => DeValue::Table(spanned(table, offset)),
        DeValue::Array(items) => {
            let mut moved_items = toml::de::DeArray::new();
            for item in items {
                moved_items.push(Spanned::new(offset..offset, moved(item.into_inner(), offset)));
            }
            DeValue::Array(moved_items)
        }
        other => other,
    }
}

/// Of what a preset says of OAuth, what is about a browser alone.
const OF_THE_BROWSER: &[&str] = &["authorize_endpoint", "authorize_parameters", "pkce", "callback", "sends_iss"];
const CLIENT_ID: &str = "client_id";
const CLIENT_SECRET: &str = "client_secret";
const WHOLE: &[&str] = &["scopes", "credential", "api_base_from", "key"];
