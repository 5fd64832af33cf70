//! What one client can take of the gateway is bounded: its time, its numbers, its memory; and the others' share stays theirs.

mod floods;
mod neighbours;
mod numbers;
mod slow;

use std::io::Read;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tests::{Agent, Browser, Exchange, Fronted, OddHttp, Request, Then};

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
            ended => {
                let heard = String::from_utf8_lossy(&heard).into_owned();
                let waits = ended.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
                assert!(!waits, "still open after {limit:?}: {heard}");
                return (begun.elapsed(), heard);
            }
        }
    }
}

/// An API in front of which the gateway stands: it answers soon, or, where the path says so, when it is let.
struct Place {
    front: Fronted,
    let_go: Arc<AtomicBool>,
}

impl Place {
    /// Calls that hang are answered now.
    fn let_go(&self) {
        self.let_go.store(true, Ordering::Relaxed);
    }

    /// A call by another agent than the one that the place was made with.
    fn of_another(&self, path: &str) -> Request {
        let mut other = Agent::new("Another");
        assert_eq!(other.register(&self.front.gateway).status, 201);
        let (link, session) = other.authorize(&self.front.gateway, &["read:tickets"]);
        let end = Browser::new().consent(&link);
        let token = other.exchange(&self.front.gateway, &session, &end["code"]).text("/access_token");
        other.call(&self.front.gateway, &token, "GET", path)
    }
}

/// With further keys of the provider, and further lines of the configuration.
fn place(keys: &str, gateway: &str) -> Place {
    let let_go = Arc::<AtomicBool>::default();
    let seen = let_go.clone();
    let api = OddHttp::start(move |exchange| answers(exchange, &seen));
    let front = Fronted::with(&api.url(), keys, &format!("{gateway}\n[log]\nfilter = \"info\"\n"));
    Place { front, let_go }
}

fn answers(exchange: &mut Exchange, let_go: &AtomicBool) -> Then {
    while exchange.path().contains("hang") && exchange.stands() && !let_go.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(20));
    }
    exchange.whole();
    if exchange.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") { Then::Next } else { Then::Close }
}
