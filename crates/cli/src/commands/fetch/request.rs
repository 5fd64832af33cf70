use std::io::Read;
use std::path::Path;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use super::is_idempotent;
use crate::arguments::Fetch;
use crate::{Code, Failure, plain};

/// What is sent, wherever that is.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Bytes>,
}

impl Call {
    /// From the command line, and the file that it names.
    pub(super) async fn read(wanted: &Fetch) -> Result<Self, Failure> {
        let mut headers = headers(&wanted.headers)?;
        let body = match (&wanted.data, &wanted.data_file) {
            (Some(data), _) => Some(inline(data)?),
            (None, Some(path)) => Some(from_file(path).await?),
            (None, None) => None,
        };
        if let (Some(body), false) = (&body, headers.contains_key(CONTENT_TYPE)) {
            let guessed = if wanted.data_file.is_some() { of_file(body) } else { of_text(body) };
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(guessed));
        }
        let usual = if body.is_some() { Method::POST } else { Method::GET };
        let method = wanted.method.as_deref().map(method).transpose()?.unwrap_or(usual);
        Ok(Self { method, headers, body })
    }

    /// Whether doing it twice is the same as doing it once.
    pub(super) fn is_idempotent(&self) -> bool {
        is_idempotent(&self.method)
    }
}

fn method(text: &str) -> Result<Method, Failure> {
    let upper = text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
    let known = Method::from_bytes(text.as_bytes()).ok().filter(|_| upper && text != "CONNECT" && text != "TRACE");
    known.ok_or_else(|| wrong(&format!("{} is no method", plain::line(text)), "Write GET, POST, PUT, PATCH or DELETE."))
}

fn headers(lines: &[String]) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for line in lines {
        let unread = || wrong("A header is not understood", "Write it as `-H 'Name: value'`, in one line.");
        let (name, value) = line.split_once(':').ok_or_else(unread)?;
        let name = HeaderName::from_bytes(name.trim_end_matches(BLANK).as_bytes()).map_err(|_| unread())?;
        if is_set_elsewhere(name.as_str()) {
            let hint = "Leave it out: the gateway adds the credential, and the connection takes care of itself.";
            return Err(wrong(&format!("The header {name} is not yours to set"), hint));
        }
        headers.append(name, HeaderValue::from_str(value.trim_matches(BLANK)).map_err(|_| unread())?);
    }
    Ok(headers)
}

/// What the gateway sets, and what belongs to a connection and not to the request (RFC 9110 §7.6.1).
fn is_set_elsewhere(name: &str) -> bool {
    const NAMES: [&str; 13] = [
        "authorization",
        "connection",
        "content-length",
        "cookie",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-ath-agent-id",
    ];
    NAMES.contains(&name) || name.starts_with("proxy-")
}

fn inline(data: &str) -> Result<Bytes, Failure> {
    if data.starts_with('@') {
        return Err(wrong(
            "-d sends its words as they are, and reads no file",
            "Send a file's content with --data-file.",
        ));
    }
    Ok(Bytes::copy_from_slice(data.as_bytes()))
}

async fn from_file(path: &Path) -> Result<Bytes, Failure> {
    let owned = path.to_owned();
    let read = move || {
        let mut bytes = Vec::new();
        let read = match owned.to_str() {
            Some("-") => std::io::stdin().lock().read_to_end(&mut bytes),
            _ => std::fs::File::open(&owned).and_then(|mut file| file.read_to_end(&mut bytes)),
        };
        read.map(|_| Bytes::from(bytes))
    };
    // Ctrl-C is heard while standard input is waited for.
    let read = tokio::task::spawn_blocking(read).await.map_err(std::io::Error::other);
    read.and_then(|read| read).map_err(|error| {
        let message = format!("{} cannot be read: {error}.", path.display());
        Failure::new(Code::Local, message, "Name a file that you may read, or - for standard input.")
    })
}

fn of_text(body: &[u8]) -> &'static str {
    if begins_as_json(body) { "application/json" } else { "application/x-www-form-urlencoded" }
}

/// Nothing is guessed of a file but what is plainly JSON.
fn of_file(body: &[u8]) -> &'static str {
    if begins_as_json(body) { "application/json" } else { "application/octet-stream" }
}

fn begins_as_json(body: &[u8]) -> bool {
    matches!(body.trim_ascii_start().first(), Some(b'{' | b'['))
}

fn wrong(what: &str, hint: &str) -> Failure {
    Failure::new(Code::Usage, format!("{what}."), hint)
}

/// RFC 9110 §5.6.3; a line end is none.
const BLANK: [char; 2] = [' ', '\t'];

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
