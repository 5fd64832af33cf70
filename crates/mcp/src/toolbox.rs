//! Which tools there are: their names, what they say of themselves, and what is behind each.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use broker::{Api, Broker, Provider};
use protocol::ProviderId;
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::{Value, json};

use crate::arguments::Kind;
use crate::openapi::{self, Effect, Shelf, TypedTool};

/// What is behind a tool's name.
#[derive(Clone)]
pub(crate) enum Behind {
    /// What exists, and whether it is connected.
    Services,
    /// The link for the person.
    Connect,
    /// Any operation of a service.
    Plain(ProviderId, Kind),
    /// A search in what a service says of itself.
    Find(ProviderId),
    /// One of its operations, in full.
    Describe(ProviderId),
    /// A tool of an MCP server.
    Server(ProviderId),
    /// One of its operations.
    Typed(ProviderId, Arc<TypedTool>),
}

impl Behind {
    /// Whose tool it is.
    pub(crate) fn service(&self) -> Option<&ProviderId> {
        match self {
            Self::Services | Self::Connect => None,
            Self::Plain(id, _) | Self::Find(id) | Self::Describe(id) | Self::Server(id) | Self::Typed(id, _) => {
                Some(id)
            }
        }
    }
}

/// The tools of all services. Made once; documents come and go on their shelves.
#[derive(Clone)]
pub struct Toolbox(Arc<Inner>);

struct Inner {
    /// In the order of the services' ids.
    services: Vec<Service>,
}

struct Service {
    id: ProviderId,
    prefix: String,
    api: Api,
    shelf: Option<Arc<Shelf>>,
}

impl Toolbox {
    /// For the configured services; those that say what they can do have a shelf.
    #[must_use]
    pub fn new(broker: &Broker, shelves: &HashMap<ProviderId, Arc<Shelf>>) -> Self {
        let service = |provider: &Provider| Service {
            id: provider.id.clone(),
            prefix: openapi::tool_prefix(&provider.id),
            api: provider.api,
            shelf: shelves.get(&provider.id).cloned(),
        };
        Self(Arc::new(Inner { services: broker.providers().map(service).collect() }))
    }

    /// What a name stands for, at a door that leads to `only`, or to everything.
    pub(crate) fn behind(&self, name: &str, only: Option<&ProviderId>) -> Option<Behind> {
        match name {
            SERVICES => return Some(Behind::Services),
            CONNECT => return Some(Behind::Connect),
            _ => {}
        }
        let here = self.0.services.iter().filter(|service| only.is_none_or(|only| *only == service.id));
        let typed = |service: &&Service| service.typed(name);
        let here = here.collect::<Vec<_>>();
        if let Some(found) = here.iter().find_map(typed) {
            return Some(found);
        }
        // What begins like the longer of two names is the longer's, where that has such a tool.
        let mut named = here;
        named.retain(|service| name.starts_with(&service.prefix));
        named.sort_by_key(|service| std::cmp::Reverse(service.prefix.len()));
        named.into_iter().find_map(|service| service.behind(name))
    }

    /// The tools of a door, in an order that stays the same.
    pub(crate) fn tools(&self, broker: &Broker, only: Option<&ProviderId>) -> Vec<Tool> {
        let mut tools = vec![services_tool(), connect_tool()];
        // Both are in the order of the ids.
        for (service, provider) in self.0.services.iter().zip(broker.providers()) {
            if only.is_none_or(|only| *only == service.id) {
                tools.extend(service.tools(provider));
            }
        }
        tools
    }

    /// What a service says of itself.
    pub(crate) fn shelf(&self, id: &ProviderId) -> Option<&Arc<Shelf>> {
        self.0.services.iter().find(|service| service.id == *id)?.shelf.as_ref()
    }

    /// The names of all tools that are the gateway's.
    pub(crate) fn taken(&self, broker: &Broker) -> HashSet<String> {
        self.tools(broker, None).into_iter().map(|tool| tool.name.into_owned()).collect()
    }

    /// What the names of all services' tools begin with.
    pub(crate) fn prefixes(&self) -> Vec<String> {
        self.0.services.iter().map(|service| service.prefix.clone()).collect()
    }

