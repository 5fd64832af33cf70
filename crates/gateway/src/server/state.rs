use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crate::config::{NumbersConfig, TimeoutsConfig};

/// What is known of a connection, without asking it. Only its own core writes here; it is shared because a connection that becomes a
/// tunnel is handed on by those who want it to be sendable.
pub(super) struct State {
    patience: Patience,
    /// Requests that are being answered.
    busy: AtomicU32,
    /// When it last came to rest, or took bytes.
    since: AtomicU32,
    /// What the time is, for those who write here.
    now: AtomicU32,
    asked: AtomicBool,
    /// It carries many requests at once, and speaks beside them.
    shares: AtomicBool,
    /// When the head began that is not whole yet.
    head: Moment,
    /// It will send nothing more.
    finished: AtomicBool,
    /// Somebody should ask the kernel whether it is still there.
    doubted: AtomicBool,
    /// What is written to it waits, and what was taken meanwhile.
    full: AtomicBool,
    flushing: AtomicBool,
    stuck: Moment,
    taken: AtomicU64,
    stalled: AtomicBool,
    flooding: AtomicBool,
    /// Its client is to come again by another one.
    let_go: AtomicBool,
    /// Streams of it that were ended, since what they were sent was not taken.
    strikes: AtomicU32,
    /// Requests of it that could be read in more than one way.
    offences: AtomicU32,
    /// Bytes of heads that may still be read before others have their turn.
    turn: AtomicUsize,
    /// Bytes of memory that its requests take.
    pub(super) held: AtomicUsize,
}

/// How long a connection may take, in seconds by the walks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    head: u32,
    idle: u32,
    write: u32,
    /// What must be taken in `write` seconds.
    bytes: u64,
    /// Frames in a second that carry nothing.
    pub(super) control_frames: u32,
}

/// What a connection has come too late with, or has too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Late {
    /// The head of a request.
    Head,
    /// The next request.
    Idle,
    /// Taking an answer.
    Write,
    /// It says much, and nothing.
    Flood,
}

/// A request that is being answered; over when it is dropped.
pub(super) struct Busy(Arc<State>);

/// A second by the walks, or none.
#[derive(Default)]
struct Moment(AtomicU64);

impl Patience {
    pub(super) fn new(timeouts: &TimeoutsConfig, numbers: &NumbersConfig) -> Self {
        let seconds = |time: Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        Self {
            head: seconds(timeouts.head),
            idle: seconds(timeouts.idle),
            write: seconds(timeouts.write),
            bytes: numbers.bytes_per_second.saturating_mul(timeouts.write.as_secs()).max(1),
            control_frames: numbers.control_frames,
        }
    }
}

impl Patience {
    /// After how many seconds each an answer must have been taken further.
    pub(super) fn write(self) -> u32 {
        self.write
    }

    /// By how much.
    pub(super) fn bytes(self) -> u64 {
        self.bytes
    }
}

impl Late {
    /// As it is counted; who is just idle has done nothing.
    pub(super) fn word(self) -> Option<&'static str> {
        match self {
            Self::Idle => None,
            Self::Head => Some("head"),
            Self::Write => Some("write"),
            Self::Flood => Some("flood"),
        }
    }
}

impl State {
    /// Of a connection that begins.
    pub(super) fn new(patience: Patience, now: u32) -> Self {
        Self {
            patience,
            busy: AtomicU32::new(0),
            since: AtomicU32::new(now),
            now: AtomicU32::new(now),
            asked: AtomicBool::new(false),
            shares: AtomicBool::new(false),
            head: Moment::at(now),
            finished: AtomicBool::new(false),
            doubted: AtomicBool::new(false),
            full: AtomicBool::new(false),
            flushing: AtomicBool::new(false),
            stuck: Moment::default(),
            taken: AtomicU64::new(0),
            stalled: AtomicBool::new(false),
            flooding: AtomicBool::new(false),
            let_go: AtomicBool::new(false),
            strikes: AtomicU32::new(0),
            offences: AtomicU32::new(0),
            turn: AtomicUsize::new(usize::MAX),
            held: AtomicUsize::new(0),
        }
    }

