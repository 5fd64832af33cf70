use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use journal::{Entry, Journal, Place};
use protocol::{ScopeSet, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Key, Lease};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::BrokerError;
use crate::records::{Attempt, KeptHash, Rank, Rotation, Tokens};
use crate::vault::{Fingerprint, Vault};

/// The journal as it was opened: with what earlier processes wrote.
pub struct JournalParts {
    /// The journal.
    pub journal: Journal,
    /// What stands in it.
    pub entries: Vec<Entry>,
}

/// What an operator is told of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JournalHealth {
    /// It is written.
    Works,
    /// It is configured, and cannot be written.
    Fails,
    /// There is none.
    Off,
}

/// What stands in the journal.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Note {
    /// A refresh token is about to be presented: an attempt without this note was never made.
    Presenting { attempt: String },
    /// What came of it.
    Issued(Box<Issued>),
}

/// What a provider issued for a refresh token, on its way into the record.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Issued {
    /// The attempt that asked.
    pub(crate) attempt: String,
    /// The connection's own id: one that was ended and made anew is another.
    pub(crate) connection: String,
    /// The refresh token that was presented.
    pub(crate) presented: KeptHash,
    pub(crate) rank: Rank,
    /// The provider's fingerprint at that time.
    pub(crate) mark: Fingerprint,
    pub(crate) tokens: Tokens,
    /// `None`: as before.
    pub(crate) scopes: Option<ScopeSet>,
    pub(crate) rotation: Rotation,
    pub(crate) at: Timestamp,
}

/// What is known of refreshes besides the records: the journal, and what the store has still to take.
pub(crate) struct Kept {
    pub(crate) journal: Option<Journal>,
    state: Mutex<State>,
    /// The store may have lost what it had acknowledged.
    pub(crate) upheaval: Notify,
}

#[derive(Default)]
struct State {
    /// What earlier processes left, until it has been looked through.
    found: Vec<Entry>,
    /// Attempts of earlier processes in which a token was presented.
    presented: HashSet<String>,
    /// What the store has still to take, by the attempt that brought it.
    unsettled: HashMap<Key, HashMap<String, (Issued, Vec<Place>)>>,
    /// Leases that are kept since an attempt of this process stands, or what came of one is not stored.
    leases: HashMap<Key, Lease>,
    /// No token is presented before this moment: other gateways put back what a failover took.
    hold: Option<Instant>,
    /// Nothing begins any more.
    closed: bool,
}

impl Kept {
    pub(crate) fn new(parts: Option<JournalParts>) -> Self {
        let (journal, found) = parts.map(|parts| (parts.journal, parts.entries)).unzip();
        let state = State { found: found.unwrap_or_default(), ..State::default() };
        Self { journal, state: Mutex::new(state), upheaval: Notify::new() }
    }

    pub(crate) fn health(&self) -> JournalHealth {
        match &self.journal {
            None => JournalHealth::Off,
            Some(journal) if journal.works() => JournalHealth::Works,
            Some(_) => JournalHealth::Fails,
        }
    }

    pub(crate) fn take_found(&self) -> Vec<Entry> {
        std::mem::take(&mut self.state().found)
    }

    pub(crate) fn note_presented(&self, attempt: String) {
        self.state().presented.insert(attempt);
    }

    /// Whether the process that had this journal is gone, and all that it wrote is known here.
    pub(crate) fn covers(&self, journal: Option<&str>) -> bool {
        self.journal.as_ref().zip(journal).is_some_and(|(own, name)| own.covers(name))
    }

    /// Whether the attempt, of a process that is gone, never came to presenting a token: its journal would know. A machine that was
    /// started anew may have lost the note.
    pub(crate) fn was_not_made(&self, attempt: &Attempt, boot: &str) -> bool {
        let remembers = !boot.is_empty() && attempt.boot == boot;
        remembers && self.covers(attempt.journal.as_deref()) && !self.state().presented.contains(&attempt.id)
    }

    /// Keeps what the store has still to take, until it does. What is kept already is kept once.
    pub(crate) fn keep(&self, key: &Key, issued: Issued, place: Option<Place>) {
        let mut state = self.state();
        let kept = state.unsettled.entry(key.clone()).or_default();
        let (_, places) = kept.entry(issued.attempt.clone()).or_insert_with(|| (issued, Vec::new()));
        places.extend(place);
    }

