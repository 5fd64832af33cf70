use axum::Json;
use axum::extract::Extension;
use axum::response::{IntoResponse, Response};
use broker::Broker;
use http::StatusCode;

use crate::body::Metadata;
use crate::refusal::Refusal;
use crate::token::unkept;

/// RFC 7591 §3.
pub(crate) async fn register(
    Extension(broker): Extension<Broker>,
    Metadata(metadata): Metadata,
) -> Result<Response, Refusal> {
    let registered = broker.register_client(metadata).await?;
    Ok(unkept((StatusCode::CREATED, Json(registered)).into_response()))
}