    pub(super) fn patience(&self) -> Patience {
        self.patience
    }

    /// A request has come.
    pub(super) fn ask(self: &Arc<Self>) -> Busy {
        self.asked.store(true, Ordering::Relaxed);
        self.head.forget();
        self.busy.store(self.busy.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        Busy(self.clone())
    }

    /// Whether a request has ever come.
    pub(super) fn has_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// It carries many requests at once: bytes of it need not be a request's.
    pub(super) fn share(&self) {
        self.shares.store(true, Ordering::Relaxed);
    }

    /// Bytes have come from it: of a head, where nothing is being answered.
    pub(super) fn heard(&self) {
        if self.busy.load(Ordering::Relaxed) == 0 && !self.shares.load(Ordering::Relaxed) {
            self.head.begin(self.now());
        }
    }

    /// It took bytes.
    pub(super) fn took(&self, bytes: usize) {
        self.full.store(false, Ordering::Relaxed);
        if !self.shares.load(Ordering::Relaxed) {
            self.since.store(self.now(), Ordering::Relaxed);
        }
        if self.stuck.is_set() {
            self.taken.store(self.taken.load(Ordering::Relaxed).saturating_add(bytes as u64), Ordering::Relaxed);
        }
    }

    /// It takes no bytes at present.
    pub(super) fn is_full(&self) {
        self.full.store(true, Ordering::Relaxed);
    }

    /// Whether what was written is still on its way to the kernel.
    pub(super) fn flushed(&self, done: Flushed) {
        self.flushing.store(done == Flushed::Partly, Ordering::Relaxed);
    }

    /// It has said that it will send nothing more.
    pub(super) fn finish(&self) {
        self.finished.store(true, Ordering::Relaxed);
    }

    /// When nothing is going on there, it is ended as one that has rested too long.
    pub(super) fn let_go(&self) {
        self.let_go.store(true, Ordering::Relaxed);
    }

    /// It says much, and nothing.
    pub(super) fn flood(&self) {
        self.flooding.store(true, Ordering::Relaxed);
    }

    /// Whether it does.
    pub(super) fn is_flooding(&self) -> bool {
        self.flooding.load(Ordering::Relaxed)
    }

    /// One of its requests could be read in more than one way.
    pub(super) fn offend(&self) {
        let offences = self.offences.load(Ordering::Relaxed) + 1;
        self.offences.store(offences, Ordering::Relaxed);
        if offences >= OFFENCES && self.shares.load(Ordering::Relaxed) {
            self.flood();
        }
    }

    /// One of its streams took nothing. What was sent there stays until it is taken: with too many such streams the connection ends.
    pub(super) fn strike(&self) {
        let strikes = self.strikes.load(Ordering::Relaxed) + 1;
        self.strikes.store(strikes, Ordering::Relaxed);
        if strikes >= STRIKES {
            self.stalled.store(true, Ordering::Relaxed);
        }
    }

    /// Its turn: so many bytes are read of it before others have theirs.
    pub(super) fn begin_turn(&self) {
        if self.shares.load(Ordering::Relaxed) {
            self.turn.store(TURN, Ordering::Relaxed);
        }
    }

    /// How much of its turn is left.
    pub(super) fn turn(&self) -> usize {
        self.turn.load(Ordering::Relaxed)
    }

    /// So much was read.
    pub(super) fn use_turn(&self, bytes: usize) {
        self.turn.store(self.turn().saturating_sub(bytes), Ordering::Relaxed);
    }

    /// Whether to ask the kernel for it, now and once.
    pub(super) fn is_doubted(&self) -> bool {
        self.doubted.load(Ordering::Relaxed) && self.doubted.swap(false, Ordering::Relaxed)
    }

    /// What the time is.
    pub(super) fn now(&self) -> u32 {
        self.now.load(Ordering::Relaxed)
    }

    /// A second has passed; whether somebody should look at the connection. At times, whether it is still there.
    pub(super) fn tick(&self, now: u32, look: Look) -> bool {
        self.now.store(now, Ordering::Relaxed);
        self.stall(now);
        // Whoever waits for an answer is not read from, nor is whoever has said that it sends nothing more.
        let unread = self.finished.load(Ordering::Relaxed) || self.busy.load(Ordering::Relaxed) > 0;
        if look == Look::Closely && unread {
            self.doubted.store(true, Ordering::Relaxed);
            return true;
        }
        self.late().is_some()
    }

    /// Looks whether an answer that waits is taken fast enough.
    fn stall(&self, now: u32) {
        if !self.full.load(Ordering::Relaxed) && !self.flushing.load(Ordering::Relaxed) {
            self.stuck.forget();
            return;
        }
        let Some(waited) = self.stuck.since(now) else {
            self.stuck.begin(now);
            self.taken.store(0, Ordering::Relaxed);
            return;
        };
        if waited < self.patience.write {
            return;
        }
        if self.taken.load(Ordering::Relaxed) < self.patience.bytes {
            self.stalled.store(true, Ordering::Relaxed);
        }
        self.stuck.forget();
    }

    /// Whether nothing has been going on here for so many seconds, or none are asked for.
    pub(super) fn has_rested(&self, seconds: u32) -> bool {
        let rested = self.now().wrapping_sub(self.since.load(Ordering::Relaxed));
        seconds == 0 || (self.busy.load(Ordering::Relaxed) == 0 && !self.head.is_set() && rested >= seconds)
    }

    /// What it is too late with.
    pub(super) fn late(&self) -> Option<Late> {
        if self.flooding.load(Ordering::Relaxed) {
            return Some(Late::Flood);
        }
        if self.stalled.load(Ordering::Relaxed) {
            return Some(Late::Write);
        }
        if self.busy.load(Ordering::Relaxed) > 0 {
            return None;
        }
        if self.let_go.load(Ordering::Relaxed) {
            return Some(Late::Idle);
        }
        let now = self.now();
        if self.head.since(now).is_some_and(|waited| waited > self.patience.head) {
            return Some(Late::Head);
        }
        // A request that has begun has its own time.
        if self.head.is_set() {
            return None;
        }
        let rested = now.wrapping_sub(self.since.load(Ordering::Relaxed));
        (self.has_asked() && rested > self.patience.idle).then_some(Late::Idle)
    }
}

/// How a walk looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Briefly,
    Closely,
}

