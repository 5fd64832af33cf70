//! What an acknowledgement of Redis' is worth: whether it keeps what it was given.

use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, FromRedisValue};
use tokio::task::JoinHandle;

use super::dial::info;
use super::failure::{FULL, Failure};
use super::fleet::Fleet;
use super::node::{Lane, Node, RedisDisk, Safety, expect};
use crate::{Durability, StoreError};

pub(super) struct Worth {
    fleet: Arc<Fleet>,
    safety: Safety,
}

/// Looks now and then whether Redis still keeps everything; ends with the store.
pub(super) struct Guard(JoinHandle<()>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Worth {
    pub(super) fn new(fleet: Arc<Fleet>, safety: Safety) -> Self {
        Self { fleet, safety }
    }

    /// At the start: a policy that evicts would make revocations and used codes undone, and what cannot be waited for must not be.
    pub(super) async fn refuse_what_loses(&self) -> Result<(), StoreError> {
        for node in self.fleet.nodes() {
            let facts = Facts::of(&node).await?;
            facts.keeps()?;
            if facts.is_full {
                return Err(StoreError::Open(format!("Redis at {}: {FULL}", node.address())));
            }
            if self.safety.disk == RedisDisk::Awaited && !facts.can_await_disk() {
                return Err(StoreError::Open(format!("Redis at {}: {NO_AOF}", node.address())));
            }
        }
        Ok(())
    }

    /// Whether every primary answers, takes writes and keeps them.
    pub(super) async fn health(&self) -> Result<Durability, StoreError> {
        let mut durable = true;
        for node in self.fleet.nodes() {
            Facts::of(&node).await?.keeps()?;
            node.run(vec![redis::cmd("PING")], Lane::Plain).await?;
            node.writable().await?;
            node.vouched().await?;
            durable &= self.is_durable(&node).await?;
        }
        Ok(if durable { Durability::Durable } else { Durability::BestEffort })
    }

    async fn is_durable(&self, node: &Node) -> Result<bool, StoreError> {
        if self.safety.replicas > 0 {
            return Ok(true);
        }
        // A replica that takes the primary's place may lack what the primary's disk has.
        if self.fleet.fails_over() {
            return Ok(false);
        }
        if self.safety.disk == RedisDisk::Awaited {
            return Ok(true);
        }
        let (log, sync) = (setting(node, "appendonly").await?, setting(node, "appendfsync").await?);
        Ok(log.as_deref() == Some("yes") && sync.as_deref() == Some("always"))
    }
}

/// Says loudly, once, when a Redis begins to lose records.
pub(super) fn guard(worth: Arc<Worth>) -> Guard {
    Guard(tokio::spawn(async move {
        let mut warned = false;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let mut loses = None;
            for node in worth.fleet.nodes() {
                if let Ok(facts) = Facts::of(&node).await {
                    loses = facts.keeps().err().or(loses);
                }
            }
            match &loses {
                Some(why) if !warned => tracing::error!("{why}; until then this gateway reports that it is not ready"),
                None if warned => tracing::info!("Redis keeps every record again"),
                _ => {}
            }
            warned = loses.is_some();
        }
    }))
}

/// What a server says of itself.
struct Facts {
    policy: Option<String>,
    version: Option<(u32, u32)>,
    has_log: bool,
    is_full: bool,
}

impl Facts {
    async fn of(node: &Node) -> Result<Self, StoreError> {
        let answers = node.run(vec![redis::cmd("INFO")], Lane::Plain).await?;
        let answer = answers.each.into_iter().next().ok_or(Failure::MixedUp)?.map_err(Failure::from)?;
        let text: String = expect(node, answer)?;
        let facts = info(&text);
        let version = facts.get("redis_version").and_then(|version| {
            let mut numbers = version.split('.').map(str::parse);
            Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
        });
        let bytes = |name: &str| facts.get(name).and_then(|number| number.parse::<u64>().ok()).unwrap_or_default();
        let counted = bytes("used_memory").saturating_sub(bytes("mem_not_counted_for_evict"));
        Ok(Self {
            is_full: bytes("maxmemory") > 0 && counted >= bytes("maxmemory"),
            policy: facts.get("maxmemory_policy").map(|policy| (*policy).to_owned()),
            version,
            has_log: facts.get("aof_enabled").is_some_and(|enabled| *enabled == "1"),
        })
    }

    fn keeps(&self) -> Result<(), StoreError> {
        match self.policy.as_deref() {
            None | Some("noeviction") => Ok(()),
            Some(policy) => Err(StoreError::Open(format!(
                "Redis has maxmemory-policy {policy} and may evict records; set it to noeviction: `redis-cli config set maxmemory-policy noeviction`"
            ))),
        }
    }

    fn can_await_disk(&self) -> bool {
        self.has_log && self.version.is_some_and(|version| version >= (7, 2))
    }
}

/// A setting of the server; `None` where this user may not ask for it.
async fn setting(node: &Node, name: &str) -> Result<Option<String>, StoreError> {
    let mut command: Cmd = redis::cmd("CONFIG");
    command.arg("GET").arg(name);
    let answers = node.run(vec![command], Lane::Plain).await?;
    let pair = answers.each.into_iter().next().and_then(Result::ok);
    let pair = pair.and_then(|pair| Vec::<String>::from_redis_value(pair).ok());
    Ok(pair.and_then(|pair| pair.into_iter().nth(1)))
}

const LOOK_EVERY: Duration = Duration::from_secs(2);
const NO_AOF: &str =
    "wait_for_disk needs Redis 7.2 or newer and `appendonly yes`; change that, or remove wait_for_disk";
