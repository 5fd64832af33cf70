//! What the gateway serves, for programs that read `OpenAPI` 3.1. It is written by hand and checked by tests.

use axum::Json;
use axum::extract::Extension;
use axum::response::Response;
use broker::{Broker, Door};
use serde_json::{Value, json};

use crate::metadata::kept;
use crate::refusal::Refusal;
use crate::table::fault;

pub(crate) async fn document(Extension(broker): Extension<Broker>) -> Result<Response, Refusal> {
    let document = of(broker.urls().public(), broker.front().door).ok_or_else(fault)?;
    Ok(kept(Json(document)))
}

/// The document with this gateway's URL in it, and without endpoints that it has not got.
fn of(public_url: &str, door: Door) -> Option<Value> {
    let mut document: Value = serde_json::from_str(DOCUMENT).ok()?;
    document.as_object_mut()?.insert("servers".to_owned(), json!([{"url": public_url}]));
    if door == Door::Closed {
        document.get_mut("paths")?.as_object_mut()?.retain(|_, item| item.get(MARK).is_none());
    }
    Some(document)
}

const DOCUMENT: &str = include_str!("openapi.json");
/// Beside a path that is there while the door is open alone.
const MARK: &str = "x-door";

#[cfg(test)]
#[path = "openapi_tests.rs"]
mod tests;
