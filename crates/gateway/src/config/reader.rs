use std::cell::{OnceCell, RefCell};
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::ProviderId;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::duration;
use super::environment::Environment;
use super::fingerprint::{Fingerprint, Recorder};
use super::key::{Form, Key, Presence};
use super::remedy;
use super::report::{Finding, Lines, Position, Severity};
use super::secrets::{self, Kept};

/// What every part of the reader shares: the text, the way to files and variables, and what was found wrong so far.
pub(super) struct Context<'c> {
    text: &'c str,
    /// Where the text came from.
    file: &'c Path,
    lines: OnceCell<Lines>,
    environment: Recorder<'c>,
    findings: RefCell<Vec<Finding>>,
    /// Where providers begin, in order, and their ids; empty where one provider needs no telling apart.
    providers: RefCell<Vec<(usize, ProviderId)>>,
    /// The presets in use, each with the place that names it. What they say stands behind the end of the text, at the offset of `text.len() + 1`
    /// and the preset's index.
    presets: RefCell<Vec<(&'static str, usize)>>,
}

/// A key where it stands in the file. What is wrong there is reported here.
#[derive(Clone)]
pub(super) struct Place<'c> {
    context: &'c Context<'c>,
    key: String,
    offset: usize,
}

/// A value and where it stands.
pub(super) struct Found<'c, T> {
    pub(super) value: T,
    pub(super) place: Place<'c>,
}

/// A table of the file, or the absence of one. Unknown keys were reported when it was opened; values that are not of their key's form
/// are reported when they are read, and then count as absent.
pub(super) struct Table<'c> {
    tree: Option<&'c DeTable<'c>>,
    place: Place<'c>,
}

/// One item of a list that has both.
pub(super) enum TextOrTable<'c> {
    Text(Found<'c, &'c str>),
    Table(Table<'c>),
}

impl<'c> Context<'c> {
    pub(super) fn new(file: &'c Path, text: &'c str, environment: &'c dyn Environment) -> Self {
        Self {
            text,
            file,
            lines: OnceCell::new(),
            environment: Recorder::new(environment),
            findings: RefCell::default(),
            providers: RefCell::default(),
            presets: RefCell::default(),
        }
    }

    pub(super) fn root(&'c self, tree: &'c DeTable<'c>, keys: &'static [Key]) -> Table<'c> {
        Table::open(Some(tree), self.place(0), keys)
    }

    pub(super) fn place(&'c self, offset: usize) -> Place<'c> {
        Place { context: self, key: String::new(), offset }
    }

    /// The preset whose offset that is.
    fn preset(&self, offset: usize) -> Option<(&'static str, usize)> {
        let index = offset.checked_sub(self.text.len() + 1)?;
        self.presets.borrow().get(index).copied()
    }

    /// From here on what is reported of a provider says of which.
    pub(super) fn name_providers(&self, providers: Vec<(usize, ProviderId)>) {
        self.providers.replace(providers);
    }

    /// The provider in whose part of the file that is.
    fn provider_at(&self, offset: usize) -> Option<String> {
        let providers = self.providers.borrow();
        let begun = providers.partition_point(|(start, _)| *start <= offset);
        begun.checked_sub(1).and_then(|at| providers.get(at)).map(|(_, id)| id.to_string())
    }

    pub(super) fn into_findings(self) -> Vec<Finding> {
        self.findings.into_inner()
    }
}

impl<'c> Place<'c> {
    /// Reports what keeps the gateway from starting.
    pub(super) fn problem(&self, message: impl Into<String>) {
        self.report(Severity::Problem, message.into());
    }

    /// Reports what keeps the gateway from starting, in a value's place.
    pub(super) fn refused<T>(&self, message: impl Into<String>) -> Option<T> {
        self.problem(message);
        None
    }

    /// Reports what does not.
    pub(super) fn warning(&self, message: impl Into<String>) {
        self.report(Severity::Warning, message.into());
    }

    pub(super) fn line(&self) -> usize {
        self.position().line
    }

