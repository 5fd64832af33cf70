//! Client authentication (RFC 6749 §2.3.1): `client_secret_basic` and `client_secret_post`.

use data_encoding::BASE64;
use http::{HeaderMap, header};
use sha2::{Digest, Sha256};

use crate::{error::Error, parameters::Parameters, settings::Settings};

/// Checks that the registered client sent the request, by one of the two methods and not by both.
pub(crate) fn authenticate(headers: &HeaderMap, parameters: &Parameters, settings: &Settings) -> Result<(), Error> {
    let body_id = parameters.get("client_id");
    let body_secret = parameters.get("client_secret");
    let (id, secret) = match headers.get(header::AUTHORIZATION) {
        Some(_) if body_secret.is_some() => {
            return Err(Error::InvalidRequest("The client authenticates in two ways at once."));
        }
        Some(value) => {
            let (id, secret) = value.to_str().ok().and_then(basic).ok_or(Error::InvalidClient)?;
            if body_id.is_some_and(|body_id| body_id != id) {
                return Err(Error::InvalidClient);
            }
            (id, secret)
        }
        None => {
            let (id, secret) = body_id.zip(body_secret).ok_or(Error::InvalidClient)?;
            (id.to_owned(), secret.to_owned())
        }
    };
    // Hashed, so that how long the comparison takes says nothing about the secret.
    if id == settings.client_id && Sha256::digest(secret) == Sha256::digest(&settings.client_secret) {
        return Ok(());
    }
    Err(Error::InvalidClient)
}

/// The id and secret of a Basic header; both are form-encoded before they are joined.
fn basic(value: &str) -> Option<(String, String)> {
    let (scheme, credentials) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let pair = String::from_utf8(BASE64.decode(credentials.trim().as_bytes()).ok()?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    Some((form_decoded(id), form_decoded(secret)))
}

fn form_decoded(text: &str) -> String {
    // A value alone parses as a name, whatever it contains, once the two separators are out of the way.
    let text = text.replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(text.as_bytes()).map(|(name, _)| name.into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_credentials_are_form_decoded() {
        let header = format!("basic {}", BASE64.encode(b"my+client:p%40ss%3Aword=&"));
        assert_eq!(basic(&header), Some(("my client".to_owned(), "p@ss:word=&".to_owned())));
    }

    #[test]
    fn what_is_not_basic_is_refused() {
        for value in ["Bearer abc", "Basic", "Basic !", "Basic YWxpY2U="] {
            assert_eq!(basic(value), None, "{value}");
        }
    }
}
