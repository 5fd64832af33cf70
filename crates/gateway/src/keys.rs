use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use broker::{KeyOwner, KeySource, KeySourceError};
use secret::{KeyId, KeyRing, SealingKey};
use zeroize::Zeroizing;

use crate::config::{Config, KeyPlace, SystemEnvironment};
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

/// The keys that the configuration names, or the key file beside the embedded store, made at the first start; and where they are read again
/// while the gateway runs: `config` is the file of the configuration, where there is one.
pub(crate) fn ring(place: KeyPlace, config: Option<&Path>) -> Result<(KeyRing, Box<dyn KeySource>), KeysError> {
    match place {
        KeyPlace::Given(keys) => {
            let ring = KeyRing::new(keys).map_err(KeysError::None)?;
            Ok((ring, Box::new(Configured { file: config.map(Path::to_owned) })))
        }
        KeyPlace::File(path) => {
            let file = KeyFile { path };
            Ok((file.read_or_make()?, Box::new(file)))
        }
    }
}

/// Whether the gateway's own file has this key.
pub(crate) fn holds(path: &Path, id: KeyId) -> bool {
    KeyFile { path: path.to_owned() }.read().is_ok_and(|ring| ring.holds(id))
}

/// The keys in the gateway's own file, which has to be there.
pub(crate) fn ids(path: &Path) -> Result<Vec<KeyId>, KeySourceError> {
    Ok(KeyFile { path: path.to_owned() }.read()?.ids().collect())
}

/// Keys that the operator names in the configuration.
struct Configured {
    file: Option<PathBuf>,
}

impl KeySource for Configured {
    /// By way of the whole configuration: a list that names another file is found as well as a file that says something else. Variables are
    /// those of this process, as they were when it was started.
    fn read(&self) -> Result<KeyRing, KeySourceError> {
        let file = self.file.as_deref().ok_or_else(|| KeySourceError(NO_FILE.to_owned()))?;
        let (config, _) = Config::load(file, &SystemEnvironment).map_err(|problems| {
            KeySourceError(format!("the keys cannot be read again, since the configuration has problems:\n{problems}"))
        })?;
        let KeyPlace::Given(keys) = config.store.keys else {
            return Err(KeySourceError(format!("{} does not name keys in [store] any more", file.display())));
        };
        KeyRing::new(keys).map_err(|error| KeySourceError(error.to_string()))
    }

    fn renew(&self) -> Result<Option<KeyRing>, KeySourceError> {
        Ok(None)
    }

    fn retire(&self, _: KeyId) -> Result<Option<KeyRing>, KeySourceError> {
        Ok(None)
    }

    fn owner(&self) -> KeyOwner {
        KeyOwner::Operator
    }
}

/// The gateway's own file: a key on each line, the one that seals first.
struct KeyFile {
    path: PathBuf,
}

impl KeyFile {
    fn read_or_make(&self) -> Result<KeyRing, KeysError> {
        let shown = || self.path.display().to_string();
        let text = match self.text() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.make(),
            other => other,
        };
        let text = text.map_err(|source| KeysError::File { path: shown(), source })?;
        parse(&text).map_err(|source| KeysError::Key { path: shown(), source })
    }

    fn text(&self) -> io::Result<Zeroizing<String>> {
        fs::read_to_string(&self.path).map(Zeroizing::new)
    }

    fn make(&self) -> io::Result<Zeroizing<String>> {
        let key = SealingKey::generate(&SystemEntropy);
        private_file::make(&self.path, key.as_str())?;
        Ok(key)
    }

    fn replace(&self, lines: &[&str]) -> Result<KeyRing, KeySourceError> {
        let text = Zeroizing::new(lines.join("\n"));
        let ring = parse(&text).map_err(|error| self.of_no_use(&error))?;
        private_file::replace(&self.path, &text).map_err(|error| self.failed(&error))?;
        Ok(ring)
    }

    fn failed(&self, error: &io::Error) -> KeySourceError {
        KeySourceError(format!("{} cannot be read or written: {error}", self.path.display()))
    }

    fn of_no_use(&self, error: &secret::KeyError) -> KeySourceError {
        KeySourceError(format!("{} is of no use: {error}", self.path.display()))
    }
}

