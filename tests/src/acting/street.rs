//! Acting providers along one gateway, and everything that happens to a connection, in each house: consent, call, expiry, a second agent,
//! the end of the grant and a new one, revocation.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::panic::AssertUnwindSafe;

use serde_json::{Value, json};

use super::{Acting, Presentation, Rotation, SECRET, Wants, Who};
use crate::{Agent, Answer, Browser, Gateway, Launch, MovedClock, Page, Request, Store, free_port};

/// One acting provider, as the gateway is told of it.
pub struct House {
    /// It.
    pub acting: Acting,
    /// What agents ask for.
    pub scopes: Vec<&'static str>,
    /// What they call: a method, and a path below the provider's.
    pub call: (&'static str, &'static str),
    browser: Browser,
    tokens: Vec<String>,
}

/// A gateway, and the houses behind it.
pub struct Street {
    /// Where agents and browsers go.
    pub gateway: Gateway,
    /// The same for the second agent, where there are two on one store.
    pub replica: Option<Gateway>,
    /// All acting providers.
    pub houses: Vec<House>,
    clock: MovedClock,
    agents: Vec<Agent>,
    /// In seconds: how far the clock was moved.
    later: Cell<u64>,
}

/// Where a street's gateway will be, before it is there.
pub struct Ground {
    port: u16,
    houses: Vec<House>,
    text: String,
}

impl Ground {
    /// Nothing on it yet.
    #[must_use]
    pub fn new() -> Self {
        Self { port: free_port(), houses: Vec::new(), text: String::new() }
    }

    /// Adds a provider. In `toml`, its `[[provider]]` table without `id`, `$base` is its origin, `$api` that of its API, `$named` the latter's host and port, and `$secret` says
    /// where the secret is.
    #[must_use]
    pub fn with(self, wants: Wants, toml: &str, scopes: &[&'static str], call: (&'static str, &'static str)) -> Self {
        self.with_told(wants, |_| toml.to_owned(), scopes, call)
    }

    /// The same where the table depends on where the provider is.
    #[must_use]
    pub fn with_told(
        mut self,
        wants: Wants,
        toml: impl FnOnce(&Acting) -> String,
        scopes: &[&'static str],
        call: (&'static str, &'static str),
    ) -> Self {
        let redirect_uri = format!("http://127.0.0.1:{}/ath/callback/{}", self.port, wants.name);
        let acting = Acting::start(wants, &redirect_uri);
        let toml = toml(&acting)
            .replace("$base", acting.url())
            .replace("$named", acting.api_url().trim_start_matches("http://"))
            .replace("$api", acting.api_url())
            .replace("$secret", "{ env = \"ACTING_SECRET\" }");
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "[[provider]]\nid = \"{}\"\n{toml}\n", wants.name);
        let (scopes, browser) = (scopes.to_vec(), Browser::new());
        self.houses.push(House { acting, scopes, call, browser, tokens: Vec::new() });
        self
    }

    /// The gateway starts, and two agents register.
    #[must_use]
    pub fn open(self, store: Store<'_>) -> Street {
        let clock = MovedClock::new();
        let mut environment = clock.environment();
        environment.push(("ACTING_SECRET", SECRET.to_owned()));
        let public = format!("http://127.0.0.1:{}", self.port);
        let rest = format!(
            "[development]\nloopback_http = true\n\n[lifetimes]\ntoken = \"300d\"\napproval = \"300d\"\n\n{}",
            self.text
        );
        let launch = |port: u16| {
            Gateway::launch(&Launch {
                store,
                port,
                public_url: &public,
                gateway: "",
                rest: &rest,
                environment: &environment,
            })
        };
        let gateway = launch(self.port);
        let replica = matches!(store, Store::Redis(_)).then(|| launch(free_port()));
        let wished: Vec<Value> = self
            .houses
            .iter()
            .map(|house| json!({ "provider_id": house.acting.wants().name, "scopes": house.scopes }))
            .collect();
        let agents = ["Ticket Helper", "Second Helper"].map(|name| {
            let mut agent = Agent::new(name);
            let mut registration = agent.registration(&gateway);
            registration["requested_providers"] = json!(wished);
            let answer = agent.post(&gateway, "/ath/agents/register", &registration);
            assert_eq!(answer.status, 201, "{}", answer.body_text());
            agent.client = Some((answer.text("/client_id"), answer.text("/client_secret")));
            agent
        });
        Street { gateway, replica, houses: self.houses, clock, agents: agents.into(), later: Cell::new(0) }
    }
}

impl Default for Ground {
    fn default() -> Self {
        Self::new()
    }
}

impl Street {
    /// Everything that happens to a connection, at every provider. Whoever fails is named at the end, all of them at once.
    pub fn walk(&mut self) {
        let mut failed = BTreeMap::new();
        self.each(&mut failed, |street, number| {
            street.opens(number);
            street.expires_by_word(number);
        });
        // Nobody renews twice within half a minute.
        self.forward(BEGUN);
        self.each(&mut failed, Self::ends_and_reconnects);
        for (lifetime, number) in self.by_lifetime() {
            self.attempt(&mut failed, number, |street, number| street.time_passes(number, lifetime));
        }
        self.each(&mut failed, |street, number| street.gives_back(number));
        let said: Vec<&String> = failed.values().collect();
        assert!(failed.is_empty(), "{} of {} providers: {said:#?}", failed.len(), self.houses.len());
    }

