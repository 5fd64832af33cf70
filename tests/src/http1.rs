use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;
use url::Url;

/// A request over a connection of its own.
#[derive(Debug, Clone)]
pub struct Request {
    method: String,
    url: Url,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Names in lower case, in the order they came.
    pub headers: Vec<(String, String)>,
    /// Without framing.
    pub body: Vec<u8>,
    /// Every byte, as it came.
    pub bytes: Vec<u8>,
}

impl Request {
    /// A request without a body.
    #[must_use]
    pub fn new(method: &str, url: &str) -> Self {
        Self { method: method.to_owned(), url: Url::parse(url).expect("a URL"), headers: Vec::new(), body: Vec::new() }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same request to another port.
    #[must_use]
    pub fn at_port(&self, port: u16) -> Self {
        let mut request = self.clone();
        request.url.set_port(Some(port)).expect("a port");
        request
    }

    /// A body of JSON.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string().into_bytes())
    }

    /// A body of bytes.
    #[must_use]
    pub fn body(mut self, body: Vec<u8>) -> Self {
        self.body = body;
        self
    }

    /// Sends it; the target goes out as the URL's text has it.
    #[must_use]
    pub fn send(&self) -> Answer {
        let target = match self.url.query() {
            Some(query) => format!("{}?{query}", self.url.path()),
            None => self.url.path().to_owned(),
        };
        self.send_to(&target)
    }

    /// Sends it to something that may be dying: `None` where nobody listens, the answer breaks off, or nothing comes for so long.
    #[must_use]
    pub fn try_send(&self, limit: Duration) -> Option<Answer> {
        let target = match self.url.query() {
            Some(query) => format!("{}?{query}", self.url.path()),
            None => self.url.path().to_owned(),
        };
        let (port, request) = self.written(&target);
        let (answer, end) = exchange(port, &request, &self.method, limit).ok()?;
        if answer.status == 0 || end == End::Broken {
            return None;
        }
        crate::schema::check(&request, &answer);
        Some(answer)
    }

    /// Sends it with another target on the request line, however it is spelt.
    #[must_use]
    pub fn send_to(&self, target: &str) -> Answer {
        let (port, request) = self.written(target);
        raw(port, &request, &self.method)
    }

    fn written(&self, target: &str) -> (u16, Vec<u8>) {
        let host = self.url.host_str().expect("a host");
        let port = self.url.port().expect("a port");
        let own = self.headers.iter().any(|(name, _)| name == "host");
        let host = if own { String::new() } else { format!("Host: {host}:{port}\r\n") };
        let mut head = format!("{} {target} HTTP/1.1\r\n{host}Connection: close\r\n", self.method);
        for (name, value) in &self.headers {
            head.extend([name.as_str(), ": ", value.as_str(), "\r\n"]);
        }
        if !self.body.is_empty() || matches!(self.method.as_str(), "POST" | "PUT" | "PATCH") {
            head.extend(["Content-Length: ", &self.body.len().to_string(), "\r\n"]);
        }
        head.push_str("\r\n");
        (port, [head.as_bytes(), &self.body].concat())
    }
}

/// Sends these very bytes to a port of 127.0.0.1, and reads one answer.
#[must_use]
pub fn raw(port: u16, request: &[u8], method: &str) -> Answer {
    let (answer, _) = exchange(port, request, method, LIMIT).expect("something listens");
    crate::schema::check(request, &answer);
    answer
}

/// Whether an answer was as long as it said.
#[derive(PartialEq, Eq)]
enum End {
    Proper,
    Broken,
}

fn exchange(port: u16, request: &[u8], method: &str, limit: Duration) -> std::io::Result<(Answer, End)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(limit))?;
    // A server that refuses early may close before it has read everything.
    let _ = stream.write_all(request);
    let mut bytes = Vec::new();
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    let mut head = Vec::new();
    while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        bytes.extend_from_slice(&line);
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        line.clear();
        if text.is_empty() {
            break;
        }
        head.push(text);
    }
    let status = head.first().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok()).unwrap_or(0);
    let headers: Vec<(String, String)> = head
        .iter()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let value = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let mut framed = Vec::new();
    let mut end = End::Proper;
    let body = if method == "HEAD" || matches!(status, 204 | 304) {
        Vec::new()
    } else if value("transfer-encoding").is_some() {
        let _ = reader.read_to_end(&mut framed);
        if !framed.ends_with(b"0\r\n\r\n") {
            end = End::Broken;
        }
        dechunked(&framed)
    } else if let Some(length) = value("content-length").and_then(|length| length.parse().ok()) {
        framed.resize(length, 0);
        if reader.read_exact(&mut framed).is_err() {
            end = End::Broken;
        }
        framed.clone()
    } else {
        let _ = reader.read_to_end(&mut framed);
        framed.clone()
    };
    bytes.extend_from_slice(&framed);
    Ok((Answer { status, headers, body, bytes }, end))
}

const LIMIT: Duration = Duration::from_secs(30);

fn dechunked(mut framed: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = framed.windows(2).position(|pair| pair == b"\r\n") {
        let (size, rest) = framed.split_at(end);
        let size = usize::from_str_radix(String::from_utf8_lossy(size).trim(), 16).unwrap_or(0);
        let Some(chunk) = rest.get(2..2 + size).filter(|chunk| !chunk.is_empty()) else { break };
        body.extend_from_slice(chunk);
        framed = rest.get(2 + size + 2..).unwrap_or_default();
    }
    body
}

impl Answer {
    /// The body as JSON; null where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// A text of the JSON body by its pointer (RFC 6901).
    #[must_use]
    pub fn text(&self, pointer: &str) -> String {
        self.json().pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// The first header of a name, given in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    #[must_use]
    pub fn body_text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The finer reason of a refusal, in ATH's form, in OAuth's or in a problem document.
    #[must_use]
    pub fn reason(&self) -> String {
        let below = self.text("/details/reason");
        if below.is_empty() { self.text("/reason") } else { below }
    }

    /// Status and code of a refusal, after checking that it has the form that every one has.
    #[must_use]
    pub fn refusal(&self) -> (u16, String) {
        let problem = self.header("content-type") == Some("application/problem+json");
        let fields: &[&str] = if problem {
            &["/code", "/detail", "/reason", "/hint"]
        } else {
            &["/code", "/message", "/details/reason", "/details/hint"]
        };
        let complete = fields.iter().all(|field| !self.text(field).is_empty());
        assert!(complete, "a refusal has code, message, reason and hint: {} {}", self.status, self.body_text());
        assert!(self.header("x-request-id").is_some(), "every answer has a request id");
        (self.status, self.text("/code"))
    }
}
