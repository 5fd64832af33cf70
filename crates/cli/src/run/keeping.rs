use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::Timestamp;
use serde::{Deserialize, Serialize};

use super::authority::{AUTHORITY_LIFETIME, Authority, AuthorityError};

/// Why the authority could not be kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeepingError {
    /// A file or its folder.
    #[error("{path}: {cause}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// The authority itself.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}

/// What is written of an authority.
#[derive(Serialize, Deserialize)]
struct Kept {
    hosts: Vec<String>,
    made: Timestamp,
    certificate: String,
    key: String,
}

/// The user's authority for these hosts: the one in `folder`, or a new one, where there is none, where it is for other hosts, where it is
/// old, or where somebody else could have read its key. Runs that begin at the same time get the same one.
pub(super) fn authority(folder: &Path, hosts: &[String], now: Timestamp) -> Result<Authority, KeepingError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |cause| KeepingError::File { path, cause }
    };
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(at(folder))?;
    std::fs::set_permissions(folder, Permissions::from_mode(0o700)).map_err(at(folder))?;
    let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(folder.join("lock"));
    let lock: File = lock.map_err(at(folder))?;
    lock.lock().map_err(at(folder))?;

    let mut hosts = hosts.to_vec();
    hosts.sort_unstable();
    let path = folder.join("authority.json");
    if let Some(kept) = read(&path)
        && kept.hosts == hosts
        && now >= kept.made
        && now.since(kept.made) < AUTHORITY_LIFETIME.saturating_sub(REST)
        && let Ok(authority) = Authority::kept(kept.certificate, &kept.key)
    {
        return Ok(authority);
    }
    let authority = Authority::make(&hosts, now)?;
    let kept = Kept { hosts, made: now, certificate: authority.certificate().to_owned(), key: authority.key() };
    let text = serde_json::to_string(&kept).map_err(|error| at(&path)(error.into()))?;
    write(&path, &text, 0o600).map_err(at(&path))?;
    let public = folder.join("ca.pem");
    write(&public, authority.certificate(), 0o644).map_err(at(&public))?;
    Ok(authority)
}

/// `None` where there is none that could be used.
fn read(path: &Path) -> Option<Kept> {
    let metadata = std::fs::metadata(path).ok()?;
    if metadata.mode() & 0o077 != 0 {
        return None;
    }
    serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()
}

/// Whole or not at all; nobody reads it before it has its permissions.
fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let beside = path.with_extension("new");
    if let Err(error) = std::fs::remove_file(&beside)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut file = OpenOptions::new().create_new(true).write(true).mode(mode).open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&beside, path)
}

/// An authority with less time left is not used for a run that begins.
const REST: Duration = Duration::from_secs(7 * 24 * 3600);

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn hosts(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn it_is_the_same_one_as_long_as_it_fits() {
        let folder = TempDir::new().expect("a folder");
        let place = folder.path().join("ath/run");
        let now = Timestamp::from_secs(1_790_000_000);
        let of = |names: &[&str], now| authority(&place, &hosts(names), now).expect("one").certificate().to_owned();
        let first = of(&["b.example.com", "a.example.com"], now);
        assert_eq!(of(&["a.example.com", "b.example.com"], now), first);
        assert_eq!(std::fs::read_to_string(place.join("ca.pem")).expect("a certificate"), first);

        let other = of(&["a.example.com"], now);
        assert_ne!(other, first, "other hosts");
        let late = now.plus(AUTHORITY_LIFETIME.saturating_sub(REST));
        let next = of(&["a.example.com"], late);
        assert_ne!(next, other, "an old one");
        assert_ne!(of(&["a.example.com"], now), next, "one of another time");
    }

    #[test]
    fn its_key_is_the_users_alone() {
        let folder = TempDir::new().expect("a folder");
        let place = folder.path().join("run");
        let now = Timestamp::from_secs(1_790_000_000);
        let of = || authority(&place, &hosts(&["a.example.com"]), now).expect("one").certificate().to_owned();
        let first = of();
        let file = place.join("authority.json");
        let mode = |path: &Path| std::fs::metadata(path).expect("a file").mode() & 0o777;
        assert_eq!((mode(&place), mode(&file)), (0o700, 0o600));
        std::fs::set_permissions(&file, Permissions::from_mode(0o640)).expect("permissions");
        assert_ne!(of(), first, "somebody else could have read it");
        std::fs::write(&file, "{").expect("written");
        assert_ne!(of(), first, "it is broken");
    }
}
