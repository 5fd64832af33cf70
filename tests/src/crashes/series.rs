use std::time::{Duration, Instant};

use super::{Fate, Kill, Person, Rig, Step, Tally};

/// So many crashes in a rig, at this step or, where there is none, at random moments; each followed by a look at what became of the
/// grant.
#[must_use]
pub fn series(rig: &mut Rig, step: Option<Step>, count: usize) -> Tally {
    let mut tally = Tally::default();
    rig.connect(2_usize.saturating_sub(rig.people.len()));
    let mut chance = Chance::new(u64::from(std::process::id()) << 20 | u64::from(rig.upstream.port()));
    // Kills fall into all of a call, and after it.
    let span = if step.is_none() { rig.call_time(&rig.people[0].clone()).mul_f64(1.5) } else { Duration::ZERO };
    for turn in 0..count {
        let place = turn % rig.people.len();
        let person = rig.people[place].clone();
        let kill = match step {
            Some(step) => Kill::At(step),
            None => Kill::After(chance.below(span)),
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

impl Rig {
    /// How long a call with a refresh takes here: the middle one of a few.
    #[must_use]
    pub fn call_time(&self, person: &Person) -> Duration {
        let mut times: Vec<Duration> = (0..15)
            .map(|_| {
                let begun = Instant::now();
                let answer = self.call(0, person).send();
                assert_eq!(answer.status, 200, "{}", answer.body_text());
                begun.elapsed()
            })
            .collect();
        times.sort();
        times[times.len() / 2]
    }
}

/// Marsaglia's xorshift: nothing here needs more.
pub struct Chance(u64);

impl Chance {
    /// The same numbers for the same seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed << 1 | 1)
    }

    /// A time below this one.
    pub fn below(&mut self, limit: Duration) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let limit = u64::try_from(limit.as_micros()).unwrap_or(u64::MAX).max(1);
        Duration::from_micros(self.0 % limit)
    }
}
