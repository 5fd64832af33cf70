use std::sync::atomic::{AtomicU64, Ordering};

use protocol::{Sampling, SpanId, TraceContext, TraceId};
use secret::Entropy;

/// Names traces and steps: splitmix64 from a random beginning, as requests are named. They tell steps apart, and are no secret.
#[derive(Debug)]
pub(crate) struct Ids {
    state: AtomicU64,
    /// Of two to the power of 64.
    ratio: f64,
}

impl Ids {
    pub(crate) fn new(entropy: &dyn Entropy, ratio: f64) -> Self {
        let mut seed = [0u8; 8];
        entropy.fill(&mut seed);
        Self { state: AtomicU64::new(u64::from_ne_bytes(seed)), ratio }
    }

    /// A step that nobody has named yet.
    pub(crate) fn span(&self) -> SpanId {
        loop {
            if let Some(span) = SpanId::new(self.draw().to_be_bytes()) {
                return span;
            }
        }
    }

    /// The first step of a trace of our own, recorded or not by its name alone, so that replicas agree.
    pub(crate) fn begin(&self) -> TraceContext {
        loop {
            let (high, low) = (self.draw(), self.draw());
            let number = u128::from(high) << 64 | u128::from(low);
            if let Some(trace) = TraceId::new(number.to_be_bytes()) {
                return TraceContext::new(trace, self.span(), self.sampling(low));
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a part of all traces, which needs no more digits")]
    fn sampling(&self, low: u64) -> Sampling {
        let recorded = self.ratio >= 1.0 || (low as f64) < self.ratio * TWO_TO_64;
        if recorded { Sampling::Recorded } else { Sampling::Dropped }
    }

    fn draw(&self) -> u64 {
        let state = self.state.fetch_add(GAMMA, Ordering::Relaxed).wrapping_add(GAMMA);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}

const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;

#[cfg(test)]
mod tests {
    use super::*;

    struct Zeros;

    impl Entropy for Zeros {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    #[test]
    fn steps_are_named_as_requests_are() {
        let ids = Ids::new(&Zeros, 1.0);
        // The first of splitmix64 with the seed 0.
        assert_eq!(ids.span().to_string(), "e220a8397b1dcdaf");
        assert_eq!(ids.begin().sampling(), Sampling::Recorded);
    }

    #[test]
    fn a_part_of_the_traces_is_recorded() {
        for (ratio, least, most) in [(0.0, 0, 0), (0.1, 900, 1_100), (1.0, 10_000, 10_000)] {
            let ids = Ids::new(&Zeros, ratio);
            let recorded = (0..10_000).filter(|_| ids.begin().sampling() == Sampling::Recorded).count();
            assert!((least..=most).contains(&recorded), "{ratio}: {recorded}");
        }
    }
}
