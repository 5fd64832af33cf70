use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{Agent, Answer, Browser, Gateway, OAuthClient, Request, VERIFIER, consented, form, now};

/// What people, agents and clients have in hand after a version has served them: every kind of record lies in its store.
#[derive(Debug, Clone)]
pub struct Story(Value);

impl Story {
    /// Begins everything at this gateway, and finishes most of it.
    #[must_use]
    pub fn begin(gateway: &Gateway) -> Self {
        let mut alice = browser(gateway);
        let (agent, token, ended) = agent(gateway, &mut alice);
        let (other, of_suspended, _) = self::agent(gateway, &mut alice);
        let done = gateway.operate(&["agents", "suspend", &other.client().0, "--reason", "looks odd"]);
        assert_eq!(done.status, 0, "{}", done.complained);
        assert_eq!(gateway.operate(&["providers", "suspend", "other"]).status, 0);

        let (client, mut end) = client(gateway, &mut alice, "read:tickets openid");
        let got = client.exchange(gateway, &end.remove("code").expect("a code"));
        assert_eq!(got.status, 200, "{}", got.body_text());
        let (left, mut end) = self::client(gateway, &mut alice, "read:tickets");
        let of_left = left.exchange(gateway, &end.remove("code").expect("a code")).text("/refresh_token");
        assert_eq!(left.revoke(gateway, &of_left).status, 200);

        // Whoever ends a connection leaves something to be told to a provider that does not listen.
        let mut bob = browser(gateway);
        let under_way = bob.stop_at("/ath/callback", |bob| {
            let page = bob.open(&client.link(gateway));
            bob.submit(&page, &[("decision", "allow")])
        });
        let waiting = device(gateway, &client);
        Self(json!({
            "at": now(),
            "agent": {"id": agent.id.as_str(), "client": agent.client().0, "secret": agent.client().1, "token": token, "ended": ended},
            "suspended": {"id": other.id.as_str(), "token": of_suspended},
            "client": {
                "id": client.id, "resource": client.resource, "access": got.text("/access_token"), "refresh": got.text("/refresh_token"),
                "ended": of_left, "other": left.id,
            },
            "alice": alice.cookies(HOST),
            "bob": {"cookies": bob.cookies(HOST), "at": under_way.as_str()},
            "device": waiting,
        }))
    }

    /// The seconds since it was written down.
    #[must_use]
    pub fn age(&self) -> u64 {
        now().saturating_sub(self.0["at"].as_u64().expect("a number"))
    }

    /// As text.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{:#}\n", self.0)
    }

    /// From text.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        Self(serde_json::from_str(text).expect("JSON"))
    }

    fn word(&self, pointer: &str) -> String {
        self.0.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer}")).to_owned()
    }

    /// Whether a call of the client's is served.
    #[must_use]
    pub fn is_served(&self, gateway: &Gateway) -> bool {
        plain(gateway, &self.word("/client/access"), "helpdesk").status == 200
    }

    /// What calls are answered with at any gateway on the store, as long as nothing more is done.
    pub fn still_holds(&self, gateway: &Gateway) {
        let call = |agent: &str, token: &str| call(gateway, &self.word(agent), &self.word(token));
        let served = call("/agent/id", "/agent/token");
        assert_eq!(served.status, 200, "{}", served.body_text());
        assert_eq!(plain(gateway, &self.word("/client/access"), "helpdesk").status, 200);
        assert_eq!(call("/agent/id", "/agent/ended").refusal(), (401, "TOKEN_REVOKED".to_owned()));
        // A suspended agent's tokens are dead.
        assert_eq!(call("/suspended/id", "/suspended/token").refusal(), (401, "TOKEN_REVOKED".to_owned()));
        let closed = Request::new("GET", &format!("{}/ath/proxy/other/tickets", gateway.url()));
        let closed = closed.header("authorization", &format!("Bearer {}", self.word("/agent/token"))).send();
        assert!(closed.status >= 400, "{}", closed.body_text());
        let ended = refresh(gateway, &self.word("/client/other"), &self.word("/client/ended"));
        assert_eq!((ended.status, ended.text("/error")), (400, "invalid_grant".to_owned()));

        let page = self.alice(gateway).open(&format!("{}/accounts", gateway.public_url()));
        assert_eq!(page.answer.status, 200);
        for name in ["Plain Client", "Ticket Helper", "Acme Helpdesk"] {
            assert!(page.says(name), "{name} is on the person's page: {}", page.answer.body_text());
        }
    }

    /// Goes on with what was begun: a consent under way, a device that waits, a refresh; then everything works at each of `all`.
    #[must_use]
    pub fn goes_on(mut self, gateway: &Gateway, all: &[&Gateway]) -> Self {
        let mut bob = browser(gateway);
        for (name, value) in self.0["bob"]["cookies"].as_object().expect("cookies") {
            bob.plant(HOST, name, value.as_str().expect("a text"));
        }
        let page = bob.open(&self.word("/bob/at"));
        let mut end = consented(&mut bob, page).parameters();
        let code = end.remove("code").unwrap_or_else(|| panic!("no code: {end:?}"));
        let fields = BTreeMap::from([
            ("grant_type", "authorization_code".to_owned()),
            ("client_id", self.word("/client/id")),
            ("code", code),
            ("redirect_uri", BACK.to_owned()),
            ("code_verifier", VERIFIER.to_owned()),
        ]);
        let last = all.last().expect("a gateway");
        let got = form(last, "/oauth/token", &fields).send();
        assert_eq!(got.status, 200, "{}", got.body_text());
        let of_bob = got.text("/access_token");
        for gateway in all {
            assert_eq!(plain(gateway, &of_bob, "helpdesk").status, 200);
        }

        let mut alice = self.alice(gateway);
        let page =
            alice.open(&format!("{}/oauth/device?user_code={}", gateway.public_url(), self.word("/device/user_code")));
        let page = if page.says("name=\"user_code\"") {
            let code = self.word("/device/user_code");
            alice.submit(&page, &[("user_code", &code)])
        } else {
            page
        };
        let page = consented(&mut alice, page);
        assert_eq!(page.answer.status, 200, "{}", page.answer.body_text());
        let fields = BTreeMap::from([
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code".to_owned()),
            ("client_id", self.word("/client/id")),
            ("device_code", self.word("/device/device_code")),
        ]);
        let got = form(last, "/oauth/token", &fields).send();
        assert_eq!(got.status, 200, "{}", got.body_text());

        // The family's refresh token goes from one gateway to the next.
        for gateway in [gateway].iter().chain(all) {
            let got = refresh(gateway, &self.word("/client/id"), &self.word("/client/refresh"));
            assert_eq!(got.status, 200, "{}", got.body_text());
            self.0["client"]["refresh"] = json!(got.text("/refresh_token"));
            self.0["client"]["access"] = json!(got.text("/access_token"));
            for gateway in all {
                assert_eq!(plain(gateway, &got.text("/access_token"), "helpdesk").status, 200);
            }
        }
        self
    }

    /// Ends the agent's token at `gateway`: when that is acknowledged it has ended at each of `all`.
    pub fn ends(&self, gateway: &Gateway, all: &[&Gateway]) {
        let token = self.word("/agent/token");
        for each in all {
            assert_eq!(call(each, &self.word("/agent/id"), &token).status, 200);
        }
        let wish = json!({"client_id": self.word("/agent/client"), "client_secret": self.word("/agent/secret"), "token": token});
        assert_eq!(gateway.request("POST", "/ath/revoke").json(&wish).send().status, 200);
        for each in all {
            assert_eq!(call(each, &self.word("/agent/id"), &token).refusal(), (401, "TOKEN_REVOKED".to_owned()));
        }
    }

    fn alice(&self, gateway: &Gateway) -> Browser {
        let mut alice = browser(gateway);
        for (name, value) in self.0["alice"].as_object().expect("cookies") {
            alice.plant(HOST, name, value.as_str().expect("a text"));
        }
        alice
    }
}

