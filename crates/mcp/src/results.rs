//! What a tool answers: text for the model, and the same as data.

use http::{HeaderMap, StatusCode, Uri, header};
use protocol::{Problem, ScopeSet};
use rmcp::model::{CallToolResponse, CallToolResult, ContentBlock};
use serde_json::{Map, Value, json};

use crate::{Answer, From, Rest};

/// The bytes of an answer's body that a result holds at most.
pub(crate) const MOST: usize = 64 * 1024;

/// A refusal of a tool call, in the form that every client shows to model and person.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) retryable: bool,
    /// The person's.
    pub(crate) connect_url: Option<String>,
    further: Map<String, Value>,
}

impl Refusal {
    pub(crate) fn new(problem: Problem, message: impl Into<String>) -> Self {
        Self {
            code: problem.as_str(),
            message: message.into(),
            retryable: problem.is_retryable(),
            connect_url: None,
            further: Map::new(),
        }
    }

    /// The person has to do something first.
    pub(crate) fn connect(service: &str, connect_url: String) -> Self {
        let message = format!(
            "{service} is not connected. Ask the person to open {connect_url} and to allow it; then call again."
        );
        Self { retryable: true, connect_url: Some(connect_url), ..Self::new(Problem::ConnectRequired, message) }
    }

    /// The same where the person can allow what is missing.
    pub(crate) fn with_more(self, service: &str, connect_url: &str) -> Self {
        let asked = Self::connect(service, connect_url.to_owned());
        let message = format!(
            "The person has allowed less at {service}. Ask them to open {connect_url} and to allow more; then call again."
        );
        Self { message, further: self.further, ..asked }
    }

    /// The data plane's own, as its problem document says it.
    pub(crate) fn of_problem(service: &str, document: &Value) -> Self {
        let text = |name: &str| document.get(name).and_then(Value::as_str);
        let code = text("code").unwrap_or_default();
        let problem =
            Problem::ALL.into_iter().find(|problem| problem.as_str() == code).unwrap_or(Problem::InternalError);
        if let (Problem::ConnectRequired, Some(link)) = (problem, text("connect_url")) {
            return Self::connect(service, link.to_owned());
        }
        let kept = ["reason", "wanted_scopes", "request_id", "retry_after"];
        let further = kept.iter().filter_map(|name| Some(((*name).to_owned(), document.get(*name)?.clone())));
        let said = text("detail").or_else(|| text("message")).unwrap_or("The call was refused.");
        Self { further: further.collect(), ..Self::new(problem, said) }
    }

    /// The scopes that would have allowed it.
    pub(crate) fn wanted_scopes(&self) -> ScopeSet {
        let wanted = self.further.get("wanted_scopes").and_then(Value::as_array);
        let wanted: Vec<&str> = wanted.into_iter().flatten().filter_map(Value::as_str).collect();
        ScopeSet::from_list(&wanted.join(" "))
    }

    pub(crate) fn result(self) -> CallToolResult {
        let mut data = self.further;
        data.insert("code".to_owned(), json!(self.code));
        data.insert("message".to_owned(), json!(self.message));
        data.insert("retryable".to_owned(), json!(self.retryable));
        if let Some(link) = &self.connect_url {
            data.insert("connect_url".to_owned(), json!(link));
            data.insert("expires_in".to_owned(), json!(LINK_LIVES));
        }
        let mut result = CallToolResult::error(vec![ContentBlock::text(self.message)]);
        // By which it is told from whatever a service says of its own.
        result.meta = serde_json::from_value(json!({ REFUSAL: data })).ok();
        result.structured_content = Some(Value::Object(data));
        result
    }
}

/// A result of a server's own, without what would pass for the gateway's word.
pub(crate) fn of_server(mut result: CallToolResult) -> CallToolResult {
    if let Some(meta) = &mut result.meta {
        meta.remove(REFUSAL);
    }
    if let Some(Value::Object(data)) = &mut result.structured_content
        && result.is_error == Some(true)
    {
        data.remove("connect_url");
    }
    result
}

/// How a tool goes on where an answer does not fit.
#[derive(Clone, PartialEq)]
pub(crate) enum Paging {
    /// The call can be made again, from this byte on.
    From(u64),
    /// The same can be read by another tool, with these arguments and an offset.
    By(Map<String, Value>),
    /// It cannot: it changed something.
    None,
}

