//! Asking the person through the client (MCP 2026-07-28, multi round-trip requests): once for each call, and only where the client has
//! said with this very request that it can.

use std::time::Duration;

use broker::Provider;
use rmcp::ErrorData;
use rmcp::model::{
    CallToolRequestParams, ElicitRequest, ElicitRequestParams, InputRequest, InputRequiredResult, ProtocolVersion,
};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::Value;

use crate::visit::Guest;

/// What a client brings back of an earlier round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Round {
    /// There was none.
    First,
    /// The person goes and does it.
    Accepted,
    /// The person does not, or the client asked nobody.
    Declined,
}

impl Round {
    /// Reads what came back. A state that is not this gateway's, or another person's, or too old, is none.
    pub(crate) fn of(guest: &Guest, request: &CallToolRequestParams) -> Result<Self, ErrorData> {
        let Some(state) = &request.request_state else { return Ok(Self::First) };
        if !guest.broker.is_round(&guest.visit.caller, &request.name, state) {
            return Err(ErrorData::invalid_params(
                "requestState is none of this server's, or too old; call again without it",
                None,
            ));
        }
        let answer = request.input_responses.as_ref().and_then(|responses| responses.get(KEY));
        let action = answer.and_then(|answer| answer.get("action")).and_then(Value::as_str);
        Ok(if action == Some("accept") { Self::Accepted } else { Self::Declined })
    }
}

/// Whether this request's client says that it can open a link for its person.
pub(crate) fn can_open_links(context: &RequestContext<RoleServer>) -> bool {
    let modern =
        context.protocol_version().is_some_and(|version| version.as_str() >= ProtocolVersion::V_2026_07_28.as_str());
    let declared = context.client_capabilities().and_then(|capabilities| capabilities.elicitation);
    modern && declared.is_some_and(|elicitation| elicitation.url.is_some())
}

/// The question; `None` where its state cannot be sealed.
pub(crate) fn ask(guest: &Guest, provider: &Provider, tool: &str, url: &str) -> Option<InputRequiredResult> {
    let state = guest.broker.round(&guest.visit.caller, tool)?;
    let params = ElicitRequestParams::UrlElicitationParams {
        meta: None,
        message: format!("{} needs you first. Open the link, and allow what it says.", provider.display_name),
        url: url.to_owned(),
        elicitation_id: String::new(),
    };
    let question = InputRequest::Elicitation(ElicitRequest::new(params));
    let questions = [(KEY.to_owned(), question)].into_iter().collect();
    Some(InputRequiredResult::new(Some(questions), Some(state)))
}

const KEY: &str = "connect";
/// While the person is at it: with what is waited before, about as long as clients wait for a call.
pub(crate) const TRIES: usize = 6;
pub(crate) const TRY_AGAIN: Duration = Duration::from_secs(2);
