//! Redis, for any number of gateways.
//!
//! Single commands where Redis has one, constant scripts where it has none; each touches one hash tag. A value is the record's version
//! (8 bytes, big-endian) and its bytes; lives are Redis' own.

mod commands;
mod lease;
mod watch;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::io::tcp::TcpSettings;
use redis::{Client, FromRedisValue, IntoConnectionInfo, Pipeline, RedisError, RedisResult};
use socket2::TcpKeepalive;
use tokio::sync::broadcast;

use crate::redis::commands::Commands;
use crate::redis::lease::{Held, Provable, Taker, Tried};
use crate::watchers::Watchers;
use crate::{
    Copied, CopyError, Durability, Index, Invalidation, Key, Lease, Observer, Record, Store, StoreError, Write, Written,
};

/// How Redis is used.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// This gateway's name among those on the same Redis: drawn at each start, without spaces.
    pub member: String,
    /// Begins every key and the channel of invalidations.
    pub prefix: String,
    /// How many replicas must have a write before it is acknowledged (`WAIT`); none where Redis runs alone.
    pub replicas_to_wait_for: u32,
}

/// A store in Redis.
pub struct RedisStore {
    connection: ConnectionManager,
    /// `WAIT` holds up whatever follows it on its connection: durable batches have one of their own.
    batches: ConnectionManager,
    commands: Arc<Commands>,
    replicas_to_wait_for: u32,
    watchers: Watchers,
    ear: Arc<watch::Ear>,
    _tasks: watch::Tasks,
}

impl RedisStore {
    /// Connects, and refuses a Redis that may throw records away. Connections renew themselves.
    pub async fn connect(url: &str, options: RedisOptions) -> Result<Self, StoreError> {
        if options.prefix.contains(['{', '}']) {
            return Err(StoreError::Open("the key prefix must not contain braces: they mark the hash tag".to_owned()));
        }
        let client = client(url).map_err(|_| StoreError::Open(URL_FORM.to_owned()))?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(TIMEOUT))
            .set_response_timeout(Some(TIMEOUT))
            .set_number_of_retries(1)
            .set_min_delay(Duration::from_millis(20))
            .set_max_delay(Duration::from_millis(200));
        let open = |config| ConnectionManager::new_with_config(client.clone(), config);
        let connection = bounded(open(config.clone())).await?;
        let batches = bounded(open(config)).await?;
        let watchers = Watchers::new();
        let commands = Arc::new(Commands::new(options.prefix));
        let started =
            watch::start(client.clone(), connection.clone(), commands.clone(), options.member, watchers.clone());
        let (ear, tasks) = started.await?;
        let replicas_to_wait_for = options.replicas_to_wait_for;
        let store = Self { connection, batches, commands, replicas_to_wait_for, watchers, ear, _tasks: tasks };
        store.refuse_eviction().await?;
        Ok(store)
    }

    async fn query<T: FromRedisValue>(&self, command: redis::Cmd) -> Result<T, StoreError> {
        let mut connection = self.connection.clone();
        bounded(async move { command.query_async(&mut connection).await }).await
    }

    /// A policy that evicts would make revocations and used codes undone.
    async fn refuse_eviction(&self) -> Result<(), StoreError> {
        match self.config("maxmemory-policy").await?.as_deref() {
            None | Some("noeviction") => Ok(()),
            Some(policy) => Err(StoreError::Open(format!(
                "Redis has maxmemory-policy {policy} and may evict records; set it to noeviction: `redis-cli config set maxmemory-policy noeviction`"
            ))),
        }
    }

    /// A setting of the server; `None` where this user may not ask for it.
    async fn config(&self, name: &str) -> Result<Option<String>, StoreError> {
        let mut connection = self.connection.clone();
        let mut command = redis::cmd("CONFIG");
        command.arg("GET").arg(name);
        let asked: RedisResult<Vec<String>> =
            match tokio::time::timeout(TIMEOUT, command.query_async(&mut connection)).await {
                Ok(asked) => asked,
                Err(elapsed) => return Err(StoreError::Unavailable(Box::new(elapsed))),
            };
        match asked {
            Ok(pair) => Ok(pair.into_iter().nth(1)),
            Err(error) if error.is_io_error() || error.is_timeout() => Err(unavailable(error)),
            Err(_) => Ok(None),
        }
    }

    async fn try_lease(&self, key: &Key, command: redis::Cmd) -> Result<Tried, StoreError> {
        let answer: lease::Answer = self.query(command).await?;
        lease::tried(key, answer).ok_or_else(|| StoreError::Corrupt(format!("the lease of {key}")))
    }

    /// Takes a lease over from a holder that is proven dead.
    async fn inherit(&self, key: &Key, held: &Held, taker: Taker<'_>) -> Result<Option<Lease>, StoreError> {
        let (seems_dead, _, _): lease::Answer = self.query(held.look(&self.commands, key)).await?;
        if seems_dead == 0 {
            return Ok(None);
        }
        tokio::time::sleep(lease::LOOKS_APART).await;
        let answer: lease::Answer = self.query(held.take(&self.commands, key, taker)).await?;
        match lease::tried(key, answer) {
            Some(Tried::Taken(lease)) => {
                tracing::info!(fence = lease.fence, "took over the lease of a gateway that ended");
                Ok(Some(lease))
            }
            _ => Ok(None),
        }
    }

    async fn run(&self, pipeline: Pipeline) -> Result<Vec<redis::Value>, StoreError> {
        let mut connection = self.batches.clone();
        bounded(async move { pipeline.query_async(&mut connection).await }).await
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn get(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        let value: Option<Vec<u8>> = self.query(self.commands.get(key)).await?;
        value.map(|value| commands::decode(key, &value)).transpose()
    }

    async fn take(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        let value: Option<Vec<u8>> = self.query(self.commands.take(key)).await?;
        value.map(|value| commands::decode(key, &value)).transpose()
    }

    async fn batch(&self, writes: Vec<Write>) -> Result<Vec<Written>, StoreError> {
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipeline = redis::pipe();
        for write in &writes {
            pipeline.add_command(self.commands.write(write));
        }
        if self.replicas_to_wait_for > 0 {
            pipeline.cmd("WAIT").arg(self.replicas_to_wait_for).arg(WAIT_MS);
        }
        let mut answers = self.run(pipeline).await?;
        if self.replicas_to_wait_for > 0 {
            let acknowledged = answers.pop().and_then(|answer| u32::from_redis_value(answer).ok()).unwrap_or_default();
            if acknowledged < self.replicas_to_wait_for {
                let message = format!("{acknowledged} of {} replicas acknowledged in time", self.replicas_to_wait_for);
                return Err(StoreError::Unavailable(message.into()));
            }
        }
        let outcomes = writes.iter().zip(answers).map(|(write, answer)| commands::outcome(write, &answer));
        let outcomes: Vec<Written> = outcomes.collect();
        // Others hear of it from Redis; this process does not wait for that.
        let done = writes.iter().zip(&outcomes).filter(|(_, outcome)| **outcome == Written::Done);
        self.watchers.changed(done.filter_map(|(write, _)| write.changes().cloned()).collect());
        Ok(outcomes)
    }

    async fn scan(&self, index: &Index) -> Result<Vec<Key>, StoreError> {
        let members: Vec<String> = self.query(self.commands.scan(index)).await?;
        members.iter().map(|key| Key::parse(key).map_err(|_| StoreError::Corrupt(index.as_str().to_owned()))).collect()
    }

    async fn acquire(&self, key: &Key, holder: &str, time: Duration) -> Result<Option<Lease>, StoreError> {
        let provable = if self.ear.is_fresh() { Provable::Yes } else { Provable::No };
        let taker = Taker { member: self.ear.member(), holder, time, provable };
        match self.try_lease(key, self.commands.acquire(key, taker)).await? {
            Tried::Taken(lease) => Ok(Some(lease)),
            Tried::Held(held) if held.is_provable() => self.inherit(key, &held, taker).await,
            Tried::Held(_) => Ok(None),
        }
    }

    async fn renew(&self, lease: &Lease, time: Duration) -> Result<bool, StoreError> {
        self.query(self.commands.renew(lease, time)).await
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        self.query::<bool>(self.commands.release(lease)).await.map(drop)
    }

    async fn announce(&self, key: &Key) -> Result<(), StoreError> {
        self.query::<u64>(self.commands.announce(key)).await.map(drop)
    }

    fn watch(&self) -> broadcast::Receiver<Invalidation> {
        self.watchers.subscribe()
    }

    fn observe(&self, observer: Arc<dyn Observer>) {
        self.watchers.observe(observer);
    }

    fn is_fresh(&self) -> bool {
        self.ear.is_fresh()
    }

    async fn propagated(&self) {
        self.ear.propagated(self.connection.clone(), &self.commands).await;
    }

    async fn copy_to(&self, _to: &Path) -> Result<Copied, CopyError> {
        Err(CopyError::Elsewhere)
    }

    async fn health(&self) -> Result<Durability, StoreError> {
        // Both connections: one that broke is renewed by its first use, so asking heals it before a write needs it.
        let mut ping = redis::pipe();
        ping.cmd("PING");
        let (alive, writable) = tokio::join!(self.query::<String>(redis::cmd("PING")), self.run(ping));
        alive?;
        writable?;
        if self.replicas_to_wait_for > 0 {
            return Ok(Durability::Durable);
        }
        let (log, sync) = (self.config("appendonly").await?, self.config("appendfsync").await?);
        let durable = log.as_deref() == Some("yes") && sync.as_deref() == Some("always");
        Ok(if durable { Durability::Durable } else { Durability::BestEffort })
    }
}