    pub(super) fn environment(&self) -> &'c dyn Environment {
        &self.context.environment
    }

    /// The path of a file that is looked for where the configuration is.
    pub(super) fn beside_the_file(&self, path: &str) -> PathBuf {
        self.context.file.parent().unwrap_or(Path::new("")).join(path)
    }

    /// The offset of what the preset says that is named here.
    pub(super) fn beneath(&self, preset: &'static str) -> usize {
        let mut presets = self.context.presets.borrow_mut();
        presets.push((preset, self.offset));
        self.context.text.len() + presets.len()
    }

    /// A key some tables below.
    pub(super) fn below_path(&self, path: &str, offset: usize) -> Self {
        path.split('.').fold(self.clone(), |place, name| place.below(name, offset))
    }

    /// Another key of the table that this one is of.
    pub(super) fn beside(&self, name: &str, offset: usize) -> Self {
        let table = self.key.rsplit_once('.').map_or("", |(table, _)| table);
        Self { context: self.context, key: table.to_owned(), offset }.below(name, offset)
    }

    /// The preset that says what stands here, and not the file.
    pub(super) fn preset(&self) -> Option<&'static str> {
        self.context.preset(self.offset).map(|(name, _)| name)
    }

    /// Reports that something is not there.
    pub(super) fn missing(&self, message: String) {
        self.found(Severity::Problem, message);
    }

    fn report(&self, severity: Severity, message: String) {
        let message = match self.preset() {
            Some(preset) => format!("{message} (the preset {preset} has it so; `without` takes it out)"),
            None => message,
        };
        self.found(severity, message);
    }

    fn found(&self, severity: Severity, message: String) {
        let offset = self.context.preset(self.offset).map_or(self.offset, |(_, named)| named);
        let provider = self.context.provider_at(offset).filter(|_| self.key.starts_with("provider"));
        let key = provider.map_or_else(|| self.key.clone(), |id| format!("{} of {id}", self.key));
        let finding = Finding { severity, position: Some(self.position()), key, message };
        self.context.findings.borrow_mut().push(finding);
    }

    fn position(&self) -> Position {
        let named = self.context.preset(self.offset).map_or(self.offset, |(_, named)| named);
        let text = self.context.text;
        self.context.lines.get_or_init(|| Lines::of(text)).position(text, named)
    }

    pub(super) fn below(&self, name: &str, offset: usize) -> Self {
        let bare = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        let name = if bare { name.to_owned() } else { format!("{name:?}") };
        let key = if self.key.is_empty() { name } else { format!("{}.{name}", self.key) };
        Self { context: self.context, key, offset }
    }
}

impl<'c> Table<'c> {
    fn open(tree: Option<&'c DeTable<'c>>, place: Place<'c>, keys: &'static [Key]) -> Self {
        let table = Self { tree, place };
        for (name, _) in tree.into_iter().flatten() {
            let written = name.get_ref();
            if keys.iter().any(|key| key.name == written) {
                continue;
            }
            let remedy = remedy::unknown_key(&table.place.key, written, keys);
            table.place.below(written, name.span().start).problem(format!("is not known; {remedy}"));
        }
        table
    }

    /// From here on it is kept in mind what is read for this table.
    pub(super) fn begin_record(&self) {
        let _ = self.place.context.environment.take();
    }

    /// What the table comes to with all that was read since, and with what it depends on besides.
    pub(super) fn end_record(&self, besides: &str) -> Fingerprint {
        Fingerprint::of(self.tree, self.place.context.environment.take(), besides)
    }

