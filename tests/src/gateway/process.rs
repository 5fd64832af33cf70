//! The gateway as a process that dies, is stopped, and comes back.

use std::io::{Read, Seek, SeekFrom};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::{Gateway, spawn};

impl Gateway {
    /// SIGKILL: it does not get to do anything more. Returns when it is gone.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Starts it again after its end, on the same folder, with further variables in its environment, and does not wait for it.
    pub fn start_again(&mut self, environment: &[(&str, String)]) {
        let added = environment.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        let environment: Vec<_> = self.environment.iter().cloned().chain(added).collect();
        self.process = spawn(&self.folder.path().join("gateway.toml"), &self.log, &environment);
    }

    /// Waits until it takes connections, or has ended.
    pub fn await_ready(&mut self) {
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() && self.is_running() {
            assert!(begun.elapsed() < Duration::from_secs(20), "it does not listen: {}", self.log());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Whether the process is there.
    pub fn is_running(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// Waits until the process has ended by itself, for so long at most, and says whether it has.
    pub fn ends_within(&mut self, limit: Duration) -> bool {
        let begun = Instant::now();
        while self.is_running() {
            if begun.elapsed() > limit {
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        true
    }

    /// SIGTERM: it is asked to end.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// SIGHUP: logs were moved.
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// The code that it ended with by itself, within so long.
    pub fn exit_code(&mut self, limit: Duration) -> Option<i32> {
        assert!(self.ends_within(limit), "it does not end: {}", self.log());
        self.process.wait().expect("a process").code()
    }

    /// SIGSTOP: it stands still until [`Gateway::go_on`].
    pub fn stand_still(&self) {
        self.signal(Signal::STOP);
    }

    /// SIGCONT.
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// How long its log is, in bytes.
    #[must_use]
    pub fn log_length(&self) -> u64 {
        std::fs::metadata(&self.log).map_or(0, |file| file.len())
    }

    /// What it has logged since its log was so long.
    #[must_use]
    pub fn log_since(&self, length: u64) -> String {
        let mut text = Vec::new();
        if let Ok(mut file) = std::fs::File::open(&self.log) {
            let _ = file.seek(SeekFrom::Start(length));
            let _ = file.read_to_end(&mut text);
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    fn signal(&self, signal: Signal) {
        let process = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw).expect("a process");
        kill_process(process, signal).expect("it is there");
    }
}
