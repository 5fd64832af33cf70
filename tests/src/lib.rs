//! What the black-box tests are made of: the built gateway, a real Redis, the acting helpdesk, an acting agent, a person's browser.
//!
//! Every token that the helpdesk issues begins with [`CANARY`]. Whatever an agent is sent is searched for it, and so is the gateway's log.
#![expect(clippy::expect_used, clippy::missing_panics_doc, clippy::panic, reason = "what fails here fails the test")]

use std::sync::atomic::{AtomicU32, Ordering};

mod agent;
mod browser;
mod gateway;
mod http1;
mod redis;
mod served;
mod tunnel;
mod upstream;

pub use agent::{Agent, now};
pub use browser::{Browser, Page};
pub use gateway::{Gateway, Operated, Store, binary};
pub use http1::{Answer, Request, raw};
pub use redis::RedisServer;
pub use served::{Received, Reply, Served};
pub use tunnel::Tunnel;
pub use upstream::Upstream;

/// Begins every token and code of the helpdesk's.
pub const CANARY: &str = "CANARY-";

/// A port that is free, and below those that the system gives out itself: nobody who asks for any port takes it before it is used. Each
/// is given out once, and test programs that run beside each other begin at different places.
#[must_use]
pub fn free_port() -> u16 {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = std::process::id().wrapping_mul(977).wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed)) % 20_000;
        let port = 10_000 + u16::try_from(number).expect("small");
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

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