impl Paging {
    /// By the tool that reads whatever is at a URI.
    pub(crate) fn by(tool: &str, uri: &Uri) -> Self {
        let mut query = Map::new();
        for (name, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
            let value = json!(value);
            match query.entry(name.into_owned()).or_insert(Value::Null) {
                place @ Value::Null => *place = value,
                Value::Array(values) => values.push(value),
                single => *single = json!([single.take(), value]),
            }
        }
        let next = json!({ "tool": tool, "path": uri.path(), "query": query });
        Self::By(next.as_object().cloned().unwrap_or_default())
    }
}

/// The service's answer as a tool's result.
pub(crate) fn of_answer(answer: &Answer, paging: Paging) -> CallToolResult {
    let (body, used) = body_of(answer);
    let mut data = Map::new();
    data.insert("status".to_owned(), json!(answer.status.as_u16()));
    data.insert("headers".to_owned(), Value::Object(headers_of(&answer.headers)));
    let truncated = answer.rest != Rest::None;
    data.insert("truncated".to_owned(), json!(truncated));
    let next = match paging {
        Paging::From(offset) if truncated => Some(json!({ "offset": offset + used })),
        Paging::By(mut next) if truncated => {
            next.insert("offset".to_owned(), json!(used));
            Some(Value::Object(next))
        }
        _ => None,
    };
    let text = text_of(answer.status, &body, next.as_ref(), truncated);
    data.insert("body".to_owned(), body);
    data.insert("next".to_owned(), next.unwrap_or(Value::Null));
    let failed = answer.status.is_client_error() || answer.status.is_server_error();
    let content = vec![ContentBlock::text(text)];
    let mut result = if failed { CallToolResult::error(content) } else { CallToolResult::success(content) };
    result.structured_content = Some(Value::Object(data));
    result
}

/// The code under which a result is counted that says of itself that it is none: what the service said.
pub(crate) fn failed(response: &CallToolResponse) -> Option<&'static str> {
    let CallToolResponse::Complete(result) = response else { return None };
    if result.is_error != Some(true) {
        return None;
    }
    let status = result.structured_content.as_ref().and_then(|data| data.get("status")).and_then(Value::as_u64);
    Some(if status.is_some_and(|status| status >= 500) { "service_5xx" } else { "service_4xx" })
}

/// JSON as JSON, text as text, and what is neither in words; with the number of bytes that it stands for. A text that was cut is cut
/// between two characters.
fn body_of(answer: &Answer) -> (Value, u64) {
    let whole = answer.body.len() as u64;
    let kind = answer.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if answer.rest == Rest::None
        && is_json(kind)
        && let Ok(json) = serde_json::from_slice(&answer.body)
    {
        return (json, whole);
    }
    match str::from_utf8(&answer.body) {
        Ok(text) => (json!(text), whole),
        Err(error) if error.error_len().is_none() && answer.rest != Rest::None => {
            let (text, _) = answer.body.split_at(error.valid_up_to());
            (json!(String::from_utf8_lossy(text)), text.len() as u64)
        }
        Err(_) => (
            json!(format!("{whole} bytes of {}, which are no text", if kind.is_empty() { "data" } else { kind })),
            whole,
        ),
    }
}

fn is_json(kind: &str) -> bool {
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json")
}

