use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::code::CODES;
use crate::recorder::Door;

/// A number that only one thread adds to; any may read it.
#[derive(Debug, Default)]
pub(crate) struct Single(AtomicU64);

impl Single {
    /// Two plain instructions, no lock on the bus: nobody else writes.
    pub(crate) fn add(&self, more: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How long something took, how often.
#[derive(Debug, Default)]
pub(crate) struct Times {
    buckets: [Single; BOUNDS.len() + 1],
    /// In nanoseconds.
    sum: Single,
}

impl Times {
    pub(crate) fn add(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        if let Some(bucket) = self.buckets.get(bucket(nanos)) {
            bucket.add(1);
        }
        self.sum.add(nanos);
    }

    pub(crate) fn read(&self, into: &mut Seen) {
        for (seen, bucket) in into.buckets.iter_mut().zip(&self.buckets) {
            *seen += bucket.get();
        }
        into.nanos = into.nanos.wrapping_add(self.sum.get());
    }
}

/// Which of the buckets a time falls into.
pub(crate) fn bucket(nanos: u64) -> usize {
    BOUNDS.iter().position(|bound| nanos <= *bound).unwrap_or(BOUNDS.len())
}

/// Times as they are at one moment.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) buckets: [u64; BOUNDS.len() + 1],
    pub(crate) nanos: u64,
}

/// What one core counts of one upstream.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Row {
    pub(crate) requests: [[Single; CODES]; Door::ALL.len()],
    pub(crate) took: Times,
    pub(crate) upstream: Times,
    pub(crate) sent: Single,
    pub(crate) masked: Single,
}

impl Default for Row {
    fn default() -> Self {
        Self {
            requests: std::array::from_fn(|_| std::array::from_fn(|_| Single::default())),
            took: Times::default(),
            upstream: Times::default(),
            sent: Single::default(),
            masked: Single::default(),
        }
    }
}

/// In nanoseconds: half a millisecond to half a minute.
pub(crate) const BOUNDS: [u64; 15] = [
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
    30_000_000_000,
];
