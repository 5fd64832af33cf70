use std::cmp::Ordering;
use std::time::Duration;

use protocol::ProviderId;
use store::{Key, Life, Version, Write, Written};

use super::journal::Issued;
use crate::keep_alive::learned_end;
use crate::records::{Connection, ConnectionState, Rotation};
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
            let Some((body, settled)) = settled(held.body, issued) else { return Ok(Settled::Superseded) };
            let (body, hint) = self.with_hint(key, body);
            if self.replace(key, held.version, &mark, &body, hint).await? == Written::Done {
                self.unlist(key).await;
                return Ok(settled);
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
        let writes = std::iter::once(swap).chain(hint).collect();
        let written = self.vault.store().batch(writes).await?;
        written.first().copied().ok_or(BrokerError::Contention)
    }

    async fn give_back(&self, key: &Key, issued: &Issued) -> Result<(), BrokerError> {
        let Some(provider) = key.parts().get(1).and_then(|provider| ProviderId::parse(provider).ok()) else {
            return Ok(());
        };
        self.unlist(key).await;
        self.queue_revocation(&provider, &issued.mark, &issued.tokens).await
    }
}

/// What the record becomes; `None` where it is newer.
fn settled(held: Connection, issued: &Issued) -> Option<(Connection, Settled)> {
    if held.issued_to.as_ref() == Some(&issued.attempt) {
        // Perhaps written and never acknowledged as durable: written once more.
        return Some((held, Settled::Superseded));
    }
    match held.rank.cmp(&issued.rank) {
        Ordering::Less => Some((renewed(held, issued), Settled::Stored)),
        // Two answers to one refresh token: one of them may be void.
        Ordering::Equal => {
            let known = held.tokens.is_same(&issued.tokens);
            let kept = held.alternate.as_ref().is_some_and(|alternate| alternate.is_same(&issued.tokens));
            let body = Connection { alternate: Some(issued.tokens.clone()), ..held };
            (!known && !kept).then_some((body, Settled::Stored))
        }
        // A consent that brought no refresh token goes on with the one of before, which has just been replaced.
        Ordering::Greater if issued.rotation == Rotation::Replaced && held.tokens.has_refresh(&issued.presented) => {
            let tokens = held.tokens.clone().with_refresh_of(&issued.tokens);
            Some((Connection { tokens, ..held }, Settled::Stored))
        }
        Ordering::Greater => None,
    }
}

fn renewed(before: Connection, issued: &Issued) -> Connection {
    let tokens = issued.tokens.clone().or_end_of(&before.tokens).in_place_of(&before.tokens);
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
