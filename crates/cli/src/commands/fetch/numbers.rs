//! Whether JSON passes through this program without a number becoming another one.

/// Whether every number of a JSON text is kept: whole ones within 64 bits, others with no more digits than a double holds.
pub(super) fn are_kept(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some((first, after)) = rest.split_first() {
        rest = match first {
            b'"' => behind_string(after),
            b'-' | b'0'..=b'9' => {
                let end = rest.iter().position(|byte| !is_of_number(*byte)).unwrap_or(rest.len());
                let (number, behind) = rest.split_at(end);
                if !is_kept(number) {
                    return false;
                }
                behind
            }
            _ => after,
        };
    }
    true
}

fn behind_string(text: &[u8]) -> &[u8] {
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = match first {
            b'"' => return after,
            b'\\' => after.get(1..).unwrap_or_default(),
            _ => after,
        };
    }
    rest
}

fn is_of_number(byte: u8) -> bool {
    matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')
}

fn is_kept(number: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(number) else { return false };
    if !text.contains(['.', 'e', 'E']) {
        return text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok();
    }
    let digits = text.split(['e', 'E']).next().unwrap_or_default().bytes().filter(u8::is_ascii_digit).count();
    digits <= DIGITS && text.parse::<f64>().is_ok_and(f64::is_finite)
}

/// Decimal digits that a double holds whatever they are.
const DIGITS: usize = 15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_itself_or_the_text_stays() {
        for kept in ["{}", r#"{"a": 18446744073709551615, "b": [-9223372036854775808, 1.10, 1e5]}"#, "null", "", "12"] {
            assert!(are_kept(kept.as_bytes()), "{kept}");
        }
        for other in [
            r#"{"id": 18446744073709551616}"#,
            "[123456789012345678901234567890]",
            "[0.1234567890123456789]",
            "-9223372036854775809",
            "[1e999]",
            r#"{"a\"1": "x", "b": 99999999999999999999}"#,
        ] {
            assert!(!are_kept(other.as_bytes()), "{other}");
        }
        assert!(are_kept(br#"{"99999999999999999999": "99999999999999999999\\", "b": "\"99999999999999999999"}"#));
    }
}
