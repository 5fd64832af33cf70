use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use protocol::Clock;
use tokio::sync::mpsc::{self, OwnedPermit};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::{Event, Sink};

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
    lines: mpsc::Sender<Line>,
    dead: Arc<AtomicBool>,
    clock: Arc<dyn Clock>,
}

/// A line's place in the ring, reserved before what it will tell of is begun.
pub struct Place {
    permit: OwnedPermit<Line>,
    clock: Arc<dyn Clock>,
}

struct Line {
    bytes: Vec<u8>,
    /// Told when the line is durable.
    written: Option<oneshot::Sender<()>>,
}

impl Audit {
    /// Starts the thread that writes into `sink`. It ends when the last clone is gone and everything is written.
    pub fn start(sink: Box<dyn Sink>, clock: Arc<dyn Clock>) -> std::io::Result<Self> {
        let (lines, queue) = mpsc::channel(RING);
        let dead = Arc::new(AtomicBool::new(false));
        let flag = dead.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || runtime.block_on(Writer { sink, queue, dead: flag, pending: Vec::new() }.run()))?;
        Ok(Self { lines, dead, clock })
    }

    /// Records a decision; durable when this returns `Ok`. Where it does not, the decision is not to be taken.
    pub async fn record(&self, event: &Event) -> Result<(), AuditError> {
        tell(event);
        self.write(event.line(self.clock.now())).await
    }

    /// Records a refusal: in the same order as everything else, without waiting for the disk.
    pub fn note(&self, event: &Event) -> Result<(), AuditError> {
        tell(event);
        self.reserve()?.fill(event);
        Ok(())
    }

    /// A place for a call that is about to be made.
    pub fn reserve(&self) -> Result<Place, AuditError> {
        self.alive()?;
        match self.lines.clone().try_reserve_owned() {
            Ok(permit) => Ok(Place { permit, clock: self.clock.clone() }),
            Err(mpsc::error::TrySendError::Full(_)) => Err(AuditError::Full),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(AuditError::Dead),
        }
    }

    /// Whether lines are taken at this moment.
    pub fn health(&self) -> Result<(), AuditError> {
        self.alive()?;
        if self.lines.capacity() == 0 { Err(AuditError::Full) } else { Ok(()) }
    }

    /// How many lines are under way to the sink.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.lines.max_capacity() - self.lines.capacity()
    }

    /// Waits until whatever was written so far is durable: what to do before the process ends.
    pub async fn flush(&self) -> Result<(), AuditError> {
        self.write(Vec::new()).await
    }

    async fn write(&self, bytes: Vec<u8>) -> Result<(), AuditError> {
        self.alive()?;
        let (written, done) = oneshot::channel();
        let line = Line { bytes, written: Some(written) };
        // A decision waits for its turn; it is rare, and worth more than a call.
        let sent = tokio::time::timeout(PATIENCE, self.lines.send(line)).await;
        sent.map_err(|_| AuditError::Full)?.map_err(|_| AuditError::Dead)?;
        match tokio::time::timeout(PATIENCE, done).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(AuditError::Dead),
        }
    }

    fn alive(&self) -> Result<(), AuditError> {
        if self.dead.load(Ordering::Relaxed) { Err(AuditError::Dead) } else { Ok(()) }
    }
}

impl Place {
    /// Writes the line into the place.
    pub fn fill(self, event: &Event) {
        self.permit.send(Line { bytes: event.line(self.clock.now()), written: None });
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
    queue: mpsc::Receiver<Line>,
    dead: Arc<AtomicBool>,
    /// Who waits for the next sync.
    pending: Vec<oneshot::Sender<()>>,
}

impl Writer {
    async fn run(mut self) {
        let mut sync_by: Option<Instant> = None;
        let mut group = Vec::with_capacity(GROUP);
        loop {
            let received = match sync_by {
                None => self.queue.recv_many(&mut group, GROUP).await,
                Some(deadline) => {
                    let Ok(received) = timeout_at(deadline, self.queue.recv_many(&mut group, GROUP)).await else {
                        self.sync().await;
                        sync_by = None;
                        continue;
                    };
                    received
                }
            };
            if received == 0 {
                self.sync().await;
                return;
            }
            self.write(std::mem::take(&mut group)).await;
            if self.pending.is_empty() {
                sync_by = sync_by.or(Some(Instant::now() + LOSS_WINDOW));
            } else {
                self.sync().await;
                sync_by = None;
            }
        }
    }

    async fn write(&mut self, group: Vec<Line>) {
        let bytes: Vec<u8> = group.iter().flat_map(|line| line.bytes.iter().copied()).collect();
        while let Err(error) = self.sink.append(&bytes) {
            self.failed(&error).await;
        }
        self.pending.extend(group.into_iter().filter_map(|line| line.written));
    }

    /// What a failed sync leaves on the disk nobody knows, and a second one may say yes to what was lost: from there on nothing is
    /// recorded, and nothing done, until somebody has looked and started the gateway again.
    async fn sync(&mut self) {
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

/// How many lines may be under way.
const RING: usize = 65_536;
const GROUP: usize = 1024;
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
        assert_eq!((audit.waiting(), audit.health()), (0, Ok(())));
        let paper = paper.lock().expect("no panic");
        let lines = String::from_utf8(paper.written.clone()).expect("text");
        assert_eq!(paper.synced, lines.len());
        let events: Vec<&str> = lines.lines().filter_map(|line| line.split('"').nth(7)).collect();
        assert_eq!(events, ["scope_violation", "access_granted"]);
    }

    #[tokio::test]
    async fn a_full_disk_refuses_everything_until_it_is_not() {
        let (audit, paper) = audit();
        paper.lock().expect("no panic").full = true;
        let waiting = tokio::spawn({
            let audit = audit.clone();
            async move { audit.record(&Event::new("access_granted")).await }
        });
        while audit.reserve().is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(audit.record(&Event::new("token_revoked")).await, Err(AuditError::Dead));
        paper.lock().expect("no panic").full = false;
        assert_eq!(waiting.await.expect("no panic"), Ok(()), "what waited is written once there is room");
        assert!(audit.reserve().is_ok());
    }
}
