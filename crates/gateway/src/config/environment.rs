use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

/// What a configuration refers to beyond its own text: files and environment variables. The one door to both, so that tests are
/// hermetic.
pub(crate) trait Environment {
    /// The file's content; an error of kind `FileTooLarge` where it has more than `most` bytes.
    fn read_up_to(&self, path: &Path, most: u64) -> io::Result<Contents>;

    /// The content of a file that a configuration refers to; an error of kind `FileTooLarge` where it is larger than [`MAX_FILE`].
    fn read(&self, path: &Path) -> io::Result<Contents> {
        self.read_up_to(path, MAX_FILE)
    }

    /// The variable's value, `None` where it is not set.
    fn variable(&self, name: &str) -> Option<OsString>;
}

/// A file that was read. It may be a secret: it is wiped when dropped, and prints nothing.
pub(crate) struct Contents {
    /// All of it.
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    /// Who else could have read it.
    pub(crate) readers: Readers,
}

/// Who can read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readers {
    /// Its owner, and at most a group.
    Few,
    /// Every user of the machine.
    Everyone,
}

/// The operating system's files and variables.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemEnvironment;

impl Environment for SystemEnvironment {
    fn read_up_to(&self, path: &Path, most: u64) -> io::Result<Contents> {
        let file = File::open(path)?;
        let readers = readers(&file.metadata()?);
        let mut bytes = Zeroizing::new(Vec::new());
        file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(Contents { bytes, readers })
    }

    #[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
    fn variable(&self, name: &str) -> Option<OsString> {
        std::env::var_os(name)
    }
}

#[cfg(unix)]
fn readers(metadata: &std::fs::Metadata) -> Readers {
    use std::os::unix::fs::MetadataExt;
    if metadata.mode() & 0o004 == 0 { Readers::Few } else { Readers::Everyone }
}

/// Other systems' access lists are not looked at.
#[cfg(not(unix))]
fn readers(_: &std::fs::Metadata) -> Readers {
    Readers::Few
}

/// In bytes. Nothing that a configuration refers to is larger; a device or a wrong file could be.
pub(crate) const MAX_FILE: u64 = 1024 * 1024;
/// In bytes. Of a million providers, each with a few lines; a device or a wrong file could be larger.
pub(crate) const MAX_CONFIGURATION: u64 = 1024 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_read() {
        let contents = SystemEnvironment.read(Path::new(env!("CARGO_MANIFEST_PATH"))).expect("the manifest");
        assert!(contents.bytes.starts_with(b"[package]"));
        assert_eq!(SystemEnvironment.variable("CARGO_MANIFEST_PATH_OF_NOBODY"), None);
    }

    #[test]
    fn what_is_not_there_or_has_no_end_is_an_error() {
        let kind = |path: &str| SystemEnvironment.read(Path::new(path)).err().map(|error| error.kind());
        assert_eq!(kind("/no/such/file"), Some(io::ErrorKind::NotFound));
        #[cfg(unix)]
        assert_eq!(kind("/dev/zero"), Some(io::ErrorKind::FileTooLarge));
    }
}
