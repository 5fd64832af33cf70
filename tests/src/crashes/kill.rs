use std::time::{Duration, Instant};

use helpdesk::{Outcome, Presentation, TokenBehaviour};

use super::{Afterwards, Person, Provider, Rig, Shelf, Step};
use crate::Answer;

/// When the gateway dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kill {
    /// By its own hand, when it comes to this step; at R4 by ours, when the provider says that it has replaced the token.
    At(Step),
    /// By ours, so long after the call was sent.
    After(Duration),
}

/// What became of the grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The next calls work, with tokens that the provider issued after the crash or that were saved.
    Recovered,
    /// Its owner was asked to connect again; at once, and the provider not another time.
    ReconnectRequired,
    /// Neither within the time: calls go on failing, or go on with the old token alone.
    Stuck,
}

/// One kill and what came after it.
#[derive(Debug, Clone)]
pub struct Crash {
    /// When it died.
    pub kill: Kill,
    /// Whether the refresh token had been replaced by then.
    pub rotated: bool,
    /// Whether the new pair was durable by then, by the gateway's own log.
    pub journaled: bool,
    /// How long before its death the provider had answered.
    pub since_rotation: Option<Duration>,
    /// What became of the grant.
    pub fate: Fate,
    /// From the death to the first call that showed it.
    pub took: Duration,
    /// The most presentations of one refresh token.
    pub presentations: usize,
    /// What asked again after the end.
    pub looped: bool,
    /// The last answer, for whoever looks into a failure.
    pub last: String,
}

impl Crash {
    /// Whether a grant is gone which the protocol promises to keep.
    #[must_use]
    pub fn is_loss(&self, provider: Provider) -> bool {
        let may_be_lost = provider == Provider::Strict && self.rotated && !self.journaled;
        match self.fate {
            Fate::Recovered => false,
            Fate::ReconnectRequired => !may_be_lost,
            Fate::Stuck => true,
        }
    }
}

impl Rig {
    /// Kills the first gateway in the middle of a refresh, starts it again, and looks what became of the grant. `None` where it did not
    /// come to that step.
    pub fn crash(&mut self, person: &Person, kill: Kill) -> Option<Crash> {
        let before = self.upstream.helpdesk.presentations(0).len();
        if let Kill::At(step) = kill
            && step != Step::R4
        {
            self.gateways[0].kill();
            self.gateways[0].start_again(&[("ATH_FAILPOINT", format!("{step:?}"))]);
            self.gateways[0].await_ready();
        }
        let mark = self.gateways[0].log_length();
        let rotations = self.upstream.helpdesk.presentations(before).len();
        let died = self.die(person, kill, before + rotations)?;
        let presented = self.upstream.helpdesk.presentations(before + rotations);
        let rotation = presented.iter().rfind(|one| renewed(one)).cloned();
        let journaled = self.gateways[0].log_since(mark).contains(JOURNALED);
        self.upstream.helpdesk.set_token_behaviour(TokenBehaviour::Normal);
        if self.afterwards == Afterwards::StartsAgain {
            self.gateways[0].start_again(&[]);
        }
        let soon = died.wall + self.no_recovery_before();
        let (fate, took, last) = self.fate(person, died.at, (before + rotations, soon));
        // What the journal of a gateway that was given up brings back is refused once more, and then that is the end.
        if self.afterwards == Afterwards::StaysDown && fate == Fate::ReconnectRequired {
            drop(self.call(0, person).try_send(A_CALL));
        }
        let after = self.upstream.helpdesk.presentations(0).len();
        let looped = fate == Fate::ReconnectRequired && {
            let again = (0..2).any(|_| self.call(0, person).try_send(A_CALL).is_none_or(|answer| !is_over(&answer)));
            again || !self.upstream.helpdesk.presentations(after).is_empty()
        };
        // What it had sent may have reached the provider after its death: then the recovery was the second presentation.
        let sent = self.upstream.helpdesk.presentations(before + rotations);
        let late = fate == Fate::ReconnectRequired && sent.first().is_some_and(|one| renewed(one) && one.at < soon);
        Some(Crash {
            kill,
            rotated: rotation.is_some() || late,
            // A journal is worth nothing to the others before its gateway is back.
            journaled: journaled && self.afterwards == Afterwards::StartsAgain,
            since_rotation: rotation.map(|one| died.wall.saturating_sub(one.at)),
            fate,
            took,
            presentations: if self.provider == Provider::Keeps { 0 } else { self.most_presentations(before) },
            looped,
            last,
        })
    }

