use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::folder::Folder;
use crate::segment::{self, HEAD, Safety, Segment};
use crate::{Entry, JournalError, Place, Settings};

/// What the thread is asked for.
pub(crate) enum Job {
    Append { bytes: Vec<u8>, safety: Safety, answer: oneshot::Sender<Result<Place, JournalError>> },
    Settled(Place),
    Entries(oneshot::Sender<Result<Vec<Entry>, JournalError>>),
}

/// The thread's own state.
pub(crate) struct Writer {
    folder: Folder,
    settings: Settings,
    active: Segment,
    /// Made ahead of time; `None` where the disk had no room for it.
    spare: Option<Segment>,
    /// By number: those that were filled, or found at the start, and the active one.
    files: BTreeMap<u64, Pending>,
    next: u64,
    tidied: Instant,
}

/// A segment's place, and what keeps it.
struct Pending {
    path: PathBuf,
    unsettled: usize,
    /// When the first entry was written, as far as this process knows.
    first: Option<Instant>,
    /// When the last entry was written, as far as this process knows.
    last: Instant,
}

impl Writer {
    /// Reads what is there and makes two new segments: one to write, and a spare.
    pub(crate) fn start(folder: Folder, settings: Settings) -> Result<(Self, Vec<Entry>), JournalError> {
        let mut files = BTreeMap::new();
        let mut entries = Vec::new();
        let mut next = 1;
        for (number, path) in folder.segments()? {
            let read = segment::decode(&std::fs::read(&path)?);
            // Two slots may have used one number: the later one's segment is known by a number of its own.
            let number = if files.contains_key(&number) { next } else { number };
            next = next.max(number) + 1;
            if read.is_empty() {
                std::fs::remove_file(&path)?;
                continue;
            }
            files.insert(number, Pending { path, unsettled: read.len(), first: None, last: Instant::now() });
            entries.extend(read.into_iter().map(|bytes| Entry { bytes, place: Place { segment: number } }));
        }
        let active = Segment::make(next, folder.place(next), settings.segment)?;
        let mut writer = Self { folder, settings, active, spare: None, files, next: next + 1, tidied: Instant::now() };
        writer.make_spare();
        writer.folder.sync()?;
        writer.note_active();
        Ok((writer, entries))
    }

