//! Protection against forged requests: a form carries a token that only a page of this origin could have put there for this browser,
//! and the browser says where the form was.

use broker::Broker;
use http::{HeaderMap, header};
use secret::SecretHash;

use crate::error::PageError;

/// What a form for `subject` (a session) carries, given the secret in the browser's form cookie.
pub(crate) fn token(secret: &str, subject: &str) -> String {
    SecretHash::of(&format!("form\n{secret}\n{subject}")).to_hex()
}

/// Refuses a POST from another origin, or without the token of a page that this browser was shown.
pub(crate) fn check(
    broker: &Broker,
    headers: &HeaderMap,
    secret: Option<&str>,
    subject: &str,
    presented: &str,
) -> Result<(), PageError> {
    let expected = secret.map(|secret| SecretHash::of(&token(secret, subject)));
    let genuine = expected.is_some_and(|expected| expected.matches(presented));
    if genuine && is_own_origin(broker, headers) { Ok(()) } else { Err(PageError::Forged) }
}

/// `Origin`, where the browser sends it, must be the gateway's; `Sec-Fetch-Site` must not say otherwise. A program that is no browser
/// sends neither, and cannot be tricked into sending a form that it did not read.
fn is_own_origin(broker: &Broker, headers: &HeaderMap) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let origin = match (origins.next(), origins.next()) {
        (None, _) => true,
        (Some(origin), None) => origin.as_bytes() == broker.urls().public().as_bytes(),
        (Some(_), Some(_)) => false,
    };
    let mut sites = headers.get_all("sec-fetch-site").iter();
    let site = sites.all(|site| matches!(site.as_bytes(), b"same-origin" | b"none"));
    origin && site
}

#[cfg(test)]
mod tests {
    use super::token;

    #[test]
    fn a_token_is_for_one_browser_and_one_session() {
        assert_eq!(token("a", "s"), token("a", "s"));
        assert_ne!(token("a", "s"), token("b", "s"));
        assert_ne!(token("a", "s"), token("a", "t"));
    }
}