/// A browser for which this gateway is the one behind the public URL.
fn browser(gateway: &Gateway) -> Browser {
    let mut browser = Browser::new();
    let public = url::Url::parse(&gateway.public_url()).ok().and_then(|url| url.port()).expect("a port");
    browser.reroute(public, gateway.port());
    browser
}

/// An agent with two tokens, the second of them ended.
fn agent(gateway: &Gateway, browser: &mut Browser) -> (Agent, String, String) {
    let mut agent = Agent::new("Ticket Helper");
    assert_eq!(agent.register(gateway).status, 201);
    let mut token = || {
        let (link, session) = agent.authorize(gateway, &["read:tickets"]);
        let page = browser.open(&link);
        let end = consented(browser, page).parameters();
        let token = agent.exchange(gateway, &session, &end["code"]);
        assert_eq!(token.status, 200, "{}", token.body_text());
        token.text("/access_token")
    };
    let (token, ended) = (token(), token());
    assert_eq!(agent.revoke(gateway, &ended).status, 200);
    (agent, token, ended)
}

/// A client that somebody consented to, and what its redirect URI was told.
fn client(gateway: &Gateway, browser: &mut Browser, scope: &str) -> (OAuthClient, BTreeMap<String, String>) {
    let grants = ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"];
    let mut client =
        OAuthClient::register_as(gateway, &json!({"token_endpoint_auth_method": "none", "grant_types": grants}));
    scope.clone_into(&mut client.scope);
    let end = client.consent(gateway, browser);
    (client, end)
}

/// A device that shows a code.
fn device(gateway: &Gateway, client: &OAuthClient) -> Value {
    let fields = BTreeMap::from([
        ("client_id", client.id.clone()),
        ("scope", "read:tickets".to_owned()),
        ("resource", client.resource.clone()),
    ]);
    let begun = form(gateway, "/oauth/device_authorization", &fields).send();
    assert_eq!(begun.status, 200, "{}", begun.body_text());
    json!({"user_code": begun.text("/user_code"), "device_code": begun.text("/device_code")})
}

fn refresh(gateway: &Gateway, client: &str, token: &str) -> Answer {
    let fields = BTreeMap::from([
        ("grant_type", "refresh_token".to_owned()),
        ("client_id", client.to_owned()),
        ("refresh_token", token.to_owned()),
    ]);
    form(gateway, "/oauth/token", &fields).send()
}

fn call(gateway: &Gateway, agent: &str, token: &str) -> Answer {
    let request = Request::new("GET", &format!("{}/ath/proxy/helpdesk/tickets", gateway.url()));
    request.header("authorization", &format!("Bearer {token}")).header("x-ath-agent-id", agent).send()
}

fn plain(gateway: &Gateway, token: &str, provider: &str) -> Answer {
    gateway.request("GET", &format!("/{provider}/tickets")).header("authorization", &format!("Bearer {token}")).send()
}

/// By which browsers know every gateway of the tests.
const HOST: &str = "127.0.0.1";
/// Of every client of the tests.
const BACK: &str = "http://127.0.0.1:7777/callback";
