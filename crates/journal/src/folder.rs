use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The journal's folder, and the slots in it that this process holds: its own, and those of processes that are gone.
pub(crate) struct Folder {
    path: PathBuf,
    own: u32,
    held: Vec<Slot>,
}

/// A slot of the folder's, and the file whose lock holds it.
struct Slot {
    number: u32,
    /// What the slot was called by the first process that used it.
    name: String,
    _lock: File,
}

impl Folder {
    /// Takes the first free slot, and every other free one that has been used. A slot that was never used is called `name`.
    pub(crate) fn open(path: &Path, name: &str) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let mut held = Vec::new();
        for slot in 1..=SLOTS {
            let place = path.join(format!("{slot}.lock"));
            if !held.is_empty() && !place.exists() {
                continue;
            }
            let mut file =
                OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&place)?;
            match file.try_lock() {
                Ok(()) => held.push(Slot { number: slot, name: named(&mut file, name)?, _lock: file }),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        let own = held.first().map(|slot| slot.number).ok_or_else(|| {
            io::Error::new(io::ErrorKind::ResourceBusy, "too many processes share the journal's folder")
        })?;
        Ok(Self { path: path.to_owned(), own, held })
    }

    /// What this process's own slot is called: the first, and then those of processes that are gone.
    pub(crate) fn names(&self) -> Vec<String> {
        self.held.iter().map(|slot| slot.name.clone()).collect()
    }

    /// The numbers of the segments in the slots that are held, oldest first, with their files.
    pub(crate) fn segments(&self) -> io::Result<Vec<(u64, PathBuf)>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some((slot, number)) = name.to_str().and_then(segment_name) else { continue };
            if self.held.iter().any(|held| held.number == slot) {
                found.push((number, entry.path()));
            }
        }
        found.sort();
        Ok(found)
    }

    /// Where a segment of this process's lies.
    pub(crate) fn place(&self, number: u64) -> PathBuf {
        self.path.join(format!("{}-{number:016}.segment", self.own))
    }

    /// Makes the names of files that were made or deleted as durable as what is in them.
    pub(crate) fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

/// The name that a slot has, or gets now.
fn named(file: &mut File, name: &str) -> io::Result<String> {
    let mut found = String::new();
    file.read_to_string(&mut found)?;
    if found.is_empty() {
        file.write_all(name.as_bytes())?;
        file.sync_all()?;
        return Ok(name.to_owned());
    }
    Ok(found)
}

fn segment_name(name: &str) -> Option<(u32, u64)> {
    let (slot, number) = name.strip_suffix(".segment")?.split_once('-')?;
    Some((slot.parse().ok()?, number.parse().ok()?))
}

const SLOTS: u32 = 64;
