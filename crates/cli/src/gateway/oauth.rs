//! The authorization server's side of the gateway: RFC 8414, 7591, 6749, 8693, 8628, 7009.

use std::time::Duration;

use protocol::{Problem, Timestamp};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request, StatusCode};
use secret::{AccessToken, RefreshToken};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::Gateway;
use crate::credentials::Access;
use crate::egress::Answer;
use crate::{Code, Failure};

/// Where everything is at the authorization server (RFC 8414), each of them at the gateway itself.
#[derive(Debug, Clone)]
pub(crate) struct Metadata {
    pub(crate) authorization: Url,
    pub(crate) token: Url,
    pub(crate) revocation: Option<Url>,
    /// None where programs do not register themselves.
    pub(crate) registration: Option<Url>,
    pub(crate) device: Option<Url>,
    /// The ids of services, by which a person comes in; none where they are not told.
    pub(crate) services: Vec<String>,
}

/// What the token endpoint issued (RFC 6749 §5.1).
#[derive(Debug, Clone)]
pub(crate) struct Issued {
    pub(crate) access: Access,
    pub(crate) refresh_token: Option<RefreshToken>,
}

/// What the token endpoint refused (RFC 6749 §5.2).
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct OAuthRefusal {
    pub(crate) error: String,
    #[serde(default)]
    pub(crate) error_description: String,
    #[serde(default)]
    pub(crate) reason: String,
    /// The link for the person, where one has to act.
    #[serde(default)]
    pub(crate) connect_url: Option<String>,
    #[serde(skip)]
    pub(crate) request_id: Option<String>,
    #[serde(skip)]
    status: StatusCode,
}

/// An answer of the token endpoint's.
pub(super) type TokenAnswer = Result<Issued, OAuthRefusal>;

#[derive(Deserialize)]
struct WrittenMetadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    revocation_endpoint: Option<String>,
    registration_endpoint: Option<String>,
    device_authorization_endpoint: Option<String>,
    #[serde(default)]
    scopes_supported: Vec<String>,
}

#[derive(Deserialize)]
struct WrittenTokens {
    access_token: String,
    token_type: String,
    #[serde(default)]
    expires_in: u64,
    refresh_token: Option<String>,
}

impl Gateway {
    /// Reads what the authorization server says of itself. It must be the gateway, by its own word (RFC 8414 §3.3).
    pub(crate) async fn metadata(&self) -> Result<Metadata, Failure> {
        let answer = self.egress().ask(self.get("/.well-known/oauth-authorization-server")?).await?;
        let what = |_| self.is_none("what it says of itself is no metadata of an authorization server");
        if answer.status != StatusCode::OK {
            return Err(self.is_none(&format!("asked for its metadata, it answers {}", answer.status.as_u16())));
        }
        let written: WrittenMetadata = serde_json::from_slice(&answer.body).map_err(what)?;
        if written.issuer.trim_end_matches('/') != self.url().as_str() {
            return Err(self.is_none("it calls itself by another URL"));
        }
        let optional = |name, text: Option<String>| text.map(|text| self.endpoint(name, &text)).transpose();
        Ok(Metadata {
            authorization: self.endpoint("authorization_endpoint", &written.authorization_endpoint)?,
            token: self.endpoint("token_endpoint", &written.token_endpoint)?,
            revocation: optional("revocation_endpoint", written.revocation_endpoint)?,
            registration: optional("registration_endpoint", written.registration_endpoint)?,
            device: optional("device_authorization_endpoint", written.device_authorization_endpoint)?,
            services: written.scopes_supported.into_iter().filter(|scope| scope != "openid").collect(),
        })
    }

