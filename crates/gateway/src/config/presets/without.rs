//! What an operator does not want of a preset.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::reader::Place;
use crate::config::suggest;

/// Takes out what the operator does not want of the preset, as in `without = ["oauth.revoke_endpoint", "scopes.write"]`.
pub(super) fn take_out(table: &DeTable<'_>, beneath: &mut DeTable<'_>, place: &Place<'_>) {
    let Some((key, list)) = table.get_key_value("without") else { return };
    let paths: Vec<(&str, usize)> = match list.get_ref() {
        DeValue::String(text) => vec![(text, list.span().start)],
        DeValue::Array(items) => {
            items.iter().filter_map(|item| Some((item.get_ref().as_str()?, item.span().start))).collect()
        }
        _ => Vec::new(),
    };
    for (path, offset) in paths {
        if !remove(beneath, path) {
            let place = place.below(key.get_ref(), offset);
            place.problem(match suggest::nearest(path, names(beneath).iter().map(String::as_str)) {
                Some(meant) => format!("names what the preset does not set; did you mean `{meant}`?"),
                None => {
                    "names what the preset does not set; `ath-gateway providers show` has all that it sets".to_owned()
                }
            });
        }
    }
}

/// A name of a scope may have dots in it.
fn remove(table: &mut DeTable<'_>, path: &str) -> bool {
    if table.remove(path).is_some() {
        return true;
    }
    let Some((first, rest)) = path.split_once('.') else { return false };
    match table.get_mut(first).map(Spanned::get_mut) {
        Some(DeValue::Table(below)) => remove(below, rest),
        _ => false,
    }
}

/// Every path that [`remove`] knows, two tables deep.
fn names(table: &DeTable<'_>) -> Vec<String> {
    let below = |name: &str, value: &DeValue<'_>| {
        let table = value.as_table().into_iter().flatten();
        table.map(|(key, _)| format!("{name}.{}", key.get_ref())).collect::<Vec<_>>()
    };
    let each = table.iter().flat_map(|(key, value)| {
        let mut names = below(key.get_ref(), value.get_ref());
        names.push(key.get_ref().to_string());
        names
    });
    each.collect()
}
