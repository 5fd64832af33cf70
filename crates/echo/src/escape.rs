//! Characters that are not written as they are: `%2F`, `\u002f`, `\/`, `&#x2f;`, `&amp;`.

/// What begins at a place, if an escape does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Escape {
    None,
    /// It ends before it can be told which.
    Cut,
    /// This byte, written in so many.
    Of(u8, usize),
}

/// Each escape begins with one of these.
pub(crate) const FIRST: [u8; 3] = [b'%', b'\\', b'&'];
/// With which an escape that is cut may end, besides.
pub(crate) const INNER: &str = "0123456789abcdefABCDEFuxX#ampltgquos\\";
/// The longest one, in bytes.
pub(crate) const LONGEST: usize = 3 + MOST_DIGITS;

pub(crate) fn read(bytes: &[u8]) -> Escape {
    match bytes {
        [b'%', rest @ ..] => numbered(rest, 1, 2),
        [b'\\', rest @ ..] => backslashed(rest),
        [b'&', b'#', b'x' | b'X', rest @ ..] => entity(rest, 3, 16),
        [b'&', b'#', rest @ ..] => entity(rest, 2, 10),
        [b'&', rest @ ..] => named(rest),
        _ => Escape::None,
    }
}

/// What of JSON's escapes stands for a character that a secret may have (RFC 8259 §7); some escape an apostrophe, too.
fn backslashed(rest: &[u8]) -> Escape {
    match rest {
        [] => Escape::Cut,
        [b'u', digits @ ..] => numbered(digits, 2, 4),
        [byte, ..] if SHORT.contains(byte) => Escape::Of(*byte, 2),
        _ => Escape::None,
    }
}

/// So many hexadecimal digits after `before` bytes.
fn numbered(digits: &[u8], before: usize, many: usize) -> Escape {
    let mut value = 0u32;
    for at in 0..many {
        let Some(byte) = digits.get(at) else { return Escape::Cut };
        let Some(digit) = char::from(*byte).to_digit(16) else { return Escape::None };
        value = value << 4 | digit;
    }
    byte(value, before + many)
}

/// Digits and a semicolon after `before` bytes.
fn entity(rest: &[u8], before: usize, radix: u32) -> Escape {
    let mut value = 0u32;
    for (at, byte_there) in rest.iter().take(MOST_DIGITS).enumerate() {
        if *byte_there == b';' && at > 0 {
            return byte(value, before + at + 1);
        }
        let Some(digit) = char::from(*byte_there).to_digit(radix) else { return Escape::None };
        value = value.saturating_mul(radix).saturating_add(digit);
    }
    if rest.len() < MOST_DIGITS { Escape::Cut } else { Escape::None }
}

fn named(rest: &[u8]) -> Escape {
    for (name, byte) in NAMES {
        if rest.starts_with(name) {
            return Escape::Of(byte, 1 + name.len());
        }
        if name.starts_with(rest) {
            return Escape::Cut;
        }
    }
    if rest.is_empty() || rest == b"#" { Escape::Cut } else { Escape::None }
}

/// How every escape of this byte may begin: three bytes, or two where it has no more.
pub(crate) fn beginnings(byte: u8) -> Vec<Vec<u8>> {
    let [high, low] = [byte >> 4, byte & 15].map(|digit| char::from_digit(u32::from(digit), 16).unwrap_or_default());
    let percent = [low, low.to_ascii_uppercase()]
        .into_iter()
        .flat_map(|low| [high, high.to_ascii_uppercase()].map(|high| format!("%{high}{low}")));
    let decimal = byte.to_string();
    let numbers = ["\\u0", "&#x", "&#X", "&#0"]
        .map(str::to_owned)
        .into_iter()
        .chain([decimal.chars().take(1).fold("&#".to_owned(), |text, digit| text + digit.encode_utf8(&mut [0; 4]))]);
    let mut all: Vec<Vec<u8>> = percent.chain(numbers).map(String::into_bytes).collect();
    if SHORT.contains(&byte) {
        all.push(vec![b'\\', byte]);
    }
    all.extend(
        NAMES
            .iter()
            .filter(|(_, named)| *named == byte)
            .map(|(name, _)| [b"&", name.get(..2).unwrap_or_default()].concat()),
    );
    all.sort_unstable();
    all.dedup();
    all
}

fn byte(value: u32, length: usize) -> Escape {
    u8::try_from(value).map_or(Escape::None, |byte| Escape::Of(byte, length))
}

/// By name, as XML has them.
const NAMES: [(&[u8], u8); 5] = [(b"amp;", b'&'), (b"lt;", b'<'), (b"gt;", b'>'), (b"quot;", b'"'), (b"apos;", b'\'')];
/// Behind a backslash.
const SHORT: [u8; 4] = [b'/', b'"', b'\\', b'\''];
/// In a numbered entity, with its semicolon.
const MOST_DIGITS: usize = 7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_is_read_in_each_of_its_forms() {
        for (text, byte) in [
            ("%2F", b'/'),
            ("%2f", b'/'),
            ("\\/", b'/'),
            ("\\u002F", b'/'),
            ("\\u002f", b'/'),
            ("\\\"", b'"'),
            ("&#x2f;", b'/'),
            ("&#X2F;", b'/'),
            ("&#47;", b'/'),
            ("&#0047;", b'/'),
            ("&amp;", b'&'),
            ("&quot;", b'"'),
        ] {
            assert_eq!(read(text.as_bytes()), Escape::Of(byte, text.len()), "{text}");
            assert_eq!(read(format!("{text}tail").as_bytes()), Escape::Of(byte, text.len()), "{text}");
            for cut in 1..text.len() {
                assert_eq!(read(&text.as_bytes()[..cut]), Escape::Cut, "{text} cut at {cut}");
            }
        }
        for text in
            ["", "a", "%zz", "%2g", "\\q", "\\u00g0", "\\u0100", "&nbsp;", "&#;", "&#x;", "&#xzz;", "&#00000000047;"]
        {
            assert_eq!(read(text.as_bytes()), Escape::None, "{text}");
        }
    }
}
