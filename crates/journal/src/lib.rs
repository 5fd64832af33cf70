//! Keeps what must not be lost between a provider's answer and the store's acknowledgement: opaque entries, on disk before anything else
//! is done with them.
//!
//! A folder holds segments, each made of zeros before it is used, so that an append needs no room on a disk that has become full. One
//! thread writes: what waits together shares one write and one `fdatasync`. Nothing is marked as done on disk; whoever reads an entry
//! after a crash finds out by looking whether it is still needed. A segment is deleted when all in it is settled and was so for a while
//! ([`Settings::keep`]), so that what a failover undoes can be done again.
//!
//! **Invariant:** the journal sees sealed bytes and holds no key.
//!
//! **Invariant:** when [`Journal::append`] has returned `Ok`, the entry survives the process, and the machine as far as `fdatasync` does.

mod folder;
mod segment;
mod writer;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::folder::Folder;
use crate::segment::Safety;
use crate::writer::{Job, Writer};

/// How large segments are, and how long they stay.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Bytes of one segment; an entry with its twelve bytes of head has to fit.
    pub segment: u64,
    /// How long a segment stays after its last entry was written; it takes entries for half as long.
    pub keep: Duration,
}

impl Default for Settings {
    /// 4 MiB, several hundred pairs of tokens; eight minutes, longer than a failover of the store takes. With the four minutes after
    /// which a segment makes room for the next, no settled entry is there after a quarter of an hour.
    fn default() -> Self {
        Self { segment: 4 << 20, keep: Duration::from_secs(480) }
    }
}

/// An append-only journal in one folder. Dropping it waits until what was handed in is on disk.
pub struct Journal {
    jobs: Option<mpsc::Sender<Job>>,
    writer: Option<JoinHandle<()>>,
    works: Arc<AtomicBool>,
    names: Vec<String>,
}

/// Bytes that an earlier process, or this one, wrote.
#[derive(Debug)]
pub struct Entry {
    /// As they were handed in.
    pub bytes: Vec<u8>,
    /// Where they lie.
    pub place: Place,
}

/// Where an entry lies. Its segment stays until [`Journal::settled`] was told of every place in it.
#[derive(Debug)]
#[must_use = "a place that is never settled keeps its segment for ever"]
pub struct Place {
    segment: u64,
}

/// Why an entry is not on disk.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// No segment could be written.
    #[error("the journal cannot be written")]
    Io(#[from] std::io::Error),
    /// Larger than a segment.
    #[error("an entry is larger than a segment of the journal")]
    TooLarge,
    /// The writing thread is gone.
    #[error("the journal has stopped")]
    Stopped,
}

impl Journal {
    /// Opens the journal in `folder`, which is made where it is not there, readable by its owner alone. Several processes may share a
    /// folder; each writes files of its own, and takes over those whose process is gone.
    ///
    /// `name` is what this part of the folder is called from now on, if it has no name yet: others say by it whose journal to wait for.
    /// Returns, oldest first, what was written before. Each entry counts as unsettled until [`Journal::settled`] hears of it.
    pub fn open(folder: &Path, name: &str, settings: Settings) -> Result<(Self, Vec<Entry>), JournalError> {
        let folder = Folder::open(folder, name)?;
        let names = folder.names();
        let (writer, entries) = Writer::start(folder, settings)?;
        let works = Arc::new(AtomicBool::new(true));
        let (jobs, queue) = mpsc::channel();
        let works_ = works.clone();
        let run = move || writer.run(&queue, &works_);
        let writer = std::thread::Builder::new().name("journal-writer".to_owned()).spawn(run)?;
        Ok((Self { jobs: Some(jobs), writer: Some(writer), works, names }, entries))
    }

    /// What this process's part of the folder is called.
    #[must_use]
    pub fn name(&self) -> &str {
        self.names.first().map_or("", String::as_str)
    }

    /// Whether all that the journal called `name` ever held has been handed to this process.
    #[must_use]
    pub fn covers(&self, name: &str) -> bool {
        self.names.iter().any(|covered| covered == name)
    }

    /// Puts an entry on disk.
    pub async fn append(&self, bytes: Vec<u8>) -> Result<Place, JournalError> {
        self.ask(|answer| Job::Append { bytes, safety: Safety::Disk, answer }).await?
    }

    /// Writes an entry that survives the process, if not the machine: cheap.
    pub async fn note(&self, bytes: Vec<u8>) -> Result<Place, JournalError> {
        self.ask(|answer| Job::Append { bytes, safety: Safety::Process, answer }).await?
    }

    /// Says that an entry is not needed any more. Repeating it for a place that [`Journal::entries`] returned anew is as it should be.
    pub fn settled(&self, place: Place) {
        if let Some(jobs) = &self.jobs {
            // Without a writer the files stay, and are looked through at the next start.
            let _ = jobs.send(Job::Settled(place));
        }
    }

    /// Everything that is still on disk, settled or not, oldest first: for a store that may have lost what it acknowledged. Each of
    /// these entries has to be settled, once more where it was.
    pub async fn entries(&self) -> Result<Vec<Entry>, JournalError> {
        self.ask(Job::Entries).await?
    }

    /// Says that an append did not come to its end in the time that somebody had for it.
    pub fn hangs(&self) {
        self.works.store(false, Ordering::Relaxed);
    }

    /// Whether the last append, or the start, went well.
    #[must_use]
    pub fn works(&self) -> bool {
        self.works.load(Ordering::Relaxed)
    }

    async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<T>) -> Job) -> Result<T, JournalError> {
        let (answer, answered) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or(JournalError::Stopped)?;
        jobs.send(job(answer)).map_err(|_| JournalError::Stopped)?;
        answered.await.map_err(|_| JournalError::Stopped)
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.jobs = None;
        let Some(writer) = self.writer.take() else { return };
        // A disk that hangs does not keep the process from ending.
        let begun = Instant::now();
        while !writer.is_finished() && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(2));
        }
        if !writer.is_finished() {
            tracing::error!("the journal's disk hangs");
        } else if writer.join().is_err() {
            tracing::error!("the journal's writer ended by a panic");
        }
    }
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal").field("works", &self.works()).finish_non_exhaustive()
    }
}

const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
