//! What the operator says of a preset. What the preset itself says has been laid beneath the table already.

use crate::config::key::{Form, Key};
use crate::config::reader::Table;

/// The preset's name.
pub(super) fn read(table: &Table<'_>) -> Option<String> {
    let preset = table.text(&PRESET).map(|found| found.value.to_owned());
    table.texts(&WITHOUT);
    for place in [&VALUES, &WITHOUT].into_iter().filter_map(|key| table.written(key)) {
        if table.written(&PRESET).is_none() {
            place.problem("is for a preset, and none is named; add `preset = \"...\"`, or remove it");
        }
    }
    preset
}

/// In the order of the alphabet, so that the order in the file is none; those that tell nothing apart and those that the preset has by
/// itself are left out, so that writing them down makes no other place.
pub(super) fn values(table: &Table<'_>) -> String {
    let preset = table.text(&PRESET).and_then(|found| catalogue::find(found.value).ok());
    let tells_apart = |name: &str, value: &str| {
        let known = preset.as_ref().and_then(|preset| preset.values().iter().find(|known| known.name() == name));
        known.is_some_and(|known| known.tells_apart() && known.default() != Some(value))
    };
    let written = table.text_map(&VALUES).into_iter().map(|(name, value)| (name.value, value.value));
    let mut values: Vec<String> = written
        .filter(|(name, value)| tells_apart(name, value))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    values.sort();
    values.join("\n")
}

pub(super) const PRESET: Key = Key::optional(
    "preset",
    Form::Text,
    "A provider that the gateway knows, as `ath-gateway providers list` has it: what it says holds wherever nothing else is written here, key by key, \
     and [provider.scopes] as a whole; none by default.",
);
pub(super) const VALUES: Key = Key::optional(
    "values",
    Form::TextMap,
    "What the preset wants to be told, such as { tenant = \"acme\" }, as `ath-gateway providers show` has it; none by default.",
);
pub(super) const WITHOUT: Key = Key::optional(
    "without",
    Form::Texts,
    "What of the preset does not hold, such as [\"oauth.revoke_endpoint\", \"scopes.write\"]; nothing by default.",
);
pub(super) const CLIENT_ID: Key = Key::optional(
    "client_id",
    Form::Text,
    "The client_id of [provider.oauth], so that a preset needs no table of its own.",
);
pub(super) const CLIENT_SECRET: Key =
    Key::optional("client_secret", Form::Secret, "The client_secret of [provider.oauth], where client_id stands here.");
