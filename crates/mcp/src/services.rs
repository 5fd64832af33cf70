//! Which services there are, and how they are connected.

use broker::{Api, Provider, ServiceState};
use futures_util::future::join_all;
use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::{Map, Value, json};

use crate::calling::refused;
use crate::results::Refusal;
use crate::toolbox::Toolbox;
use crate::visit::Guest;

/// `ath_services`.
pub(crate) async fn list(guest: &Guest, tools: &Toolbox) -> CallToolResult {
    let (mut lines, mut list) = (Vec::new(), Vec::new());
    let services: Vec<&Provider> = guest.services().collect();
    let mut states = Vec::with_capacity(services.len());
    for some in services.chunks(AT_ONCE) {
        let asked = some.iter().map(|provider| guest.broker.service_state(&guest.visit.caller, provider));
        states.extend(some.iter().zip(join_all(asked).await));
    }
    for (provider, state) in states {
        let (word, link) = match state {
            Ok(ServiceState::Connected) => ("connected", None),
            Ok(ServiceState::NeedsReconnecting { connect_url }) => ("needs_reconnecting", Some(connect_url)),
            Ok(ServiceState::NotConnected { connect_url }) => ("not_connected", Some(connect_url)),
            Ok(ServiceState::OutOfReach) => ("out_of_reach", None),
            Err(error) => (refused(&provider.display_name, &error).code, None),
        };
        let follows = link.as_ref().map(|link| format!("; the person connects it at {link}")).unwrap_or_default();
        lines.push(format!("- {} ({}): {}{follows}", provider.display_name, provider.id, word.replace('_', " ")));
        list.push(service(guest, tools, provider, (word, link)));
    }
    let mut result = CallToolResult::success(vec![ContentBlock::text(lines.join("\n"))]);
    result.structured_content = Some(json!({ "services": list }));
    result
}

fn service(guest: &Guest, tools: &Toolbox, provider: &Provider, (state, link): (&str, Option<String>)) -> Value {
    let own = *guest.visit.caller.provider_id() == provider.id;
    let scopes: Vec<Value> = provider
        .operations
        .scopes()
        .iter()
        .map(|scope| {
            let mut told = Map::new();
            told.insert("scope".to_owned(), json!(scope));
            told.insert("says".to_owned(), json!(provider.operations.says(scope)));
            if own {
                told.insert("granted".to_owned(), json!(guest.visit.caller.scopes().contains(scope)));
            }
            Value::Object(told)
        })
        .collect();
    let prefix = tools.prefix(&provider.id);
    let documented = tools.shelf(&provider.id).and_then(|shelf| shelf.current()).is_some();
    let mut told = json!({
        "id": provider.id,
        "name": provider.display_name,
        "state": state,
        "scopes": scopes,
        "tools": tools_of(provider, prefix),
        "documented": documented,
    });
    if let (Some(told), Some(link)) = (told.as_object_mut(), link) {
        told.insert("connect_url".to_owned(), json!(link));
    }
    told
}

fn tools_of(provider: &Provider, prefix: &str) -> Value {
    match provider.api {
        Api::Http => json!([format!("{prefix}_read"), format!("{prefix}_write")]),
        // They are the server's own.
        Api::Mcp => json!([format!("{prefix}_*")]),
    }
}

/// `ath_connect`.
pub(crate) async fn connect(guest: &Guest, arguments: &Map<String, Value>) -> Result<CallToolResult, Refusal> {
    let wanted = arguments.get("service").and_then(Value::as_str).unwrap_or_default();
    let Some(provider) = guest.service(wanted) else {
        let ids: Vec<&str> = guest.services().map(|provider| provider.id.as_str()).collect();
        let message = format!("There is no service {wanted:?} here. `service` is one of: {}.", ids.join(", "));
        return Err(Refusal::new(protocol::Problem::NotFound, message));
    };
    let name = &provider.display_name;
    let state =
        guest.broker.service_state(&guest.visit.caller, provider).await.map_err(|error| refused(name, &error))?;
    let (text, data) = match state {
        ServiceState::Connected => (
            format!("{name} is connected. Nothing has to be done."),
            json!({ "service": provider.id, "state": "connected" }),
        ),
        ServiceState::NeedsReconnecting { connect_url } => (
            format!("Ask the person to open {connect_url} and to sign in at {name} again; then go on."),
            json!({ "service": provider.id, "state": "needs_reconnecting", "connect_url": connect_url }),
        ),
        ServiceState::NotConnected { connect_url } => (
            format!("Ask the person to open {connect_url} and to allow {name}; then go on."),
            json!({ "service": provider.id, "state": "not_connected", "connect_url": connect_url }),
        ),
        ServiceState::OutOfReach => return Err(refused(name, &broker::FrontError::Target)),
    };
    let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
    result.structured_content = Some(data);
    Ok(result)
}

/// Services that are looked up side by side.
const AT_ONCE: usize = 16;
