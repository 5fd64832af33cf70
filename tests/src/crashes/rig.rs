use std::time::Duration;

use helpdesk::{Outcome, Rotation, Successor};

use crate::{Agent, Answer, Browser, FaultProxy, Gateway, Launch, RedisServer, Request, Store, Upstream, free_port};

/// What the provider makes of a refresh token that was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// It stays.
    Keeps,
    /// It is replaced, and everything ends when it comes back.
    Strict,
    /// It is replaced, and answered again for half a minute.
    Lenient,
}

/// Where records lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shelf {
    /// One gateway on the embedded store.
    Embedded,
    /// Two gateways on one Redis.
    Redis,
}

/// What becomes of a gateway that died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Afterwards {
    /// Something starts it again at once.
    StartsAgain,
    /// It stays down until it is known what became of the grant: another has to go on.
    StaysDown,
}

/// Gateways, a provider, an agent, and people whose access tokens are due at every call.
pub struct Rig {
    /// The provider.
    pub upstream: Upstream,
    /// The first is the one that dies.
    pub gateways: Vec<Gateway>,
    /// How it rotates.
    pub provider: Provider,
    /// Where the records are.
    pub shelf: Shelf,
    /// What becomes of a gateway that died.
    pub afterwards: Afterwards,
    /// Those whose connections are used.
    pub people: Vec<Person>,
    agent: Agent,
    _redis: Option<RedisServer>,
}

/// Somebody's connection.
#[derive(Debug, Clone)]
pub struct Person {
    /// The agent's token for it.
    pub token: String,
    /// What the agent registered as.
    pub agent_id: String,
}

impl Provider {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Keeps, Self::Strict, Self::Lenient];

    /// As the helpdesk is told.
    #[must_use]
    pub fn rotation(self) -> Rotation {
        match self {
            Self::Keeps => Rotation::None,
            Self::Strict => Rotation::RotatingWithReuseDetection,
            Self::Lenient => Rotation::RotatingWithGrace { window: Duration::from_secs(30), successor: Successor::New },
        }
    }
}

impl Rig {
    /// Everything started, and nobody connected. `settings` are added to the table of the provider's OAuth server.
    #[must_use]
    pub fn start(shelf: Shelf, provider: Provider, settings: &str) -> Self {
        Self::start_with(shelf, provider, settings, &[])
    }

    /// The same, with further variables in the environment of all gateways.
    #[must_use]
    pub fn start_with(shelf: Shelf, provider: Provider, settings: &str, environment: &[(&str, String)]) -> Self {
        let redis = (shelf == Shelf::Redis).then(RedisServer::start);
        Self::build(provider, settings, environment, redis, None, |text| text)
    }

    /// Two gateways on one Redis, the first of which reaches it by way of a proxy with faults.
    #[must_use]
    pub fn start_apart(provider: Provider, settings: &str) -> (Self, FaultProxy) {
        let redis = RedisServer::start();
        let proxy = FaultProxy::start(redis.port());
        let store = format!("url = \"redis://127.0.0.1:{}\"", proxy.port());
        (Self::build(provider, settings, &[], Some(redis), Some(&store), |text| text), proxy)
    }

    /// One gateway on the embedded store, which reaches the provider's token endpoint by way of a proxy with faults.
    #[must_use]
    pub fn start_with_cuts(provider: Provider) -> (Self, FaultProxy) {
        let mut proxy = None;
        let rig = Self::build(provider, "", &[], None, None, |text| {
            let line = text.lines().find(|line| line.starts_with("token_endpoint")).expect("a token endpoint");
            let port = line.split(':').nth(2).and_then(|rest| rest.split('/').next()).expect("a port");
            let proxied = FaultProxy::start(port.parse().expect("a port"));
            let text = text.replace(line, &line.replace(port, &proxied.port().to_string()));
            proxy = Some(proxied);
            text
        });
        (rig, proxy.expect("a proxy"))
    }

