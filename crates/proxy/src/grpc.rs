//! gRPC over HTTP/2, as far as an intermediary has to know it.

use std::fmt::Write as _;

use data_encoding::BASE64;
use http::header::{CONTENT_TYPE, RETRY_AFTER, TE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Version};

use crate::body::ProxyBody;
use crate::upstream::BodyGuard;

/// What an exchange is, as far as its ends are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Headers and a body.
    Http,
    /// gRPC: how it went stands in trailers, and a refusal looks otherwise.
    Grpc,
}

impl Dialect {
    /// By what the agent sent: gRPC is POST by HTTP/2, and says so.
    #[must_use]
    pub fn of(parts: &Parts) -> Self {
        if parts.method != Method::POST || parts.version != Version::HTTP_2 {
            return Self::Http;
        }
        if parts.headers.get(CONTENT_TYPE).is_some_and(|kind| is_grpc(kind.as_bytes())) {
            Self::Grpc
        } else {
            Self::Http
        }
    }
}

/// `application/grpc`, with a format or parameters or without; gRPC-Web is another protocol, without trailers.
fn is_grpc(kind: &[u8]) -> bool {
    let Some((name, rest)) = kind.split_at_checked(GRPC.len()) else { return false };
    name.eq_ignore_ascii_case(GRPC) && matches!(rest.first(), None | Some(b'+' | b';' | b' '))
}

/// Where messages end in a body, which may be cut anywhere: each comes after a flag and its length.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    prefix: [u8; 5],
    /// So many bytes of the prefix have come.
    come: usize,
    /// So many bytes of the message are to come.
    left: u64,
}

impl Messages {
    /// Whether a message ends with this piece.
    pub(crate) fn end_with(&mut self, piece: &[u8]) -> bool {
        let mut rest = piece;
        while !rest.is_empty() {
            if let Some(place) = self.prefix.get_mut(self.come) {
                (*place, rest) = (rest.first().copied().unwrap_or_default(), rest.get(1..).unwrap_or_default());
                self.come += 1;
                let [_, length @ ..] = self.prefix;
                self.left = u64::from(u32::from_be_bytes(length));
            } else {
                let some = usize::try_from(self.left).unwrap_or(usize::MAX).min(rest.len());
                rest = rest.get(some..).unwrap_or_default();
                self.left -= some as u64;
            }
            if self.come == self.prefix.len() && self.left == 0 {
                self.come = 0;
            }
        }
        self.come == 0
    }
}

/// What a gRPC call says to the upstream besides: that trailers are read. Where bodies are guarded, its answers come as they are.
pub(crate) fn outgoing(headers: &mut HeaderMap, guard: BodyGuard) {
    headers.insert(TE, HeaderValue::from_static("trailers"));
    if guard.reads() {
        headers.remove(ACCEPTED_ENCODING);
    }
}

