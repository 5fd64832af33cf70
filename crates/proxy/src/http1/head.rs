use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::Body as _;
use http1::Chunked;

use crate::http1::Http1Error;
use crate::upload::Upload;

/// Where the body of an answer ends (RFC 9112 §6.3).
pub(super) enum Framing {
    /// After so many bytes.
    Length(u64),
    Chunked(Chunked),
    /// With the connection.
    Close,
}

/// How the body of a request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// So many bytes, no more and no less.
    Length(u64),
    Chunked,
}

/// Whether a connection may carry another exchange after this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Persistence {
    Kept,
    Closed,
}

/// The head of an answer.
pub(super) struct Head {
    pub(super) response: Response<()>,
    pub(super) framing: Framing,
    pub(super) persistence: Persistence,
}

/// Writes the head of a request. `Host` and everything else that it needs stands in its headers, but for what frames its body.
pub(super) fn write(request: &Request<Upload>, out: &mut Vec<u8>) -> Coding {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    out.extend_from_slice(request.method().as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    for (name, value) in request.headers() {
        if name == CONTENT_LENGTH || name == TRANSFER_ENCODING {
            continue;
        }
        field(out, name.as_str().as_bytes(), value.as_bytes());
    }
    let upload = request.body();
    let coding = upload.size_hint().exact().map_or(Coding::Chunked, Coding::Length);
    match coding {
        Coding::Chunked => field(out, b"transfer-encoding", b"chunked"),
        // RFC 9110 §8.6: a method that could have a body says that there is none.
        Coding::Length(0) if !means_a_body(request.method()) => {}
        Coding::Length(length) => field(out, b"content-length", itoa::Buffer::new().format(length).as_bytes()),
    }
    out.extend_from_slice(b"\r\n");
    coding
}

fn means_a_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

fn field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Reads the head of the answer to a request with `method` off the beginning of `read`; `None` where it is not all there yet. `seen` is
/// how much of it was looked at in vain before.
pub(super) fn read(read: &mut BytesMut, seen: &mut usize, method: &Method) -> Result<Option<Head>, Http1Error> {
    if !has_end(read, *seen) {
        *seen = read.len();
        return if read.len() > MAX_HEAD { Err(Http1Error::HeadTooLarge) } else { Ok(None) };
    }
    let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut parsed = httparse::Response::new(&mut []);
    let length =
        match httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut parsed, read, &mut fields) {
            Ok(httparse::Status::Complete(length)) if length <= MAX_HEAD => length,
            Ok(httparse::Status::Complete(_)) | Err(httparse::Error::TooManyHeaders) => {
                return Err(Http1Error::HeadTooLarge);
            }
            Ok(httparse::Status::Partial) => {
                *seen = read.len();
                return Ok(None);
            }
            Err(error) => return Err(Http1Error::Head(error)),
        };
    let version = if parsed.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
    let status =
        StatusCode::from_u16(parsed.code.unwrap_or_default()).map_err(|error| Http1Error::Field(error.into()))?;
    // Where each value lies, so that the values can share the one buffer that was read.
    let base = read.as_ptr().addr();
    let mut headers = HeaderMap::with_capacity(parsed.headers.len() + ADDED);
    let mut found = Vec::with_capacity(parsed.headers.len());
    for field in &*parsed.headers {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|error| Http1Error::Field(error.into()))?;
        found.push((name, field.value.as_ptr().addr().wrapping_sub(base), field.value.len()));
    }
    let head = read.split_to(length).freeze();
    for (name, start, length) in found {
        headers.append(name, value(&head, start, length)?);
    }
    *seen = 0;
    let framing = framing(version, status, &headers, method)?;
    let persistence = persistence(version, &headers, &framing);
    let mut response = Response::new(());
    *response.status_mut() = status;
    *response.version_mut() = version;
    *response.headers_mut() = headers;
    Ok(Some(Head { response, framing, persistence }))
}

fn value(head: &Bytes, start: usize, length: usize) -> Result<HeaderValue, Http1Error> {
    let value = if length == 0 { Bytes::new() } else { head.slice(start..start + length) };
    HeaderValue::from_maybe_shared(value).map_err(|error| Http1Error::Field(error.into()))
}

/// Whether an empty line stands anywhere behind `seen`.
fn has_end(read: &[u8], seen: usize) -> bool {
    let from = seen.saturating_sub(3);
    let rest = read.get(from..).unwrap_or_default();
    memchr::memchr_iter(b'\n', rest).any(|at| matches!(rest.get(at + 1..), Some([b'\n', ..] | [b'\r', b'\n', ..])))
}

fn framing(version: Version, status: StatusCode, headers: &HeaderMap, method: &Method) -> Result<Framing, Http1Error> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let coding = match (codings.next(), codings.next()) {
        (None, _) => None,
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Some(()),
        _ => return Err(Http1Error::Coding),
    };
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let length = match (lengths.next(), lengths.next(), coding) {
        (None, ..) => None,
        (Some(length), None, None) => Some(number(length.as_bytes()).ok_or(Http1Error::Length)?),
        _ => return Err(Http1Error::Length),
    };
    // RFC 9112 §6.1: HTTP/1.0 knows no transfer coding; what says so all the same was put together wrongly.
    if coding.is_some() && version != Version::HTTP_11 {
        return Err(Http1Error::Coding);
    }
    let bodiless = *method == Method::HEAD
        || status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    Ok(match (bodiless, coding, length) {
        (true, ..) => Framing::Length(0),
        (false, Some(()), _) => Framing::Chunked(Chunked::new()),
        (false, None, Some(length)) => Framing::Length(length),
        (false, None, None) => Framing::Close,
    })
}

/// Digits alone: `+5`, ` 5`, `5,5` and `0x5` are read otherwise by others.
fn number(digits: &[u8]) -> Option<u64> {
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| plain)?.parse().ok()
}

/// RFC 9112 §9.3.
fn persistence(version: Version, headers: &HeaderMap, framing: &Framing) -> Persistence {
    let options = headers.get_all(CONNECTION).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let closes = options.into_iter().any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"));
    if closes || version != Version::HTTP_11 || matches!(framing, Framing::Close) {
        Persistence::Closed
    } else {
        Persistence::Kept
    }
}

const MAX_HEAD: usize = 64 << 10;
const MAX_FIELDS: usize = 128;
/// Fields that the gateway adds to an answer.
const ADDED: usize = 6;
