//! The control plane's pages: consent, callback, and what a person sees at the end.
//!
//! **Invariant:** a page is plain HTML without script; GET changes nothing; POST wants the page's own token and origin.
//!
//! **Invariant:** what is somebody's is behind `sign_in::required`.
//!
//! **Invariant:** what an agent says of itself is text in a template, escaped, never markup.

mod accounts;
mod callback;
mod consent;
mod cookies;
mod device;
mod error;
mod forgery;
mod front;
mod headers;
mod key;
mod pages;
mod reconnect;
mod sign_in;

pub use error::PageRow;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use broker::{Broker, Door};
use http::{HeaderValue, StatusCode, header};

/// The pages, to be merged with the JSON endpoints. Whoever serves them puts the request's own broker beside each request, as an
/// extension: [`Broker::asked_by`].
pub fn router(broker: Broker) -> Router {
    let personal = Router::new()
        .route("/ath/consent", get(consent::show).post(consent::decide))
        .route("/ath/consent/account", get(consent::show_account).post(consent::decide_account))
        .route("/ath/consent/key", get(key::show).post(key::take))
        .route("/ath/consent/device", get(device::show).head(not_by_head))
        .route("/ath/consent/done", get(consent::done))
        .route("/ath/callback", get(callback::callback).head(not_by_head))
        .route("/ath/callback/{provider_id}", get(callback::own_callback).head(not_by_head))
        .route("/accounts", get(accounts::show).post(accounts::decide))
        .route_layer(from_fn_with_state(broker.clone(), sign_in::required));
    let door = match broker.front().door {
        Door::Open => front_router(),
        Door::Closed => Router::new(),
    };
    Router::new()
        .route("/", get(pages::home))
        .route("/assets/style.css", get(pages::style))
        .route("/errors", get(pages::errors))
        .route("/ath/sign-in", get(sign_in::show).post(sign_in::enter))
        .route("/ath/sign-in/callback", get(sign_in::callback).head(not_by_head))
        .route("/ath/sign-out", post(sign_in::leave))
        .route("/ath/reconnect/{ticket}", get(reconnect::show).post(reconnect::begin))
        .merge(personal)
        .merge(door)
        .layer(from_fn(headers::secure))
        .with_state(broker)
}

/// The pages for people whom OAuth clients send.
fn front_router() -> Router<Broker> {
    Router::new()
        .route("/oauth/authorize", get(front::authorize).post(front::decide))
        .route("/oauth/connect/{sealed}", get(front::connect))
        .route("/oauth/device", get(front::device).post(front::take_code))
}

/// HEAD goes wherever GET does, unless it is told otherwise; a callback takes an answer that is good once, and HEAD ought to change
/// nothing (RFC 9110 §9.3.2).
async fn not_by_head() -> impl IntoResponse {
    (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, HeaderValue::from_static("GET"))])
}
