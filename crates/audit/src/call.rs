use std::net::IpAddr;
use std::sync::Arc;

use protocol::{AccountId, AgentId, ClientId, ProviderId, RequestId, Scope, ScopeSet, Timestamp, UserId};
use serde::Serialize;

/// The record of one forwarded call. No path, no query, no header value.
#[derive(Debug)]
pub struct Call {
    /// Which request.
    pub request_id: Option<RequestId>,
    /// Who sent it.
    pub address: Option<IpAddr>,
    /// On whose behalf.
    pub who: Arc<Who>,
    /// The method, one of those that are forwarded.
    pub method: &'static str,
    /// The scope that allowed it.
    pub scope: Scope,
    /// The status that the agent was sent.
    pub status: u16,
    /// Bytes of the answer's body.
    pub bytes: u64,
    /// How often the response guard masked a credential.
    pub masked: u64,
    /// How its answer ended.
    pub end: End,
    /// From the request's head to the end of the answer.
    pub millis: u64,
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With its last byte.
    Complete,
    /// It broke off, or nobody read it to its end.
    Cut,
    /// A WebSocket: the right to it was ended.
    Revoked,
    /// A WebSocket: the gateway stopped.
    Stopped,
    /// A WebSocket: one side broke its protocol.
    ProtocolError,
    /// It held a credential, and was stopped for it.
    Echoed,
}

impl End {
    /// As it stands in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Cut => "cut",
            Self::Revoked => "revoked",
            Self::Echoed => "echoed",
            Self::Stopped => "stopped",
            Self::ProtocolError => "protocol_error",
        }
    }
}

/// Who calls whom and may do what: the part of a line that all calls with one token share, written once.
#[derive(Debug)]
pub struct Who(String);

impl Who {
    /// An agent that calls for a person's account at a provider, with what it may do there.
    #[must_use]
    pub fn new(
        (agent, client): (&AgentId, &ClientId),
        user: &UserId,
        (provider, account): (&ProviderId, &AccountId),
        effective: &ScopeSet,
    ) -> Self {
        #[derive(Serialize)]
        struct Fields<'a> {
            agent_id: &'a AgentId,
            client_id: &'a ClientId,
            user_id: &'a UserId,
            provider_id: &'a ProviderId,
            account_id: &'a AccountId,
            effective_scopes: &'a ScopeSet,
        }
        let fields = Fields {
            agent_id: agent,
            client_id: client,
            user_id: user,
            provider_id: provider,
            account_id: account,
            effective_scopes: effective,
        };
        let object = serde_json::to_string(&fields).unwrap_or_default();
        Self(object.trim_start_matches('{').trim_end_matches('}').to_owned())
    }
}

/// Writes the lines of calls, many in a row.
#[derive(Default)]
pub(crate) struct Lines {
    /// The second that was written last, and how.
    second: Option<(u64, String)>,
    scratch: itoa::Buffer,
}

