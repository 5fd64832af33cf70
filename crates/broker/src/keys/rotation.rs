use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;

use secret::{KeyId, KeyRing, OpenError};
use store::{Cursor, Key, Kind, Lease, Page, Record, Write, Written};
use tokio::time::Instant;

use super::marks::{HOLDS, Mark, call};
use super::view::RotationView;
use crate::vault::Vault;
use crate::{Broker, BrokerError};

/// How far the moving of records has come in this process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rotation {
    pub(super) phase: Phase,
    pub(super) total: u64,
    pub(super) done: u64,
    pub(super) begun: Option<Instant>,
    pub(super) ended: Option<Instant>,
    pub(super) census: Census,
    /// Gateways that go on sealing with a key that is left.
    pub(super) still_sealing: Vec<String>,
}

/// What a rotation does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Phase {
    #[default]
    None,
    Counting,
    Sealing,
    Finished,
    Failed,
}

/// How many records are under which key.
#[derive(Debug, Clone, Default)]
pub(super) struct Census {
    pub(super) records: BTreeMap<KeyId, u64>,
    /// Records that do not open although their key is here, or are of no known form.
    pub(super) unreadable: u64,
}

/// What one pass over the store came to.
#[derive(Default)]
struct Pass {
    census: Census,
    /// Records that were under another key when they were read.
    met: u64,
}

impl Broker {
    /// How many records are under which key, by reading all of them.
    pub(super) async fn census(&self) -> Result<Census, BrokerError> {
        let (mut census, mut from) = (Census::default(), None);
        loop {
            let page = self.page(from.as_ref()).await?;
            for (_, record) in &page.records {
                match Vault::sealed_with(record) {
                    Ok(id) => *census.records.entry(id).or_default() += 1,
                    Err(_) => census.unreadable += 1,
                }
            }
            from = page.next;
            if from.is_none() {
                return Ok(census);
            }
        }
    }

    /// Moves every record under the key that seals now: begins, or joins what is under way.
    pub(super) fn move_records(&self, lease: Option<Lease>) {
        let begun = self.rotation_state(|rotation| {
            if matches!(rotation.phase, Phase::Counting | Phase::Sealing) {
                return false;
            }
            *rotation = Rotation { phase: Phase::Counting, ..Rotation::default() };
            true
        });
        let broker = self.clone();
        self.background(async move {
            if !begun {
                return broker.give_back_lease(lease.as_ref()).await;
            }
            let moved = broker.move_all(lease.as_ref()).await;
            if let Err(error) = &moved {
                let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
                tracing::error!(error = %error, cause, "records were not moved to the key that seals");
            }
            broker.give_back_lease(lease.as_ref()).await;
            broker.rotation_state(|rotation| {
                rotation.phase = if moved.is_ok() { Phase::Finished } else { Phase::Failed };
                rotation.ended = Some(Instant::now());
            });
        });
    }

    async fn give_back_lease(&self, lease: Option<&Lease>) {
        if let Some(lease) = lease
            && let Err(error) = self.vault.store().release(lease).await
        {
            tracing::debug!(error = %error, "the lease ends by itself");
        }
    }

    async fn move_all(&self, lease: Option<&Lease>) -> Result<(), BrokerError> {
        let current = self.vault.keys().current();
        let census = self.census().await?;
        let total = census.records.iter().filter(|(id, _)| **id != current).map(|(_, count)| count).sum();
        self.rotation_state(|rotation| {
            *rotation =
                Rotation { phase: Phase::Sealing, total, begun: Some(Instant::now()), census, ..Rotation::default() };
        });
        loop {
            let pass = self.pass(lease).await?;
            let met = pass.met;
            self.rotation_state(|rotation| rotation.census = pass.census);
            if met == 0 {
                self.await_sealers().await?;
                return self.set_unused().await;
            }
            tokio::time::sleep(BETWEEN_PASSES).await;
        }
    }

    /// Gives gateways that seal with a key that is left the time to take the new one; one that crashed is forgotten by then.
    async fn await_sealers(&self) -> Result<(), BrokerError> {
        let deadline = Instant::now() + HOLDS;
        loop {
            let still_sealing = self.still_sealing().await?;
            let nobody = still_sealing.is_empty();
            self.rotation_state(|rotation| rotation.still_sealing = still_sealing);
            if nobody || Instant::now() >= deadline {
                return Ok(());
            }
            tokio::time::sleep(BETWEEN_PASSES).await;
        }
    }

    /// Reads all records once, and seals anew what is under another key. What another writer changes meanwhile is theirs: they sealed it.
    async fn pass(&self, lease: Option<&Lease>) -> Result<Pass, BrokerError> {
        let (mut pass, mut from) = (Pass::default(), None);
        let mut renewed = Instant::now();
        loop {
            let page = self.page(from.as_ref()).await?;
            let ring = self.vault.keys();
            let mut writes = Vec::new();
            let mut moving = Vec::new();
            for (key, record) in page.records {
                match self.anew(&ring, &key, &record) {
                    Ok(Course::Stays(id)) => *pass.census.records.entry(id).or_default() += 1,
                    Ok(Course::Moves(id, bytes)) => {
                        moving.push(id);
                        writes.push(Write::Reseal { key, read: record, bytes });
                    }
                    Err(error) => {
                        pass.census.unreadable += 1;
                        tracing::error!(key = %key, error = %error, "a record does not open, and is left as it is");
                    }
                }
            }
            pass.met += moving.len() as u64;
            if !writes.is_empty() {
                let written = self.patiently(|| self.vault.store().batch(writes.clone())).await?;
                self.count(ring.current(), &mut pass.census, &moving, &written);
            }
            if let Some(lease) = lease
                && renewed.elapsed() >= RENEW_EVERY
            {
                self.vault.store().renew(lease, LEASE).await?;
                renewed = Instant::now();
            }
            from = page.next;
            if from.is_none() {
                return Ok(pass);
            }
        }
    }

