use std::process::Command;

use store::{RedisLogin, RedisServers, RedisTopology};

use super::sentinel::until;
use super::{Client, RedisServer, free_port};

/// Three primaries with all the slots, and replicas of each.
pub(crate) struct RedisCluster {
    pub(crate) nodes: Vec<RedisServer>,
    killed: Option<RedisServer>,
}

impl RedisCluster {
    /// `replicas` for each primary.
    pub(crate) fn start(replicas: usize) -> Self {
        let node = |_| {
            let bus = free_port().to_string();
            let options = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1500", "--cluster-port", &bus];
            RedisServer::start(&[options.as_slice(), &["--repl-diskless-sync-delay", "0"]].concat())
        };
        let nodes: Vec<RedisServer> = (0..3 * (1 + replicas)).map(node).collect();
        let places = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port()));
        let made = Command::new("redis-cli")
            .args(["--cluster", "create"])
            .args(places)
            .args(["--cluster-replicas", &replicas.to_string(), "--cluster-yes"])
            .output()
            .expect("redis-cli comes with redis-server");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
        let cluster = Self { nodes, killed: None };
        // Who is to be a replica is no replica yet when the cluster has been made.
        until("every replica follows", || {
            let follows =
                |node: &&RedisServer| node.client().command(&["INFO", "replication"]).contains("link_status:up");
            cluster.nodes.iter().filter(follows).count() == 3 * replicas
        });
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

    pub(crate) fn keyslot(&self, key: &str) -> u16 {
        self.any().command(&["CLUSTER", "KEYSLOT", key]).parse().expect("a slot")
    }

    fn any(&self) -> Client {
        self.nodes.first().expect("some").client()
    }

    /// The port of the primary that has the slot.
    fn owner(&self, slot: u16) -> u16 {
        let told = self.any().command(&["CLUSTER", "SLOTS"]);
        let lines: Vec<&str> = told.lines().collect();
        let ranges = lines.iter().enumerate().filter(|(_, line)| **line == "127.0.0.1");
        let mut found = None;
        for (at, _) in ranges {
            let number = |back: usize| {
                at.checked_sub(back).and_then(|at| lines.get(at)).and_then(|text| text.parse::<u16>().ok())
            };
            // First slot, last slot, and then the primary.
            if let (Some(first), Some(last)) = (number(2), number(1))
                && (first..=last).contains(&slot)
            {
                found = lines.get(at + 1).and_then(|port| port.parse().ok());
            }
        }
        found.expect("every slot has an owner")
    }

    pub(crate) fn replica_of(&self, slot: u16) -> &RedisServer {
        let owner = format!("master_port:{}", self.owner(slot));
        let follows = |node: &&RedisServer| node.client().command(&["INFO", "replication"]).contains(&owner);
        self.nodes.iter().find(follows).expect("it has one")
    }

    pub(crate) fn kill_owner(&mut self, slot: u16) {
        let port = self.owner(slot);
        let at = self.nodes.iter().position(|node| node.port() == port).expect("one of them");
        let mut node = self.nodes.remove(at);
        node.kill();
        until("another has its slots", || self.owner(slot) != port);
        self.killed = Some(node);
    }

    /// It becomes a replica of whoever took its place.
    pub(crate) fn restart_killed(&mut self) {
        let node = self.killed.take().expect("one was killed");
        self.nodes.push(node.restart());
    }

    /// From its owner to another primary, keys and all.
    pub(crate) fn move_slot(&self, slot: u16) {
        let from = self.owner(slot);
        let to = self.nodes.iter().map(RedisServer::port).find(|port| *port != from).expect("three");
        let id = |port: u16| self.client(port).command(&["CLUSTER", "MYID"]);
        let (slot, count) = (slot.to_string(), "1000");
        assert_eq!(self.client(to).command(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &id(from)]), "OK");
        assert_eq!(self.client(from).command(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &id(to)]), "OK");
        let keys = self.client(from).command(&["CLUSTER", "GETKEYSINSLOT", &slot, count]);
        for key in keys.lines() {
            // Half of the time both have keys of the slot.
            std::thread::sleep(std::time::Duration::from_millis(100));
            let to = to.to_string();
            self.client(from).command(&["MIGRATE", "127.0.0.1", &to, key, "0", "5000"]);
        }
        std::thread::sleep(std::time::Duration::from_millis(300));
        for port in [to, from] {
            assert_eq!(self.client(port).command(&["CLUSTER", "SETSLOT", &slot, "NODE", &id(to)]), "OK");
        }
    }

    fn client(&self, port: u16) -> Client {
        self.nodes.iter().find(|node| node.port() == port).expect("one of them").client()
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