    /// What the names of a service's tools begin with.
    pub(crate) fn prefix(&self, id: &ProviderId) -> &str {
        self.0.services.iter().find(|service| service.id == *id).map_or("", |service| &service.prefix)
    }
}

impl Service {
    fn behind(&self, name: &str) -> Option<Behind> {
        let ends = name.strip_prefix(&self.prefix)?.strip_prefix('_')?;
        let id = self.id.clone();
        if self.api == Api::Mcp {
            return Some(Behind::Server(id));
        }
        match (ends, &self.shelf) {
            ("read", _) => Some(Behind::Plain(id, Kind::Read)),
            ("write", _) => Some(Behind::Plain(id, Kind::Write)),
            ("find", Some(_)) => Some(Behind::Find(id)),
            ("describe", Some(_)) => Some(Behind::Describe(id)),
            _ => None,
        }
    }

    /// A tool of an operation's own, by its whole name.
    fn typed(&self, name: &str) -> Option<Behind> {
        let described = self.shelf.as_ref()?.current()?;
        let tool = described.tools.iter().find(|tool| tool.name() == name)?;
        Some(Behind::Typed(self.id.clone(), Arc::new(tool.clone())))
    }

    fn tools(&self, provider: &Provider) -> Vec<Tool> {
        if self.api == Api::Mcp {
            return Vec::new();
        }
        let name = &provider.display_name;
        let mut tools = vec![self.plain(name, Kind::Read), self.plain(name, Kind::Write)];
        let Some(described) = &self.shelf else { return tools };
        tools.extend([self.find(name), self.describe(name)]);
        let described = described.current();
        tools.extend(described.iter().flat_map(|described| described.tools.iter()).map(typed));
        tools
    }

    fn plain(&self, name: &str, kind: Kind) -> Tool {
        let (ends, does, hint) = match kind {
            Kind::Read => ("read", "Read from", read_only(true)),
            Kind::Write => ("write", "Change something in", read_only(false).destructive(true).idempotent(false)),
        };
        let first = match &self.shelf {
            Some(_) => {
                format!(" Look up paths and parameters with {}_find and {}_describe first.", self.prefix, self.prefix)
            }
            None => String::new(),
        };
        let methods = kind.methods();
        let description = format!(
            "{does} {name} by its HTTP API: {}. `path` is a path of that API, as in \"/tickets\"; the person's own credential is added on \
             the way, and is not yours to send.{first} If the answer says connect_required, give the person the link in it and call again.",
            methods.join(", ")
        );
        let tool = Tool::new(format!("{}_{ends}", self.prefix), description, plain_schema(kind));
        tool.with_title(format!("{does} {name}")).with_annotations(hint).with_raw_output_schema(answer_schema())
    }

    fn find(&self, name: &str) -> Tool {
        let description = format!(
            "Find operations of {name} by what they do: returns method, path, and the name to look each up by with {}_describe.",
            self.prefix
        );
        let schema = json!({
            "type": "object",
            "properties": {
                "query": { "type": "string", "description": "What you want to do, in a few words: \"list open tickets\". Without it, operations are listed by their paths." },
                "limit": { "type": "integer", "minimum": 1, "maximum": 50, "default": 10 },
            },
            "additionalProperties": false,
        });
        let tool = Tool::new(format!("{}_find", self.prefix), description, object(schema));
        tool.with_title(format!("Find operations of {name}")).with_annotations(read_only(true).open_world(false))
    }

    fn describe(&self, name: &str) -> Tool {
        let description = format!("Describe one operation of {name}: its parameters, its body, and what it answers.");
        let schema = json!({
            "type": "object",
            "properties": {
                "operation": { "type": "string", "description": format!("The name that {}_find gave.", self.prefix) },
            },
            "required": ["operation"],
            "additionalProperties": false,
        });
        let tool = Tool::new(format!("{}_describe", self.prefix), description, object(schema));
        tool.with_title(format!("Describe an operation of {name}")).with_annotations(read_only(true).open_world(false))
    }
}

