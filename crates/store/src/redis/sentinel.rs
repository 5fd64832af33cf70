//! Which server is the primary, by the word of the Sentinels.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tokio::sync::Notify;

use super::dial::Dial;
use super::failure::Failure;
use super::node::Node;
use super::{CONNECT, RedisAddress};

/// The Sentinels of one primary.
pub(super) struct Sentinels {
    dial: Dial,
    each: Vec<(RedisAddress, Option<MultiplexedConnection>)>,
    master: String,
    /// Every failover has a higher number than all before: what a Sentinel says that was cut off is known by it.
    epoch: u64,
}

impl Sentinels {
    pub(super) fn new(dial: Dial, addresses: Vec<RedisAddress>, master: String) -> Self {
        Self { dial, each: addresses.into_iter().map(|address| (address, None)).collect(), master, epoch: 0 }
    }

    /// Asks all of them at once. The primary of the latest failover that any of them knows; none where nobody answers, or only what is
    /// older than what was known before.
    pub(super) async fn primary(&mut self) -> Option<RedisAddress> {
        let (dial, master) = (&self.dial, self.master.as_str());
        let asked = self.each.iter_mut().map(|(address, connection)| async move {
            match tokio::time::timeout(CONNECT, ask(dial, address, connection, master)).await {
                Ok(Ok(answer)) => Some(answer),
                Ok(Err(failure)) => {
                    tracing::debug!(sentinel = %address, reason = %failure, "a Sentinel cannot be asked");
                    *connection = None;
                    None
                }
                Err(_) => {
                    *connection = None;
                    None
                }
            }
        });
        let answers = futures_util::future::join_all(asked).await.into_iter().flatten();
        let (epoch, address) = answers.max_by_key(|(epoch, _)| *epoch).filter(|(epoch, _)| *epoch >= self.epoch)?;
        self.epoch = epoch;
        Some(address)
    }

    /// Follows the primary from failover to failover.
    pub(super) async fn follow(mut self, node: Arc<Node>, trouble: Arc<Notify>) {
        loop {
            // When something is wrong they are asked again soon, and otherwise now and then.
            let _ = tokio::time::timeout(EVERY, trouble.notified()).await;
            if let Some(primary) = self.primary().await {
                if primary != node.address() {
                    tracing::warn!(primary = %primary, "Redis has another primary");
                }
                node.is_at(primary);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn ask(
    dial: &Dial,
    address: &RedisAddress,
    connection: &mut Option<MultiplexedConnection>,
    master: &str,
) -> Result<(u64, RedisAddress), Failure> {
    let mut open = match connection.take() {
        Some(open) => open,
        None => dial.open(address).await?,
    };
    let mut command = redis::cmd("SENTINEL");
    command.arg("MASTER").arg(master);
    let told: HashMap<String, String> = command.query_async(&mut open).await?;
    *connection = Some(open);
    let number = |name| told.get(name).and_then(|text| text.parse::<u64>().ok());
    let port = number("port").and_then(|port| u16::try_from(port).ok());
    match (told.get("ip"), port, number("config-epoch")) {
        (Some(host), Some(port), Some(epoch)) => Ok((epoch, RedisAddress::new(host, port))),
        _ => Err(Failure::MixedUp),
    }
}

const EVERY: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(100);
