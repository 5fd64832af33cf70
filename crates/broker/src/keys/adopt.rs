use std::collections::BTreeSet;
use std::time::Duration;

use secret::{KeyId, KeyRing};
use tokio::time::Instant;

use super::marks::{HOLDS, Ledger, Mark, call};
use super::{KeyOwner, KeysError};
use crate::{Broker, BrokerError};

/// How much is asked of keys that are taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Demand {
    /// Every key that records need.
    Whole,
    /// None less than there were.
    NoLess,
}

impl Broker {
    /// The first look at the store: refused where its format is a newer version's, or where records need one that this gateway has not got. A store of an older version, whose
    /// keys are not marked, is read through once.
    pub async fn open_keys(&self) -> Result<(), BrokerError> {
        self.vault.store().claim_format().await?;
        let _changing = self.keys.changing.lock().await;
        let ring = self.vault.keys();
        let mut ledger = self.ledger().await?;
        if ledger.marks.is_empty() {
            let found: BTreeSet<KeyId> = self.census().await?.records.into_keys().collect();
            let missing: Vec<KeyId> = found.iter().copied().filter(|id| !ring.holds(*id)).collect();
            if !missing.is_empty() {
                return Err(KeysError::Missing(missing).into());
            }
            self.mark_keys(&ring, &found.into_iter().collect::<Vec<_>>()).await?;
            ledger = self.ledger().await?;
        }
        let missing = ledger.missing(&ring);
        if !missing.is_empty() {
            return Err(KeysError::Missing(missing).into());
        }
        self.mark_keys(&ring, &[ring.current()]).await?;
        self.claim_keys(&ring).await?;
        if self.keys.source.owner() == KeyOwner::Gateway {
            // Two keys in the gateway's own file are a rotation that a crash cut.
            self.set_leaving().await?;
        }
        let lacking = ledger.lacking(ring.current());
        if !lacking.is_empty() {
            tracing::error!(key_id = %ring.current(), gateways = lacking.join(", "), "gateways of this store lack the key that this one seals with");
        }
        tracing::info!(gateway = self.keys.gateway, key_id = %ring.current(), "records are sealed");
        // Others hear of a key that is new to them, and look whether they have got it meanwhile.
        Ok(self.vault.store().announce(&call()).await?)
    }

    /// Reads the keys where they are kept, and takes them over.
    pub(crate) async fn adopt_keys(&self, demand: Demand) -> Result<(), BrokerError> {
        let _changing = self.keys.changing.lock().await;
        let source = self.keys.source.clone();
        let ring = self.blocking(move || source.read()).await?.map_err(KeysError::from)?;
        self.take_over(ring, demand).await
    }

    /// As `adopt_keys`, with a new key first where the gateway makes them itself.
    pub(super) async fn renew_keys(&self) -> Result<(), BrokerError> {
        let _changing = self.keys.changing.lock().await;
        let source = self.keys.source.clone();
        let ring =
            self.blocking(move || source.renew().and_then(|made| made.map_or_else(|| source.read(), Ok))).await?;
        self.take_over(ring.map_err(KeysError::from)?, Demand::Whole).await
    }

    /// First opens with the new keys, then, when every live gateway does, seals with the first of them.
    async fn take_over(&self, ring: KeyRing, demand: Demand) -> Result<(), BrokerError> {
        let now = self.vault.keys();
        let ledger = self.ledger().await?;
        let mut missing = ledger.missing(&ring);
        if demand == Demand::NoLess {
            missing.retain(|id| now.holds(*id));
        }
        if !missing.is_empty() {
            return Err(KeysError::Missing(missing).into());
        }
        let opening = ring.led_by(now.current()).ok_or_else(|| KeysError::Missing(vec![now.current()]))?;
        self.vault.change_keys(opening.clone());
        self.claim_keys(&opening).await?;
        if ring.current() == now.current() {
            return Ok(());
        }
        self.await_holders(ring.current()).await?;
        self.mark_keys(&ring, &[ring.current()]).await?;
        tracing::info!(key_id = %ring.current(), before = %now.current(), "another key seals from now on");
        self.vault.change_keys(ring.clone());
        self.claim_keys(&ring).await
    }

    /// Calls upon the others to read their keys, and waits until all of them hold this one; not for long.
    async fn await_holders(&self, key: KeyId) -> Result<(), BrokerError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let gateways = self.ledger().await?.lacking(key);
            if gateways.is_empty() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(KeysError::NotHeld { key, gateways }.into());
            }
            self.vault.store().announce(&call()).await?;
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// From now on records are moved away from every key but the one that seals.
    pub(super) async fn set_leaving(&self) -> Result<(), BrokerError> {
        let (current, now) = (self.vault.keys().current(), self.now());
        let ledger: Ledger = self.ledger().await?;
        for (id, mark) in ledger.open_marks() {
            let leaves = id != current;
            if mark.leaving.is_some() == leaves {
                continue;
            }
            let leaving = leaves.then_some(now);
            self.remark(id, |mark| Mark { leaving, unused: None, ..mark }).await?;
        }
        Ok(())
    }
}

/// How long the other gateways are given to read their keys: one that crashed is forgotten by then.
const PATIENCE: Duration = HOLDS.saturating_add(Duration::from_secs(5));
const LOOK_AGAIN: Duration = Duration::from_millis(250);
