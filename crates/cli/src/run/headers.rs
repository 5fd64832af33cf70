use http::header::{
    ALT_SVC, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, LINK, LOCATION, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::routes::Place;

/// Takes away what concerns one connection alone (RFC 9110 §7.6.1), and what is for a proxy.
pub(super) fn without_hops(headers: &mut HeaderMap) {
    let listed: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    // What frames the body, and says whose it is, is no hop's, whatever `Connection` lists.
    for name in listed.into_iter().filter(|name| name != CONTENT_LENGTH && name != HOST) {
        headers.remove(name);
    }
    let trailers = headers.get(TE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"trailers"));
    for name in [CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION] {
        headers.remove(name);
    }
    for name in ["keep-alive", "proxy-connection", "proxy-authentication-info", "http2-settings"] {
        headers.remove(name);
    }
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
}

/// What of a program's request goes to the gateway: no credential of the program's own, for the gateway has the right one.
pub(super) fn towards_the_gateway(headers: &mut HeaderMap) {
    without_hops(headers);
    for name in [AUTHORIZATION, COOKIE, HOST, EXPECT] {
        headers.remove(name);
    }
    headers.remove("x-ath-agent-id");
}

/// What of an answer goes to the program: places at the gateway become places where the program knows them, and it is led to no other way.
pub(super) fn towards_the_program(headers: &mut HeaderMap, there: &Place, here: &Place) {
    without_hops(headers);
    headers.remove(ALT_SVC);
    for name in [LOCATION, http::header::CONTENT_LOCATION] {
        let value = headers.get(&name).and_then(|value| value.to_str().ok()).and_then(|text| moved(text, there, here));
        if let Some(value) = value.and_then(|text| HeaderValue::from_str(&text).ok()) {
            headers.insert(name, value);
        }
    }
    let links: Vec<HeaderValue> = headers.get_all(LINK).iter().map(|value| links(value, there, here)).collect();
    headers.remove(LINK);
    for link in links {
        headers.append(LINK, link);
    }
}

/// RFC 8288 §3: `<target>; parameters, <target>; …`.
fn links(value: &HeaderValue, there: &Place, here: &Place) -> HeaderValue {
    let Ok(text) = value.to_str() else { return value.clone() };
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        let Some((target, tail)) = after.split_once('>') else { break };
        let target = moved(target, there, here).unwrap_or_else(|| target.to_owned());
        out.extend([before, "<", target.as_str(), ">"]);
        rest = tail;
    }
    out.push_str(rest);
    HeaderValue::from_str(&out).unwrap_or_else(|_| value.clone())
}

/// A URL or a path below `there` as one below `here`; `None` for what is elsewhere.
fn moved(target: &str, there: &Place, here: &Place) -> Option<String> {
    let below = |path: &str| {
        let rest = path.strip_prefix(there.path.as_str())?;
        (rest.is_empty() || rest.starts_with(['/', '?', '#'])).then(|| rest.to_owned())
    };
    if target.starts_with('/') && !target.starts_with("//") {
        return Some(format!("{}{}", here.path, below(target)?));
    }
    let path = target.strip_prefix(there.origin.as_str())?;
    (path.is_empty() || path.starts_with(['/', '?', '#'])).then_some(())?;
    Some(format!("{}{}{}", here.origin, here.path, below(path)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(origin: &str, path: &str) -> Place {
        Place { origin: origin.to_owned(), path: path.to_owned() }
    }

    fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn no_credential_of_the_programs_goes_along() {
        let mut headers = map(&[
            ("authorization", "Bearer own"),
            ("cookie", "session=own"),
            ("proxy-authorization", "Basic x"),
            ("host", "api.example.com"),
            ("connection", "close, x-hop, content-length"),
            ("x-hop", "1"),
            ("x-ath-agent-id", "https://other.example.com"),
            ("te", "trailers"),
            ("content-length", "3"),
            ("accept", "application/json"),
        ]);
        towards_the_gateway(&mut headers);
        let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept", "content-length", "te"]);
    }

    #[test]
    fn places_at_the_gateway_become_those_that_the_program_knows() {
        let there = place("https://gateway.example.com", "/helpdesk");
        let here = place("https://api.example.com", "/v1");
        for (target, expected) in [
            ("https://gateway.example.com/helpdesk/tickets?page=2", Some("https://api.example.com/v1/tickets?page=2")),
            ("/helpdesk/tickets", Some("/v1/tickets")),
            ("/helpdesk", Some("/v1")),
            ("/helpdesks/1", None),
            ("https://gateway.example.com/other", None),
            ("https://gateway.example.com.evil.test/helpdesk", None),
            ("//gateway.example.com/helpdesk", None),
            ("tickets/7", None),
            ("https://elsewhere.example.com/helpdesk", None),
        ] {
            assert_eq!(moved(target, &there, &here).as_deref(), expected, "{target}");
        }
        let mut headers = map(&[
            ("location", "https://gateway.example.com/helpdesk/1"),
            ("link", "</helpdesk/a>; rel=\"next\", <https://x.test/>; rel=\"help\""),
            ("alt-svc", "h3=\":443\""),
        ]);
        towards_the_program(&mut headers, &there, &here);
        assert_eq!(headers["location"], "https://api.example.com/v1/1");
        assert_eq!(headers["link"], "</v1/a>; rel=\"next\", <https://x.test/>; rel=\"help\"");
        assert!(!headers.contains_key("alt-svc"));
    }
}
