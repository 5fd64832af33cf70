//! Many people's calls at once, by two agents, to a service that answers in every wrong way, while agents go away in the middle: whether
//! anybody gets anything of anybody else's. Each answer says in its head and all through its body which call it is for.

mod caller;
mod service;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::crashes::Person;
use crate::{Agent, Gateway, Launch, Store, Upstream, free_port};
use caller::Caller;
use service::Service;
pub use service::Speaks;

/// What came of it.
#[derive(Debug, Default)]
pub struct Counts {
    /// Calls that were sent.
    pub calls: AtomicU64,
    /// Calls whose agent went away before it had its answer.
    pub cancelled: AtomicU64,
    /// Answers of the service that reached the agent whole.
    pub served: AtomicU64,
    /// Calls that the gateway answered by itself.
    pub refused: AtomicU64,
    /// Answers that broke off, and calls behind them on their connection.
    pub broken: AtomicU64,
    /// Answers of the service that were no good HTTP, or came too early, too late or too often.
    pub malformed: AtomicU64,
    /// Heads, bodies, credentials and requests that were somebody else's.
    pub crossed: AtomicU64,
    /// Answers to another call of the same person.
    pub repeated: AtomicU64,
    /// Answers that are neither the service's nor the gateway's.
    pub strange: AtomicU64,
}

/// The same, when it is over.
#[derive(Debug, Clone, Copy)]
pub struct Report {
    /// Of [`Counts`], in its order.
    pub calls: u64,
    /// Of [`Counts`].
    pub cancelled: u64,
    /// Of [`Counts`].
    pub served: u64,
    /// Of [`Counts`].
    pub refused: u64,
    /// Of [`Counts`].
    pub broken: u64,
    /// Of [`Counts`].
    pub malformed: u64,
    /// Of [`Counts`].
    pub crossed: u64,
    /// Of [`Counts`].
    pub repeated: u64,
    /// Of [`Counts`].
    pub strange: u64,
    /// How long the calls took.
    pub took: Duration,
}

impl Counts {
    fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn report(&self, took: Duration) -> Report {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Report {
            calls: of(&self.calls),
            cancelled: of(&self.cancelled),
            served: of(&self.served),
            refused: of(&self.refused),
            broken: of(&self.broken),
            malformed: of(&self.malformed),
            crossed: of(&self.crossed),
            repeated: of(&self.repeated),
            strange: of(&self.strange),
            took,
        }
    }
}

/// So many calls, by so many connections at a time, for fifty people.
#[must_use]
pub fn run(speaks: Speaks, calls: u64, at_once: u64) -> Report {
    let counts = Arc::new(Counts::default());
    let service = Service::start(speaks, counts.clone());
    let upstream = Upstream::start(free_port(), |told| told.userinfo = false);
    let gateway = gateway(&upstream, &service.url, speaks);
    let agents = ["One", "Other"].map(|name| {
        let mut agent = Agent::new(name);
        assert_eq!(agent.register(&gateway).status, 201);
        agent
    });
    let people: Vec<Person> =
        (0..PEOPLE).map(|person| crate::crashes::consent(&agents[person % agents.len()], &gateway)).collect();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for seed in 0..at_once {
            let mut caller = Caller::new(gateway.port(), speaks, (&people, &counts), seed);
            scope.spawn(move || {
                while counts_up_to(caller.counts(), calls) {
                    caller.round();
                }
            });
        }
    });
    counts.report(begun.elapsed())
}

fn counts_up_to(counts: &Counts, calls: u64) -> bool {
    counts.calls.load(Ordering::Relaxed) < calls
}

fn gateway(upstream: &Upstream, api_base: &str, speaks: Speaks) -> Gateway {
    let there = format!("http://localhost:{}", upstream.port());
    let protocol = match speaks {
        Speaks::Http1 => "h1",
        Speaks::Http2 => "h2",
    };
    let rest = format!(
        r#"[development]
loopback_http = true

[[provider]]
id = "helpdesk"
display_name = "An API"
api_base = "{api_base}"
protocol = "{protocol}"
response_timeout = "2s"

[provider.oauth]
authorize_endpoint = "{there}/authorize"
token_endpoint = "{there}/token"
client_id = "ath-gateway"
client_secret = {{ env = "CLIENT_SECRET" }}
pkce = "none"

[provider.scopes]
"read:tickets" = {{ says = "Everything", allow = ["* /**"] }}
"#
    );
    let port = upstream.gateway_port();
    let public_url = format!("http://127.0.0.1:{port}");
    Gateway::launch(&Launch {
        store: Store::Embedded,
        port,
        public_url: &public_url,
        gateway: "",
        rest: &rest,
        environment: &[],
    })
}

/// What every answer to a call is made of.
fn unit(person: u64, call: u64) -> String {
    format!("<{person}-{call}>")
}

/// Whether all of it is for that call.
fn is_of(unit: &str, bytes: &[u8]) -> bool {
    bytes.iter().zip(unit.bytes().cycle()).all(|(one, other)| *one == other)
}

const PEOPLE: usize = 50;
