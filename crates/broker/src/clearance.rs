//! Everything at a provider, or of one person there, ends by one word of an operator's.
//!
//! For a whole provider the word is one write: its era. Connections of an earlier era are dead from then on, everywhere. What follows is
//! cleaning up, by whichever replica comes first, and goes on after a crash by itself: each connection is deleted, and the provider told.

mod sweep;

use std::collections::HashSet;

use futures_util::future::join_all;
use protocol::{ProviderId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use store::{Index, Key, Write};

use crate::complete::holds;
use crate::connections::ConnectionName;
use crate::records::{Arrived, Connection, ProviderSwitch, Revocation, Tokens, User};
use crate::{Broker, BrokerError, Provider};

/// The work that follows the end of everything at a provider.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Clearance {
    since: Timestamp,
    /// What there was, counted before any of it is deleted.
    survey: Option<Survey>,
    /// When a replica last saw that nothing was left.
    looked: Option<Timestamp>,
    /// The era that ended.
    #[serde(default)]
    before: Option<u64>,
}

/// What was ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Survey {
    connections: u64,
    grants: u64,
    /// When the access token ends that lives longest.
    access_until: Option<Timestamp>,
    /// Access tokens whose end the provider did not say.
    endless: u64,
    /// Connections with a refresh token.
    refreshable: u64,
}

impl Survey {
    fn add(&mut self, tokens: &Tokens) {
        self.refreshable += u64::from(tokens.refresh().is_some());
        self.endless += u64::from(tokens.expires.is_none());
        self.access_until = self.access_until.max(tokens.expires);
    }
}

/// One command's revocations, by the tag of its lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Run(String);

impl Run {
    fn of_era(provider: &ProviderId, era: u64) -> Self {
        Self(format!("run {provider} {era}"))
    }

    fn of_user(provider: &ProviderId, user: &UserId) -> Self {
        Self(format!("run {provider} {user}"))
    }

    /// All that were queued.
    pub(crate) fn queued(&self) -> Index {
        Index::new(&self.0, "queued")
    }

    /// Those that the provider confirmed.
    pub(crate) fn done(&self) -> Index {
        Index::new(&self.0, "done")
    }
}

/// What became of the command that ended everything.
#[derive(Debug, Serialize)]
pub struct ClearanceView {
    /// Where.
    pub provider_id: ProviderId,
    /// Of whom alone; `None` where it was everybody.
    pub user_id: Option<UserId>,
    /// RFC 3339. From then on, nothing of it is forwarded.
    pub ended: String,
    /// Whether everything that ended has been counted and deleted; until then the numbers below grow.
    pub cleared: bool,
    /// How many connections ended.
    pub connections: u64,
    /// How many grants of agents ended with them.
    pub grants: u64,
    /// Whether the provider has a revocation endpoint.
    pub revocable: bool,
    /// What became of telling it; what earlier commands have left to be told is counted with it.
    pub revocations: Told,
    /// What may still be alive at the provider, of earlier commands as well; `None` when nothing is known to be, which says nothing before
    /// `cleared`.
    pub may_live_on: Option<LivesOn>,
}

/// What became of telling a provider that its tokens ended (RFC 7009).
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Told {
    /// The provider has confirmed it.
    pub done: u64,
    /// Not tried yet.
    pub waiting: u64,
    /// Tried in vain, and tried again.
    pub failing: u64,
    /// Refused by the provider, or given up after a week.
    pub refused: u64,
}

/// Tokens that the provider may still accept, from whoever holds them.
#[derive(Debug, Serialize)]
pub struct LivesOn {
    /// Of how many connections.
    pub connections: u64,
    /// RFC 3339: no access token outlives this; `None` where the provider told no end of any.
    pub access_tokens_until: Option<String>,
    /// How many access tokens the provider told no end of.
    pub access_tokens_without_end: u64,
    /// How many connections have a refresh token, whose end no provider tells.
    pub refresh_tokens: u64,
}

impl Broker {
    /// Ends everything at a provider: every connection, and every grant on it. When this returns, no replica forwards with any of it.
    /// The provider is told afterwards; [`Broker::clearance`] says how far that is.
    pub async fn revoke_provider(&self, provider: &ProviderId) -> Result<ClearanceView, BrokerError> {
        self.provider(provider).map_err(|_| BrokerError::Unknown("provider"))?;
        let event = self.event("provider_revoked").by("operator").provider(provider);
        let ended = |switch: ProviderSwitch| ProviderSwitch {
            // By the clock, too: where the record was lost, an era that was there before does not come again.
            era: (switch.era + 1).max(self.now().as_secs()),
            clearance: Some(Clearance { since: self.now(), survey: None, looked: None, before: Some(switch.era) }),
            ..switch
        };
        let end = async {
            self.vault.list(ProviderSwitch::clearances(), &ProviderSwitch::key(provider)).await?;
            self.turn_switch(provider, ended).await
        };
        self.decide(event, end).await?;
        self.everywhere().await;
        self.clearances.notify_one();
        self.clearance(provider).await
    }

