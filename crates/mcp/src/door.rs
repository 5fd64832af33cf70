//! The door's paths.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use broker::Broker;
use http::{HeaderValue, Method, Request, StatusCode, header};
use protocol::Problem;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::json;

use crate::json::check;
use crate::server::{Server, factory};
use crate::skill;
use crate::toolbox::Toolbox;
use crate::visit::Visit;

type Service = StreamableHttpService<Server, NeverSessionManager>;

/// The doors to every service that is no MCP server itself, the one to all of them, and what teaches agents to use them. Whoever serves them
/// has let the request in, and puts a [`crate::Visit`], its [`Broker`] and its origin beside it.
pub fn router(tools: Toolbox) -> Router {
    // Host and origin have been looked at when the request was let in.
    let mut config = StreamableHttpServerConfig::default().disable_allowed_hosts().disable_allowed_origins();
    config.legacy_session_mode = false;
    config.json_response = true;
    config.max_request_body_bytes = MOST;
    let service = StreamableHttpService::new(
        factory(Server { tools, servers: Arc::default() }),
        Arc::new(NeverSessionManager::default()),
        config,
    );
    let doors = ["/mcp", "/mcp/", "/{provider}/mcp", "/{provider}/mcp/"];
    let router = doors.into_iter().fold(Router::new(), |router, door| router.route(door, any(visit)));
    router.with_state(service).route("/skill.md", get(skill_page)).route("/llms.txt", get(index_page))
}

async fn visit(State(service): State<Service>, request: Request<Body>) -> Response {
    let (head, body) = request.into_parts();
    // A path that looks like a door's, and is none.
    if head.extensions.get::<Visit>().is_none() {
        return nowhere();
    }
    let Ok(body) = axum::body::to_bytes(body, MOST).await else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
    if head.method == Method::POST
        && let Err(error) = check(&body)
    {
        return unreadable(&error.to_string());
    }
    let answer = service.handle(Request::from_parts(head, http_body_util::Full::<Bytes>::new(body))).await;
    answer.map(Body::new)
}

fn nowhere() -> Response {
    let body = json!({ "code": "not_found", "detail": "There is no MCP server at this path. /llms.txt lists those that there are." });
    (StatusCode::NOT_FOUND, axum::Json(body)).into_response()
}

/// Why nobody has looked at a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// It is longer than any may be, or broke off.
    TooLarge,
    /// There is no memory for it.
    Full,
    /// It did not come in time.
    Slow,
    /// The gateway failed.
    Fault,
}

/// What its client is told, in JSON-RPC: nobody can say whose message it was.
#[must_use]
pub fn unread(why: Unread) -> Response {
    let (status, code, problem, message) = match why {
        Unread::TooLarge => (
            StatusCode::PAYLOAD_TOO_LARGE,
            -32600,
            Problem::BadRequest,
            "The message is longer than 256 KiB, or broke off. Send less at once.",
        ),
        Unread::Slow => (
            StatusCode::REQUEST_TIMEOUT,
            -32600,
            Problem::BadRequest,
            "The message did not come in time. Send it again.",
        ),
        Unread::Full => (
            StatusCode::SERVICE_UNAVAILABLE,
            -32603,
            Problem::Unavailable,
            "The gateway has no room for the message now. Try again in a few seconds.",
        ),
        Unread::Fault => (
            StatusCode::INTERNAL_SERVER_ERROR,
            -32603,
            Problem::InternalError,
            "The gateway is at fault. Report the X-Request-Id of this answer to its operator.",
        ),
    };
    let data = json!({ "code": problem.as_str(), "retryable": problem.is_retryable() });
    let error = json!({ "code": code, "message": message, "data": data });
    (status, axum::Json(json!({ "jsonrpc": "2.0", "id": null, "error": error }))).into_response()
}

/// JSON-RPC 2.0, parse error: nobody can say whose it was.
fn unreadable(why: &str) -> Response {
    let body = json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32700, "message": why } });
    (StatusCode::BAD_REQUEST, axum::Json(body)).into_response()
}

async fn skill_page(Extension(broker): Extension<Broker>) -> Response {
    document("text/markdown; charset=utf-8", skill::text(&broker))
}

async fn index_page(Extension(broker): Extension<Broker>) -> Response {
    document("text/plain; charset=utf-8", skill::index(&broker))
}

/// Nothing of it is a secret.
fn document(kind: &'static str, text: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300")),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
    ];
    (headers, text).into_response()
}

/// Of a request's body, in bytes.
const MOST: usize = 256 * 1024;