impl KeySource for KeyFile {
    fn read(&self) -> Result<KeyRing, KeySourceError> {
        let text = self.text().map_err(|error| self.failed(&error))?;
        parse(&text).map_err(|error| self.of_no_use(&error))
    }

    fn renew(&self) -> Result<Option<KeyRing>, KeySourceError> {
        let text = self.text().map_err(|error| self.failed(&error))?;
        let ring = parse(&text).map_err(|error| self.of_no_use(&error))?;
        if ring.ids().count() > 1 {
            return Ok(Some(ring));
        }
        let made = SealingKey::generate(&SystemEntropy);
        self.replace(&[made.as_str(), text.trim()]).map(Some)
    }

    fn retire(&self, key: KeyId) -> Result<Option<KeyRing>, KeySourceError> {
        let text = self.text().map_err(|error| self.failed(&error))?;
        let ring = parse(&text).map_err(|error| self.of_no_use(&error))?;
        if ring.current() == key || !ring.holds(key) {
            return Ok(None);
        }
        let kept: Vec<&str> =
            lines(&text).filter(|line| SealingKey::parse(line).is_ok_and(|read| read.id() != key)).collect();
        self.replace(&kept).map(Some)
    }

    fn owner(&self) -> KeyOwner {
        KeyOwner::Gateway
    }
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

fn parse(text: &str) -> Result<KeyRing, secret::KeyError> {
    KeyRing::new(lines(text).map(SealingKey::parse).collect::<Result<_, _>>()?)
}

const NO_FILE: &str = "this gateway runs without a configuration file, so its keys cannot be read again";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("is there").permissions().mode() & 0o777
    }

    fn read_or_make(path: &Path) -> Result<KeyRing, KeysError> {
        KeyFile { path: path.to_owned() }.read_or_make()
    }

    #[test]
    fn the_key_file_is_made_once_and_for_its_owner() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("data").join("sealing.key");
        let made = read_or_make(&path).expect("made").current();
        assert_eq!((mode(&path), mode(path.parent().expect("a folder"))), (0o600, 0o700));
        assert_eq!(read_or_make(&path).expect("read").current(), made);
    }

    #[test]
    fn a_broken_key_file_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sealing.key");
        for broken in ["not a key", "", "\n\n"] {
            fs::write(&path, broken).expect("written");
            assert!(matches!(read_or_make(&path), Err(KeysError::Key { .. })), "{broken:?}");
            let file = KeyFile { path: path.clone() };
            assert!(file.renew().is_err() && file.read().is_err());
            assert_eq!(fs::read_to_string(&path).expect("read"), broken);
        }
    }

    #[test]
    fn a_new_key_comes_first_and_the_old_one_goes_when_it_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sealing.key");
        let old = read_or_make(&path).expect("made").current();
        let file = KeyFile { path: path.clone() };
        let both = file.renew().expect("renewed").expect("its own file");
        let new = both.current();
        assert_eq!(both.ids().collect::<Vec<_>>(), [new, old]);
        assert_eq!(mode(&path), 0o600);
        // A second wish joins the first.
        assert_eq!(file.renew().expect("renewed").expect("its own file").ids().collect::<Vec<_>>(), [new, old]);
        assert_eq!(file.read().expect("read").ids().collect::<Vec<_>>(), [new, old]);
        assert!(file.retire(new).expect("no error").is_none(), "the key that seals stays");
        assert_eq!(file.retire(old).expect("retired").expect("its own file").ids().collect::<Vec<_>>(), [new]);
        assert_eq!(read_or_make(&path).expect("read").ids().collect::<Vec<_>>(), [new]);
        assert!(file.retire(old).expect("no error").is_none(), "it is gone already");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing is left beside it");
    }
}
