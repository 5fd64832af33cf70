use serde_json::{Value, json};
use tests::{Answer, Fronted, Gateway, OAuthClient, Request, Spy};

/// A caller of the door who says exactly what a test wants, in both eras.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Era {
    /// 2026-07-28: every request says everything.
    Modern,
    /// 2025-11-25, without a handshake: the door keeps no sessions.
    Legacy,
}

pub(super) const ERAS: [Era; 2] = [Era::Modern, Era::Legacy];

impl Era {
    /// A request of JSON-RPC.
    pub(super) fn message(self, id: &Value, method: &str, params: &Value) -> Value {
        let mut params = params.clone();
        if self == Self::Modern {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": {"name": "by hand", "version": "1"},
                "io.modelcontextprotocol/clientCapabilities": {},
            });
        }
        json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
    }

    /// What goes above it.
    pub(super) fn head(self, request: Request, method: &str, name: Option<&str>) -> Request {
        let request =
            request.header("content-type", "application/json").header("accept", "application/json, text/event-stream");
        match (self, name) {
            (Self::Legacy, _) => request.header("mcp-protocol-version", "2025-11-25"),
            (Self::Modern, None) => request.header("mcp-protocol-version", "2026-07-28").header("mcp-method", method),
            (Self::Modern, Some(name)) => request
                .header("mcp-protocol-version", "2026-07-28")
                .header("mcp-method", method)
                .header("mcp-name", name),
        }
    }
}

/// A request at a door, ready to be sent.
pub(super) fn request(
    gateway: &Gateway,
    path: &str,
    era: Era,
    token: Option<&str>,
    (method, params): (&str, &Value),
) -> Request {
    let message = era.message(&json!(1), method, params);
    let name = params["name"].as_str();
    let request = era.head(gateway.request("POST", path), method, name).body(message.to_string().into_bytes());
    match token {
        Some(token) => request.header("authorization", &format!("Bearer {token}")),
        None => request,
    }
}

/// A client of the door for the helpdesk, behind which is an upstream that remembers the heads of what comes.
pub(super) struct Door {
    pub(super) spy: Spy,
    pub(super) front: Fronted,
    /// What it got is searched for canaries in the end.
    pub(super) _client: OAuthClient,
    pub(super) token: String,
}

impl Door {
    pub(super) fn allowing(rules: &[&str]) -> Self {
        let spy = Spy::default();
        let front = Fronted::allowing(&spy.url(), rules);
        Self::before(spy, front)
    }

    /// The same before an upstream that is there already.
    pub(super) fn before(spy: Spy, front: Fronted) -> Self {
        let (client, token) = client_of(&front.gateway, "/helpdesk/mcp");
        Self { spy, front, _client: client, token }
    }

    pub(super) fn asks(&self, era: Era, method: &str, params: &Value) -> Answer {
        request(&self.front.gateway, "/helpdesk/mcp", era, Some(&self.token), (method, params)).send()
    }

    pub(super) fn calls(&self, era: Era, tool: &str, arguments: &Value) -> Answer {
        self.asks(era, "tools/call", &json!({"name": tool, "arguments": arguments}))
    }

    /// The request lines of what arrived since there were `before` of them.
    pub(super) fn arrived(&self, before: usize) -> Vec<String> {
        let heads = self.spy.heads();
        heads.iter().skip(before).filter_map(|head| head.lines().next().map(str::to_owned)).collect()
    }
}

/// A client with a token of alice's for that door.
pub(super) fn client_of(gateway: &Gateway, path: &str) -> (OAuthClient, String) {
    let mut client = OAuthClient::register(gateway);
    client.resource = format!("{}{path}", gateway.public_url());
    let token = client.tokens(gateway).0;
    (client, token)
}

/// Whether a call was refused, in whichever way: by HTTP, by JSON-RPC, or by a result that is an error.
pub(super) fn is_refused(answer: &Answer) -> bool {
    let said = answer.json();
    (400..500).contains(&answer.status) || said["error"].is_object() || said["result"]["isError"] == json!(true)
}
