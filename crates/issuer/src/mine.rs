//! What a program that somebody logged in with asks about itself: the services, how they stand, what it may do there; and what it gives up.
//! Refusals are problem documents (RFC 9457) with the codes of every other door.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, FromRequest, Path, Query, Request};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use broker::{Broker, BrokerError, Caller, FrontError, Reaching};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use protocol::{Problem, Scope, ScopeSet};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::body::Wishes;
use crate::own::Unread;
use crate::refusal::Refusal;
use crate::table::parameter;
use crate::tokens::bearer;

pub(crate) fn router() -> Router {
    Router::new()
        .route("/ath/my/services", get(services))
        .route("/ath/my/services/{id}", get(service))
        .route("/ath/my/services/{id}/connect", axum::routing::post(connect))
        .route("/ath/my/connections", get(connections))
        .route("/ath/my/connections/{id}", axum::routing::delete(end))
        .method_not_allowed_fallback(method_not_allowed)
}

async fn method_not_allowed(Extension(broker): Extension<Broker>) -> Response {
    problem(&broker, Unread::Method.into())
}

async fn services(Extension(broker): Extension<Broker>, headers: HeaderMap) -> Response {
    let answer = async { Ok(broker.services_for(&caller(&broker, &headers).await?).await?) };
    told(&broker, answer.await)
}

async fn service(Extension(broker): Extension<Broker>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let answer = async { Ok(broker.service_for(&caller(&broker, &headers).await?, &id).await?) };
    told(&broker, answer.await)
}

async fn connect(
    Extension(broker): Extension<Broker>,
    Path(id): Path<String>,
    headers: HeaderMap,
    request: Request,
) -> Response {
    let answer = async {
        let caller = caller(&broker, &headers).await?;
        let Wishes(wishes) = Wishes::from_request(request, &()).await?;
        Ok(broker.connecting(&caller, &id, scopes(&wishes)?).await?)
    };
    told(&broker, answer.await)
}

async fn connections(Extension(broker): Extension<Broker>, headers: HeaderMap) -> Response {
    let answer = async { Ok(broker.connections_for(&caller(&broker, &headers).await?).await?) };
    told(&broker, answer.await)
}

/// How far.
#[derive(Deserialize)]
struct How {
    #[serde(default)]
    remote: bool,
}

async fn end(
    Extension(broker): Extension<Broker>,
    Path(id): Path<String>,
    how: Result<Query<How>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let answer = async {
        let caller = caller(&broker, &headers).await?;
        let Query(how) = how.map_err(|_| parameter("remote"))?;
        let reaching = if how.remote { Reaching::Service } else { Reaching::Program };
        Ok(broker.end_for(&caller, &id, reaching).await?)
    };
    told(&broker, answer.await)
}

/// Whoever presents a good token; what it is good for, the broker says.
async fn caller(broker: &Broker, headers: &HeaderMap) -> Result<Caller, Refusal> {
    if !headers.contains_key(header::AUTHORIZATION) {
        return Err(Unread::ServicesTokenMissing.into());
    }
    broker.authenticate_program(bearer(headers)?).await.map_err(|error| match error {
        BrokerError::TokenInvalid | BrokerError::TokenExpired | BrokerError::TokenRevoked => FrontError::Token.into(),
        error => FrontError::from(error).into(),
    })
}

/// `scopes`; none where all are meant.
fn scopes(wishes: &Map<String, Value>) -> Result<ScopeSet, Refusal> {
    let Some(listed) = wishes.get("scopes") else { return Ok(ScopeSet::default()) };
    let listed = listed.as_array().ok_or_else(|| parameter("scopes"))?;
    let scope = |scope: &Value| scope.as_str().and_then(|scope| Scope::parse(scope).ok());
    listed.iter().map(scope).collect::<Option<ScopeSet>>().ok_or_else(|| parameter("scopes"))
}

fn told(broker: &Broker, answer: Result<impl Serialize, Refusal>) -> Response {
    match answer {
        Ok(answer) => Json(answer).into_response(),
        Err(refusal) => problem(broker, refusal),
    }
}

/// The refusal in the form of RFC 9457, with the headers that it has anyway.
fn problem(broker: &Broker, refusal: Refusal) -> Response {
    let code = code(&refusal);
    let mut body = json!({
        "type": format!("{}/errors#{}", broker.urls().public(), code.as_str()),
        "title": code.title(),
        "status": refusal.status().as_u16(),
        "detail": refusal.description(),
        "code": code.as_str(),
        "reason": refusal.reason(),
        "hint": hint(refusal.description()),
        "retryable": code.is_retryable(),
    });
    let further = [("connect_url", refusal.connect_url()), ("request_id", broker.request_id())];
    if let Some(body) = body.as_object_mut() {
        body.extend(further.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?)))));
    }
    let mut response = refusal.into_response();
    let challenged = matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    let headers = response.headers_mut();
    if challenged {
        let challenge = HeaderValue::from_static(r#"Bearer realm="ath-gateway""#);
        headers.entry(header::WWW_AUTHENTICATE).or_insert(challenge);
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.remove(header::CONTENT_LENGTH);
    response.map(|_| body.to_string().into())
}

/// Every description says first what is wrong, and then what to do.
fn hint(description: &str) -> &str {
    description.split_once(". ").map_or(description, |(_, hint)| hint)
}

fn code(refusal: &Refusal) -> Problem {
    match (refusal.status(), refusal.error()) {
        (StatusCode::UNAUTHORIZED, _) => Problem::LoginRequired,
        (StatusCode::NOT_FOUND, _) => Problem::NotFound,
        (StatusCode::TOO_MANY_REQUESTS, _) => Problem::RateLimited,
        (StatusCode::SERVICE_UNAVAILABLE, _) if refusal.reason() == "provider_suspended" => Problem::ServiceSuspended,
        (StatusCode::SERVICE_UNAVAILABLE, _) => Problem::Unavailable,
        (status, _) if status.is_server_error() => Problem::InternalError,
        (StatusCode::CONFLICT, _) => Problem::OperationNotAllowed,
        (_, "access_denied" | "unauthorized_client") => Problem::AgentUnapproved,
        (_, "invalid_target") => Problem::WrongService,
        (_, "invalid_grant" | "invalid_client") => Problem::LoginRequired,
        _ => Problem::BadRequest,
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn what_is_refused_says_what_to_do() {
        for (error, status, wanted, reason) in [
            (FrontError::Token, 401, Problem::LoginRequired, "token_invalid"),
            (FrontError::OneServiceAlone, 403, Problem::WrongService, "token_for_one_service"),
            (FrontError::UnknownService, 404, Problem::NotFound, "service_unknown"),
            (FrontError::UsedByOthers, 409, Problem::OperationNotAllowed, "used_by_others"),
            (FrontError::Scope, 400, Problem::BadRequest, "scope_invalid"),
        ] {
            let refusal = crate::table::row(&error);
            assert_eq!((refusal.status().as_u16(), code(&refusal), refusal.reason()), (status, wanted, reason));
            assert!(hint(refusal.description()).len() < refusal.description().len(), "{error}");
        }
    }
}