fn typed(tool: &TypedTool) -> Tool {
    let hint = match tool.effect() {
        Effect::Read => read_only(true),
        Effect::Replace => read_only(false).destructive(true).idempotent(true),
        Effect::Write => read_only(false).destructive(true).idempotent(false),
    };
    let made = Tool::new(tool.name().to_owned(), tool.description().to_owned(), tool.input_schema().clone());
    made.with_title(tool.title().to_owned()).with_annotations(hint).with_raw_output_schema(answer_schema())
}

fn services_tool() -> Tool {
    let description = "List the services behind this gateway: which there are, whether the person has connected each, what is allowed \
                       there, and which tools reach it. Call it when you do not know where something is.";
    let schema = json!({ "type": "object", "properties": {}, "additionalProperties": false });
    let tool = Tool::new(SERVICES, description, object(schema));
    tool.with_title("List services").with_annotations(read_only(true).open_world(false))
}

fn connect_tool() -> Tool {
    let description = "Get the link that the person opens in their browser to connect a service, or to connect it again. Give them the \
                       link; when they are done, call the tool that you wanted.";
    let schema = json!({
        "type": "object",
        "properties": { "service": { "type": "string", "description": "The id of a service, as ath_services lists it." } },
        "required": ["service"],
        "additionalProperties": false,
    });
    let tool = Tool::new(CONNECT, description, object(schema));
    tool.with_title("Connect a service").with_annotations(read_only(true).open_world(false))
}

fn read_only(reads: bool) -> ToolAnnotations {
    ToolAnnotations::new().read_only(reads).open_world(true)
}

fn plain_schema(kind: Kind) -> Arc<JsonObject> {
    let mut properties = json!({
        "method": { "type": "string", "enum": kind.methods() },
        "path": { "type": "string", "pattern": "^/", "description": "The path alone, percent-encoded where it has to be; without query." },
        "query": { "type": "object", "additionalProperties": true, "description": "Parameters of the query, as they are: they are encoded on the way. A list repeats its name." },
        "headers": { "type": "object", "additionalProperties": { "type": "string" }, "description": "Headers that the API knows, if any." },
    });
    let required = match kind {
        Kind::Read => {
            add(
                &mut properties,
                "offset",
                json!({ "type": "integer", "minimum": 0, "description": "Where to go on in an answer that was cut, as `next` of that answer says." }),
            );
            json!(["path"])
        }
        Kind::Write => {
            add(
                &mut properties,
                "body",
                json!({ "anyOf": any(), "description": "Sent as JSON; a string is sent as it is, as text/plain unless headers say otherwise." }),
            );
            json!(["method", "path"])
        }
    };
    let schema =
        json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false });
    object(schema)
}

/// What every call of a service answers.
fn answer_schema() -> Arc<JsonObject> {
    object(json!({
        "type": "object",
        "properties": {
            "status": { "type": "integer", "description": "The service's HTTP status." },
            "headers": { "type": "object" },
            "body": { "anyOf": any(), "description": "JSON where the service answered with JSON, otherwise text." },
            "truncated": { "type": "boolean" },
            "next": { "anyOf": [{ "type": "object" }, { "type": "null" }], "description": "What to add to the arguments for the rest; null where there is none." },
            "code": { "type": "string", "description": "Of a refusal by the gateway, instead of all the others." },
            "message": { "type": "string" },
            "retryable": { "type": "boolean" },
            "connect_url": { "type": "string" },
        },
    }))
}

/// Every kind of JSON: some clients drop tools whose schemas say nothing of a value, or several things at once.
fn any() -> Value {
    json!(["object", "array", "string", "number", "boolean", "null"].map(|kind| json!({ "type": kind })))
}

fn add(properties: &mut Value, name: &str, schema: Value) {
    if let Some(properties) = properties.as_object_mut() {
        properties.insert(name.to_owned(), schema);
    }
}

fn object(schema: Value) -> Arc<JsonObject> {
    match schema {
        Value::Object(schema) => Arc::new(schema),
        _ => Arc::default(),
    }
}

pub(crate) const SERVICES: &str = "ath_services";
pub(crate) const CONNECT: &str = "ath_connect";
