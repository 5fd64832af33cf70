use std::sync::{Arc, PoisonError, RwLock};

use secret::{AssociatedData, Entropy, KeyId, KeyRing, OpenError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::{Index, Key, Kind, Life, Record, Store, Version, Write, Written};
use tokio::sync::Notify;
use zeroize::Zeroizing;

use crate::BrokerError;
use crate::records::Body;

/// Typed records over the store: seals what goes in, opens what comes out, and binds each body to where it lies.
pub(crate) struct Vault {
    store: Arc<dyn Store>,
    keys: RwLock<Arc<KeyRing>>,
    entropy: Arc<dyn Entropy>,
    /// Told when a record was met whose key is not in the ring.
    key_missed: Notify,
}

/// A body as it was read, with the version that a swap has to name.
#[derive(Debug)]
pub(crate) struct Held<T> {
    pub(crate) body: T,
    pub(crate) version: Version,
}

/// Names the provider that a connection was made with: a hash of the hosts its tokens go to. Empty for other records.
pub(crate) type Fingerprint = Vec<u8>;

impl Vault {
    pub(crate) fn new(store: Arc<dyn Store>, keys: KeyRing, entropy: Arc<dyn Entropy>) -> Self {
        Self { store, keys: RwLock::new(Arc::new(keys)), entropy, key_missed: Notify::new() }
    }

    /// The keys as they are now.
    pub(crate) fn keys(&self) -> Arc<KeyRing> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on these keys seal and open.
    pub(crate) fn change_keys(&self, keys: KeyRing) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }

    /// Returns when a record was met whose key is not in the ring.
    pub(crate) async fn key_missed(&self) {
        self.key_missed.notified().await;
    }

    pub(crate) fn store(&self) -> &dyn Store {
        self.store.as_ref()
    }

    pub(crate) async fn get<T: Body>(&self, key: &Key) -> Result<Option<Held<T>>, BrokerError> {
        let Some(record) = self.store.get(key).await? else { return Ok(None) };
        self.open(key, &record).map(|(held, _)| Some(held))
    }

    /// As `get`, with the fingerprint of the provider that the record was made for.
    pub(crate) async fn get_marked<T: Body>(&self, key: &Key) -> Result<Option<(Held<T>, Fingerprint)>, BrokerError> {
        let Some(record) = self.store.get(key).await? else { return Ok(None) };
        self.open(key, &record).map(Some)
    }

    /// Writes a new record; `Refused` where there is one.
    pub(crate) async fn insert<T: Body>(&self, key: &Key, body: &T, life: Life) -> Result<Written, BrokerError> {
        let bytes = self.seal(key, Version::FIRST, &[], body)?;
        self.write(Write::Insert { key: key.clone(), bytes, life }).await
    }

    /// Writes the next version; `Refused` where another writer was faster.
    pub(crate) async fn swap<T: Body>(
        &self,
        key: &Key,
        read: Version,
        body: &T,
        life: Life,
    ) -> Result<Written, BrokerError> {
        let bytes = self.seal(key, read.next(), &[], body)?;
        self.write(Write::Swap { key: key.clone(), expected: read, bytes, life }).await
    }

    /// As `swap`, for what lives on; another writer who was faster is an error.
    pub(crate) async fn replace<T: Body>(&self, key: &Key, read: Version, body: &T) -> Result<(), BrokerError> {
        match self.swap(key, read, body, Life::Forever).await? {
            Written::Done => Ok(()),
            Written::Refused => Err(BrokerError::Contention),
        }
    }

    /// Writes what `change` makes of a record, whatever it is by then; nothing where there is none. Written also where nothing changes: an
    /// earlier attempt may not have been durable. Of many who change one record at once, each has its turn.
    pub(crate) async fn change<T: Body>(
        &self,
        key: &Key,
        change: impl Fn(T) -> (T, Life) + Send,
    ) -> Result<(), BrokerError> {
        for _ in 0..TURNS {
            let Some(held) = self.get::<T>(key).await? else { return Ok(()) };
            let (body, life) = change(held.body);
            if self.swap(key, held.version, &body, life).await? == Written::Done {
                return Ok(());
            }
        }
        Err(BrokerError::Contention)
    }

    pub(crate) async fn delete(&self, key: &Key) -> Result<(), BrokerError> {
        self.write(Write::Delete { key: key.clone() }).await.map(drop)
    }

    pub(crate) async fn list(&self, index: Index, key: &Key) -> Result<(), BrokerError> {
        self.write(Write::List { index, key: key.clone() }).await.map(drop)
    }

    /// Does many writes, and waits until they are durable.
    pub(crate) async fn write_all(&self, writes: Vec<Write>) -> Result<(), BrokerError> {
        self.store.batch(writes).await?;
        Ok(())
    }

    /// Does one write and waits until it is durable.
    pub(crate) async fn write(&self, write: Write) -> Result<Written, BrokerError> {
        let written = self.store.batch(vec![write]).await?;
        written.first().copied().ok_or(BrokerError::Contention)
    }

    /// Seals what is handed out instead of stored, bound to its kind alone.
    pub(crate) fn seal_handed_out(&self, kind: &str, plain: &[u8]) -> Result<Vec<u8>, BrokerError> {
        Ok(self.keys().seal(self.entropy.as_ref(), &handed_out(kind), plain)?)
    }

    /// Opens it again.
    pub(crate) fn open_handed_out(&self, kind: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        self.keys().open(&handed_out(kind), sealed)
    }

    /// `fingerprint` is authenticated, and readable without the key, so that a provider that moved can be told from a forgery.
    pub(crate) fn seal<T: Body>(
        &self,
        key: &Key,
        version: Version,
        fingerprint: &[u8],
        body: &T,
    ) -> Result<Vec<u8>, BrokerError> {
        let keys = self.keys();
        self.seal_with(&keys, keys.current(), key, version, fingerprint, body)
    }

    /// As `seal`, with a key that need not be the one that seals.
    pub(crate) fn seal_with<T: Body>(
        &self,
        keys: &KeyRing,
        id: KeyId,
        key: &Key,
        version: Version,
        fingerprint: &[u8],
        body: &T,
    ) -> Result<Vec<u8>, BrokerError> {
        let plain = Zeroizing::new(serde_json::to_vec(body).map_err(BrokerError::RecordForm)?);
        let sealed = keys.seal_with(id, self.entropy.as_ref(), &bound(T::KIND, key, version, fingerprint), &plain)?;
        marked(fingerprint, &sealed)
    }

    /// The same record for the same place and version, sealed by the key that seals now. Its body is not looked at.
    pub(crate) fn resealed(&self, keys: &KeyRing, key: &Key, record: &Record) -> Result<Vec<u8>, BrokerError> {
        let (fingerprint, sealed) = split(record)?;
        let data = bound(key.kind(), key, record.version, fingerprint);
        let plain = keys.open(&data, sealed)?;
        marked(fingerprint, &keys.seal(self.entropy.as_ref(), &data, &plain)?)
    }

    /// Which key a record is sealed with.
    pub(crate) fn sealed_with(record: &Record) -> Result<KeyId, OpenError> {
        split(record).and_then(|(_, sealed)| KeyRing::sealed_with(sealed))
    }

    /// Seals what does not go into the store: bound to its kind and to the record that it is about.
    pub(crate) fn seal_beside<T: Serialize>(&self, kind: &str, about: &Key, body: &T) -> Result<Vec<u8>, BrokerError> {
        let plain = Zeroizing::new(serde_json::to_vec(body).map_err(BrokerError::RecordForm)?);
        let data = AssociatedData::new(kind, about.as_str(), 0, &[]);
        Ok(self.keys().seal(self.entropy.as_ref(), &data, &plain)?)
    }

    pub(crate) fn open_beside<T: DeserializeOwned>(
        &self,
        kind: &str,
        about: &Key,
        sealed: &[u8],
    ) -> Result<T, BrokerError> {
        let plain = self.keys().open(&AssociatedData::new(kind, about.as_str(), 0, &[]), sealed)?;
        serde_json::from_slice(&plain).map_err(BrokerError::RecordForm)
    }

    pub(crate) fn open<T: Body>(&self, key: &Key, record: &Record) -> Result<(Held<T>, Fingerprint), BrokerError> {
        let (fingerprint, sealed) = split(record)?;
        let plain =
            self.keys().open(&bound(T::KIND, key, record.version, fingerprint), sealed).inspect_err(|error| {
                if matches!(error, OpenError::UnknownKey(_)) {
                    self.key_missed.notify_one();
                }
            })?;
        let body = serde_json::from_slice(&plain).map_err(BrokerError::RecordForm)?;
        Ok((Held { body, version: record.version }, fingerprint.to_vec()))
    }
}

/// A body belongs to its kind, its key, its version and, for connections, its provider.
fn bound(kind: Kind, key: &Key, version: Version, fingerprint: &[u8]) -> AssociatedData {
    AssociatedData::new(kind.as_str(), key.as_str(), version.number(), fingerprint)
}

fn marked(fingerprint: &[u8], sealed: &[u8]) -> Result<Vec<u8>, BrokerError> {
    let mark = u8::try_from(fingerprint.len()).map_err(|_| OpenError::Format)?;
    Ok([&[mark], fingerprint, sealed].concat())
}

/// The fingerprint, and what is sealed.
fn split(record: &Record) -> Result<(&[u8], &[u8]), OpenError> {
    let (mark, rest) = record.bytes.split_first().ok_or(OpenError::Format)?;
    rest.split_at_checked(usize::from(*mark)).ok_or(OpenError::Format)
}

/// No record is of this kind.
fn handed_out(kind: &str) -> AssociatedData {
    AssociatedData::new("handed out", kind, 0, &[])
}

const TURNS: usize = 300;
