use std::time::Duration;

use super::{Fate, Kill, Provider, Rig, Shelf, Step, Tally};

/// One kind of crash at one kind of provider, on one kind of store.
#[derive(Debug, Clone, Copy)]
pub struct Cell {
    /// Where the process dies; at a random moment where there is none.
    pub step: Option<Step>,
    /// How the provider rotates.
    pub provider: Provider,
    /// Where the records are.
    pub shelf: Shelf,
}

/// So many crashes in a rig, each followed by a look at what became of the grant.
pub fn series(rig: &mut Rig, step: Option<Step>, count: usize) -> Tally {
    let mut tally = Tally::default();
    rig.connect(2_usize.saturating_sub(rig.people.len()));
    let mut chance = Chance(u64::from(std::process::id()) << 20 | 1);
    for turn in 0..count {
        let place = turn % rig.people.len();
        let person = rig.people[place].clone();
        let kill = match step {
            Some(step) => Kill::At(step),
            None => Kill::After(Duration::from_micros(chance.below(RANDOM_MICROS))),
        };
        let crash = rig.crash(&person, kill);
        if crash.is_none() {
            // It still waits for its step: the next one finds it fresh.
            rig.gateways[0].kill();
            rig.gateways[0].start_again(&[]);
            rig.gateways[0].await_ready();
        }
        tally.add(rig.provider, crash.as_ref());
        if crash.is_none_or(|crash| crash.fate != Fate::Recovered) {
            rig.people[place] = rig.consent();
        }
    }
    tally
}

/// Longer than a call with a refresh takes, so that kills fall into all of it, and after it.
const RANDOM_MICROS: u64 = 16_000;

/// Marsaglia's xorshift: nothing here needs more.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
