use std::time::Duration;

use crate::Wait;

/// So many in so much time: that many at once, then evenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// From one to the next, in microseconds.
    interval: u64,
    /// All that can be taken at once, as the time it takes to come back, in microseconds.
    whole: u64,
}

/// A text of another form than `600/m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no rate; write a number from 1 to 1000000 and s, m or h, such as \"20/s\" or \"600/m\", or \"off\"")]
pub struct RateError;

impl Rate {
    /// One in so much time, and never two at once.
    #[must_use]
    pub fn every(interval: Duration) -> Self {
        let interval = u64::try_from(interval.as_micros()).unwrap_or(u64::MAX).max(1);
        Self { interval, whole: interval }
    }

    /// Reads `20/s`, `600/m`, `5000/h`; `None` for `off`.
    pub fn parse(text: &str) -> Result<Option<Self>, RateError> {
        if text == "off" {
            return Ok(None);
        }
        let (count, unit) = text.split_once('/').ok_or(RateError)?;
        let count: u64 = count.parse().ok().filter(|count| (1..=1_000_000).contains(count)).ok_or(RateError)?;
        let period: u64 = match unit {
            "s" => 1_000_000,
            "m" => 60_000_000,
            "h" => 3_600_000_000,
            _ => return Err(RateError),
        };
        let interval = (period / count).max(1);
        Ok(Some(Self { interval, whole: interval.saturating_mul(count) }))
    }

    /// Until when it takes with one more, where it took until `taken`; both and `now` in microseconds.
    pub(crate) fn next(self, taken: u64, now: u64) -> Result<u64, Wait> {
        let next = taken.max(now).saturating_add(self.interval);
        let latest = now.saturating_add(self.whole);
        if next > latest {
            return Err(Wait(Duration::from_micros(next - latest)));
        }
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_written_in_one_form() {
        assert_eq!(Rate::parse("off"), Ok(None));
        assert_eq!(Rate::parse("600/m"), Ok(Some(Rate { interval: 100_000, whole: 60_000_000 })));
        for text in ["", "600", "600/d", "0/s", "-1/s", "1000001/s", "1.5/s", "/s", "5 / s"] {
            assert_eq!(Rate::parse(text), Err(RateError), "{text}");
        }
    }
}
