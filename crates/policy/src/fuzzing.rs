//! What fuzz targets and tests call alike: any bytes as a body, and a second, plain reader of what they ask for, that shares nothing with
//! the first.
#![expect(clippy::panic, reason = "a panic is how a fuzz target says what it found")]

use std::collections::{BTreeMap, BTreeSet};

use http::HeaderMap;
use serde_json::Value;

use crate::content::{Content, Reading};

/// Any bytes as a body: what is read of it is what a lenient reader finds there, too, and nothing besides is to be found.
///
/// # Panics
/// Where that is not so.
pub fn body_content(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        let body = serde_json::json!({"query": text}).to_string();
        judge(body.as_bytes());
    }
    judge(data);
}

fn judge(body: &[u8]) {
    let headers = HeaderMap::new();
    for reading in Reading::all() {
        let Ok(content) = Content::read(reading, body, &headers) else { continue };
        let value: Value = serde_json::from_slice(body).unwrap_or_default();
        let member = |name: &str| value.get(name).and_then(Value::as_str);
        if let Some(method) = content.method() {
            assert_eq!(member("method"), Some(method), "{value}");
        }
        if let Some(fields) = content.fields() {
            let text = member("query").unwrap_or_default();
            let plain = Plain::read(text);
            let Some(plain) = plain else { panic!("only one of two readers understands {text:?}") };
            assert_eq!(plain, fields, "{text:?}");
        }
    }
}

/// Reads just so much of GraphQL as it takes to find the root fields of a document that is right.
struct Plain<'t> {
    tokens: Vec<&'t str>,
    at: usize,
}

/// Root fields, and fragments spread beside them.
type Roots<'t> = (BTreeSet<&'t str>, BTreeSet<&'t str>);

impl<'t> Plain<'t> {
    /// The fields, each behind its operation's word; `None` where it is not right.
    fn read(text: &'t str) -> Option<BTreeSet<String>> {
        let mut plain = Self { tokens: tokens(text)?, at: 0 };
        let (mut operations, mut fragments) = (Vec::new(), BTreeMap::new());
        while let Some(word) = plain.next() {
            if word == "fragment" {
                let name = plain.next()?;
                plain.skip_to_selections();
                fragments.insert(name, plain.selections()?);
            } else {
                let kind = if word == "{" { "query" } else { word };
                if word != "{" {
                    plain.skip_to_selections();
                }
                operations.push((kind, plain.selections()?));
            }
        }
        let mut found = BTreeSet::new();
        for (kind, (fields, spreads)) in operations {
            let (mut left, mut seen) = (vec![(fields, spreads)], BTreeSet::new());
            while let Some((fields, spreads)) = left.pop() {
                found.extend(fields.into_iter().map(|field| format!("{kind} {field}")));
                for spread in spreads {
                    if seen.insert(spread) {
                        left.push(fragments.get(spread)?.clone());
                    }
                }
            }
        }
        Some(found)
    }

    fn next(&mut self) -> Option<&'t str> {
        let token = self.tokens.get(self.at).copied();
        self.at += 1;
        token
    }

    fn is_next(&mut self, wanted: &str) -> bool {
        let is = self.tokens.get(self.at) == Some(&wanted);
        self.at += usize::from(is);
        is
    }

    /// Behind the brace that opens them; braces in parentheses are values.
    fn skip_to_selections(&mut self) {
        let mut depth = 0_usize;
        while let Some(token) = self.next() {
            match token {
                "(" => depth += 1,
                ")" => depth = depth.saturating_sub(1),
                "{" if depth == 0 => return,
                _ => {}
            }
        }
    }

    fn skip(&mut self, open: &str, close: &str) {
        if !self.is_next(open) {
            return;
        }
        let mut depth = 1_usize;
        while depth > 0 {
            match self.next() {
                Some(token) if token == open => depth += 1,
                Some(token) if token == close => depth -= 1,
                Some(_) => {}
                None => return,
            }
        }
    }

    fn skip_directives(&mut self) {
        while self.is_next("@") {
            self.next();
            self.skip("(", ")");
        }
    }

    /// Up to the brace that closes them.
    fn selections(&mut self) -> Option<Roots<'t>> {
        let (mut fields, mut spreads) = (BTreeSet::new(), BTreeSet::new());
        loop {
            let token = self.next()?;
            match token {
                "}" => return Some((fields, spreads)),
                "..." => {
                    let is_inline = if self.is_next("on") {
                        self.next();
                        true
                    } else {
                        matches!(self.tokens.get(self.at), Some(&"@" | &"{"))
                    };
                    if !is_inline {
                        spreads.insert(self.next()?);
                    }
                    self.skip_directives();
                    if is_inline && self.is_next("{") {
                        let (more, further) = self.selections()?;
                        fields.extend(more);
                        spreads.extend(further);
                    }
                }
                name => {
                    fields.insert(if self.is_next(":") { self.next()? } else { name });
                    self.skip("(", ")");
                    self.skip_directives();
                    self.skip("{", "}");
                }
            }
        }
    }
}

