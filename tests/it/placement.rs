//! Where a credential goes: wherever the service looks for it, and never back to the agent; what an agent sends there itself does not
//! arrive.

use std::sync::{Mutex, PoisonError};

use serde_json::json;
use tests::{Agent, Answer, Browser, CANARY, Gateway, Received, Reply, Served, Store, Upstream, free_port};

/// A gateway in front of an API that the test plays, with alice's consent.
struct Scene {
    gateway: Gateway,
    api: Served,
    agent: Agent,
    token: String,
    upstream: Upstream,
}

impl Scene {
    fn start(settings: &str, answer: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        let upstream = Upstream::start(free_port(), |_| {});
        let api = Served::start(move |received| match received.path() {
            "/me" => Reply::json(&json!({"sub": "u-1", "email": "alice@acme.test"})),
            _ => answer(received),
        });
        let providers = upstream.provider("pkce = \"none\"");
        let written = |key: &str| providers.lines().find(|line| line.starts_with(key)).expect("a line").to_owned();
        let providers =
            providers.replacen(&written("api_base"), &format!("api_base = \"{}\"\n{settings}", api.url()), 1);
        let userinfo = format!("userinfo_endpoint = \"{}/me\"", api.url());
        let providers = providers.replacen(&written("userinfo_endpoint"), &userinfo, 1);
        let gateway = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &providers);
        let mut agent = Agent::new("Ticket Helper");
        agent.register(&gateway);
        let (link, session) = agent.authorize(&gateway, &["read:tickets", "write:tickets"]);
        let end = Browser::new().consent(&link);
        let token = agent.exchange(&gateway, &session, &end["code"]).text("/access_token");
        Self { gateway, api, agent, token, upstream }
    }

    fn call(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let request = self.agent.call(&self.gateway, &self.token, "GET", path);
        self.agent.send(&headers.iter().fold(request, |request, (name, value)| request.header(name, value)))
    }

    /// The last request that the API got.
    fn arrived(&self) -> Received {
        self.api.received().pop().expect("a request")
    }

    /// The agent's own token stays at the gateway, wherever the credential goes.
    fn nothing_of_the_agent_s_arrived(&self) {
        for received in self.api.received() {
            let all = format!("{received:?}");
            assert!(!all.contains(&self.token) && !all.contains("ath_tk_"), "{all}");
        }
        assert!(!self.gateway.log().contains(CANARY), "the log holds a credential");
    }
}

fn values<'r>(received: &'r Received, wanted: &str) -> Vec<&'r str> {
    received.headers.iter().filter(|(name, _)| name == wanted).map(|(_, value)| value.as_str()).collect()
}

fn fine(_: &Received) -> Reply {
    Reply::json(&json!({"fine": true}))
}

#[test]
fn a_header_and_a_scheme_of_the_service_s_own() {
    for (settings, name, before) in [
        ("credential = { scheme = \"Zoho-oauthtoken\" }", "authorization", "Zoho-oauthtoken CANARY-at-"),
        ("credential = { scheme = \"Token token=\" }", "authorization", "Token token=CANARY-at-"),
        ("credential = { scheme = \"\" }", "authorization", "CANARY-at-"),
        ("credential = { header = \"X-Shopify-Access-Token\" }", "x-shopify-access-token", "CANARY-at-"),
        ("credential = { header = \"api_key\", scheme = \"Key\" }", "api_key", "Key CANARY-at-"),
    ] {
        let scene = Scene::start(settings, fine);
        let own = [
            ("x-shopify-access-token", "evil"),
            ("api_key", "evil"),
            ("api-key", "evil"),
            ("dpop", "evil"),
            ("accept-language", "kept"),
            ("x-other", "unknown"),
        ];
        let answer = scene.call("/tickets", &own);
        assert_eq!(answer.status, 200, "{settings}: {}", answer.body_text());
        let received = scene.api.received();
        assert_eq!(received.len(), 2, "userinfo, and the call");
        for received in &received {
            let value = values(received, name);
            assert!(value.len() == 1 && value[0].starts_with(before), "{settings}: {value:?}");
            assert_eq!(values(received, "authorization").len(), usize::from(name == "authorization"), "{settings}");
        }
        let call = scene.arrived();
        assert_eq!(values(&call, "accept-language"), ["kept"]);
        assert!(values(&call, "x-other").is_empty(), "nobody listed it");
        assert!(values(&call, "dpop").is_empty() && values(&call, name) != ["evil"]);
        if name == "api_key" {
            assert!(values(&call, "api-key").is_empty(), "some servers read it as api_key");
        }
        scene.nothing_of_the_agent_s_arrived();
    }
}

