use http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, EXPECT, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, StatusCode, Version};
use http1::HeadError;

use crate::websocket;

/// Why a request is refused before anything else is looked at: two servers could read it differently, or it is too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// CONNECT other than for a WebSocket, TRACE, or a method that is not forwarded.
    #[error("the method is not forwarded")]
    Method,
    /// Absolute, authority or asterisk form (RFC 9112 §3.2); only the origin form has one reading behind a proxy.
    #[error("the request target is not in origin form")]
    TargetForm,
    /// More than 8 KiB.
    #[error("the request target is too long")]
    TargetTooLong,
    /// No Host, more than one, an empty one, or one that differs from `:authority`.
    #[error("the request has not exactly one Host")]
    Host,
    /// A host that is none of the gateway's names.
    #[error("the request is for another host")]
    Misdirected,
    /// A doubled or odd Content-Length, a Transfer-Encoding other than `chunked`, or both; or a body with a GET or a HEAD.
    #[error("the length of the body can be read in two ways")]
    Framing,
    /// More than one Authorization.
    #[error("more than one Authorization")]
    Authorization,
    /// A header whose name is a security header's in other signs than single hyphens, which some servers read as that header.
    #[error("a header name imitates another")]
    HeaderName,
    /// `Connection` names a header that decides about access.
    #[error("Connection names an end-to-end header")]
    Connection,
    /// Anything but `100-continue`.
    #[error("the expectation is not known")]
    Expect,
    /// No request line and fields, each ended by CRLF, and HTTP/1.1 or HTTP/1.0 (RFC 9112 §2.2).
    #[error("the request cannot be read")]
    Syntax,
    /// Bytes behind a handshake, before its answer.
    #[error("another protocol was spoken before it was agreed upon")]
    Early,
    /// More than 64 fields, or 16 KiB of them.
    #[error("too many headers")]
    HeadersTooLarge,
    /// A trusted proxy names the client in a form that cannot be read.
    #[error("a trusted proxy's header does not name the client's address")]
    ClientAddress,
    /// A trusted proxy's two headers name two clients.
    #[error("X-Forwarded-For and Forwarded name different clients")]
    ClientAddresses,
}

impl GateError {
    /// The fixed word for `details.reason`.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Method => "method_not_allowed",
            Self::TargetForm => "target_form",
            Self::TargetTooLong => "target_too_long",
            Self::Host => "host",
            Self::Misdirected => "misdirected",
            Self::Framing => "framing",
            Self::Authorization => "authorization_doubled",
            Self::HeaderName => "header_name",
            Self::Connection => "connection_header",
            Self::Expect => "expect",
            Self::Syntax => "syntax",
            Self::Early => "early_bytes",
            Self::HeadersTooLarge => "headers_too_large",
            Self::ClientAddress => "client_address",
            Self::ClientAddresses => "client_address_doubled",
        }
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::Expect => StatusCode::EXPECTATION_FAILED,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Syntax
            | Self::Early
            | Self::TargetForm
            | Self::Host
            | Self::Framing
            | Self::Authorization
            | Self::HeaderName
            | Self::Connection
            | Self::ClientAddress
            | Self::ClientAddresses => StatusCode::BAD_REQUEST,
        }
    }
}

impl From<&HeadError> for GateError {
    fn from(error: &HeadError) -> Self {
        match error {
            HeadError::Syntax | HeadError::Version => Self::Syntax,
            HeadError::Target => Self::TargetForm,
            HeadError::Early => Self::Early,
            HeadError::Framing => Self::Framing,
            HeadError::TargetTooLong => Self::TargetTooLong,
            HeadError::TooLarge => Self::HeadersTooLarge,
        }
    }
}

/// Stands in front of everything: refuses what the HTTP library accepts and two servers could read differently.
pub fn check(parts: &Parts) -> Result<(), GateError> {
    if !FORWARDED.contains(&parts.method) && !websocket::is_extended_connect(parts) {
        return Err(GateError::Method);
    }
    check_target(parts)?;
    check_size(&parts.headers)?;
    check_host(parts)?;
    check_framing(&parts.method, &parts.headers)?;
    check_names(&parts.headers)?;
    if parts.headers.get_all(AUTHORIZATION).iter().count() > 1 {
        return Err(GateError::Authorization);
    }
    let mut expectations = parts.headers.get_all(EXPECT).iter();
    if !expectations.all(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        return Err(GateError::Expect);
    }
    Ok(())
}

