//! What a line is shown on: two replicas of the gateway on one Redis, or one gateway on its embedded store.

use std::sync::atomic::{AtomicUsize, Ordering};

use helpdesk::Settings;
use serde_json::Value;
use tests::{Agent, Answer, Browser, Gateway, Launch, MovedClock, Page, RedisServer, Store, Upstream, free_port};

/// The two set-ups.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Setup {
    /// Two replicas on one Redis: what shares state goes to one and the other by turns.
    Redis,
    /// One gateway on the embedded store.
    Embedded,
}

/// The gateways, and the service behind them.
pub(super) struct Stage {
    gateways: Vec<Gateway>,
    pub(super) upstream: Upstream,
    turn: AtomicUsize,
    pub(super) redis: Option<RedisServer>,
}

/// What differs from the ordinary.
#[derive(Default)]
pub(super) struct Script<'a> {
    /// Further lines of `[provider.oauth]` of the helpdesk.
    pub(super) oauth: &'a str,
    /// Further lines of `[development]`, and tables after it.
    pub(super) rest: &'a str,
    /// `https` where TLS ends before the gateway.
    pub(super) https: bool,
    /// Further lines of `[gateway]`.
    pub(super) gateway: &'a str,
    /// The clock that the gateways live by; a Redis goes by the machine's.
    pub(super) clock: Option<&'a MovedClock>,
}

impl Stage {
    pub(super) fn new(setup: Setup) -> Self {
        Self::with(setup, &Script::default())
    }

    pub(super) fn with(setup: Setup, script: &Script<'_>) -> Self {
        Self::before(setup, script, |_| {}, str::to_owned)
    }

    /// With another helpdesk, and another configuration of it: `providers` makes it of the ordinary one.
    pub(super) fn before(
        setup: Setup,
        script: &Script<'_>,
        helpdesk: impl FnOnce(&mut Settings),
        providers: impl FnOnce(&str) -> String,
    ) -> Self {
        let port = free_port();
        let scheme = if script.https { "https" } else { "http" };
        let public_url = format!("{scheme}://127.0.0.1:{port}");
        let upstream = Upstream::start(port, |settings| {
            settings.redirect_uris = vec![format!("{public_url}/ath/callback")];
            helpdesk(settings);
        });
        let pkce = if script.oauth.contains("pkce") { "" } else { "pkce = \"none\"\n" };
        let providers = providers(&upstream.provider(&format!("{pkce}{}", script.oauth)));
        let rest = format!("[development]\nloopback_http = true\n{}\n\n{providers}", script.rest);
        let environment = script.clock.map(MovedClock::environment).unwrap_or_default();
        let redis = (setup == Setup::Redis).then(RedisServer::start);
        let store = redis.as_ref().map_or(Store::Embedded, Store::Redis);
        let launch = Launch {
            store,
            port,
            public_url: &public_url,
            gateway: script.gateway,
            rest: &rest,
            environment: &environment,
        };
        let mut gateways = vec![Gateway::launch(&launch)];
        if setup == Setup::Redis {
            gateways.push(Gateway::launch(&Launch { port: free_port(), ..launch }));
        }
        Self { gateways, upstream, turn: AtomicUsize::new(0), redis }
    }

    /// The gateway whose turn it is.
    pub(super) fn next(&self) -> &Gateway {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        &self.gateways[turn % self.gateways.len()]
    }

    /// Every gateway.
    pub(super) fn all(&self) -> &[Gateway] {
        &self.gateways
    }

    /// What agents and browsers call it.
    pub(super) fn public_url(&self) -> String {
        self.gateways[0].public_url()
    }

    /// Where attestations for tokens are addressed to.
    pub(super) fn token_url(&self) -> String {
        format!("{}/ath/token", self.public_url())
    }

    /// A person's browser, which the load balancer sends to the gateway whose turn it is.
    pub(super) fn browser(&self) -> Browser {
        let mut browser = Browser::new();
        self.switch(&mut browser);
        browser
    }

    /// The load balancer sends the browser elsewhere from now on.
    pub(super) fn switch(&self, browser: &mut Browser) {
        browser.reroute(self.upstream.gateway_port(), self.next().port());
    }

