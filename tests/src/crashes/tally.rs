use std::fmt;
use std::time::Duration;

use super::{Crash, Fate, Provider};

/// What a series of crashes came to.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Gateways that died.
    pub kills: usize,
    /// Calls in which the gateway did not come to the step.
    pub missed: usize,
    /// Grants that were recovered.
    pub recovered: usize,
    /// Grants whose owners were asked to connect again.
    pub reconnect_required: usize,
    /// Grants that showed neither in time.
    pub stuck: usize,
    /// Of all these, losses that the protocol promises not to happen.
    pub losses: usize,
    /// Of those, in spite of a durable write.
    pub lost_after_write: usize,
    /// Kills between the provider's answer and the durable write.
    pub in_window: usize,
    /// Crashes with more than two presentations of a refresh token.
    pub over_two: usize,
    /// Grants at their end for which the provider was asked again.
    pub looped: usize,
    /// How long it took to show, each.
    pub took: Vec<Duration>,
    /// What went wrong, in words.
    pub complaints: Vec<String>,
}

impl Tally {
    /// Counts one more.
    pub fn add(&mut self, provider: Provider, crash: Option<&Crash>) {
        let Some(crash) = crash else {
            self.missed += 1;
            return;
        };
        self.kills += 1;
        match crash.fate {
            Fate::Recovered => self.recovered += 1,
            Fate::ReconnectRequired => self.reconnect_required += 1,
            Fate::Stuck => self.stuck += 1,
        }
        let loss = crash.is_loss(provider);
        self.losses += usize::from(loss);
        self.lost_after_write += usize::from(crash.journaled && crash.fate != Fate::Recovered);
        self.in_window += usize::from(crash.rotated && !crash.journaled);
        self.over_two += usize::from(crash.presentations > 2);
        self.looped += usize::from(crash.looped);
        self.took.push(crash.took);
        if loss || crash.presentations > 2 || crash.looped {
            self.complaints.push(format!("{crash:?}"));
        }
    }

    /// Together with another.
    #[must_use]
    pub fn and(mut self, mut other: Self) -> Self {
        self.kills += other.kills;
        self.missed += other.missed;
        self.recovered += other.recovered;
        self.reconnect_required += other.reconnect_required;
        self.stuck += other.stuck;
        self.losses += other.losses;
        self.lost_after_write += other.lost_after_write;
        self.in_window += other.in_window;
        self.over_two += other.over_two;
        self.looped += other.looped;
        self.took.append(&mut other.took);
        self.complaints.append(&mut other.complaints);
        self
    }

    /// The head of the table that the rows belong to.
    pub const HEAD: &'static str = "kills  recovered  reconnect  stuck  LOST  after write  in window  >2 presented  looped  missed  recovery p50/max ms";
}

impl fmt::Display for Tally {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut took = self.took.clone();
        took.sort();
        let at = |share: usize| took.get((took.len() * share / 100).min(took.len().saturating_sub(1)));
        let millis = |at: Option<&Duration>| at.map_or(0, Duration::as_millis);
        write!(
            to,
            "{:>5}  {:>9}  {:>9}  {:>5}  {:>4}  {:>11}  {:>9}  {:>12}  {:>6}  {:>6}  {:>8}/{}",
            self.kills,
            self.recovered,
            self.reconnect_required,
            self.stuck,
            self.losses,
            self.lost_after_write,
            self.in_window,
            self.over_two,
            self.looped,
            self.missed,
            millis(at(50)),
            millis(at(100)),
        )
    }
}
