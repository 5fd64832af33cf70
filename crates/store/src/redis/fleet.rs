//! All the servers of one Redis, whatever its topology: finds the one for a slot, and goes where it is sent.

use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, FromRedisValue, Value};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::cluster::Cluster;
use super::dial::{Dial, Mode};
use super::failure::{Failure, Redirection, redirection};
use super::node::{Lane, Node, Safety, expect};
use super::sentinel::Sentinels;
use super::slot::Slot;
use super::{RedisServers, RedisTopology};
use crate::StoreError;

/// The servers of one Redis.
pub(super) struct Fleet {
    servers: Servers,
    follower: Option<JoinHandle<()>>,
}

enum Servers {
    One(Arc<Node>),
    Cluster(Arc<Cluster>),
}

/// What came of commands for one slot.
pub(super) struct Ran {
    pub(super) values: Vec<Value>,
    pub(super) node: Arc<Node>,
    /// The run of the server that answered the last of them.
    pub(super) run: Arc<str>,
}

impl Fleet {
    /// Finds the servers, and waits until they answer: a few seconds at most.
    pub(super) async fn open(servers: RedisServers, safety: Safety, prefix: &str) -> Result<Self, StoreError> {
        let (login, tls) = (servers.login, servers.encryption);
        let mode = if let RedisTopology::Cluster(_) = servers.topology { Mode::Cluster } else { Mode::Alone };
        let dial = Arc::new(Dial::new(&login, tls.as_ref(), mode));
        if dial.check().is_err() {
            return Err(StoreError::Open(
                "the certificates or the key for Redis cannot be used; they are PEM".to_owned(),
            ));
        }
        let deadline = Instant::now() + OPENING;
        let trouble = Arc::new(Notify::new());
        let fleet = match servers.topology {
            RedisTopology::One(address) => {
                Self { servers: Servers::One(Node::new(dial, address, safety, &trouble)), follower: None }
            }
            RedisTopology::Sentinel { sentinels, master, login } => {
                let asking = Dial::new(&login, tls.as_ref(), Mode::Alone);
                let mut sentinels = Sentinels::new(asking, sentinels, master);
                let primary = loop {
                    if let Some(primary) = sentinels.primary().await {
                        break primary;
                    }
                    if Instant::now() > deadline {
                        return Err(StoreError::Open(NO_SENTINEL.to_owned()));
                    }
                    tokio::time::sleep(AGAIN).await;
                };
                let node = Node::new(dial, primary, safety, &trouble);
                let follower = tokio::spawn(sentinels.follow(node.clone(), trouble));
                Self { servers: Servers::One(node), follower: Some(follower) }
            }
            RedisTopology::Cluster(seeds) => {
                let cluster = Cluster::new(dial, seeds, safety, prefix.to_owned());
                while let Err(failure) = cluster.learn().await {
                    if Instant::now() > deadline {
                        return Err(StoreError::Open(format!("no node of the Redis Cluster can be used: {failure}")));
                    }
                    tokio::time::sleep(AGAIN).await;
                }
                let follower = tokio::spawn(cluster.clone().follow());
                Self { servers: Servers::Cluster(cluster), follower: Some(follower) }
            }
        };
        for node in fleet.nodes() {
            if let Err(failure) = node.ready(deadline).await {
                return Err(StoreError::Open(format!("Redis at {} cannot be used: {failure}", node.address())));
            }
        }
        Ok(fleet)
    }

    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.servers, Servers::Cluster(_))
    }

    /// Whether another server may take a primary's place without this program's doing.
    pub(super) fn fails_over(&self) -> bool {
        self.follower.is_some()
    }

    /// Grows when part of a cluster has another primary. Elsewhere the subscription breaks with such a change.
    pub(super) fn upheavals(&self) -> u64 {
        match &self.servers {
            Servers::One(_) => 0,
            Servers::Cluster(cluster) => cluster.upheavals(),
        }
    }

    pub(super) fn nodes(&self) -> Vec<Arc<Node>> {
        match &self.servers {
            Servers::One(node) => vec![node.clone()],
            Servers::Cluster(cluster) => cluster.nodes(),
        }
    }

    /// Who has which slots, as the cluster says now; nothing where there are none.
    pub(super) async fn layout(&self) -> Result<String, Failure> {
        match &self.servers {
            Servers::One(_) => Ok(String::new()),
            Servers::Cluster(cluster) => {
                cluster.learn().await?;
                Ok(cluster.layout())
            }
        }
    }

    pub(super) fn node(&self, slot: Slot) -> Result<Arc<Node>, Failure> {
        match &self.servers {
            Servers::One(node) => Ok(node.clone()),
            Servers::Cluster(cluster) => {
                cluster.node(slot).ok_or(Failure::Unusable("no node of the cluster has this slot"))
            }
        }
    }

    /// One command, and its answer.
    pub(super) async fn query<T: FromRedisValue>(&self, slot: Slot, command: Cmd, lane: Lane) -> Result<T, StoreError> {
        let mut ran = self.run(slot, vec![command], lane).await?;
        let value = ran.values.pop().ok_or(Failure::MixedUp)?;
        expect(&ran.node, value)
    }

    /// Commands for one slot, in order; all of them were done when this returns `Ok`.
    pub(super) async fn run(&self, slot: Slot, commands: Vec<Cmd>, lane: Lane) -> Result<Ran, StoreError> {
        let mut node = self.node(slot)?;
        let mut values: Vec<Option<Value>> = commands.iter().map(|_| None).collect();
        let mut left: Vec<(usize, Cmd)> = commands.into_iter().enumerate().collect();
        let mut asking = Asking::No;
        for _ in 0..REDIRECTIONS {
            let sent: Vec<Cmd> = left.iter().flat_map(|(_, command)| asking.before(command)).collect();
            let answers = node.run(sent, lane).await?;
            let address = node.address();
            let mut next = None;
            let mut again = Vec::new();
            for ((index, command), answer) in left.into_iter().zip(asking.answers(answers.each)) {
                match answer {
                    Ok(value) => values.get_mut(index).map(|place| place.replace(value)),
                    Err(error) => {
                        next = Some(redirection(&error, &address).ok_or(Failure::from(error))?);
                        again.push((index, command));
                        None
                    }
                };
            }
            left = again;
            let (Servers::Cluster(cluster), Some(to)) = (&self.servers, next) else {
                if !left.is_empty() {
                    return Err(Failure::Unusable("it is a node of a Cluster").into());
                }
                let values = values.into_iter().flatten().collect();
                return Ok(Ran { values, node, run: answers.run });
            };
            asking = Asking::No;
            match to {
                Redirection::Moved(address) => node = cluster.moved(slot, &address),
                Redirection::Ask(address) => (node, asking) = (cluster.at(&address), Asking::Yes),
                Redirection::Again => tokio::time::sleep(AGAIN).await,
            }
        }
        Err(Failure::Unusable("the slot is being moved").into())
    }

    /// A heartbeat to whichever server has the slot: the run of the server that published it, which is proven by it.
    pub(super) async fn beat(&self, slot: Slot, command: Cmd) -> Result<Arc<str>, Failure> {
        let node = self.node(slot)?;
        let beat = node.beat(command).await;
        if let (Servers::Cluster(cluster), Err(Failure::Answered(error))) = (&self.servers, &beat)
            && let Some(Redirection::Moved(address)) = redirection(error, &node.address())
        {
            cluster.moved(slot, &address);
        }
        beat
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.follower.iter().for_each(JoinHandle::abort);
    }
}

/// Whether each command has to be announced to a node that is only just getting its slot.
#[derive(Clone, Copy)]
enum Asking {
    Yes,
    No,
}

impl Asking {
    fn before(self, command: &Cmd) -> Vec<Cmd> {
        match self {
            Self::Yes => vec![redis::cmd("ASKING"), command.clone()],
            Self::No => vec![command.clone()],
        }
    }

    fn answers<T>(self, answers: Vec<T>) -> impl Iterator<Item = T> {
        let each = match self {
            Self::Yes => 2,
            Self::No => 1,
        };
        answers.into_iter().skip(each - 1).step_by(each)
    }
}

const OPENING: Duration = Duration::from_secs(4);
const AGAIN: Duration = Duration::from_millis(50);
const REDIRECTIONS: usize = 8;
const NO_SENTINEL: &str = "no Sentinel knows the primary; see that `sentinels` and `sentinel_master` are right";
