use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use crate::eventually;

/// A program beside the test that says in lines what it does, and is ended with the test.
pub struct Peer {
    process: Child,
    said: Arc<Mutex<Vec<String>>>,
}

impl Peer {
    /// Starts it; nothing of what it complains about is lost.
    #[must_use]
    pub fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("it must be installed: ./tests/run does it");
        let said = Arc::new(Mutex::new(Vec::new()));
        let (lines, out) = (said.clone(), process.stdout.take().expect("piped"));
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        Self { process, said }
    }

    /// The same, when it has said READY.
    #[must_use]
    pub fn ready(command: &mut Command) -> Self {
        let peer = Self::start(command);
        peer.says("READY");
        peer
    }

    /// Waits for a line.
    pub fn says(&self, line: &str) {
        eventually(&format!("it says {line}"), || self.said().iter().any(|said| said == line));
    }

    /// What it has said so far.
    #[must_use]
    pub fn said(&self) -> Vec<String> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tells it a line.
    pub fn tell(&mut self, line: &str) {
        let input = self.process.stdin.as_mut().expect("piped");
        input.write_all(format!("{line}\n").as_bytes()).and_then(|()| input.flush()).expect("it listens");
    }

    /// Waits for its end.
    pub fn ended(&mut self) -> ExitStatus {
        drop(self.process.stdin.take());
        self.process.wait().expect("a process")
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
