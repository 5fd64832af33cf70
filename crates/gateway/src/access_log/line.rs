use std::io::Write;
use std::net::IpAddr;
use std::time::Duration;

use protocol::{Refused, Timestamp};

/// One request, as it is logged.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    /// When it was answered to its end.
    pub(crate) at: Timestamp,
    /// As the answer has it.
    pub(crate) request_id: &'a str,
    /// The client's address.
    pub(crate) client: Option<IpAddr>,
    /// The way in.
    pub(crate) door: &'static str,
    /// As on the request line.
    pub(crate) method: &'a str,
    /// The provider, where it belongs to one.
    pub(crate) provider: Option<&'a str>,
    /// The answer's.
    pub(crate) status: u16,
    /// Of the answer's body.
    pub(crate) bytes: u64,
    /// From the head to the last byte of the answer.
    pub(crate) took: Duration,
    /// To the head of the upstream's answer.
    pub(crate) upstream_took: Option<Duration>,
    /// Whether the whole answer was handed on.
    pub(crate) complete: bool,
    /// Why it was refused.
    pub(crate) refused: Option<Refused>,
    /// Where the configuration asks for it.
    pub(crate) agent: Option<&'a str>,
    /// Where the configuration asks for it; without the query.
    pub(crate) path: Option<&'a str>,
}

impl Line<'_> {
    /// Appends the line, and its end. Writing into memory does not fail.
    pub(crate) fn write(&self, into: &mut Vec<u8>) {
        let _ = write!(into, "{{\"time\":\"{}\",\"request_id\":\"{}\"", self.at.to_rfc3339_millis(), self.request_id);
        if let Some(client) = self.client {
            let _ = write!(into, ",\"client\":\"{client}\"");
        }
        let _ = write!(into, ",\"door\":\"{}\"", self.door);
        text(into, "method", self.method);
        if let Some(provider) = self.provider {
            text(into, "provider", provider);
        }
        let _ = write!(into, ",\"status\":{},\"bytes\":{}", self.status, self.bytes);
        millis(into, "duration_ms", self.took);
        if let Some(took) = self.upstream_took {
            millis(into, "upstream_ms", took);
        }
        if !self.complete {
            into.extend_from_slice(b",\"end\":\"cut\"");
        }
        if let Some(Refused { code, reason }) = &self.refused {
            let code = serde_json::to_string(code).unwrap_or_default();
            let _ = write!(into, ",\"code\":{code},\"reason\":\"{reason}\"");
        }
        if let Some(agent) = self.agent {
            text(into, "agent_id", agent);
        }
        if let Some(path) = self.path {
            text(into, "path", path);
        }
        into.extend_from_slice(b"}\n");
    }
}

/// What others wrote: escaped as JSON wants it.
fn text(into: &mut Vec<u8>, name: &str, value: &str) {
    let _ = write!(into, ",\"{name}\":");
    let _ = serde_json::to_writer(into, value);
}

fn millis(into: &mut Vec<u8>, name: &str, took: Duration) {
    let micros = took.as_micros();
    let _ = write!(into, ",\"{name}\":{}.{:03}", micros / 1000, micros % 1000);
}

#[cfg(test)]
mod tests {
    use protocol::ErrorCode;

    use super::*;

    fn line() -> Line<'static> {
        Line {
            at: Timestamp::from_millis(1_790_000_000_123),
            request_id: "0123456789abcdef",
            client: Some(IpAddr::from([192, 0, 2, 1])),
            door: "ath",
            method: "GET",
            provider: Some("helpdesk"),
            status: 200,
            bytes: 42,
            took: Duration::from_micros(1_234),
            upstream_took: Some(Duration::from_micros(7)),
            complete: true,
            refused: None,
            agent: None,
            path: None,
        }
    }

    fn written(line: &Line<'_>) -> String {
        let mut bytes = Vec::new();
        line.write(&mut bytes);
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn a_line_is_one_object() {
        let expected = "{\"time\":\"2026-09-21T14:13:20.123Z\",\"request_id\":\"0123456789abcdef\",\"client\":\"192.0.2.1\",\
                        \"door\":\"ath\",\"method\":\"GET\",\"provider\":\"helpdesk\",\"status\":200,\"bytes\":42,\
                        \"duration_ms\":1.234,\"upstream_ms\":0.007}\n";
        assert_eq!(written(&line()), expected);
    }

    #[test]
    fn nothing_that_others_write_ends_a_line_or_a_text() {
        let refused = Some(Refused { code: ErrorCode::TokenInvalid, reason: "token_invalid" });
        let path = Some("/a\"b\n{\\");
        let all =
            Line { path, agent: Some("x\"y"), refused, complete: false, client: None, upstream_took: None, ..line() };
        let text = written(&all);
        assert_eq!(text.lines().count(), 1);
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!((value["path"].as_str(), value["agent_id"].as_str()), (path, Some("x\"y")));
        assert_eq!((value["code"].as_str(), value["reason"].as_str()), (Some("TOKEN_INVALID"), Some("token_invalid")));
        assert_eq!(value["end"], "cut");
    }
}
