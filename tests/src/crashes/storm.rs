use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use helpdesk::{Outcome, TokenBehaviour};

use super::{Person, Rig};

/// What came of many tokens that expired at once.
#[derive(Debug, Clone, Default)]
pub struct Storm {
    /// Connections.
    pub connections: usize,
    /// Refresh tokens that arrived at the provider.
    pub presentations: usize,
    /// The most presentations of one refresh token.
    pub most_presentations: usize,
    /// The most requests that the provider had to answer at one time.
    pub at_once: u64,
    /// Calls that were answered with the upstream's answer.
    pub served: usize,
    /// Calls that were told to come back.
    pub put_off: usize,
    /// Calls that were answered in any other way.
    pub failed: Vec<String>,
    /// The longest that any call waited for its answer.
    pub longest: Duration,
    /// From the first call to the last answer.
    pub all: Duration,
}

impl Rig {
    /// Connects so many people, several at a time.
    pub fn connect_many(&mut self, count: usize, at_once: usize) {
        let left = AtomicUsize::new(count);
        let rig = &*self;
        let take = || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        let people: Vec<Person> = std::thread::scope(|scope| {
            let work = || std::iter::from_fn(|| take().then(|| rig.consent())).collect::<Vec<_>>();
            let workers: Vec<_> = (0..at_once).map(|_| scope.spawn(work)).collect();
            workers.into_iter().flat_map(|worker| worker.join().expect("no panic")).collect()
        });
        self.people.extend(people);
    }

    /// Everybody's agent calls at once, by way of every gateway, and comes back when it is told to, until it is served. The provider takes
    /// `latency` for each answer.
    #[must_use]
    pub fn storm(&self, latency: Duration, callers: usize) -> Storm {
        let seen = self.upstream.helpdesk.presentations(0).len();
        self.upstream.helpdesk.set_token_behaviour(TokenBehaviour::Delay(latency));
        let begun = Instant::now();
        let share = self.people.len().div_ceil(callers);
        let parts: Vec<Storm> = std::thread::scope(|scope| {
            let callers: Vec<_> = (0..self.gateways.len())
                .flat_map(|gateway| self.people.chunks(share).map(move |people| (gateway, people)))
                .map(|(gateway, people)| {
                    let call =
                        move || people.iter().fold(Storm::default(), |part, person| self.insist(part, gateway, person));
                    let thread = std::thread::Builder::new().stack_size(256 * 1024);
                    thread.spawn_scoped(scope, call).expect("a thread")
                })
                .collect();
            callers.into_iter().map(|caller| caller.join().expect("no panic")).collect()
        });
        let mut storm = parts.into_iter().fold(Storm::default(), Storm::and);
        storm.all = begun.elapsed();
        storm.connections = self.people.len();
        storm.presentations =
            self.upstream.helpdesk.presentations(seen).iter().filter(|one| one.outcome != Outcome::Ignored).count();
        storm.most_presentations = self.most_presentations(seen);
        storm.at_once = self.upstream.helpdesk.counters().token_requests_at_once;
        self.upstream.helpdesk.set_token_behaviour(TokenBehaviour::Normal);
        storm
    }

    fn insist(&self, mut part: Storm, gateway: usize, person: &Person) -> Storm {
        for _ in 0..PATIENCE {
            let begun = Instant::now();
            let answer = self.call(gateway, person).send();
            part.longest = part.longest.max(begun.elapsed());
            let wait = answer.header("retry-after").and_then(|wait| wait.parse().ok());
            match (answer.status, wait) {
                (200, _) => {
                    part.served += 1;
                    return part;
                }
                (502 | 503, Some(wait)) => {
                    part.put_off += 1;
                    std::thread::sleep(Duration::from_secs(wait));
                }
                _ => {
                    part.failed.push(format!("{} {}", answer.status, answer.body_text()));
                    return part;
                }
            }
        }
        part.failed.push("told to come back too often".to_owned());
        part
    }
}

impl Storm {
    fn and(mut self, mut other: Self) -> Self {
        self.served += other.served;
        self.put_off += other.put_off;
        self.failed.append(&mut other.failed);
        self.longest = self.longest.max(other.longest);
        self
    }
}

/// How often an agent comes back.
const PATIENCE: usize = 300;