    /// What became of the last time that everything at a provider was ended.
    pub async fn clearance(&self, provider: &ProviderId) -> Result<ClearanceView, BrokerError> {
        let known = self.provider(provider).map_err(|_| BrokerError::Unknown("provider"))?;
        let switch = self.vault.get::<ProviderSwitch>(&ProviderSwitch::key(provider)).await?;
        let switch = switch.ok_or(BrokerError::Unknown("revocation"))?.body;
        let clearance = switch.clearance.ok_or(BrokerError::Unknown("revocation"))?;
        let run = Run::of_era(provider, switch.era);
        let mut told = self.told(&run).await?;
        let others = self.count_others(provider, &run, &mut told).await?;
        let view = view(known, clearance.since, clearance.survey.unwrap_or_default(), told, others);
        Ok(ClearanceView { cleared: clearance.looked.is_some(), ..view })
    }

    /// Ends every connection that one person has at a provider. When this returns, no replica forwards with any of them.
    pub async fn revoke_user_at(&self, provider: &ProviderId, user: &UserId) -> Result<ClearanceView, BrokerError> {
        let known = self.provider(provider).map_err(|_| BrokerError::Unknown("provider"))?;
        let names = self.connections_at(provider, user).await?;
        if names.is_empty() {
            return Err(BrokerError::Unknown("connection"));
        }
        let run = Run::of_user(provider, user);
        self.forget_run(&run).await?;
        let mut survey = Survey::default();
        for name in &names {
            self.count_ended(name, u64::MAX, &mut survey).await?;
            match self.end_connection(name, self.event("connection_revoked").by("operator"), Some(&run)).await {
                Ok(()) | Err(BrokerError::Unknown(_)) => {}
                Err(error) => return Err(error),
            }
        }
        self.revocations.notify_one();
        self.everywhere().await;
        let view = view(known, self.now(), survey, self.told(&run).await?, Survey::default());
        Ok(ClearanceView { user_id: Some(user.clone()), ..view })
    }

    /// How far telling the provider is, of what [`Broker::revoke_user_at`] ended last.
    pub async fn told_of_user(&self, provider: &ProviderId, user: &UserId) -> Result<Told, BrokerError> {
        self.told(&Run::of_user(provider, user)).await
    }

    /// Refuses what a provider issued before everything there was ended, or before it moved, or for somebody who is gone; and gives it
    /// back.
    pub(crate) async fn refuse_overtaken(
        &self,
        provider: &Provider,
        user: &UserId,
        arrived: &Arrived,
    ) -> Result<(), BrokerError> {
        let holds = arrived.era >= self.era(&provider.id).await? && provider.is_marked(&arrived.mark);
        if holds && !self.is_gone(user).await? {
            return Ok(());
        }
        self.queue_revocation(&provider.id, &arrived.mark, &arrived.tokens).await?;
        Err(BrokerError::Overtaken)
    }

    /// Ends a connection that was made while its owner was deleted.
    pub(crate) async fn end_with_owner(&self, user: &UserId, key: &Key) -> Result<(), BrokerError> {
        let Some(name) = ConnectionName::of(key) else { return Ok(()) };
        if !self.is_gone(user).await? {
            return Ok(());
        }
        let event = self.event("connection_revoked").by("operator").reason("user_deleted");
        match self.end_connection(&name, event, None).await {
            Err(BrokerError::Unknown(_)) => Ok(()),
            ended => ended,
        }
    }

    /// Makes room for a new connection where a dead one still lies.
    pub(crate) async fn clear_away(&self, key: &Key) -> Result<(), BrokerError> {
        let Some(name) = ConnectionName::of(key) else { return Ok(()) };
        let run = Run::of_era(&name.provider, self.era(&name.provider).await?);
        match self.end_connection(&name, self.cleared(), Some(&run)).await {
            Err(BrokerError::Unknown(_)) => Ok(()),
            ended => ended,
        }
    }