    fn build(
        provider: Provider,
        settings: &str,
        environment: &[(&str, String)],
        redis: Option<RedisServer>,
        first: Option<&str>,
        change: impl FnOnce(String) -> String,
    ) -> Self {
        let upstream = Upstream::start(free_port(), |told| {
            told.rotation = provider.rotation();
            // Less than the minute before its end in which a token is renewed: every call needs a refresh.
            told.access_token_lifetime = Duration::from_secs(30);
            told.userinfo = false;
        });
        let store = redis.as_ref().map_or(Store::Embedded, Store::Redis);
        let text = change(unnamed(&upstream, settings));
        let public_url = format!("http://127.0.0.1:{}", upstream.gateway_port());
        let rest = format!(
            "[development]\nloopback_http = true\n\n[lifetimes]\ntoken = \"3650d\"\napproval = \"3650d\"\n\n{text}"
        );
        let launch = |port, store| {
            Gateway::launch(&Launch { store, port, public_url: &public_url, gateway: "", rest: &rest, environment })
        };
        let mut gateways = vec![launch(upstream.gateway_port(), first.map_or(store, Store::Written))];
        if redis.is_some() {
            gateways.push(launch(free_port(), store));
        }
        let shelf = if redis.is_some() { Shelf::Redis } else { Shelf::Embedded };
        let mut agent = Agent::new("Ticket Helper");
        let registered = agent.register(&gateways[0]);
        assert_eq!(registered.status, 201, "{}", registered.body_text());
        let afterwards = Afterwards::StartsAgain;
        Self { upstream, gateways, provider, shelf, afterwards, people: Vec::new(), agent, _redis: redis }
    }

    /// Connects so many more people.
    pub fn connect(&mut self, count: usize) {
        for _ in 0..count {
            let person = self.consent();
            self.people.push(person);
        }
    }

    /// A new consent, of somebody whom nobody knows.
    #[must_use]
    pub fn consent(&self) -> Person {
        consent(&self.agent, &self.gateways[0])
    }

    /// The agent.
    #[must_use]
    pub fn agent(&self) -> &Agent {
        &self.agent
    }

    /// A call in somebody's name, by way of one of the gateways.
    #[must_use]
    pub fn call(&self, gateway: usize, person: &Person) -> Request {
        person.call(&self.gateways[gateway])
    }

    /// How often each refresh token that is in the ledger behind `skip` was presented in earnest, at most.
    #[must_use]
    pub fn most_presentations(&self, skip: usize) -> usize {
        let mut counted = std::collections::HashMap::<String, usize>::new();
        for one in self.upstream.helpdesk.presentations(skip) {
            if one.outcome != Outcome::Ignored {
                *counted.entry(one.token).or_default() += 1;
            }
        }
        counted.into_values().max().unwrap_or(0)
    }
}

impl Person {
    /// A call in their name.
    #[must_use]
    pub fn call(&self, gateway: &Gateway) -> Request {
        Request::new("GET", &format!("{}/ath/proxy/helpdesk/tickets/1", gateway.url()))
            .header("authorization", &format!("Bearer {}", self.token))
            .header("x-ath-agent-id", &self.agent_id)
    }
}

/// The provider's text without userinfo: everybody who consents is somebody new, with a connection of their own.
pub(crate) fn unnamed(upstream: &Upstream, settings: &str) -> String {
    let text = upstream.provider(&format!("pkce = \"none\"\n{settings}"));
    let lines = text.lines().filter(|line| !line.starts_with("userinfo_endpoint"));
    lines.fold(String::new(), |text, line| text + line + "\n")
}

/// A consent in a fresh browser, up to the agent's token.
pub(crate) fn consent(agent: &Agent, gateway: &Gateway) -> Person {
    let (link, session) = agent.authorize(gateway, &["read:tickets"]);
    let mut browser = Browser::new();
    let page = browser.sign_in(&link);
    let page = browser.submit(&page, &[("decision", "allow")]);
    let end = browser.submit(&page, &[("decision", "continue")]).parameters();
    let answer: Answer = agent.exchange(gateway, &session, &end["code"]);
    assert_eq!(answer.status, 200, "{}", answer.body_text());
    Person { token: answer.text("/access_token"), agent_id: agent.id.as_str().to_owned() }
}
