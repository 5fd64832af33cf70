use std::time::Instant;

use broker::Caller;
use http::{Method, StatusCode};
use protocol::Scope;

/// The record of one forwarded call, written when its answer's body has ended or was dropped. No path, no query, no header value.
pub(crate) struct Access {
    caller: Caller,
    request_id: String,
    method: Method,
    scope: Scope,
    status: StatusCode,
    begun: Instant,
    bytes: u64,
    finds: u64,
    end: &'static str,
}

impl Access {
    pub(crate) fn new(caller: Caller, request_id: String, method: Method, scope: Scope) -> Self {
        Self {
            caller,
            request_id,
            method,
            scope,
            status: StatusCode::BAD_GATEWAY,
            begun: Instant::now(),
            bytes: 0,
            finds: 0,
            end: "cut",
        }
    }

    pub(crate) fn answered(&mut self, status: StatusCode) {
        self.status = status;
    }

    pub(crate) fn sent(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    pub(crate) fn ended(&mut self, finds: u64) {
        self.finds = finds;
        self.end = "complete";
    }
}

impl Drop for Access {
    fn drop(&mut self) {
        tracing::info!(
            target: "ath_gateway::access",
            event = "proxy_request",
            request_id = self.request_id,
            agent_id = %self.caller.agent_id(),
            user_id = %self.caller.user_id(),
            provider_id = %self.caller.provider_id(),
            method = %self.method,
            scope = %self.scope,
            status = self.status.as_u16(),
            bytes = self.bytes,
            masked = self.finds,
            end = self.end,
            millis = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        );
    }
}
