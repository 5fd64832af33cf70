use std::cell::Cell;

use protocol::RequestId;
use secret::Entropy;

/// Names requests: numbers that do not come twice, begun at random, so that the names of two cores, two replicas or two runs do not meet.
/// They tell requests apart, and are no secret.
#[derive(Clone)]
pub(crate) struct Names(Cell<u64>);

impl Names {
    /// Begins somewhere.
    pub(crate) fn new(entropy: &dyn Entropy) -> Self {
        let mut seed = [0u8; 8];
        entropy.fill(&mut seed);
        Self(Cell::new(u64::from_ne_bytes(seed)))
    }

    /// The next one: splitmix64, which gives each of all numbers once.
    pub(crate) fn draw(&self) -> RequestId {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        RequestId::new(mixed ^ mixed >> 31)
    }
}

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
    fn no_name_comes_twice() {
        let names = Names::new(&Zeros);
        // The first of splitmix64 with the seed 0.
        assert_eq!(names.draw().as_str(), "e220a8397b1dcdaf");
        let seen: std::collections::HashSet<String> = (0..10_000).map(|_| names.draw().to_string()).collect();
        assert_eq!(seen.len(), 10_000);
    }
}
