//! Access tokens at the API (RFC 6750).

use std::collections::BTreeMap;

use axum::extract::FromRequestParts;
use data_encoding::BASE64;
use http::{HeaderMap, HeaderValue, header, request::Parts};

use crate::{error::Error, scope::Scope, seed::User, state::Helpdesk};

/// The user of a request whose access token covers `read:tickets`.
pub(crate) struct Reader(pub(crate) &'static User);

/// The user of a request whose access token covers `write:tickets`.
pub(crate) struct Writer(pub(crate) &'static User);

/// The user of a request with these headers, if its access token is alive and, where one is named, covers the scope.
pub(crate) fn authorize(
    helpdesk: &Helpdesk,
    headers: &HeaderMap,
    scope: Option<Scope>,
) -> Result<&'static User, Error> {
    let value = the_only_authorization(headers)?;
    let value = value.to_str().map_err(|_| Error::InvalidToken)?;
    let now = helpdesk.now();
    let state = helpdesk.state();
    if let Some(user) = by_key(&state.settings.api_keys, value) {
        return Ok(user);
    }
    let token = bearer(value).ok_or(Error::InvalidToken)?;
    let grant = state.ledger.authenticate(token, now)?;
    match scope {
        Some(scope) if !grant.scopes.contains(scope) => Err(Error::InsufficientScope(scope)),
        _ => Ok(grant.user),
    }
}

impl FromRequestParts<Helpdesk> for Reader {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, helpdesk: &Helpdesk) -> Result<Self, Error> {
        authorize(helpdesk, &parts.headers, Some(Scope::ReadTickets)).map(Self)
    }
}

impl FromRequestParts<Helpdesk> for Writer {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, helpdesk: &Helpdesk) -> Result<Self, Error> {
        authorize(helpdesk, &parts.headers, Some(Scope::WriteTickets)).map(Self)
    }
}

/// Two credentials in one request are a mistake of whoever sent it (RFC 6750 §3.1).
fn the_only_authorization(headers: &HeaderMap) -> Result<&HeaderValue, Error> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or(Error::MissingToken)?;
    match values.next() {
        None => Ok(value),
        Some(_) => Err(Error::InvalidRequest("The request has more than one Authorization header.")),
    }
}

/// Whose key it is: by itself, or the password of Basic beside the address of its owner.
fn by_key(keys: &BTreeMap<String, String>, value: &str) -> Option<&'static User> {
    if let Some(key) = bearer(value) {
        return User::by_email(keys.get(key)?);
    }
    let (scheme, pair) = value.split_once(' ')?;
    let pair = String::from_utf8(BASE64.decode(pair.as_bytes()).ok()?).ok()?;
    let (user, key) = pair.split_once(':').filter(|_| scheme.eq_ignore_ascii_case("Basic"))?;
    User::by_email(keys.get(key).filter(|owner| *owner == user)?)
}

fn bearer(value: &str) -> Option<&str> {
    value.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer")).map(|(_, token)| token)
}

#[cfg(test)]
mod tests;
