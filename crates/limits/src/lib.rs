//! How often something may happen, and how much of it at a time, for each agent, user, client, provider and address.
//!
//! **Invariant:** memory is bounded: of the names that were seen, each limit remembers so many, beside those that somebody has a
//! [`Bucket`] of, and forgets those that were quiet longest.

mod crowd;
mod houseful;
mod rate;
mod shelf;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use protocol::Timestamp;

pub use crowd::{Corner, Crowd, Place};
pub use houseful::{Houseful, Room, Stay};
pub use rate::{Rate, RateError};
use shelf::Shelf;

/// A limit for each of many names. Cheap to clone.
#[derive(Clone)]
pub struct Limit(Option<Arc<Buckets>>);

struct Buckets {
    rate: Rate,
    shelf: Shelf,
}

/// What one name has taken of a limit. All buckets of one name are one. Cheap to clone, and to be kept by whoever takes often: taking
/// from it looks nothing up and locks nothing.
#[derive(Clone)]
pub struct Bucket(Option<(Rate, Arc<Taken>)>);

/// The moment, in microseconds, until which what was done already takes (the theoretical arrival time of GCRA).
#[derive(Default)]
struct Taken(AtomicU64);

/// Too many; how long until the next one has a chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait(pub Duration);

impl Limit {
    /// No limit at all where `rate` is `None`.
    #[must_use]
    pub fn new(rate: Option<Rate>) -> Self {
        Self(rate.map(|rate| Arc::new(Buckets { rate, shelf: Shelf::new(MOST_NAMES) })))
    }

    /// What `name` takes from: for as long as somebody has it, it is not forgotten.
    #[must_use]
    pub fn bucket(&self, name: &str, now: Timestamp) -> Bucket {
        Bucket(self.0.as_ref().map(|buckets| (buckets.rate, buckets.shelf.of(name, micros(now)))))
    }

    /// One more by `name`.
    pub fn take(&self, name: &str, now: Timestamp) -> Result<(), Wait> {
        self.bucket(name, now).take(now)
    }

    /// Whether one more by `name` would be taken, without taking it.
    pub fn look(&self, name: &str, now: Timestamp) -> Result<(), Wait> {
        let Some(buckets) = &self.0 else { return Ok(()) };
        let Some(taken) = buckets.shelf.look(name) else { return Ok(()) };
        buckets.rate.next(taken.until(), micros(now)).map(drop)
    }
}

impl Bucket {
    /// One more.
    pub fn take(&self, now: Timestamp) -> Result<(), Wait> {
        let Some((rate, taken)) = &self.0 else { return Ok(()) };
        let (now, mut until) = (micros(now), taken.until());
        loop {
            let next = rate.next(until, now)?;
            match taken.0.compare_exchange_weak(until, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(other) => until = other,
            }
        }
    }
}

impl Taken {
    fn until(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl std::fmt::Debug for Bucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bucket({:?})", self.0.as_ref().map(|(rate, taken)| (rate, taken.until())))
    }
}

fn micros(now: Timestamp) -> u64 {
    now.as_millis().saturating_mul(1000)
}

/// For each limit.
const MOST_NAMES: usize = 100_000;

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
    fn without_a_rate_there_is_no_limit() {
        let limit = Limit::new(None);
        assert!((0..10_000).all(|_| limit.take("a", NOW).is_ok()));
        assert_eq!(limit.bucket("a", NOW).take(NOW), Ok(()));
    }

    #[test]
    fn buckets_of_one_name_are_one_even_after_a_flood_of_others() {
        let limit = Limit::new(Rate::parse("3/h").expect("a rate"));
        let bucket = limit.bucket("a", NOW);
        assert_eq!(bucket.take(NOW), Ok(()));
        for number in 0..MOST_NAMES + MOST_NAMES / 2 {
            assert_eq!(limit.take(&number.to_string(), NOW), Ok(()));
        }
        assert_eq!(limit.take("a", NOW), Ok(()));
        assert_eq!(limit.clone().bucket("a", NOW).take(NOW), Ok(()));
        assert!(bucket.take(NOW).is_err() && limit.look("a", NOW).is_err());
        assert_eq!(bucket.clone().take(NOW.plus(Duration::from_secs(1201))), Ok(()));
    }

    #[test]
    fn several_threads_take_no_more_than_there_is() {
        let limit = Limit::new(Rate::parse("1000/h").expect("a rate"));
        let taken = |_| {
            let limit = limit.clone();
            std::thread::spawn(move || {
                let bucket = limit.bucket("a", NOW);
                (0..1000).filter(|_| bucket.take(NOW).is_ok()).count()
            })
        };
        let threads: Vec<_> = (0..4).map(taken).collect();
        assert_eq!(threads.into_iter().map(|thread| thread.join().expect("no panic")).sum::<usize>(), 1000);
    }
}
