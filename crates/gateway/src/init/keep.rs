//! What is written to the disk: nothing before it is known to be right, and never over anything.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::InitError;
use super::plan::Place;
use crate::config::{Contents, Environment, Readers};
use crate::private_file;

/// A secret that gets a file of its own.
pub(super) struct NewSecret {
    pub(super) path: PathBuf,
    pub(super) text: Zeroizing<String>,
}

/// The files and variables of this machine, as they will be.
pub(super) struct Foreseen<'f> {
    pub(super) environment: &'f dyn Environment,
    pub(super) secret: Option<&'f NewSecret>,
}

impl Environment for Foreseen<'_> {
    fn read_up_to(&self, path: &Path, most: u64) -> io::Result<Contents> {
        match self.secret.filter(|secret| secret.path == path) {
            Some(secret) => {
                let bytes = Zeroizing::new(secret.text.as_bytes().to_vec());
                Ok(Contents { bytes, readers: Readers::Few })
            }
            None => self.environment.read_up_to(path, most),
        }
    }

    fn variable(&self, name: &str) -> Option<OsString> {
        self.environment.variable(name)
    }
}

/// Says so early where something is there already.
pub(super) fn check(path: &Path) -> Result<(), InitError> {
    if path.symlink_metadata().is_ok() {
        return Err(InitError::Exists(path.to_path_buf()));
    }
    Ok(())
}

/// Makes both files, or none.
pub(super) fn write(place: &Place, text: &str, secret: Option<&NewSecret>) -> Result<(), InitError> {
    if let Some(secret) = secret {
        made(&secret.path, &secret.text)?;
    }
    made(&place.file, text.trim_end()).inspect_err(|_| {
        if let Some(secret) = secret
            && let Err(error) = std::fs::remove_file(&secret.path)
        {
            eprintln!("{} stays behind: {error}", secret.path.display());
        }
    })
}

fn made(path: &Path, text: &str) -> Result<(), InitError> {
    private_file::make(path, text).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => InitError::Exists(path.to_path_buf()),
        _ => InitError::Unwritten { path: path.to_path_buf(), error },
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn both_files_or_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = Place::of(&folder.path().join("gateway.toml")).expect("a place");
        let secret = NewSecret { path: place.secret("crm"), text: Zeroizing::new("hush".to_owned()) };
        std::fs::write(&place.file, "mine").expect("written");
        assert!(matches!(write(&place, "x = 1", Some(&secret)), Err(InitError::Exists(path)) if path == place.file));
        assert!(!secret.path.exists() && std::fs::read_to_string(&place.file).expect("read") == "mine");
        std::fs::remove_file(&place.file).expect("removed");
        write(&place, "x = 1\n", Some(&secret)).expect("written");
        assert_eq!(std::fs::read_to_string(&place.file).expect("read"), "x = 1\n");
        for path in [&place.file, &secret.path] {
            assert_eq!(path.metadata().expect("there").permissions().mode() & 0o777, 0o600);
        }
        std::fs::remove_file(&place.file).expect("removed");
        assert!(matches!(write(&place, "x = 1", Some(&secret)), Err(InitError::Exists(path)) if path == secret.path));
        assert!(!place.file.exists());
    }
}