    /// Registers this machine as a public client (RFC 7591); its client id.
    pub(crate) async fn register(&self, metadata: &Metadata) -> Result<String, Failure> {
        let Some(endpoint) = &metadata.registration else {
            return Err(Failure::new(
                Code::Usage,
                "Programs do not register themselves at this gateway.",
                "Ask its operator for a client id, and log in with --client-id.",
            ));
        };
        let registration = json!({
            "client_name": format!("ath on {}", self.machine().name),
            "redirect_uris": ["http://127.0.0.1/callback"],
            "grant_types": ["authorization_code", "refresh_token", DEVICE_CODE, TOKEN_EXCHANGE],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        });
        let mut request = Request::new(Method::POST, endpoint.clone());
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *request.body_mut() = Some(registration.to_string().into());
        let answer = self.egress().ask(request).await?;
        if answer.status != StatusCode::CREATED && answer.status != StatusCode::OK {
            return Err(self.oauth_refusal(&answer)?.failure());
        }
        let written: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let id = written.get("client_id").and_then(Value::as_str).filter(|id| !id.is_empty());
        id.map(str::to_owned).ok_or_else(|| self.is_none("its registration has no client_id"))
    }

    /// Asks the token endpoint.
    pub(crate) async fn tokens(&self, endpoint: &Url, fields: &[(&str, &str)]) -> Result<TokenAnswer, Failure> {
        let answer = self.egress().ask(form(endpoint, fields)).await?;
        if answer.status != StatusCode::OK {
            return Ok(Err(self.oauth_refusal(&answer)?));
        }
        let what = "what it issues is no bearer token";
        let written: WrittenTokens = serde_json::from_slice(&answer.body).map_err(|_| self.is_none(what))?;
        // It goes into a header.
        let plain =
            written.access_token.bytes().all(|byte| byte.is_ascii_graphic()) && !written.access_token.is_empty();
        if !plain || !written.token_type.eq_ignore_ascii_case("bearer") {
            return Err(self.is_none(what));
        }
        let ends = self.ends(written.expires_in);
        let access = Access { token: AccessToken::new(written.access_token), ends };
        Ok(Ok(Issued { access, refresh_token: written.refresh_token.map(RefreshToken::new) }))
    }

    /// Asks an endpoint that answers with JSON other than tokens; or what it refused.
    pub(crate) async fn posted(
        &self,
        endpoint: &Url,
        fields: &[(&str, &str)],
    ) -> Result<Result<Value, OAuthRefusal>, Failure> {
        let answer = self.egress().ask(form(endpoint, fields)).await?;
        if answer.status != StatusCode::OK {
            return Ok(Err(self.oauth_refusal(&answer)?));
        }
        Ok(Ok(serde_json::from_slice(&answer.body).unwrap_or_default()))
    }

    /// When something ends that was just said to last so many seconds.
    pub(crate) fn ends(&self, seconds: u64) -> Timestamp {
        self.machine().clock.now().plus(Duration::from_secs(seconds.min(LONGEST)))
    }

    fn oauth_refusal(&self, answer: &Answer) -> Result<OAuthRefusal, Failure> {
        let read: Result<OAuthRefusal, _> = serde_json::from_slice(&answer.body);
        let refusal = read.map_err(|_| match answer.status {
            status if status.is_server_error() => Failure {
                retryable: true,
                request_id: answer.request_id(),
                ..Failure::new(
                    Code::Gateway(Problem::Unavailable),
                    format!("The gateway answers {}.", status.as_u16()),
                    "Try again later.",
                )
            },
            status => self.is_none(&format!("asked for a token, it answers {}", status.as_u16())),
        })?;
        let connect_url = refusal.connect_url.as_deref().and_then(|link| self.link(link));
        Ok(OAuthRefusal { connect_url, request_id: answer.request_id(), status: answer.status, ..refusal })
    }
}

impl OAuthRefusal {
    /// Whether the person has to allow something first.
    pub(crate) fn wants_consent(&self) -> bool {
        self.reason == "consent_required" || self.error == "consent_required"
    }