    /// An agent that is registered.
    pub(super) fn agent(&self) -> Agent {
        let mut agent = Agent::new("Ticket Helper");
        let answer = agent.register(self.next());
        assert_eq!(answer.status, 201, "{}", answer.body_text());
        agent
    }

    /// Alice's consent, each step at the gateway whose turn it is: the session, and the code.
    pub(super) fn consent(&self, agent: &Agent, scopes: &[&str]) -> (String, String) {
        self.consent_of(ALICE, agent, scopes)
    }

    /// The same of somebody else.
    pub(super) fn consent_of(&self, person: &str, agent: &Agent, scopes: &[&str]) -> (String, String) {
        let (link, session) = agent.authorize(self.next(), scopes);
        let mut browser = self.browser();
        let page = browser.open(&link);
        self.switch(&mut browser);
        let page = self.account_of(person, &mut browser, &page);
        self.switch(&mut browser);
        let end = browser.submit(&page, &[("decision", "continue")]);
        let code = end.parameters().remove("code");
        assert!(code.is_some(), "no code at {}", end.url);
        (session, code.unwrap_or_default())
    }

    /// From the consent page to the end, by Allow, alice's sign-in, Allow there, and Continue.
    pub(super) fn finish(&self, browser: &mut Browser, page: &Page) -> Page {
        let page = self.account_of(ALICE, browser, page);
        self.switch(browser);
        browser.submit(&page, &[("decision", "continue")])
    }

    /// From the consent page to the page that names the account.
    pub(super) fn account_of(&self, person: &str, browser: &mut Browser, page: &Page) -> Page {
        let page = browser.submit(page, &[("decision", "allow")]);
        let page = browser.submit(&page, &[("username", person), ("password", "demo1234")]);
        self.switch(browser);
        let mut page = browser.submit(&page, &[("decision", "allow")]);
        // An older connection could do more, so the provider asks once again, for all of it.
        if page.url.host_str() == Some("localhost") {
            page = browser.submit(&page, &[("decision", "allow")]);
        }
        assert!(
            page.url.path() == "/ath/consent/account" && page.says(person),
            "{} {}",
            page.url,
            page.answer.body_text()
        );
        page
    }

    /// A live token of alice's.
    pub(super) fn token(&self, agent: &Agent, scopes: &[&str]) -> String {
        self.token_of(ALICE, agent, scopes)
    }

    /// The same of somebody else's.
    pub(super) fn token_of(&self, person: &str, agent: &Agent, scopes: &[&str]) -> String {
        let (session, code) = self.consent_of(person, agent, scopes);
        let answer = agent.exchange(self.next(), &session, &code);
        assert_eq!(answer.status, 200, "{}", answer.body_text());
        answer.text("/access_token")
    }

    /// A call with this token, at the gateway whose turn it is.
    pub(super) fn call(&self, agent: &Agent, token: &str, method: &str, path: &str) -> Answer {
        agent.send(&agent.call(self.next(), token, method, path))
    }

    /// A gateway on the same store for which development is over: https alone, and no address but public ones.
    pub(super) fn strict(&self) -> Gateway {
        let store = self.redis.as_ref().map_or(Store::Embedded, Store::Redis);
        let providers = self.upstream.provider("").replace("http://localhost", "https://localhost");
        Gateway::start_in_earnest(store, "https://gateway.example.com", &providers)
    }

    /// How many calls have reached the service.
    pub(super) fn forwarded(&self) -> usize {
        self.upstream.helpdesk.recorded_requests().len()
    }

    /// An operator's command, at the gateway whose turn it is; what it printed, read as JSON.
    pub(super) fn operate(&self, arguments: &[&str]) -> Value {
        self.next().operate_json(arguments)
    }

    /// Every line of the audit logs of all gateways.
    pub(super) fn record(&self) -> Vec<Value> {
        self.gateways.iter().flat_map(Gateway::audit).collect()
    }

    /// What all gateways have logged.
    pub(super) fn log(&self) -> String {
        self.gateways.iter().map(Gateway::log).collect()
    }
}

/// Two people with accounts at the helpdesk.
pub(super) const ALICE: &str = "alice@acme.test";
pub(super) const BOB: &str = "bob@acme.test";

/// Status and code, to be compared with an answer's.
pub(super) fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}
