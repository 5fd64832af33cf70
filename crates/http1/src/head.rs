use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};

use crate::chunked::Chunked;
use crate::error::HeadError;

/// Where the body of a request ends (RFC 9112 §6.3).
pub enum Framing {
    /// After so many bytes.
    Length(u64),
    /// With the last chunk.
    Chunked(Chunked),
}

/// Whether a connection may carry another exchange after this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Persistence {
    /// Without a word (HTTP/1.1).
    Kept,
    /// Where the answer says so, too (HTTP/1.0 with `keep-alive`).
    KeptIfSaid,
    /// Not.
    Closed,
}

/// The head of a request.
pub struct Head {
    /// All but the body.
    pub request: Request<()>,
    /// Where its body ends.
    pub framing: Framing,
    /// What the client wants of the connection.
    pub persistence: Persistence,
    /// Whether the client waits for a word before it sends the body (RFC 9110 §10.1.1).
    pub expects: bool,
}

/// Reads the head of a request off the beginning of `read`; `None` where it is not all there yet. `seen` is how much of it was looked at
/// in vain before.
pub fn read(read: &mut BytesMut, seen: &mut usize) -> Result<Option<Head>, HeadError> {
    let length = match end(read, *seen)? {
        Some(length) if length <= MAX_HEAD => length,
        None if read.len() <= MAX_HEAD => {
            *seen = read.len();
            return Ok(None);
        }
        _ => return Err(too_large(read)),
    };
    *seen = 0;
    let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut parsed = httparse::Request::new(&mut []);
    let bytes = read.get(..length).unwrap_or_default();
    match parsed.parse_with_uninit_headers(bytes, &mut fields) {
        Ok(httparse::Status::Complete(parsed)) if parsed == length => {}
        Err(httparse::Error::TooManyHeaders) => return Err(HeadError::TooLarge),
        Err(httparse::Error::Version) => return Err(HeadError::Version),
        Ok(_) | Err(_) => return Err(HeadError::Syntax),
    }
    let version = if parsed.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
    let method = Method::from_bytes(parsed.method.unwrap_or_default().as_bytes()).map_err(|_| HeadError::Syntax)?;
    // Where each text lies, so that all of them can share the one buffer that was read.
    let base = read.as_ptr().addr();
    let place = |text: &[u8]| (text.as_ptr().addr().wrapping_sub(base), text.len());
    let target = place(parsed.path.unwrap_or_default().as_bytes());
    let mut headers = HeaderMap::with_capacity(parsed.headers.len());
    let mut found = Vec::with_capacity(parsed.headers.len());
    for field in &*parsed.headers {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| HeadError::Syntax)?;
        found.push((name, place(field.value)));
    }
    let head = read.split_to(length).freeze();
    for (name, place) in found {
        let value = HeaderValue::from_maybe_shared(part(&head, place)).map_err(|_| HeadError::Syntax)?;
        headers.append(name, value);
    }
    let uri = uri(part(&head, target))?;
    let framing = framing(version, &headers)?;
    let persistence = persistence(version, &headers);
    let expects = version == Version::HTTP_11 && !framing.has_ended() && headers.contains_key(EXPECT);
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.version_mut() = version;
    *request.headers_mut() = headers;
    Ok(Some(Head { request, framing, persistence, expects }))
}

impl Framing {
    /// Whether there is nothing more to come.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunked) => chunked.has_ended(),
        }
    }
}

/// How long the head is, where it is all there. Every line of it ends with CRLF: a line feed alone ends one for some readers only
/// (RFC 9112 §2.2), and an empty line before the request is no line of it.
fn end(read: &[u8], seen: usize) -> Result<Option<usize>, HeadError> {
    let from = seen.saturating_sub(3);
    let rest = read.get(from..).unwrap_or_default();
    for at in memchr::memchr_iter(b'\n', rest).map(|at| from + at) {
        match read.get(at.saturating_sub(3)..at).unwrap_or_default() {
            [.., b'\r', b'\n', b'\r'] => return Ok(Some(at + 1)),
            [b'\r'] => return Err(HeadError::Syntax),
            [.., b'\r'] => {}
            _ => return Err(HeadError::Syntax),
        }
    }
    Ok(None)
}

fn too_large(read: &[u8]) -> HeadError {
    let line = memchr::memchr(b'\n', read).unwrap_or(read.len());
    if line > MAX_LINE { HeadError::TargetTooLong } else { HeadError::TooLarge }
}

fn part(head: &Bytes, (start, length): (usize, usize)) -> Bytes {
    if length == 0 { Bytes::new() } else { head.slice(start..start + length) }
}

/// What the URI library would cut off, or take for a character of its own, is refused before: others would not.
fn uri(target: Bytes) -> Result<Uri, HeadError> {
    if !target.iter().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'#' | b'\\')) {
        return Err(HeadError::Target);
    }
    if target.len() > MAX_LINE {
        return Err(HeadError::TargetTooLong);
    }
    if target.first() == Some(&b'/') {
        let path = PathAndQuery::from_maybe_shared(target).map_err(|_| HeadError::Target)?;
        return Ok(Uri::from(path));
    }
    Uri::from_maybe_shared(target).map_err(|_| HeadError::Target)
}

fn framing(version: Version, headers: &HeaderMap) -> Result<Framing, HeadError> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let coding = match (codings.next(), codings.next()) {
        (None, _) => false,
        // RFC 9112 §6.1: HTTP/1.0 knows no transfer coding.
        (Some(coding), None) if version == Version::HTTP_11 && coding.as_bytes().eq_ignore_ascii_case(b"chunked") => {
            true
        }
        _ => return Err(HeadError::Framing),
    };
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    match (lengths.next(), lengths.next(), coding) {
        (None, _, true) => Ok(Framing::Chunked(Chunked::strict())),
        (None, _, false) => Ok(Framing::Length(0)),
        (Some(length), None, false) => number(length.as_bytes()).map(Framing::Length).ok_or(HeadError::Framing),
        _ => Err(HeadError::Framing),
    }
}

/// Digits alone, and no zero before them: `+5`, `5,5`, `0x5` and `010` are read otherwise by others.
fn number(digits: &[u8]) -> Option<u64> {
    let plain = digits == b"0" || digits.first().is_some_and(|first| *first != b'0');
    let plain = plain && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| plain)?.parse().ok()
}

/// RFC 9112 §9.3.
fn persistence(version: Version, headers: &HeaderMap) -> Persistence {
    let says = |word: &[u8]| {
        let values = headers.get_all(CONNECTION).iter();
        let mut options = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
        options.any(|option| option.trim_ascii().eq_ignore_ascii_case(word))
    };
    match version {
        _ if says(b"close") => Persistence::Closed,
        Version::HTTP_11 => Persistence::Kept,
        _ if says(b"keep-alive") => Persistence::KeptIfSaid,
        _ => Persistence::Closed,
    }
}

const MAX_HEAD: usize = 32 << 10;
const MAX_FIELDS: usize = 100;
/// Of the request line; a little more than any target that is answered.
const MAX_LINE: usize = 12 << 10;
