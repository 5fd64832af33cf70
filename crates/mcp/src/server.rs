//! The door as an MCP server.

use std::sync::Arc;

use broker::Provider;
use http::request::Parts;
use protocol::{Problem, TraceContext};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequestMethod, CompleteRequestParams,
    CompleteResult, DiscoverResult, GetSkillRequestParams, GetSkillResult, Implementation, InitializeRequestParams,
    InitializeResult, ListPromptsRequestMethod, ListPromptsResult, ListResourcesResult, ListSkillsResult,
    ListToolsResult, PaginatedRequestParams, ReadResourceRequestParams, ReadResourceResponse, ServerCapabilities,
    ServerConfig, Tool,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::{ErrorData, ServerHandler};
use serde_json::{Map, Value, json};

use crate::arguments::{Kind, PlainArguments};
use crate::calls::ToolCall;
use crate::eliciting::{self, Round};
use crate::results::{self, Refusal};
use crate::servers::Servers;
use crate::toolbox::{Behind, Toolbox};
use crate::visit::Guest;
use crate::{documented, services, skill};

/// One for all doors and all who come by them: what differs comes with each request.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) tools: Toolbox,
    pub(crate) servers: Arc<Servers>,
}

impl Server {
    /// A tool call, but for what it takes of its client.
    async fn called(
        &self,
        guest: &Guest,
        behind: &Behind,
        request: CallToolRequestParams,
    ) -> Result<CallToolResponse, Refusal> {
        if let Behind::Server(id) = behind {
            let provider = service(guest, id.as_str())?;
            return self.servers.call(guest, provider, &self.tools, &request).await;
        }
        let arguments = request.arguments.unwrap_or_default();
        let called = match behind {
            Behind::Server(_) => Err(unknown(&request.name)),
            Behind::Services => Ok(services::list(guest, &self.tools).await),
            Behind::Connect => services::connect(guest, &arguments).await,
            Behind::Plain(id, kind) => plain(guest, service(guest, id.as_str())?, *kind, arguments).await,
            Behind::Find(id) => documented::find(guest, &self.tools, service(guest, id.as_str())?, &arguments),
            Behind::Describe(id) => documented::describe(&self.tools, service(guest, id.as_str())?, &arguments),
            Behind::Typed(id, tool) => {
                documented::call(guest, &self.tools, service(guest, id.as_str())?, (tool, arguments)).await
            }
        };
        called.map(CallToolResponse::from)
    }

    /// A tool call, and what is counted and written down of it.
    async fn tool_call(
        &self,
        guest: &Guest,
        request: CallToolRequestParams,
        context: &RequestContext<RoleServer>,
        done: &mut ToolCall,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(behind) = self.tools.behind(&request.name, guest.visit.only.as_ref()) else {
            failed(guest, done, "unknown_tool");
            return Err(ErrorData::invalid_params(format!("there is no tool {:?}", request.name), None));
        };
        done.provider = behind.service().cloned();
        // What follows the name of an MCP server is its client's text.
        done.tool = (!matches!(behind, Behind::Server(_))).then(|| request.name.to_string());
        let round = Round::of(guest, &request).inspect_err(|_| failed(guest, done, "bad_state"))?;
        let name = request.name.clone();
        let provider = behind.service().and_then(|id| guest.service(id.as_str()));
        if let (Round::Accepted, Some(provider)) = (round, provider) {
            guest.wait_for(provider).await;
        }
        let mut called = self.called(guest, &behind, request.clone()).await;
        if round == Round::Accepted {
            // What the person does now, no record says before it is done: the call itself is the question, as long as it is refused here.
            for _ in 0..eliciting::TRIES {
                if !called.as_ref().is_err_and(|refusal| refusal.connect_url.is_some()) {
                    break;
                }
                tokio::time::sleep(eliciting::TRY_AGAIN).await;
                called = self.called(guest, &behind, request.clone()).await;
            }
        }
        let refusal = match called {
            Ok(result) => {
                if let Some(code) = results::failed(&result) {
                    failed(guest, done, code);
                }
                return Ok(result);
            }
            Err(refusal) => refusal,
        };
        failed(guest, done, refusal.code);
        if let (Round::First, Some(provider), Some(url)) = (round, provider, &refusal.connect_url)
            && eliciting::can_open_links(context)
            && let Some(question) = eliciting::ask(guest, provider, &name, url)
        {
            return Ok(question.into());
        }
        tracing::debug!(code = refusal.code, tool = %name, "a tool call was refused");
        Ok(refusal.result().into())
    }

    fn info(&self, guest: Option<&Guest>) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().enable_resources().enable_skills().build();
        let about = Implementation::new("ath-gateway", env!("CARGO_PKG_VERSION")).with_title("ATH Gateway");
        let info = ServerConfig::new(capabilities).with_server_info(about);
        match guest {
            Some(guest) => info.with_instructions(skill::instructions(guest, &self.tools)),
            None => info,
        }
    }
}