    /// No gateway takes up what another left within this time of its death: on Redis it gives it a moment to come back, and on the
    /// embedded store a process has to start first.
    fn no_recovery_before(&self) -> Duration {
        match self.shelf {
            Shelf::Embedded => Duration::from_millis(20),
            Shelf::Redis => Duration::from_secs(1),
        }
    }

    fn die(&mut self, person: &Person, kill: Kill, seen: usize) -> Option<Death> {
        if kill == Kill::At(Step::R4) {
            self.upstream.helpdesk.set_token_behaviour(TokenBehaviour::Delay(Duration::from_secs(10)));
        }
        let call = self.call(0, person);
        let caller = std::thread::spawn(move || drop(call.try_send(A_CALL)));
        match kill {
            Kill::At(Step::R4) => {
                let begun = Instant::now();
                while !self.upstream.helpdesk.presentations(seen).iter().any(renewed) {
                    if begun.elapsed() > A_CALL {
                        return None;
                    }
                    std::thread::sleep(Duration::from_micros(200));
                }
                self.gateways[0].kill();
            }
            Kill::At(_) => {
                if !self.gateways[0].ends_within(A_CALL) {
                    return None;
                }
            }
            Kill::After(pause) => {
                std::thread::sleep(pause);
                self.gateways[0].kill();
            }
        }
        let death = Death { at: Instant::now(), wall: crate::upstream::clock() };
        let _ = caller.join();
        Some(death)
    }

    /// Calls until it shows what became of the grant; on Redis by way of the other gateway, while the dead one comes back.
    fn fate(&mut self, person: &Person, died: Instant, (seen, soon): (usize, Duration)) -> (Fate, Duration, String) {
        if self.shelf == Shelf::Embedded {
            self.gateways[0].await_ready();
        }
        let call = self.call(self.gateways.len() - 1, person);
        let mut last = "no answer".to_owned();
        let fate = loop {
            if let Some(answer) = call.try_send(A_CALL) {
                last = format!("{} {}", answer.status, answer.body_text());
                if is_over(&answer) {
                    break Fate::ReconnectRequired;
                }
                // The tokens at hand may still work: what counts is that the refresh token does, for somebody who lives.
                let latest = self.upstream.helpdesk.presentations(seen).pop();
                if answer.status == 200 && latest.is_some_and(|one| renewed(&one) && one.at >= soon) {
                    break Fate::Recovered;
                }
            }
            if died.elapsed() > RECOVERY {
                break Fate::Stuck;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let took = died.elapsed();
        if self.afterwards == Afterwards::StaysDown {
            self.gateways[0].start_again(&[]);
        }
        self.gateways[0].await_ready();
        (fate, took, last)
    }
}

struct Death {
    at: Instant,
    wall: Duration,
}

fn renewed(one: &Presentation) -> bool {
    matches!(one.outcome, Outcome::Renewed | Outcome::RenewedAgain)
}

fn is_over(answer: &Answer) -> bool {
    answer.text("/details/reason") == "reconnect_required"
}

/// What the gateway logs when a new pair is safe.
const JOURNALED: &str = "a refresh was journaled";
/// Longer than any call takes here.
const A_CALL: Duration = Duration::from_secs(8);
/// A grant whose fate does not show in this time is stuck.
const RECOVERY: Duration = Duration::from_secs(15);
