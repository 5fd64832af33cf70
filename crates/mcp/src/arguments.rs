//! From a tool's arguments to the request that an agent would have sent.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::openapi::encode;

/// What `<service>_read` and `<service>_write` take.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlainArguments {
    method: Option<String>,
    path: String,
    #[serde(default)]
    query: Map<String, Value>,
    #[serde(default)]
    headers: Map<String, Value>,
    body: Option<Value>,
    /// How many bytes of the answer are passed over.
    #[serde(default)]
    pub(crate) offset: u64,
}

/// Which methods a tool has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Those that change nothing (RFC 9110 §9.2.1).
    Read,
    /// The others.
    Write,
}

impl Kind {
    pub(crate) const fn methods(self) -> &'static [&'static str] {
        match self {
            Self::Read => &["GET", "HEAD"],
            Self::Write => &["POST", "PUT", "PATCH", "DELETE"],
        }
    }
}

/// Arguments that no request can be made of; the sentence is for the agent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArgumentsError {
    #[error("the arguments are not those of this tool: {0}")]
    Form(#[from] serde_json::Error),
    #[error("`method` is not one of this tool's; use {0}")]
    Method(String),
    #[error("`path` has to begin with a slash and to be a path alone; parameters go into `query`")]
    Path,
    #[error("{0}")]
    Query(#[from] crate::openapi::ArgumentError),
    #[error("`headers` has {0:?}, which is no header that can be sent")]
    Header(String),
    #[error("a read has no body; leave `body` out, or use the tool that writes")]
    Body,
}

impl PlainArguments {
    pub(crate) fn read(arguments: Map<String, Value>) -> Result<Self, ArgumentsError> {
        Ok(serde_json::from_value(Value::Object(arguments))?)
    }

    /// The path goes as it was given: whatever could be read in two ways is refused on its way, as everybody's is. What stands in `query` is
    /// encoded, value by value, and can be nothing else there.
    pub(crate) fn request(self, kind: Kind) -> Result<Request<Bytes>, ArgumentsError> {
        let method = self.method(kind)?;
        if !self.path.starts_with('/')
            || !self.path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\\".contains(&byte))
        {
            return Err(ArgumentsError::Path);
        }
        let query = encode::query(&self.query)?;
        let target = if query.is_empty() { self.path.clone() } else { format!("{}?{query}", self.path) };
        let (body, kind) = match self.body {
            None | Some(Value::Null) => (Bytes::new(), None),
            Some(_) if method == Method::GET || method == Method::HEAD => return Err(ArgumentsError::Body),
            Some(Value::String(text)) => {
                (Bytes::from(text), Some(HeaderValue::from_static("text/plain; charset=utf-8")))
            }
            Some(json) => (Bytes::from(serde_json::to_vec(&json)?), Some(HeaderValue::from_static("application/json"))),
        };
        let mut request = Request::builder().method(method).uri(target).body(body).map_err(|_| ArgumentsError::Path)?;
        *request.headers_mut() = headers(&self.headers)?;
        if let Some(kind) = kind {
            request.headers_mut().entry(header::CONTENT_TYPE).or_insert(kind);
        }
        Ok(request)
    }

    fn method(&self, kind: Kind) -> Result<Method, ArgumentsError> {
        let known = kind.methods();
        let wanted = match (&self.method, kind) {
            (None, Kind::Read) => "GET",
            (None, Kind::Write) => return Err(ArgumentsError::Method(known.join(", "))),
            (Some(method), _) => method.as_str(),
        };
        let method = known.iter().find(|known| **known == wanted);
        let method = method.and_then(|method| Method::from_bytes(method.as_bytes()).ok());
        method.ok_or_else(|| ArgumentsError::Method(known.join(", ")))
    }
}

/// Those that an agent may set; the gateway's own, and what says where a message ends, are not an argument's to say.
fn headers(given: &Map<String, Value>) -> Result<HeaderMap, ArgumentsError> {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let no = || ArgumentsError::Header(name.clone());
        let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| no())?;
        if is_reserved(&parsed) || headers.contains_key(&parsed) {
            return Err(no());
        }
        let value = match value {
            Value::String(text) => HeaderValue::from_str(text).ok(),
            Value::Number(number) => HeaderValue::from_str(&number.to_string()).ok(),
            _ => None,
        };
        headers.insert(parsed, value.ok_or_else(no)?);
    }
    Ok(headers)
}

