//! Redis, for any number of gateways: one server, a primary with Sentinels, or a Cluster.
//!
//! Single commands where Redis has one, constant scripts where it has none; each touches one hash tag. A value is the record's version
//! (8 bytes, big-endian) and its bytes; lives are Redis' own.

mod cluster;
mod commands;
mod dial;
mod failure;
mod fleet;
mod format;
mod lease;
mod link;
mod node;
mod pages;
mod sentinel;
mod servers;
mod slot;
mod watch;
mod worth;

pub use node::RedisDisk;
pub use servers::{RedisAddress, RedisAddressError, RedisLogin, RedisServers, RedisTls, RedisTopology};

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use redis::FromRedisValue;
use tokio::sync::broadcast;

use crate::redis::commands::Commands;
use crate::redis::fleet::Fleet;
use crate::redis::lease::{Held, Provable, Taker, Tried};
use crate::redis::node::{Lane, Safety};
use crate::redis::slot::Slot;
use crate::redis::worth::Worth;
use crate::watchers::Watchers;
use crate::{
    Copied, CopyError, Cursor, Durability, Index, Invalidation, Key, Lease, Observer, Page, Record, Store, StoreError,
    Write, Written,
};

/// How Redis is used.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// This gateway's name among those on the same Redis: drawn at each start, without spaces.
    pub member: String,
    /// Begins every key and the names of all channels.
    pub prefix: String,
    /// How many replicas must have a write before it is acknowledged (`WAIT`); none where Redis runs alone.
    pub replicas_to_wait_for: u32,
    /// Whether a write must be on the primary's disk before it is acknowledged.
    pub disk: RedisDisk,
}

/// A store in Redis.
pub struct RedisStore {
    fleet: Arc<Fleet>,
    commands: Arc<Commands>,
    worth: Arc<Worth>,
    watchers: Watchers,
    ear: Arc<watch::Ear>,
    _tasks: watch::Tasks,
    _guard: worth::Guard,
}

impl RedisStore {
    /// Connects, and refuses a Redis that may throw records away. Connections renew themselves.
    pub async fn connect(servers: RedisServers, options: RedisOptions) -> Result<Self, StoreError> {
        if options.prefix.contains(['{', '}']) {
            return Err(StoreError::Open("the key prefix must not contain braces: they mark the hash tag".to_owned()));
        }
        let safety = Safety { replicas: options.replicas_to_wait_for, disk: options.disk };
        let fleet = Arc::new(Fleet::open(servers, safety, &options.prefix).await?);
        let worth = Arc::new(Worth::new(fleet.clone(), safety));
        worth.refuse_what_loses().await?;
        let watchers = Watchers::new();
        let commands = Arc::new(Commands::new(options.prefix));
        format::look(&fleet, &commands).await?;
        let (ear, tasks) = watch::start(fleet.clone(), commands.clone(), options.member, watchers.clone()).await?;
        let guard = worth::guard(worth.clone());
        Ok(Self { fleet, commands, worth, watchers, ear, _tasks: tasks, _guard: guard })
    }

    /// What Redis answers to a command about this key or index.
    async fn query<T: FromRedisValue>(&self, about: &str, command: redis::Cmd, lane: Lane) -> Result<T, StoreError> {
        self.fleet.query(Slot::of(about), command, lane).await
    }

    async fn try_lease(&self, key: &Key, command: redis::Cmd) -> Result<Tried, StoreError> {
        let answer: lease::Answer = self.query(key.as_str(), command, Lane::Plain).await?;
        lease::tried(key, answer).ok_or_else(|| StoreError::Corrupt(format!("the lease of {key}")))
    }

    /// Takes a lease over from a holder that is proven dead.
    async fn inherit(&self, key: &Key, held: &Held, taker: Taker<'_>) -> Result<Option<Lease>, StoreError> {
        let look = held.look(&self.commands, key);
        let (seems_dead, _, _): lease::Answer = self.query(key.as_str(), look, Lane::Plain).await?;
        if seems_dead == 0 {
            return Ok(None);
        }
        tokio::time::sleep(lease::LOOKS_APART).await;
        let take = held.take(&self.commands, key, taker);
        let answer: lease::Answer = self.query(key.as_str(), take, Lane::Plain).await?;
        match lease::tried(key, answer) {
            Some(Tried::Taken(lease)) => {
                tracing::info!(fence = lease.fence, "took over the lease of a gateway that ended");
                Ok(Some(lease))
            }
            _ => Ok(None),
        }
    }