fn text_of(status: StatusCode, body: &Value, next: Option<&Value>, truncated: bool) -> String {
    let body = match body {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let text = if status.is_success() { body } else { format!("{status}\n{body}") };
    match next {
        Some(next) if next.get("tool").is_some() => {
            format!("{text}\n[There is more. Go on with the tool and arguments {next}.]")
        }
        Some(next) => format!("{text}\n[There is more. Call again with the same arguments and {next}.]"),
        None if truncated => format!("{text}\n[There is more, which is not shown: the call is not made twice.]"),
        None => text,
    }
}

/// Those that say something of the answer.
fn headers_of(headers: &HeaderMap) -> Map<String, Value> {
    let told = headers.iter().filter(|(name, _)| !UNTOLD.contains(&name.as_str()));
    let told = told.filter_map(|(name, value)| Some((name.as_str().to_owned(), json!(value.to_str().ok()?))));
    told.collect()
}

/// Where a result says that it is the gateway's own refusal.
pub(crate) const REFUSAL: &str = "ath-gateway/refusal";
/// In seconds; a link is good for longer, and asking again gives another one.
const LINK_LIVES: u64 = 24 * 60 * 60;
const UNTOLD: [&str; 10] = [
    "connection",
    "content-length",
    "content-security-policy",
    "date",
    "keep-alive",
    "referrer-policy",
    "set-cookie",
    "transfer-encoding",
    "vary",
    "x-content-type-options",
];

/// Whether it is the gateway's own refusal, and what it says.
pub(crate) fn refusal(service: &str, answer: &Answer) -> Option<Refusal> {
    if answer.from != From::Gateway {
        return None;
    }
    let document: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    // At an MCP server's door it is told in JSON-RPC.
    let told =
        ["/result/_meta/ath-gateway~1refusal", "/error/data"].into_iter().find_map(|place| document.pointer(place));
    let refusal = Refusal::of_problem(service, told.unwrap_or(&document));
    let said =
        ["/error/message", "/result/content/0/text"].into_iter().find_map(|place| document.pointer(place)?.as_str());
    match said {
        Some(said) if refusal.connect_url.is_none() => Some(Refusal { message: said.to_owned(), ..refusal }),
        _ => Some(refusal),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn answer(status: u16, kind: &str, body: &'static [u8], rest: Rest) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, kind.parse().expect("a value"));
        headers.insert(header::CONTENT_LENGTH, 1.into());
        let status = StatusCode::from_u16(status).expect("a status");
        Answer { status, headers, body: Bytes::from_static(body), rest, from: From::Service }
    }

    fn told(answer: &Answer, paging: Paging) -> (bool, String, Value) {
        let result = of_answer(answer, paging);
        let json = serde_json::to_value(&result).expect("JSON");
        let text = json["content"][0]["text"].as_str().expect("a text").to_owned();
        (result.is_error == Some(true), text, json["structuredContent"].clone())
    }

    #[test]
    fn json_is_data() {
        let (failed, text, data) =
            told(&answer(200, "application/json; charset=utf-8", br#"{"a":1}"#, Rest::None), Paging::From(0));
        assert!(!failed);
        assert_eq!(text, r#"{"a":1}"#);
        let headers = json!({"content-type": "application/json; charset=utf-8"});
        assert_eq!(
            data,
            json!({"status": 200, "headers": headers, "body": {"a": 1}, "truncated": false, "next": null})
        );
    }

    #[test]
    fn what_failed_is_an_error() {
        let (failed, text, data) = told(&answer(404, "text/plain", b"no such ticket", Rest::None), Paging::None);
        assert!(failed);
        assert_eq!(text, "404 Not Found\nno such ticket");
        assert_eq!(data["body"], "no such ticket");
    }

    #[test]
    fn what_does_not_fit_goes_on_between_two_characters() {
        let cut = answer(200, "text/plain", "abc\u{e9}".as_bytes().split_at(4).0, Rest::More);
        let (_, text, data) = told(&cut, Paging::From(10));
        assert_eq!(data["body"], "abc");
        assert_eq!(data["next"], json!({"offset": 13}));
        assert!(text.ends_with("\n[There is more. Call again with the same arguments and {\"offset\":13}.]"), "{text}");
        let (_, text, data) = told(&cut, Paging::None);
        assert_eq!((data["truncated"].clone(), data["next"].clone()), (json!(true), Value::Null));
        assert!(text.ends_with("the call is not made twice.]"), "{text}");
    }

    #[test]
    fn what_another_tool_reads_on_is_said() {
        let paging = Paging::by("desk_read", &Uri::from_static("/a%2Fb?x=1&y=a%20b&x=2"));
        let (_, text, data) = told(&answer(200, "text/plain", b"abc", Rest::More), paging);
        let next = json!({"tool": "desk_read", "path": "/a%2Fb", "query": {"x": ["1", "2"], "y": "a b"}, "offset": 3});
        assert_eq!(data["next"], next);
        assert!(text.contains("Go on with the tool"), "{text}");
    }

    #[test]
    fn a_refusal_keeps_its_code() {
        let document = json!({"code": "insufficient_scope", "detail": "No.", "wanted_scopes": ["a"], "request_id": "1", "title": "x"});
        let result = serde_json::to_value(Refusal::of_problem("Helpdesk", &document).result()).expect("JSON");
        let data = json!({"code": "insufficient_scope", "message": "No.", "retryable": false, "wanted_scopes": ["a"], "request_id": "1"});
        assert_eq!((result["isError"].clone(), result["structuredContent"].clone()), (json!(true), data));
        let document = json!({"code": "connect_required", "connect_url": "https://gw.test/x"});
        let result = serde_json::to_value(Refusal::of_problem("Helpdesk", &document).result()).expect("JSON");
        assert_eq!(result["structuredContent"]["connect_url"], "https://gw.test/x");
        assert_eq!(result["structuredContent"]["retryable"], true);
    }
}
