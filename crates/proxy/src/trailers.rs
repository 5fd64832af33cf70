//! Trailers of gRPC calls. Nothing else has any that pass: whoever reads a message may leave its trailers unread, and some take them for
//! headers.

use http::{HeaderMap, HeaderName};

use crate::request_headers;

/// What of the agent's trailers goes to the upstream; `None` where nothing does. `credential` is the header that the credential goes in.
pub(crate) fn outgoing(trailers: HeaderMap, credential: Option<&HeaderName>) -> Option<HeaderMap> {
    let kept = |name: &HeaderName| request_headers::is_known(name.as_str()) && credential != Some(name);
    sorted_out(trailers, kept).filter(|trailers| !trailers.is_empty())
}

/// What of the upstream's trailers goes to the agent; `None` where they are too many.
pub(crate) fn incoming(trailers: HeaderMap) -> Option<HeaderMap> {
    sorted_out(trailers, |name| !name.as_str().starts_with("access-control-"))
}

fn sorted_out(trailers: HeaderMap, kept: impl Fn(&HeaderName) -> bool) -> Option<HeaderMap> {
    let size: usize = trailers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if trailers.len() > MAX_FIELDS || size > MAX_SIZE {
        return None;
    }
    let mut trailers = trailers;
    let dropped: Vec<HeaderName> =
        trailers.keys().filter(|name| NOT_IN_TRAILERS.contains(&name.as_str()) || !kept(name)).cloned().collect();
    for name in dropped {
        trailers.remove(name);
    }
    Some(trailers)
}

/// RFC 9110 §6.5.1: framing, routing, credentials, and what decides how a message is read; and what acts on an origin.
const NOT_IN_TRAILERS: [&str; 42] = [
    "accept-encoding",
    "age",
    "alt-svc",
    "authorization",
    "cache-control",
    "clear-site-data",
    "connection",
    "content-encoding",
    "content-length",
    "content-location",
    "content-range",
    "content-security-policy",
    "content-type",
    "cookie",
    "date",
    "dpop-nonce",
    "expect",
    "expires",
    "forwarded",
    "host",
    "if-range",
    "keep-alive",
    "link",
    "location",
    "max-forwards",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "refresh",
    "retry-after",
    "set-cookie",
    "set-cookie2",
    "strict-transport-security",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "via",
    "www-authenticate",
    "x-request-id",
];
/// As for headers.
const MAX_FIELDS: usize = 64;
const MAX_SIZE: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn map(names: &[&'static str]) -> HeaderMap {
        names.iter().map(|name| (HeaderName::from_static(name), HeaderValue::from_static("1"))).collect()
    }

    #[test]
    fn what_would_change_a_message_after_the_fact_is_dropped() {
        let names = ["grpc-status", "grpc-message", "x-own-bin", "content-length", "set-cookie", "authorization", "te"];
        let kept = incoming(map(&names)).expect("few");
        let mut kept: Vec<&str> = kept.keys().map(HeaderName::as_str).collect();
        kept.sort_unstable();
        assert_eq!(kept, ["grpc-message", "grpc-status", "x-own-bin"]);
    }

    #[test]
    fn an_agent_brings_no_credential_at_the_end_either() {
        let sent = map(&["content-digest", "x-checksum", "x-api-key", "x-ath-agent-id", "grpc-tenant-key", "cookie"]);
        let kept = outgoing(sent, Some(&HeaderName::from_static("grpc-tenant-key"))).expect("one");
        assert_eq!(kept.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["content-digest"]);
        assert_eq!(outgoing(map(&["cookie"]), None), None);
    }

    #[test]
    fn there_is_an_end_to_them() {
        let large = HeaderValue::from_str(&"x".repeat(MAX_SIZE)).expect("a value");
        assert_eq!(incoming([(HeaderName::from_static("grpc-message"), large)].into_iter().collect()), None);
        assert!(NOT_IN_TRAILERS.is_sorted());
    }
}