    /// Where the table begins.
    pub(super) fn place(&self) -> &Place<'c> {
        &self.place
    }

    /// Where the key stands, if it does, whatever stands there.
    pub(super) fn written(&self, key: &Key) -> Option<Place<'c>> {
        let (name, _) = self.tree?.get_key_value(key.name)?;
        Some(self.place.below(key.name, name.span().start))
    }

    pub(super) fn text(&self, key: &Key) -> Option<Found<'c, &'c str>> {
        if let (Presence::Default(value), None) = (key.presence, self.written(key)) {
            return Some(Found { value, place: self.place.below(key.name, self.place.offset) });
        }
        let Found { value, place } = self.get(key)?;
        Some(Found { value: value.as_str()?, place })
    }

    /// A text that has a further form; where it has not, that is reported with what `parse` says.
    pub(super) fn parsed<T, E: Display>(
        &self,
        key: &Key,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Found<'c, T>> {
        self.text(key)?.parsed(parse)
    }

    /// A text that is not empty, since people read it.
    pub(super) fn words(&self, key: &Key) -> Option<Found<'c, String>> {
        self.parsed(key, |text| if text.trim().is_empty() { Err("is empty") } else { Ok(text.to_owned()) })
    }

    pub(super) fn duration(&self, key: &Key) -> Option<Duration> {
        let value = self.tree.and_then(|tree| tree.get(key.name));
        if let Some((number, place)) = value.and_then(|value| Some((value.get_ref().as_integer()?, self.written(key)?)))
        {
            let place = Place { offset: value.map_or(place.offset, |value| value.span().start), ..place };
            return place.refused(format!("is an integer; write it with its unit, as in \"{}s\"", number.as_str()));
        }
        self.parsed(key, duration::read).map(|found| found.value)
    }

    /// Absent is false.
    pub(super) fn boolean(&self, key: &Key) -> bool {
        self.get(key).and_then(|found| found.value.as_bool()).unwrap_or_default()
    }

    pub(super) fn integer(&self, key: &Key) -> Option<u32> {
        let Form::Integer { least, most } = key.form else {
            return None;
        };
        if let (Presence::Default(value), None) = (key.presence, self.written(key)) {
            return value.parse().ok();
        }
        let found = self.get(key)?;
        let integer = found.value.as_integer()?;
        let value =
            u32::from_str_radix(integer.as_str(), integer.radix()).ok().filter(|value| (least..=most).contains(value));
        if value.is_none() {
            found.place.problem(format!("is out of range; write a number from {least} to {most}"));
        }
        value
    }

    /// A part of the whole, from 0 to 1.
    pub(super) fn ratio(&self, key: &Key, default: f64) -> Option<f64> {
        if self.written(key).is_none() {
            return Some(default);
        }
        let Found { value, place } = self.get(key)?;
        let text =
            value.as_float().map(toml::de::DeFloat::as_str).or(value.as_integer().map(toml::de::DeInteger::as_str));
        let ratio = text.and_then(|text| text.parse().ok()).filter(|ratio| (0.0..=1.0).contains(ratio));
        ratio.or_else(|| place.refused("is out of range; write a number from 0 to 1"))
    }

    pub(super) fn texts(&self, key: &Key) -> Vec<Found<'c, &'c str>> {
        let Some(Found { value, place }) = self.get(key) else {
            return Vec::new();
        };
        match (value.as_str(), value.as_array()) {
            (Some(value), _) => vec![Found { value, place }],
            (None, Some(items)) => {
                items.iter().filter_map(|item| Some(place.at(item).with(item.get_ref().as_str()?))).collect()
            }
            (None, None) => Vec::new(),
        }
    }

    /// The same where tables may stand among them: each on its side.
    pub(super) fn texts_or_tables(&self, key: &Key) -> Vec<TextOrTable<'c>> {
        let (Some(Found { value, place }), Form::TextsOrTables(keys)) = (self.get(key), key.form) else {
            return Vec::new();
        };
        let one = |value: &'c DeValue<'c>, place: Place<'c>| match (value.as_str(), value.as_table()) {
            (Some(text), _) => Some(TextOrTable::Text(place.with(text))),
            (None, Some(tree)) => Some(TextOrTable::Table(Self::open(Some(tree), place, keys))),
            (None, None) => None,
        };
        match value.as_array() {
            Some(items) => items.iter().filter_map(|item| one(item.get_ref(), place.at(item))).collect(),
            None => one(value, place).into_iter().collect(),
        }
    }

    /// The table behind the key; one without anything in it where there is none.
    pub(super) fn table(&self, key: &Key) -> Table<'c> {
        let found = self.get(key).and_then(|found| Some((found.value.as_table()?, found.place)));
        let place = || self.place.below(key.name, self.place.offset);
        match (found, key.form) {
            (Some((tree, place)), Form::Table(keys) | Form::WordOrTable(_, keys)) => {
                Self::open(Some(tree), place, keys)
            }
            _ => Self { tree: None, place: place() },
        }
    }

    /// The table behind the key, if there is one.
    pub(super) fn optional_table(&self, key: &Key) -> Option<Table<'c>> {
        let table = self.table(key);
        table.tree.map(|_| table)
    }

    /// The same for a look at it beside its reading: nothing is reported.
    pub(super) fn nested(&self, key: &Key) -> Option<Table<'c>> {
        let value = self.tree?.get(key.name)?;
        let place = self.place.below(key.name, value.span().start);
        Some(Self { tree: Some(value.get_ref().as_table()?), place })
    }

    pub(super) fn tables(&self, key: &Key) -> Vec<Table<'c>> {
        let Form::Tables(keys) = key.form else {
            return Vec::new();
        };
        self.items(key).into_iter().map(|(tree, place)| Self::open(Some(tree), place, keys)).collect()
    }

    pub(super) fn text_map(&self, key: &Key) -> Vec<(Found<'c, &'c str>, Found<'c, &'c str>)> {
        let entries = self.entries(key).into_iter();
        entries
            .filter_map(|(name, Found { value, place })| match value.as_str() {
                Some(text) => Some((name, place.with(text))),
                None => place.refused(format!("must be {}", Form::Text.wanted())),
            })
            .collect()
    }

    /// Where each of some secrets is kept; `None` for what is reported.
    pub(super) fn secret_map(&self, key: &Key) -> Vec<(Found<'c, &'c str>, Option<Kept<'c>>)> {
        let entries = self.entries(key).into_iter();
        entries
            .map(|(name, Found { value, place })| match value.as_table() {
                Some(tree) => (name, secrets::at(&Self::open(Some(tree), place, secrets::KEYS))),
                None => (name, place.refused(format!("must be {}", Form::Secret.wanted()))),
            })
            .collect()
    }

    pub(super) fn table_map(&self, key: &Key) -> Vec<(Found<'c, &'c str>, Table<'c>)> {
        let Form::TableMap(keys) = key.form else {
            return Vec::new();
        };
        let is_key = |name: &str| keys.iter().any(|key| key.name == name);
        let needed = keys.iter().filter(|key| matches!(key.presence, Presence::Required(_)));
        let names: Vec<&str> = needed.map(|key| key.name).collect();
        let entries = self.entries(key).into_iter();
        entries
            .filter_map(|(name, Found { value, place })| match value.as_table() {
                Some(tree) if is_split(tree) && !tree.keys().any(|key| is_key(key.get_ref())) => {
                    let second = tree.keys().next().map_or("", |key| key.get_ref());
                    place.refused(format!("is cut at the dot; put the name in quotes: \"{}.{second}\"", name.value))
                }
                Some(tree) => Some((name, Self::open(Some(tree), place, keys))),
                None => place.refused(format!("must be a table with {}", names.join(" and "))),
            })
            .collect()
    }

    /// The table that stands in a string's place: `{ file = "..." }`.
    pub(super) fn reference(&self, key: &Key, keys: &'static [Key]) -> Option<Table<'c>> {
        let found = self.get(key)?;
        Some(Self::open(Some(found.value.as_table()?), found.place, keys))
    }

    /// The tables of a list of such.
    pub(super) fn references(&self, key: &Key, keys: &'static [Key]) -> Option<Vec<Table<'c>>> {
        let list = self.get(key)?;
        if list.value.as_array().is_some_and(|items| items.is_empty()) {
            list.place.problem("is empty; write one at least, or remove it");
        }
        Some(self.items(key).into_iter().map(|(tree, place)| Self::open(Some(tree), place, keys)).collect())
    }

    /// Whether this word stands there, where something else may too.
    pub(super) fn is_word(&self, key: &Key, word: &str) -> bool {
        self.tree.and_then(|tree| tree.get(key.name)).is_some_and(|value| value.get_ref().as_str() == Some(word))
    }

    /// Whether a string stands there, where something else may too.
    pub(super) fn is_text(&self, key: &Key) -> bool {
        self.tree.and_then(|tree| tree.get(key.name)).is_some_and(|value| value.get_ref().is_str())
    }

    /// Says that a key is missing which only now is known to be needed; `line` is what to add.
    pub(super) fn lacks(&self, key: &Key, line: &str) {
        let place = self.place.below(key.name, self.place.offset);
        place.missing(format!("is missing; add `{line}`. {}", key.says));
    }

    /// What stands behind the key, if it is of the key's form.
    fn get(&self, key: &Key) -> Option<Found<'c, &'c DeValue<'c>>> {
        let Some(value) = self.tree.and_then(|tree| tree.get(key.name)) else {
            if let Presence::Required(line) = key.presence {
                let place = self.place.below(key.name, self.place.offset);
                place.missing(format!("is missing; add `{line}`. {}", key.says));
            }
            return None;
        };
        let place = self.place.below(key.name, value.span().start);
        if !key.form.accepts(value.get_ref()) {
            place.problem(remedy::wrong_form(&place.key, key, value.get_ref()));
            return None;
        }
        Some(place.with(value.get_ref()))
    }

    fn items(&self, key: &Key) -> Vec<(&'c DeTable<'c>, Place<'c>)> {
        let Some(Found { value, place }) = self.get(key) else {
            return Vec::new();
        };
        let items = value.as_array().into_iter().flat_map(|items| items.iter());
        items.filter_map(|item| Some((item.get_ref().as_table()?, place.at(item)))).collect()
    }

    fn entries(&self, key: &Key) -> Vec<(Found<'c, &'c str>, Found<'c, &'c DeValue<'c>>)> {
        let Some(Found { value, place }) = self.get(key) else {
            return Vec::new();
        };
        let entries = value.as_table().into_iter().flatten();
        entries
            .map(|(name, value)| {
                let written = name.get_ref().as_ref();
                let named = place.below(written, name.span().start).with(written);
                (named, place.below(written, value.span().start).with(value.get_ref()))
            })
            .collect()
    }
}

impl<'c> Place<'c> {
    fn at(&self, item: &Spanned<DeValue<'c>>) -> Self {
        Self { offset: item.span().start, ..self.clone() }
    }

    pub(super) fn with<T>(self, value: T) -> Found<'c, T> {
        Found { value, place: self }
    }
}

impl<'c> Found<'c, &str> {
    pub(super) fn parsed<T, E: Display>(self, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<Found<'c, T>> {
        match parse(self.value) {
            Ok(value) => Some(self.place.with(value)),
            Err(error) => self.place.refused(error.to_string()),
        }
    }
}

/// Whether a name with a dot in it, written without quotes, has become tables in a table.
fn is_split(tree: &DeTable<'_>) -> bool {
    !tree.is_empty() && tree.values().all(|value| value.get_ref().is_table())
}