    pub(crate) fn run(mut self, queue: &Receiver<Job>, works: &AtomicBool) {
        loop {
            match queue.recv_timeout(TIDY_EVERY) {
                Ok(first) => {
                    let mut group = Vec::new();
                    for job in std::iter::once(first).chain(queue.try_iter().take(GROUP)) {
                        self.take(job, &mut group);
                    }
                    self.write(group, works);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.tidied.elapsed() >= TIDY_EVERY {
                self.tidied = Instant::now();
                self.tidy();
            }
        }
    }

    fn take(&mut self, job: Job, group: &mut Vec<Append>) {
        match job {
            Job::Append { bytes, safety, answer } => group.push((bytes, safety, answer)),
            Job::Settled(place) => self.settle(&place),
            Job::Entries(answer) => {
                let _ = answer.send(self.entries());
            }
        }
    }

    fn settle(&mut self, place: &Place) {
        if let Some(file) = self.files.get_mut(&place.segment) {
            file.unsettled = file.unsettled.saturating_sub(1);
        }
    }

    /// All of a group in as few writes as there are segments to hold it.
    fn write(&mut self, group: Vec<Append>, works: &AtomicBool) {
        let mut buffer = Vec::new();
        let mut waiting = Vec::new();
        for (bytes, safety, answer) in group {
            if bytes.is_empty() || (HEAD + bytes.len()) as u64 > self.settings.segment {
                let _ = answer.send(Err(JournalError::TooLarge));
                continue;
            }
            if !self.active.fits(buffer.len(), bytes.len()) {
                self.flush(&mut buffer, &mut waiting, works);
                if let Err(error) = self.turn() {
                    works.store(false, Ordering::Relaxed);
                    let _ = answer.send(Err(error.into()));
                    continue;
                }
            }
            if segment::encode(&bytes, &mut buffer).is_some() {
                waiting.push((safety, answer));
            }
        }
        self.flush(&mut buffer, &mut waiting, works);
    }

    fn flush(&mut self, buffer: &mut Vec<u8>, waiting: &mut Vec<(Safety, Answer)>, works: &AtomicBool) {
        let Some(safety) = waiting.iter().map(|(safety, _)| *safety).max() else { return };
        // What waits goes into another file, once.
        let written = self.active.append(buffer, safety).or_else(|error| {
            tracing::error!(error = %error, "a segment of the journal failed");
            self.turn()?;
            self.active.append(buffer, safety)
        });
        works.store(written.is_ok(), Ordering::Relaxed);
        if let (Ok(()), Some(file)) = (&written, self.files.get_mut(&self.active.number())) {
            file.unsettled += waiting.len();
            file.last = Instant::now();
            file.first = file.first.or(Some(file.last));
        }
        for (_, answer) in waiting.drain(..) {
            let outcome = match &written {
                Ok(()) => Ok(Place { segment: self.active.number() }),
                Err(error) => Err(JournalError::Io(io::Error::new(error.kind(), error.to_string()))),
            };
            if let Err(Ok(place)) = answer.send(outcome) {
                // Nobody waits any more, so nobody would ever settle it: it stays as long as all others do.
                self.settle(&place);
            }
        }
        buffer.clear();
    }

    /// Goes on in the spare segment, or in one that is made now.
    fn turn(&mut self) -> io::Result<()> {
        let fresh = match self.spare.take() {
            Some(spare) => spare,
            None => self.make()?,
        };
        self.active = fresh;
        self.note_active();
        Ok(())
    }

    fn make(&mut self) -> io::Result<Segment> {
        let made = Segment::make(self.next, self.folder.place(self.next), self.settings.segment)?;
        self.next += 1;
        self.folder.sync()?;
        Ok(made)
    }

    fn make_spare(&mut self) {
        match self.make() {
            Ok(spare) => self.spare = Some(spare),
            Err(error) => tracing::warn!(error = %error, "the journal has no spare segment"),
        }
    }

    fn note_active(&mut self) {
        let path = self.active.path().to_owned();
        self.files.insert(self.active.number(), Pending { path, unsettled: 0, first: None, last: Instant::now() });
    }

    /// Deletes what is settled and old. An active segment makes room for a fresh one in time, so that no entry stays for long behind it.
    fn tidy(&mut self) {
        if self.spare.is_none() {
            self.make_spare();
        }
        let active = self.active.number();
        let turns = |file: &Pending| file.first.is_some_and(|first| first.elapsed() >= self.settings.keep / 2);
        if self.files.get(&active).is_some_and(turns)
            && let Err(error) = self.turn()
        {
            tracing::warn!(error = %error, "the journal keeps an old segment");
        }
        let active = self.active.number();
        let over: Vec<u64> = self
            .files
            .iter()
            .filter(|(number, file)| **number != active && self.is_over(file))
            .map(|(n, _)| *n)
            .collect();
        for number in over {
            if let Some(file) = self.files.remove(&number)
                && let Err(error) = std::fs::remove_file(&file.path)
            {
                tracing::warn!(error = %error, "an old segment of the journal stays");
            }
        }
    }

    fn is_over(&self, file: &Pending) -> bool {
        file.unsettled == 0 && file.last.elapsed() >= self.settings.keep
    }

    /// Reads everything again; each entry counts as unsettled once more.
    fn entries(&mut self) -> Result<Vec<Entry>, JournalError> {
        let mut entries = Vec::new();
        for (number, file) in &mut self.files {
            let read = segment::decode(&std::fs::read(&file.path)?);
            file.unsettled += read.len();
            entries.extend(read.into_iter().map(|bytes| Entry { bytes, place: Place { segment: *number } }));
        }
        Ok(entries)
    }
}

type Answer = oneshot::Sender<Result<Place, JournalError>>;
type Append = (Vec<u8>, Safety, Answer);

const GROUP: usize = 256;
const TIDY_EVERY: Duration = Duration::from_secs(1);
