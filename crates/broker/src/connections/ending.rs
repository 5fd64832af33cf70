//! The end of a connection: one write, and its tokens in the queue of what the provider has to be told.

use std::time::Duration;

use audit::Event;
use store::{Key, Life, Write, Written};

use super::{ConnectionName, RETRIES};
use crate::clearance::Run;
use crate::records::{Connection, Revocation, User};
use crate::{Broker, BrokerError};

impl Broker {
    /// One write ends it, at the version whose tokens go to the queue of what the provider has to be told: a pair that a refresh brings at
    /// the same moment is neither lost nor left alive. Others have heard of it after [`Broker::everywhere`].
    pub(crate) async fn end_connection(
        &self,
        name: &ConnectionName,
        event: Event,
        run: Option<&Run>,
    ) -> Result<(), BrokerError> {
        let key = name.key();
        let event = event.user(&name.user).provider(&name.provider).account(&name.account);
        for _ in 0..RETRIES {
            let read = self.vault.get_marked::<Connection>(&key).await?;
            let (held, mark) = read.ok_or(BrokerError::Unknown("connection"))?;
            let mut queued = Vec::new();
            for tokens in held.body.all_tokens() {
                queued.extend(self.revocation(&name.provider, &mark, tokens, run)?);
            }
            let before = held.body.id.clone();
            // Another id, which no grant names, and gone in a moment.
            let ended = Connection { id: self.drawn_id(), attempt: None, ..held.body };
            let bytes = self.vault.seal(&key, held.version.next(), &mark, &ended)?;
            let life = Life::For(Duration::from_millis(1));
            let end = Write::Swap { key: key.clone(), expected: held.version, bytes, life };
            let written = self.decide(event.clone(), self.end_at(name, &before, end, queued)).await?;
            if written == Written::Done {
                return self.unlist_ended(name, &ended.id).await;
            }
        }
        Err(BrokerError::Contention)
    }

    /// Queues and ends in one breath; where somebody else wrote first, nothing stays in the queue that is still needed here.
    async fn end_at(
        &self,
        name: &ConnectionName,
        id: &str,
        end: Write,
        queued: Vec<Write>,
    ) -> Result<Written, BrokerError> {
        let mut writes = queued.clone();
        writes.push(end);
        let written = self.vault.store().batch(writes).await?;
        let ended = written.last().copied().unwrap_or(Written::Refused);
        if ended == Written::Refused {
            // What another had queued before is theirs, and they may have ended it since.
            let own = inserted(&queued, &written);
            let back = self.replaced_since(name, id, own).await?;
            self.vault.write_all(taken_back(&queued, &back)).await?;
        }
        Ok(ended)
    }

    /// Those of the revocations whose tokens were replaced in a connection that lives on: the provider must not be told of them. Whoever
    /// ended the connection may rely on what was queued here.
    async fn replaced_since(&self, name: &ConnectionName, id: &str, queued: Vec<Key>) -> Result<Vec<Key>, BrokerError> {
        let held = self.vault.get::<Connection>(&name.key()).await?;
        let Some(held) = held.filter(|held| held.body.id == id) else { return Ok(Vec::new()) };
        let present = held.body.all_tokens().map(|tokens| Revocation::key(&tokens.name(&name.provider)));
        let present: Vec<Key> = present.collect();
        Ok(queued.into_iter().filter(|key| !present.contains(key)).collect())
    }

    /// Off the person's list, unless the account was connected anew by then.
    async fn unlist_ended(&self, name: &ConnectionName, ended: &str) -> Result<(), BrokerError> {
        let (index, key) = (User::connections(&name.user), name.key());
        self.vault.write(Write::Unlist { index: index.clone(), key: key.clone() }).await?;
        match self.vault.get::<Connection>(&key).await {
            Ok(None) => Ok(()),
            Ok(Some(held)) if held.body.id == ended => Ok(()),
            _ => self.vault.list(index, &key).await,
        }
    }
}

/// The keys of the records that these writes made.
fn inserted(writes: &[Write], written: &[Written]) -> Vec<Key> {
    let made = writes.iter().zip(written).filter(|(_, written)| **written == Written::Done);
    made.filter_map(|(write, _)| match write {
        Write::Insert { key, .. } => Some(key.clone()),
        _ => None,
    })
    .collect()
}

/// What undoes those of the writes to the queue that are about one of these records.
fn taken_back(writes: &[Write], records: &[Key]) -> Vec<Write> {
    let undone = writes.iter().filter_map(|write| match write {
        Write::Insert { key, .. } if records.contains(key) => Some(Write::Delete { key: key.clone() }),
        Write::List { index, key } if records.contains(key) => {
            Some(Write::Unlist { index: index.clone(), key: key.clone() })
        }
        _ => None,
    });
    undone.collect()
}
