//! How often something may happen, for each agent, user, client and address.
//!
//! **Invariant:** memory is bounded: of the names that were seen, each limit remembers so many, and forgets those that were quiet longest.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::sync::Cache;
use protocol::Timestamp;

/// So many in so much time: that many at once, then evenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    count: u64,
    period: Duration,
}

/// A text of another form than `600/m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no rate; write a number from 1 to 1000000 and s, m or h, such as \"20/s\" or \"600/m\", or \"off\"")]
pub struct RateError;

impl Rate {
    /// Reads `20/s`, `600/m`, `5000/h`; `None` for `off`.
    pub fn parse(text: &str) -> Result<Option<Self>, RateError> {
        if text == "off" {
            return Ok(None);
        }
        let (count, unit) = text.split_once('/').ok_or(RateError)?;
        let count = count.parse().ok().filter(|count| (1..=1_000_000).contains(count)).ok_or(RateError)?;
        let period = match unit {
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            "h" => Duration::from_secs(3600),
            _ => return Err(RateError),
        };
        Ok(Some(Self { count, period }))
    }

    /// Microseconds from one to the next.
    fn interval(self) -> u64 {
        let period = u64::try_from(self.period.as_micros()).unwrap_or(u64::MAX);
        (period / self.count).max(1)
    }
}

/// A limit for each of many names.
#[derive(Clone)]
pub struct Limit(Option<Arc<Buckets>>);

struct Buckets {
    rate: Rate,
    /// For each name the moment, in microseconds, until which what it did already takes (the theoretical arrival time of GCRA).
    taken: Cache<String, Arc<AtomicU64>>,
}

/// Too many; how long until the next one has a chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait(pub Duration);

impl Limit {
    /// No limit at all where `rate` is `None`.
    #[must_use]
    pub fn new(rate: Option<Rate>) -> Self {
        let buckets = |rate: Rate| {
            // Quiet for so long, a name has everything again: there is nothing to remember.
            let taken = Cache::builder().max_capacity(MOST_NAMES).time_to_idle(rate.period * 2).build();
            Arc::new(Buckets { rate, taken })
        };
        Self(rate.map(buckets))
    }

    /// One more by `name`.
    pub fn take(&self, name: &str, now: Timestamp) -> Result<(), Wait> {
        let Some(buckets) = &self.0 else { return Ok(()) };
        let bucket = match buckets.taken.get(name) {
            Some(bucket) => bucket,
            None => buckets.taken.get_with(name.to_owned(), Arc::default),
        };
        buckets.rate.take(&bucket, micros(now))
    }

    /// Whether one more by `name` would be taken, without taking it.
    pub fn look(&self, name: &str, now: Timestamp) -> Result<(), Wait> {
        let Some(buckets) = &self.0 else { return Ok(()) };
        let Some(bucket) = buckets.taken.get(name) else { return Ok(()) };
        buckets.rate.next(bucket.load(Ordering::Relaxed), micros(now)).map(drop)
    }
}

impl Rate {
    fn take(self, bucket: &AtomicU64, now: u64) -> Result<(), Wait> {
        let mut taken = bucket.load(Ordering::Relaxed);
        loop {
            let next = self.next(taken, now)?;
            match bucket.compare_exchange_weak(taken, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(other) => taken = other,
            }
        }
    }

    /// What the bucket says after one more.
    fn next(self, taken: u64, now: u64) -> Result<u64, Wait> {
        let next = taken.max(now).saturating_add(self.interval());
        let latest = now.saturating_add(self.interval().saturating_mul(self.count));
        if next > latest {
            return Err(Wait(Duration::from_micros(next - latest)));
        }
        Ok(next)
    }
}

fn micros(now: Timestamp) -> u64 {
    now.as_millis().saturating_mul(1000)
}

/// For each limit.
const MOST_NAMES: u64 = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);

    #[test]
    fn so_many_at_once_then_evenly_and_each_name_by_itself() {
        let limit = Limit::new(Rate::parse("3/s").expect("a rate"));
        let taken = |name: &str, at: u64| limit.take(name, NOW.plus(Duration::from_millis(at)));
        assert_eq!([0, 0, 0].map(|at| taken("a", at)), [Ok(()), Ok(()), Ok(())]);
        assert_eq!(taken("a", 0), Err(Wait(Duration::from_micros(333_333))));
        assert_eq!(limit.look("a", NOW), Err(Wait(Duration::from_micros(333_333))));
        assert_eq!(taken("b", 0), Ok(()));
        assert_eq!(taken("a", 334), Ok(()));
        assert!(taken("a", 335).is_err());
        assert_eq!(limit.look("a", NOW.plus(Duration::from_secs(2))), Ok(()));
    }

    #[test]
    fn rates_are_written_in_one_form() {
        assert_eq!(Rate::parse("off"), Ok(None));
        assert_eq!(Rate::parse("600/m"), Ok(Some(Rate { count: 600, period: Duration::from_secs(60) })));
        for text in ["", "600", "600/d", "0/s", "-1/s", "1000001/s", "1.5/s", "/s", "5 / s"] {
            assert_eq!(Rate::parse(text), Err(RateError), "{text}");
        }
    }

    #[test]
    fn without_a_rate_there_is_no_limit() {
        let limit = Limit::new(None);
        assert!((0..10_000).all(|_| limit.take("a", NOW).is_ok()));
    }
}
