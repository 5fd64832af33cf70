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

/// Answers wherever the resource is looked for: beside the host, and, for clients that append, behind the path. The gateway as a whole is no
/// resource: a document that names another one than was asked for confuses clients.
pub(crate) async fn resource(
    Extension(broker): Extension<Broker>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let authority = uri.authority().map(http::uri::Authority::as_str);
    let host = authority.or_else(|| headers.get(header::HOST)?.to_str().ok()).unwrap_or_default();
    let (resource, provider) = find(&broker, host, uri.path()).ok_or(Unread::NoResource)?;
    Ok(kept(Json(document(&resource, broker.urls().public(), provider))))
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

fn document(resource: &str, issuer: &str, provider: &Provider) -> Value {
    json!({
        "resource": resource,
        "authorization_servers": [issuer],
        "scopes_supported": provider.operations.scopes(),
        "bearer_methods_supported": ["header"],
        "resource_name": provider.display_name,
    })
}