fn check_target(parts: &Parts) -> Result<(), GateError> {
    let uri = &parts.uri;
    let length = uri.path_and_query().map_or(0, |target| target.as_str().len());
    if length > MAX_TARGET {
        return Err(GateError::TargetTooLong);
    }
    // HTTP/2 carries scheme and authority beside the path; in HTTP/1.1 they make another form of target.
    let absolute = parts.version < Version::HTTP_2 && (uri.scheme().is_some() || uri.authority().is_some());
    // Two slashes at the beginning are the name of a host to some.
    if absolute || !uri.path().starts_with('/') || uri.path().starts_with("//") {
        return Err(GateError::TargetForm);
    }
    Ok(())
}

fn check_size(headers: &HeaderMap) -> Result<(), GateError> {
    let size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if headers.len() > MAX_FIELDS || size > MAX_HEADERS {
        return Err(GateError::HeadersTooLarge);
    }
    Ok(())
}

fn check_host(parts: &Parts) -> Result<(), GateError> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let authority = parts.uri.authority().map(|authority| authority.as_str().as_bytes());
    match (hosts.next(), hosts.next(), authority) {
        (_, Some(_), _) | (None, None, None) => Err(GateError::Host),
        (Some(host), None, None) if host.is_empty() => Err(GateError::Host),
        (Some(host), None, Some(authority)) if !host.as_bytes().eq_ignore_ascii_case(authority) => Err(GateError::Host),
        (_, None, Some(authority)) if authority.contains(&b'@') => Err(GateError::Host),
        _ => Ok(()),
    }
}

/// RFC 9112 §6.3; and RFC 9110 §9.3.1: a body with a GET is one that half of all servers do not look for, and take for a request.
fn check_framing(method: &Method, headers: &HeaderMap) -> Result<(), GateError> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let (length, second) = (lengths.next(), lengths.next());
    let mut encodings = headers.get_all(TRANSFER_ENCODING).iter();
    let (encoding, another) = (encodings.next(), encodings.next());
    let odd_length = length.is_some_and(|value| value.is_empty() || !value.as_bytes().iter().all(u8::is_ascii_digit));
    let odd_encoding = encoding.is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"chunked"));
    let both = length.is_some() && encoding.is_some();
    let empty = encoding.is_none() && length.is_none_or(|length| length == "0");
    let unexpected = matches!(*method, Method::GET | Method::HEAD) && !empty;
    if second.is_some() || another.is_some() || odd_length || odd_encoding || both || unexpected {
        return Err(GateError::Framing);
    }
    Ok(())
}

fn check_names(headers: &HeaderMap) -> Result<(), GateError> {
    if headers.keys().any(|name| !is_plain(name.as_str()) && imitates(name.as_str())) {
        return Err(GateError::HeaderName);
    }
    let named = headers.get_all(CONNECTION).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    for name in named {
        let name = HeaderName::from_bytes(name.trim_ascii());
        if name.is_ok_and(|name| SECURITY.contains(&name.as_str()) && name != TRANSFER_ENCODING) {
            return Err(GateError::Connection);
        }
    }
    Ok(())
}

/// Words with one hyphen between each two: what nearly every name is.
fn is_plain(name: &str) -> bool {
    let mut before = b'-';
    let plain = name.bytes().all(|byte| {
        let joins = byte == b'-' && before != b'-';
        before = byte;
        joins || byte.is_ascii_alphanumeric()
    });
    plain && before != b'-'
}

/// Whether some server takes it for one of the headers that decide.
#[cold]
fn imitates(name: &str) -> bool {
    let words = |text: &str| text.bytes().filter(u8::is_ascii_alphanumeric).collect::<Vec<u8>>();
    let plain = words(name);
    SECURITY.iter().any(|own| words(own) == plain)
}

pub(crate) const FORWARDED: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
/// The headers that decide who may do what, and where a message ends.
const SECURITY: [&str; 7] =
    ["authorization", "proxy-authorization", "x-ath-agent-id", "host", "content-length", "transfer-encoding", "cookie"];
