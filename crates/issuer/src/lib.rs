//! The endpoints of the gateway's OAuth 2.1 authorization server: what ordinary OAuth clients, and programs on their behalf, ask.
//!
//! **Invariant:** a handler reads a request, asks the broker, and writes the answer; decisions are the broker's. Every refusal of the
//! broker's goes through the one table in `table.rs`.
//!
//! **Invariant:** nothing is read in one of two possible ways: what is there twice, or could be decoded otherwise, is refused.

mod body;
mod client;
mod cors;
mod form;
mod metadata;
mod mine;
mod openapi;
mod own;
mod refusal;
mod register;
mod resource;
mod table;
mod token;
mod tokens;

use axum::Router;
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use broker::{Broker, Door};
use http::{HeaderValue, header};
use own::Unread;
pub use refusal::Refusal;

/// The endpoints that are there, to be merged with the pages and the control plane's own. Whoever serves them puts the request's own
/// [`Broker`] beside each request, as an extension: [`Broker::asked_by`].
pub fn router(broker: &Broker) -> Router {
    let described = Router::new().route("/openapi.json", open(get(openapi::document)));
    let routes = match broker.front().door {
        Door::Open => described.merge(endpoints()).merge(documents(broker)),
        Door::Closed => described,
    };
    routes.method_not_allowed_fallback(method_not_allowed).layer(map_response(unstored))
}

fn endpoints() -> Router {
    Router::new()
        .route("/oauth/token", open(post(token::token)))
        .route("/oauth/revoke", open(post(tokens::revoke)))
        .route("/oauth/introspect", post(tokens::introspect))
        .route("/oauth/device_authorization", open(post(tokens::authorize_device)))
        .route("/oauth/register", open(post(register::register)))
        .merge(mine::router())
        .route("/oauth/userinfo", open(get(tokens::userinfo).post(tokens::userinfo)))
}

/// What is looked for before anything is asked.
fn documents(broker: &Broker) -> Router {
    let well_known = resource::WELL_KNOWN;
    let routes = Router::new()
        .route("/.well-known/oauth-authorization-server", open(get(metadata::metadata)))
        .route("/.well-known/openid-configuration", open(get(metadata::metadata)))
        .route("/.well-known/jwks.json", open(get(metadata::keys)))
        .route(well_known, open(get(resource::resource)))
        .route(&format!("{well_known}/"), open(get(resource::resource)))
        .route(&format!("{well_known}/{{*path}}"), open(get(resource::resource)))
        .route(&format!("/ath/proxy/{{provider}}{well_known}"), open(get(resource::resource)))
        .route(&format!("/mcp{well_known}"), open(get(resource::resource)))
        .route(&format!("/{{provider}}/mcp{well_known}"), open(get(resource::resource)));
    let prefixes = broker.providers().filter_map(|provider| provider.path_prefix.as_deref());
    prefixes
        .fold(routes, |routes, prefix| routes.route(&format!("{prefix}{well_known}"), open(get(resource::resource))))
}

/// For pages of any origin.
fn open(endpoint: MethodRouter) -> MethodRouter {
    endpoint.options(cors::preflight).layer(map_response(cors::open))
}

/// 405 for an endpoint with another method; the `Allow` header names the right ones.
async fn method_not_allowed() -> Refusal {
    Unread::Method.into()
}

/// Answers hold codes, tokens and secrets: nobody keeps them (RFC 6749 §5.1), unless they say themselves that they hold none.
async fn unstored(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
