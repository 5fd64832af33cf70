use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Where lines go. A write that fails leaves nothing of itself behind, so that it can be tried again.
pub trait Sink: Send {
    /// Writes whole lines.
    fn append(&mut self, lines: &[u8]) -> io::Result<()>;

    /// Returns when everything written so far would survive a crash.
    fn sync(&mut self) -> io::Result<()>;
}

/// A file that only grows, readable by its owner alone, locked while the gateway runs.
pub struct FileSink {
    file: File,
    path: PathBuf,
    /// Where the last good line ends.
    length: u64,
}

impl FileSink {
    /// Opens `path`, or makes it. Where another gateway of this machine writes there, `name.1.jsonl` and so on are tried.
    pub fn open(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        for number in 0..MOST_GATEWAYS {
            let path = numbered(path, number);
            let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&path)?;
            match file.try_lock() {
                Ok(()) => return Self::locked(file, path),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Err(io::Error::new(io::ErrorKind::ResourceBusy, "other gateways write there"))
    }

    /// The file that is written.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A crash may have left half a line: it ends there, and the next one begins on its own.
    fn locked(file: File, path: PathBuf) -> io::Result<Self> {
        use std::os::unix::fs::FileExt;
        let length = file.metadata()?.len();
        let mut sink = Self { file, path, length };
        let mut last = [b'\n'];
        if length > 0 {
            sink.file.read_exact_at(&mut last, length - 1)?;
        }
        if last != *b"\n" {
            sink.append(b"\n")?;
        }
        Ok(sink)
    }
}

impl Sink for FileSink {
    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(lines) {
            // A full disk takes half a line; the next attempt must not begin in the middle of it.
            self.file.set_len(self.length)?;
            return Err(error);
        }
        self.length += lines.len() as u64;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// For machines whose collector reads standard output: as durable as that collector.
pub struct StandardOutput;

impl Sink for StandardOutput {
    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        io::stdout().lock().write_all(lines)
    }

    fn sync(&mut self) -> io::Result<()> {
        io::stdout().lock().flush()
    }
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    if number == 0 {
        return path.to_owned();
    }
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    path.with_extension(if extension.is_empty() { number.to_string() } else { format!("{number}.{extension}") })
}

/// How many gateways may share one folder.
const MOST_GATEWAYS: u32 = 64;

#[cfg(test)]
#[expect(clippy::expect_used, reason = "what fails here fails the test")]
mod tests {
    use super::*;

    #[test]
    fn a_second_gateway_writes_beside_the_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("logs/audit.jsonl");
        let mut first = FileSink::open(&path).expect("opens");
        let second = FileSink::open(&path).expect("opens");
        assert_eq!(first.path(), path);
        assert_eq!(second.path(), folder.path().join("logs/audit.1.jsonl"));
        first.append(b"{}\n").expect("writes");
        first.sync().expect("syncs");
        drop(first);
        assert_eq!(FileSink::open(&path).expect("free again").path(), path);
        assert_eq!(std::fs::read(&path).expect("reads"), b"{}\n");
    }

    #[test]
    fn half_a_line_of_a_crash_is_ended() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("audit.jsonl");
        std::fs::write(&path, b"{}\n{\"ev").expect("writes");
        let mut sink = FileSink::open(&path).expect("opens");
        sink.append(b"{}\n").expect("writes");
        assert_eq!(std::fs::read(&path).expect("reads"), b"{}\n{\"ev\n{}\n");
    }
}
