use std::cmp::Ordering;
use std::time::Duration;

use protocol::ProviderId;
use store::{Key, Life, Version, Write, Written};

use super::attempt::Listing;
use super::journal::Issued;
use crate::keep_alive::learned_end;
use crate::records::{Connection, ConnectionState};
use crate::vault::{Fingerprint, Held};
use crate::{Broker, BrokerError};

/// What became of tokens that a provider issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settled {
    /// They are in the record.
    Stored,
    /// They were already, or newer ones are.
    Superseded,
    /// The person has disconnected: the provider is told that they are not needed.
    GivenBack,
}

impl Broker {
    /// Puts what a provider issued where it belongs, by what the record holds now. Right at any time, and any number of times: after a
    /// crash, and after a failover of the store that undid what was written. Durable when this returns `Ok`.
    pub(crate) async fn settle(&self, key: &Key, issued: &Issued) -> Result<Settled, BrokerError> {
        for _ in 0..RETRIES {
            let Some((held, mark)) = self.settling(key, issued).await? else {
                self.give_back(key, issued).await?;
                return Ok(Settled::GivenBack);
            };
            if held.body.id != issued.connection || mark != issued.mark {
                // Connected anew meanwhile, or adopted elsewhere. The provider is told nothing: at some, that would end the new one too.
                tracing::warn!(key = %key.kind().as_str(), "tokens of an earlier connection are dropped");
                return Ok(Settled::Superseded);
            }
            if held.body.issued_to.as_ref() == Some(&issued.attempt) {
                // Perhaps written and never acknowledged.
                self.barrier(key).await?;
                return Ok(Settled::Superseded);
            }
            let body = match held.body.rank.cmp(&issued.rank) {
                Ordering::Greater => return Ok(Settled::Superseded),
                // Two answers to one refresh token: one of them may be void.
                Ordering::Equal => Connection { alternate: Some(issued.tokens.clone()), ..held.body },
                Ordering::Less => renewed(held.body, issued),
            };
            let (body, hint) = self.with_hint(key, body);
            if self.replace(key, held.version, &mark, &body, hint).await? == Written::Done {
                return Ok(Settled::Stored);
            }
        }
        Err(BrokerError::Contention)
    }

    /// The record that the tokens are for; one that has just been ended lives for another moment.
    async fn settling(
        &self,
        key: &Key,
        issued: &Issued,
    ) -> Result<Option<(Held<Connection>, Fingerprint)>, BrokerError> {
        let found = self.vault.get_marked::<Connection>(key).await?;
        if found.as_ref().is_none_or(|(held, _)| held.body.id == issued.connection) {
            return Ok(found);
        }
        tokio::time::sleep(ENDED).await;
        self.vault.get_marked::<Connection>(key).await
    }

    async fn replace(
        &self,
        key: &Key,
        read: Version,
        mark: &Fingerprint,
        body: &Connection,
        hint: Option<Write>,
    ) -> Result<Written, BrokerError> {
        let bytes = self.vault.seal(key, read.next(), mark, body)?;
        let swap = Write::Swap { key: key.clone(), expected: read, bytes, life: Life::Forever };
        let writes = [swap, Listing::Unlist.write(key)].into_iter().chain(hint).collect();
        let written = self.vault.store().batch(writes).await?;
        written.first().copied().ok_or(BrokerError::Contention)
    }

    async fn give_back(&self, key: &Key, issued: &Issued) -> Result<(), BrokerError> {
        let Some(provider) = key.parts().get(1).and_then(|provider| ProviderId::parse(provider).ok()) else {
            return Ok(());
        };
        self.vault.write(Listing::Unlist.write(key)).await?;
        self.queue_revocation(&provider, &issued.tokens).await
    }

    /// Everything that was written before is as durable as this write, which leaves nothing behind: stores keep the order.
    async fn barrier(&self, key: &Key) -> Result<(), BrokerError> {
        self.vault.write(Listing::Unlist.write(key)).await.map(drop)
    }
}

fn renewed(before: Connection, issued: &Issued) -> Connection {
    let tokens = issued.tokens.clone().or_end_of(&before.tokens);
    Connection {
        state: ConnectionState::Connected,
        ends: learned_end(&before, &tokens, issued.at),
        tokens,
        attempt: None,
        rank: issued.rank,
        issued_to: Some(issued.attempt.clone()),
        alternate: None,
        rotation: issued.rotation,
        renewed: Some(issued.at),
        scopes: issued.scopes.clone().unwrap_or(before.scopes),
        ..before
    }
}

const RETRIES: usize = 8;
/// Longer than the life of a record that was ended.
const ENDED: Duration = Duration::from_millis(20);
