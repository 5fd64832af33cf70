//! A file that a newer version wrote is refused, and left as it is.
#![expect(clippy::expect_used, reason = "what fails in a test fails the test")]

use std::path::Path;
use std::sync::Arc;

use protocol::{ManualClock, Timestamp};
use redb::{Database, ReadableDatabase, TableDefinition};
use store::{EmbeddedStore, StoreError};

const ABOUT: TableDefinition<&str, &[u8]> = TableDefinition::new("about");

fn open(folder: &Path) -> Result<EmbeddedStore, StoreError> {
    EmbeddedStore::open(folder, Arc::new(ManualClock::at(Timestamp::from_secs(1_790_000_000))))
}

fn mark(folder: &Path) -> Option<Vec<u8>> {
    let database = Database::create(folder.join("gateway.redb")).expect("opens");
    let transaction = database.begin_read().expect("reads");
    let about = transaction.open_table(ABOUT).expect("is there");
    about.get("format").expect("reads").map(|mark| mark.value().to_vec())
}

fn write(folder: &Path, mark: Option<&[u8]>) {
    let database = Database::create(folder.join("gateway.redb")).expect("opens");
    let transaction = database.begin_write().expect("writes");
    match mark {
        None => drop(transaction.delete_table(ABOUT).expect("deleted")),
        Some(mark) => {
            let mut about = transaction.open_table(ABOUT).expect("a table");
            about.insert("format", mark).expect("inserted");
        }
    }
    transaction.commit().expect("committed");
}

#[test]
fn a_file_says_its_format() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(open(folder.path()).expect("a new store"));
    assert_eq!(mark(folder.path()).as_deref(), Some(&b"1"[..]));
    // As a file of before marks.
    write(folder.path(), None);
    drop(open(folder.path()).expect("an older store"));
    assert_eq!(mark(folder.path()).as_deref(), Some(&b"1"[..]));

    write(folder.path(), Some(b"2"));
    let Err(refused) = open(folder.path()) else { panic!("it was opened") };
    assert!(matches!(refused, StoreError::Newer { written: 2, reads: 1 }), "{refused}");
    assert_eq!(mark(folder.path()).as_deref(), Some(&b"2"[..]), "it is left as it is");
    write(folder.path(), Some(b"somebody else's"));
    assert!(matches!(open(folder.path()), Err(StoreError::NoMark)));
    write(folder.path(), Some(b"1"));
    drop(open(folder.path()).expect("opens again"));
}