impl Lines {
    /// One line of JSON, its end included. Everything in it but the parts that are JSON already is plain ASCII without quotes.
    pub(crate) fn write(&mut self, now: Timestamp, call: &Call, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"timestamp\":\"");
        self.time(now, out);
        out.extend_from_slice(b"\",\"event\":\"proxy_request\",");
        if let Some(id) = call.request_id.as_ref().map(RequestId::as_str) {
            field(out, b"\"request_id\":\"", id);
        }
        if let Some(address) = call.address {
            field(out, b"\"address\":\"", &address.to_string());
        }
        out.extend_from_slice(call.who.0.as_bytes());
        out.extend_from_slice(b",\"method\":\"");
        out.extend_from_slice(call.method.as_bytes());
        out.extend_from_slice(b"\",\"scope\":\"");
        // RFC 6749 §3.3: neither a quote nor a backslash.
        out.extend_from_slice(call.scope.as_str().as_bytes());
        self.number(out, b"\",\"status\":", u64::from(call.status));
        self.number(out, b",\"bytes\":", call.bytes);
        self.number(out, b",\"masked\":", call.masked);
        out.extend_from_slice(b",\"end\":\"");
        out.extend_from_slice(call.end.as_str().as_bytes());
        self.number(out, b"\",\"millis\":", call.millis);
        out.extend_from_slice(b"}\n");
    }

    fn number(&mut self, out: &mut Vec<u8>, name: &[u8], value: u64) {
        out.extend_from_slice(name);
        out.extend_from_slice(self.scratch.format(value).as_bytes());
    }

    /// RFC 3339 with milliseconds; the date and the time to the second are written once for each second.
    fn time(&mut self, now: Timestamp, out: &mut Vec<u8>) {
        let (second, millis) = (now.as_secs(), now.as_millis() % 1000);
        if self.second.as_ref().is_none_or(|(known, _)| *known != second) {
            let written = Timestamp::from_secs(second).to_rfc3339();
            self.second = Some((second, written.trim_end_matches('Z').to_owned()));
        }
        let written = self.second.as_ref().map_or("", |(_, written)| written);
        out.extend_from_slice(written.as_bytes());
        out.push(b'.');
        for unit in [100, 10, 1] {
            out.push(b'0' + u8::try_from(millis / unit % 10).unwrap_or_default());
        }
        out.push(b'Z');
    }
}

fn field(out: &mut Vec<u8>, name: &[u8], value: &str) {
    out.extend_from_slice(name);
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\",");
}

#[cfg(test)]
mod tests {
    use protocol::Loopback;

    use super::*;

    #[test]
    fn a_line_has_the_fields_of_the_protocol() {
        let scopes = ScopeSet::from_list("read:tickets write:tickets");
        let who = Who::new(
            (
                &AgentId::parse("https://agent.test/a", Loopback::Refused).expect("an id"),
                &ClientId::parse("ath_00112233445566778899aabbccddeeff").expect("an id"),
            ),
            &UserId::parse("u_00112233445566778899aabbccddeeff").expect("an id"),
            (
                &ProviderId::parse("helpdesk").expect("an id"),
                &AccountId::parse("00112233445566778899aabbccddeeff").expect("an id"),
            ),
            &scopes,
        );
        let call = Call {
            request_id: Some(RequestId::new(7)),
            address: Some("127.0.0.1".parse().expect("an address")),
            who: Arc::new(who),
            method: "GET",
            scope: Scope::parse("read:tickets").expect("a scope"),
            status: 200,
            bytes: 18_446_744_073_709_551_615,
            masked: 1,
            end: End::Complete,
            millis: 12,
        };
        let (mut lines, mut out) = (Lines::default(), Vec::new());
        for millis in [1_790_000_000_003, 1_790_000_000_998, 1_790_000_001_120] {
            out.clear();
            lines.write(Timestamp::from_millis(millis), &call, &mut out);
            let expected = "\"event\":\"proxy_request\",\"request_id\":\"0000000000000007\",\"address\":\"127.0.0.1\",\
                \"agent_id\":\"https://agent.test/a\",\"client_id\":\"ath_00112233445566778899aabbccddeeff\",\
                \"user_id\":\"u_00112233445566778899aabbccddeeff\",\"provider_id\":\"helpdesk\",\
                \"account_id\":\"00112233445566778899aabbccddeeff\",\
                \"effective_scopes\":[\"read:tickets\",\"write:tickets\"],\"method\":\"GET\",\"scope\":\"read:tickets\",\
                \"status\":200,\"bytes\":18446744073709551615,\"masked\":1,\"end\":\"complete\",\"millis\":12}\n";
            let time = Timestamp::from_millis(millis).to_rfc3339_millis();
            assert_eq!(String::from_utf8_lossy(&out), format!("{{\"timestamp\":\"{time}\",{expected}"));
        }
    }
}
