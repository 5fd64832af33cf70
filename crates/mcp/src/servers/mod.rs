//! MCP servers behind the gateway, at the door for all services: their tools under the service's name.
//!
//! Each call is one conversation with the server, by the data plane as every call: the gateway keeps no session there between two of them.

mod message;
mod names;
mod talk;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use broker::{Api, Provider};
use protocol::{Problem, ProviderId, UserId};
use rmcp::model::{CallToolRequestParams, CallToolResponse, CallToolResult, Tool};
use serde_json::{Map, Value, json};

use crate::results::{self, Refusal};
use crate::toolbox::Toolbox;
use crate::visit::Guest;
use names::Names;
use talk::{Conversation, Eras};

/// What is known of the servers, of no consequence but for the time that it saves.
#[derive(Default)]
pub(crate) struct Servers {
    eras: Eras,
    /// By service and person: what a server offers may depend on who asks.
    names: Mutex<HashMap<(ProviderId, UserId), Arc<Names>>>,
}

impl Servers {
    /// The tools of every MCP server that this door leads to and that answers. One that does not is left out: the others are there.
    pub(crate) async fn tools(&self, guest: &Guest, toolbox: &Toolbox) -> Vec<Tool> {
        let asked = guest.services().filter(|provider| provider.api == Api::Mcp);
        let asked = asked.map(|provider| async move {
            let listed = tokio::time::timeout(PATIENCE, self.listed(guest, provider)).await;
            (provider, listed.unwrap_or_else(|_| Err(silent(provider))))
        });
        let mut tools = Vec::new();
        for (provider, listed) in futures_util::future::join_all(asked).await {
            match listed {
                Ok(listed) => tools.extend(self.named(guest, provider, toolbox, listed)),
                Err(refusal) => {
                    tracing::debug!(provider = %provider.id, code = refusal.code, "an MCP server's tools are not listed");
                }
            }
        }
        tools
    }

    /// Calls a tool by the name that it has here.
    pub(crate) async fn call(
        &self,
        guest: &Guest,
        provider: &Provider,
        toolbox: &Toolbox,
        request: &CallToolRequestParams,
    ) -> Result<CallToolResponse, Refusal> {
        let mut tool = self.original(guest, provider, &request.name);
        if tool.is_none() {
            // Listed by another replica, or before this one was started.
            let listed = self.listed(guest, provider).await?;
            self.named(guest, provider, toolbox, listed);
            tool = self.original(guest, provider, &request.name);
        }
        let Some(tool) = tool else {
            let message = format!("{} has no tool {:?}.", provider.display_name, request.name);
            return Err(Refusal::new(Problem::NotFound, message));
        };
        let mut params = Map::new();
        params.insert("name".to_owned(), json!(tool));
        params.insert("arguments".to_owned(), json!(request.arguments.clone().unwrap_or_default()));
        let conversation = Conversation::begin(&self.eras, guest, provider).await?;
        let result = conversation.ask(("tools/call", Some(&tool)), params).await?;
        answered(&provider.display_name, result)
    }

    fn original(&self, guest: &Guest, provider: &Provider, name: &str) -> Option<String> {
        let known = self.lock().get(&place(guest, provider)).cloned()?;
        known.original(name).map(str::to_owned)
    }

    async fn listed(&self, guest: &Guest, provider: &Provider) -> Result<Vec<Tool>, Refusal> {
        let (mut tools, mut cursor): (Vec<Tool>, _) = (Vec::new(), None);
        let conversation = Conversation::begin(&self.eras, guest, provider).await?;
        for _ in 0..PAGES {
            let params = cursor.take().map(|cursor: Value| ("cursor".to_owned(), cursor)).into_iter().collect();
            let mut page = match conversation.ask(("tools/list", None), params).await {
                Ok(page) => page,
                // What was listed before is there.
                Err(_) if !tools.is_empty() => break,
                Err(refusal) => return Err(refusal),
            };
            let listed = page.get_mut("tools").map(Value::take).unwrap_or_default();
            let listed: Vec<Value> = serde_json::from_value(listed).unwrap_or_default();
            tools.extend(listed.into_iter().filter_map(|tool| serde_json::from_value::<Tool>(tool).ok()));
            cursor = page.get_mut("nextCursor").map(Value::take).filter(Value::is_string);
            if cursor.is_none() || tools.len() >= MOST_TOOLS {
                break;
            }
        }
        tools.truncate(MOST_TOOLS);
        Ok(tools)
    }

    fn named(&self, guest: &Guest, provider: &Provider, toolbox: &Toolbox, listed: Vec<Tool>) -> Vec<Tool> {
        let (prefix, others) = (toolbox.prefix(&provider.id), toolbox.prefixes());
        let names = Arc::new(Names::new(
            prefix,
            (&others, &toolbox.taken(&guest.broker)),
            listed.iter().map(|tool| tool.name.as_ref()),
        ));
        let tools = listed.into_iter().filter_map(|mut tool| {
            tool.name = names.here(&tool.name)?.to_owned().into();
            // Of the server's own header and metadata, nothing is true of this door.
            tool.meta = None;
            Some(tool)
        });
        let tools = tools.collect();
        let mut known = self.lock();
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        known.insert(place(guest, provider), names);
        tools
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(ProviderId, UserId), Arc<Names>>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn silent(provider: &Provider) -> Refusal {
    Refusal::new(Problem::UpstreamTimeout, format!("{} did not answer in time.", provider.display_name))
}

fn place(guest: &Guest, provider: &Provider) -> (ProviderId, UserId) {
    (provider.id.clone(), guest.visit.caller.user_id().clone())
}

/// What a server answered to a tool call. Whatever it says, it does not speak for the gateway: a link in it is its own.
fn answered(service: &str, result: Value) -> Result<CallToolResponse, Refusal> {
    if result.get("resultType").and_then(Value::as_str) == Some("input_required") {
        // It was told that nobody can be asked here. Whoever it wants to ask, and what, would seem to come from the gateway.
        let message = format!("{service} wants to ask the person something. Connect to its own MCP server for that.");
        return Err(Refusal::new(Problem::UpstreamFailed, message));
    }
    match serde_json::from_value::<CallToolResult>(result) {
        Ok(result) => Ok(results::of_server(result).into()),
        Err(error) => {
            tracing::debug!(error = %error, "an MCP server's result is none");
            Err(Refusal::new(Problem::UpstreamFailed, format!("What {service} answered is no result of a tool.")))
        }
    }
}

/// With a list that other servers are on, too.
const PATIENCE: Duration = Duration::from_secs(8);
const PAGES: usize = 10;
const MOST_TOOLS: usize = 200;
const MOST_KNOWN: usize = 10_000;
