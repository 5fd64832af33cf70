//! The token endpoint (RFC 6749 §3.2), and the ways it can be told to misbehave.

use std::{future::pending, time::Duration};

use axum::{
    Extension, Json,
    extract::{ConnectInfo, State, rejection::BytesRejection},
    response::{Html, IntoResponse, Response},
};
use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use serde_json::json;

use crate::{
    client,
    error::Error,
    faulty::{self, Good},
    ledger::Grant,
    parameters::Parameters,
    presentation::{Outcome, Presentation},
    seed::User,
    settings::{Effect, Pkce, TokenBehaviour},
    state::{Helpdesk, State as DeskState},
    wire::Wire,
};

/// `POST /token`
pub(crate) async fn post(
    State(helpdesk): State<Helpdesk>,
    wire: Option<Extension<ConnectInfo<Wire>>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let (request, _under_way) = arrive(&helpdesk, &headers, body);
    let (behaviour, presented) = (request.behaviour, request.presented.clone());
    let acts = match behaviour {
        TokenBehaviour::Normal | TokenBehaviour::Delay(_) | TokenBehaviour::HalfJson => true,
        TokenBehaviour::Misbehave(told) => told.effect == Effect::Taken || told.fault.issues(),
        _ => false,
    };
    let granted = acts.then(|| grant(&helpdesk, &headers, request));
    if let (None, Some(token)) = (&granted, &presented) {
        helpdesk.note(token, Outcome::Ignored);
    }
    match (behaviour, granted) {
        (TokenBehaviour::Delay(delay), Some(answer)) => {
            tokio::time::sleep(delay).await;
            render(answer)
        }
        (TokenBehaviour::HalfJson, Some(Ok(answer))) => half(&answer),
        (TokenBehaviour::Misbehave(told), granted) => match granted.unwrap_or_else(|| Ok(nobodys())) {
            Err(error) => error.into_response(),
            Ok(answer) => {
                let wire = wire.map(|Extension(ConnectInfo(wire))| wire).unwrap_or_default();
                let members = serde_json::to_value(answer).unwrap_or_default();
                faulty::answer(told.fault, Good { members, presented }, &wire, helpdesk.now()).await
            }
        },
        (TokenBehaviour::ServerError(status), _) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, Json(json!({ "error": "server_error" }))).into_response()
        }
        (TokenBehaviour::Html, _) => Html(MAINTENANCE).into_response(),
        (TokenBehaviour::ErrorWith200, _) => {
            Json(json!({ "ok": false, "error": "temporarily_unavailable" })).into_response()
        }
        (_, Some(answer)) => render(answer),
        (_, None) => pending().await,
    }
}

/// A request as it came, and what the endpoint was told to do with it.
struct Arrived {
    parameters: Result<Parameters, Error>,
    presented: Option<String>,
    behaviour: TokenBehaviour,
}

/// Counts as a request that is under way for as long as it lives.
struct UnderWay(Helpdesk);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.state().token_requests_now -= 1;
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
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_token_type: Option<&'static str>,
    scope: String,
}

