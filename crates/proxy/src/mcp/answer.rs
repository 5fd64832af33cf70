use ::broker::BrokerError;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use policy::Unreadable;
use protocol::Problem;
use serde_json::{Map, Value, json};

use super::rpc::{Era, Rpc};
use crate::body::ProxyBody;
use crate::error::{ProxyError, Row, link, row};
use crate::reading::ContentError;

/// A refusal in the words of JSON-RPC, where its client understands nothing else: some leave a whole server for one 403, and none shows a
/// model what a status says. `plain` is the refusal as it is told elsewhere; where a token is missing, or the upstream is down, its status
/// stays.
pub(crate) fn refuse(error: &ProxyError, plain: Response<ProxyBody>, rpc: Option<&Rpc>) -> Response<ProxyBody> {
    let row = row(error);
    if matches!(error, ProxyError::Gate(_) | ProxyError::ForeignOrigin) || row.status == StatusCode::UNAUTHORIZED {
        return plain;
    }
    let about = About { sentence: sentence(error, &row), details: details(error, &row) };
    if let ProxyError::Content(cause) = error {
        let body = rpc_error(rpc, code(*cause), &about);
        return in_json(plain, &body);
    }
    let Some(rpc) = rpc else { return without_403(plain) };
    let asks_the_person = row.problem == Problem::ConnectRequired;
    let stays = !asks_the_person && (row.status.is_server_error() || row.status == StatusCode::NOT_FOUND);
    let body =
        if rpc.calls_a_tool() && !stays { tool_result(rpc, &about) } else { rpc_error(Some(rpc), REFUSED, &about) };
    let mut answer = in_json(plain, &body);
    if !stays {
        *answer.status_mut() = StatusCode::OK;
    }
    answer
}

/// With another body, and the same status.
fn in_json(plain: Response<ProxyBody>, body: &Value) -> Response<ProxyBody> {
    let mut answer = plain.map(|_| ProxyBody::full(serde_json::to_vec(body).unwrap_or_default()));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.remove(CONTENT_LENGTH);
    headers.remove(http::header::WWW_AUTHENTICATE);
    answer
}

/// What a refusal says.
struct About {
    /// For whoever reads the result, a model first of all.
    sentence: String,
    /// For programs: a problem's members.
    details: Value,
}

/// Of a notification nobody hears more than the status, and 403 would end everything.
fn without_403(mut plain: Response<ProxyBody>) -> Response<ProxyBody> {
    if plain.status() == StatusCode::FORBIDDEN {
        *plain.status_mut() = StatusCode::BAD_REQUEST;
        plain.headers_mut().remove(http::header::WWW_AUTHENTICATE);
    }
    plain
}

/// The details go beside the result: a tool of the server's may have said what its structured content looks like, and some clients hold
/// even an error to that.
fn tool_result(rpc: &Rpc, about: &About) -> Value {
    let mut result = json!({
        "content": [{"type": "text", "text": about.sentence}],
        "isError": true,
        "_meta": {DETAILS: about.details},
    });
    if let (Era::Stateless, Some(result)) = (rpc.era(), result.as_object_mut()) {
        result.insert("resultType".to_owned(), json!("complete"));
    }
    json!({"jsonrpc": "2.0", "id": rpc.id(), "result": result})
}

/// Where it cannot be told whose request it answers, its id is null (JSON-RPC 2.0 §5).
fn rpc_error(rpc: Option<&Rpc>, code: i32, about: &About) -> Value {
    let error = json!({"code": code, "message": about.sentence, "data": about.details});
    json!({"jsonrpc": "2.0", "id": rpc.map(Rpc::id), "error": error})
}

/// What JSON-RPC and MCP call a message that cannot be read.
fn code(cause: ContentError) -> i32 {
    match cause {
        ContentError::Unreadable(Unreadable::Json) => -32_700,
        ContentError::Unreadable(Unreadable::HeaderMismatch) => -32_020,
        ContentError::Unreadable(_)
        | ContentError::Type
        | ContentError::Encoded
        | ContentError::Query
        | ContentError::TooLong => -32_600,
    }
}

fn sentence(error: &ProxyError, row: &Row) -> String {
    match (error.wanted(), link(error)) {
        (_, Some(link)) => format!("{} Ask them to open {link} and then call again.", row.message),
        (Some(wanted), None) if !wanted.is_empty() => {
            let wanted = wanted.iter().map(protocol::Scope::as_str).collect::<Vec<_>>().join(", ");
            format!(
                "{} One of these scopes would: {wanted}. Ask the person to connect again and allow one.",
                row.message
            )
        }
        _ => format!("{} {}", row.message, row.plain_hint()),
    }
}

fn details(error: &ProxyError, row: &Row) -> Value {
    let mut details = Map::new();
    details.insert("code".to_owned(), json!(row.problem.as_str()));
    details.insert("reason".to_owned(), json!(row.reason));
    let mut retryable = row.problem.is_retryable();
    if let Some(link) = link(error) {
        details.insert("connect_url".to_owned(), json!(link));
        details.insert("expires_in".to_owned(), json!(::broker::RECONNECT_LINK_LIFE.as_secs()));
        // When the person has done it.
        retryable = true;
    }
    if let Some(wanted) = error.wanted() {
        details.insert("wanted_scopes".to_owned(), json!(wanted));
    }
    if let ProxyError::Broker(BrokerError::TooMany { retry_after }) = error {
        details.insert("retry_after".to_owned(), json!(retry_after.as_secs().max(1)));
    }
    details.insert("retryable".to_owned(), json!(retryable));
    Value::Object(details)
}

