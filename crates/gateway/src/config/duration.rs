use std::time::Duration;

/// A text is no duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no duration; write a whole number with s, m, h or d, from \"1s\" to \"3650d\"")]
pub(super) struct DurationError;

/// Reads `90s`, `10m`, `1h` or `90d`. Nothing lasts no time, and nothing so long that a point in time could overflow.
pub(super) fn parse(text: &str) -> Result<Duration, DurationError> {
    let unit = text.chars().next_back().ok_or(DurationError)?;
    let seconds_each = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => DAY,
        _ => return Err(DurationError),
    };
    let digits = text.strip_suffix(unit).unwrap_or_default();
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DurationError);
    }
    let count: u64 = digits.parse().map_err(|_| DurationError)?;
    let seconds = count.checked_mul(seconds_each).ok_or(DurationError)?;
    if seconds == 0 || seconds > 3650 * DAY {
        return Err(DurationError);
    }
    Ok(Duration::from_secs(seconds))
}

/// The same, with the mended text where the unit alone is missing.
pub(super) fn read(text: &str) -> Result<Duration, String> {
    parse(text).map_err(|error| match parse(&format!("{text}s")) {
        Ok(_) => format!("has no unit; write \"{text}s\", or another of m, h and d"),
        Err(_) => error.to_string(),
    })
}

const DAY: u64 = 24 * 60 * 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_and_a_unit() {
        for (text, seconds) in [("90s", 90), ("10m", 600), ("1h", 3600), ("90d", 7_776_000), ("3650d", 315_360_000)] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_none() {
        for text in
            ["", "s", "90", "1.5h", "-1s", "+1s", "1 h", "1H", "1h30m", "0s", "3651d", "99999999999999999999d", "1µ"]
        {
            assert_eq!(parse(text), Err(DurationError), "{text:?}");
        }
    }
}
