use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use protocol::Timestamp;
use secret::{KeyId, KeyRing, OpenError};
use serde::{Deserialize, Serialize};
use store::{Index, Key, Kind, Life, Version, Write, Written};

use crate::records::Body;
use crate::vault::Held;
use crate::{Broker, BrokerError};

/// That records may be sealed with a key. Sealed with it, so that it opens for whoever has the key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Mark {
    pub(super) since: Timestamp,
    /// Since when records are moved away from it.
    pub(super) leaving: Option<Timestamp>,
    /// Since when nothing was found under it.
    pub(super) unused: Option<Timestamp>,
}

/// That a gateway has a key. Sealed with it; ends by itself where the gateway does.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Holding {
    seals: bool,
}

impl Body for Mark {
    const KIND: Kind = Kind::SealingKey;
}

impl Body for Holding {
    const KIND: Kind = Kind::SealingKey;
}

/// What the store says of keys.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// The keys that records may be under; `None` where this gateway has not got the key.
    pub(super) marks: BTreeMap<KeyId, Option<Held<Mark>>>,
    /// The live gateways, and what each holds.
    pub(super) gateways: BTreeMap<String, Holdings>,
}

/// What one gateway holds.
#[derive(Debug, Default)]
pub(super) struct Holdings {
    pub(super) opens: BTreeSet<KeyId>,
    pub(super) seals: BTreeSet<KeyId>,
}

impl Ledger {
    /// The keys that records need and the ring has not got.
    pub(super) fn missing(&self, ring: &KeyRing) -> Vec<KeyId> {
        self.marks.keys().copied().filter(|id| !ring.holds(*id)).collect()
    }

    /// The gateways that seal with a key.
    pub(super) fn sealing_with(&self, id: KeyId) -> Vec<String> {
        let sealing = self.gateways.iter().filter(|(_, holdings)| holdings.seals.contains(&id));
        sealing.map(|(name, _)| name.clone()).collect()
    }

    /// The gateways that cannot open what is sealed with a key.
    pub(super) fn lacking(&self, id: KeyId) -> Vec<String> {
        let lacking = self.gateways.iter().filter(|(_, holdings)| !holdings.opens.contains(&id));
        lacking.map(|(name, _)| name.clone()).collect()
    }

    /// The marks that open, with their keys.
    pub(super) fn open_marks(&self) -> impl Iterator<Item = (KeyId, &Mark)> {
        self.marks.iter().filter_map(|(id, held)| held.as_ref().map(|held| (*id, &held.body)))
    }
}

/// Every mark and every holding. A mark stays listed for good: taking it off could cross its being made anew.
pub(super) fn all() -> Index {
    Index::new("keys", "all")
}

pub(super) fn mark_key(id: KeyId) -> Key {
    Key::new(Kind::SealingKey, &id.to_string(), &[])
}

fn holding_key(id: KeyId, gateway: &str) -> Key {
    Key::new(Kind::SealingKey, &id.to_string(), &[gateway])
}

/// No record: what is announced when every gateway shall read its keys again, and the lease of whoever moves records.
pub(super) fn call() -> Key {
    Key::new(Kind::SealingKey, "all", &[])
}

impl Broker {
    /// What the store says of keys now.
    pub(super) async fn ledger(&self) -> Result<Ledger, BrokerError> {
        let mut ledger = Ledger::default();
        if self.vault.store().is_exclusive() {
            let ring = self.vault.keys();
            let own = Holdings { opens: ring.ids().collect(), seals: BTreeSet::from([ring.current()]) };
            ledger.gateways.insert(self.keys.gateway.clone(), own);
        }
        for key in self.vault.store().scan(&all()).await? {
            let (id, gateway) = match key.parts() {
                [id] => (KeyId::parse(id), None),
                [id, gateway] => (KeyId::parse(id), Some(gateway.clone())),
                _ => continue,
            };
            let Some(id) = id else { continue };
            match gateway {
                None => {
                    if let Some(mark) = self.known::<Mark>(&key).await? {
                        ledger.marks.insert(id, mark);
                    }
                }
                Some(gateway) => match self.known::<Holding>(&key).await? {
                    Some(holding) => {
                        let holdings = ledger.gateways.entry(gateway).or_default();
                        holdings.opens.insert(id);
                        // Under a key that is not here it may do either.
                        if holding.is_none_or(|holding| holding.body.seals) {
                            holdings.seals.insert(id);
                        }
                    }
                    None => drop(self.vault.write(Write::Unlist { index: all(), key }).await?),
                },
            }
        }
        Ok(ledger)
    }

