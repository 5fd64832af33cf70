//! The handles of a test over HTTP, for a helpdesk that runs as a process of its own.

use axum::{
    Json, Router,
    extract::State,
    routing::{get, post},
};
use http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    body::{ApiJson, Expected},
    error::Error,
    presentation::Presentation,
    recorder::RecordedRequest,
    settings::Settings,
    state::{Counters, Helpdesk},
};

impl Expected for Map<String, Value> {}

/// `/_control/...`; whoever reaches it may do anything.
pub(crate) fn routes() -> Router<Helpdesk> {
    Router::new()
        .route("/_control/state", get(state))
        .route("/_control/settings", post(change_settings))
        .route("/_control/expire", post(expire))
        .route("/_control/revoke-refresh", post(revoke_refresh))
}

#[derive(Serialize)]
struct ControlState {
    settings: Settings,
    counters: Counters,
    presentations: Vec<Presentation>,
    issued_tokens: Vec<String>,
    recorded_requests: Vec<RecordedRequest>,
}

/// `GET /_control/state`: switches, counters, presentations of refresh tokens, every credential issued, and the recorded requests.
async fn state(State(helpdesk): State<Helpdesk>) -> Json<ControlState> {
    Json(ControlState {
        settings: helpdesk.settings(),
        counters: helpdesk.counters(),
        presentations: helpdesk.presentations(0),
        issued_tokens: helpdesk.issued_tokens(),
        recorded_requests: helpdesk.recorded_requests(),
    })
}

/// `POST /_control/settings`: changes the switches that the object names, and answers with all of them.
async fn change_settings(
    State(helpdesk): State<Helpdesk>,
    ApiJson(changes): ApiJson<Map<String, Value>>,
) -> Result<Json<Settings>, Error> {
    let mut state = helpdesk.state();
    state.settings = overlaid(&state.settings, changes)
        .map_err(|_| Error::InvalidRequest("The settings have an unknown name or a value that does not fit."))?;
    Ok(Json(state.settings.clone()))
}

/// `POST /_control/expire`: every access token is expired.
async fn expire(State(helpdesk): State<Helpdesk>) -> StatusCode {
    helpdesk.expire_all_access_tokens();
    StatusCode::NO_CONTENT
}

/// `POST /_control/revoke-refresh`: every refresh token is revoked.
async fn revoke_refresh(State(helpdesk): State<Helpdesk>) -> StatusCode {
    helpdesk.revoke_all_refresh_tokens();
    StatusCode::NO_CONTENT
}

fn overlaid(settings: &Settings, changes: Map<String, Value>) -> serde_json::Result<Settings> {
    let mut settings = serde_json::to_value(settings)?;
    if let Some(settings) = settings.as_object_mut() {
        settings.extend(changes);
    }
    serde_json::from_value(settings)
}

#[cfg(test)]
mod tests;
