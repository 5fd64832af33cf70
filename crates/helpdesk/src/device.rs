//! The device authorization grant (RFC 8628): codes that a user types in.

use std::{collections::HashMap, time::Duration};

use axum::{
    Json,
    extract::{State, rejection::BytesRejection},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::HeaderMap;
use serde_json::json;

use crate::{client, error::Error, parameters::Parameters, scope::Scopes, seed::User, state::Helpdesk};

/// Every code that was given out.
#[derive(Default)]
pub(crate) struct Devices(HashMap<String, Device>);

struct Device {
    user_code: String,
    scopes: Scopes,
    expires_at: Duration,
    interval: Duration,
    /// When it was last asked with.
    asked_at: Option<Duration>,
    answer: Answer,
}

#[derive(Clone, Copy)]
enum Answer {
    Pending,
    Allowed(&'static User),
    Denied,
    Spent,
}

impl Devices {
    /// What a user says to a code; whether there is one.
    pub(crate) fn answer(&mut self, user_code: &str, user: Option<&'static User>) -> bool {
        let found = self.0.values_mut().find(|device| device.user_code == user_code);
        found.map(|device| device.answer = user.map_or(Answer::Denied, Answer::Allowed)).is_some()
    }

    pub(crate) fn expire(&mut self) {
        self.0.values_mut().for_each(|device| device.expires_at = Duration::ZERO);
    }

    /// RFC 8628 §3.5
    pub(crate) fn redeem(&mut self, code: &str, now: Duration) -> Result<(&'static User, Scopes), Error> {
        let device = self.0.get_mut(code).ok_or(Error::InvalidGrant("The device code is unknown."))?;
        let too_soon = device.asked_at.is_some_and(|asked| now < asked + device.interval);
        device.asked_at = Some(now);
        if now >= device.expires_at {
            return Err(Error::ExpiredToken);
        }
        match device.answer {
            Answer::Pending if too_soon => {
                device.interval += Duration::from_secs(5);
                Err(Error::SlowDown)
            }
            Answer::Pending => Err(Error::AuthorizationPending),
            Answer::Denied => Err(Error::AccessDenied),
            Answer::Spent => Err(Error::InvalidGrant("The device code was used before.")),
            Answer::Allowed(user) => {
                device.answer = Answer::Spent;
                Ok((user, device.scopes.clone()))
            }
        }
    }
}

/// `POST /device`
pub(crate) async fn post(
    State(helpdesk): State<Helpdesk>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    match begin(&helpdesk, &headers, body) {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => error.into_response(),
    }
}

fn begin(
    helpdesk: &Helpdesk,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<serde_json::Value, Error> {
    let (random, now) = (helpdesk.random(), helpdesk.precisely());
    let mut state = helpdesk.state();
    let Some(interval) = state.settings.device_interval else { return Err(Error::NotFound) };
    let body = body.map_err(|_| Error::TooLarge)?;
    let parameters = Parameters::from_token_request(state.settings.token_request, headers, &body)?;
    client::authenticate(headers, &parameters, &state.settings)?;
    let scopes = parameters.require("scope", "The parameter scope is missing.")?.parse()?;
    let user_code = format!("{}-{}", &random[..4], &random[4..8]).to_ascii_uppercase();
    let device = Device {
        user_code: user_code.clone(),
        scopes,
        expires_at: now + EXPIRES_IN,
        interval,
        asked_at: None,
        answer: Answer::Pending,
    };
    let code = format!("{}{random}", state.settings.token_prefix);
    state.devices.0.insert(code.clone(), device);
    let page = format!("{}/device", state.settings.base_url);
    Ok(json!({
        "device_code": code, "user_code": user_code, "verification_uri": page,
        "verification_uri_complete": format!("{page}?user_code={user_code}"),
        "expires_in": EXPIRES_IN.as_secs(), "interval": interval.as_secs(),
    }))
}

const EXPIRES_IN: Duration = Duration::from_secs(600);
