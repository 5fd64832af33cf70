use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;

use super::{Batch, State};
use crate::config::AccessLogPath;

/// The one who writes the log.
pub(super) struct Writer {
    sink: Sink,
    state: Arc<State>,
    /// Whether the last write failed: the log says so once.
    failing: bool,
}

enum Sink {
    StandardOutput,
    File { path: PathBuf, file: File },
}

impl Writer {
    pub(super) fn open(path: AccessLogPath, state: Arc<State>) -> io::Result<Self> {
        let sink = match path {
            AccessLogPath::Off => return Err(io::ErrorKind::InvalidInput.into()),
            AccessLogPath::StandardOutput => Sink::StandardOutput,
            AccessLogPath::File(path) => Sink::File { file: appended(&path)?, path },
        };
        Ok(Self { sink, state, failing: false })
    }

    /// Writes until nobody is left who could hand anything over.
    pub(super) fn run(&mut self, queue: &Receiver<Batch>) {
        while let Ok(batch) = queue.recv() {
            match batch {
                Batch::Lines { bytes, count } => self.lines(&bytes, count),
                Batch::Flush(done) => {
                    let _ = done.send(());
                }
            }
        }
    }

    fn lines(&mut self, bytes: &[u8], count: u64) {
        match self.write(bytes) {
            Ok(()) if self.failing => {
                self.failing = false;
                tracing::info!("the access log is written again");
            }
            Ok(()) => {}
            Err(error) => {
                self.state.lost.fetch_add(count, Ordering::Relaxed);
                if !self.failing {
                    self.failing = true;
                    tracing::error!(error = %error, "the access log cannot be written: lines are lost");
                }
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.sink {
            Sink::StandardOutput => {
                let mut output = io::stdout().lock();
                output.write_all(bytes)?;
                output.flush()
            }
            Sink::File { path, file } => {
                // Whoever rotates logs moves the file away, and expects another under its name.
                if self.state.reopen.swap(false, Ordering::Relaxed) || is_moved(path, file) {
                    *file = appended(path)?;
                }
                file.write_all(bytes)
            }
        }
    }
}

fn appended(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o640).open(path)
}

fn is_moved(path: &Path, file: &File) -> bool {
    match (fs::metadata(path), file.metadata()) {
        (Ok(named), Ok(open)) => (named.dev(), named.ino()) != (open.dev(), open.ino()),
        _ => true,
    }
}
