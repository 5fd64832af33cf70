mod topologies;

pub use topologies::{RedisCluster, WatchedRedis};

use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// A real redis-server on loopback, with its data in a folder that goes with it.
pub struct RedisServer {
    process: Option<Child>,
    port: u16,
    options: Vec<String>,
    folder: TempDir,
}

impl RedisServer {
    /// Starts one on a free port.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with further options.
    #[must_use]
    pub fn start_with(options: &[&str]) -> Self {
        let folder = TempDir::new().expect("a folder");
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let mut server = Self { process: None, port: crate::free_port(), options, folder };
        server.restart();
        server
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its port, for who stands in between.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What it answers to a command.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> String {
        ask(self.port, arguments)
    }

    /// Kills it; what was acknowledged is on disk.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Starts it again, on the same port, with what it had.
    pub fn restart(&mut self) {
        let process = Command::new("redis-server")
            .args([
                "--port",
                &self.port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "yes",
                "--appendfsync",
                "always",
            ])
            .arg("--dir")
            .arg(self.folder.path())
            .args(&self.options)
            .stdout(Stdio::null())
            .spawn();
        self.process = Some(process.expect("redis-server must be installed: ./tests/run does it"));
        crate::eventually("redis-server listens", || TcpStream::connect(("127.0.0.1", self.port)).is_ok());
    }

    /// The keys that match a pattern of Redis'.
    #[must_use]
    pub fn keys(&self, pattern: &str) -> Vec<String> {
        let asked = Command::new("redis-cli").args(["-p", &self.port.to_string(), "--raw", "keys", pattern]).output();
        let asked = asked.expect("redis-cli comes with redis-server");
        assert!(asked.status.success(), "redis-cli failed");
        String::from_utf8_lossy(&asked.stdout).lines().filter(|key| !key.is_empty()).map(str::to_owned).collect()
    }

    /// How many seconds a key still lives; `None` where it stays.
    #[must_use]
    pub fn life(&self, key: &str) -> Option<u64> {
        let asked = Command::new("redis-cli").args(["-p", &self.port.to_string(), "--raw", "ttl", key]).output();
        let asked = asked.expect("redis-cli comes with redis-server");
        String::from_utf8_lossy(&asked.stdout).trim().parse().ok()
    }

    /// Everything that is on its disk.
    #[must_use]
    pub fn at_rest(&self) -> Vec<u8> {
        crate::gateway::everything_below(self.folder.path())
    }
}

fn ask(port: u16, arguments: &[&str]) -> String {
    let asked = Command::new("redis-cli").args(["-p", &port.to_string(), "--raw"]).args(arguments).output();
    String::from_utf8_lossy(&asked.expect("redis-cli comes with redis-server").stdout).trim().to_owned()
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}
