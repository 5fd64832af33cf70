//! Headers that no configuration may set on a request: they say how the message is framed, where it goes, or who asks.

use http::HeaderName;

/// Whether a header is none that may be set: it concerns one connection alone (RFC 9110 §7.6.1), the message's framing or its place, or
/// it is something that some servers take for another request than was sent.
#[must_use]
pub fn is_reserved(name: &HeaderName) -> bool {
    let name = name.as_str();
    RESERVED.contains(&name) || BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
}

/// Whether a header would be a credential: none stands in a file that is read by people.
#[must_use]
pub fn is_credential(name: &HeaderName) -> bool {
    let plain: String = name.as_str().chars().filter(char::is_ascii_alphanumeric).collect();
    plain.ends_with("authorization") || CREDENTIALS.iter().any(|end| plain.ends_with(end))
}

const RESERVED: &[&str] = &[
    "accept-encoding",
    "connection",
    "cookie",
    "cookie2",
    "dpop",
    "expect",
    "forwarded",
    "host",
    "if-range",
    "keep-alive",
    "max-forwards",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "true-client-ip",
    "upgrade",
    "via",
    "x-host",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-real-ip",
    "x-request-id",
    "x-rewrite-url",
];
const BEGINNINGS: &[&str] =
    &["access-control-", "content-", "sec-", "x-ath-", "x-forwarded-", "x-original-", "if-", "proxy-"];
const CREDENTIALS: &[&str] = &[
    "apikey",
    "authtoken",
    "accesstoken",
    "privatetoken",
    "secret",
    "password",
    "developertoken",
    "cookie",
    "credentials",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> HeaderName {
        HeaderName::try_from(text).expect("a name")
    }

    #[test]
    fn what_frames_or_places_a_message_is_reserved() {
        for text in
            ["Host", "Content-Length", "Content-Type", "TE", "Cookie", "X-Forwarded-For", "X-ATH-Agent-ID", "DPoP"]
        {
            assert!(is_reserved(&name(text)), "{text}");
        }
        for text in
            ["Authorization", "X-Api-Key", "api_key", "PRIVATE-TOKEN", "X-Shopify-Access-Token", "Notion-Version"]
        {
            assert!(!is_reserved(&name(text)), "{text}");
        }
    }

    #[test]
    fn credentials_are_known_by_their_names() {
        for text in ["Authorization", "X-Api-Key", "api_key", "X-Amz-Authorization", "Client-Secret", "X-Auth-Token"] {
            assert!(is_credential(&name(text)), "{text}");
        }
        for text in ["Notion-Version", "User-Agent", "X-Atlassian-Token", "Accept", "X-GitHub-Api-Version"] {
            assert!(!is_credential(&name(text)), "{text}");
        }
    }
}
