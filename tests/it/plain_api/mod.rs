//! A provider's own path and host, for clients that know an address and a bearer token, and nothing else.

mod chain;
mod challenges;
mod documents;
mod forms;
mod refusals;
mod renewal;

use std::fmt::Write as _;

use tests::{Agent, Answer, Browser, CANARY, Gateway, RedisServer, Store, Upstream, free_port, raw};

/// The name by which the helpdesk alone is reached.
const HOST: &str = "desk.localhost";

/// One gateway, or two replicas, before a helpdesk that has both entrances; and a token for it.
struct Scene {
    one: Gateway,
    two: Option<Gateway>,
    upstream: Upstream,
    agent: Agent,
    token: String,
    _redis: Option<RedisServer>,
}

/// A way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    Ath,
    Prefix,
    Host,
}

const PLAIN: [Door; 2] = [Door::Prefix, Door::Host];

impl Door {
    /// What comes before the API's path.
    fn base(self) -> &'static str {
        match self {
            Self::Ath => "/ath/proxy/helpdesk",
            Self::Prefix => "/helpdesk",
            Self::Host => "",
        }
    }
}

fn providers(upstream: &Upstream) -> String {
    let own = format!("host = \"{HOST}\"\npath_prefix = \"/helpdesk\"");
    upstream.provider("pkce = \"none\"").replace("path_prefix = \"/helpdesk\"", &own)
}

impl Scene {
    fn start(redis: Option<RedisServer>, change: impl FnOnce(&mut helpdesk::Settings)) -> Self {
        let upstream = Upstream::start(free_port(), change);
        let text = providers(&upstream);
        let store = redis.as_ref().map_or(Store::Embedded, Store::Redis);
        let one = Gateway::start_with(store, upstream.gateway_port(), &text);
        let two = redis.is_some().then(|| one.replica_with(store, &text));
        let mut agent = Agent::new("Ticket Helper");
        assert_eq!(agent.register(&one).status, 201);
        let token = token(&one, &agent, "helpdesk", &["read:tickets"]);
        Self { one, two, upstream, agent, token, _redis: redis }
    }

    fn embedded() -> Self {
        Self::start(None, |_| {})
    }

    fn both() -> [Self; 2] {
        [Self::embedded(), Self::start(Some(RedisServer::start()), |_| {})]
    }

    fn two(&self) -> &Gateway {
        self.two.as_ref().unwrap_or(&self.one)
    }

    /// A call as a plain client makes it.
    fn call(&self, door: Door, target: &str) -> Answer {
        ask(&self.one, door, ("GET", target), &[("Authorization", &format!("Bearer {}", self.token))])
    }

    /// How many calls have come to the API.
    fn forwarded(&self) -> usize {
        self.upstream.helpdesk.recorded_requests().len()
    }

    /// Where an entrance's metadata is.
    fn metadata(&self, door: Door) -> String {
        const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";
        let public = self.one.public_url();
        match door {
            Door::Ath | Door::Prefix => format!("{public}{WELL_KNOWN}{}", door.base()),
            Door::Host => {
                let port = public.rsplit(':').next().expect("a port");
                format!("http://{HOST}:{port}{WELL_KNOWN}")
            }
        }
    }
}

/// A token for one of the providers, by another person's or the same person's consent.
fn token(gateway: &Gateway, agent: &Agent, provider: &str, scopes: &[&str]) -> String {
    let mut wish = agent.authorization(gateway, scopes);
    wish["provider_id"] = provider.into();
    let begun = agent.post(gateway, "/ath/authorize", &wish);
    assert_eq!(begun.status, 200, "{}", begun.body_text());
    let mut browser = Browser::new();
    let page = browser.sign_in(&begun.text("/authorization_url"));
    let page = browser.submit(&page, &[("decision", "allow")]);
    let end = browser.submit(&page, &[("decision", "continue")]).parameters();
    let issued = agent.exchange(gateway, &begun.text("/ath_session_id"), &end["code"]);
    assert_eq!(issued.status, 200, "{}", issued.body_text());
    issued.text("/access_token")
}

/// A request with these headers and no others, and what came back: never anything of the upstream's tokens.
fn ask(gateway: &Gateway, door: Door, (method, target): (&str, &str), headers: &[(&str, &str)]) -> Answer {
    let port = gateway.port();
    let host = if door == Door::Host { HOST } else { "127.0.0.1" };
    let mut head = format!("{method} {}{target} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n", door.base());
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n").expect("written");
    }
    head.push_str("\r\n");
    let answer = raw(port, head.as_bytes(), method);
    let leaked = answer.bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes());
    assert!(!leaked, "{method} {target}: {}", answer.body_text());
    answer
}
