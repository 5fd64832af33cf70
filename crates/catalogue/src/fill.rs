use std::borrow::Cow;
use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

/// Puts the values into every string of the table, wherever `{name}` stands; braces around anything else stay. What scopes allow is no place
/// for them: a value must not widen a rule.
pub(crate) fn table(table: &mut DeTable<'_>, values: &BTreeMap<&str, &str>) {
    for (key, below) in table.iter_mut() {
        if key.get_ref() != "allow" {
            value(below.get_mut(), values);
        }
    }
}

fn value(within: &mut DeValue<'_>, values: &BTreeMap<&str, &str>) {
    match within {
        DeValue::String(found) => {
            if let Some(filled) = text(found, values) {
                *found = Cow::Owned(filled);
            }
        }
        DeValue::Array(items) => items.iter_mut().for_each(|item| value(item.get_mut(), values)),
        DeValue::Table(below) => table(below, values),
        _ => {}
    }
}

/// In one go, so that braces in a value are not looked at; `None` where there is nothing to fill in.
fn text(text: &str, values: &BTreeMap<&str, &str>) -> Option<String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let known = after.split_once('}').and_then(|(name, behind)| Some((values.get(name)?, behind)));
        filled.push_str(before);
        rest = if let Some((value, behind)) = known {
            filled.push_str(value);
            behind
        } else {
            filled.push('{');
            after
        };
    }
    if filled.is_empty() {
        return None;
    }
    filled.push_str(rest);
    Some(filled)
}

/// The names between braces in a text.
pub(crate) fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|after| Some(after.split_once('}')?.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled() {
        let values = BTreeMap::from([("shop", "acme"), ("empty", ""), ("odd", "{shop}")]);
        for (before, after) in [
            ("https://{shop}.example/{shop}", "https://acme.example/acme"),
            ("{shop}", "acme"),
            ("{other}/{shop}", "{other}/acme"),
            ("{{shop}}", "{acme}"),
            ("a{", "a{"),
            ("{odd}", "{shop}"),
        ] {
            assert_eq!(text(before, &values).as_deref(), Some(after), "{before}");
        }
        assert_eq!(text("plain", &values), None);
        assert_eq!(placeholders("{a}/{b}{").collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn rules_are_not_filled() {
        let source = "[scopes.a]\nallow = [\"GET /{x}\"]\nasks = \"{x}\"";
        let mut tree = DeTable::parse(source).expect("a table").into_inner();
        table(&mut tree, &BTreeMap::from([("x", "**")]));
        let shown = format!("{tree:?}");
        assert!(shown.contains("GET /{x}") && shown.contains("\"**\""), "{shown}");
    }

    #[test]
    fn every_string_is_reached() {
        let source = "a = \"{x}\"\nb = [\"{x}\", 1]\n[c.d]\ne = \"-{x}-\"\n[[f]]\ng = \"{x}\"";
        let mut tree = DeTable::parse(source).expect("a table").into_inner();
        table(&mut tree, &BTreeMap::from([("x", "y")]));
        let shown = format!("{tree:?}");
        assert!(!shown.contains("{x}") && shown.matches("\"y\"").count() == 3 && shown.contains("-y-"), "{shown}");
    }
}
