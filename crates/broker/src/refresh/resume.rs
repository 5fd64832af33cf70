use std::time::Duration;

use futures_util::StreamExt;
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
    /// take in a few seconds is offered to it later, and until then nobody here presents the token that it replaces.
    pub async fn resume(&self) {
        let entries = self.kept.take_found();
        if entries.is_empty() {
            return;
        }
        let found = entries.len();
        for attempt in self.take_in(entries) {
            self.kept.note_presented(attempt);
        }
        let settled = tokio::time::timeout(LONGEST, self.settle_all()).await.is_ok();
        tracing::info!(found, settled, "the journal was looked through");
    }

    /// Goes on with what crashes and failovers interrupt, as long as the gateway runs: attempts whose process is gone, tokens that the
    /// store did not take, writes that it lost.
    pub async fn keep_refreshes(self) {
        tokio::join!(self.listen(), self.tend());
    }

    async fn listen(&self) {
        let mut changes = self.vault.store().watch();
        loop {
            match changes.recv().await {
                Ok(Invalidation::Key(_)) => {}
                // A failover, or a restart: the store may have lost what it had acknowledged. Or nobody can tell.
                Ok(Invalidation::All) | Err(RecvError::Lagged(_)) => self.kept.upheaval.notify_one(),
                Err(RecvError::Closed) => return,
            }
        }
    }

    async fn tend(&self) {
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = look.tick() => self.recover().await,
                () = self.kept.upheaval.notified() => {
                    // To its end, also where another configuration takes this one's place: nobody is told again.
                    let broker = self.clone();
                    let _ = self.spawn(async move { broker.put_everything_back().await }).await;
                }
            }
            self.settle_all().await;
            for lease in self.kept.leases() {
                let _ = self.vault.store().renew(&lease, KEPT_LEASE).await;
            }
        }
    }

    /// Offers the store what it has still to take.
    pub(crate) async fn settle_all(&self) {
        let settling = self.kept.unsettled().into_iter().map(|key| async move {
            let settled = self.settle_kept(&key).await;
            if settled.is_ok()
                && let Some(lease) = self.kept.take_lease(&key)
                && let Err(error) = self.vault.store().release(&lease).await
            {
                tracing::debug!(error = %error, "the lease ends by itself");
            }
            settled
        });
        let mut settling = futures_util::stream::iter(settling).buffer_unordered(AT_ONCE);
        while let Some(settled) = settling.next().await {
            if let Err(error) = settled {
                tracing::debug!(error = %error, "renewed tokens wait for the store");
                // It fails for the others as well.
                return;
            }
        }
    }

    /// Settles what this process keeps for a connection; what fails is kept on.
    pub(super) async fn settle_kept(&self, key: &Key) -> Result<(), BrokerError> {
        // A pair that came of another's is of no use before it.
        for issued in self.kept.unsettled_of(key) {
            self.settle_found(key, &issued).await?;
            self.kept.taken(key, &issued.attempt);
        }
        Ok(())
    }

    /// Keeps the pairs of these entries until they are settled; returns the attempts that presented a token.
    fn take_in(&self, entries: Vec<journal::Entry>) -> Vec<String> {
        let mut presented = Vec::new();
        for entry in entries {
            match self.vault.open_note(&entry.bytes) {
                Ok((_, Note::Presenting { attempt })) => {
                    presented.push(attempt);
                    self.kept.settled(Some(entry.place));
                }
                Ok((key, Note::Issued(issued))) => self.kept.keep(&key, *issued, Some(entry.place)),
                // Never dropped: with the right key it opens at a later start.
                Err(error) => tracing::error!(error = %error, "an entry of the journal does not open, and stays there"),
            }
        }
        presented
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
                let found = entries.len();
                self.take_in(entries);
                tracing::debug!(found, "the store was away: the journal is looked through");
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
            self.unlist(&key).await;
            return Ok(());
        };
        let provider = key.parts().get(1).and_then(|provider| ProviderId::parse(provider).ok());
        let Some(provider) = provider.filter(|provider| self.provider(provider).is_ok()) else { return Ok(()) };
        // Of another gateway that runs, or of this one: let it come to its end.
        let covered = attempt.holder != self.instance && self.kept.covers(attempt.journal.as_deref());
        let now = self.now();
        if !covered && attempt.started <= now && now.since(attempt.started) < FRESH {
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
/// How long the journal may keep the start waiting.
const LONGEST: Duration = Duration::from_secs(5);
/// How many connections are settled at once.
const AT_ONCE: usize = 16;
/// Extended with every look.
const KEPT_LEASE: Duration = Duration::from_secs(60);
/// Enough for every gateway to put back what a failover took.
const HOLD: Duration = Duration::from_secs(2);
/// An attempt that is younger than this is likely under way.
const FRESH: Duration = Duration::from_secs(3);
