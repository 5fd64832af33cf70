//! Values as components of a URL (RFC 3986): whatever is in one, it stays one.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::error::{ArgumentError, Unencodable};
use super::style;

/// A value as one segment of a path, all but RFC 3986's unreserved characters percent-encoded. `.` and `..` have no form that is read as
/// a name by everybody, and nothing at all is no segment.
pub fn segment(value: &str) -> Result<String, Unencodable> {
    match value {
        "" => Err(Unencodable::Empty),
        "." | ".." => Err(Unencodable::Dots),
        _ => Ok(component(value)),
    }
}

/// A query of names and values, without `?`, empty where there are none: a list repeats its name, `null` is left out, and an object has no one form.
pub fn query(pairs: &Map<String, Value>) -> Result<String, ArgumentError> {
    let mut query = Query::default();
    for (name, value) in pairs {
        match value {
            Value::Null => {}
            Value::Array(items) => items.iter().try_for_each(|item| {
                query.add(name, &style::plain(name, item)?);
                Ok(())
            })?,
            _ => query.add(name, &style::plain(name, value)?),
        }
    }
    Ok(query.into_text())
}

/// A value as part of any component.
pub(super) fn component(value: &str) -> String {
    utf8_percent_encode(value, ENCODED).to_string()
}

/// Pairs, each of whose halves is encoded for itself.
#[derive(Debug, Default)]
pub(super) struct Query(String);

impl Query {
    pub(super) fn add(&mut self, name: &str, value: &str) {
        self.add_encoded(name, &component(value));
    }

    /// A value whose parts are encoded already, with what the API wants between them.
    pub(super) fn add_encoded(&mut self, name: &str, value: &str) {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.push_str(&component(name));
        self.0.push('=');
        self.0.push_str(value);
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn only_unreserved_characters_stand_for_themselves() {
        assert_eq!(segment("aZ09-._~"), Ok("aZ09-._~".to_owned()));
        assert_eq!(segment("a/b?c#d%2e;e=f&g+h i:@"), Ok("a%2Fb%3Fc%23d%252e%3Be%3Df%26g%2Bh%20i%3A%40".to_owned()));
        assert_eq!(segment("\r\n\0é"), Ok("%0D%0A%00%C3%A9".to_owned()));
        assert_eq!(segment("../secrets"), Ok("..%2Fsecrets".to_owned()));
        assert_eq!(segment("%2e%2e"), Ok("%252e%252e".to_owned()));
    }

    #[test]
    fn what_is_no_segment_is_refused() {
        assert_eq!(
            [".", "..", ""].map(segment),
            [Err(Unencodable::Dots), Err(Unencodable::Dots), Err(Unencodable::Empty)]
        );
        assert_eq!(segment("..."), Ok("...".to_owned()));
    }

    #[test]
    fn a_query_is_pairs() {
        let pairs = json!({"a b": "x&y=z", "list": [1, "two", true], "none": null, "n": 1.5});
        assert_eq!(
            query(pairs.as_object().expect("an object")),
            Ok("a%20b=x%26y%3Dz&list=1&list=two&list=true&n=1.5".to_owned())
        );
        assert_eq!(query(&Map::new()), Ok(String::new()));
        let nested = json!({"filter": {"a": 1}});
        let said = query(nested.as_object().expect("an object")).expect_err("no form").to_string();
        assert_eq!(said, "`filter` is an object where one plain value goes; write a string, a number, true or false");
    }

    proptest! {
        #[test]
        fn a_segment_stays_one_and_decodes_to_what_it_was(value in ".*") {
            if let Ok(encoded) = segment(&value) {
                prop_assert!(encoded.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte)));
                prop_assert!(!matches!(encoded.as_str(), "" | "." | ".."));
                prop_assert_eq!(percent_decode_str(&encoded).decode_utf8().expect("UTF-8"), value);
            }
        }

        #[test]
        fn a_query_has_the_pairs_it_was_made_of(pairs in proptest::collection::btree_map(".*", ".*", 0..5)) {
            let map: Map<String, Value> = pairs.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
            let text = query(&map).expect("plain values");
            let decode = |text: &str| percent_decode_str(text).decode_utf8().expect("UTF-8").into_owned();
            let read: Vec<(String, String)> = text
                .split('&')
                .filter(|pair| !pair.is_empty())
                .map(|pair| pair.split_once('=').expect("a pair"))
                .map(|(name, value)| (decode(name), decode(value)))
                .collect();
            prop_assert_eq!(read, pairs.into_iter().collect::<Vec<_>>());
        }
    }
}
