use std::time::Duration;

use crate::{Index, Key, Lease};

/// Counts the writes to one record, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(u64);

impl Version {
    /// What a new record has.
    pub const FIRST: Self = Self(1);

    /// From its number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// What the next write will make of it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// What a store keeps under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Which write this is.
    pub version: Version,
    /// Sealed or hashed before it came here.
    pub bytes: Vec<u8>,
}

/// A part of everything that a store keeps, in no order that means anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Where, and what.
    pub records: Vec<(Key, Record)>,
    /// Where to go on; `None` at the end.
    pub next: Option<Cursor>,
}

/// A place between two pages, which the store that made it understands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub(crate) String);

/// How long a record is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// Until it is deleted.
    Forever,
    /// From the write on, for this long, rounded up to milliseconds; at least one.
    For(Duration),
}

/// One write of a batch. [`Write::Put`], [`Write::Insert`] and the swaps say a record's life as well.
#[derive(Debug, Clone)]
pub enum Write {
    /// Version 1 of a record, whatever was there before.
    Put {
        /// Where.
        key: Key,
        /// What.
        bytes: Vec<u8>,
        /// For how long.
        life: Life,
    },
    /// Version 1 of a record where there is none; otherwise [`Written::Refused`].
    Insert {
        /// Where.
        key: Key,
        /// What.
        bytes: Vec<u8>,
        /// For how long.
        life: Life,
    },
    /// The next version of a record that still has version `expected`; otherwise [`Written::Refused`]. Announced to watchers.
    Swap {
        /// Where.
        key: Key,
        /// The version that was read.
        expected: Version,
        /// What.
        bytes: Vec<u8>,
        /// For how long.
        life: Life,
    },
    /// As `Swap`, by the holder of `lease`: refused as well when a later holder has taken it, or it ran out.
    SwapFenced {
        /// Guards the record that is written.
        lease: Lease,
        /// The version that was read.
        expected: Version,
        /// What.
        bytes: Vec<u8>,
        /// For how long.
        life: Life,
    },
    /// The same version in other bytes, where the record is still what was read, to the byte; otherwise [`Written::Refused`]. Its life
    /// goes on as it was. Announced to nobody, since it says the same: whoever has read it may go on with what they read.
    Reseal {
        /// Where.
        key: Key,
        /// What was read.
        read: Record,
        /// The same, sealed anew for the same version.
        bytes: Vec<u8>,
    },
    /// Removes a record; done, too, where there is none. Announced to watchers.
    Delete {
        /// Where.
        key: Key,
    },
    /// Puts a key into an index.
    List {
        /// Which list.
        index: Index,
        /// Which key.
        key: Key,
    },
    /// Takes a key out of an index.
    Unlist {
        /// Which list.
        index: Index,
        /// Which key.
        key: Key,
    },
}

impl Write {
    /// The record that watchers are told of.
    pub(crate) fn changes(&self) -> Option<&Key> {
        match self {
            Self::Swap { key, .. } | Self::Delete { key } => Some(key),
            Self::SwapFenced { lease, .. } => Some(lease.key()),
            Self::Put { .. } | Self::Insert { .. } | Self::Reseal { .. } | Self::List { .. } | Self::Unlist { .. } => {
                None
            }
        }
    }
}

/// What became of one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It was done.
    Done,
    /// Its condition did not hold; nothing was changed.
    Refused,
}
