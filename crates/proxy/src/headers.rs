use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, HOST, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use broker::{Carrier, Lent};

use crate::target::Target;
use crate::upstream::Upstream;

/// Of the agent's headers those that are listed, without what it means for one connection alone, and what the configuration sets.
pub(crate) fn onward(mut headers: HeaderMap, upstream: &Upstream) -> HeaderMap {
    let named = named_by_connection(&headers);
    for name in ALWAYS {
        headers.remove(name);
    }
    let stays = |name: &&HeaderName| {
        !upstream.request_headers.allows(name, upstream.guard)
            || named.contains(name)
            || upstream.headers.keys().any(|set| reads_alike(name, set))
    };
    let dropped: Vec<HeaderName> = headers.keys().filter(stays).cloned().collect();
    for name in dropped {
        headers.remove(name);
    }
    for (name, value) in &upstream.default_headers {
        headers.entry(name).or_insert_with(|| value.clone());
    }
    for (name, value) in &upstream.headers {
        headers.insert(name, value.clone());
    }
    headers
}

/// The headers of the forwarded request: what goes on of the agent's, and the credential, set last.
pub(crate) fn outgoing(mut headers: HeaderMap, upstream: &Upstream, target: &Target, lent: &Lent) -> HeaderMap {
    if upstream.guard.reads() {
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    headers.insert(HOST, target.authority.clone());
    if let Carrier::Header(own, value) = lent.credential().carrier() {
        let alike: Vec<HeaderName> = headers.keys().filter(|name| reads_alike(name, own)).cloned().collect();
        for name in alike {
            headers.remove(name);
        }
        headers.insert(own, value.clone());
    }
    headers
}

/// Whether some servers take one name for the other.
fn reads_alike(name: &HeaderName, own: &HeaderName) -> bool {
    let plain = |byte: u8| if matches!(byte, b'_' | b'.') { b'-' } else { byte };
    let (name, own) = (name.as_str(), own.as_str());
    name.len() == own.len() && name.bytes().map(plain).eq(own.bytes().map(plain))
}

/// The headers of the answer, without what would act on the gateway's own origin or between the gateway and the upstream.
pub(crate) fn incoming(headers: &mut HeaderMap) {
    strip_hop_by_hop(headers);
    let bound: Vec<HeaderName> = headers.keys().filter(|name| is_origin_bound(name.as_str())).cloned().collect();
    for name in bound {
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
    let named = named_by_connection(headers);
    // The length of an answer to HEAD is part of the answer.
    let named = |name: &HeaderName| named.contains(name) && name != CONTENT_LENGTH;
    let dropped = headers.keys().filter(|name| is_hop_by_hop(name.as_str()) || named(name));
    for name in dropped.cloned().collect::<Vec<HeaderName>>() {
        headers.remove(name);
    }
}

fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let lists = headers.get_all(CONNECTION).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    lists.filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok()).collect()
}

fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// What is between the agent and the gateway, tells who the agent is or where it came from, could make another request of it, or is
/// taken for another header by some servers.
pub(crate) fn stays_here(name: &str) -> bool {
    is_hop_by_hop(name)
        || is_credential(name)
        || matches!(
            name,
            "cf-connecting-ip"
                | "client-ip"
                | "content-length"
                | "expect"
                | "fastly-client-ip"
                | "forwarded"
                | "host"
                | "max-forwards"
                | "true-client-ip"
                | "via"
                | "x-client-ip"
                | "x-cluster-client-ip"
                | "x-host"
                | "x-http-method"
                | "x-http-method-override"
                | "x-method-override"
                | "x-real-ip"
                | "x-request-id"
                | "x-rewrite-url"
        )
        || BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
        || name.contains(['_', '.'])
}

/// Names under which some service takes a credential: beside the injected one, another could decide in whose name the call is made.
fn is_credential(name: &str) -> bool {
    matches!(
        name,
        "api-key"
            | "apikey"
            | "authorization"
            | "cookie"
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

/// What an upstream says about its own origin, which is not the gateway's; its way of asking for a credential, which agents have
/// no use for; and the mark of the gateway's own refusals.
fn is_origin_bound(name: &str) -> bool {
    matches!(
        name,
        REFUSAL
            | "alt-svc"
            | "clear-site-data"
            | "dpop-nonce"
            | "public-key-pins"
            | "refresh"
            | "service-worker-allowed"
            | "set-cookie"
            | "set-cookie2"
            | "strict-transport-security"
            | "www-authenticate"
            | "x-request-id"
    ) || name.starts_with("access-control-")
}

/// Which of the problems a refusal is: it tells the gateway's own word from a service's that looks like it.
pub(crate) const REFUSAL: &str = "ath-gateway-refusal";
/// Of these every request has some; the others are looked for one by one.
const ALWAYS: [HeaderName; 5] =
    [HOST, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HeaderName::from_static("x-ath-agent-id")];
const BEGINNINGS: [&str; 6] = ["access-control-", "proxy-", "sec-", "x-ath-", "x-forwarded-", "x-original-"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::tests::upstream;

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
            assert!(stays_here(name), "{name}");
        }
        for name in ["accept", "idempotency-key", "x-request-tag", "x-api-version"] {
            assert!(!stays_here(name), "{name}");
        }
    }

    #[test]
    fn listed_headers_go_on_without_what_connection_names() {
        let upstream = upstream("a", "https://api.test", None, None);
        let sent = [
            ("accept", "*/*"),
            ("authorization", "Bearer x"),
            ("cache-control", "no-cache"),
            ("connection", "close, cache-control"),
            ("content-length", "5"),
            ("content-type", "text/plain"),
            ("host", "gw"),
            ("range", "bytes=0-1"),
            ("x-ath-agent-id", "a"),
            ("x-custom", "1"),
        ];
        assert_eq!(names(&onward(map(&sent), &upstream)), ["accept", "content-type"]);
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
            assert!(stays_here(name), "{name}");
        }
        assert!(!stays_here("x-custom"));
    }
}
