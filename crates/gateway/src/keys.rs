use std::fs;
use std::io;
use std::path::Path;

use secret::{KeyRing, SealingKey};

use crate::config::KeySource;
use crate::private_file;
use crate::system::SystemEntropy;

/// Why there is no key ring.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeysError {
    #[error("the sealing key {path} cannot be read or made: {source}")]
    File { path: String, source: io::Error },
    #[error("the sealing key {path} is of no use: {source}")]
    Key { path: String, source: secret::KeyError },
    #[error("no sealing key is configured")]
    None(#[source] secret::KeyError),
}

/// The keys that the configuration names, or the key file beside the embedded store, made at the first start.
pub(crate) fn ring(source: KeySource) -> Result<KeyRing, KeysError> {
    let keys = match source {
        KeySource::Given(keys) => keys,
        KeySource::File(path) => vec![read_or_make(&path)?],
    };
    KeyRing::new(keys).map_err(KeysError::None)
}

fn read_or_make(path: &Path) -> Result<SealingKey, KeysError> {
    let shown = || path.display().to_string();
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(path),
        other => other,
    };
    let text = zeroize::Zeroizing::new(text.map_err(|source| KeysError::File { path: shown(), source })?);
    SealingKey::parse(&text).map_err(|source| KeysError::Key { path: shown(), source })
}

fn make(path: &Path) -> io::Result<String> {
    let key = SealingKey::generate(&SystemEntropy);
    private_file::make(path, key.as_str())?;
    Ok(key.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_key_file_is_made_once_and_for_its_owner() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("data").join("sealing.key");
        let made = read_or_make(&path).expect("made").id();
        assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
        assert_eq!(
            fs::metadata(path.parent().expect("a folder")).expect("a folder").permissions().mode() & 0o777,
            0o700
        );
        assert_eq!(read_or_make(&path).expect("read").id(), made);
    }

    #[test]
    fn a_broken_key_file_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sealing.key");
        fs::write(&path, "not a key").expect("written");
        assert!(matches!(read_or_make(&path), Err(KeysError::Key { .. })));
        assert_eq!(fs::read_to_string(&path).expect("read"), "not a key");
    }
}