#[test]
fn half_of_a_basic_pair() {
    for (settings, user) in [
        ("credential = { basic = \"user\", other = \"X\" }", None),
        ("credential = { basic = \"password\", other = \"anystring\" }", Some("anystring")),
    ] {
        let scene = Scene::start(settings, |received| {
            // Repeated in every form: as a header, in a body, encoded and not.
            let value = values(received, "authorization")[0].to_owned();
            let encoded = value.trim_start_matches("Basic ").to_owned();
            let pair = data_encoding::BASE64.decode(encoded.as_bytes()).expect("base64");
            let pair = String::from_utf8(pair).expect("text");
            let head = format!("HTTP/1.1 200 OK\r\nx-echo: {value}\r\nx-plain: {pair}\r\nconnection: close\r\n");
            let body = format!(
                "{{\"encoded\":\"{encoded}\",\"unpadded\":\"{}\",\"pair\":\"{pair}\"}}",
                encoded.trim_end_matches('=')
            );
            Reply::Bytes(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes())
        });
        let answer = scene.call("/tickets", &[]);
        assert_eq!(answer.status, 200, "{}", answer.body_text());
        let value = values(&scene.arrived(), "authorization")[0].to_owned();
        let encoded = value.strip_prefix("Basic ").expect("Basic").to_owned();
        let pair = String::from_utf8(data_encoding::BASE64.decode(encoded.as_bytes()).expect("base64")).expect("text");
        match user {
            None => assert!(pair.starts_with("CANARY-at-") && pair.ends_with(":X"), "{pair}"),
            Some(user) => assert!(pair.starts_with(&format!("{user}:CANARY-at-")), "{pair}"),
        }
        let seen = String::from_utf8_lossy(&answer.bytes).into_owned();
        assert!(!seen.contains(encoded.trim_end_matches('=')) && !seen.contains("CANARY"), "{seen}");
        assert!(seen.contains("****"), "{seen}");
        scene.nothing_of_the_agent_s_arrived();
    }
}

#[test]
fn a_parameter_of_the_query() {
    let scene = Scene::start("credential = { query = \"api_key\", in_url = true }", |received| {
        let target = received.target.clone();
        match received.path() {
            "/tickets/7" => Reply::Bytes(
                format!(
                    "HTTP/1.1 302 Found\r\nlocation: {target}\r\ncontent-location: http://{}{target}\r\nlink: <{target}>; rel=\"next\"\r\n\
                     content-length: 0\r\nconnection: close\r\n\r\n",
                    values(received, "host")[0]
                )
                .into_bytes(),
            ),
            _ => Reply::json(&json!({"self": target})),
        }
    });
    for (path, before) in
        [("/tickets", "/tickets?api_key=CANARY-at-"), ("/tickets?a=b%20c&d", "/tickets?a=b%20c&d&api_key=CANARY-at-")]
    {
        let answer = scene.call(path, &[]);
        assert_eq!(answer.status, 200, "{}", answer.body_text());
        let arrived = scene.arrived();
        assert!(arrived.target.starts_with(before), "{}", arrived.target);
        assert!(values(&arrived, "authorization").is_empty());
        assert!(answer.body_text().contains("api_key=****"), "{}", answer.body_text());
    }
    let answer = scene.call("/tickets/7", &[]);
    for name in ["location", "content-location", "link"] {
        let value = answer.header(name).expect("a header");
        assert!(value.contains("/ath/proxy/helpdesk/tickets/7?api_key=****"), "{name}: {value}");
    }
    let before = scene.api.received().len();
    for query in [
        "api_key=1",
        "a=1&api_key=1",
        "%61pi%5fkey=1",
        "API_KEY=1",
        "a=1;api_key=1",
        "api_key[]=1",
        "api.key=1",
        "api_key",
    ] {
        let answer = scene.call(&format!("/tickets?{query}"), &[]);
        assert_eq!(answer.refusal(), (400, "SCOPE_NOT_APPROVED".to_owned()), "{query}");
        assert_eq!(answer.text("/details/reason"), "credential_parameter", "{query}");
    }
    assert_eq!(scene.api.received().len(), before, "nothing of that is forwarded");
    let me = scene.api.received().remove(0);
    assert!(me.target.starts_with("/me?api_key=CANARY-at-"), "{}", me.target);
    scene.nothing_of_the_agent_s_arrived();
}

#[test]
fn a_renewed_credential_goes_to_the_same_place() {
    let first = Mutex::new(None);
    let scene = Scene::start("credential = { header = \"X-Key\" }", move |received| {
        let key = values(received, "x-key").concat();
        let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = *first.get_or_insert_with(|| key.clone()) == key;
        if refused { Reply::of("401 Unauthorized", "text/plain", b"") } else { fine(received) }
    });
    assert_eq!(scene.call("/tickets", &[]).status, 200);
    let received = scene.api.received();
    let keys: Vec<String> = received.iter().map(|received| values(received, "x-key").concat()).collect();
    assert!(
        keys.len() == 3 && keys.iter().all(|key| key.starts_with("CANARY-at-")),
        "userinfo and two calls: {keys:?}"
    );
    assert!(keys[0] == keys[1] && keys[1] != keys[2], "{keys:?}");
    assert_eq!(scene.upstream.helpdesk.counters().token_requests.refresh_token, 1);
    scene.nothing_of_the_agent_s_arrived();
}

#[test]
fn headers_that_the_service_insists_on() {
    let settings =
        "headers = { User-Agent = \"acme-gateway/1\" }\ndefault_headers = { \"Notion-Version\" = \"2022-06-28\" }";
    let scene = Scene::start(settings, fine);
    assert_eq!(scene.call("/tickets", &[]).status, 200);
    for received in scene.api.received() {
        assert_eq!(values(&received, "notion-version"), ["2022-06-28"], "{}", received.target);
        assert_eq!(values(&received, "user-agent"), ["acme-gateway/1"], "{}", received.target);
    }
    assert_eq!(scene.call("/tickets", &[("notion-version", "2025-09-03"), ("user-agent", "sdk/2")]).status, 200);
    let arrived = scene.arrived();
    assert_eq!(values(&arrived, "notion-version"), ["2025-09-03"]);
    assert_eq!(values(&arrived, "user-agent"), ["acme-gateway/1"]);
    scene.nothing_of_the_agent_s_arrived();
}