    fn anew(&self, ring: &KeyRing, key: &Key, record: &Record) -> Result<Course, BrokerError> {
        let id = Vault::sealed_with(record)?;
        if id == ring.current() {
            return Ok(Course::Stays(id));
        }
        match self.vault.resealed(ring, key, record) {
            Ok(bytes) => Ok(Course::Moves(id, bytes)),
            // Another gateway's key, which this one has not got: it is counted, and nothing else.
            Err(BrokerError::Sealed(OpenError::UnknownKey(id))) => Ok(Course::Stays(id)),
            Err(error) => Err(error),
        }
    }

    fn count(&self, current: KeyId, census: &mut Census, moving: &[KeyId], written: &[Written]) {
        let done = moving.iter().zip(written).filter(|(_, written)| **written == Written::Done);
        self.rotation_state(|rotation| {
            for (from, _) in done {
                rotation.done += 1;
                *census.records.entry(current).or_default() += 1;
                *rotation.census.records.entry(current).or_default() += 1;
                let left = rotation.census.records.entry(*from).or_default();
                *left = left.saturating_sub(1);
            }
        });
    }

    async fn still_sealing(&self) -> Result<Vec<String>, BrokerError> {
        let (ledger, current) = (self.ledger().await?, self.vault.keys().current());
        let others = ledger.marks.keys().filter(|id| **id != current);
        Ok(others.flat_map(|id| ledger.sealing_with(*id)).collect())
    }

    /// Notes since when nothing was found under a key.
    async fn set_unused(&self) -> Result<(), BrokerError> {
        let census = self.rotation_state(|rotation| rotation.census.clone());
        let (ledger, current, now) = (self.ledger().await?, self.vault.keys().current(), self.now());
        for (id, mark) in ledger.open_marks() {
            let empty = !census.records.contains_key(&id) && census.unreadable == 0;
            let left = mark.leaving.is_some() && mark.unused.is_none() && id != current;
            if left && empty && ledger.sealing_with(id).is_empty() {
                self.remark(id, |mark| Mark { unused: Some(now), ..mark }).await?;
            }
        }
        Ok(())
    }

    /// Some records, without what is said of the keys themselves.
    async fn page(&self, from: Option<&Cursor>) -> Result<Page, BrokerError> {
        let mut page = self.patiently(|| self.vault.store().records(from)).await?;
        page.records.retain(|(key, _)| key.kind() != Kind::SealingKey);
        Ok(page)
    }

    /// A store that is away for a moment is waited for.
    async fn patiently<T, F>(&self, operation: impl Fn() -> F) -> Result<T, BrokerError>
    where
        F: Future<Output = Result<T, store::StoreError>>,
    {
        let mut tries = 0;
        loop {
            match operation().await {
                Err(error @ store::StoreError::Unavailable(_)) if tries < STORE_TRIES => {
                    tracing::warn!(error = %error, "the moving of records waits for the store");
                    tries += 1;
                    tokio::time::sleep(STORE_PAUSE).await;
                }
                answered => return Ok(answered?),
            }
        }
    }

    pub(super) fn rotation_state<T>(&self, change: impl FnOnce(&mut Rotation) -> T) -> T {
        change(&mut self.keys.rotation.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How far the moving of records has come in this gateway.
    #[must_use]
    pub fn key_rotation(&self) -> RotationView {
        RotationView::of(&self.rotation_state(|rotation| rotation.clone()), self.vault.keys().current())
    }

    /// An operator's word: reads the keys anew everywhere, makes one where the gateway keeps them itself, and moves every record under
    /// the first; joins what is under way.
    pub async fn rotate_keys(&self) -> Result<RotationView, BrokerError> {
        let event = self.event("key_rotation_started").by("operator");
        self.decide(event, async {
            self.renew_keys().await?;
            self.vault.store().announce(&call()).await?;
            self.set_leaving().await
        })
        .await?;
        // Whoever has it keeps the others from doing the same work; without it, it is done twice at worst.
        let lease = self.vault.store().acquire(&call(), &self.keys.gateway, LEASE).await?;
        self.move_records(lease);
        Ok(self.key_rotation())
    }
}

/// What becomes of one record.
enum Course {
    Stays(KeyId),
    Moves(KeyId, Vec<u8>),
}

/// Short: what a writer sealed before the key changed, and wrote after the pass, is found by the next one.
const BETWEEN_PASSES: Duration = Duration::from_millis(200);
const STORE_TRIES: usize = 60;
const STORE_PAUSE: Duration = Duration::from_secs(1);
pub(super) const LEASE: Duration = Duration::from_secs(120);
const RENEW_EVERY: Duration = Duration::from_secs(20);
