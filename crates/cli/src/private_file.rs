//! Files that only their owner may read, and locks on them.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use rustix::fs::OFlags;

/// Why a private file is not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// It is a symbolic link, a folder, a pipe.
    #[error("it is no ordinary file")]
    Kind,
    /// It belongs to somebody else.
    #[error("it belongs to somebody else")]
    Owner,
    /// Others than its owner may read or write it.
    #[error("others may read or write it")]
    Mode,
    /// It is larger than anything that is kept.
    #[error("it is too large")]
    TooLarge,
    /// Somebody else had it locked all the time.
    #[error("another ath holds it")]
    Locked,
    /// The system's reason.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// The whole text; none where there is no file. A link is not followed, and what others could have written is not read.
pub(crate) fn read(path: &Path) -> Result<Option<String>, FileError> {
    read_if(path, check)
}

/// The same of a file that others may have read or written: for what is in it to be ended, and for nothing else.
pub(crate) fn read_exposed(path: &Path) -> Result<Option<String>, FileError> {
    read_if(path, |file| match check(file) {
        Err(FileError::Mode) => Ok(()),
        checked => checked,
    })
}

fn read_if(path: &Path, check: impl FnOnce(&File) -> Result<(), FileError>) -> Result<Option<String>, FileError> {
    let no_link = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let opened = OpenOptions::new().read(true).custom_flags(no_link.bits().cast_signed()).open(path);
    let file = match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            return Err(FileError::Kind);
        }
        opened => opened?,
    };
    check(&file)?;
    let mut text = String::new();
    file.take(MOST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MOST { Err(FileError::TooLarge) } else { Ok(Some(text)) }
}

/// Puts a file in the place of another, in one step; on the disk when this returns. The folder is made where there is none.
pub(crate) fn replace(path: &Path, text: &str) -> Result<(), FileError> {
    let folder = folder(path);
    make_folder(folder)?;
    let beside = path.with_extension(format!("{}.new", std::process::id()));
    remove(&beside)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(beside, path)?;
    File::open(folder)?.sync_all()?;
    Ok(())
}

/// Removes a file, where there is one.
pub(crate) fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Removes what a process that was killed left of its `replace`. Whoever holds the lock that such files are changed under knows that nobody
/// needs it.
pub(crate) fn remove_remains(path: &Path) -> Result<(), FileError> {
    let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) else { return Ok(()) };
    let entries = match fs::read_dir(folder(path)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?.path();
        let name = entry.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let number = name.strip_prefix(stem).and_then(|rest| rest.strip_prefix('.')?.strip_suffix(".new"));
        if number.is_some_and(|number| number.parse::<u32>().is_ok()) {
            remove(&entry)?;
        }
    }
    Ok(())
}

/// A lock that ends with the process, or when this is dropped.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "held, and never read")] File);

impl Lock {
    /// Waits for it, `patience` at most. The file stays: one that is removed could be locked twice.
    pub(crate) async fn take(path: &Path, patience: Duration) -> Result<Self, FileError> {
        make_folder(folder(path))?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let file = options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(path)?;
        let locked = tokio::time::timeout(patience, async {
            loop {
                match file.try_lock() {
                    Ok(()) => return Ok(()),
                    Err(TryLockError::WouldBlock) => tokio::time::sleep(PAUSE).await,
                    Err(TryLockError::Error(error)) => return Err(FileError::Io(error)),
                }
            }
        });
        locked.await.map_err(|_| FileError::Locked)??;
        Ok(Self(file))
    }
}

fn make_folder(folder: &Path) -> Result<(), FileError> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // A folder that was there before, and where others could put a file of theirs into the place of ours.
    let found = fs::metadata(folder)?;
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(FileError::Owner);
    }
    if found.mode() & 0o077 != 0 {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

fn check(file: &File) -> Result<(), FileError> {
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(FileError::Kind);
    }
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(FileError::Owner);
    }
    if found.mode() & 0o077 != 0 { Err(FileError::Mode) } else { Ok(()) }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Bytes that a private file holds at most.
const MOST: u64 = 1024 * 1024;
/// Between two attempts at a lock that another process holds for as long as a request or three take.
const PAUSE: Duration = Duration::from_millis(20);

#[cfg(test)]
#[path = "private_file_tests.rs"]
mod tests;
