//! The token endpoint (RFC 6749 §3.2), and the ways it can be told to misbehave.

use std::future::pending;

use axum::{
    Json,
    extract::{State, rejection::BytesRejection},
    response::{Html, IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use serde_json::json;

use crate::{
    client,
    error::Error,
    ledger::Grant,
    parameters::Parameters,
    settings::{Pkce, Rotation, TokenBehaviour},
    state::{Helpdesk, State as DeskState},
};

/// `POST /token`
pub(crate) async fn post(
    State(helpdesk): State<Helpdesk>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let (parameters, behaviour) = arrive(&helpdesk, &headers, body);
    let answer = || parameters.and_then(|parameters| grant(&helpdesk, &headers, &parameters));
    match behaviour {
        TokenBehaviour::Normal => render(answer()),
        TokenBehaviour::Delay(delay) => {
            let answer = answer();
            tokio::time::sleep(delay).await;
            render(answer)
        }
        TokenBehaviour::HalfJson => answer().map_or_else(IntoResponse::into_response, |answer| half(&answer)),
        TokenBehaviour::ServerError(status) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, Json(json!({ "error": "server_error" }))).into_response()
        }
        TokenBehaviour::Html => Html(MAINTENANCE).into_response(),
        TokenBehaviour::ErrorWith200 => {
            Json(json!({ "ok": false, "error": "temporarily_unavailable" })).into_response()
        }
        TokenBehaviour::Hang => pending().await,
    }
}

/// A successful answer (RFC 6749 §5.1).
#[derive(Serialize)]
struct TokenResponse {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    scope: String,
}

/// Reads and counts a request, whatever becomes of it.
fn arrive(
    helpdesk: &Helpdesk,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> (Result<Parameters, Error>, TokenBehaviour) {
    let mut state = helpdesk.state();
    let parameters = body
        .map_err(|_| Error::TooLarge)
        .and_then(|body| Parameters::from_token_request(state.settings.token_request, headers, &body));
    let grant_type = parameters.as_ref().ok().and_then(|parameters| parameters.get("grant_type"));
    let requests = &mut state.counters.token_requests;
    match grant_type {
        Some("authorization_code") => requests.authorization_code += 1,
        Some("refresh_token") => requests.refresh_token += 1,
        _ => requests.other += 1,
    }
    if let Some(token) = parameters.as_ref().ok().and_then(|parameters| parameters.get("refresh_token")) {
        *state.counters.refresh_token_presentations.entry(token.to_owned()).or_default() += 1;
    }
    let behaviour = state.settings.token_behaviour;
    (parameters, behaviour)
}

fn grant(helpdesk: &Helpdesk, headers: &HeaderMap, parameters: &Parameters) -> Result<TokenResponse, Error> {
    let now = helpdesk.now();
    let random = Random { access_token: helpdesk.random(), refresh_token: helpdesk.random() };
    let mut state = helpdesk.state();
    if state.settings.pkce == Pkce::Rejected {
        parameters.only(&KNOWN)?;
    }
    client::authenticate(headers, parameters, &state.settings)?;
    match parameters.require("grant_type", "The parameter grant_type is missing.")? {
        "authorization_code" => exchange(&mut state, parameters, &random, now),
        "refresh_token" => refresh(&mut state, parameters, &random, now),
        _ => Err(Error::UnsupportedGrantType),
    }
}

/// RFC 6749 §4.1.3
fn exchange(state: &mut DeskState, parameters: &Parameters, random: &Random, now: u64) -> Result<TokenResponse, Error> {
    let code = parameters.require("code", "The parameter code is missing.")?;
    let redirect_uri = parameters.require("redirect_uri", "The parameter redirect_uri is missing.")?;
    let grant = state.ledger.redeem(code, redirect_uri, parameters.get("code_verifier"), now)?;
    let refresh_token = new_refresh_token(state, grant.clone(), &random.refresh_token);
    let answer = new_access_token(state, grant, &random.access_token, now);
    Ok(TokenResponse { refresh_token: Some(refresh_token), ..answer })
}

/// RFC 6749 §6
fn refresh(state: &mut DeskState, parameters: &Parameters, random: &Random, now: u64) -> Result<TokenResponse, Error> {
    let presented = parameters.require("refresh_token", "The parameter refresh_token is missing.")?;
    let scopes = parameters.get("scope").map(str::parse).transpose()?;
    let rotation = state.settings.rotation;
    let refreshed = state.ledger.refresh(presented, scopes, rotation)?;
    let refresh_token = match rotation {
        Rotation::None => None,
        Rotation::Rotating | Rotation::RotatingWithReuseDetection => {
            Some(new_refresh_token(state, refreshed.granted, &random.refresh_token))
        }
    };
    let answer = new_access_token(state, refreshed.narrowed, &random.access_token, now);
    Ok(TokenResponse { refresh_token, ..answer })
}

/// What the next tokens are made of.
struct Random {
    access_token: String,
    refresh_token: String,
}

fn new_access_token(state: &mut DeskState, grant: Grant, random: &str, now: u64) -> TokenResponse {
    let access_token = format!("{}{random}", state.settings.token_prefix);
    let expires_in = state.settings.access_token_lifetime.as_secs();
    let scope = grant.scopes.to_string();
    state.ledger.issue_access_token(access_token.clone(), grant, now.saturating_add(expires_in));
    TokenResponse { access_token, token_type: "Bearer", expires_in, refresh_token: None, scope }
}

fn new_refresh_token(state: &mut DeskState, grant: Grant, random: &str) -> String {
    let refresh_token = format!("{}{random}", state.settings.refresh_token_prefix);
    state.ledger.issue_refresh_token(refresh_token.clone(), grant);
    refresh_token
}

fn render(answer: Result<TokenResponse, Error>) -> Response {
    answer.map_or_else(IntoResponse::into_response, |answer| (NOT_STORED, Json(answer)).into_response())
}

/// An answer that ends in the middle, as from a server that ran out of memory while writing it.
fn half(answer: &TokenResponse) -> Response {
    let mut body = serde_json::to_vec(answer).unwrap_or_default();
    body.truncate(body.len() / 2);
    ([(header::CONTENT_TYPE, "application/json")], NOT_STORED, body).into_response()
}

const NOT_STORED: [(header::HeaderName, &str); 2] = [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")];

/// Every parameter that RFC 6749 defines for the two grant types.
const KNOWN: [&str; 7] = ["grant_type", "code", "redirect_uri", "client_id", "client_secret", "refresh_token", "scope"];

const MAINTENANCE: &str = "<!doctype html><html lang=\"en\"><title>Acme Helpdesk</title>\
    <h1>Down for maintenance</h1><p>We will be back shortly.</p></html>";

#[cfg(test)]
mod tests;
