//! Which node of a Redis Cluster has which slots.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use redis::{RedisResult, Value};
use tokio::sync::Notify;

use super::dial::{Dial, info};
use super::failure::Failure;
use super::node::{Node, Safety};
use super::slot::Slot;
use super::{BEAT, CONNECT, RedisAddress};

/// The primaries of a cluster, as far as is known.
pub(super) struct Cluster {
    dial: Arc<Dial>,
    seeds: Vec<RedisAddress>,
    safety: Safety,
    prefix: String,
    map: RwLock<Map>,
    trouble: Arc<Notify>,
    /// Counts how often slots were seen to have other owners: with a failover a shard may have lost what it acknowledged.
    upheavals: AtomicU64,
}

#[derive(Default)]
struct Map {
    nodes: HashMap<RedisAddress, Arc<Node>>,
    owners: Vec<(RangeInclusive<u16>, RedisAddress)>,
}

/// What one node says of the whole.
struct Told {
    /// Grows with every change of the cluster.
    epoch: u64,
    owners: Vec<(RangeInclusive<u16>, RedisAddress)>,
}

impl Cluster {
    pub(super) fn new(dial: Arc<Dial>, seeds: Vec<RedisAddress>, safety: Safety, prefix: String) -> Arc<Self> {
        Arc::new(Self {
            dial,
            seeds,
            safety,
            prefix,
            map: RwLock::default(),
            trouble: Arc::default(),
            upheavals: AtomicU64::new(0),
        })
    }

    pub(super) fn node(&self, slot: Slot) -> Option<Arc<Node>> {
        let map = self.map.read().unwrap_or_else(PoisonError::into_inner);
        // The last word counts: what a redirection said is put in front.
        let (_, owner) = map.owners.iter().find(|(range, _)| slot.is_in(range))?;
        map.nodes.get(owner).cloned()
    }

    pub(super) fn nodes(&self) -> Vec<Arc<Node>> {
        self.map.read().unwrap_or_else(PoisonError::into_inner).nodes.values().cloned().collect()
    }

    pub(super) fn layout(&self) -> String {
        let map = self.map.read().unwrap_or_else(PoisonError::into_inner);
        let mut each: Vec<String> =
            map.owners.iter().map(|(range, owner)| format!("{}-{}@{owner}", range.start(), range.end())).collect();
        each.sort();
        each.join(",")
    }

    fn ranges(&self, node: &Node) -> Vec<RangeInclusive<u16>> {
        let (map, address) = (self.map.read().unwrap_or_else(PoisonError::into_inner), node.address());
        map.owners.iter().filter(|(_, owner)| *owner == address).map(|(range, _)| range.clone()).collect()
    }

    pub(super) fn at(self: &Arc<Self>, address: &RedisAddress) -> Arc<Node> {
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        self.node_in(&mut map, address)
    }

    /// A slot has another owner, as a node said that had it before.
    pub(super) fn moved(self: &Arc<Self>, slot: Slot, address: &RedisAddress) -> Arc<Node> {
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        map.owners.insert(0, (slot.number()..=slot.number(), address.clone()));
        self.upheavals.fetch_add(1, Ordering::Relaxed);
        self.trouble.notify_one();
        self.node_in(&mut map, address)
    }

    fn node_in(self: &Arc<Self>, map: &mut Map, address: &RedisAddress) -> Arc<Node> {
        if let Some(node) = map.nodes.get(address) {
            return node.clone();
        }
        let node = Node::new(self.dial.clone(), address.clone(), self.safety, &self.trouble);
        if self.safety.replicas > 0 {
            tokio::spawn(prove_for_ever(Arc::downgrade(self), Arc::downgrade(&node)));
        }
        map.nodes.insert(address.clone(), node.clone());
        node
    }

    /// How often slots were seen to have other owners than before.
    pub(super) fn upheavals(&self) -> u64 {
        self.upheavals.load(Ordering::Relaxed)
    }

