//! A conversation with an MCP server in the era that it is of.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use broker::Provider;
use bytes::Bytes;
use data_encoding::BASE64;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use protocol::{Problem, ProviderId};
use serde_json::{Map, Value, json};

use super::message;
use crate::results::Refusal;
use crate::visit::Guest;
use crate::{Answer, Rest};

/// Which of the servers know sessions; found out once in a while.
#[derive(Default)]
pub(crate) struct Eras(Mutex<HashMap<ProviderId, Era>>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Era {
    /// 2026-07-28: each request stands for itself.
    Stateless,
    /// 2025-11-25 and before: a conversation begins with `initialize`.
    Sessions,
}

impl Eras {
    fn of(&self, provider: &Provider) -> Option<Era> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&provider.id).copied()
    }

    fn learn(&self, provider: &Provider, era: Era) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(provider.id.clone(), era);
    }

    fn forget(&self, provider: &Provider) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&provider.id);
    }
}

/// What is asked: the method, and, where it has one, the name of what it is about.
type About<'a> = (&'a str, Option<&'a str>);

/// With one server, for one tool call or one list: what is asked in it is asked in one session, where the server has such.
pub(super) struct Conversation<'a> {
    guest: &'a Guest,
    provider: &'a Provider,
    eras: &'a Eras,
    /// The headers of a session; `None` where each request stands for itself.
    session: Option<HeaderMap>,
}

impl<'a> Conversation<'a> {
    pub(super) async fn begin(eras: &'a Eras, guest: &'a Guest, provider: &'a Provider) -> Result<Self, Refusal> {
        let era = match eras.of(provider) {
            Some(era) => era,
            None => find_out(eras, guest, provider).await?,
        };
        let mut conversation = Self { guest, provider, eras, session: None };
        if era == Era::Sessions {
            // Perhaps it was replaced by a newer one; nothing but this has been asked of it.
            conversation.greet().await.inspect_err(|_| eras.forget(provider))?;
        }
        Ok(conversation)
    }

    /// Asks one thing, and gives its result.
    pub(super) async fn ask(&self, about: About<'_>, params: Map<String, Value>) -> Result<Value, Refusal> {
        let (guest, provider) = (self.guest, self.provider);
        if let Some(session) = &self.session {
            let answer = post(guest, provider, session.clone(), &request(about.0, &params)).await?;
            return result(provider, &answer);
        }
        match stateless(guest, provider, about, params).await? {
            Said::Result(result) => Ok(result),
            Said::Refusal(refusal) => Err(refusal),
            // It was replaced by an older one. Nobody asks it a second time: what it did with the first, it does not say.
            Said::OtherEra => {
                self.eras.forget(provider);
                Err(broken(provider))
            }
        }
    }

    async fn greet(&mut self) -> Result<(), Refusal> {
        let (guest, provider) = (self.guest, self.provider);
        let hello = json!({
            "jsonrpc": "2.0",
            "id": ID,
            "method": "initialize",
            "params": { "protocolVersion": SESSIONS, "capabilities": {}, "clientInfo": client() },
        });
        let answer = post(guest, provider, HeaderMap::new(), &hello).await?;
        let greeted = result(provider, &answer)?;
        let version = greeted.get("protocolVersion").and_then(Value::as_str).unwrap_or(SESSIONS);
        let mut headers = HeaderMap::new();
        headers.insert(VERSION, HeaderValue::from_str(version).map_err(|_| broken(provider))?);
        if let Some(session) = answer.headers.get(SESSION) {
            headers.insert(SESSION, session.clone());
        }
        self.session = Some(headers.clone());
        let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        post(guest, provider, headers, &initialized).await?;
        Ok(())
    }
}

/// However it ends, the server is told, and nobody waits for what it makes of that.
impl Drop for Conversation<'_> {
    fn drop(&mut self) {
        let Some(headers) = self.session.take().filter(|headers| headers.contains_key(SESSION)) else { return };
        let (guest, id) = (self.guest.clone(), self.provider.id.clone());
        tokio::spawn(async move {
            if let Some(provider) = guest.service(id.as_str()) {
                drop(send(&guest, provider, Method::DELETE, headers, Bytes::new()).await);
            }
        });
    }
}

/// By the one question that every server of the newer era answers, and that changes nothing anywhere. One that fails says nothing of its era.
async fn find_out(eras: &Eras, guest: &Guest, provider: &Provider) -> Result<Era, Refusal> {
    let era = match stateless(guest, provider, (DISCOVER, None), Map::new()).await? {
        Said::Result(found) if found.get("supportedVersions").is_some_and(Value::is_array) => Era::Stateless,
        Said::Result(_) | Said::OtherEra => Era::Sessions,
        Said::Refusal(refusal) => return Err(refusal),
    };
    eras.learn(provider, era);
    Ok(era)
}

enum Said {
    Result(Value),
    Refusal(Refusal),
    /// It does not know requests of this kind.
    OtherEra,
}

