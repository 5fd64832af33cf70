use http::HeaderMap;
use serde::Deserialize;
use serde_json::Value;

/// What a JSON-RPC request is answered by: its id, what it asks for, and in which of MCP's eras.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rpc {
    id: Value,
    method: String,
    era: Era,
}

/// What MCP was at the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Era {
    /// With sessions, up to 2025-11-25.
    Sessions,
    /// Without, from 2026-07-28 on.
    Stateless,
}

#[derive(Deserialize)]
struct Form {
    id: Option<Value>,
    method: Option<String>,
}

impl Rpc {
    /// What a body asks for; `None` where nobody waits for an answer in JSON-RPC, or it could not be told whose.
    pub(crate) fn peek(headers: &HeaderMap, body: &[u8]) -> Option<Self> {
        let Form { id, method } = serde_json::from_slice(body).ok()?;
        let id = id.filter(|id| id.is_string() || id.is_i64() || id.is_u64())?;
        let version = headers.get(VERSION).and_then(|version| version.to_str().ok()).unwrap_or_default();
        // Versions are dates, which their letters order.
        let era = if version >= STATELESS { Era::Stateless } else { Era::Sessions };
        Some(Self { id, method: method?, era })
    }

    pub(super) fn id(&self) -> &Value {
        &self.id
    }

    pub(super) fn era(&self) -> Era {
        self.era
    }

    pub(super) fn calls_a_tool(&self) -> bool {
        self.method == "tools/call"
    }
}

const VERSION: &str = "mcp-protocol-version";
const STATELESS: &str = "2026-07-28";

#[cfg(test)]
mod tests {
    use super::*;

    fn peeked(body: &str) -> Option<(Value, String)> {
        Rpc::peek(&HeaderMap::new(), body.as_bytes()).map(|rpc| (rpc.id, rpc.method))
    }

    #[test]
    fn a_request_has_an_id_and_a_method() {
        let found = |id: Value| Some((id, "tools/call".to_owned()));
        assert_eq!(peeked(r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{}}"#), found(7.into()));
        assert_eq!(peeked(r#"{"method":"tools/call","id":"a"}"#), found("a".into()));
        for body in [
            "",
            "[]",
            r#"[{"id":1,"method":"tools/call"}]"#,
            r#"{"method":"notifications/initialized"}"#,
            r#"{"id":1,"result":{}}"#,
            r#"{"id":null,"method":"ping"}"#,
            r#"{"id":{},"method":"ping"}"#,
            r#"{"id":1.5,"method":"ping"}"#,
            r#"{"id":1,"id":2,"method":"ping"}"#,
            r#"{"id":1,"method":7}"#,
            r#"{"id":1,"method":"ping"} x"#,
        ] {
            assert_eq!(peeked(body), None, "{body}");
        }
    }

    #[test]
    fn the_version_tells_the_era() {
        for (version, era) in [
            (None, Era::Sessions),
            (Some("2025-03-26"), Era::Sessions),
            (Some("2025-11-25"), Era::Sessions),
            (Some("2026-07-28"), Era::Stateless),
            (Some("2027-01-01"), Era::Stateless),
        ] {
            let mut headers = HeaderMap::new();
            headers
                .extend(version.map(|text| (http::HeaderName::from_static(VERSION), text.parse().expect("a value"))));
            let rpc = Rpc::peek(&headers, br#"{"id":1,"method":"ping"}"#).expect("a request");
            assert_eq!(rpc.era(), era, "{version:?}");
        }
    }
}
