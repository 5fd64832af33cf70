use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use protocol::Clock;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::call::Lines;
use crate::ring::{Bell, Calls};
use crate::{Event, Ring, Sink};

/// Why something could not be recorded, and therefore is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// The sink does not take lines: a full disk, mostly.
    #[error("the audit log cannot be written")]
    Dead,
    /// More is under way than the sink keeps up with.
    #[error("the audit log is too far behind")]
    Full,
}

/// The door to the sink. Cheap to clone; all clones write into one.
#[derive(Clone)]
pub struct Audit {
    letters: mpsc::Sender<Letter>,
    dead: Arc<AtomicBool>,
    bell: Bell,
    clock: Arc<dyn Clock>,
}

/// What the writer is told.
enum Letter {
    Line(Vec<u8>),
    /// Whoever waits is told when everything up to here is durable.
    Decision(Vec<u8>, oneshot::Sender<()>),
    /// Another core's ring.
    Ring(Calls),
}

impl Audit {
    /// Starts the thread that writes into `sink`. It ends when the last clone is gone and everything is written.
    pub fn start(sink: Box<dyn Sink>, clock: Arc<dyn Clock>) -> std::io::Result<Self> {
        let (letters, queue) = mpsc::channel(QUEUE);
        let (dead, bell) = (Arc::new(AtomicBool::new(false)), Bell::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let mut writer = Writer::new(sink, queue, dead.clone(), bell.clone());
        std::thread::Builder::new().name("audit".to_owned()).spawn(move || runtime.block_on(writer.run()))?;
        Ok(Self { letters, dead, bell, clock })
    }

    /// Records a decision; durable when this returns `Ok`. Where it does not, the decision is not to be taken.
    pub async fn record(&self, event: &Event) -> Result<(), AuditError> {
        tell(event);
        self.alive()?;
        self.written(event.line(self.clock.now())).await
    }

    /// Returns when everything that was said before is durable.
    pub async fn flush(&self) -> Result<(), AuditError> {
        self.written(Vec::new()).await
    }

    /// Records a refusal: in the same order as everything else, without waiting for the disk.
    pub fn note(&self, event: &Event) -> Result<(), AuditError> {
        tell(event);
        self.alive()?;
        match self.letters.try_send(Letter::Line(event.line(self.clock.now()))) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => Err(AuditError::Full),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(AuditError::Dead),
        }
    }

    /// A ring for the calls of one core; to be made on that core.
    #[must_use]
    pub fn ring(&self) -> Ring {
        let (ring, calls) = Ring::new(self.bell.clone(), self.dead.clone(), self.clock.clone());
        // Where nobody takes it in, the ring is abandoned, and says so.
        if let Err(mpsc::error::TrySendError::Full(letter)) = self.letters.try_send(Letter::Ring(calls)) {
            let letters = self.letters.clone();
            std::thread::spawn(move || letters.blocking_send(letter));
        }
        ring
    }

    /// Whether what is done can be recorded at this moment.
    pub fn health(&self) -> Result<(), AuditError> {
        self.alive()?;
        if self.letters.capacity() == 0 { Err(AuditError::Full) } else { Ok(()) }
    }

    async fn written(&self, line: Vec<u8>) -> Result<(), AuditError> {
        let (written, done) = oneshot::channel();
        // A decision waits for its turn; it is rare, and worth more than a call.
        let sent = tokio::time::timeout(PATIENCE, self.letters.send(Letter::Decision(line, written))).await;
        sent.map_err(|_| AuditError::Full)?.map_err(|_| AuditError::Dead)?;
        match tokio::time::timeout(PATIENCE, done).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(AuditError::Dead),
        }
    }

    /// How many decisions and refusals are under way to the sink.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.letters.max_capacity() - self.letters.capacity()
    }

    fn alive(&self) -> Result<(), AuditError> {
        if self.dead.load(Ordering::Relaxed) { Err(AuditError::Dead) } else { Ok(()) }
    }
}

impl std::fmt::Debug for Audit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Audit")
    }
}

/// Operators who read the log see decisions there, too.
fn tell(event: &Event) {
    tracing::info!(target: "ath_gateway::audit", event = event.name(), record = serde_json::to_string(event).unwrap_or_default());
}

