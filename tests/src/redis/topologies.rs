use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::RedisServer;

/// A primary with two replicas, and three Sentinels that watch over them.
pub struct WatchedRedis {
    servers: Vec<RedisServer>,
    sentinels: Vec<(Child, u16, TempDir)>,
}

impl WatchedRedis {
    /// Starts all of them; each knows the others when this returns.
    #[must_use]
    pub fn start() -> Self {
        let primary = RedisServer::start_with(&["--repl-diskless-sync-delay", "0"]);
        let port = primary.port.to_string();
        let mut servers = vec![primary];
        for _ in 0..2 {
            let options = ["--replicaof", "127.0.0.1", &port, "--repl-diskless-sync-delay", "0"];
            servers.push(RedisServer::start_with(&options));
        }
        let sentinels = (0..3).map(|_| sentinel(&port)).collect();
        let watched = Self { servers, sentinels };
        long_eventually("the Sentinels know everybody", || {
            watched.sentinels.iter().all(|(_, port, _)| {
                let told = super::ask(*port, &["sentinel", "master", "records"]);
                told.contains("num-other-sentinels\n2") && told.contains("num-slaves\n2")
            })
        });
        watched
    }

    /// The lines of `[store]` for it.
    #[must_use]
    pub fn lines(&self) -> String {
        let sentinels: Vec<String> =
            self.sentinels.iter().map(|(_, port, _)| format!("\"127.0.0.1:{port}\"")).collect();
        format!("sentinels = [{}]\nsentinel_master = \"records\"", sentinels.join(", "))
    }

    /// Kills the primary; returns when the Sentinels have chosen another.
    pub fn fail_over(&mut self) {
        let old = self.primary();
        self.servers.iter_mut().find(|server| server.port == old).expect("one of them").kill();
        long_eventually("the Sentinels choose another primary", || self.primary() != old);
    }

    fn primary(&self) -> u16 {
        let told = super::ask(self.sentinels[0].1, &["sentinel", "get-master-addr-by-name", "records"]);
        told.lines().nth(1).and_then(|port| port.parse().ok()).expect("a port")
    }
}

impl Drop for WatchedRedis {
    fn drop(&mut self) {
        for (process, ..) in &mut self.sentinels {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn sentinel(primary: &str) -> (Child, u16, TempDir) {
    let (folder, port) = (TempDir::new().expect("a folder"), crate::free_port());
    let config = folder.path().join("sentinel.conf");
    let text = format!(
        "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor records 127.0.0.1 {primary} 2\n\
         sentinel down-after-milliseconds records 1000\nsentinel failover-timeout records 5000\n\
         sentinel parallel-syncs records 2\n",
        folder.path().display()
    );
    std::fs::write(&config, text).expect("written");
    let process = Command::new("redis-sentinel").arg(&config).stdout(Stdio::null()).spawn();
    (process.expect("redis-sentinel must be installed: ./tests/run does it"), port, folder)
}

/// A Redis Cluster of three primaries.
pub struct RedisCluster(Vec<RedisServer>);

impl RedisCluster {
    /// Starts them; every slot has an owner when this returns.
    #[must_use]
    pub fn start() -> Self {
        // Ten thousand above the other port, as it is by default, somebody may have been given a port by chance.
        let node = |_| {
            let bus = crate::free_port().to_string();
            let options = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--cluster-port", &bus];
            RedisServer::start_with(&options)
        };
        let nodes: Vec<RedisServer> = (0..3).map(node).collect();
        let made = Command::new("redis-cli")
            .args(["--cluster", "create"])
            .args(nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)))
            .arg("--cluster-yes")
            .output()
            .expect("redis-cli comes with redis-server");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
        long_eventually("the cluster is whole", || {
            nodes.iter().all(|node| super::ask(node.port, &["cluster", "info"]).contains("cluster_state:ok"))
        });
        Self(nodes)
    }

    /// The lines of `[store]` for it, which name one node.
    #[must_use]
    pub fn lines(&self) -> String {
        format!("cluster = \"127.0.0.1:{}\"\nreplicas_to_wait_for = 0", self.0[0].port)
    }
}

/// Elections take their time.
fn long_eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..800 {
        if holds() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("this never held: {what}");
}