/// Names, strings, numbers and signs; what is between them is nothing.
fn tokens(text: &str) -> Option<Vec<&str>> {
    let (mut found, mut rest) = (Vec::new(), text);
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\n', '\r', ',']);
        if let Some(comment) = rest.strip_prefix('#') {
            rest = comment.trim_start_matches(|letter| !matches!(letter, '\n' | '\r'));
            continue;
        }
        let Some(first) = rest.chars().next() else { return Some(found) };
        let word = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '+');
        let length = match first {
            '"' => string(rest)?,
            '.' if rest.starts_with("...") => 3,
            _ if word(first) => rest.find(|letter| !word(letter)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (token, after) = rest.split_at_checked(length)?;
        found.push(token);
        rest = after;
    }
}

/// How long the string is that begins here.
fn string(text: &str) -> Option<usize> {
    let mut at = if text.starts_with("\"\"\"") { 3 } else { 1 };
    let is_block = at == 3;
    loop {
        let rest = text.get(at..)?;
        at += match (is_block, rest.as_bytes()) {
            (_, []) => return None,
            (true, [b'\\', b'"', b'"', b'"', ..]) => 4,
            (true, [b'"', b'"', b'"', ..]) => return Some(at + 3),
            (false, [b'\\', _, ..]) => 1 + rest.chars().nth(1)?.len_utf8(),
            (false, [b'"', ..]) => return Some(at + 1),
            _ => rest.chars().next()?.len_utf8(),
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_corpus_holds() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fuzz/corpus/body_content");
        let inputs: Vec<_> = std::fs::read_dir(folder).expect("a corpus").collect();
        assert!(inputs.len() >= 5, "{} inputs", inputs.len());
        for input in inputs {
            body_content(&std::fs::read(input.expect("an input").path()).expect("it can be read"));
        }
    }

    #[test]
    fn the_plain_reader_finds_what_is_there() {
        let found = |text| Plain::read(text).map(|found| found.into_iter().collect::<Vec<_>>().join(", "));
        assert_eq!(
            found(
                "query Q($a:X={b:\"}\"})@d{x:a(b:\"\"\"}{\\\"\"\"\"\"\"){c} ...F} mutation{m} fragment F on T{f ...on T{g}}"
            ),
            Some("mutation m, query a, query f, query g".to_owned())
        );
        assert_eq!(found("{...F}"), None);
        assert_eq!(found("{a"), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn two_readers_find_the_same(
            pieces in prop::collection::vec(
                prop::sample::select(vec![
                    "{", "}", "{a}", "a", "b:", "...", "on", "F", "fragment F on T", "query", "mutation", "(a:1)", "@d", "\"}{\"", "\"\"\"\\\"\"\"}\"\"\"",
                    "#}\n", ",", " ", "$v", "[", "]", "(", ")", ":", "\"", "\\", "\u{e9}", "null", "{b c}", "...{x}", "...F",
                ]),
                0..14,
            ),
        ) {
            body_content(pieces.concat().as_bytes());
            body_content(format!("{{{}}}", pieces.join(" ")).as_bytes());
        }
    }
}