struct Writer {
    sink: Box<dyn Sink>,
    queue: mpsc::Receiver<Letter>,
    rings: Vec<Calls>,
    dead: Arc<AtomicBool>,
    bell: Bell,
    lines: Lines,
    /// Who waits for the next sync.
    pending: Vec<oneshot::Sender<()>>,
    /// When the rings are to be emptied; by ringing alone, where they were empty the last time.
    collect_by: Option<Instant>,
    /// When what is written has to be durable.
    sync_by: Option<Instant>,
}

impl Writer {
    fn new(sink: Box<dyn Sink>, queue: mpsc::Receiver<Letter>, dead: Arc<AtomicBool>, bell: Bell) -> Self {
        let (rings, pending) = (Vec::new(), Vec::new());
        Self { sink, queue, rings, dead, bell, lines: Lines::default(), pending, collect_by: None, sync_by: None }
    }

    async fn run(&mut self) {
        let mut letters = Vec::with_capacity(GROUP);
        let mut bytes = Vec::new();
        self.bell.sleep();
        while let Some(received) = self.received(&mut letters).await {
            self.bell.wake();
            // Calls that ended before a decision was taken stand before it.
            let calls = self.collect(&mut bytes);
            for letter in letters.drain(..) {
                match letter {
                    Letter::Line(line) => bytes.extend_from_slice(&line),
                    Letter::Decision(line, written) => {
                        bytes.extend_from_slice(&line);
                        self.pending.push(written);
                    }
                    Letter::Ring(calls) => self.rings.push(calls),
                }
            }
            self.write(&mut bytes).await;
            if !self.pending.is_empty() || self.sync_by.is_some_and(|due| due <= Instant::now()) {
                self.sync().await;
            }
            self.rest(calls, received);
        }
        self.collect(&mut bytes);
        self.write(&mut bytes).await;
        self.sync().await;
    }

    /// Waits for something to do. `None` when nobody is left who could say anything more.
    async fn received(&mut self, letters: &mut Vec<Letter>) -> Option<usize> {
        let due = [self.collect_by, self.sync_by].into_iter().flatten().min();
        let said = async {
            tokio::select! {
                biased;
                received = self.queue.recv_many(letters, GROUP) => Some(received).filter(|received| *received > 0),
                () = self.bell.rung() => Some(0),
            }
        };
        match due {
            None => said.await,
            Some(due) => timeout_at(due, said).await.unwrap_or(Some(0)),
        }
    }

    /// Empties the rings.
    fn collect(&mut self, bytes: &mut Vec<u8>) -> usize {
        let mut calls = 0;
        for ring in &mut self.rings {
            // Not more than were there at the beginning: whoever goes on pushing does not keep the writer here.
            for _ in 0..ring.slots() {
                let Ok((at, call)) = ring.pop() else { break };
                self.lines.write(at, &call, bytes);
                calls += 1;
            }
        }
        self.rings.retain(|ring| !(ring.is_abandoned() && ring.is_empty()));
        calls
    }

    /// Comes back soon while there are calls, and sleeps where there are none.
    fn rest(&mut self, calls: usize, letters: usize) {
        let now = Instant::now();
        self.collect_by = (calls > 0).then_some(now + COLLECT);
        if calls + letters > 0 {
            self.sync_by = self.sync_by.or(Some(now + LOSS_WINDOW - COLLECT));
        }
        if self.collect_by.is_none() {
            self.bell.sleep();
            if self.rings.iter().any(|ring| !ring.is_empty()) {
                self.collect_by = Some(now);
            }
        }
    }

    async fn write(&mut self, bytes: &mut Vec<u8>) {
        while !bytes.is_empty() {
            match self.sink.append(bytes) {
                Ok(()) => bytes.clear(),
                Err(error) => self.failed(&error).await,
            }
        }
        // A burst is no reason to keep its memory.
        if bytes.capacity() > LARGE {
            *bytes = Vec::new();
        }
    }

    /// What a failed sync leaves on the disk nobody knows, and a second one may say yes to what was lost: from there on nothing is
    /// recorded, and nothing done, until somebody has looked and started the gateway again.
    async fn sync(&mut self) {
        self.sync_by = None;
        if let Err(error) = self.sink.sync() {
            self.dead.store(true, Ordering::Relaxed);
            self.pending.clear();
            tracing::error!(error = %error, "the audit log may have lost lines: nothing is decided and nothing forwarded until the gateway is restarted");
            while self.queue.recv().await.is_some() {}
            return;
        }
        if self.dead.swap(false, Ordering::Relaxed) {
            tracing::info!("the audit log is written again");
        }
        for written in self.pending.drain(..) {
            // Nobody waits any more where the decision was given up; the line stands.
            let _ = written.send(());
        }
    }