async fn stateless(
    guest: &Guest,
    provider: &Provider,
    (method, name): About<'_>,
    mut params: Map<String, Value>,
) -> Result<Said, Refusal> {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": STATELESS,
        "io.modelcontextprotocol/clientInfo": client(),
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    params.insert("_meta".to_owned(), meta);
    let mut headers = HeaderMap::new();
    headers.insert(VERSION, HeaderValue::from_static(STATELESS));
    headers.insert(METHOD, HeaderValue::from_str(method).map_err(|_| broken(provider))?);
    if let Some(name) = name {
        headers.insert(NAME, as_header(name).ok_or_else(|| broken(provider))?);
    }
    let answer = post(guest, provider, headers, &request(method, &params)).await?;
    if answer.status == StatusCode::TOO_MANY_REQUESTS {
        return Ok(Said::Refusal(too_many(provider, &answer)));
    }
    let Some(message) = message::find(&answer.body, &json!(ID)) else {
        let other = answer.status.is_client_error();
        return Ok(if other { Said::OtherEra } else { Said::Refusal(unread(provider, &answer)) });
    };
    Ok(match message.get("error") {
        None => Said::Result(message.get("result").cloned().unwrap_or_default()),
        Some(error) if is_other_era(method, error, &answer) => Said::OtherEra,
        Some(error) => Said::Refusal(refused(provider, error)),
    })
}

/// A server of an earlier era has never heard of a request without a session, nor of the version, nor of the question for both.
fn is_other_era(method: &str, error: &Value, answer: &Answer) -> bool {
    let code = error.get("code").and_then(Value::as_i64);
    let unheard = method == DISCOVER && matches!(code, Some(-32602..=-32600));
    let refused = answer.status.is_client_error() && code != Some(HEADER_MISMATCH);
    unheard || refused || code == Some(UNSUPPORTED_VERSION)
}

fn result(provider: &Provider, answer: &Answer) -> Result<Value, Refusal> {
    let message = message::find(&answer.body, &json!(ID)).ok_or_else(|| unread(provider, answer))?;
    match message.get("error") {
        None => Ok(message.get("result").cloned().unwrap_or_default()),
        Some(error) => Err(refused(provider, error)),
    }
}

async fn post(guest: &Guest, provider: &Provider, headers: HeaderMap, message: &Value) -> Result<Answer, Refusal> {
    let body = serde_json::to_vec(message).map_err(|_| broken(provider))?;
    send(guest, provider, Method::POST, headers, Bytes::from(body)).await
}

/// Where it goes is the server's one path, whatever stands here.
async fn send(
    guest: &Guest,
    provider: &Provider,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Answer, Refusal> {
    let request = Request::builder().method(method).uri("/").body(body);
    let mut request = request.map_err(|_| broken(provider))?;
    *request.headers_mut() = headers;
    if !request.body().is_empty() {
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    let accept = HeaderValue::from_static("application/json, text/event-stream");
    request.headers_mut().insert(header::ACCEPT, accept);
    guest.answered(provider, request, (0, MOST), (PATIENCE, is_answered)).await
}

/// A server may leave its stream open behind the answer.
fn is_answered(events: &[u8]) -> bool {
    message::find(events, &json!(ID)).is_some()
}

fn request(method: &str, params: &Map<String, Value>) -> Value {
    json!({ "jsonrpc": "2.0", "id": ID, "method": method, "params": params })
}

fn client() -> Value {
    json!({ "name": "ath-gateway", "version": env!("CARGO_PKG_VERSION") })
}

/// A server's own error. The gateway's, on the way there, are told before.
fn refused(provider: &Provider, error: &Value) -> Refusal {
    let said: String =
        error.get("message").and_then(Value::as_str).unwrap_or("nothing more").chars().take(SAID).collect();
    Refusal::new(Problem::UpstreamFailed, format!("{} refused: {said}", provider.display_name))
}

/// As a header's value (MCP 2026-07-28, transports): what is not plain in base64, between marks.
fn as_header(name: &str) -> Option<HeaderValue> {
    let plain = name.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) && name.trim() == name && !name.starts_with("=?");
    let encoded = format!("=?base64?{}?=", BASE64.encode(name.as_bytes()));
    HeaderValue::from_str(if plain { name } else { &encoded }).ok()
}

fn too_many(provider: &Provider, answer: &Answer) -> Refusal {
    let after = answer.headers.get(header::RETRY_AFTER).and_then(|after| after.to_str().ok());
    let after = after.map_or_else(|| "a little later".to_owned(), |after| format!("after {after} (Retry-After)"));
    let message = format!("{} takes no more calls for now. Try again {after}.", provider.display_name);
    Refusal::new(Problem::RateLimited, message)
}

fn unread(provider: &Provider, answer: &Answer) -> Refusal {
    if answer.status == StatusCode::TOO_MANY_REQUESTS {
        return too_many(provider, answer);
    }
    if answer.rest == Rest::Late {
        return late(provider);
    }
    if answer.rest == Rest::More {
        let message = format!(
            "The answer of {} is longer than this door hands on. Connect to its own MCP server.",
            provider.display_name
        );
        return Refusal::new(Problem::UpstreamFailed, message);
    }
    broken(provider)
}

/// It was at work, and may have done what it was asked to.
fn late(provider: &Provider) -> Refusal {
    let message = format!(
        "{} did not answer in time, and may have done it all the same. Look before you call again.",
        provider.display_name
    );
    Refusal::new(Problem::UpstreamTimeout, message)
}

fn broken(provider: &Provider) -> Refusal {
    Refusal::new(Problem::UpstreamFailed, format!("{} did not answer as an MCP server does.", provider.display_name))
}

/// MCP 2026-07-28.
const UNSUPPORTED_VERSION: i64 = -32022;
const HEADER_MISMATCH: i64 = -32020;
const DISCOVER: &str = "server/discover";
const STATELESS: &str = "2026-07-28";
const SESSIONS: &str = "2025-11-25";
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");
const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
/// Each conversation has its own connection's worth of ids.
const ID: u64 = 1;
/// Of an answer, in bytes.
const MOST: usize = 256 * 1024;
/// Of a server's own words.
const SAID: usize = 500;
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);
