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
    let mut values: BTreeMap<&str, &str> = preset
        .values()
        .iter()
        .map(|value| {
            let found = written.and_then(|written| written.get(value.name()));
            let place = found
                .zip(offset)
                .map(|(found, offset)| at.beside("values", offset).below(value.name(), found.span().start));
            (value.name(), chosen(value, found.and_then(|found| found.get_ref().as_str()), place, at))
        })
        .collect();
    if preset.wants_client_id() && !super::goes_by_key(table) {
        values.insert(catalogue::CLIENT_ID, client_id(table, at));
    }
    values
}

fn chosen<'v>(value: &'v Value, written: Option<&'v str>, place: Option<Place<'_>>, preset: &Place<'_>) -> &'v str {
    let hint = || format!("{} Write it as in `values = {{ {} = {:?} }}`", value.says(), value.name(), value.example());
    match (written, place) {
        (Some(text), Some(place)) => match value.form().check(text) {
            Ok(()) => return text,
            Err(error) => place.problem(format!("{error}. {}", hint())),
        },
        // Something else than a string: that is reported where the table is read.
        (None, Some(_)) => {}
        _ => match value.default() {
            Some(default) => return default,
            None => preset.problem(format!("needs the value `{}`. {}", value.name(), hint())),
        },
    }
    value.example()
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
