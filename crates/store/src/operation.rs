//! What the stores that run in this process do with an operation, whatever holds their rows.

use std::time::Duration;

use protocol::Timestamp;

use crate::{Index, Key, Life, Record, StoreError, Version, Write, Written};

/// A record with the end of its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) record: Record,
    pub(crate) expires: Option<Timestamp>,
}

/// Who holds the lease on a record; the row stays when it is over, so that fencing numbers grow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeaseRow {
    pub(crate) holder: String,
    pub(crate) fence: u64,
    pub(crate) until: Timestamp,
}

/// The rows of one store, inside of one transaction.
pub(crate) trait Rows {
    fn get(&self, key: &Key) -> Result<Option<Stored>, StoreError>;
    fn put(&mut self, key: &Key, stored: &Stored) -> Result<(), StoreError>;
    fn remove(&mut self, key: &Key) -> Result<(), StoreError>;
    fn list(&mut self, index: &Index, key: &Key) -> Result<(), StoreError>;
    fn unlist(&mut self, index: &Index, key: &Key) -> Result<(), StoreError>;
    fn lease(&self, key: &Key) -> Result<Option<LeaseRow>, StoreError>;
    fn put_lease(&mut self, key: &Key, row: &LeaseRow) -> Result<(), StoreError>;
}

/// An operation that changes rows.
#[derive(Debug)]
pub(crate) enum Operation {
    Take(Key),
    Batch(Vec<Write>),
    Acquire { key: Key, holder: String, time: Duration },
    Renew { key: Key, holder: String, fence: u64, time: Duration },
    Release { key: Key, holder: String, fence: u64 },
}

/// What it came to.
#[derive(Debug)]
pub(crate) enum Outcome {
    Taken(Option<Record>),
    Written(Vec<Written>),
    /// The fencing number, where the lease was free.
    Acquired(Option<u64>),
    Held(bool),
}

impl Operation {
    /// The bytes that it wants to write.
    pub(crate) fn size(&self) -> usize {
        let Self::Batch(writes) = self else { return 0 };
        let bytes = writes.iter().map(|write| match write {
            Write::Put { bytes, .. }
            | Write::Insert { bytes, .. }
            | Write::Swap { bytes, .. }
            | Write::SwapFenced { bytes, .. }
            | Write::Reseal { bytes, .. } => bytes.len(),
            Write::Delete { .. } | Write::List { .. } | Write::Unlist { .. } => 0,
        });
        bytes.sum()
    }

    /// Carries it out at `now`; keys whose watchers must be told are put into `changed`.
    pub(crate) fn apply(
        &self,
        rows: &mut dyn Rows,
        now: Timestamp,
        changed: &mut Vec<Key>,
    ) -> Result<Outcome, StoreError> {
        match self {
            Self::Take(key) => {
                let found = live(rows, key, now)?;
                if found.is_some() {
                    rows.remove(key)?;
                }
                Ok(Outcome::Taken(found.map(|stored| stored.record)))
            }
            Self::Batch(writes) => {
                let written: Result<Vec<Written>, StoreError> =
                    writes.iter().map(|write| apply_write(write, rows, now, changed)).collect();
                Ok(Outcome::Written(written?))
            }
            Self::Acquire { key, holder, time } => acquire(rows, key, holder, now, *time),
            Self::Renew { key, holder, fence, time } => {
                let held = holds(rows, key, holder, *fence, now)?;
                if held {
                    rows.put_lease(key, &LeaseRow { holder: holder.clone(), fence: *fence, until: now.plus(*time) })?;
                }
                Ok(Outcome::Held(held))
            }
            Self::Release { key, holder, fence } => {
                let held = holds(rows, key, holder, *fence, now)?;
                if held {
                    // Over at any time: a clock that is set back must not make it somebody's again.
                    let over = Timestamp::from_millis(0);
                    rows.put_lease(key, &LeaseRow { holder: String::new(), fence: *fence, until: over })?;
                }
                Ok(Outcome::Held(held))
            }
        }
    }
}

impl Stored {
    /// Whether the record's life has not ended.
    pub(crate) fn is_live(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

fn live(rows: &dyn Rows, key: &Key, now: Timestamp) -> Result<Option<Stored>, StoreError> {
    Ok(rows.get(key)?.filter(|stored| stored.is_live(now)))
}

fn apply_write(
    write: &Write,
    rows: &mut dyn Rows,
    now: Timestamp,
    changed: &mut Vec<Key>,
) -> Result<Written, StoreError> {
    match write {
        Write::Put { key, bytes, life } => rows.put(key, &stored(Version::FIRST, bytes, *life, now))?,
        Write::Insert { key, bytes, life } => {
            if live(rows, key, now)?.is_some() {
                return Ok(Written::Refused);
            }
            rows.put(key, &stored(Version::FIRST, bytes, *life, now))?;
        }
        Write::Swap { key, expected, bytes, life } => return swap(rows, key, *expected, bytes, *life, now, changed),
        Write::SwapFenced { lease, expected, bytes, life } => {
            if !holds(rows, &lease.key, &lease.holder, lease.fence, now)? {
                return Ok(Written::Refused);
            }
            return swap(rows, &lease.key, *expected, bytes, *life, now, changed);
        }
        Write::Reseal { key, read, bytes } => {
            let Some(stored) = live(rows, key, now)?.filter(|stored| stored.record == *read) else {
                return Ok(Written::Refused);
            };
            let record = Record { version: read.version, bytes: bytes.clone() };
            rows.put(key, &Stored { record, ..stored })?;
        }
        Write::Delete { key } => {
            rows.remove(key)?;
            changed.push(key.clone());
        }
        Write::List { index, key } => rows.list(index, key)?,
        Write::Unlist { index, key } => rows.unlist(index, key)?,
    }
    Ok(Written::Done)
}

fn swap(
    rows: &mut dyn Rows,
    key: &Key,
    expected: Version,
    bytes: &[u8],
    life: Life,
    now: Timestamp,
    changed: &mut Vec<Key>,
) -> Result<Written, StoreError> {
    if live(rows, key, now)?.map(|stored| stored.record.version) != Some(expected) {
        return Ok(Written::Refused);
    }
    rows.put(key, &stored(expected.next(), bytes, life, now))?;
    changed.push(key.clone());
    Ok(Written::Done)
}

fn acquire(
    rows: &mut dyn Rows,
    key: &Key,
    holder: &str,
    now: Timestamp,
    time: Duration,
) -> Result<Outcome, StoreError> {
    let last = rows.lease(key)?;
    if last.as_ref().is_some_and(|row| now < row.until) {
        return Ok(Outcome::Acquired(None));
    }
    let fence = last.map_or(1, |row| row.fence + 1);
    rows.put_lease(key, &LeaseRow { holder: holder.to_owned(), fence, until: now.plus(time) })?;
    Ok(Outcome::Acquired(Some(fence)))
}

fn holds(rows: &dyn Rows, key: &Key, holder: &str, fence: u64, now: Timestamp) -> Result<bool, StoreError> {
    Ok(rows.lease(key)?.is_some_and(|row| row.holder == holder && row.fence == fence && now < row.until))
}

fn stored(version: Version, bytes: &[u8], life: Life, now: Timestamp) -> Stored {
    let expires = match life {
        Life::Forever => None,
        Life::For(time) => {
            Some(now.plus(time.saturating_add(Duration::from_micros(999))).max(now.plus(Duration::from_millis(1))))
        }
    };
    Stored { record: Record { version, bytes: bytes.to_vec() }, expires }
}
