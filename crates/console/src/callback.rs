use axum::extract::{Extension, RawQuery};
use axum::response::Response;
use broker::{Broker, ProviderAnswer};
use http::HeaderMap;

use crate::consent::go;
use crate::cookies::Cookies;
use crate::error::PageError;

/// Where providers send the browser back to (RFC 6749 §4.1.2).
pub(crate) async fn callback(
    Extension(broker): Extension<Broker>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let answer = ProviderAnswer::parse(query.as_deref().unwrap_or_default())?;
    let cookies = Cookies::of(&headers, &broker);
    let binding = cookies.binding(answer.session());
    let next = broker.callback(answer, binding.as_deref(), cookies.browser().as_deref()).await?;
    Ok(go(&broker, &next))
}