    /// What the store has still to take for one connection, oldest first. It stays here until it was settled.
    pub(crate) fn unsettled_of(&self, key: &Key) -> Vec<Issued> {
        let state = self.state();
        let kept = state.unsettled.get(key).into_iter().flat_map(HashMap::values);
        let mut kept: Vec<Issued> = kept.map(|(issued, _)| issued.clone()).collect();
        kept.sort_by_key(|issued| issued.rank);
        kept
    }

    /// The store has it.
    pub(crate) fn taken(&self, key: &Key, attempt: &str) {
        let mut state = self.state();
        let Some(kept) = state.unsettled.get_mut(key) else { return };
        let places = kept.remove(attempt).map(|(_, places)| places).unwrap_or_default();
        if kept.is_empty() {
            state.unsettled.remove(key);
        }
        drop(state);
        for place in places {
            self.settled(Some(place));
        }
    }

    pub(crate) fn unsettled(&self) -> Vec<Key> {
        self.state().unsettled.keys().cloned().collect()
    }

    pub(crate) fn keep_lease(&self, lease: Lease) {
        self.state().leases.insert(lease.key().clone(), lease);
    }

    /// The lease that was kept for a connection; whoever takes it keeps it again or gives it back.
    pub(crate) fn take_lease(&self, key: &Key) -> Option<Lease> {
        self.state().leases.remove(key)
    }

    /// The leases that are kept for what is still unsettled, to be extended.
    pub(crate) fn leases(&self) -> Vec<Lease> {
        let state = self.state();
        state.leases.values().filter(|lease| state.unsettled.contains_key(lease.key())).cloned().collect()
    }

    pub(crate) fn close(&self) {
        self.state().closed = true;
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state().closed
    }

    pub(crate) fn settled(&self, place: Option<Place>) {
        if let (Some(journal), Some(place)) = (&self.journal, place) {
            journal.settled(place);
        }
    }

    pub(crate) fn hold(&self, time: Duration) {
        self.state().hold = Some(Instant::now() + time);
    }

    /// Until when no token is presented.
    pub(crate) fn held_until(&self) -> Option<Instant> {
        self.state().hold.filter(|until| Instant::now() < *until)
    }

    /// Puts a note of an attempt into the journal, for `key`.
    pub(crate) async fn write(&self, vault: &Vault, key: &Key, note: &Note) -> Option<Place> {
        let journal = self.journal.as_ref()?;
        let bytes = match vault.seal_note(key, note) {
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::error!(error = %error, "a note for the journal cannot be sealed");
                return None;
            }
        };
        let written = match note {
            Note::Presenting { .. } => tokio::time::timeout(LONGEST, journal.note(bytes)).await,
            Note::Issued(_) => tokio::time::timeout(LONGEST, journal.append(bytes)).await,
        };
        match written {
            Ok(Ok(place)) => Some(place),
            Ok(Err(error)) => {
                tracing::error!(error = %error, "the journal failed: a crash now would cost a grant");
                None
            }
            Err(_) => {
                journal.hangs();
                tracing::error!("the journal hangs: a crash now would cost a grant");
                None
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Vault {
    /// A note under the key that its connection has: readable with the key ring alone.
    fn seal_note(&self, key: &Key, note: &Note) -> Result<Vec<u8>, BrokerError> {
        let name = key.as_str().as_bytes();
        let length = u16::try_from(name.len()).map_err(|_| secret::OpenError::Format)?;
        let sealed = self.seal_beside(KIND, key, note)?;
        Ok([length.to_be_bytes().as_slice(), name, &sealed].concat())
    }

    /// The note, and whose it is.
    pub(crate) fn open_note(&self, bytes: &[u8]) -> Result<(Key, Note), BrokerError> {
        let (length, rest) = bytes.split_first_chunk::<2>().ok_or(secret::OpenError::Format)?;
        let parts = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)));
        let (name, sealed) = parts.ok_or(secret::OpenError::Format)?;
        let name = std::str::from_utf8(name).map_err(|_| secret::OpenError::Format)?;
        let key = Key::parse(name).map_err(|_| secret::OpenError::Format)?;
        let note = self.open_beside(KIND, &key, sealed)?;
        Ok((key, note))
    }
}

/// Authenticated with every note: none of them passes for a record.
const KIND: &str = "journal";
/// A disk that hangs keeps nobody from storing.
const LONGEST: Duration = Duration::from_secs(1);