/// Reads and counts a request, whatever becomes of it.
fn arrive(helpdesk: &Helpdesk, headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> (Arrived, UnderWay) {
    let mut guard = helpdesk.state();
    let state = &mut *guard;
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
    state.token_requests_now += 1;
    state.counters.token_requests_at_once = state.counters.token_requests_at_once.max(state.token_requests_now);
    let presented = parameters.as_ref().ok().and_then(|parameters| parameters.get("refresh_token")).map(str::to_owned);
    if let Some(token) = &presented {
        *state.counters.refresh_token_presentations.entry(token.clone()).or_default() += 1;
    }
    let behaviour = state.settings.token_behaviour;
    if let TokenBehaviour::Misbehave(told) = behaviour {
        state.settings.token_behaviour = told.after_one().map_or(TokenBehaviour::Normal, TokenBehaviour::Misbehave);
    }
    drop(guard);
    (Arrived { parameters, presented, behaviour }, UnderWay(helpdesk.clone()))
}

fn grant(helpdesk: &Helpdesk, headers: &HeaderMap, request: Arrived) -> Result<TokenResponse, Error> {
    let random = Random { access_token: helpdesk.random(), refresh_token: helpdesk.random() };
    let Arrived { parameters, presented, .. } = request;
    let mut state = helpdesk.state();
    // Read under the lock, so that presentations stand in the order in which they were decided about.
    let now = helpdesk.precisely();
    let granted = parameters.and_then(|parameters| decide(&mut state, headers, &parameters, &random, now));
    let outcome = match &granted {
        Ok((_, outcome)) => *outcome,
        Err(Error::InvalidGrant(_)) => Outcome::Refused,
        Err(_) => Outcome::Rejected,
    };
    if let Some(token) = presented {
        state.presentations.push(Presentation { token, at: now, outcome });
    }
    granted.map(|(answer, _)| answer)
}

fn decide(
    state: &mut DeskState,
    headers: &HeaderMap,
    parameters: &Parameters,
    random: &Random,
    now: Duration,
) -> Result<(TokenResponse, Outcome), Error> {
    if state.settings.pkce == Pkce::Rejected {
        parameters.only(&KNOWN)?;
    }
    client::authenticate(headers, parameters, &state.settings)?;
    match parameters.require("grant_type", "The parameter grant_type is missing.")? {
        "authorization_code" => {
            exchange(state, parameters, random, now.as_secs()).map(|answer| (answer, Outcome::Renewed))
        }
        "refresh_token" => refresh(state, parameters, random, now),
        "client_credentials" => for_itself(state, parameters, random, now.as_secs()),
        DEVICE_CODE => for_device(state, parameters, random, now),
        TOKEN_EXCHANGE => for_subject(state, parameters, random, now.as_secs()),
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

/// RFC 6749 §4.4
fn for_itself(
    state: &mut DeskState,
    parameters: &Parameters,
    random: &Random,
    now: u64,
) -> Result<(TokenResponse, Outcome), Error> {
    let account = state.settings.service_account.clone().ok_or(Error::UnsupportedGrantType)?;
    let user = User::by_email(&account).ok_or(Error::InvalidClient)?;
    let scopes = parameters.require("scope", "The parameter scope is missing.")?.parse()?;
    let grant = state.ledger.grant(user, scopes);
    Ok((new_access_token(state, grant, &random.access_token, now), Outcome::Renewed))
}

/// RFC 8628 §3.4
fn for_device(
    state: &mut DeskState,
    parameters: &Parameters,
    random: &Random,
    now: Duration,
) -> Result<(TokenResponse, Outcome), Error> {
    let code = parameters.require("device_code", "The parameter device_code is missing.")?;
    let (user, scopes) = state.devices.redeem(code, now)?;
    let grant = state.ledger.grant(user, scopes);
    let refresh_token = new_refresh_token(state, grant.clone(), &random.refresh_token);
    let answer = new_access_token(state, grant, &random.access_token, now.as_secs());
    Ok((TokenResponse { refresh_token: Some(refresh_token), ..answer }, Outcome::Renewed))
}

/// RFC 8693 §2; the ID token's signature is nobody's concern here.
fn for_subject(
    state: &mut DeskState,
    parameters: &Parameters,
    random: &Random,
    now: u64,
) -> Result<(TokenResponse, Outcome), Error> {
    if !state.settings.token_exchange {
        return Err(Error::UnsupportedGrantType);
    }
    let token = parameters.require("subject_token", "The parameter subject_token is missing.")?;
    if parameters.get("subject_token_type") != Some("urn:ietf:params:oauth:token-type:id_token") {
        return Err(Error::InvalidRequest("Only ID tokens are exchanged."));
    }
    if parameters.get("audience") != Some("helpdesk") {
        return Err(Error::InvalidRequest("The token is for another service."));
    }
    let user = subject(token).and_then(|subject| User::by_email(&format!("{subject}@acme.test")));
    let user = user.ok_or(Error::InvalidRequest("The subject is unknown."))?;
    let scopes = parameters.require("scope", "The parameter scope is missing.")?.parse()?;
    let grant = state.ledger.grant(user, scopes);
    let issued = "urn:ietf:params:oauth:token-type:access_token";
    let answer = new_access_token(state, grant, &random.access_token, now);
    Ok((TokenResponse { issued_token_type: Some(issued), ..answer }, Outcome::Renewed))
}

fn subject(token: &str) -> Option<String> {
    let payload = BASE64URL_NOPAD.decode(token.split('.').nth(1)?.as_bytes()).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&payload).ok()?;
    claims.get("sub")?.as_str().map(str::to_owned)
}

/// RFC 6749 §6
fn refresh(
    state: &mut DeskState,
    parameters: &Parameters,
    random: &Random,
    now: Duration,
) -> Result<(TokenResponse, Outcome), Error> {
    let presented = parameters.require("refresh_token", "The parameter refresh_token is missing.")?;
    let scopes = parameters.get("scope").map(str::parse).transpose()?;
    let rotation = state.settings.rotation;
    let fresh = format!("{}{}", state.settings.refresh_token_prefix, random.refresh_token);
    let refreshed = state.ledger.refresh(presented, scopes, rotation, fresh, now)?;
    let answer = new_access_token(state, refreshed.grant, &random.access_token, now.as_secs());
    Ok((TokenResponse { refresh_token: refreshed.refresh_token, ..answer }, refreshed.outcome))
}

/// A success that nothing stands behind.
fn nobodys() -> TokenResponse {
    let none = "nobodys".to_owned();
    TokenResponse {
        access_token: none,
        token_type: "Bearer",
        expires_in: 3600,
        refresh_token: None,
        issued_token_type: None,
        scope: String::new(),
    }
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
    TokenResponse {
        access_token,
        token_type: "Bearer",
        expires_in,
        refresh_token: None,
        issued_token_type: None,
        scope,
    }
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

const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// Every parameter that RFC 6749 defines for the two grant types.
const KNOWN: [&str; 7] = ["grant_type", "code", "redirect_uri", "client_id", "client_secret", "refresh_token", "scope"];

const MAINTENANCE: &str = "<!doctype html><html lang=\"en\"><title>Acme Helpdesk</title>\
    <h1>Down for maintenance</h1><p>We will be back shortly.</p></html>";

#[cfg(test)]
mod tests;
