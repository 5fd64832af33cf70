//! What holds for one provider, key by key, and who says so.

use toml::de::{DeTable, DeValue};

use super::reader::Context;

/// One key with what stands behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    /// With the tables around it, from the provider's own on: `oauth.token_endpoint`.
    pub(crate) key: String,
    /// As it would be written.
    pub(crate) value: String,
    /// Whether a preset says it, and not the file.
    pub(crate) from_preset: bool,
}

/// The settings of the provider with that id, in a tree beneath which the presets have been laid.
pub(super) fn of(root: &DeTable<'_>, id: &str, context: &Context<'_>) -> Option<Vec<Setting>> {
    let providers = root.get("provider")?.get_ref().as_array()?;
    let tables = providers.iter().filter_map(|provider| provider.get_ref().as_table());
    let table =
        tables.into_iter().find(|table| table.get("id").and_then(|found| found.get_ref().as_str()) == Some(id))?;
    Some(settings(table, &|offset| context.place(offset).preset().is_some()))
}

/// Everything that the file says, but for what could be a secret, and for people: of those it is told how many there are.
pub(super) fn whole(root: &DeTable<'_>) -> Vec<Setting> {
    let mut found = Vec::new();
    for (key, value) in root {
        match value.get_ref() {
            DeValue::Array(tables) => {
                for (at, table) in tables.iter().enumerate() {
                    let Some(table) = table.get_ref().as_table() else { continue };
                    let id = table.get("id").and_then(|id| id.get_ref().as_str());
                    let id = id.map_or_else(|| at.to_string(), str::to_owned);
                    named(&format!("{}[{id}]", key.get_ref()), table, &mut found);
                }
            }
            DeValue::Table(table) => named(key.get_ref(), table, &mut found),
            _ => {}
        }
    }
    found
}

fn named(name: &str, table: &DeTable<'_>, found: &mut Vec<Setting>) {
    let mut table = table.clone();
    for people in PEOPLE {
        if let Some(DeValue::Array(people_there)) = table.remove(*people).map(toml::Spanned::into_inner) {
            let value = format!("(as it stands in the file, {} of them)", people_there.len());
            found.push(Setting { key: format!("{name}.{people}"), value, from_preset: false });
        }
    }
    let settings = settings(&table, &|_| false).into_iter();
    found.extend(settings.map(|setting| Setting { key: format!("{name}.{}", setting.key), ..setting }));
}

/// What holds people's names, and their passwords' hashes.
const PEOPLE: &[&str] = &["people", "account"];

/// The settings that a preset's own table has.
pub(crate) fn of_preset(preset: &catalogue::Preset) -> Vec<Setting> {
    settings(preset.template(), &|_| true)
}

fn settings(table: &DeTable<'_>, from_preset: &dyn Fn(usize) -> bool) -> Vec<Setting> {
    let mut found = Vec::new();
    collect(table, "", from_preset, &mut found);
    found
}

fn collect(table: &DeTable<'_>, above: &str, from_preset: &dyn Fn(usize) -> bool, found: &mut Vec<Setting>) {
    for (key, value) in table {
        let bare = key.get_ref().bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        let name = if bare { key.get_ref().to_string() } else { format!("{:?}", key.get_ref()) };
        let name = if above.is_empty() { name } else { format!("{above}.{name}") };
        match value.get_ref() {
            DeValue::Table(below) if !is_reference(below) && !below.is_empty() => {
                collect(below, &name, from_preset, found);
            }
            value_there => {
                let from_preset = from_preset(value.span().start);
                let value = if from_preset || !may_be_secret(above, key.get_ref(), value_there) {
                    written(value_there)
                } else {
                    "(as it stands in the file)".to_owned()
                };
                found.push(Setting { key: name, value, from_preset });
            }
        }
    }
}

/// Where a secret is kept is one thing.
fn is_reference(table: &DeTable<'_>) -> bool {
    table.len() == 1 && (table.contains_key("file") || table.contains_key("env"))
}

/// Every setting of a table by its key, as it is written, secrets among it: to be hashed, and not to be shown.
pub(super) fn plain(table: &DeTable<'_>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (key, value) in table {
        match value.get_ref() {
            DeValue::Table(below) if !is_reference(below) && !below.is_empty() => {
                found
                    .extend(plain(below).into_iter().map(|(name, value)| (format!("{}.{name}", key.get_ref()), value)));
            }
            value => found.push((key.get_ref().to_string(), written(value))),
        }
    }
    found
}

/// All of a table, secrets among it: to be hashed, and not to be shown.
pub(super) fn written_table(table: &DeTable<'_>) -> String {
    let entries: Vec<String> =
        table.iter().map(|(key, value)| format!("{:?} = {}", key.get_ref(), written(value.get_ref()))).collect();
    format!("{{ {} }}", entries.join(", "))
}

fn written(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(truth) => truth.to_string(),
        DeValue::Datetime(date) => date.to_string(),
        DeValue::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| written(item.get_ref())).collect();
            format!("[{}]", items.join(", "))
        }
        DeValue::Table(table) => {
            let entries: Vec<String> =
                table.iter().map(|(key, value)| format!("{} = {}", key.get_ref(), written(value.get_ref()))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
    }
}

/// Whether an operator may have written something there that nobody else should read, be it by mistake.
fn may_be_secret(above: &str, name: &str, value: &DeValue<'_>) -> bool {
    let names_one = |word: &&str| name.contains(*word);
    let in_url = |text: &str| text.split_once("//").is_some_and(|(_, rest)| rest.contains('@'));
    above.ends_with("_parameters")
        || above == "oauth.token_headers"
        || above == "credential" && name == "other"
        || above.ends_with("headers") && SOUNDS_SECRET.iter().any(|word| name.to_ascii_lowercase().contains(word))
        || SECRETS.iter().any(names_one) && !value.as_table().is_some_and(is_reference)
        || value.as_str().is_some_and(in_url)
}

/// In the name of a header.
const SOUNDS_SECRET: &[&str] = &["auth", "token", "key", "secret", "pass", "cookie", "session", "sign", "pin"];
const SECRETS: &[&str] = &["secret", "key", "password"];