    /// What lies there; `Some(None)` where its key is not in the ring.
    async fn known<T: Body>(&self, key: &Key) -> Result<Option<Option<Held<T>>>, BrokerError> {
        match self.vault.get::<T>(key).await {
            Ok(found) => Ok(found.map(Some)),
            Err(BrokerError::Sealed(OpenError::UnknownKey(_))) => Ok(Some(None)),
            Err(error) => Err(error),
        }
    }

    /// Says that records may be sealed with these keys. Durable when this returns: sealing comes after it.
    pub(super) async fn mark_keys(&self, ring: &KeyRing, keys: &[KeyId]) -> Result<(), BrokerError> {
        let mut writes = Vec::new();
        for id in keys {
            let key = mark_key(*id);
            let mark = Mark { since: self.now(), leaving: None, unused: None };
            let bytes = self.vault.seal_with(ring, *id, &key, Version::FIRST, &[], &mark)?;
            writes.push(Write::List { index: all(), key: key.clone() });
            writes.push(Write::Insert { key, bytes, life: Life::Forever });
        }
        self.vault.write_all(writes).await
    }

    /// Changes a key's mark; nothing happens where it is gone.
    pub(super) async fn remark(&self, id: KeyId, change: impl Fn(Mark) -> Mark) -> Result<(), BrokerError> {
        let key = mark_key(id);
        for _ in 0..RETRIES {
            let Some(held) = self.vault.get::<Mark>(&key).await? else { return Ok(()) };
            let changed = change(held.body);
            let version = held.version.next();
            let bytes = self.vault.seal_with(&self.vault.keys(), id, &key, version, &[], &changed)?;
            let write = Write::Swap { key: key.clone(), expected: held.version, bytes, life: Life::Forever };
            if self.vault.write(write).await? == Written::Done {
                return Ok(());
            }
        }
        Err(BrokerError::Contention)
    }

    /// Says that nothing is under a key any more: from now on the gateway starts without it.
    pub(super) async fn unmark(&self, id: KeyId) -> Result<(), BrokerError> {
        self.vault.delete(&mark_key(id)).await
    }

    /// Says which keys this gateway holds, for a while; nobody has to hear it where the store is this gateway's alone.
    pub(super) async fn claim_keys(&self, ring: &KeyRing) -> Result<(), BrokerError> {
        if self.vault.store().is_exclusive() {
            return Ok(());
        }
        let mut writes = Vec::new();
        for id in ring.ids() {
            let key = holding_key(id, &self.keys.gateway);
            let holding = Holding { seals: id == ring.current() };
            let bytes = self.vault.seal_with(ring, id, &key, Version::FIRST, &[], &holding)?;
            writes.push(Write::List { index: all(), key: key.clone() });
            writes.push(Write::Put { key, bytes, life: Life::For(HOLDS) });
        }
        self.vault.write_all(writes).await
    }

    /// Says that this gateway is gone, where there is time for it.
    pub async fn leave_keys(&self) {
        if self.vault.store().is_exclusive() {
            return;
        }
        let keys = self.vault.keys();
        let deletes = keys.ids().map(|id| Write::Delete { key: holding_key(id, &self.keys.gateway) });
        if let Err(error) = self.vault.write_all(deletes.collect()).await {
            tracing::debug!(error = %error, "what this gateway held is forgotten in a moment");
        }
    }
}

const RETRIES: usize = 8;
/// Three times as long as it takes to be said again.
pub(super) const HOLDS: Duration = Duration::from_secs(15);