/// How far a flush has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flushed {
    Wholly,
    Partly,
}

impl Moment {
    fn at(now: u32) -> Self {
        Self(AtomicU64::new(u64::from(now) + 1))
    }

    /// Now, where it is none yet.
    fn begin(&self, now: u32) {
        if !self.is_set() {
            self.0.store(u64::from(now) + 1, Ordering::Relaxed);
        }
    }

    fn forget(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0
    }

    fn since(&self, now: u32) -> Option<u32> {
        let begun = self.0.load(Ordering::Relaxed).checked_sub(1)?;
        Some(now.wrapping_sub(u32::try_from(begun).unwrap_or(now)))
    }
}

impl Busy {
    /// Of the connection that asked.
    pub(super) fn state(&self) -> &Arc<State> {
        &self.0
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let state = &self.0;
        state.busy.store(state.busy.load(Ordering::Relaxed).wrapping_sub(1), Ordering::Relaxed);
        state.since.store(state.now(), Ordering::Relaxed);
    }
}

/// What is read of a connection that shares itself before others have their turn, in bytes of heads.
const TURN: usize = 4 << 10;
/// Requests that nobody can read in one way, of a connection that shares itself: over HTTP/1.1 the first ends it.
const OFFENCES: u32 = 16;
/// Streams that may stay untaken.
const STRIKES: u32 = 8;

#[cfg(test)]
#[path = "state_tests.rs"]
pub(super) mod tests;
