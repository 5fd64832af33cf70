//! The control plane's pages: consent, callback, and what a person sees at the end.
//!
//! **Invariant:** a page is plain HTML without script; GET changes nothing; POST wants the page's own token and origin.
//!
//! **Invariant:** what an agent says of itself is text in a template, escaped, never markup.

mod callback;
mod consent;
mod cookies;
mod error;
mod forgery;
mod headers;
mod pages;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::get;
use broker::Broker;

/// The pages, to be merged with the JSON endpoints.
pub fn router(broker: Broker) -> Router {
    Router::new()
        .route("/", get(pages::home))
        .route("/assets/style.css", get(pages::style))
        .route("/ath/consent", get(consent::show).post(consent::decide))
        .route("/ath/consent/account", get(consent::show_account).post(consent::decide_account))
        .route("/ath/consent/done", get(consent::done))
        .route("/ath/callback", get(callback::callback))
        .layer(from_fn(headers::secure))
        .with_state(broker)
}
