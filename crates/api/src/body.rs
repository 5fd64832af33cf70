use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, Request};
use serde_json::{Map, Value};

use crate::error::Refusal;

/// A JSON object of at most 64 KiB, without doubled names. The content type is not asked for: official clients differ in it.
pub(crate) struct JsonObject(pub(crate) Map<String, Value>);

impl<S: Send + Sync> FromRequest<S> for JsonObject {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let body: Body = request.into_body();
        let bytes = to_bytes(body, LIMIT).await.map_err(|_| Refusal::body_too_large())?;
        protocol::wire::object(&bytes).map(Self).map_err(|error| Refusal::malformed_json(&error))
    }
}

const LIMIT: usize = 64 * 1024;
