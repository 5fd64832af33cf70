//! The access log: a line of JSON for every request, whatever became of it.
//!
//! A core writes lines into a buffer of its own and hands it over when it is full, or a moment old; one thread writes. Nobody waits for
//! it: what it cannot take is counted, and is not in the log. That is the difference from the audit log, without which nothing is done.
//!
//! **Invariant:** a line has no query, no header and no token; a path only where the configuration asks for it.

mod line;
mod writer;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use crate::config::AccessLogConfig;

pub(crate) use line::Line;

/// The door to the log. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct AccessLog {
    batches: SyncSender<Batch>,
    state: Arc<State>,
    shape: Shape,
}

/// What a line has that not every line must have.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Shape {
    /// Who called.
    pub(crate) agents: bool,
    /// What was called, without the query.
    pub(crate) paths: bool,
}

#[derive(Debug, Default)]
struct State {
    /// Lines that are in no log.
    lost: AtomicU64,
    /// The file is to be opened anew.
    reopen: AtomicBool,
}

/// What the writer is handed.
enum Batch {
    Lines {
        bytes: Vec<u8>,
        count: u64,
    },
    /// Tell when everything before is written.
    Flush(oneshot::Sender<()>),
}

/// One core's buffer.
pub(crate) struct Page {
    log: AccessLog,
    bytes: RefCell<Vec<u8>>,
    count: Cell<u64>,
    begun: Notify,
}

impl AccessLog {
    /// Opens the log, and starts the thread that writes it.
    pub(crate) fn start(config: &AccessLogConfig) -> std::io::Result<Self> {
        let (batches, queue) = sync_channel(BATCHES);
        let state = Arc::new(State::default());
        let mut writer = writer::Writer::open(config.path.clone(), state.clone())?;
        std::thread::Builder::new().name("access-log".to_owned()).spawn(move || writer.run(&queue))?;
        Ok(Self { batches, state, shape: Shape { agents: config.agents, paths: config.paths } })
    }

    /// A buffer for one core.
    pub(crate) fn page(&self) -> Rc<Page> {
        let log = self.clone();
        Rc::new(Page { log, bytes: RefCell::default(), count: Cell::new(0), begun: Notify::new() })
    }

    /// Lines that the log could not take.
    pub(crate) fn lost(&self) -> u64 {
        self.state.lost.load(Ordering::Relaxed)
    }

    /// The file that the path names is to be written from now on, whatever was opened before.
    pub(crate) fn reopen(&self) {
        self.state.reopen.store(true, Ordering::Relaxed);
    }

    /// Waits until what was handed over is written, for a moment.
    pub(crate) async fn flush(&self) {
        let (done, written) = oneshot::channel();
        if self.batches.try_send(Batch::Flush(done)).is_ok() {
            let _ = tokio::time::timeout(PATIENCE, written).await;
        }
    }

    fn hand_over(&self, bytes: Vec<u8>, count: u64) {
        if self.batches.try_send(Batch::Lines { bytes, count }).is_err() {
            self.state.lost.fetch_add(count, Ordering::Relaxed);
        }
    }
}

impl Page {
    /// What its lines are to have.
    pub(crate) fn shape(&self) -> Shape {
        self.log.shape
    }

    /// Adds a line.
    pub(crate) fn write(&self, line: &Line<'_>) {
        let mut bytes = self.bytes.borrow_mut();
        if bytes.is_empty() {
            bytes.reserve(FULL + LONGEST);
            self.begun.notify_one();
        }
        line.write(&mut bytes);
        self.count.set(self.count.get() + 1);
        if bytes.len() >= FULL {
            drop(bytes);
            self.turn();
        }
    }

    /// Hands over what is there.
    fn turn(&self) {
        let bytes = self.bytes.take();
        let count = self.count.take();
        if count > 0 {
            self.log.hand_over(bytes, count);
        }
    }

    /// Sees to it that no line stays here for long. Never returns.
    pub(crate) async fn keep_turning(&self) {
        loop {
            self.begun.notified().await;
            tokio::time::sleep(MOMENT).await;
            self.turn();
        }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.turn();
    }
}

/// Batches that may wait; 32 KiB each, so that a sink that hangs costs two megabytes.
const BATCHES: usize = 64;
/// In bytes.
const FULL: usize = 32 * 1024;
/// About as long as a line may be, in bytes.
const LONGEST: usize = 1024;
const MOMENT: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(2);
