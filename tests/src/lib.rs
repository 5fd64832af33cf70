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

pub mod acting;
mod agent;
mod browser;
mod cli_schema;
mod clock;
pub mod crashes;
mod described;
mod fault_proxy;
mod front;
mod fronted;
mod gateway;
mod http1;
mod impostor;
pub mod isolation;
mod nginx;
mod oauth_client;
mod odd_h2;
mod odd_http;
mod peer;
mod person;
mod puppet;
mod raw_h2;
mod redis;
pub mod reloads;
mod schema;
mod served;
mod spy;
mod talk;
mod tls;
mod tunnel;
mod upstream;
pub mod versions;
mod wire;

pub use agent::{Agent, now};
pub use browser::{Browser, Page};
pub use cli_schema::hold_cli;
pub use clock::MovedClock;
pub use fault_proxy::{End, FaultProxy, Way, Weather};
pub use front::{Front, connect_from};
pub use fronted::Fronted;
pub use gateway::{Gateway, Launch, Operated, PROGRAM, SEALING_KEY, Store, binary};
pub use http1::{Answer, Request, raw};
pub use impostor::Impostor;
pub use nginx::Nginx;
pub use oauth_client::{OAuthClient, VERIFIER, challenge, consented, form, link};
pub use odd_h2::{Deed, OddH2, Stream};
pub use odd_http::{Exchange, OddHttp, Then};
pub use peer::Peer;
pub use person::Person;
pub use puppet::Puppet;
pub use raw_h2::{PREFACE, RawFrame, RawH2, RawNews, field, frame};
pub use redis::{RedisCluster, RedisServer, WatchedRedis};
pub use served::{Received, Reply, Served};
pub use spy::Spy;
pub use talk::Talk;
pub use tls::{Authority, SecureSite};
pub use tunnel::Tunnel;
pub use upstream::Upstream;
pub use wire::Wire;

/// Begins every token and code of the helpdesk's.
pub const CANARY: &str = "CANARY-";

/// A port that was free a moment ago, and that nobody is given by chance: below the range from which the system draws ports, each once
/// in this process, and begun at another place in each.
#[must_use]
pub fn free_port() -> u16 {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    loop {
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let place = std::process::id().wrapping_mul(397).wrapping_add(number) % PORTS;
        let port = FIRST_PORT + u16::try_from(place).expect("within the range");
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

const FIRST_PORT: u16 = 12_000;
const PORTS: u32 = 20_000;

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