/// Whether a header is the gateway's own to set, or its connection's.
pub(crate) fn is_reserved(name: &HeaderName) -> bool {
    let text = name.as_str();
    RESERVED.contains(&text)
        || text.starts_with("x-ath-")
        || text.starts_with("x-forwarded-")
        || text.starts_with("proxy-")
}

const RESERVED: [&str; 15] = [
    "authorization",
    "connection",
    "content-length",
    "content-encoding",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-http-method-override",
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(kind: Kind, arguments: Value) -> Result<Request<Bytes>, String> {
        let Value::Object(arguments) = arguments else { panic!("an object") };
        PlainArguments::read(arguments).and_then(|arguments| arguments.request(kind)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_read_becomes_a_get() {
        let asked = json!({"path": "/tickets", "query": {"state": "open & new", "label": ["a", "b"]}, "headers": {"Accept": "text/csv"}});
        let request = request(Kind::Read, asked).expect("a request");
        assert_eq!(request.method(), Method::GET);
        assert_eq!(request.uri(), "/tickets?label=a&label=b&state=open%20%26%20new");
        assert_eq!(request.headers().get("accept"), Some(&HeaderValue::from_static("text/csv")));
        assert!(request.body().is_empty() && !request.headers().contains_key("content-type"));
    }

    #[test]
    fn a_write_has_a_body() {
        let asked = json!({"method": "POST", "path": "/tickets", "body": {"title": "Broken"}});
        let written = request(Kind::Write, asked).expect("a request");
        assert_eq!(written.body(), r#"{"title":"Broken"}"#);
        assert_eq!(written.headers().get("content-type"), Some(&HeaderValue::from_static("application/json")));
        let asked = json!({"method": "POST", "path": "/x", "body": "a,b", "headers": {"content-type": "text/csv"}});
        let written = request(Kind::Write, asked).expect("a request");
        assert_eq!(written.headers().get("content-type"), Some(&HeaderValue::from_static("text/csv")));
    }

    #[test]
    fn arguments_change_nothing_but_what_they_are_for() {
        for (kind, asked) in [
            (Kind::Read, json!({"path": "tickets"})),
            (Kind::Read, json!({"path": "/tickets?x=y"})),
            (Kind::Read, json!({"path": "/tickets#x"})),
            (Kind::Read, json!({"path": "/tickets\r\nHost: evil.test"})),
            (Kind::Read, json!({"path": "/tickets HTTP/1.1"})),
            (Kind::Read, json!({"path": "/tickets\\x"})),
            (Kind::Read, json!({"path": "https://evil.test/"})),
            (Kind::Read, json!({"path": "/t", "method": "DELETE"})),
            (Kind::Read, json!({"path": "/t", "method": "get"})),
            (Kind::Read, json!({"path": "/t", "body": {}})),
            (Kind::Read, json!({"path": "/t", "Path": "/admin"})),
            (Kind::Read, json!({"path": "/t", "headers": {"Authorization": "Bearer x"}})),
            (Kind::Read, json!({"path": "/t", "headers": {"X-ATH-Agent-ID": "x"}})),
            (Kind::Read, json!({"path": "/t", "headers": {"host": "evil.test"}})),
            (Kind::Read, json!({"path": "/t", "headers": {"a\r\nb": "x"}})),
            (Kind::Read, json!({"path": "/t", "headers": {"a": "x\r\nb: y"}})),
            (Kind::Read, json!({"path": "/t", "headers": {"a": "x", "A": "y"}})),
            (Kind::Write, json!({"path": "/t"})),
            (Kind::Write, json!({"path": "/t", "method": "GET"})),
            (Kind::Write, json!({"path": "/t", "method": "CONNECT"})),
        ] {
            assert!(request(kind, asked.clone()).is_err(), "{asked}");
        }
    }
}
