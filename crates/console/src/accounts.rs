use axum::Form;
use axum::extract::Extension;
use axum::extract::rejection::FormRejection;
use axum::response::{IntoResponse, Redirect, Response};
use broker::{Broker, ConnectionName};
use http::{HeaderMap, StatusCode};
use protocol::ClientId;
use serde::Deserialize;

use crate::consent::{form_secret, with_cookies};
use crate::cookies::Cookies;
use crate::error::PageError;
use crate::forgery;
use crate::pages::{Accounts, render};
use crate::sign_in::sign_out_token;

/// What the buttons send.
#[derive(Deserialize)]
pub(crate) struct Wish {
    csrf: String,
    action: String,
    connection: String,
    #[serde(default)]
    client: String,
}

/// What this browser's person has connected, and which agents may use it.
pub(crate) async fn show(Extension(broker): Extension<Broker>, headers: HeaderMap) -> Result<Response, PageError> {
    let cookies = Cookies::of(&headers, &broker);
    let view = broker.accounts(cookies.browser().as_deref()).await?;
    let (secret, fresh) = form_secret(&broker, &cookies);
    let (token, sign_out_token) = (forgery::token(&secret, ACCOUNTS), sign_out_token(&secret));
    let page = Accounts { view: view.as_ref(), token: &token, sign_out_token: &sign_out_token };
    Ok(with_cookies(render(StatusCode::OK, &page), [fresh]))
}

/// Ends one agent's access, or a whole connection: it has ended everywhere when the answer comes. Or leads to where one is renewed.
pub(crate) async fn decide(
    Extension(broker): Extension<Broker>,
    headers: HeaderMap,
    form: Result<Form<Wish>, FormRejection>,
) -> Result<Response, PageError> {
    let Form(wish) = form.map_err(|_| PageError::Malformed)?;
    let cookies = Cookies::of(&headers, &broker);
    forgery::check(&broker, &headers, cookies.form().as_deref(), ACCOUNTS, &wish.csrf)?;
    let name = ConnectionName::parse(&wish.connection).map_err(|_| PageError::Malformed)?;
    let browser = cookies.browser();
    match wish.action.as_str() {
        "renew" => {
            let client = ClientId::parse(&wish.client).map_err(|_| PageError::Malformed)?;
            let session = broker.renew_own(browser.as_deref(), &name, &client).await?;
            return Ok(Redirect::to(&broker.urls().consent_again(&session)).into_response());
        }
        "disconnect" => broker.disconnect_own(browser.as_deref(), &name).await?,
        "end" => {
            let client = ClientId::parse(&wish.client).map_err(|_| PageError::Malformed)?;
            broker.end_grant_own(browser.as_deref(), &name, &client).await?;
        }
        _ => return Err(PageError::Malformed),
    }
    Ok(Redirect::to(&broker.urls().accounts()).into_response())
}

const ACCOUNTS: &str = "accounts";
