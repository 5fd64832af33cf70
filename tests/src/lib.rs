//! What the black-box tests are made of: the built gateway, a real Redis, the acting helpdesk, an acting agent, a person's browser.
//!
//! Every token that the helpdesk issues begins with [`CANARY`]. Whatever an agent is sent is searched for it, and so is the gateway's log.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "what fails here fails the test"
)]

use std::sync::atomic::{AtomicU32, Ordering};

mod agent;
mod browser;
mod clock;
mod gateway;
mod http1;
mod impostor;
mod redis;
mod schema;
mod served;
mod tls;
mod tunnel;
mod upstream;

pub use agent::{Agent, now};
pub use browser::{Browser, Page};
pub use clock::MovedClock;
pub use gateway::{Gateway, Launch, Operated, Store, binary};
pub use http1::{Answer, Request, raw};
pub use impostor::Impostor;
pub use redis::RedisServer;
pub use served::{Received, Reply, Served};
pub use tls::{Authority, SecureSite};
pub use tunnel::Tunnel;
pub use upstream::Upstream;

/// Begins every token and code of the helpdesk's.
pub const CANARY: &str = "CANARY-";

/// A port that is free now, and that the system gives to nobody by itself: below the range from which it takes ports for connections
/// and for whoever does not care. Each test process begins elsewhere.
#[must_use]
pub fn free_port() -> u16 {
    static DRAWN: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id().wrapping_mul(7919);
    for _ in 0..PORTS {
        let number = first.wrapping_add(DRAWN.fetch_add(1, Ordering::Relaxed)) % PORTS;
        let port = 10_000 + u16::try_from(number).expect("less than there are");
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free");
}

const PORTS: u32 = 22_000;

/// Waits until `holds`, for ten seconds at most.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..400 {
        if holds() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(25));
    }
    panic!("this never held: {what}");
}
