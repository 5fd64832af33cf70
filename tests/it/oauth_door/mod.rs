//! The door for ordinary OAuth clients: clients that this project did not write, and attacks, each named by its number: O on what a person
//! consents to, A on who a client is, R on what happened to others.

mod audience;
mod chromium;
mod clients;
mod codes;
mod conformance;
mod doors;
mod enterprise;
mod input;
mod known;
mod machines;
mod openapi;
mod pages;
mod pkce;
mod redirects;
mod registration;
mod rotation;
mod shell;
mod statements;
mod trouble;

use tests::{Answer, Gateway, OAuthClient, RedisServer, Store, Upstream, free_port};

const PKCE: &str = "pkce = \"none\"";

/// A gateway in front of the helpdesk.
struct Door {
    gateway: Gateway,
    upstream: Upstream,
}

impl Door {
    fn open() -> Self {
        Self::with("")
    }

    /// With further tables of the configuration.
    fn with(tables: &str) -> Self {
        Self::on(Store::Embedded, tables)
    }

    fn on(store: Store<'_>, tables: &str) -> Self {
        let upstream = Upstream::start(free_port(), |_| {});
        let text = format!("{}\n{tables}", upstream.provider(PKCE));
        let gateway = Gateway::start_with(store, upstream.gateway_port(), &text);
        Self { gateway, upstream }
    }
}

/// Two replicas on one Redis.
struct Pair {
    one: Gateway,
    two: Gateway,
    redis: RedisServer,
    _upstream: Upstream,
}

impl Pair {
    fn open(tables: &str) -> Self {
        let redis = RedisServer::start();
        let Door { gateway: one, upstream } = Door::on(Store::Redis(&redis), tables);
        let text = format!("{}\n{tables}", upstream.provider(PKCE));
        let two = one.replica_with(Store::Redis(&redis), &text);
        Self { one, two, redis, _upstream: upstream }
    }

    fn each(&self) -> [&Gateway; 2] {
        [&self.one, &self.two]
    }
}

/// Status and error code (RFC 6749 section 5.2), after checking that the answer has the form that every refusal has: it says what to do, and
/// nobody may keep it.
fn refusal(answer: &Answer) -> (u16, String) {
    let text = answer.body_text();
    assert!(!answer.text("/error_description").is_empty(), "a refusal says what to do: {} {text}", answer.status);
    assert!(answer.header("cache-control").is_some_and(|value| value.contains("no-store")), "{:?}", answer.headers);
    assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("application/json")), "{text}");
    (answer.status, answer.text("/error"))
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// What a token may do now: the status of a call.
fn calls(client: &OAuthClient, gateway: &Gateway, token: &str) -> u16 {
    client.call(gateway, token, "/tickets").status
}
