use std::io::{self, ErrorKind};
use std::path::Path;

use zeroize::Zeroizing;

use super::environment::{Contents, Readers};
use super::key::{Form, Key};
use super::reader::{Found, Table};

/// Where a text came from that does not stand in the file itself.
pub(super) type Kept<'c> = Found<'c, Zeroizing<String>>;

/// The secret that a key says the place of.
pub(super) fn one<'c>(table: &Table<'c>, key: &Key) -> Option<Kept<'c>> {
    fetch(&table.reference(key, KEYS)?, KEYS)
}

/// The secrets of a list; `None` where the key is not there.
pub(super) fn list<'c>(table: &Table<'c>, key: &Key) -> Option<Vec<Kept<'c>>> {
    Some(table.references(key, KEYS)?.iter().filter_map(|place| fetch(place, KEYS)).collect())
}

/// The secret whose place stands in this table.
pub(super) fn at<'c>(place: &Table<'c>) -> Option<Kept<'c>> {
    fetch(place, KEYS)
}

/// A text that stands in the file, or is kept as a secret is.
pub(super) fn literal_or_one<'c>(table: &Table<'c>, key: &Key) -> Option<Kept<'c>> {
    literal_or(table, key, KEYS)
}

/// A text that stands in the file, or in a file of its own.
pub(super) fn literal_or_file<'c>(table: &Table<'c>, key: &Key) -> Option<Kept<'c>> {
    literal_or(table, key, FILE_KEYS)
}

/// A file that a key names; that it cannot be read is reported there.
pub(super) fn contents(file: &Found<'_, &str>) -> Option<Contents> {
    match file.place.environment().read(Path::new(file.value)) {
        Ok(contents) => Some(contents),
        Err(error) => file.place.refused(format!("{} {}", file.value, unreadable(&error))),
    }
}

/// Says so where a file that holds a secret can be read by everybody.
pub(super) fn warn_of_readers(file: &Found<'_, &str>, readers: Readers) {
    if readers == Readers::Everyone {
        file.place.warning(format!("{0} can be read by every user of this machine; chmod o-r {0}", file.value));
    }
}

/// Why a file was not read, in words.
pub(super) fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "does not exist".to_owned(),
        ErrorKind::PermissionDenied => "cannot be read by this user".to_owned(),
        ErrorKind::FileTooLarge => "is larger than 1 MiB".to_owned(),
        kind => format!("cannot be read: {kind}"),
    }
}

fn literal_or<'c>(table: &Table<'c>, key: &Key, keys: &'static [Key]) -> Option<Kept<'c>> {
    if table.is_text(key) {
        let found = table.text(key)?;
        return Some(found.place.with(Zeroizing::new(found.value.to_owned())));
    }
    fetch(&table.reference(key, keys)?, keys)
}

/// Reads what `{ file = "..." }` or `{ env = "..." }` refers to, as far as `keys` has them. Line ends after it do not belong to it.
fn fetch<'c>(table: &Table<'c>, keys: &[Key]) -> Option<Kept<'c>> {
    let source = |wanted: &Key| keys.iter().find(|key| key.name == wanted.name).and_then(|key| table.text(key));
    let (text, place) = match (source(&FILE), source(&ENV)) {
        (Some(file), None) => (from_file(&file)?, file.place),
        (None, Some(variable)) => (from_variable(&variable)?, variable.place),
        _ => {
            let forms: Vec<String> = keys.iter().map(|key| format!("{{ {} = \"...\" }}", key.name)).collect();
            return table.place().refused(format!("names no place or several; write {}", forms.join(" or ")));
        }
    };
    let trimmed = text.trim_end_matches(['\r', '\n']);
    if trimmed.is_empty() {
        return place.refused("is empty there; put the value into it");
    }
    if trimmed.starts_with([' ', '\t']) || trimmed.ends_with([' ', '\t']) {
        place.warning("begins or ends with white space there, which is sent like the rest; remove it if it is a slip");
    }
    Some(place.with(Zeroizing::new(trimmed.to_owned())))
}

fn from_file(file: &Found<'_, &str>) -> Option<Zeroizing<String>> {
    let contents = contents(file)?;
    warn_of_readers(file, contents.readers);
    match std::str::from_utf8(&contents.bytes) {
        Ok(text) => Some(Zeroizing::new(text.to_owned())),
        Err(_) => file.place.refused(format!("{} is not UTF-8 text", file.value)),
    }
}

fn from_variable(variable: &Found<'_, &str>) -> Option<Zeroizing<String>> {
    // A name is shown only where it looks like one: somebody may have put the secret itself in its place.
    let usual = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    if !variable.value.bytes().all(usual) || variable.value.is_empty() {
        return variable.place.refused("is no name of a variable; write it in A-Z, 0-9 and _");
    }
    match variable.place.environment().variable(variable.value).map(|value| value.into_string().map(Zeroizing::new)) {
        Some(Ok(value)) => Some(value),
        Some(Err(_)) => variable.place.refused(format!("the variable {} is not UTF-8 text", variable.value)),
        None => {
            variable
                .place
                .problem(format!("the variable {0} is not set; set {0} where the gateway is started", variable.value));
            None
        }
    }
}

pub(super) const KEYS: &[Key] = &[FILE, ENV];
const FILE_KEYS: &[Key] = &[FILE];
pub(super) const FILE: Key = Key::optional("file", Form::Text, "The file that holds it.");
pub(super) const ENV: Key = Key::optional("env", Form::Text, "The environment variable that holds it.");
