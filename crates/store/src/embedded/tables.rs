use std::ops::Bound;

use protocol::Timestamp;
use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable, Table, TableDefinition, WriteTransaction};

use crate::format::{self, Mark};
use crate::operation::{LeaseRow, Rows, Stored};
use crate::{Cursor, Index, Key, Page, Record, StoreError, Version};

/// Key -> version (8 bytes), end of life in milliseconds or 0 (8), bytes.
const RECORDS: TableDefinition<&str, &[u8]> = TableDefinition::new("records");
/// (end of life, key): what to sweep, oldest first. An entry may be out of date; the record decides.
const ENDS: TableDefinition<(u64, &str), ()> = TableDefinition::new("ends");
/// (index, key).
const INDEXES: TableDefinition<(&str, &str), ()> = TableDefinition::new("indexes");
/// Key -> fencing number (8), end in milliseconds (8), holder.
const LEASES: TableDefinition<&str, &[u8]> = TableDefinition::new("leases");

/// What is said of the whole file.
const ABOUT: TableDefinition<&str, &[u8]> = TableDefinition::new("about");
/// In which format it is.
const FORMAT: &str = "format";

/// The tables of one write transaction.
pub(super) struct Tables<'t> {
    records: Table<'t, &'static str, &'static [u8]>,
    ends: Table<'t, (u64, &'static str), ()>,
    indexes: Table<'t, (&'static str, &'static str), ()>,
    leases: Table<'t, &'static str, &'static [u8]>,
}

/// Makes the tables of a new file, so that readers find them; frees the leases of an old one. A file that a newer version wrote is left as
/// it is.
pub(super) fn make(database: &Database) -> Result<(), StoreError> {
    let transaction = database.begin_write().map_err(unavailable)?;
    mark(&transaction)?;
    Tables::open(&transaction)?.free_leases()?;
    transaction.commit().map_err(unavailable)
}

fn mark(transaction: &WriteTransaction) -> Result<(), StoreError> {
    let mut about = transaction.open_table(ABOUT).map_err(unavailable)?;
    let found = about.get(FORMAT).map_err(unavailable)?.map(|mark| mark.value().to_vec());
    if format::judge(found.as_deref())? != Mark::Stands {
        about.insert(FORMAT, format::mark().as_bytes()).map_err(unavailable)?;
    }
    Ok(())
}

/// One record, from a snapshot.
pub(super) fn read(database: &Database, key: &Key) -> Result<Option<Stored>, StoreError> {
    let transaction = database.begin_read().map_err(unavailable)?;
    let records = transaction.open_table(RECORDS).map_err(unavailable)?;
    let row = records.get(key.as_str()).map_err(unavailable)?;
    row.map(|row| decode(key, row.value())).transpose()
}

/// The keys of an index, from a snapshot.
pub(super) fn scan(database: &Database, index: &Index) -> Result<Vec<Key>, StoreError> {
    let transaction = database.begin_read().map_err(unavailable)?;
    let indexes = transaction.open_table(INDEXES).map_err(unavailable)?;
    let mut keys = Vec::new();
    for entry in indexes.range((index.as_str(), "")..).map_err(unavailable)? {
        let (entry, _) = entry.map_err(unavailable)?;
        let (name, key) = entry.value();
        if name != index.as_str() {
            break;
        }
        keys.push(Key::parse(key).map_err(|_| corrupt(name))?);
    }
    Ok(keys)
}

/// Puts everything of a snapshot into an empty database; says how many records that are.
pub(super) fn copy(snapshot: &ReadTransaction, to: &Database) -> Result<u64, StoreError> {
    make(to)?;
    copy_table(snapshot, to, ENDS)?;
    copy_table(snapshot, to, INDEXES)?;
    copy_table(snapshot, to, LEASES)?;
    copy_table(snapshot, to, RECORDS)
}

fn copy_table<K: redb::Key + 'static, V: redb::Value + 'static>(
    snapshot: &ReadTransaction,
    to: &Database,
    table: TableDefinition<'_, K, V>,
) -> Result<u64, StoreError> {
    let from = snapshot.open_table(table).map_err(unavailable)?;
    let mut rows = from.iter().map_err(unavailable)?.peekable();
    let mut copied = 0;
    while rows.peek().is_some() {
        let transaction = to.begin_write().map_err(unavailable)?;
        {
            let mut into = transaction.open_table(table).map_err(unavailable)?;
            for row in rows.by_ref().take(COPIED_AT_ONCE) {
                let (key, value) = row.map_err(unavailable)?;
                into.insert(key.value(), value.value()).map_err(unavailable)?;
                copied += 1;
            }
        }
        transaction.commit().map_err(unavailable)?;
    }
    Ok(copied)
}

/// Some records, from a snapshot.
pub(super) fn page(database: &Database, from: Option<&Cursor>, now: Timestamp) -> Result<Page, StoreError> {
    let transaction = database.begin_read().map_err(unavailable)?;
    let table = transaction.open_table(RECORDS).map_err(unavailable)?;
    let from = from.map_or(Bound::Unbounded, |from| Bound::Excluded(from.0.as_str()));
    let mut page = Page::default();
    for (number, row) in
        table.range::<&str>((from, Bound::Unbounded)).map_err(unavailable)?.take(crate::PAGE).enumerate()
    {
        let (written, row) = row.map_err(unavailable)?;
        let key = Key::parse(written.value()).map_err(|_| corrupt(written.value()))?;
        if number + 1 == crate::PAGE {
            page.next = Some(Cursor(key.to_string()));
        }
        let stored = decode(&key, row.value())?;
        if stored.is_live(now) {
            page.records.push((key, stored.record));
        }
    }
    Ok(page)
}