    /// From now on everything is refused, until the same lines can be written.
    async fn failed(&self, error: &std::io::Error) {
        if !self.dead.swap(true, Ordering::Relaxed) {
            tracing::error!(error = %error, "the audit log cannot be written: nothing is decided and nothing forwarded until it can");
        }
        tokio::time::sleep(TRY_AGAIN).await;
    }
}

/// How many lines of decisions and refusals may be under way.
const QUEUE: usize = 65_536;
const GROUP: usize = 1024;
/// How often the rings are emptied.
const COLLECT: Duration = Duration::from_millis(20);
const LARGE: usize = 1 << 20;
/// What a crash may take of the calls; decisions are never in it.
const LOSS_WINDOW: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(5);
const TRY_AGAIN: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;

    use protocol::{ManualClock, Timestamp};

    use super::*;

    #[derive(Default)]
    struct Paper {
        written: Vec<u8>,
        synced: usize,
        full: bool,
    }

    struct Shared(Arc<Mutex<Paper>>);

    impl Sink for Shared {
        fn append(&mut self, lines: &[u8]) -> io::Result<()> {
            let mut paper = self.0.lock().expect("no panic");
            if paper.full {
                return Err(io::ErrorKind::StorageFull.into());
            }
            paper.written.extend_from_slice(lines);
            Ok(())
        }

        fn sync(&mut self) -> io::Result<()> {
            let mut paper = self.0.lock().expect("no panic");
            paper.synced = paper.written.len();
            Ok(())
        }
    }

    fn audit() -> (Audit, Arc<Mutex<Paper>>) {
        let paper = Arc::new(Mutex::new(Paper::default()));
        let clock = Arc::new(ManualClock::at(Timestamp::from_secs(1_790_000_000)));
        (Audit::start(Box::new(Shared(paper.clone())), clock).expect("starts"), paper)
    }

    #[tokio::test]
    async fn a_decision_is_durable_when_it_is_acknowledged() {
        let (audit, paper) = audit();
        audit.note(&Event::new("scope_violation")).expect("noted");
        audit.record(&Event::new("access_granted")).await.expect("recorded");
        audit.flush().await.expect("nothing is left");
        assert_eq!(audit.health(), Ok(()));
        let paper = paper.lock().expect("no panic");
        let lines = String::from_utf8(paper.written.clone()).expect("text");
        assert_eq!(paper.synced, lines.len());
        let events: Vec<&str> = lines.lines().filter_map(|line| line.split('"').nth(7)).collect();
        assert_eq!(events, ["scope_violation", "access_granted"]);
    }

    #[tokio::test]
    async fn calls_are_written_without_anybody_asking() {
        let (audit, paper) = audit();
        let ring = audit.ring();
        for _ in 0..3 {
            ring.reserve().expect("a place").fill(crate::ring::tests::call(5));
            let before = paper.lock().expect("no panic").synced;
            while paper.lock().expect("no panic").synced == before {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        ring.reserve().expect("a place").fill(crate::ring::tests::call(6));
        audit.record(&Event::new("access_granted")).await.expect("recorded");
        let lines = String::from_utf8(paper.lock().expect("no panic").written.clone()).expect("text");
        let events: Vec<&str> = lines.lines().filter_map(|line| line.split('"').nth(7)).collect();
        assert_eq!(events, ["proxy_request", "proxy_request", "proxy_request", "proxy_request", "access_granted"]);
    }

    #[tokio::test]
    async fn a_full_disk_refuses_everything_until_it_is_not() {
        let (audit, paper) = audit();
        paper.lock().expect("no panic").full = true;
        let waiting = tokio::spawn({
            let audit = audit.clone();
            async move { audit.record(&Event::new("access_granted")).await }
        });
        let ring = audit.ring();
        while ring.reserve().is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(audit.record(&Event::new("token_revoked")).await, Err(AuditError::Dead));
        paper.lock().expect("no panic").full = false;
        assert_eq!(waiting.await.expect("no panic"), Ok(()), "what waited is written once there is room");
        assert!(ring.reserve().is_ok());
    }
}
