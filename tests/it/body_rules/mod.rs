//! Rules that look into bodies: what they let through, as the very bytes that came, and what nobody can read.

mod bounds;
mod graphql;
mod messages;
mod unreadable;

use serde_json::{Value, json};
use tests::{Agent, Answer, Browser, Gateway, Received, Reply, Request, Served, Store, Upstream, free_port};

/// An API that takes everything and says so, behind a gateway whose rules look into what it is sent.
struct Scene {
    api: Served,
    gateway: Gateway,
    agent: Agent,
    /// For `read:user`, `items` and `pages`.
    token: String,
    _upstream: Upstream,
}

impl Scene {
    fn new() -> Self {
        Self::with("")
    }

    /// With further sections of the configuration.
    fn with(further: &str) -> Self {
        let api = Served::start(|_| Reply::json(&json!({"data": {"done": true}})));
        let upstream = Upstream::start(free_port(), |_| {});
        let there = format!("http://localhost:{}", upstream.port());
        let provider = format!(
            r#"{further}
[[provider]]
id = "helpdesk"
display_name = "An API"
api_base = "{base}"
path_prefix = "/api"

[provider.oauth]
authorize_endpoint = "{there}/authorize"
token_endpoint = "{there}/token"
userinfo_endpoint = "{there}/userinfo"
client_id = "ath-gateway"
client_secret = {{ env = "CLIENT_SECRET" }}
pkce = "none"

[provider.scopes]
"read:user" = {{ says = "See yourself", allow = [{{ rule = "POST /graphql", graphql = ["query viewer", "query user*"] }}], asks = ["read:tickets"] }}
"write:user" = {{ says = "Change things", allow = [{{ rule = "POST /graphql", graphql = ["query *", "mutation create*"] }}], asks = ["read:tickets"] }}
items = {{ says = "See items", allow = ["GET /items", {{ rule = "POST /rpc", jsonrpc = ["items.list", "items.get*"] }}], asks = ["read:tickets"] }}
pages = {{ says = "Search", allow = [{{ rule = "POST /tools/mcp", mcp_tools = ["search"], mcp_methods = ["prompts/*"] }}], asks = ["read:tickets"] }}
"#,
            base = api.url()
        );
        let gateway = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &provider);
        let mut agent = Agent::new("Caller");
        let all = ["read:user", "write:user", "items", "pages"];
        assert_eq!(agent.register_for(&gateway, &all).status, 201);
        let mut scene = Self { api, gateway, agent, token: String::new(), _upstream: upstream };
        scene.token = scene.token_for(&["read:user", "items", "pages"]);
        scene
    }

    fn token_for(&self, scopes: &[&str]) -> String {
        let (link, session) = self.agent.authorize(&self.gateway, scopes);
        let end = Browser::new().consent(&link);
        self.agent.exchange(&self.gateway, &session, &end["code"]).text("/access_token")
    }

    /// At `/ath/proxy`, ready to be sent.
    fn post(&self, path: &str, body: &str) -> Request {
        let call = self.agent.call(&self.gateway, &self.token, "POST", path);
        call.header("content-type", "application/json").body(body.as_bytes().to_vec())
    }

    /// The same at the provider's own path.
    fn own(&self, path: &str, body: &str) -> Request {
        let call = self.gateway.request("POST", &format!("/api{path}"));
        let call = call.header("authorization", &format!("Bearer {}", self.token));
        call.header("content-type", "application/json").body(body.as_bytes().to_vec())
    }

    fn sent(&self, path: &str, body: &str) -> Answer {
        self.post(path, body).send()
    }

    fn refusal(&self, path: &str, body: &str) -> Refusal {
        let answer = self.sent(path, body);
        (answer.status != 200).then(|| (answer.status, answer.reason()))
    }

    /// How many calls have reached the API.
    fn forwarded(&self) -> usize {
        self.api.received().len()
    }

    fn last(&self) -> Received {
        self.api.received().pop().expect("something was forwarded")
    }
}

/// Status and reason, or nothing where it was forwarded.
type Refusal = Option<(u16, String)>;

fn refused(status: u16, reason: &str) -> Refusal {
    Refusal::from((status, reason.to_owned()))
}

fn query(text: &str) -> String {
    json!({"query": text}).to_string()
}

fn call(method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}).to_string()
}