    /// As it is told where nothing more particular can be said.
    pub(crate) fn failure(self) -> Failure {
        let (code, retryable) = match self.error.as_str() {
            "access_denied" => (Code::AccessDenied, false),
            "invalid_grant" | "invalid_client" | "invalid_token" => (Code::Gateway(Problem::LoginRequired), false),
            "expired_token" => (Code::TimedOut, false),
            "temporarily_unavailable" if self.status == StatusCode::TOO_MANY_REQUESTS => {
                (Code::Gateway(Problem::RateLimited), true)
            }
            "temporarily_unavailable" | "server_error" => (Code::Gateway(Problem::Unavailable), true),
            _ if self.wants_consent() => (Code::Gateway(Problem::ConnectRequired), false),
            "unauthorized_client" => (Code::Gateway(Problem::OperationNotAllowed), false),
            _ => (Code::Gateway(Problem::BadRequest), false),
        };
        let (message, hint) = sentences(&self.error_description);
        let message = if message.is_empty() { format!("The gateway refused: {}.", self.error) } else { message };
        let hint = if hint.is_empty() { "Log in again with `ath login`.".to_owned() } else { hint };
        let (connect_url, request_id) = (self.connect_url, self.request_id);
        Failure { connect_url, retryable, request_id, ..Failure::new(code, message, hint) }
    }
}

/// What is wrong, and what to do: the gateway writes the first in one sentence.
fn sentences(text: &str) -> (String, String) {
    match text.split_once(". ") {
        Some((first, rest)) => (format!("{first}."), rest.to_owned()),
        None => (text.to_owned(), String::new()),
    }
}

fn form(endpoint: &Url, fields: &[(&str, &str)]) -> Request {
    let mut request = Request::new(Method::POST, endpoint.clone());
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    *request.body_mut() = Some(form.into());
    request
}

/// RFC 8628.
pub(crate) const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// RFC 8693.
pub(super) const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// Seconds for which a token is believed to live, whatever is said of it.
const LONGEST: u64 = 30 * 24 * 3600;

#[cfg(test)]
mod tests {
    use super::*;

    fn told(error: &str, status: StatusCode) -> Failure {
        let description = "It is gone. Begin again.".to_owned();
        let (reason, connect_url, request_id) = (String::new(), None, None);
        OAuthRefusal {
            error: error.to_owned(),
            error_description: description,
            reason,
            connect_url,
            request_id,
            status,
        }
        .failure()
    }

    #[test]
    fn refusals_of_oauth_are_told_in_the_words_of_every_door() {
        let bad = StatusCode::BAD_REQUEST;
        for (error, code) in [
            ("access_denied", Code::AccessDenied),
            ("invalid_grant", Code::Gateway(Problem::LoginRequired)),
            ("invalid_client", Code::Gateway(Problem::LoginRequired)),
            ("expired_token", Code::TimedOut),
            ("temporarily_unavailable", Code::Gateway(Problem::Unavailable)),
            ("server_error", Code::Gateway(Problem::Unavailable)),
            ("unauthorized_client", Code::Gateway(Problem::OperationNotAllowed)),
            ("invalid_scope", Code::Gateway(Problem::BadRequest)),
            ("brand_new", Code::Gateway(Problem::BadRequest)),
        ] {
            let failure = told(error, bad);
            assert_eq!(failure.code, code, "{error}");
            assert_eq!((failure.message.as_str(), failure.hint.as_str()), ("It is gone.", "Begin again."));
        }
        let crowded = told("temporarily_unavailable", StatusCode::TOO_MANY_REQUESTS);
        assert!(crowded.code == Code::Gateway(Problem::RateLimited) && crowded.retryable);
    }

    #[test]
    fn a_refusal_without_words_still_says_what_to_do() {
        let read: OAuthRefusal = serde_json::from_str(r#"{"error": "brand_new"}"#).expect("a refusal");
        let failure = read.failure();
        assert!(failure.message.contains("brand_new") && failure.hint.contains("ath login"), "{failure:?}");
    }
}
