use broker::{Carrier, Lent};
use http::Uri;

use crate::error::ProxyError;

/// The query, as it came; refused where it carries an access token, or a method that some frameworks obey.
pub(crate) fn checked(uri: &Uri) -> Result<Option<&str>, ProxyError> {
    let query = uri.query();
    if REFUSED.iter().any(|refused| names(query, refused)) {
        return Err(ProxyError::QueryParameter);
    }
    Ok(query)
}

/// Refused where the query has a parameter that the credential alone may have.
pub(crate) fn without(query: Option<&str>, lent: &Lent) -> Result<(), ProxyError> {
    match lent.credential().carrier() {
        Carrier::Query(own, _) if names(query, own) => Err(ProxyError::CredentialParameter),
        Carrier::Query(..) | Carrier::Header(..) | Carrier::Nothing => Ok(()),
    }
}

/// Whether some server would find a parameter of that name in the query: however it is encoded, between whichever separators, in any case,
/// as the beginning of a list, and with what PHP makes an underscore of.
fn names(query: Option<&str>, wanted: &str) -> bool {
    let pairs = query.into_iter().flat_map(|query| query.split(['&', ';']));
    let mut names = pairs.flat_map(|pair| url::form_urlencoded::parse(pair.as_bytes()));
    names.any(|(name, _)| {
        let name = name.split(['[', '\0']).next().unwrap_or_default().trim();
        name.chars().map(plain).eq(wanted.chars().map(plain))
    })
}

fn plain(char: char) -> char {
    if matches!(char, '.' | ' ') { '_' } else { char.to_ascii_lowercase() }
}

const REFUSED: [&str; 5] = ["access_token", "oauth_token", "private_token", "job_token", "_method"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_found_however_it_is_spelt() {
        for query in [
            "api_key=1",
            "a=1&api_key=2",
            "a=1;api_key=2",
            "%61pi_key=1",
            "api%5Fkey=1",
            "API_KEY=1",
            "api_key[]=1",
            "api_key%5B0%5D=1",
            "api.key=1",
            "api+key=1",
            "+api_key=1",
            "api_key%00=1",
            "api_key",
            "?=1&api_key",
        ] {
            assert!(names(Some(query), "api_key"), "{query}");
        }
        for query in ["", "apikey=1", "a=api_key", "x_api_key=1", "api_keys=1", "q=a%26api_key%3D1"] {
            assert!(!names(Some(query), "api_key"), "{query}");
        }
        assert!(!names(None, "api_key"));
    }
}
