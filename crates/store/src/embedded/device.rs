//! Where the bytes lie. redb takes a device as failed for good after its first error; here it is opened anew.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use redb::StorageBackend;

use crate::StoreError;

/// Bytes that stay when the process goes, once they are synced.
pub(super) trait Device: std::fmt::Debug + Send + Sync + 'static {
    fn len(&self) -> io::Result<u64>;
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()>;
    fn set_len(&self, len: u64) -> io::Result<()>;
    fn sync(&self) -> io::Result<()>;
    /// Whether `room` more bytes can be written and synced beside what is there.
    fn probe(&self, room: usize) -> io::Result<()>;
    /// Whose the bytes are, user and group, where they are somebody's.
    fn owner(&self) -> io::Result<Option<(u32, u32)>>;
}

/// The file of a store, locked for as long as this lives. The lock is on the file, by whatever path or link it is reached.
#[derive(Debug)]
pub(super) struct FileDevice {
    file: File,
    scratch: PathBuf,
}

impl FileDevice {
    /// Opens `path` and locks it; makes it, for its owner alone, where it is not there.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let failed = |error: &io::Error| StoreError::Open(format!("{}: {error}", path.display()));
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
        let file = options.map_err(|error| failed(&error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self::locked(file, path)),
            Err(TryLockError::WouldBlock) => Err(StoreError::Open(in_use(path))),
            Err(TryLockError::Error(error)) => Err(failed(&error)),
        }
    }

    /// Makes `path`, for its owner alone, and locks it; an error of the kind `AlreadyExists` where anything has the name, a link as well.
    pub(super) fn make(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
        file.try_lock()?;
        Ok(Self::locked(file, path))
    }

    /// Makes it somebody else's, user and group.
    pub(super) fn give_to(&self, (user, group): (u32, u32)) -> io::Result<()> {
        fchown(&self.file, Some(user), Some(group))
    }

    fn locked(file: File, path: &Path) -> Self {
        Self { file, scratch: path.with_extension("probe") }
    }
}

pub(super) fn in_use(path: &Path) -> String {
    format!(
        "{} is in use by another process; an embedded store serves one gateway: stop the other, or use Redis for several",
        path.display()
    )
}

impl Device for FileDevice {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(out, offset)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_all_at(data, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn probe(&self, room: usize) -> io::Result<()> {
        let mut scratch = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&self.scratch)?;
        // Not zeros: a file system may keep those without room.
        let written = scratch.write_all(&vec![0xa5; room]).and_then(|()| scratch.sync_data());
        let removed = std::fs::remove_file(&self.scratch);
        written.and(removed)
    }

    fn owner(&self) -> io::Result<Option<(u32, u32)>> {
        let metadata = self.file.metadata()?;
        Ok(Some((metadata.uid(), metadata.gid())))
    }
}

/// One opening of a device, for one database. Once it is closed, nothing of that database reaches the device any more, whoever still
/// holds it.
#[derive(Debug, Clone)]
pub(super) struct Opening(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    device: Arc<dyn Device>,
    open: RwLock<bool>,
    doubt: Arc<Doubt>,
}

/// Whether what was written may be in memory alone, where nobody will carry it to the disk: from a sync that failed until everything
/// has been written again.
#[derive(Debug, Default)]
pub(super) struct Doubt(AtomicBool);

impl Doubt {
    pub(super) fn is_there(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    pub(super) fn is_gone(&self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Opening {
    pub(super) fn new(device: Arc<dyn Device>, doubt: Arc<Doubt>) -> Self {
        Self(Arc::new(Shared { device, open: RwLock::new(true), doubt }))
    }

    /// Waits for what is under way.
    pub(super) fn end(&self) {
        *self.0.open.write().unwrap_or_else(PoisonError::into_inner) = false;
    }

    fn entered(&self) -> io::Result<RwLockReadGuard<'_, bool>> {
        let open = self.0.open.read().unwrap_or_else(PoisonError::into_inner);
        if *open { Ok(open) } else { Err(io::Error::other("the store was opened anew")) }
    }
}

/// Locking is the device's own matter: the lock outlives every opening.
impl StorageBackend for Opening {
    fn len(&self) -> io::Result<u64> {
        let _entered = self.entered()?;
        self.0.device.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let _entered = self.entered()?;
        self.0.device.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let _entered = self.entered()?;
        self.0.device.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        let _entered = self.entered()?;
        let synced = self.0.device.sync();
        if synced.is_err() {
            self.0.doubt.0.store(true, Ordering::Release);
        }
        synced
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let _entered = self.entered()?;
        self.0.device.write(offset, data)
    }
}

/// Writes everything once more, and syncs it. After a sync that failed, a system may show what it will never write: whoever opened the
/// file as it shows itself would build on sand.
pub(super) fn write_again(device: &dyn Device) -> io::Result<()> {
    let len = device.len()?;
    // The length first: the header speaks of it.
    device.set_len(len)?;
    device.sync()?;
    let mut offset = 0;
    let mut block = vec![0; BLOCK];
    while offset < len {
        let size = usize::try_from(len - offset).unwrap_or(BLOCK).min(BLOCK);
        let part = block.get_mut(..size).unwrap_or_default();
        device.read(offset, part)?;
        // What was never written has no room of its own, and may find none.
        if part.iter().any(|byte| *byte != 0) {
            device.write(offset, part)?;
        }
        offset += size as u64;
    }
    device.sync()
}

/// Empties a device whose database was never finished: redb writes its magic number after the first, empty layout, and nothing before it.
pub(super) fn clear_unfinished(device: &dyn Device) -> io::Result<()> {
    let len = device.len()?;
    let mut block = vec![0; BLOCK];
    for offset in (0..len).step_by(BLOCK) {
        let size = usize::try_from(len - offset).unwrap_or(BLOCK).min(BLOCK);
        let part = block.get_mut(..size).unwrap_or_default();
        device.read(offset, part)?;
        let unfinished = if offset == 0 { is_unfinished(part) } else { part.iter().all(|byte| *byte == 0) };
        if !unfinished {
            return Ok(());
        }
    }
    if len > 0 {
        tracing::warn!("the making of the store was cut short: it is made anew");
        device.set_len(0)?;
        device.sync()?;
    }
    Ok(())
}

fn is_unfinished(begin: &[u8]) -> bool {
    let (found, magic) = (begin.iter().take(MAGIC.len()), MAGIC.iter());
    let pairs = || found.clone().zip(magic.clone());
    pairs().all(|(found, magic)| *found == 0 || found == magic) && pairs().any(|(found, magic)| found != magic)
}

const MAGIC: [u8; 9] = *b"redb\x1a\x0a\xa9\x0d\x0a";
const BLOCK: usize = 4096;
