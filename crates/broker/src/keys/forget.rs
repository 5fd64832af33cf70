use secret::KeyId;
use store::{Store, Write};

use super::marks::{all, mark_key};
use crate::BrokerError;
use crate::vault::Vault;

/// Removes every record that is sealed with a key which is lost, and the key's mark last; returns how many records there were. What they
/// said is gone, suspensions too: whoever had connected something connects it anew.
pub async fn forget_key(store: &dyn Store, id: KeyId) -> Result<u64, BrokerError> {
    let (mut gone, mut from) = (0, None);
    loop {
        let page = store.records(from.as_ref()).await?;
        let lost = page.records.into_iter().filter(|(_, record)| Vault::sealed_with(record) == Ok(id));
        let deletes: Vec<Write> =
            lost.map(|(key, _)| Write::Delete { key }).filter(|write| !marks(write, id)).collect();
        gone += deletes.len() as u64;
        store.batch(deletes).await?;
        from = page.next;
        if from.is_none() {
            store.batch(vec![Write::Delete { key: mark_key(id) }]).await?;
            return Ok(gone);
        }
    }
}

/// The keys that records of a store are sealed with, by its marks. Opens nothing, and needs no key for it.
pub async fn keys_needed(store: &dyn Store) -> Result<Vec<KeyId>, BrokerError> {
    let mut needed = Vec::new();
    for key in store.scan(&all()).await? {
        let [id] = key.parts() else { continue };
        if let (Some(id), Some(_)) = (KeyId::parse(id), store.get(&key).await?) {
            needed.push(id);
        }
    }
    Ok(needed)
}

fn marks(write: &Write, id: KeyId) -> bool {
    matches!(write, Write::Delete { key } if *key == mark_key(id))
}