    async fn count_ended(&self, name: &ConnectionName, era: u64, survey: &mut Survey) -> Result<(), BrokerError> {
        let connection = match self.vault.get::<Connection>(&name.key()).await {
            Ok(Some(held)) if held.body.era < era => held.body,
            Ok(_) | Err(BrokerError::Sealed(_) | BrokerError::RecordForm(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        survey.connections += 1;
        survey.add(&connection.tokens);
        for grant in self.grants_of(&name.user).await? {
            if grant.provider == name.provider
                && grant.account == name.account
                && let Some(agent) = self.agent(&grant.client_id).await?
            {
                survey.grants += u64::from(holds(&grant, &connection, &agent.body));
            }
        }
        Ok(())
    }

    /// What a person has connected at a provider: a hint.
    pub(crate) async fn connections_at(
        &self,
        provider: &ProviderId,
        user: &UserId,
    ) -> Result<Vec<ConnectionName>, BrokerError> {
        let listed = self.vault.store().scan(&User::connections(user)).await?;
        Ok(listed.iter().filter_map(ConnectionName::of).filter(|name| name.provider == *provider).collect())
    }

    async fn told(&self, run: &Run) -> Result<Told, BrokerError> {
        let queued = self.vault.store().scan(&run.queued()).await?;
        let done: HashSet<Key> = self.vault.store().scan(&run.done()).await?.into_iter().collect();
        let mut told = Told::default();
        for some in queued.chunks(TOGETHER) {
            let mut reads = Vec::with_capacity(some.len());
            for key in some {
                reads.push(self.vault.get::<Revocation>(key));
            }
            for (key, read) in some.iter().zip(join_all(reads).await) {
                match read {
                    Ok(Some(held)) if held.body.attempts == 0 => told.waiting += 1,
                    Ok(Some(_)) | Err(BrokerError::Sealed(_) | BrokerError::RecordForm(_)) => told.failing += 1,
                    Ok(None) if done.contains(key) => told.done += 1,
                    Ok(None) => told.refused += 1,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(told)
    }

    /// Counts what else waits to be told to a provider, from earlier commands: it may be alive as well.
    async fn count_others(&self, provider: &ProviderId, run: &Run, told: &mut Told) -> Result<Survey, BrokerError> {
        let own: HashSet<Key> = self.vault.store().scan(&run.queued()).await?.into_iter().collect();
        let all = self.vault.store().scan(&Revocation::all()).await?;
        let others: Vec<Key> = all.into_iter().filter(|key| !own.contains(key)).collect();
        let mut survey = Survey::default();
        for some in others.chunks(TOGETHER) {
            for read in join_all(some.iter().map(|key| self.vault.get::<Revocation>(key))).await {
                let waits = match read {
                    Ok(Some(held)) if held.body.provider == *provider => held.body,
                    Ok(_) | Err(BrokerError::Sealed(_) | BrokerError::RecordForm(_)) => continue,
                    Err(error) => return Err(error),
                };
                let count = if waits.attempts == 0 { &mut told.waiting } else { &mut told.failing };
                *count += 1;
                survey.connections += 1;
                survey.add(&waits.tokens);
            }
        }
        Ok(survey)
    }

    /// The lists of an earlier command of the same name are of no more use.
    async fn forget_run(&self, run: &Run) -> Result<(), BrokerError> {
        let mut writes = Vec::new();
        for index in [run.queued(), run.done()] {
            let listed = self.vault.store().scan(&index).await?;
            writes.extend(listed.into_iter().map(|key| Write::Unlist { index: index.clone(), key }));
        }
        self.vault.write_all(writes).await
    }
}

/// `others` are what earlier commands have left to be told, which `told` counts with the rest.
fn view(provider: &Provider, since: Timestamp, survey: Survey, told: Told, others: Survey) -> ClearanceView {
    let revocable = provider.can_revoke();
    let untold = (told.waiting + told.failing + told.refused).saturating_sub(others.connections);
    let alive = if revocable { untold.max(survey.connections.saturating_sub(told.done)) } else { survey.connections };
    let until = (alive > 0).then_some(survey.access_until).flatten().max(others.access_until);
    let may_live_on = (alive + others.connections > 0).then(|| LivesOn {
        connections: alive.min(survey.connections) + others.connections,
        access_tokens_until: until.map(Timestamp::to_rfc3339),
        access_tokens_without_end: survey.endless.min(alive) + others.endless,
        refresh_tokens: survey.refreshable.min(alive) + others.refreshable,
    });
    ClearanceView {
        provider_id: provider.id.clone(),
        user_id: None,
        ended: since.to_rfc3339(),
        cleared: true,
        connections: survey.connections,
        grants: survey.grants,
        revocable,
        revocations: told,
        may_live_on,
    }
}

/// What waits for the store at the same time.
const TOGETHER: usize = 16;
