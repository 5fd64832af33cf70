use std::process::Command;

use store::{RedisLogin, RedisServers, RedisTopology};

use super::RedisServer;
use super::sentinel::until;

/// Three primaries with all the slots, and replicas of each.
pub(crate) struct RedisCluster {
    pub(crate) nodes: Vec<RedisServer>,
}

impl RedisCluster {
    /// `replicas` for each primary.
    pub(crate) fn start(replicas: usize) -> Self {
        let options = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1500", "--repl-diskless-sync-delay", "0"];
        let nodes: Vec<RedisServer> = (0..3 * (1 + replicas)).map(|_| RedisServer::start(&options)).collect();
        let places = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port()));
        let made = Command::new("redis-cli")
            .args(["--cluster", "create"])
            .args(places)
            .args(["--cluster-replicas", &replicas.to_string(), "--cluster-yes"])
            .output()
            .expect("redis-cli comes with redis-server");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
        let cluster = Self { nodes };
        cluster.await_whole();
        cluster
    }

    pub(crate) fn await_whole(&self) {
        until("every node sees the whole cluster", || {
            self.nodes.iter().all(|node| {
                let said = node.client().command(&["CLUSTER", "INFO"]);
                said.contains("cluster_state:ok") && said.contains("cluster_size:3")
            })
        });
        let replicas = self.nodes.iter().filter(|node| node.client().command(&["ROLE"]).starts_with("slave"));
        for replica in replicas {
            until("the replica follows", || {
                replica.client().command(&["INFO", "replication"]).contains("link_status:up")
            });
        }
    }

    /// Only one node is named: the others are learnt.
    pub(crate) fn redis(&self) -> RedisServers {
        let seed = self.nodes.first().map(|node| format!("127.0.0.1:{}", node.port())).expect("three at least");
        RedisServers {
            topology: RedisTopology::Cluster(vec![seed.parse().expect("an address")]),
            login: RedisLogin::default(),
            encryption: None,
        }
    }
}
