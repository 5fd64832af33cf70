//! docs/configuration.md: every key, from the tables that the reader reads by.

use std::fmt::Write as _;

use super::KEYS;
use super::key::{Form, Key, Presence};

/// The page.
pub(crate) fn reference() -> String {
    let root = tables("", KEYS);
    let every: Vec<&Section> = root.iter().flat_map(Section::with_all_below).collect();
    let mut text = String::from(HEAD);
    for section in &root {
        line(&mut text, &[&format!("[`{}`](#{})", section.title, anchor(&section.title)), section.says]);
    }
    text.push_str(SECRETS);
    for (section, key) in every.iter().flat_map(|section| section.keys.iter().map(move |key| (section, key))) {
        if let Some(places) = places(key.form) {
            let name = format!("[`{}.{}`](#{})", section.path, key.name, anchor(&section.title));
            line(&mut text, &[&name, places]);
        }
    }
    for section in every {
        section.write(&mut text);
    }
    text
}

/// A table of the file.
struct Section {
    /// As it stands at the head of the table.
    title: String,
    /// The same without brackets.
    path: String,
    says: &'static str,
    keys: &'static [Key],
    below: Vec<Section>,
}

impl Section {
    fn new(path: String, key: &'static Key) -> Option<Self> {
        let (title, path, keys) = match key.form {
            Form::Table(keys) | Form::WordOrTable(_, keys) => (format!("[{path}]"), path, keys),
            Form::Tables(keys) => (format!("[[{path}]]"), path, keys),
            Form::TableMap(keys) => (format!("[{path}.NAME]"), format!("{path}.NAME"), keys),
            Form::TextsOrTables(keys) => (format!("{path} = [{{ … }}]"), path, keys),
            _ => return None,
        };
        let below = tables(&path, keys);
        Some(Self { title, path, says: key.says, keys, below })
    }

    fn with_all_below(&self) -> Vec<&Self> {
        std::iter::once(self).chain(self.below.iter().flat_map(Self::with_all_below)).collect()
    }

    fn write(&self, text: &mut String) {
        // Writing into a text does not fail.
        let _ = write!(text, "\n## `{}`\n\n{}\n\n", self.title, self.says);
        text.push_str("| key | what stands there | left out | |\n|---|---|---|---|\n");
        for key in self.keys {
            line(text, &[&format!("`{}`", key.name), &self.form(key), &left_out(key), key.says]);
        }
    }

    /// What may stand behind the key.
    fn form(&self, key: &Key) -> String {
        let own = self.below.iter().find(|section| {
            let name = section.path.strip_prefix(&self.path).and_then(|rest| rest.strip_prefix('.'));
            name.is_some_and(|name| name.trim_end_matches(".NAME") == key.name)
        });
        let link = own.map(|section| format!("[`{}`](#{})", section.title, anchor(&section.title))).unwrap_or_default();
        match key.form {
            Form::Text => "a string".to_owned(),
            Form::OneOf(words) => words.iter().map(|word| format!("`\"{word}\"`")).collect::<Vec<_>>().join(", "),
            Form::Texts => "a string, or a list of strings".to_owned(),
            Form::TextsOrTables(_) => format!("a string, or a list of strings and tables: {link}"),
            Form::Duration => "a time: a whole number with `s`, `m`, `h` or `d`, up to `3650d`".to_owned(),
            Form::Rate => "a rate, such as `600/m`, or `off`".to_owned(),
            Form::Boolean => "`true` or `false`".to_owned(),
            Form::Integer { least, most } => format!("a whole number, {least} to {most}"),
            Form::Number => "a number".to_owned(),
            Form::SecretMap => {
                format!("a table under names of your own, each with the place of a secret: {FILE_OR_ENV}")
            }
            Form::Table(_) => format!("a table: {link}"),
            Form::WordOrTable(word, _) => format!("`\"{word}\"`, or a table: {link}"),
            Form::Tables(_) => format!("any number of tables: {link}"),
            Form::TextMap => "a table of strings, under names of your own".to_owned(),
            Form::TableMap(_) => format!("tables under names of your own: {link}"),
            Form::Secret => format!("the place of a secret: {FILE_OR_ENV}"),
            Form::Secrets => format!("a list of places of secrets: {FILE_OR_ENV}"),
            Form::TextOrSecret => format!("a string, or the place of a secret: {FILE_OR_ENV}"),
            Form::TextOrFile => "a string, or `{ file = \"…\" }`".to_owned(),
        }
    }
}

fn tables(path: &str, keys: &'static [Key]) -> Vec<Section> {
    let path = |key: &Key| if path.is_empty() { key.name.to_owned() } else { format!("{path}.{}", key.name) };
    keys.iter().filter_map(|key| Section::new(path(key), key)).collect()
}

/// What holds where the key is not there.
fn left_out(key: &Key) -> String {
    match (key.presence, key.form) {
        (Presence::Required(_), _) => "**required**".to_owned(),
        (Presence::Default(value), Form::Integer { .. } | Form::Number) => format!("`{value}`"),
        (Presence::Default(value), _) => format!("`\"{value}\"`"),
        (Presence::Optional, Form::Boolean) => "`false`".to_owned(),
        (Presence::Optional, _) => String::new(),
    }
}

/// How a key takes a secret, if it does.
fn places(form: Form) -> Option<&'static str> {
    match form {
        Form::Secret => Some("by its place alone"),
        Form::Secrets => Some("a list, by their places alone"),
        Form::SecretMap => Some("each by its place alone"),
        Form::TextOrSecret => Some("by its place, or as it is"),
        _ => None,
    }
}

/// Where a heading can be linked to, as GitHub and the site have it.
pub(super) fn anchor(title: &str) -> String {
    let kept = title.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '-' | ' '));
    kept.collect::<String>().trim().to_ascii_lowercase().split_whitespace().collect::<Vec<_>>().join("-")
}

fn line(text: &mut String, cells: &[&str]) {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

const FILE_OR_ENV: &str = "`{ file = \"…\" }` or `{ env = \"…\" }`";

const HEAD: &str = "\
# Configuration

Every key of `gateway.toml`: what may stand there, and what holds where it is left out. [gateway.toml.example](../gateway.toml.example) has the same keys in one file, each with a value.

This page is made from the tables that the file is read by: `cargo run -q -p gateway -- schema --markdown > docs/configuration.md`; a test fails where it differs.
`ath-gateway schema` prints the same as a JSON Schema, for editors, and `ath-gateway check` names every key that is unknown, missing or wrong, with its line.

Where nothing stands under *left out* for a key that is not required, the sentence says what holds. A time is written as `90s`, `10m`, `1h` or `90d`. A rate such as `600/m` is that many at once, then evenly
in each second (`s`), minute (`m`) or hour (`h`). What a `[[provider]]` requires, a preset may bring.

| table | |
|---|---|
";

const SECRETS: &str = "
## Secrets

No secret has to stand in the file. These keys take one by its place: `{ file = \"/run/secrets/crm\" }`, or `{ env = \"CRM_CLIENT_SECRET\" }`. Line ends behind it do not belong to it.

| key | how |
|---|---|
";
