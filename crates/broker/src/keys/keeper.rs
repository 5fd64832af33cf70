use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use secret::{KeyId, OpenError};
use store::Invalidation;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::adopt::Demand;
use super::marks::{Ledger, Mark, call};
use super::rotation::{LEASE, Phase};
use super::{KeyOwner, KeysError};
use crate::{Broker, BrokerError};

impl Broker {
    /// Looks after the keys as long as the gateway runs: says which it holds, hears when they change, goes on with a rotation that was
    /// cut, and takes leave of keys that nothing is under.
    pub async fn keep_keys(self) {
        let mut changes = self.vault.store().watch();
        loop {
            let read_again = tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => false,
                () = called(&mut changes) => true,
                () = self.vault.key_missed() => true,
            };
            if read_again {
                self.read_keys_again().await;
            }
            if let Err(error) = self.claim_keys(&self.vault.keys()).await {
                tracing::debug!(error = %error, "what this gateway holds was not said");
            }
            if let Err(error) = self.look_after_keys().await {
                tracing::debug!(error = %error, "the keys are looked after later");
            }
            if read_again {
                tokio::time::sleep(READ_PAUSE).await;
            }
        }
    }

    /// Refused where records need a key that this gateway has not got: others can serve them.
    pub(crate) fn all_keys_held(&self) -> Result<(), BrokerError> {
        let missing = *self.keys.missing.lock().unwrap_or_else(PoisonError::into_inner);
        missing.map_or(Ok(()), |id| Err(OpenError::UnknownKey(id).into()))
    }

    /// Reads the keys where they are kept, and takes over what may be taken over; what may not is logged.
    pub async fn read_keys_again(&self) {
        match self.adopt_keys(Demand::NoLess).await {
            Ok(()) => {}
            Err(BrokerError::Keys(error @ (KeysError::NotHeld { .. } | KeysError::Missing(_)))) => {
                tracing::warn!(error = %error, "the keys stay as they are");
            }
            Err(error) => tracing::warn!(error = %error, "the keys were not read again"),
        }
    }

    pub(crate) async fn look_after_keys(&self) -> Result<(), BrokerError> {
        let ring = self.vault.keys();
        let ledger = self.ledger().await?;
        self.note_missing(ledger.missing(&ring).first().copied());
        self.forget_unmarked(&ledger).await?;
        let current = ring.current();
        if !ledger.marks.contains_key(&current) {
            // A failover of the store took it, or somebody gave the key up while this gateway stood still.
            self.mark_keys(&ring, &[current]).await?;
        }
        let own_leaves = ledger.open_marks().any(|(id, mark)| id == current && mark.leaving.is_some());
        let left: Vec<(KeyId, Mark)> = ledger
            .open_marks()
            .filter(|(id, mark)| *id != current && mark.leaving.is_some() && ledger.sealing_with(*id).is_empty())
            .map(|(id, mark)| (id, mark.clone()))
            .collect();
        if own_leaves || left.is_empty() || self.rotation_state(|rotation| rotation.phase.is_running()) {
            return Ok(());
        }
        let over = |mark: &Mark| mark.unused.is_some_and(|unused| self.now().since(unused) >= GRACE);
        let unfinished = left.iter().any(|(_, mark)| mark.unused.is_none());
        if !unfinished && !left.iter().any(|(_, mark)| over(mark)) {
            return Ok(());
        }
        let Some(lease) = self.vault.store().acquire(&call(), &self.keys.gateway, LEASE).await? else { return Ok(()) };
        if unfinished {
            tracing::info!(key_id = %current, "going on with a rotation of keys that was cut");
            self.move_records(Some(lease));
            return Ok(());
        }
        let retired = self.retire(left.iter().filter(|(_, mark)| over(mark)).map(|(id, _)| *id)).await;
        self.vault.store().release(&lease).await?;
        retired
    }

    /// A last look, and the keys are needed no more.
    async fn retire(&self, keys: impl Iterator<Item = KeyId>) -> Result<(), BrokerError> {
        let census = self.census().await?;
        for id in keys {
            if census.records.contains_key(&id) || census.unreadable > 0 {
                self.remark(id, |mark| Mark { unused: None, ..mark }).await?;
                continue;
            }
            let event = self.event("key_retired").by("gateway").reason(id.to_string());
            self.decide(event, self.unmark(id)).await?;
            tracing::info!(key_id = %id, "nothing is sealed with this key any more");
        }
        self.forget_unmarked(&self.ledger().await?).await
    }

    /// Takes what nothing is under out of the gateway's own file.
    async fn forget_unmarked(&self, ledger: &Ledger) -> Result<(), BrokerError> {
        if self.keys.source.owner() == KeyOwner::Operator {
            return Ok(());
        }
        let _changing = self.keys.changing.lock().await;
        let ring = self.vault.keys();
        for id in ring.ids().filter(|id| *id != ring.current() && !ledger.marks.contains_key(id)) {
            let source = self.keys.source.clone();
            let left = self.blocking(move || source.retire(id)).await?.map_err(KeysError::from)?;
            if let Some(left) = left {
                self.vault.change_keys(left);
            }
        }
        Ok(())
    }

    fn note_missing(&self, missing: Option<KeyId>) {
        *self.keys.missing.lock().unwrap_or_else(PoisonError::into_inner) = missing;
        let lamented = self.keys.lamented.swap(missing.is_some(), Ordering::Relaxed);
        match missing {
            Some(id) if !lamented => {
                tracing::error!(key_id = %id, "another gateway seals with a key that this one has not got: what is under it is answered with 503; add the key to [store] keys");
            }
            None if lamented => tracing::info!("every key that records need is here again"),
            _ => {}
        }
    }
}

impl Phase {
    pub(super) fn is_running(self) -> bool {
        matches!(self, Self::Counting | Self::Sealing)
    }
}

/// Returns when somebody calls upon all gateways to read their keys again.
async fn called(changes: &mut Receiver<Invalidation>) {
    loop {
        match changes.recv().await {
            Ok(Invalidation::Key(key)) if key == call() => return,
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Keys are read at most this often.
const READ_PAUSE: Duration = Duration::from_secs(1);
/// Longer than a gateway's journal keeps what it sealed, and than any write takes that was sealed before the key changed.
pub(super) const GRACE: Duration = Duration::from_secs(15 * 60);