    /// Asks every node that is known. Whoever knows of the latest change is believed.
    pub(super) async fn learn(self: &Arc<Self>) -> Result<(), Failure> {
        let mut places: Vec<RedisAddress> = self.nodes().iter().map(|node| node.address()).collect();
        places.extend(self.seeds.iter().filter(|seed| !places.contains(seed)).cloned().collect::<Vec<_>>());
        let asked = places.iter().map(|place| async move {
            tokio::time::timeout(CONNECT, ask(&self.dial, place)).await.unwrap_or(Err(Failure::Late))
        });
        let mut why = Failure::Unusable("no node is named");
        let mut best: Option<Told> = None;
        for told in futures_util::future::join_all(asked).await {
            match told {
                Ok(told) if best.as_ref().is_none_or(|best| told.epoch > best.epoch) => best = Some(told),
                Ok(_) => {}
                Err(failure) => why = failure,
            }
        }
        let Some(told) = best else { return Err(why) };
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        for (_, owner) in &told.owners {
            self.node_in(&mut map, owner);
        }
        map.nodes.retain(|address, _| told.owners.iter().any(|(_, owner)| owner == address));
        if !map.owners.is_empty() && !same(&map.owners, &told.owners) {
            self.upheavals.fetch_add(1, Ordering::Relaxed);
        }
        map.owners = told.owners;
        Ok(())
    }

    /// Follows the cluster from change to change.
    pub(super) async fn follow(self: Arc<Self>) {
        loop {
            // When something is wrong they are asked again soon, and otherwise now and then.
            let _ = tokio::time::timeout(EVERY, self.trouble.notified()).await;
            if let Err(failure) = self.learn().await {
                tracing::debug!(reason = %failure, "no node of the cluster can be asked");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Whether each slot range has the same owner, in whichever order they stand.
fn same(one: &[(RangeInclusive<u16>, RedisAddress)], other: &[(RangeInclusive<u16>, RedisAddress)]) -> bool {
    one.len() == other.len() && one.iter().all(|owned| other.contains(owned))
}

/// While the node is one of the cluster's, and has slots: a write to one of them, which its replicas confirm.
async fn prove_for_ever(cluster: Weak<Cluster>, node: Weak<Node>) {
    let mut ticks = tokio::time::interval(BEAT);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let (Some(cluster), Some(node)) = (cluster.upgrade(), node.upgrade()) else { return };
        let ranges = cluster.ranges(&node);
        let Some(first) = ranges.first() else { continue };
        let Some(tag) = Slot::named(|slot| slot.is_in(first)) else { continue };
        let mut command = redis::cmd("SET");
        command.arg(format!("{}proof:{{{tag}}}", cluster.prefix)).arg(1).arg("PX").arg(60_000);
        if let Err(failure) = node.beat(command).await {
            tracing::debug!(server = %node.address(), reason = %failure, "a primary is not proven");
        }
    }
}

async fn ask(dial: &Dial, place: &RedisAddress) -> Result<Told, Failure> {
    let mut connection = dial.open(place).await?;
    let mut pipeline = redis::pipe();
    pipeline.cmd("CLUSTER").arg("INFO").cmd("CLUSTER").arg("SLOTS").ignore_errors();
    let answers: Vec<RedisResult<Value>> = pipeline.query_async(&mut connection).await?;
    let [state, slots]: [RedisResult<Value>; 2] = answers.try_into().map_err(|_| Failure::MixedUp)?;
    let state: String = redis::from_redis_value(state?).map_err(|_| Failure::MixedUp)?;
    let epoch = info(&state).get("cluster_current_epoch").and_then(|epoch| epoch.parse().ok());
    let owners = owners(&slots?, place).ok_or(Failure::MixedUp)?;
    Ok(Told { epoch: epoch.ok_or(Failure::MixedUp)?, owners })
}

/// What `CLUSTER SLOTS` says: first slot, last slot, the primary's host and port, and more.
fn owners(slots: &Value, asked: &RedisAddress) -> Option<Vec<(RangeInclusive<u16>, RedisAddress)>> {
    let Value::Array(ranges) = slots else { return None };
    let range = |range: &Value| {
        let Value::Array(range) = range else { return None };
        let [Value::Int(first), Value::Int(last), Value::Array(primary), ..] = range.as_slice() else { return None };
        let (host, port) = match primary.as_slice() {
            [Value::BulkString(host), Value::Int(port), ..] => (std::str::from_utf8(host).ok()?, *port),
            [Value::Nil, Value::Int(port), ..] => ("", *port),
            _ => return None,
        };
        // A node that does not know its own name leaves it out.
        let host = if host.is_empty() || host == "?" { asked.host() } else { host };
        let address = RedisAddress::new(host, u16::try_from(port).ok()?);
        Some((u16::try_from(*first).ok()?..=u16::try_from(*last).ok()?, address))
    };
    ranges.iter().map(range).collect()
}

const EVERY: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(100);
