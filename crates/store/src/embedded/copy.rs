use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Builder, Database, ReadableDatabase};

use crate::embedded::device::{Device, Doubt, FileDevice, Opening};
use crate::embedded::tables::{self, unavailable};
use crate::{Copied, CopyError, StoreError};

/// Copies the store, as it is at this moment, into a new file of the same owner. Nobody ever sees a part of it under its name, and
/// nothing is replaced.
pub(super) fn copy(from: &Database, owner: Option<(u32, u32)>, to: &Path) -> Result<Copied, CopyError> {
    let (true, Some(folder), Some(name)) = (to.is_absolute(), to.parent(), to.file_name()) else {
        return Err(CopyError::Path);
    };
    // A link that leads nowhere is a name that is taken, too.
    if fs::symlink_metadata(to).is_ok() {
        return Err(CopyError::Exists);
    }
    let part = beside(folder, name.to_owned());
    let copied = write(from, owner, &part).and_then(|records| {
        let bytes = fs::metadata(&part).map_err(CopyError::Write)?.len();
        publish(&part, to)?;
        Ok(Copied { records, bytes })
    });
    let removed = fs::remove_file(&part);
    let copied = copied?;
    removed.and_then(|()| File::open(folder)?.sync_all()).map_err(CopyError::Write)?;
    Ok(copied)
}

fn beside(folder: &Path, mut name: OsString) -> PathBuf {
    name.push(".part");
    folder.join(name)
}

fn write(from: &Database, owner: Option<(u32, u32)>, part: &Path) -> Result<u64, CopyError> {
    let device = FileDevice::open(part).map_err(CopyError::Store)?;
    // What an attempt left behind that broke off.
    device.set_len(0).map_err(CopyError::Write)?;
    if let Some((user, group)) = owner
        && device.owner().map_err(CopyError::Write)? != owner
    {
        std::os::unix::fs::chown(part, Some(user), Some(group)).map_err(CopyError::Write)?;
    }
    let device: Arc<dyn Device> = Arc::new(device);
    let copied = filled(from, device.clone()).map_err(CopyError::Store)?;
    device.sync().map_err(CopyError::Write)?;
    Ok(copied)
}

fn filled(from: &Database, device: Arc<dyn Device>) -> Result<u64, StoreError> {
    let opening = Opening::new(device, Arc::new(Doubt::default()));
    let to = Builder::new().set_cache_size(CACHE).create_with_backend(opening).map_err(unavailable)?;
    let snapshot = from.begin_read().map_err(unavailable)?;
    tables::copy(&snapshot, &to)
}

/// A second name, since a rename would replace.
fn publish(part: &Path, to: &Path) -> Result<(), CopyError> {
    fs::hard_link(part, to).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => CopyError::Exists,
        _ => CopyError::Write(error),
    })
}

/// A copy is written once, from the beginning to the end.
const CACHE: usize = 16 * 1024 * 1024;
