//! The revocation endpoint (RFC 7009).

use axum::{
    extract::{State, rejection::BytesRejection},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::{client, error::Error, parameters::Parameters, settings::Pkce, state::Helpdesk};

/// `POST /revoke`
pub(crate) async fn post(
    State(helpdesk): State<Helpdesk>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    match revoke(&helpdesk, &headers, body) {
        Ok(()) => StatusCode::OK.into_response(),
        Err(error) => error.into_response(),
    }
}

/// `token_type_hint` is not needed: the two kinds of token are looked up together (RFC 7009 §2.1).
fn revoke(helpdesk: &Helpdesk, headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<(), Error> {
    let mut state = helpdesk.state();
    state.counters.revocation_requests += 1;
    let body = body.map_err(|_| Error::TooLarge)?;
    let parameters = Parameters::from_token_request(state.settings.token_request, headers, &body)?;
    if state.settings.pkce == Pkce::Rejected {
        parameters.only(&["token", "token_type_hint", "client_id", "client_secret"])?;
    }
    client::authenticate(headers, &parameters, &state.settings)?;
    state.ledger.revoke(parameters.require("token", "The parameter token is missing.")?);
    Ok(())
}

#[cfg(test)]
mod tests;