/// Whether the messages of an answer are compressed one by one, which nobody looks into.
pub(crate) fn is_compressed(headers: &HeaderMap) -> bool {
    headers.get_all(ENCODING).iter().any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Whether the call was refused for its credential, with no word before: what 401 is elsewhere.
pub(crate) fn is_unauthenticated(headers: &HeaderMap) -> bool {
    headers.get(STATUS).is_some_and(|status| status == "16")
}

/// A refusal as gRPC has it: trailers alone, with HTTP's 200. `error` is what stands in the body elsewhere.
pub(crate) fn refusal(refused: Response<()>, reason: &str, sentence: &str, error: &[u8]) -> Response<ProxyBody> {
    let (parts, ()) = refused.into_parts();
    let mut response = Response::new(ProxyBody::none());
    *response.extensions_mut() = parts.extensions;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(STATUS, HeaderValue::from(status(parts.status, reason)));
    headers.insert(MESSAGE, HeaderValue::from_str(&percent_encoded(sentence)).unwrap_or(HeaderValue::from_static("")));
    if let Ok(error) = HeaderValue::from_str(&BASE64.encode(error)) {
        headers.insert(ERROR, error);
    }
    if let Some(after) = parts.headers.get(RETRY_AFTER) {
        headers.insert(RETRY_AFTER, after.clone());
    }
    response
}

/// The one table from a refusal to gRPC's status codes: by its word, where the answer's status says too little.
fn status(http: StatusCode, reason: &str) -> u16 {
    match reason {
        "reconnect_required" => FAILED_PRECONDITION,
        "upstream_malformed" | "upstream_encoded" | "credential_echoed" => INTERNAL,
        _ => match http.as_u16() {
            400 | 414 | 417 | 421 | 431 => INVALID_ARGUMENT,
            401 => UNAUTHENTICATED,
            403 => PERMISSION_DENIED,
            405 => UNIMPLEMENTED,
            429 => RESOURCE_EXHAUSTED,
            502 | 503 => UNAVAILABLE,
            504 => DEADLINE_EXCEEDED,
            _ => INTERNAL,
        },
    }
}

/// As gRPC has it: what is printable ASCII stands as it is, but for `%`.
fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => out.push(char::from(byte)),
            // Writing to a string does not fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}

const GRPC: &[u8] = b"application/grpc";
const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const ACCEPTED_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
/// The whole refusal, as JSON.
const ERROR: HeaderName = HeaderName::from_static("ath-error-bin");

const INVALID_ARGUMENT: u16 = 3;
const DEADLINE_EXCEEDED: u16 = 4;
const PERMISSION_DENIED: u16 = 7;
const RESOURCE_EXHAUSTED: u16 = 8;
const FAILED_PRECONDITION: u16 = 9;
const UNIMPLEMENTED: u16 = 12;
const INTERNAL: u16 = 13;
const UNAVAILABLE: u16 = 14;
const UNAUTHENTICATED: u16 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn dialect(method: &str, version: Version, kind: &str) -> Dialect {
        let request = http::Request::builder().method(method).version(version).header("content-type", kind);
        Dialect::of(&request.body(()).expect("a request").into_parts().0)
    }

    #[test]
    fn grpc_says_what_it_is() {
        for kind in ["application/grpc", "application/grpc+proto", "Application/GRPC; charset=x"] {
            assert_eq!(dialect("POST", Version::HTTP_2, kind), Dialect::Grpc, "{kind}");
            assert_eq!(dialect("POST", Version::HTTP_11, kind), Dialect::Http, "{kind}");
            assert_eq!(dialect("GET", Version::HTTP_2, kind), Dialect::Http, "{kind}");
        }
        for kind in ["application/grpc-web", "application/grpc-web+proto", "application/grp", "application/json", ""] {
            assert_eq!(dialect("POST", Version::HTTP_2, kind), Dialect::Http, "{kind}");
        }
    }

    #[test]
    fn each_refusal_has_a_status_that_says_whether_to_try_again() {
        for (http, reason, expected) in [
            (401, "token_expired", UNAUTHENTICATED),
            (403, "operation_not_allowed", PERMISSION_DENIED),
            (429, "rate_limited", RESOURCE_EXHAUSTED),
            (502, "upstream_unreachable", UNAVAILABLE),
            (502, "upstream_malformed", INTERNAL),
            (502, "reconnect_required", FAILED_PRECONDITION),
            (503, "store_unavailable", UNAVAILABLE),
            (504, "upstream_timeout", DEADLINE_EXCEEDED),
            (400, "framing", INVALID_ARGUMENT),
            (500, "fault", INTERNAL),
        ] {
            assert_eq!(status(StatusCode::from_u16(http).expect("a status"), reason), expected, "{http} {reason}");
        }
    }

    #[test]
    fn a_message_ends_where_its_length_says() {
        let messages = [&[0, 0, 0, 0, 3][..], b"abc", &[0, 0, 0, 0, 0], &[0, 0, 0, 1, 0], &[b'x'; 256]].concat();
        let ends = [8, 13, messages.len()];
        for size in [1, 2, 3, 7, 1000] {
            let (mut framing, mut at) = (Messages::default(), 0);
            for piece in messages.chunks(size) {
                at += piece.len();
                assert_eq!(framing.end_with(piece), ends.contains(&at), "{size} at {at}");
            }
        }
    }

    #[test]
    fn a_message_is_ascii() {
        assert_eq!(percent_encoded("50 % of \u{e9}\n"), "50 %25 of %C3%A9%0A");
    }
}