const DETAILS: &str = "ath-gateway/refusal";
/// Of JSON-RPC's codes for implementations (§5.1); which refusal it is, `data.code` says.
const REFUSED: i32 = -32_050;

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http_body_util::BodyExt;
    use protocol::{ProviderId, Scope, ScopeSet};

    use super::*;

    fn rpc(method: &str, version: &'static str) -> Rpc {
        let mut headers = HeaderMap::new();
        headers.insert("mcp-protocol-version", HeaderValue::from_static(version));
        let body = json!({"jsonrpc": "2.0", "id": "call-7", "method": method});
        Rpc::peek(&headers, body.to_string().as_bytes()).expect("a request")
    }

    fn refused(error: &ProxyError, rpc: Option<&Rpc>) -> (u16, Value) {
        let row = row(error);
        let mut plain = Response::new(ProxyBody::full(b"{}".to_vec()));
        *plain.status_mut() = row.status;
        plain.headers_mut().insert("www-authenticate", HeaderValue::from_static("Bearer"));
        let answer = refuse(error, plain, rpc);
        let kept = answer.headers().contains_key("www-authenticate");
        let status = answer.status().as_u16();
        if rpc.is_some() && !matches!(error, ProxyError::Gate(_) | ProxyError::ForeignOrigin) {
            assert_eq!(kept, status == 401, "{error:?}");
        }
        let body = futures_lite(answer.into_body().collect());
        (status, serde_json::from_slice(&body).expect("JSON"))
    }

    fn futures_lite<B, E: std::fmt::Debug>(
        future: impl Future<Output = Result<http_body_util::Collected<B>, E>>,
    ) -> Vec<u8>
    where
        B: bytes::Buf,
    {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(future).expect("a body").to_bytes().to_vec()
    }

    fn reconnect() -> ProxyError {
        let provider = ProviderId::parse("wiki").expect("an id");
        let reconnect_url = "https://gw.test/ath/reconnect/x".to_owned();
        ProxyError::Broker(BrokerError::ReconnectRequired { provider, reconnect_url })
    }

    #[test]
    fn whoever_has_to_connect_again_is_shown_the_link_in_a_result() {
        let (status, body) = refused(&reconnect(), Some(&rpc("tools/call", "2025-11-25")));
        assert_eq!((status, &body["id"], &body["result"]["isError"]), (200, &json!("call-7"), &json!(true)));
        let text = body["result"]["content"][0]["text"].as_str().expect("a text");
        assert!(text.contains("https://gw.test/ath/reconnect/x") && text.ends_with("then call again."), "{text}");
        assert_eq!(
            body["result"]["_meta"]["ath-gateway/refusal"],
            json!({"code": "connect_required", "reason": "reconnect_required", "connect_url": "https://gw.test/ath/reconnect/x",
                   "expires_in": 2_592_000, "retryable": true})
        );
        assert!(body["result"].get("resultType").is_none());
        let (_, body) = refused(&reconnect(), Some(&rpc("tools/call", "2026-07-28")));
        assert_eq!(body["result"]["resultType"], "complete");
        let (status, body) = refused(&reconnect(), Some(&rpc("tools/list", "2025-11-25")));
        assert_eq!((status, &body["error"]["data"]["code"]), (200, &json!("connect_required")));
    }

    #[test]
    fn what_no_scope_allows_is_never_a_403() {
        let wanted: ScopeSet = Scope::parse("write").into_iter().collect();
        for wanted in [wanted, ScopeSet::default()] {
            for error in [ProxyError::Denied { wanted: wanted.clone() }, ProxyError::ContentDenied { wanted }] {
                let (status, body) = refused(&error, Some(&rpc("tools/call", "")));
                assert_eq!((status, &body["result"]["isError"]), (200, &json!(true)));
                assert_eq!(refused(&error, Some(&rpc("resources/read", ""))).0, 200);
                assert_eq!(refused(&error, None).0, 400);
            }
        }
    }

    #[test]
    fn what_cannot_be_read_has_the_code_that_it_has_in_mcp() {
        for (cause, status, code) in [
            (ContentError::Unreadable(Unreadable::HeaderMismatch), 400, -32_020),
            (ContentError::Unreadable(Unreadable::Json), 400, -32_700),
            (ContentError::Unreadable(Unreadable::Batch), 400, -32_600),
            (ContentError::TooLong, 413, -32_600),
        ] {
            let error = ProxyError::Content(cause);
            let (found, body) = refused(&error, Some(&rpc("tools/call", "2026-07-28")));
            assert_eq!((found, &body["error"]["code"], &body["id"]), (status, &json!(code), &json!("call-7")));
            let (found, body) = refused(&error, None);
            assert_eq!((found, &body["error"]["code"], &body["id"]), (status, &json!(code), &Value::Null));
        }
    }

    #[test]
    fn every_refusal_has_an_answer_that_keeps_a_client_connected() {
        for error in ProxyError::each() {
            for rpc in [Some(rpc("tools/call", "")), Some(rpc("prompts/list", "2026-07-28")), None] {
                let gate = matches!(error, ProxyError::Gate(_) | ProxyError::ForeignOrigin);
                let (status, body) = refused(&error, rpc.as_ref());
                assert!(gate || status != 403, "{error:?}");
                if status != 401 && !gate && rpc.is_some() {
                    let about = [&body["result"]["_meta"]["ath-gateway/refusal"], &body["error"]["data"]];
                    assert!(about.iter().any(|about| about["code"].is_string()), "{error:?} {body}");
                    assert_eq!(body["id"], "call-7");
                }
            }
        }
        let (status, body) = refused(&ProxyError::Timeout, Some(&rpc("tools/call", "")));
        assert_eq!((status, &body["error"]["data"]["code"]), (504, &json!("upstream_timeout")));
    }
}
