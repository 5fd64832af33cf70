//! Tool calls of MCP clients, whose trace stands in `_meta` (SEP-414).

use serde_json::{Value, json};
use tests::{Answer, Fronted, OAuthClient, Spy, eventually};

use super::{Collector, HEARD, HEARD_SPAN, HEARD_TRACE, of_kind};

struct Tools {
    front: Fronted,
    _client: OAuthClient,
    token: String,
}

impl Tools {
    fn before(spy: &Spy, tables: &str) -> Self {
        let front = Fronted::with(&spy.url(), "", tables);
        let mut client = OAuthClient::register(&front.gateway);
        client.resource = format!("{}/helpdesk/mcp", front.gateway.public_url());
        let token = client.tokens(&front.gateway).0;
        Self { front, _client: client, token }
    }

    fn call(&self, tool: &str, traceparent: &str) -> Answer {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "by hand", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
            "traceparent": traceparent,
        });
        let params = json!({"name": tool, "arguments": {"path": "/tickets/alice"}, "_meta": meta});
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        let request = self.front.gateway.request("POST", "/helpdesk/mcp").body(message.to_string().into_bytes());
        let request = request.header("content-type", "application/json");
        let request = request.header("accept", "application/json, text/event-stream");
        let request = request.header("mcp-protocol-version", "2026-07-28").header("mcp-method", "tools/call");
        request.header("mcp-name", tool).header("authorization", &format!("Bearer {}", self.token)).send()
    }
}

fn tool_of(spans: &[Value]) -> &Value {
    spans.iter().find(|span| span["attributes"]["mcp.method.name"] == "tools/call").expect("a tool call")
}

#[test]
fn a_tool_call_is_a_step_between_the_request_and_the_call() {
    for incoming in ["link", "continue"] {
        let (spy, collector) = (Spy::default(), Collector::start());
        let table = collector.table(&format!("incoming = \"{incoming}\"\ntraceparent_to = [\"helpdesk\"]"));
        let tools = Tools::before(&spy, &table);
        let answer = tools.call("helpdesk_read", HEARD);
        assert_eq!(answer.status, 200, "{}", answer.body_text());
        let spans = collector.spans_of(&answer, 3);
        let (tool, client) = (tool_of(&spans), of_kind(&spans, "SPAN_KIND_CLIENT"));
        let http = spans.iter().find(|span| span["name"] == "POST /{provider}/mcp").expect("the request");
        assert_eq!((&tool["name"], &tool["kind"]), (&json!("tools/call helpdesk_read"), &json!("SPAN_KIND_SERVER")));
        assert_eq!(tool["attributes"]["gen_ai.tool.name"], "helpdesk_read");
        assert_eq!(tool["attributes"]["ath.provider"], "helpdesk");
        assert_eq!((&client["parent"], &client["trace"]), (&tool["span"], &tool["trace"]));
        let heard = json!([HEARD_TRACE, HEARD_SPAN]);
        if incoming == "link" {
            assert_eq!((&tool["parent"], &tool["trace"]), (&http["span"], &http["trace"]));
            assert_eq!(tool["links"], json!([heard]));
        } else {
            assert_eq!((&tool["parent"], &tool["trace"]), (&json!(HEARD_SPAN), &json!(HEARD_TRACE)));
            assert_eq!(tool["links"], json!([[http["trace"], http["span"]]]));
        }
        let told = spy.last().into_iter().find(|(name, _)| name == "traceparent").expect("it is told").1;
        assert!(told.contains(client["span"].as_str().expect("an id")), "{told}");
    }
}

#[test]
fn a_tool_that_is_not_there_is_not_named() {
    let (spy, collector) = (Spy::default(), Collector::start());
    let tools = Tools::before(&spy, &collector.table(""));
    let answer = tools.call("alices_tool", "00-x");
    let spans = collector.spans_of(&answer, 2);
    let tool = tool_of(&spans);
    assert_eq!((&tool["name"], &tool["attributes"]["error.type"]), (&json!("tools/call"), &json!("unknown_tool")));
    assert_eq!(tool["links"], json!([]), "what is no traceparent is nothing");
    eventually("all of it has come", || !collector.exports().is_empty());
    for export in collector.exports() {
        assert!(!String::from_utf8_lossy(&export.body).contains("alice"));
    }
}
