//! What goes into the placeholders of a preset.

use std::collections::BTreeMap;

use catalogue::{Form, Preset, Value};
use toml::de::DeTable;

use crate::config::reader::Place;
use crate::config::suggest;

/// What goes into the preset's placeholders. What is missing or wrong is reported, and an example stands in for it, so that nothing else is
/// found wrong because of it.
pub(super) fn filled<'v>(table: &'v DeTable<'_>, preset: &'v Preset, at: &Place<'_>) -> BTreeMap<&'v str, &'v str> {
    let written = table.get_key_value("values");
    let offset = written.map(|(key, _)| key.span().start);
    let written = written.and_then(|(_, value)| value.get_ref().as_table());
    if let (Some(written), Some(offset)) = (written, offset) {
        unknown(written, preset, &at.beside("values", offset));
    }
    let is_missing =
        |value: &&Value| value.default().is_none() && written.is_none_or(|table| !table.contains_key(value.name()));
    let missing: Vec<&Value> = preset.values().iter().filter(is_missing).collect();
    if !missing.is_empty() {
        let names: Vec<String> = missing.iter().map(|value| format!("`{}`", value.name())).collect();
        let says: Vec<&str> = missing.iter().map(|value| value.says()).collect();
        let entries: Vec<String> = missing.iter().map(|value| entry(value)).collect();
        let (noun, entries) = (if missing.len() == 1 { "value" } else { "values" }, entries.join(", "));
        let line = if written.is_some() {
            format!("Add to values: `{entries}`")
        } else {
            format!("Write them as in `values = {{ {entries} }}`")
        };
        at.missing(format!("needs the {noun} {}. {} {line}", names.join(" and "), says.join(" ")));
    }
    let mut values: BTreeMap<&str, &str> = preset
        .values()
        .iter()
        .map(|value| {
            let found = written.and_then(|written| written.get(value.name()));
            let place = found
                .zip(offset)
                .map(|(found, offset)| at.beside("values", offset).below(value.name(), found.span().start));
            (value.name(), chosen(value, found.and_then(|found| found.get_ref().as_str()), place))
        })
        .collect();
    if preset.wants_client_id() && !super::goes_by_key(table) {
        values.insert(catalogue::CLIENT_ID, client_id(table, at));
    }
    values
}

fn chosen<'v>(value: &'v Value, written: Option<&'v str>, place: Option<Place<'_>>) -> &'v str {
    match (written, place) {
        (Some(text), Some(place)) => match value.form().check(text) {
            Ok(()) => return text,
            Err(error) => {
                let hint = match value.form().mended(text) {
                    Some((slip, mended)) => format!("It {slip}; write `{} = {mended:?}`", value.name()),
                    None => format!("{} Write it as in `values = {{ {} }}`", value.says(), entry(value)),
                };
                place.problem(format!("{error}. {hint}"));
            }
        },
        // Something else than a string: that is reported where the table is read.
        (None, Some(_)) => {}
        // Where there is no default either, that was reported for all values at once.
        _ => return value.default().unwrap_or(value.example()),
    }
    value.example()
}

fn entry(value: &Value) -> String {
    format!("{} = {:?}", value.name(), value.example())
}

fn unknown(written: &DeTable<'_>, preset: &Preset, place: &Place<'_>) {
    let known = || preset.values().iter().map(Value::name);
    for (key, _) in written.iter().filter(|(key, _)| !known().any(|name| name == key.get_ref())) {
        let remedy = match suggest::nearest(key.get_ref(), known()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if preset.values().is_empty() => "the preset wants none".to_owned(),
            None => format!("known are {}", known().collect::<Vec<_>>().join(", ")),
        };
        place.below(key.get_ref(), key.span().start).problem(format!("is no value of the preset; {remedy}"));
    }
}

/// For URLs that hold it. Where it is missing, that is reported by whoever reads it.
fn client_id<'v>(table: &'v DeTable<'_>, at: &Place<'_>) -> &'v str {
    let oauth = || table.get("oauth")?.get_ref().as_table()?.get("client_id");
    let found = table.get("client_id").or_else(oauth);
    let Some(text) = found.and_then(|value| value.get_ref().as_str()) else { return "client-id" };
    if Form::Segment.check(text).is_ok() {
        return text;
    }
    let place = at.beside("client_id", found.map_or(0, |value| value.span().start));
    place.problem("stands in a URL of the preset, and holds what cannot stand there; check it for a slip, or write the URLs here yourself");
    "client-id"
}
