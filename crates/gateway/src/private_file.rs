//! Files that only their owner may read.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Makes a file that is not there yet, readable by its owner alone, and on the disk when this returns. Nobody ever sees a part of it.
pub(crate) fn make(path: &Path, text: &str) -> io::Result<()> {
    let beside = beside(path, text)?;
    let linked = fs::hard_link(&beside, path);
    fs::remove_file(&beside)?;
    linked?;
    File::open(folder(path))?.sync_all()
}

/// Puts a file in the place of another, in one step; on the disk when this returns.
pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    fs::rename(beside(path, text)?, path)?;
    File::open(folder(path))?.sync_all()
}

/// The whole file under another name.
fn beside(path: &Path, text: &str) -> io::Result<PathBuf> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder(path))?;
    let beside = path.with_extension(format!("{}.new", std::process::id()));
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    Ok(beside)
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
