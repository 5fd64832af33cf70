use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use store::{RedisLogin, RedisServers, RedisTopology};

use super::proxy::Proxy;
use super::{Client, RedisServer, free_port};

/// A primary, replicas of it, and three Sentinels that watch over them. Each server is reached by everybody through a network of its own,
/// and known by that network's address.
pub(crate) struct Watched {
    servers: Vec<(RedisServer, Proxy)>,
    sentinels: Vec<Sentinel>,
}

struct Sentinel {
    process: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Watched {
    /// The first server is the primary; `replicas` follow it.
    pub(crate) fn start(replicas: usize) -> Self {
        let mut servers: Vec<(RedisServer, Proxy)> = Vec::new();
        for _ in 0..=replicas {
            let proxy = Proxy::start_later();
            let outside = proxy.port().to_string();
            let mut options =
                vec!["--repl-diskless-sync-delay", "0", "--repl-timeout", "5", "--replica-announce-ip", "127.0.0.1"];
            options.extend(["--replica-announce-port", outside.as_str()]);
            let primary = servers.first().map(|(_, proxy)| proxy.port().to_string());
            if let Some(primary) = &primary {
                options.extend(["--replicaof", "127.0.0.1", primary.as_str()]);
            }
            let server = RedisServer::start(&options);
            proxy.leads_to(server.port());
            servers.push((server, proxy));
        }
        for (replica, _) in servers.iter().skip(1) {
            until("the replica follows", || {
                replica.client().command(&["INFO", "replication"]).contains("link_status:up")
            });
        }
        let port = servers.first().map(|(_, proxy)| proxy.port().to_string()).expect("a primary");
        let sentinels: Vec<Sentinel> = (0..3).map(|_| Sentinel::start(&port)).collect();
        let watched = Self { servers, sentinels };
        // Only who knows the others and the replicas can elect one.
        until("the Sentinels know each other", || {
            watched.sentinels.iter().all(|sentinel| {
                let told = Client { port: sentinel.port }.command(&["SENTINEL", "MASTER", "records"]);
                told.contains("num-other-sentinels\n2") && told.contains(&format!("num-slaves\n{replicas}"))
            })
        });
        // The one command that the gateway has to ask.
        let rules = ["ACL", "SETUSER", "gateway", "on", ">secret", "-@all", "+sentinel|master"];
        for sentinel in &watched.sentinels {
            assert_eq!(Client { port: sentinel.port }.command(&rules), "OK");
        }
        watched
    }

    pub(crate) fn redis(&self) -> RedisServers {
        let sentinels = self.sentinels.iter().map(|sentinel| format!("127.0.0.1:{}", sentinel.port));
        RedisServers {
            topology: RedisTopology::Sentinel {
                sentinels: sentinels.map(|address| address.parse().expect("an address")).collect(),
                master: "records".to_owned(),
                login: RedisLogin {
                    user: Some("gateway".to_owned()),
                    password: Some("secret".to_owned()),
                    database: 0,
                },
            },
            login: RedisLogin::default(),
            encryption: None,
        }
    }

    /// Nobody reaches this server any more, neither the others nor the Sentinels; only who is inside with it.
    pub(crate) fn cut_off(&self, port: u16) {
        self.at(port).1.cut();
    }

    pub(crate) fn kill(&self, port: u16) {
        self.at(port).0.signal("-KILL");
    }

    /// The way to it from inside.
    pub(crate) fn inner_url(&self, port: u16) -> String {
        self.at(port).0.url()
    }

    fn at(&self, port: u16) -> &(RedisServer, Proxy) {
        self.servers.iter().find(|(_, proxy)| proxy.port() == port).expect("one of them")
    }

    /// The port of the server that the Sentinels call the primary.
    pub(crate) fn primary(&self) -> u16 {
        let told = |sentinel: &Sentinel| {
            let told = Client { port: sentinel.port }.command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "records"]);
            told.lines().nth(1).and_then(|port| port.parse::<u16>().ok()).expect("a port")
        };
        told(self.sentinels.first().expect("three"))
    }

    /// Waits until the Sentinels have made another server the primary.
    pub(crate) fn await_another(&self, old: u16) -> Duration {
        let begun = Instant::now();
        until("the Sentinels choose another primary", || self.primary() != old);
        begun.elapsed()
    }
}

impl Sentinel {
    /// On a port of its own: where somebody else was quicker, on another.
    fn start(primary: &str) -> Self {
        for _ in 0..10 {
            let mut sentinel = Self::launch(primary);
            for _ in 0..100 {
                std::thread::sleep(Duration::from_millis(20));
                if sentinel.process.try_wait().is_ok_and(|ended| ended.is_some()) {
                    break;
                }
                let told = Client { port: sentinel.port }.command(&["INFO", "server"]);
                if told.contains(&format!("process_id:{}", sentinel.process.id())) {
                    return sentinel;
                }
            }
        }
        panic!("no Sentinel starts");
    }

    fn launch(primary: &str) -> Self {
        let (folder, port) = (tempfile::tempdir().expect("a folder"), free_port());
        let config = folder.path().join("sentinel.conf");
        let text = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor records 127.0.0.1 {primary} 2\n\
             sentinel down-after-milliseconds records 1000\nsentinel failover-timeout records 5000\n\
             sentinel parallel-syncs records 2\n",
            folder.path().display()
        );
        std::fs::write(&config, text).expect("written");
        let process = Command::new("redis-sentinel").arg(&config).stdout(Stdio::null()).spawn();
        Self { process: process.expect("redis-sentinel must be installed: ./tests/run does it"), port, _folder: folder }
    }
}

pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(40) {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("this never held: {what}");
}
