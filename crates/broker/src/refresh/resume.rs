use std::time::Duration;

use protocol::ProviderId;
use store::{Invalidation, Key};
use tokio::sync::broadcast::error::RecvError;

use super::journal::{Issued, Note};
use super::settle::Settled;
use super::{Need, Patience};
use crate::records::Connection;
use crate::{Broker, BrokerError};

impl Broker {
    /// Puts what earlier processes left in the journal where it belongs. To be awaited before anything is served; what the store does not
    /// take in that time is offered to it later, and until then nobody presents the token that it replaces.
    pub async fn resume(&self) {
        let entries = self.kept.take_found();
        if entries.is_empty() {
            return;
        }
        let found = entries.len();
        let stored = self.replay(entries).await;
        tracing::info!(found, stored, "the journal was looked through");
    }

    /// Goes on with what crashes and failovers interrupt, as long as the gateway runs: attempts whose process is gone, tokens that the
    /// store did not take, writes that it lost.
    pub async fn keep_refreshes(self) {
        let mut changes = self.vault.store().watch();
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = look.tick() => self.recover().await,
                () = self.kept.woken.notified() => tokio::time::sleep(SOON).await,
                change = changes.recv() => match change {
                    // A failover, or a restart: the store may have lost what it had acknowledged.
                    Ok(Invalidation::All) => self.put_everything_back().await,
                    Ok(Invalidation::Key(_)) | Err(RecvError::Lagged(_)) => continue,
                    Err(RecvError::Closed) => tokio::time::sleep(LOOK_EVERY).await,
                },
            }
            for key in self.kept.unsettled() {
                if let Err(error) = self.settle_kept(&key).await {
                    tracing::debug!(error = %error, "renewed tokens wait for the store");
                    // It fails for the others as well.
                    break;
                }
            }
        }
    }

    /// Settles what this process keeps for a connection; what fails is kept on.
    pub(super) async fn settle_kept(&self, key: &Key) -> Result<(), BrokerError> {
        let mut kept = self.kept.take_unsettled(key);
        // A pair that came of another's is of no use before it.
        kept.sort_by_key(|(issued, _)| issued.rank);
        let mut failure = None;
        for (issued, place) in kept {
            if failure.is_none() {
                match self.settle_found(key, &issued).await {
                    Ok(_) => {
                        self.kept.settled(place);
                        continue;
                    }
                    Err(error) => failure = Some(error),
                }
            }
            self.kept.keep_quietly(key, issued, place);
        }
        failure.map_or(Ok(()), Err)
    }

    async fn replay(&self, entries: Vec<journal::Entry>) -> usize {
        let mut pairs: Vec<(Key, Issued, journal::Place)> = Vec::new();
        for entry in entries {
            match self.vault.open_note(&entry.bytes) {
                Ok((_, Note::Presenting { attempt })) => {
                    self.kept.note_presented(attempt);
                    self.kept.settled(Some(entry.place));
                }
                Ok((key, Note::Issued(issued))) => pairs.push((key, *issued, entry.place)),
                // Never dropped: with the right key it opens at a later start.
                Err(error) => tracing::error!(error = %error, "an entry of the journal does not open, and stays there"),
            }
        }
        pairs.sort_by_key(|(_, issued, _)| issued.rank);
        let mut stored = 0;
        for (key, issued, place) in pairs {
            let settling = tokio::time::timeout(LONGEST, self.settle_found(&key, &issued)).await;
            match settling {
                Ok(Ok(settled)) => {
                    stored += usize::from(settled == Settled::Stored);
                    self.kept.settled(Some(place));
                }
                Ok(Err(_)) | Err(_) => self.kept.keep(&key, issued, Some(place)),
            }
        }
        stored
    }

    async fn settle_found(&self, key: &Key, issued: &Issued) -> Result<Settled, BrokerError> {
        let settled = self.settle(key, issued).await?;
        let provider = key.parts().get(1).and_then(|provider| ProviderId::parse(provider).ok());
        if let (Settled::Stored, Some(Ok(provider))) = (settled, provider.map(|provider| self.provider(&provider))) {
            tracing::info!(provider_id = %provider.id, "tokens that a crash or the store had kept back are stored");
            self.note_refresh(self.event("token_refreshed").reason("recovered"), key, provider);
        }
        Ok(settled)
    }

    async fn put_everything_back(&self) {
        self.kept.hold(HOLD);
        let Some(journal) = &self.kept.journal else { return };
        match journal.entries().await {
            Ok(entries) => {
                let stored = self.replay(entries).await;
                tracing::info!(stored, "the store was away: the journal was looked through");
            }
            Err(error) => tracing::error!(error = %error, "the journal cannot be read"),
        }
    }

    /// Begins a refresh for every attempt that stands: one that somebody works on is left to them.
    async fn recover(&self) {
        let listed = match self.vault.store().scan(&Connection::attempts()).await {
            Ok(listed) => listed,
            Err(error) => return tracing::debug!(error = %error, "attempts cannot be looked through"),
        };
        for key in listed {
            if let Err(error) = self.recover_one(key).await {
                tracing::debug!(error = %error, "an attempt cannot be looked at");
            }
        }
    }

    async fn recover_one(&self, key: Key) -> Result<(), BrokerError> {
        let standing = match self.vault.get::<Connection>(&key).await? {
            Some(held) if held.body.works() => held.body.attempt,
            Some(_) | None => None,
        };
        let Some(attempt) = standing else {
            return self.vault.write(super::attempt::Listing::Unlist.write(&key)).await.map(drop);
        };
        let provider = key.parts().get(1).and_then(|provider| ProviderId::parse(provider).ok());
        let Some(provider) = provider.filter(|provider| self.provider(provider).is_ok()) else { return Ok(()) };
        // Of another gateway that runs, or of this one: let it come to its end.
        let covered = attempt.holder != self.instance && self.kept.covers(attempt.journal.as_deref());
        if !covered && self.now().since(attempt.started) < FRESH {
            return Ok(());
        }
        let broker = self.clone();
        drop(self.spawn(async move {
            if let Ok(provider) = broker.provider(&provider) {
                let outcome = broker.refreshed(&key, provider, Need::Rest, Patience::ToTheEnd).await;
                tracing::info!(provider_id = %provider.id, ?outcome, "a refresh that was interrupted was taken up again");
            }
        }));
        Ok(())
    }
}

const LOOK_EVERY: Duration = Duration::from_secs(2);
const SOON: Duration = Duration::from_millis(500);
/// How long one entry of the journal may keep the start waiting.
const LONGEST: Duration = Duration::from_secs(3);
/// Enough for every gateway to put back what a failover took.
const HOLD: Duration = Duration::from_secs(2);
/// An attempt that is younger than this is likely under way.
const FRESH: Duration = Duration::from_secs(3);
