//! Texts of others on a terminal. Whoever serves an answer must not be able to move the cursor, hide words, or type for the reader.

use std::borrow::Cow;

use serde_json::Value;

/// A text with nothing in it that a terminal acts on: control characters, and those that turn the direction of reading, are shown as a
/// replacement character. Line ends become spaces.
pub(crate) fn line(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_act) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(|each| if is_act(each) { shown(each) } else { each }).collect())
}

/// A text of several lines, as a terminal may be given it: line ends and tabulators pass.
pub(crate) fn text(text: &str) -> String {
    let passes = |each: char| matches!(each, '\n' | '\t') || !is_act(each);
    text.replace("\r\n", "\n")
        .chars()
        .map(|each| if passes(each) { each } else { char::REPLACEMENT_CHARACTER })
        .collect()
}

/// One line of JSON that is plain as well: what JSON does not have escaped by itself is.
pub(crate) fn json(value: &Value) -> String {
    // None of these stands outside a string.
    let plain = |each: char| if is_act(each) { escaped(each) } else { each.to_string() };
    let written = value.to_string();
    if written.chars().any(is_act) { written.chars().map(plain).collect() } else { written }
}

/// A text that comes in pieces, which may part a character.
#[derive(Debug, Default)]
pub(crate) struct Stream(Vec<u8>);

impl Stream {
    /// What of it can be shown when this piece has come.
    pub(crate) fn next(&mut self, piece: &[u8]) -> String {
        self.0.extend_from_slice(piece);
        // A carriage return waits as well: before a line feed it is none.
        let whole = match std::str::from_utf8(&self.0) {
            Ok(read) => read.trim_end_matches('\r').len(),
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => self.0.len(),
        };
        let shown = text(&String::from_utf8_lossy(self.0.get(..whole).unwrap_or_default()));
        self.0.drain(..whole);
        shown
    }

    /// What is left at the end.
    pub(crate) fn end(self) -> String {
        text(&String::from_utf8_lossy(&self.0))
    }
}

/// Control characters, those that turn the direction of reading, and those that are not seen.
fn is_act(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// In JSON, by its units of UTF-16.
fn escaped(character: char) -> String {
    character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect::<Vec<_>>().concat()
}

fn shown(character: char) -> char {
    if matches!(character, '\n' | '\r' | '\t') { ' ' } else { char::REPLACEMENT_CHARACTER }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_acts_on_a_terminal() {
        for (hostile, plain) in [
            ("Acme", "Acme"),
            ("\u{1b}[2Jgone", "\u{fffd}[2Jgone"),
            ("\u{9b}31mred", "\u{fffd}31mred"),
            ("\u{1b}]0;title\u{7}", "\u{fffd}]0;title\u{fffd}"),
            ("a\rb", "a b"),
            ("a\u{202e}b\u{2066}c", "a\u{fffd}b\u{fffd}c"),
            ("del\u{7f}", "del\u{fffd}"),
            ("Žlutý kůň 日本", "Žlutý kůň 日本"),
        ] {
            assert_eq!(line(hostile), plain);
        }
        assert_eq!(text("a\r\nb\tc\u{1b}[31m\rd"), "a\nb\tc\u{fffd}[31m\u{fffd}d");
    }

    #[test]
    fn a_text_in_pieces_is_as_plain_as_one() {
        let whole = "日本 \u{9b}31m\u{1b}[2J\r\nx\ry".as_bytes();
        for size in 1..8 {
            let mut stream = Stream::default();
            let mut shown: String = whole.chunks(size).map(|piece| stream.next(piece)).collect();
            shown.push_str(&stream.end());
            assert_eq!(shown, "日本 \u{fffd}31m\u{fffd}[2J\nx\u{fffd}y", "in pieces of {size}");
        }
        assert_eq!(Stream::default().next(b"\xff\x1bx"), "\u{fffd}\u{fffd}x");
    }

    #[test]
    fn json_says_the_same_in_plain_characters() {
        let value = json!({"a\u{9b}": "\u{1b}[2J\u{7f}\u{202e}\u{61c}\u{e0041}\n日本"});
        let written = json(&value);
        assert!(!written.chars().any(is_act), "{written}");
        assert_eq!(serde_json::from_str::<Value>(&written).expect("JSON"), value);
    }
}
