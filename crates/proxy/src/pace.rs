use std::cell::Cell;
use std::time::{Duration, Instant};

use bytes::Bytes;

/// How fast an agent must send what is waited for: so many bytes a second, over each window, and never nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    window: Duration,
    bytes: u64,
}

impl Pace {
    /// So many bytes a second, looked at after each `window` that was spent waiting.
    #[must_use]
    pub fn new(bytes_per_second: u64, window: Duration) -> Self {
        let bytes = bytes_per_second.saturating_mul(window.as_secs()).max(1);
        Self { window, bytes }
    }

    pub(crate) fn window(self) -> Duration {
        self.window
    }
}

/// What came of an upload while it was waited for. The time in which the upstream took nothing does not count.
#[derive(Default)]
pub(crate) struct Stretch {
    waited: Cell<Duration>,
    came: Cell<u64>,
    since: Cell<Option<Instant>>,
}

impl Stretch {
    /// The agent is waited for from now on.
    pub(crate) fn wait(&self, now: Instant) {
        self.since.set(Some(now));
    }

    /// Something has come.
    pub(crate) fn came(&self, data: Option<&Bytes>, now: Instant) {
        self.came.set(self.came.get().saturating_add(data.map_or(0, |data| data.len() as u64)));
        if let Some(since) = self.since.take() {
            self.waited.set(self.waited.get() + now.duration_since(since));
        }
    }

    /// When to look again, while the agent is waited for; `None` where it is too slow.
    pub(crate) fn check(&self, pace: Pace, now: Instant) -> Option<Instant> {
        let since = self.since.replace(Some(now));
        let waited = self.waited.get() + since.map_or(Duration::ZERO, |since| now.duration_since(since));
        self.waited.set(waited);
        if let Some(left) = pace.window.checked_sub(waited).filter(|left| !left.is_zero()) {
            return Some(now + left);
        }
        if self.came.get() < pace.bytes {
            return None;
        }
        self.waited.set(Duration::ZERO);
        self.came.set(0);
        Some(now + pace.window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn only_the_time_counts_in_which_the_agent_is_waited_for() {
        let (pace, stretch, begun) = (Pace::new(100, 10 * SECOND), Stretch::default(), Instant::now());
        let data = |length| Bytes::from(vec![0; length]);
        stretch.wait(begun);
        stretch.came(Some(&data(10)), begun + SECOND);
        // For a minute the upstream takes nothing.
        stretch.wait(begun + 60 * SECOND);
        assert_eq!(stretch.check(pace, begun + 64 * SECOND), Some(begun + 69 * SECOND));
        assert_eq!(stretch.check(pace, begun + 69 * SECOND), None, "ten bytes in ten seconds");
        stretch.came(Some(&data(990)), begun + 69 * SECOND);
        stretch.wait(begun + 69 * SECOND);
        assert_eq!(stretch.check(pace, begun + 70 * SECOND), Some(begun + 80 * SECOND), "all of it");
        assert_eq!(stretch.check(pace, begun + 80 * SECOND), None, "nothing in the next ten");
    }

    #[test]
    fn the_slowest_pace_is_a_byte_in_each_window() {
        let (pace, stretch, begun) = (Pace::new(0, SECOND), Stretch::default(), Instant::now());
        stretch.wait(begun);
        stretch.came(Some(&Bytes::from_static(b"x")), begun + SECOND);
        stretch.wait(begun + SECOND);
        assert!(stretch.check(pace, begun + SECOND).is_some());
        assert!(stretch.check(pace, begun + 3 * SECOND).is_none());
    }
}