/// A network that swallows packets must break a connection, not keep it: only a broken one is renewed.
fn client(url: &str) -> RedisResult<Client> {
    let keepalive = TcpKeepalive::new().with_time(TIMEOUT).with_interval(TIMEOUT).with_retries(2);
    let settings = TcpSettings::default().set_nodelay(true).set_keepalive(keepalive);
    #[cfg(target_os = "linux")]
    let settings = settings.set_user_timeout(2 * TIMEOUT);
    Client::open(url.into_connection_info()?.set_tcp_settings(settings))
}

/// An operation fails rather than wait for a Redis that does not answer.
async fn bounded<T>(operation: impl Future<Output = RedisResult<T>>) -> Result<T, StoreError> {
    match tokio::time::timeout(TIMEOUT + Duration::from_millis(500), operation).await {
        Ok(answered) => answered.map_err(unavailable),
        Err(elapsed) => Err(StoreError::Unavailable(Box::new(elapsed))),
    }
}

/// What kind of failure it was, and the server's code word for it. The server's sentence may quote what it was sent.
#[expect(clippy::needless_pass_by_value, reason = "reads as `map_err(unavailable)`")]
fn unavailable(error: RedisError) -> StoreError {
    StoreError::Unavailable(format!("{:?} {}", error.kind(), error.code().unwrap_or_default()).into())
}

const URL_FORM: &str =
    "the Redis URL is of no use; it has the form redis://user:password@host:6379/0, or rediss:// for TLS";
const TIMEOUT: Duration = Duration::from_secs(2);
const WAIT_MS: u64 = 1500;
