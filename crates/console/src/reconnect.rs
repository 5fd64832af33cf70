use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Extension, Path};
use axum::response::{IntoResponse, Redirect, Response};
use broker::Broker;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use crate::consent::{form_secret, with_cookies};
use crate::cookies::Cookies;
use crate::error::PageError;
use crate::forgery;
use crate::pages::{Reconnect, render};

/// What the button sends.
#[derive(Deserialize)]
pub(crate) struct Begun {
    csrf: String,
}

/// Says what has to be renewed, for whom, and why. Changes nothing; whose account it is stands nowhere, since anybody may hold the link.
pub(crate) async fn show(
    Extension(broker): Extension<Broker>,
    Path(ticket): Path<String>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let view = broker.reconnect_page(&ticket).await?;
    let cookies = Cookies::of(&headers, &broker);
    let (secret, fresh) = form_secret(&broker, &cookies);
    let token = forgery::token(&secret, &subject(&ticket));
    let page = Reconnect { view: &view, ticket: &ticket, token: &token };
    Ok(with_cookies(render(StatusCode::OK, &page), [fresh]))
}

/// Begins the consent, and leads to its page.
pub(crate) async fn begin(
    Extension(broker): Extension<Broker>,
    Path(ticket): Path<String>,
    headers: HeaderMap,
    form: Result<Form<Begun>, FormRejection>,
) -> Result<Response, PageError> {
    let Form(begun) = form.map_err(|_| PageError::Malformed)?;
    let cookies = Cookies::of(&headers, &broker);
    forgery::check(&broker, &headers, cookies.form().as_deref(), &subject(&ticket), &begun.csrf)?;
    let session = broker.reconnect(&ticket).await?;
    Ok(Redirect::to(&broker.urls().consent_again(&session)).into_response())
}

/// What the token of the form is for.
fn subject(ticket: &str) -> String {
    format!("reconnect\n{ticket}")
}
