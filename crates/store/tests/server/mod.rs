#![expect(clippy::expect_used, clippy::panic, reason = "a test without its server has failed")]

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A real redis-server on loopback, with nothing kept on disk.
pub(crate) struct RedisServer {
    process: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl RedisServer {
    pub(crate) fn start(options: &[&str]) -> Self {
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port();
        Self::start_at(port, options)
    }

    pub(crate) fn start_at(port: u16, options: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let server = Self {
            port,
            process: Command::new("redis-server")
                .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
                .arg("--dir")
                .arg(folder.path())
                .args(options)
                .stdout(Stdio::null())
                .spawn()
                .expect("redis-server must be installed: ./tests/run does it"),
            _folder: folder,
        };
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return server;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!("redis-server did not start on port {port}");
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn stop(self) -> u16 {
        self.port
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