    fn each(&mut self, failed: &mut BTreeMap<usize, String>, step: impl Fn(&mut Self, usize)) {
        for number in 0..self.houses.len() {
            self.attempt(failed, number, &step);
        }
    }

    fn attempt(&mut self, failed: &mut BTreeMap<usize, String>, number: usize, step: impl FnOnce(&mut Self, usize)) {
        if failed.contains_key(&number) {
            return;
        }
        let ended = std::panic::catch_unwind(AssertUnwindSafe(|| step(self, number)));
        if let Err(why) = ended {
            let text = why.downcast_ref::<String>().cloned();
            let text = text.or_else(|| why.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            failed.insert(number, text.unwrap_or_else(|| self.houses[number].acting.wants().name.to_owned()));
        }
    }

    /// Two agents get the person's consent, and call.
    pub fn opens(&mut self, number: usize) {
        for agent in 0..self.agents.len() {
            let token = self.consents(number, agent);
            self.houses[number].tokens.push(token);
            self.works(number, agent);
        }
    }

    /// The provider takes no access token any more whose time is not over.
    pub fn expires_by_word(&mut self, number: usize) {
        let house = &self.houses[number];
        let (name, rotation) = (house.acting.wants().name, house.acting.wants().refresh.rotation);
        if rotation == Rotation::Access {
            return;
        }
        house.acting.expire_all();
        if rotation == Rotation::None {
            let answer = self.calls(number, 0);
            assert_eq!(answer.status, self.expired(number), "{name}: there is nothing to renew it by");
            assert!(self.houses[number].acting.presentations().is_empty(), "{name}");
            for agent in 0..self.connections(number) {
                let token = self.consents(number, agent);
                self.houses[number].tokens[agent] = token;
            }
        }
        for agent in 0..self.agents.len() {
            // What cannot be repeated is answered as it is, and the token renewed behind it.
            if self.houses[number].call.0 != "GET" {
                let again = || self.calls(number, agent).status != self.expired(number);
                crate::eventually(&format!("{name}: a call after the renewal"), again);
            }
            self.works(number, agent);
        }
        let renewed = if rotation == Rotation::None { 0 } else { self.connections(number) };
        let presentations = self.houses[number].acting.presentations();
        assert_eq!(presentations, vec![Presentation::Renewed; renewed], "{name}: one renewal for each connection");
    }

    /// The person takes the access back at the provider, is told, and connects again.
    pub fn ends_and_reconnects(&mut self, number: usize) {
        let house = &self.houses[number];
        let (name, rotation) = (house.acting.wants().name, house.acting.wants().refresh.rotation);
        if rotation == Rotation::None || rotation == Rotation::Access {
            return;
        }
        house.acting.end_all();
        for agent in 0..self.connections(number) {
            if self.houses[number].call.0 != "GET" {
                let again = || self.calls(number, agent).status != self.expired(number);
                crate::eventually(&format!("{name}: it is noticed"), again);
            }
            let link = reconnect_link(name, &self.calls(number, agent));
            let acting = &self.houses[number].acting;
            assert_eq!(acting.presentations().last(), Some(&Presentation::Void), "{name}");
            assert_eq!(acting.take_refusals(), [format!("{name}: token: the token is Void")]);
            self.reconnects(number, &link);
        }
        for agent in 0..self.agents.len() {
            self.works(number, agent);
        }
    }

    /// How many connections two agents have: one, where the provider says who signed in.
    fn connections(&self, number: usize) -> usize {
        if self.houses[number].acting.wants().who == Who::Nobody { self.agents.len() } else { 1 }
    }

    fn expired(&self, number: usize) -> u16 {
        self.houses[number].acting.wants().expired.0
    }

    /// Those whose access tokens end, the sooner first.
    fn by_lifetime(&self) -> Vec<(u64, usize)> {
        let lifetimes = self.houses.iter().enumerate();
        let mut order: Vec<(u64, usize)> =
            lifetimes.filter_map(|(number, house)| Some((house.acting.wants().lifetime?, number))).collect();
        order.sort_unstable();
        order
    }

    /// A provider's access tokens come to their end by the clock.
    fn time_passes(&mut self, number: usize, lifetime: u64) {
        let wants = *self.houses[number].acting.wants();
        let (name, rotation) = (wants.name, wants.refresh.rotation);
        let before = self.houses[number].acting.presentations().len();
        // What is renewed by itself is renewed while it lives.
        let later = if rotation == Rotation::Access { lifetime - 30 } else { BEGUN + lifetime + 5 };
        self.forward(later);
        for agent in 0..self.connections(number) {
            if rotation == Rotation::None {
                let link = reconnect_link(name, &self.calls(number, agent));
                self.reconnects(number, &link);
            }
        }
        for agent in 0..self.agents.len() {
            self.works(number, agent);
        }
        let presentations = self.houses[number].acting.presentations();
        let renewed = &presentations[before..];
        if rotation == Rotation::None {
            assert!(renewed.is_empty(), "{name}: {renewed:?}");
        } else {
            let all = !renewed.is_empty() && renewed.iter().all(|one| *one == Presentation::Renewed);
            assert!(all, "{name}: {renewed:?}");
        }
    }

    /// The operator ends what there is at a provider, which is told so as it wants to be told.
    pub fn gives_back(&self, number: usize) {
        let house = &self.houses[number];
        let (name, alive) = (house.acting.wants().name, house.acting.live_grants());
        assert!(alive > 0, "{name}");
        let done = self.gateway.operate(&["connections", "revoke", "--provider", name]);
        assert_eq!(done.status, 0, "{name}: {} {}", done.said, done.complained);
        let refusals = house.acting.take_refusals();
        if house.acting.wants().revoke.is_some() {
            let connections = self.connections(number);
            let all = format!("{connections} done, 0 waiting, 0 failing");
            assert!(done.said.contains(&all), "{name}: {} {refusals:?}", done.said);
            assert_eq!(house.acting.live_grants(), alive - connections, "{name}: the grants are over: {refusals:?}");
        } else {
            assert!(done.said.contains("may still be alive"), "{name}: {}", done.said);
        }
        assert_eq!(self.calls(number, 0).status, 401, "{name}: the agent's token is over");
    }

    /// The person's consent for an agent; its token.
    pub fn consents(&mut self, number: usize, agent: usize) -> String {
        let (session, page) = self.begins(number, agent);
        let name = self.houses[number].acting.wants().name;
        let end = page.parameters();
        let code = end.get("code").unwrap_or_else(|| {
            let refusals = self.houses[number].acting.refusals();
            panic!("{name}: no code at {}: {} {refusals:?}", page.url, page.answer.body_text())
        });
        let agent = &self.agents[agent];
        let mut wish = agent.exchange_request(&self.gateway, &session, code);
        let endpoint = format!("{}/ath/token", self.gateway.public_url());
        wish["agent_attestation"] = json!(agent.attest_at(&endpoint, self.later.get().cast_signed()));
        let token = agent.post(&self.gateway, "/ath/token", &wish);
        assert_eq!(token.status, 200, "{name}: {}", token.body_text());
        token.text("/access_token")
    }

    /// The same as far as the browser comes.
    pub fn tries(&mut self, number: usize, agent: usize) -> Page {
        self.begins(number, agent).1
    }

    /// What comes of an agent's wish for a consent.
    #[must_use]
    pub fn wishes(&self, number: usize, agent: usize) -> Answer {
        let house = &self.houses[number];
        let agent = &self.agents[agent];
        let mut wish = agent.authorization(&self.gateway, &house.scopes);
        wish["provider_id"] = json!(house.acting.wants().name);
        wish["agent_attestation"] = json!(agent.attest_at(&self.gateway.public_url(), self.later.get().cast_signed()));
        agent.post(&self.gateway, "/ath/authorize", &wish)
    }

    fn begins(&mut self, number: usize, agent: usize) -> (String, Page) {
        let begun = self.wishes(number, agent);
        let house = &mut self.houses[number];
        assert_eq!(begun.status, 200, "{}: {}", house.acting.wants().name, begun.body_text());
        let page = house.browser.open(&begun.text("/authorization_url"));
        (begun.text("/ath_session_id"), allows(&mut house.browser, page))
    }

    /// The person follows a link, and connects again.
    pub fn reconnects(&mut self, number: usize, link: &str) {
        let house = &mut self.houses[number];
        let page = house.browser.open(link);
        let page = house.browser.submit(&page, &[]);
        let page = allows(&mut house.browser, page);
        let name = house.acting.wants().name;
        assert!(page.says("is connected again"), "{name}: {} {:?}", page.answer.body_text(), house.acting.refusals());
    }

    /// An agent's call arrives, with what the API wants.
    pub fn works(&self, number: usize, agent: usize) {
        let house = &self.houses[number];
        let (name, before) = (house.acting.wants().name, house.acting.calls().len());
        let answer = self.calls(number, agent);
        let refusals = house.acting.take_refusals();
        assert!(refusals.is_empty(), "{name}: {refusals:?}");
        assert_eq!(answer.status, 200, "{name}: {}", answer.body_text());
        let calls = house.acting.calls();
        assert_eq!(calls.len(), before + 1, "{name}: it arrived once");
        assert!(calls[before].target.starts_with(house.acting.wants().api_path), "{name}: {:?}", calls[before]);
    }

    /// An agent's call; the second agent's goes to the second replica, if there is one.
    #[must_use]
    pub fn calls(&self, number: usize, agent: usize) -> Answer {
        let house = &self.houses[number];
        let gateway = if agent == 0 { &self.gateway } else { self.replica.as_ref().unwrap_or(&self.gateway) };
        let (agent, token, (method, path)) = (&self.agents[agent], &house.tokens[agent], house.call);
        let url = format!("{}/ath/proxy/{}{path}", gateway.url(), house.acting.wants().name);
        let request = Request::new(method, &url).header("authorization", &format!("Bearer {token}"));
        let request = request.header("x-ath-agent-id", agent.id.as_str());
        let request = if method == "GET" { request } else { request.json(&json!({})) };
        agent.send(&request)
    }

    /// It is so many seconds later than it is, for everybody.
    pub fn forward(&self, seconds: u64) {
        self.later.set(seconds);
        self.clock.forward(seconds);
        for house in &self.houses {
            house.acting.forward(seconds);
        }
    }
}

/// Through every page until there is nothing more to say yes to, signing in at the provider in any case.
pub fn allows(browser: &mut Browser, page: Page) -> Page {
    let (mut page, account) = (page, "");
    for _ in 0..6 {
        let decision = match page.url.path() {
            "/ath/consent" | super::person::PATH => "allow",
            "/ath/consent/account" => "continue",
            _ if page.says(super::person::PATH) => "allow",
            _ => return page,
        };
        if page.answer.status != 200 {
            return page;
        }
        // With the account that is there already the provider would not be asked; signing in there again is what is meant.
        let account = page.says("name=\"account\"").then_some(("account", account)).filter(|_| decision == "allow");
        let fields: Vec<(&str, &str)> = std::iter::once(("decision", decision)).chain(account).collect();
        page = browser.submit(&page, &fields);
    }
    page
}

fn reconnect_link(name: &str, answer: &Answer) -> String {
    assert_eq!(answer.status, 502, "{name}: {}", answer.body_text());
    assert_eq!(answer.text("/details/reason"), "reconnect_required", "{name}: {}", answer.body_text());
    answer.text("/details/reconnect_url")
}

/// In seconds: how long after the first consents the grants are ended.
const BEGUN: u64 = 40;
