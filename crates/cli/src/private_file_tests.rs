use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").mode() & 0o777
}

#[test]
fn what_is_kept_is_its_owners_alone() {
    let home = TempDir::new().expect("a folder");
    let path = home.path().join("state/ath/logins/x.json");
    assert!(read(&path).expect("nothing is no error").is_none());
    replace(&path, "one").expect("kept");
    replace(&path, "two").expect("kept");
    assert_eq!(read(&path).expect("read").as_deref(), Some("two"));
    assert_eq!((mode(&path), mode(path.parent().expect("a folder"))), (0o600, 0o700));
    let names: Vec<_> = fs::read_dir(path.parent().expect("a folder")).expect("entries").collect();
    assert_eq!(names.len(), 1, "nothing is left beside it");
    remove(&path).and_then(|()| remove(&path)).expect("removed, and gone");
}

#[test]
fn a_folder_that_others_see_into_is_closed_to_them() {
    let home = TempDir::new().expect("a folder");
    let folder = home.path().join("ath");
    fs::create_dir(&folder).expect("made");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).expect("opened");
    replace(&folder.join("x.json"), "one").expect("kept");
    assert_eq!(mode(&folder), 0o700);
}

#[test]
fn a_file_that_is_not_private_is_not_read() {
    let home = TempDir::new().expect("a folder");
    let path = home.path().join("x.json");
    for mode in [0o640, 0o604, 0o620, 0o666] {
        fs::write(&path, "theirs").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("opened");
        assert!(matches!(read(&path), Err(FileError::Mode)), "{mode:o}");
        assert_eq!(read_exposed(&path).expect("to be ended").as_deref(), Some("theirs"));
    }
    let link = home.path().join("link.json");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("closed");
    symlink(&path, &link).expect("a link");
    assert!(matches!(read(&link), Err(FileError::Kind)), "a link is not followed");
    assert!(matches!(read_exposed(&link), Err(FileError::Kind)), "nor to be ended");
    assert!(matches!(read(home.path()), Err(FileError::Kind)));
    let large = home.path().join("large.json");
    replace(&large, &"x".repeat(usize::try_from(MOST).expect("small") + 1)).expect("written");
    assert!(matches!(read(&large), Err(FileError::TooLarge)));
}

#[test]
fn a_link_is_replaced_and_not_written_through() {
    let home = TempDir::new().expect("a folder");
    let (theirs, path) = (home.path().join("theirs"), home.path().join("x.json"));
    fs::write(&theirs, "theirs").expect("written");
    symlink(&theirs, &path).expect("a link");
    replace(&path, "ours").expect("kept");
    assert_eq!(fs::read_to_string(&theirs).expect("read"), "theirs");
    assert_eq!(read(&path).expect("read").as_deref(), Some("ours"));
}

#[tokio::test]
async fn a_lock_is_held_by_one() {
    let home = TempDir::new().expect("a folder");
    let path = home.path().join("x.lock");
    let held = Lock::take(&path, Duration::from_secs(1)).await.expect("free");
    let second = Lock::take(&path, Duration::from_millis(60)).await;
    assert!(matches!(second, Err(FileError::Locked)), "{second:?}");
    drop(held);
    Lock::take(&path, Duration::from_millis(60)).await.expect("free again");
    let link = home.path().join("link.lock");
    symlink(&path, &link).expect("a link");
    assert!(Lock::take(&link, Duration::from_millis(60)).await.is_err(), "a link is not followed");
}

#[test]
fn what_a_killed_process_left_is_removed_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.json");
    for name in ["a.json", "a.17.new", "a.x.new", "ab.17.new", "a.17.news", "a.lock"] {
        std::fs::write(folder.path().join(name), "x").expect("written");
    }
    remove_remains(&file).expect("removed");
    let mut left: Vec<String> = std::fs::read_dir(folder.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    left.sort();
    assert_eq!(left, ["a.17.news", "a.json", "a.lock", "a.x.new", "ab.17.new"]);
    remove_remains(&folder.path().join("none/a.json")).expect("nothing to remove");
}