    /// In a cluster a write is announced after it was made, since those who listen do so at one node: everybody who is fresh later than
    /// this returns has heard of it. Elsewhere the scripts do both in one step.
    async fn announce_in_cluster(&self, changed: &[Key]) -> Result<(), StoreError> {
        if changed.is_empty() || !self.fleet.is_cluster() {
            return Ok(());
        }
        let command = self.commands.announce(&changed.iter().collect::<Vec<_>>());
        self.fleet.run(self.commands.bus(), vec![command], Lane::Write).await.map(drop)
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn get(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        let value: Option<Vec<u8>> = self.query(key.as_str(), self.commands.get(key), Lane::Read).await?;
        value.map(|value| commands::decode(key, &value)).transpose()
    }

    async fn take(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        let value: Option<Vec<u8>> = self.query(key.as_str(), self.commands.take(key), Lane::Write).await?;
        value.map(|value| commands::decode(key, &value)).transpose()
    }

    async fn batch(&self, writes: Vec<Write>) -> Result<Vec<Written>, StoreError> {
        let mut outcomes: Vec<Written> = Vec::with_capacity(writes.len());
        let mut failed = None;
        // Only what lies in one slot of a cluster can be sent together; the order is kept.
        let together =
            |one: &Write, next: &Write| !self.fleet.is_cluster() || commands::slot(one) == commands::slot(next);
        for group in writes.chunk_by(together) {
            let Some(first) = group.first() else { continue };
            let commands = group.iter().map(|write| self.commands.write(write)).collect();
            match self.fleet.run(commands::slot(first), commands, Lane::Write).await {
                Ok(ran) => outcomes
                    .extend(group.iter().zip(&ran.values).map(|(write, answer)| commands::outcome(write, answer))),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        let done = writes.iter().zip(&outcomes).filter(|(_, outcome)| **outcome == Written::Done);
        let changed: Vec<Key> = done.filter_map(|(write, _)| write.changes().cloned()).collect();
        let announced = self.announce_in_cluster(&changed).await;
        // Others hear of it from Redis; this process does not wait for that.
        self.watchers.changed(changed);
        match (failed, announced) {
            (Some(error), _) | (None, Err(error)) => Err(error),
            (None, Ok(())) if outcomes.len() == writes.len() => Ok(outcomes),
            (None, Ok(())) => Err(crate::mixed_up()),
        }
    }

    async fn scan(&self, index: &Index) -> Result<Vec<Key>, StoreError> {
        let members: Vec<String> = self.query(index.as_str(), self.commands.scan(index), Lane::Read).await?;
        members.iter().map(|key| Key::parse(key).map_err(|_| StoreError::Corrupt(index.as_str().to_owned()))).collect()
    }

    async fn records(&self, from: Option<&Cursor>) -> Result<Page, StoreError> {
        self.page(from).await
    }

    async fn acquire(&self, key: &Key, holder: &str, time: Duration) -> Result<Option<Lease>, StoreError> {
        // In a cluster the subscription stands at another node than most leases.
        let provable = if self.ear.is_fresh() && !self.fleet.is_cluster() { Provable::Yes } else { Provable::No };
        let taker = Taker { member: self.ear.member(), holder, time, provable };
        match self.try_lease(key, self.commands.acquire(key, taker)).await? {
            Tried::Taken(lease) => Ok(Some(lease)),
            Tried::Held(held) if held.is_provable() => self.inherit(key, &held, taker).await,
            Tried::Held(_) => Ok(None),
        }
    }

    async fn renew(&self, lease: &Lease, time: Duration) -> Result<bool, StoreError> {
        self.query(lease.key().as_str(), self.commands.renew(lease, time), Lane::Plain).await
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        let released: bool = self.query(lease.key().as_str(), self.commands.release(lease), Lane::Plain).await?;
        tracing::trace!(released, "a lease was given back");
        Ok(())
    }

    async fn announce(&self, key: &Key) -> Result<(), StoreError> {
        let command = self.commands.announce(&[key]);
        self.fleet.run(self.commands.bus(), vec![command], Lane::Write).await.map(drop)
    }

    fn watch(&self) -> broadcast::Receiver<Invalidation> {
        self.watchers.subscribe()
    }

    fn observe(&self, observer: &Arc<dyn Observer>) {
        self.watchers.observe(observer);
    }

    fn is_fresh(&self) -> bool {
        self.ear.is_fresh()
    }

    async fn propagated(&self) {
        self.ear.propagated(&self.fleet, &self.commands).await;
    }

    async fn copy_to(&self, _to: &Path) -> Result<Copied, CopyError> {
        Err(CopyError::Elsewhere)
    }

    async fn claim_format(&self) -> Result<(), StoreError> {
        format::claim(&self.fleet, &self.commands).await
    }

    /// A newer gateway may have changed the format while this one runs.
    async fn health(&self) -> Result<Durability, StoreError> {
        format::look(&self.fleet, &self.commands).await?;
        self.worth.health().await
    }
}

/// How long an answer is waited for.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How long a connection may take, until it is known to lead to a primary.
const CONNECT: Duration = Duration::from_secs(1);
/// For how long what was heard, or a primary's proof, may be relied on.
const FRESH: Duration = Duration::from_millis(500);
const BEAT: Duration = Duration::from_millis(125);
