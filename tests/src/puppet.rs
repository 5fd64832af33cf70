use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

/// Somebody else's client behind a script that does what it is told: one JSON object to a line, `{"do": ...}` to it, and `{"said": ...}` or
/// `{"failed": ...}` back.
pub struct Puppet {
    process: Child,
    input: Option<ChildStdin>,
    answers: Receiver<String>,
}

/// A browser, a person and two replicas lie in between, on a machine that does other things as well.
const PATIENCE: Duration = Duration::from_secs(90);

impl Puppet {
    /// Starts it.
    #[must_use]
    pub fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("it must be installed: ./tests/run does it");
        let (input, out) = (process.stdin.take(), process.stdout.take().expect("piped"));
        let (lines, answers) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok).filter(|line| line.starts_with('{')) {
                if lines.send(line).is_err() {
                    return;
                }
            }
        });
        Self { process, input, answers }
    }

    /// What comes of a deed; the reason where it failed.
    pub fn attempt(&mut self, deed: &str, given: &Value) -> Result<Value, String> {
        let mut order = given.clone();
        order["do"] = json!(deed);
        let input = self.input.as_mut().expect("piped");
        input.write_all(format!("{order}\n").as_bytes()).and_then(|()| input.flush()).expect("it listens");
        let line = self.answers.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no answer to {order}"));
        let answer: Value = serde_json::from_str(&line).expect("JSON");
        match answer["failed"].as_str() {
            Some(reason) => Err(reason.to_owned()),
            None => Ok(answer["said"].clone()),
        }
    }

    /// What comes of a deed that has to succeed.
    pub fn does(&mut self, deed: &str, given: &Value) -> Value {
        self.attempt(deed, given).unwrap_or_else(|reason| panic!("{deed} {given}: {reason}"))
    }
}

impl Drop for Puppet {
    fn drop(&mut self) {
        // It ends with its input, and what it has started ends with it.
        drop(self.input.take());
        let deadline = std::time::Instant::now() + Duration::from_secs(5);
        while std::time::Instant::now() < deadline {
            if matches!(self.process.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
