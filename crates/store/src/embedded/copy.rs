use std::ffi::OsStr;
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
    let (part, device) = beside(folder, name)?;
    // The lock is held until the copy has its name.
    let copied = write(from, owner, &device).and_then(|records| {
        let bytes = device.len().map_err(CopyError::Write)?;
        publish(&part, to)?;
        Ok(Copied { records, bytes })
    });
    let removed = fs::remove_file(&part);
    let copied = copied?;
    removed.and_then(|()| File::open(folder)?.sync_all()).map_err(CopyError::Write)?;
    Ok(copied)
}

/// A new file under a name that nobody has: neither another backup's, nor what an attempt left behind that broke off, nor a link that
/// somebody laid there.
fn beside(folder: &Path, name: &OsStr) -> Result<(PathBuf, Arc<FileDevice>), CopyError> {
    for number in 0..NAMES {
        let mut name = name.to_owned();
        name.push(format!(".part-{number}"));
        let part = folder.join(name);
        match FileDevice::make(&part) {
            Ok(device) => return Ok((part, Arc::new(device))),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(CopyError::Write(error)),
        }
    }
    Err(CopyError::Exists)
}

fn write(from: &Database, owner: Option<(u32, u32)>, device: &Arc<FileDevice>) -> Result<u64, CopyError> {
    if let Some(owner) = owner
        && device.owner().map_err(CopyError::Write)? != Some(owner)
    {
        device.give_to(owner).map_err(CopyError::Write)?;
    }
    let device: Arc<dyn Device> = device.clone();
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
/// More than are left behind before somebody looks.
const NAMES: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn database() -> Database {
        let database = Builder::new().create_with_backend(redb::backends::InMemoryBackend::new()).expect("opens");
        tables::make(&database).expect("tables");
        database
    }

    #[test]
    fn what_lies_beside_a_copy_is_nobodys_to_touch() {
        let folder = tempfile::tempdir().expect("a folder");
        let (to, victim) = (folder.path().join("copy.redb"), folder.path().join("victim"));
        fs::write(&victim, "untouched").expect("writes");
        let (link, other) = (folder.path().join("copy.redb.part-0"), folder.path().join("copy.redb.part-1"));
        std::os::unix::fs::symlink(&victim, &link).expect("a link");
        fs::write(&other, "another backup").expect("writes");
        copy(&database(), None, &to).expect("copies");
        assert_eq!(fs::read_to_string(&victim).expect("reads"), "untouched");
        assert_eq!(fs::read_to_string(&other).expect("reads"), "another backup");
        assert!(fs::symlink_metadata(&link).is_ok(), "it is not removed either");
        assert!(!folder.path().join("copy.redb.part-2").exists(), "its own is");
        assert!(matches!(copy(&database(), None, &to), Err(CopyError::Exists)));
    }
}
