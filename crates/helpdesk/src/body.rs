//! JSON request bodies of the API.

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::error::Error;

/// A JSON body that is no larger than the router's limit; unlike axum's own it is refused in the API's words.
pub(crate) struct ApiJson<T>(pub(crate) T);

/// What a body has to be, for whoever sent something else.
pub(crate) trait Expected {
    const SENTENCE: &'static str = "The body must be a JSON object with known fields and values.";
}

impl<T: DeserializeOwned + Expected, S: Send + Sync> FromRequest<S> for ApiJson<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let bytes = Bytes::from_request(request, state).await.map_err(|_| Error::TooLarge)?;
        serde_json::from_slice(&bytes).map(Self).map_err(|_| Error::InvalidRequest(T::SENTENCE))
    }
}
