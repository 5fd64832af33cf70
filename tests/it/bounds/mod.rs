//! What one client can take of the gateway is bounded: its time, its numbers, its memory; and the others' share stays theirs.

mod floods;
mod numbers;
mod slow;

use std::io::Read;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tests::{Exchange, Fronted, Request, Then};

/// Somebody who calls now and then, and looks at how that goes.
struct Modest {
    over: Arc<AtomicBool>,
    calls: JoinHandle<Vec<(u16, Duration)>>,
}

impl Modest {
    fn calls(request: Request) -> Self {
        let over = Arc::<AtomicBool>::default();
        let seen = over.clone();
        let calls = std::thread::spawn(move || {
            let mut calls = Vec::new();
            while !seen.load(Ordering::Relaxed) {
                let begun = Instant::now();
                let status = request.send().status;
                calls.push((status, begun.elapsed()));
                std::thread::sleep(Duration::from_millis(10));
            }
            calls
        });
        Self { over, calls }
    }

    /// Every call was answered, and soon.
    fn was_served(self) {
        self.over.store(true, Ordering::Relaxed);
        let calls = self.calls.join().expect("no panic");
        assert!(!calls.is_empty() && calls.iter().all(|(status, _)| *status == 200), "{calls:?}");
        let longest = calls.iter().map(|(_, took)| *took).max().unwrap_or_default();
        println!("{} calls of the others, the longest {longest:?}", calls.len());
        assert!(longest < Duration::from_secs(1), "{longest:?}");
    }
}

/// After how long the other side has ended the connection, and what it said.
fn ended(stream: &mut TcpStream, limit: Duration) -> (Duration, String) {
    let begun = Instant::now();
    stream.set_read_timeout(Some(limit)).expect("a timeout");
    let mut heard = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(read @ 1..) => heard.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("still open after {limit:?}: {}", String::from_utf8_lossy(&heard))
            }
            Ok(_) | Err(_) => return (begun.elapsed(), String::from_utf8_lossy(&heard).into_owned()),
        }
    }
}

/// An API that answers soon, or, where the path says so, never.
fn answers(exchange: &mut Exchange) -> Then {
    if exchange.path().contains("hang") {
        while exchange.stands() {
            std::thread::sleep(Duration::from_millis(50));
        }
        return Then::Close;
    }
    exchange.whole();
    if exchange.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") { Then::Next } else { Then::Close }
}

fn fronted(keys: &str, gateway: &str) -> Fronted {
    let api = tests::OddHttp::start(answers);
    Fronted::with(&api.url(), keys, gateway)
}