/// Counts it, once for each time that it is said.
fn failed(guest: &Guest, done: &mut ToolCall, code: &'static str) {
    guest.broker.count_tool_error(done.provider.as_ref(), code);
    done.failed = Some(code);
}

/// What the client says of the trace that its call is part of, in `_meta` (SEP-414).
fn trace(context: &RequestContext<RoleServer>, request: &CallToolRequestParams) -> Option<TraceContext> {
    let own = request.meta.as_ref().and_then(|meta| meta.get("traceparent"));
    let text = own.or_else(|| context.meta.get("traceparent"))?.as_str()?;
    TraceContext::parse(text.as_bytes())
}

async fn plain(
    guest: &Guest,
    provider: &Provider,
    kind: Kind,
    arguments: Map<String, Value>,
) -> Result<CallToolResult, Refusal> {
    let wrong = |error: crate::arguments::ArgumentsError| Refusal::new(Problem::BadRequest, error.to_string());
    let arguments = PlainArguments::read(arguments).map_err(wrong)?;
    let offset = arguments.offset;
    let request = arguments.request(kind).map_err(wrong)?;
    guest.call(provider, request, (offset, None)).await
}

fn unknown(tool: &str) -> Refusal {
    Refusal::new(Problem::NotFound, format!("There is no tool {tool:?} here."))
}

fn service<'g>(guest: &'g Guest, id: &str) -> Result<&'g Provider, Refusal> {
    guest.service(id).ok_or_else(|| Refusal::new(Problem::NotFound, format!("There is no service {id:?} here.")))
}

fn nothing_at(what: &str, uri: &str) -> ErrorData {
    ErrorData::resource_not_found(format!("there is no {what} {uri:?}"), Some(json!({ "uri": uri })))
}

/// Whoever makes this request.
fn guest(context: &RequestContext<RoleServer>) -> Result<Guest, ErrorData> {
    let guest = context.extensions.get::<Parts>().and_then(Guest::of);
    guest.ok_or_else(|| ErrorData::internal_error("the request did not come by the door", None))
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        self.info(None)
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        let guest = guest(&context)?;
        context.peer.set_peer_info(request.clone());
        let negotiated = self.negotiate_initialize(&request)?;
        Ok(negotiated.with_instructions(skill::instructions(&guest, &self.tools)))
    }

    async fn discover(&self, context: RequestContext<RoleServer>) -> Result<DiscoverResult, ErrorData> {
        let info = self.info(Some(&guest(&context)?));
        Ok(DiscoverResult::from_server_info(self.supported_protocol_versions().into_owned(), info))
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let guest = guest(&context)?;
        let mut tools = self.tools.tools(&guest.broker, guest.visit.only.as_ref());
        tools.extend(self.servers.tools(&guest, &self.tools).await);
        Ok(ListToolsResult::with_all_items(tools))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let mut guest = guest(&context)?;
        let span = guest.visit.calls.begin(&guest.origin, trace(&context, &request));
        if let Some(span) = &span {
            guest.origin = span.origin();
        }
        let mut done = ToolCall::default();
        let answer = self.tool_call(&guest, request, &context, &mut done).await;
        if let Some(span) = span {
            span.end(done);
        }
        answer
    }

    fn get_tool(&self, _name: &str) -> Option<Tool> {
        // No tool takes a parameter from a header.
        None
    }

    async fn list_prompts(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Err(ErrorData::method_not_found::<ListPromptsRequestMethod>())
    }

    async fn complete(
        &self,
        _request: CompleteRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        Err(ErrorData::method_not_found::<CompleteRequestMethod>())
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Ok(ListResourcesResult::with_all_items(vec![skill::resource(&guest(&context)?.broker)]))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let guest = guest(&context)?;
        if request.uri != skill::URI {
            return Err(nothing_at("resource", &request.uri));
        }
        Ok(skill::contents(&guest.broker).into())
    }

    async fn list_skills(
        &self,
        _request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListSkillsResult, ErrorData> {
        Ok(ListSkillsResult::with_all_items(vec![skill::skill(&guest(&context)?.broker)]))
    }

    async fn get_skill(
        &self,
        request: GetSkillRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetSkillResult, ErrorData> {
        let guest = guest(&context)?;
        if request.uri != skill::URI {
            return Err(ErrorData::invalid_params(format!("there is no skill {:?}", request.uri), None));
        }
        Ok(GetSkillResult::new(skill::skill(&guest.broker)))
    }
}

/// So that the library can make one for each request.
pub(crate) fn factory(server: Server) -> impl Fn() -> Result<Server, std::io::Error> + Send + Sync + 'static {
    let server = Arc::new(server);
    move || Ok(Server::clone(&server))
}
