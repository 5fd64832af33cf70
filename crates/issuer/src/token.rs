use axum::Json;
use axum::extract::Extension;
use axum::response::{IntoResponse, Response};
use broker::{Broker, GrantType, IssuedTokens, Subject, TokenGrant};
use http::{HeaderMap, HeaderValue, header};
use serde_json::{Value, json};

use crate::client;
use crate::form::Form;
use crate::own::Unread;
use crate::refusal::Refusal;
use crate::table::{grant_type, parameter};

/// The token endpoint (RFC 6749 §3.2).
pub(crate) async fn token(
    Extension(broker): Extension<Broker>,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Refusal> {
    let grant = grant(&form)?;
    let client = client::prove(&broker, &headers, &form).await?;
    let issued = Box::pin(broker.issue_tokens(&client, grant)).await?;
    Ok(unkept(Json(answer(&issued))))
}

/// What is presented. Nobody is asked before it is complete.
fn grant(form: &Form) -> Result<TokenGrant<'_>, Refusal> {
    let kind = GrantType::parse(required(form, "grant_type")?).ok_or_else(grant_type)?;
    let (scope, resources) = (form.get("scope"), form.resources());
    Ok(match kind {
        GrantType::AuthorizationCode => TokenGrant::Code {
            code: required(form, "code")?,
            redirect_uri: form.get("redirect_uri"),
            verifier: form.get("code_verifier").ok_or(Unread::NoVerifier)?,
            resources,
        },
        GrantType::RefreshToken => TokenGrant::Refresh { token: required(form, "refresh_token")?, scope, resources },
        GrantType::DeviceCode => TokenGrant::Device { code: required(form, "device_code")? },
        GrantType::ClientCredentials => TokenGrant::ClientCredentials { scope, resources },
        GrantType::TokenExchange => exchange(form)?,
        GrantType::JwtBearer => TokenGrant::JwtBearer { assertion: required(form, "assertion")?, scope, resources },
    })
}

/// RFC 8693 §2.1: an ID token, or the client's own access token for every service, for an access token.
fn exchange(form: &Form) -> Result<TokenGrant<'_>, Refusal> {
    let subject_token = required(form, "subject_token")?;
    let subject = match required(form, "subject_token_type")? {
        ID_TOKEN => Subject::IdToken(subject_token),
        ACCESS_TOKEN => Subject::AccessToken(subject_token),
        _ => return Err(Unread::SubjectTokenType.into()),
    };
    if form.get("requested_token_type").is_some_and(|wanted| wanted != ACCESS_TOKEN) {
        return Err(Unread::RequestedTokenType.into());
    }
    if form.get("actor_token").or(form.get("actor_token_type")).is_some() {
        return Err(Unread::Actor.into());
    }
    if form.get("audience").is_some() {
        return Err(Unread::Audience.into());
    }
    Ok(TokenGrant::Exchange { subject, scope: form.get("scope"), resources: form.resources() })
}

pub(crate) fn required<'f>(form: &'f Form, name: &str) -> Result<&'f str, Refusal> {
    form.get(name).ok_or_else(|| parameter(name))
}

/// RFC 6749 §5.1.
fn answer(issued: &IssuedTokens) -> Value {
    let mut answer = json!({
        "access_token": issued.access_token.expose(),
        "token_type": "Bearer",
        "expires_in": issued.expires_in.as_secs(),
        "scope": issued.scope,
    });
    let optional = [
        ("refresh_token", issued.refresh_token.as_ref().map(secret::Opaque::expose)),
        ("id_token", issued.id_token.as_ref().map(secret::Opaque::expose)),
        ("issued_token_type", issued.issued_token_type),
    ];
    if let Some(answer) = answer.as_object_mut() {
        answer.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?)))));
    }
    answer
}

/// With what RFC 6749 §5.1 wants for caches of long ago; `no-store` is on everything.
pub(crate) fn unkept(answer: impl IntoResponse) -> Response {
    ([(header::PRAGMA, HeaderValue::from_static("no-cache"))], answer).into_response()
}

const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
