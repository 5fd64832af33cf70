//! What a provider says of itself as a resource (RFC 9728).

use axum::Json;
use axum::extract::Extension;
use axum::response::Response;
use broker::{Broker, Provider};
use http::{HeaderMap, Uri, header};
use serde_json::{Value, json};

use crate::metadata::kept;
use crate::own::Unread;
use crate::refusal::Refusal;

/// The part that stands between host and path (RFC 9728 §3.1).
pub(crate) const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// Answers wherever the resource is looked for: beside the host, and, for clients that append, behind the path. The gateway as a whole is the
/// door for MCP clients to all services, and nothing else: a document that names another resource than was asked for confuses clients.
pub(crate) async fn resource(
    Extension(broker): Extension<Broker>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let authority = uri.authority().map(http::uri::Authority::as_str);
    let host = authority.or_else(|| headers.get(header::HOST)?.to_str().ok()).unwrap_or_default();
    if is_for_all(&broker, host, uri.path()) {
        return Ok(kept(Json(document_for_all(&broker))));
    }
    let (resource, provider) = find(&broker, host, uri.path()).ok_or(Unread::NoResource)?;
    Ok(kept(Json(document(&broker, &resource, provider))))
}

/// The resource, written as whoever asks for it wrote it, and whose it is.
fn find<'b>(broker: &'b Broker, host: &str, path: &str) -> Option<(String, &'b Provider)> {
    if let Some(provider) = broker.provider_at(host) {
        let own = broker.urls().at_own_host(provider.host.as_deref()?);
        return matches!(path.strip_prefix(WELL_KNOWN)?, "" | "/").then_some((own, provider));
    }
    let below = path.strip_prefix(WELL_KNOWN).or_else(|| path.strip_suffix(WELL_KNOWN))?;
    let provider = broker.provider_under(below.strip_suffix('/').unwrap_or(below))?;
    Some((broker.urls().at_path(below), provider))
}

fn is_for_all(broker: &Broker, host: &str, path: &str) -> bool {
    let Some(below) = path.strip_prefix(WELL_KNOWN).or_else(|| path.strip_suffix(WELL_KNOWN)) else { return false };
    broker.provider_at(host).is_none() && matches!(below, "" | "/" | "/mcp" | "/mcp/")
}

fn document(broker: &Broker, resource: &str, provider: &Provider) -> Value {
    // MCP clients ask for whatever stands here: one word for all that the provider offers.
    let is_mcp = resource.strip_suffix('/').unwrap_or(resource) == broker.urls().mcp(&provider.id);
    let scopes = if is_mcp { json!([provider.id]) } else { json!(provider.operations.scopes()) };
    json!({
        "resource": resource,
        "authorization_servers": [broker.urls().public()],
        "scopes_supported": scopes,
        "bearer_methods_supported": ["header"],
        "resource_name": provider.display_name,
        "resource_documentation": broker.urls().skill(),
    })
}

fn document_for_all(broker: &Broker) -> Value {
    let scopes: Vec<&str> = broker.providers().map(|provider| provider.id.as_str()).collect();
    json!({
        "resource": broker.urls().mcp_for_all(),
        "authorization_servers": [broker.urls().public()],
        "scopes_supported": scopes,
        "bearer_methods_supported": ["header"],
        "resource_name": "All services",
        "resource_documentation": broker.urls().skill(),
    })
}
