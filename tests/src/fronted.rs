use crate::{Agent, Answer, Authority, Browser, Gateway, Launch, Request, Store, Tunnel, Upstream, free_port};

/// An API of any kind in front of which the gateway stands, while the helpdesk signs people in. It is reached by the path `/api`, and by a
/// host of its own, [`Fronted::HOST`]; everything there is allowed.
pub struct Fronted {
    /// What stands in front.
    pub gateway: Gateway,
    /// An agent that may call it.
    pub agent: Agent,
    /// With this token.
    pub token: String,
    /// Where its tokens come from.
    pub upstream: Upstream,
    /// Where TLS is spoken, and what speaks it for those who cannot.
    secure: Option<(u16, Tunnel)>,
}

impl Fronted {
    /// The name by which the API alone is reached.
    pub const HOST: &str = "api.localhost";

    /// A gateway before `api_base`, with further keys of `[[provider]]`.
    #[must_use]
    pub fn new(api_base: &str, keys: &str) -> Self {
        Self::with(api_base, keys, "")
    }

    /// The same with further lines of `[gateway]`.
    #[must_use]
    pub fn with(api_base: &str, keys: &str, gateway: &str) -> Self {
        let upstream = Upstream::start(free_port(), |_| {});
        let there = format!("http://localhost:{}", upstream.port());
        Self::of(upstream, api_base, &there, (keys, gateway))
    }

    /// A gateway before `api_base` where these rules alone allow something.
    #[must_use]
    pub fn allowing(api_base: &str, rules: &[&str]) -> Self {
        let upstream = Upstream::start(free_port(), |_| {});
        let there = format!("http://localhost:{}", upstream.port());
        Self::start(upstream, (api_base, &there), ("", ""), None, rules)
    }

    /// The same with further keys of `[[provider]]`.
    #[must_use]
    pub fn keyed(api_base: &str, keys: &str, rules: &[&str]) -> Self {
        let upstream = Upstream::start(free_port(), |_| {});
        let there = format!("http://localhost:{}", upstream.port());
        Self::start(upstream, (api_base, &there), (keys, ""), None, rules)
    }

    /// The same in front of a helpdesk that is there already, whose endpoints, but for the browser's, lie at `tokens`.
    #[must_use]
    pub fn of(upstream: Upstream, api_base: &str, tokens: &str, settings: (&str, &str)) -> Self {
        Self::start(upstream, (api_base, tokens), settings, None, &EVERYTHING)
    }

    /// The same where the gateway speaks TLS.
    #[must_use]
    pub fn over_tls(api_base: &str, keys: &str, authority: &Authority) -> Self {
        let (certificate, key) = (authority.certificate_file(), authority.key_file());
        let port = free_port();
        let tunnel = Tunnel::start(port, &std::fs::read_to_string(&certificate).expect("a certificate"), None);
        let upstream = Upstream::start(tunnel.port(), |_| {});
        let there = format!("http://localhost:{}", upstream.port());
        let tls = format!("tls = {{ cert_file = \"{certificate}\", key_file = \"{key}\" }}");
        Self::start(upstream, (api_base, &there), (keys, &tls), Some((port, tunnel)), &EVERYTHING)
    }

    /// The port on which TLS is spoken.
    #[must_use]
    pub fn secure_port(&self) -> u16 {
        self.secure.as_ref().map(|(port, _)| *port).expect("it speaks TLS")
    }

    fn start(
        upstream: Upstream,
        (api_base, tokens): (&str, &str),
        (keys, gateway): (&str, &str),
        secure: Option<(u16, Tunnel)>,
        rules: &[&str],
    ) -> Self {
        let there = format!("http://localhost:{}", upstream.port());
        let provider = format!(
            r#"[development]
loopback_http = true

[[provider]]
id = "helpdesk"
display_name = "An API"
api_base = "{api_base}"
path_prefix = "/api"
host = "{host}"
{keys}

[provider.oauth]
authorize_endpoint = "{there}/authorize"
token_endpoint = "{tokens}/token"
userinfo_endpoint = "{tokens}/userinfo"
client_id = "ath-gateway"
client_secret = {{ env = "CLIENT_SECRET" }}
pkce = "none"

[provider.scopes]
"read:tickets" = {{ says = "Everything", allow = {rules:?} }}
"#,
            host = Self::HOST
        );
        let front = upstream.gateway_port();
        let port = secure.as_ref().map_or(front, |(port, _)| *port);
        let public_url = format!("http://127.0.0.1:{front}");
        let gateway = Gateway::launch(&Launch {
            store: Store::Embedded,
            port,
            public_url: &public_url,
            gateway,
            rest: &provider,
            environment: &[],
        });
        let gateway = gateway.behind(front);
        let mut agent = Agent::new("Caller");
        let registered = agent.register(&gateway);
        assert_eq!(registered.status, 201, "{}", registered.body_text());
        let (link, session) = agent.authorize(&gateway, &["read:tickets"]);
        let end = Browser::new().consent(&link);
        let token = agent.exchange(&gateway, &session, &end["code"]).text("/access_token");
        Self { gateway, agent, token, upstream, secure }
    }

    /// A call, ready to be sent.
    #[must_use]
    pub fn call(&self, method: &str, path: &str) -> Request {
        self.agent.call(&self.gateway, &self.token, method, path)
    }

    /// A call without a body and what came back.
    #[must_use]
    pub fn get(&self, path: &str) -> Answer {
        self.agent.send(&self.call("GET", path))
    }

    /// The head of a request in HTTP/1.1, up to its last line: to be ended by an empty one.
    #[must_use]
    pub fn head(&self, method: &str, path: &str, version: &str) -> String {
        format!(
            "{method} /api{path} HTTP/{version}\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {}\r\n",
            self.gateway.port(),
            self.token
        )
    }

    /// Where programs reach a path of the API.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}/api{path}", self.gateway.url())
    }
}

const EVERYTHING: [&str; 1] = ["* /**"];