const MAX_TARGET: usize = 8192;
const MAX_FIELDS: usize = 64;
const MAX_HEADERS: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn judge(change: impl FnOnce(http::request::Builder) -> http::request::Builder) -> Result<(), GateError> {
        let request = change(Request::builder().uri("/tickets").header("host", "gw")).body(()).expect("a request");
        check(&request.into_parts().0)
    }

    #[test]
    fn an_ordinary_request_passes() {
        assert_eq!(judge(|request| request), Ok(()));
        assert_eq!(judge(|request| request.method("POST").header("content-length", "5")), Ok(()));
        assert_eq!(judge(|request| request.method("POST").header("transfer-encoding", "chunked")), Ok(()));
        assert_eq!(
            judge(|request| request.header("connection", "keep-alive, x-hop").header("expect", "100-continue")),
            Ok(())
        );
        for name in ["x_custom", "x--custom", "transfer-encodings", "x-transfer-encoding"] {
            assert_eq!(judge(|request| request.header(name, "1")), Ok(()), "{name}");
        }
        assert_eq!(judge(|request| request.version(Version::HTTP_2).uri("https://gw/tickets")), Ok(()));
    }

    #[test]
    fn what_two_servers_could_read_differently_is_refused() {
        for method in ["CONNECT", "TRACE", "get", "GE!T", "PROPFIND", "TRACK"] {
            assert_eq!(judge(|request| request.method(method)), Err(GateError::Method), "{method}");
        }
        assert_eq!(judge(|request| request.uri("http://evil.test/a")), Err(GateError::TargetForm));
        assert_eq!(judge(|request| request.uri("evil.test:443")), Err(GateError::TargetForm));
        assert_eq!(judge(|request| request.uri("//evil.test/a")), Err(GateError::TargetForm));
        assert_eq!(judge(|request| request.method("OPTIONS").uri("*")), Err(GateError::TargetForm));
        assert_eq!(judge(|request| request.header("host", "other")), Err(GateError::Host));
        assert_eq!(judge(|request| request.version(Version::HTTP_2).uri("https://other/")), Err(GateError::Host));
        for (name, value) in [
            ("content-length", "+5"),
            ("content-length", ""),
            ("content-length", "5, 5"),
            ("transfer-encoding", "gzip, chunked"),
            ("transfer-encoding", "xchunked"),
        ] {
            assert_eq!(judge(|request| request.header(name, value)), Err(GateError::Framing), "{name}: {value}");
        }
        for (name, value) in [("content-length", "5"), ("transfer-encoding", "chunked")] {
            for method in ["GET", "HEAD"] {
                let judged = judge(|request| request.method(method).header(name, value));
                assert_eq!(judged, Err(GateError::Framing), "{method} {name}");
            }
        }
        assert_eq!(
            judge(|request| request.header("content-length", "5").header("content-length", "5")),
            Err(GateError::Framing)
        );
        assert_eq!(
            judge(|request| request.header("content-length", "5").header("transfer-encoding", "chunked")),
            Err(GateError::Framing)
        );
        assert_eq!(
            judge(|request| request.header("authorization", "a").header("authorization", "b")),
            Err(GateError::Authorization)
        );
        for name in [
            "transfer_encoding",
            "transfer--encoding",
            "transfer-encoding-",
            "transfer-encoding~",
            "x_ath_agent_id",
            "x-ath_agent-id",
            "authorization_",
            "content.length",
            "!host",
        ] {
            assert_eq!(judge(|request| request.header(name, "x")), Err(GateError::HeaderName), "{name}");
        }
        for named in ["authorization", "close, X-ATH-Agent-ID", "host", "content-length"] {
            assert_eq!(judge(|request| request.header("connection", named)), Err(GateError::Connection), "{named}");
        }
        assert_eq!(judge(|request| request.header("expect", "200-ok")), Err(GateError::Expect));
        assert_eq!(judge(|request| request.header("x-large", "x".repeat(16 * 1024))), Err(GateError::HeadersTooLarge));
        assert_eq!(
            judge(|request| (0..64).fold(request, |request, n| request.header(format!("x-{n}"), "1"))),
            Err(GateError::HeadersTooLarge)
        );
        assert_eq!(judge(|request| request.uri(format!("/{}", "a".repeat(8192)))), Err(GateError::TargetTooLong));
    }

    #[test]
    fn connect_is_for_a_websocket_by_http2_alone() {
        let asked = |version, protocol: Option<&'static str>| {
            judge(|request| {
                let request = request.method("CONNECT").version(version).uri("https://gw/socket");
                match protocol {
                    Some(protocol) => request.extension(hyper::ext::Protocol::from_static(protocol)),
                    None => request,
                }
            })
        };
        assert_eq!(asked(Version::HTTP_2, Some("websocket")), Ok(()));
        for (version, protocol) in [
            (Version::HTTP_2, None),
            (Version::HTTP_2, Some("connect-udp")),
            (Version::HTTP_2, Some("WebSocket")),
            (Version::HTTP_11, Some("websocket")),
        ] {
            assert_eq!(asked(version, protocol), Err(GateError::Method), "{version:?} {protocol:?}");
        }
    }

    #[test]
    fn a_request_without_host_is_refused() {
        let request = Request::builder().uri("/").body(()).expect("a request");
        assert_eq!(check(&request.into_parts().0), Err(GateError::Host));
    }
}