impl<'t> Tables<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, StoreError> {
        Ok(Self {
            records: transaction.open_table(RECORDS).map_err(unavailable)?,
            ends: transaction.open_table(ENDS).map_err(unavailable)?,
            indexes: transaction.open_table(INDEXES).map_err(unavailable)?,
            leases: transaction.open_table(LEASES).map_err(unavailable)?,
        })
    }

    /// Whoever held a lease has ended. Its fencing number stays, as long as there is a record that it guards.
    fn free_leases(&mut self) -> Result<(), StoreError> {
        let mut keys = Vec::new();
        for entry in self.leases.iter().map_err(unavailable)? {
            let (key, _) = entry.map_err(unavailable)?;
            keys.push(Key::parse(key.value()).map_err(|_| corrupt(key.value()))?);
        }
        for key in keys {
            if self.get(&key)?.is_none() {
                self.leases.remove(key.as_str()).map_err(unavailable)?;
            } else if let Some(row) = self.lease(&key)? {
                self.put_lease(&key, &LeaseRow { holder: String::new(), until: Timestamp::from_millis(0), ..row })?;
            }
        }
        Ok(())
    }

    /// Removes at most `limit` records whose life was over before `now`.
    pub(super) fn sweep(&mut self, now: Timestamp, limit: usize) -> Result<(), StoreError> {
        let mut over = Vec::new();
        for entry in self.ends.range(..=(now.as_millis(), "")).map_err(unavailable)?.take(limit) {
            let (entry, _) = entry.map_err(unavailable)?;
            let (end, key) = entry.value();
            over.push((end, key.to_owned()));
        }
        for (end, written) in over {
            self.ends.remove((end, written.as_str())).map_err(unavailable)?;
            let key = Key::parse(&written).map_err(|_| corrupt(&written))?;
            if self.get(&key)?.is_some_and(|stored| !stored.is_live(now)) {
                self.records.remove(written.as_str()).map_err(unavailable)?;
            }
        }
        Ok(())
    }
}

impl Rows for Tables<'_> {
    fn get(&self, key: &Key) -> Result<Option<Stored>, StoreError> {
        let row = self.records.get(key.as_str()).map_err(unavailable)?;
        row.map(|row| decode(key, row.value())).transpose()
    }

    fn put(&mut self, key: &Key, stored: &Stored) -> Result<(), StoreError> {
        let end = stored.expires.map_or(0, Timestamp::as_millis);
        let version = stored.record.version.number().to_be_bytes();
        let row = [version.as_slice(), &end.to_be_bytes(), &stored.record.bytes].concat();
        self.records.insert(key.as_str(), row.as_slice()).map_err(unavailable)?;
        if end > 0 {
            self.ends.insert((end, key.as_str()), ()).map_err(unavailable)?;
        }
        Ok(())
    }

    fn remove(&mut self, key: &Key) -> Result<(), StoreError> {
        self.records.remove(key.as_str()).map_err(unavailable).map(drop)
    }

    fn list(&mut self, index: &Index, key: &Key) -> Result<(), StoreError> {
        self.indexes.insert((index.as_str(), key.as_str()), ()).map_err(unavailable).map(drop)
    }

    fn unlist(&mut self, index: &Index, key: &Key) -> Result<(), StoreError> {
        self.indexes.remove((index.as_str(), key.as_str())).map_err(unavailable).map(drop)
    }

    fn lease(&self, key: &Key) -> Result<Option<LeaseRow>, StoreError> {
        let Some(row) = self.leases.get(key.as_str()).map_err(unavailable)? else { return Ok(None) };
        let (fence, until, holder) = split(row.value()).ok_or_else(|| corrupt(key.as_str()))?;
        let holder = String::from_utf8(holder.to_vec()).map_err(|_| corrupt(key.as_str()))?;
        Ok(Some(LeaseRow { holder, fence, until: Timestamp::from_millis(until) }))
    }

    fn put_lease(&mut self, key: &Key, row: &LeaseRow) -> Result<(), StoreError> {
        let fence = row.fence.to_be_bytes();
        let bytes = [fence.as_slice(), &row.until.as_millis().to_be_bytes(), row.holder.as_bytes()].concat();
        self.leases.insert(key.as_str(), bytes.as_slice()).map_err(unavailable).map(drop)
    }
}

/// redb's errors name files and pages, never what stands in them.
pub(super) fn unavailable(error: impl Into<redb::Error>) -> StoreError {
    StoreError::Unavailable(Box::new(error.into()))
}

fn decode(key: &Key, row: &[u8]) -> Result<Stored, StoreError> {
    let (version, end, bytes) = split(row).ok_or_else(|| corrupt(key.as_str()))?;
    let expires = (end > 0).then(|| Timestamp::from_millis(end));
    Ok(Stored { record: Record { version: Version::new(version), bytes: bytes.to_vec() }, expires })
}

fn split(row: &[u8]) -> Option<(u64, u64, &[u8])> {
    let (first, rest) = row.split_first_chunk()?;
    let (second, rest) = rest.split_first_chunk()?;
    Some((u64::from_be_bytes(*first), u64::from_be_bytes(*second), rest))
}

fn corrupt(what: &str) -> StoreError {
    StoreError::Corrupt(what.to_owned())
}

const COPIED_AT_ONCE: usize = 10_000;
