use http::header::{
    ACCEPT_ENCODING, ALT_SVC, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY,
    COOKIE, EXPECT, FORWARDED, HOST, IF_RANGE, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, RANGE, REFRESH, SET_COOKIE,
    STRICT_TRANSPORT_SECURITY, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, VARY, VIA, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use broker::{Carrier, Lent};

use crate::target::Target;
use crate::upstream::{BodyGuard, Upstream};

/// The headers of the forwarded request: the agent's, without what is between it and the gateway, and the credential, set last.
pub(crate) fn outgoing(headers: &HeaderMap, upstream: &Upstream, target: &Target, lent: &Lent) -> HeaderMap {
    let named = named_by_connection(headers);
    let own = match lent.credential().carrier() {
        Carrier::Header(name, value) => Some((name, value)),
        Carrier::Query(..) => None,
    };
    let mut out = HeaderMap::with_capacity(headers.len() + 3);
    for (name, value) in headers {
        let dropped =
            HOP_BY_HOP.contains(name) || AGENT_ONLY.contains(name) || named.contains(name) || is_private(name.as_str());
        let dropped = dropped || upstream.guard == BodyGuard::Mask && UNGUARDED.contains(name);
        let set = own.iter().map(|(own, _)| *own).chain(upstream.headers.keys());
        if !dropped && !set.into_iter().any(|set| reads_alike(name, set)) {
            out.append(name.clone(), value.clone());
        }
    }
    for (name, value) in &upstream.default_headers {
        out.entry(name).or_insert_with(|| value.clone());
    }
    for (name, value) in &upstream.headers {
        out.insert(name, value.clone());
    }
    if upstream.guard == BodyGuard::Mask {
        out.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    out.insert(HOST, target.authority.clone());
    if let Some((name, value)) = own {
        out.insert(name, value.clone());
    }
    out
}

/// Whether some servers take one name for the other.
fn reads_alike(name: &HeaderName, own: &HeaderName) -> bool {
    let plain = |byte: u8| if matches!(byte, b'_' | b'.') { b'-' } else { byte };
    let (name, own) = (name.as_str().bytes().map(plain), own.as_str().bytes().map(plain));
    name.eq(own)
}

/// The headers of the answer, without what would act on the gateway's own origin or between the gateway and the upstream.
pub(crate) fn incoming(headers: &mut HeaderMap) {
    strip_hop_by_hop(headers);
    for name in ORIGIN_BOUND {
        headers.remove(name);
    }
    let cross: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with("access-control-")).cloned().collect();
    for name in cross {
        headers.remove(name);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    // The answer is one person's: no cache between the gateway and the agent may give it to another.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.append(VARY, HeaderValue::from_static("authorization"));
}

/// RFC 9110 §7.6.1: what concerns one connection alone, and what `Connection` names.
fn strip_hop_by_hop(headers: &mut HeaderMap) {
    for name in named_by_connection(headers) {
        // The length of an answer to HEAD is part of the answer.
        if name != CONTENT_LENGTH {
            headers.remove(name);
        }
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let lists = headers.get_all(CONNECTION).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    lists.filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok()).collect()
}

/// Names that tell who the agent is, or where it came from, or that some servers take for another header.
fn is_private(name: &str) -> bool {
    name.starts_with("x-ath-")
        || name.starts_with("x-forwarded-")
        || name.starts_with("x-original-")
        || name.contains(['_', '.'])
        || is_credential(name)
}

/// Names under which some service takes a credential: beside the injected one, another could decide in whose name the call is made.
fn is_credential(name: &str) -> bool {
    matches!(
        name,
        "api-key"
            | "apikey"
            | "dpop"
            | "job-token"
            | "private-token"
            | "sudo"
            | "x-access-token"
            | "x-amz-security-token"
            | "x-api-key"
            | "x-api-token"
            | "x-auth-key"
            | "x-auth-token"
            | "x-goog-api-key"
            | "x-goog-iam-authorization-token"
            | "x-shopify-access-token"
            | "x-vault-token"
    )
}

const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Credentials, framing, and headers by which a request could pass for another.
const AGENT_ONLY: [HeaderName; 15] = [
    AUTHORIZATION,
    COOKIE,
    CONTENT_LENGTH,
    EXPECT,
    FORWARDED,
    VIA,
    HeaderName::from_static("dpop"),
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("x-host"),
    HeaderName::from_static("x-rewrite-url"),
    HeaderName::from_static("x-http-method-override"),
    HeaderName::from_static("x-http-method"),
    HeaderName::from_static("x-method-override"),
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("true-client-ip"),
];

/// The guard looks into whole and plain bodies alone: in parts, a credential could be had in pieces, and compressed it is not found.
const UNGUARDED: [HeaderName; 3] = [ACCEPT_ENCODING, RANGE, IF_RANGE];

/// What an upstream says about its own origin, which is not the gateway's; and its way of asking for a credential, which agents have
/// no use for.
const ORIGIN_BOUND: [HeaderName; 11] = [
    SET_COOKIE,
    HeaderName::from_static("set-cookie2"),
    HeaderName::from_static("clear-site-data"),
    STRICT_TRANSPORT_SECURITY,
    ALT_SVC,
    HeaderName::from_static("service-worker-allowed"),
    HeaderName::from_static("public-key-pins"),
    REFRESH,
    WWW_AUTHENTICATE,
    HeaderName::from_static("dpop-nonce"),
    HeaderName::from_static("x-request-id"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse::<HeaderValue>().expect("a value")))
            .collect()
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn hop_by_hop_headers_and_those_named_by_connection_go() {
        let mut headers = map(&[
            ("connection", "close, X-Hop"),
            ("x-hop", "1"),
            ("keep-alive", "1"),
            ("te", "trailers"),
            ("upgrade", "h2c"),
            ("transfer-encoding", "chunked"),
            ("accept", "*/*"),
        ]);
        strip_hop_by_hop(&mut headers);
        assert_eq!(names(&headers), ["accept"]);
    }

    #[test]
    fn what_acts_on_an_origin_does_not_come_back() {
        let mut headers = map(&[
            ("set-cookie", "a=b"),
            ("access-control-allow-origin", "*"),
            ("strict-transport-security", "max-age=1"),
            ("alt-svc", "x"),
            ("www-authenticate", "Bearer"),
            ("content-type", "text/html"),
            ("content-length", "5"),
            ("etag", "\"x\""),
            ("content-security-policy", "script-src *"),
            ("clear-site-data", "*"),
        ]);
        incoming(&mut headers);
        assert_eq!(
            names(&headers),
            [
                "cache-control",
                "content-length",
                "content-security-policy",
                "content-type",
                "etag",
                "vary",
                "x-content-type-options"
            ]
        );
        assert_eq!(headers["content-security-policy"], "default-src 'none'; sandbox");
    }

    #[test]
    fn an_agent_brings_no_credential_of_its_own() {
        for name in ["private-token", "x-api-key", "sudo", "dpop", "x-ath-agent-id", "x-forwarded-for", "x_api_key"] {
            assert!(is_private(name), "{name}");
        }
        for name in ["accept", "idempotency-key", "x-request-tag", "x-api-version"] {
            assert!(!is_private(name), "{name}");
        }
    }

    #[test]
    fn nothing_passes_for_the_credential() {
        let name = HeaderName::from_static;
        for (sent, own) in [("api-key", "api-key"), ("api-key", "api_key"), ("api-key", "api.key")] {
            assert!(reads_alike(&name(sent), &name(own)), "{sent} {own}");
        }
        assert!(!reads_alike(&name("apikey"), &name("api-key")));
    }

    #[test]
    fn private_names_are_known() {
        for name in ["x-ath-agent-id", "x-forwarded-for", "x-original-url", "x_user", "a.b"] {
            assert!(is_private(name), "{name}");
        }
        assert!(!is_private("x-custom"));
    }
}
