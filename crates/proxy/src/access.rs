use std::time::Instant;

use audit::{Call, Event, Place};
use broker::Caller;
use http::{Method, StatusCode};
use protocol::{Origin, Scope};

/// The record of one forwarded call, written when its answer's body has ended or was dropped. No path, no query, no header value.
pub(crate) struct Access {
    /// Reserved before the call was made.
    place: Option<Place>,
    origin: Origin,
    caller: Caller,
    method: Method,
    scope: Scope,
    status: StatusCode,
    begun: Instant,
    bytes: u64,
    finds: u64,
    end: &'static str,
}

impl Access {
    pub(crate) fn new(place: Place, origin: Origin, caller: Caller, method: Method, scope: Scope) -> Self {
        Self {
            place: Some(place),
            origin,
            caller,
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

    /// What a tunnel has carried to the agent, frames and all, and how it ended.
    pub(crate) fn tunnelled(&mut self, bytes: u64, finds: u64, end: &'static str) {
        self.bytes = bytes;
        self.finds = finds;
        self.end = end;
    }
}

impl Drop for Access {
    fn drop(&mut self) {
        let Some(place) = self.place.take() else { return };
        let call = Call {
            method: self.method.to_string(),
            scope: self.scope.to_string(),
            status: self.status.as_u16(),
            bytes: self.bytes,
            masked: self.finds,
            end: self.end,
            millis: u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        };
        tracing::debug!(
            target: "ath_gateway::access",
            event = "proxy_request",
            request_id = self.origin.request_id(),
            agent_id = %self.caller.agent_id(),
            provider_id = %self.caller.provider_id(),
            status = call.status,
            bytes = call.bytes,
            end = call.end,
            millis = call.millis,
        );
        let event = Event::new("proxy_request").from(&self.origin).agent(self.caller.agent_id());
        let event =
            event.client(self.caller.client_id()).user(self.caller.user_id()).provider(self.caller.provider_id());
        let event = event.account(self.caller.account_id()).effective(self.caller.scopes());
        place.fill(&event.call(call));
    }
}
