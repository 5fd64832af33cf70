use axum::extract::{Extension, Path, RawQuery};
use axum::response::Response;
use broker::{Broker, BrokerError, ProviderAnswer};
use http::HeaderMap;
use protocol::ProviderId;

use crate::consent::go;
use crate::cookies::Cookies;
use crate::error::PageError;

/// Where providers send the browser back to (RFC 6749 §4.1.2).
pub(crate) async fn callback(
    Extension(broker): Extension<Broker>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    answered(&broker, None, query.as_deref(), &headers).await
}

/// The same for a provider that has a callback of its own.
pub(crate) async fn own_callback(
    Extension(broker): Extension<Broker>,
    Path(provider): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let provider = ProviderId::parse(&provider).map_err(|_| BrokerError::StateMismatch)?;
    answered(&broker, Some(&provider), query.as_deref(), &headers).await
}

async fn answered(
    broker: &Broker,
    at: Option<&ProviderId>,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<Response, PageError> {
    let answer = ProviderAnswer::parse(query.unwrap_or_default())?;
    let cookies = Cookies::of(headers, broker);
    let binding = cookies.binding(answer.session());
    let next = broker.callback(answer, at, binding.as_deref(), cookies.browser().as_deref()).await?;
    Ok(go(broker, &next))
}
