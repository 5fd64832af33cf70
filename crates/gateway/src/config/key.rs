use toml::de::DeValue;

/// One key of the configuration file: what may stand there, and what it is for. What reads the file, explains it and describes it to
/// other programs is made from these.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) form: Form,
    pub(super) presence: Presence,
    /// One sentence, which also stands in `gateway.toml.example`.
    pub(super) says: &'static str,
}

/// What may stand behind a key.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    /// A string, whose further form is for its reader to check.
    Text,
    /// One of these strings.
    OneOf(&'static [&'static str]),
    /// A list of strings, or a single one.
    Texts,
    /// The same, with tables of these keys among them.
    TextsOrTables(&'static [Key]),
    /// As in `90s`, `10m`, `1h` or `90d`.
    Duration,
    /// As in `600/m`, or `off`.
    Rate,
    /// Left out, it is false.
    Boolean,
    /// A whole number, both ends included.
    Integer { least: u32, most: u32 },
    /// A number, with a fraction or without.
    Number,
    /// A table with these keys.
    Table(&'static [Key]),
    /// This word, or a table with these keys.
    WordOrTable(&'static str, &'static [Key]),
    /// `[[name]]`, any number of times, each with these keys.
    Tables(&'static [Key]),
    /// A table of strings under names of the operator's own.
    TextMap,
    /// A table of tables with these keys, under names of the operator's own.
    TableMap(&'static [Key]),
    /// Where a secret is kept: `{ file = "..." }` or `{ env = "..." }`.
    Secret,
    /// A list of such.
    Secrets,
    /// A table of such under names of the operator's own.
    SecretMap,
    /// A string, or where a secret one is kept.
    TextOrSecret,
    /// A string, or `{ file = "..." }`.
    TextOrFile,
}

/// Whether a key may be left out.
#[derive(Debug, Clone, Copy)]
pub(super) enum Presence {
    /// It may not; this is the line to add.
    Required(&'static str),
    Optional,
    /// It may, and then this holds, for texts of every kind and for whole numbers.
    Default(&'static str),
}

impl Key {
    pub(super) const fn required(name: &'static str, form: Form, line: &'static str, says: &'static str) -> Self {
        Self { name, form, presence: Presence::Required(line), says }
    }

    pub(super) const fn optional(name: &'static str, form: Form, says: &'static str) -> Self {
        Self { name, form, presence: Presence::Optional, says }
    }

    pub(super) const fn default(name: &'static str, form: Form, value: &'static str, says: &'static str) -> Self {
        Self { name, form, presence: Presence::Default(value), says }
    }
}

impl Form {
    pub(super) fn accepts(self, value: &DeValue<'_>) -> bool {
        let items = || value.as_array().map(|items| items.iter().map(toml::Spanned::get_ref));
        match self {
            Self::Text | Self::Duration | Self::Rate => value.is_str(),
            Self::OneOf(words) => value.as_str().is_some_and(|text| words.contains(&text)),
            Self::Texts => value.is_str() || items().is_some_and(|mut items| items.all(DeValue::is_str)),
            Self::TextsOrTables(_) => {
                let one = |value: &DeValue<'_>| value.is_str() || value.is_table();
                one(value) || items().is_some_and(|mut items| items.all(one))
            }
            Self::Boolean => value.is_bool(),
            Self::Integer { .. } => value.is_integer(),
            Self::Number => value.is_integer() || value.is_float(),
            Self::Table(_) | Self::TextMap | Self::TableMap(_) | Self::Secret | Self::SecretMap => value.is_table(),
            Self::Tables(_) | Self::Secrets => items().is_some_and(|mut items| items.all(DeValue::is_table)),
            Self::WordOrTable(word, _) => value.is_table() || value.as_str() == Some(word),
            Self::TextOrSecret | Self::TextOrFile => value.is_str() || value.is_table(),
        }
    }

    /// What is expected, for people.
    pub(super) fn wanted(self) -> String {
        match self {
            Self::Text | Self::Duration | Self::Rate => "a string in quotes".to_owned(),
            Self::OneOf(words) => words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" or "),
            Self::Texts => "a string, or a list of strings".to_owned(),
            Self::TextsOrTables(_) => "a string, or a list of strings and tables".to_owned(),
            Self::Boolean => "true or false".to_owned(),
            Self::Integer { .. } => "a whole number".to_owned(),
            Self::Number => "a number".to_owned(),
            Self::Table(_) | Self::TextMap | Self::TableMap(_) => "a table".to_owned(),
            Self::WordOrTable(word, _) => format!("a table, or \"{word}\""),
            Self::Tables(_) => "a list of tables".to_owned(),
            Self::Secret => format!("{SECRET}; the secret itself does not stand in this file"),
            Self::Secrets => format!("a list of {SECRET}; the secrets themselves do not stand in this file"),
            Self::SecretMap => format!("a table of {SECRET}; the secrets themselves do not stand in this file"),
            Self::TextOrSecret => format!("a string, or {SECRET}"),
            Self::TextOrFile => "a string, or { file = \"...\" }".to_owned(),
        }
    }
}

const SECRET: &str = "{ file = \"...\" } or { env = \"...\" }";
