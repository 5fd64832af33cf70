//! What the head of an answer says about its body: whether it is JSON, and for how long it holds.

use std::time::Duration;

use http::HeaderMap;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

/// `application/json`, or what is written like it (RFC 6839 §3.1): a page that somebody else may write to is mostly something else.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(written), None) = (types.next().and_then(|value| value.to_str().ok()), types.next()) else {
        return false;
    };
    let kind = written.split_once(';').map_or(written, |(kind, _)| kind).trim().to_ascii_lowercase();
    kind == "application/json" || kind.strip_prefix("application/").is_some_and(|rest| rest.ends_with("+json"))
}

/// RFC 9111 §5.2.2: `max-age`, or nothing at all with `no-store` and `no-cache`; `None` where nothing is said.
pub(super) fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let written = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let directives: Vec<String> =
        written.flat_map(|value| value.split(',')).map(|directive| directive.trim().to_ascii_lowercase()).collect();
    if directives.iter().any(|directive| matches!(directive.as_str(), "no-store" | "no-cache")) {
        return Some(Duration::ZERO);
    }
    let ages = directives.iter().filter_map(|directive| directive.strip_prefix("max-age="));
    // Of several the shortest (RFC 9111 §4.2.1).
    ages.filter_map(|age| age.trim_matches('"').parse().ok()).map(Duration::from_secs).min()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(name: &http::HeaderName, values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn json_is_called_so() {
        for kind in
            ["application/json", "Application/JSON; charset=utf-8", "application/jwk-set+json", "application/json;"]
        {
            assert!(is_json(&headers(&CONTENT_TYPE, &[kind])), "{kind}");
        }
        for kind in ["text/html", "text/json", "application/jsonp", "application/x+json/y", "+json", "", "json"] {
            assert!(!is_json(&headers(&CONTENT_TYPE, &[kind])), "{kind}");
        }
        assert!(!is_json(&HeaderMap::new()));
        assert!(!is_json(&headers(&CONTENT_TYPE, &["application/json", "text/html"])));
    }

    #[test]
    fn an_answer_holds_for_as_long_as_it_says() {
        let age = |values: &[&'static str]| max_age(&headers(&CACHE_CONTROL, values)).map(|age| age.as_secs());
        assert_eq!(age(&[]), None);
        assert_eq!(age(&["public"]), None);
        assert_eq!(age(&["public, max-age=600"]), Some(600));
        assert_eq!(age(&["Max-Age=\"600\""]), Some(600));
        assert_eq!(age(&["max-age=600", "max-age=60"]), Some(60));
        assert_eq!(age(&["max-age=600, no-store"]), Some(0));
        assert_eq!(age(&["no-cache"]), Some(0));
        assert_eq!(age(&["max-age=-1"]), None);
        assert_eq!(age(&["max-age=99999999999999999999"]), None);
        assert_eq!(age(&["s-maxage=5"]), None);
    }
}
