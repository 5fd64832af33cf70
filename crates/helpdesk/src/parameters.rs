//! The parameters of a request, from a query, a form or a JSON object.

use std::collections::{BTreeMap, btree_map::Entry};

use http::{HeaderMap, header};

use crate::{error::Error, settings::TokenRequest};

/// Named values, each present at most once (RFC 6749 §3.1 and §3.2).
pub(crate) struct Parameters(BTreeMap<String, String>);

impl Parameters {
    /// Parses `application/x-www-form-urlencoded` text: a form, or the query of a URL.
    pub(crate) fn from_form(text: &[u8]) -> Result<Self, Error> {
        let mut values = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(text) {
            match values.entry(name.into_owned()) {
                Entry::Vacant(vacant) => vacant.insert(value.into_owned()),
                Entry::Occupied(_) => return Err(Error::InvalidRequest("A parameter is present twice.")),
            };
        }
        Ok(Self(values))
    }

    /// Parses a flat JSON object of strings.
    pub(crate) fn from_json(text: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(text)
            .map(Self)
            .map_err(|_| Error::InvalidRequest("The body must be a JSON object of strings."))
    }

    /// Reads the body of a request to the token or revocation endpoint, which must have the encoding the switch asks for.
    pub(crate) fn from_token_request(encoding: TokenRequest, headers: &HeaderMap, body: &[u8]) -> Result<Self, Error> {
        let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        match encoding {
            TokenRequest::Form if media_type.eq_ignore_ascii_case(FORM) => Self::from_form(body),
            TokenRequest::Json if media_type.eq_ignore_ascii_case(JSON) => Self::from_json(body),
            TokenRequest::Form => Err(Error::InvalidRequest("The body must be application/x-www-form-urlencoded.")),
            TokenRequest::Json => Err(Error::InvalidRequest("The body must be application/json.")),
        }
    }

    /// The value of a parameter; one without a value counts as left out (RFC 6749 §3.1).
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The value of a parameter that must be there; `missing` says which.
    pub(crate) fn require(&self, name: &str, missing: &'static str) -> Result<&str, Error> {
        self.get(name).ok_or(Error::InvalidRequest(missing))
    }

    /// Every parameter, with or without a value, in the order of names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Refuses what a server that knows these names alone does not understand.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), Error> {
        if self.0.keys().all(|name| known.contains(&name.as_str())) {
            return Ok(());
        }
        Err(Error::InvalidRequest("The request has a parameter that this server does not know."))
    }
}

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_decoded() {
        let parameters = Parameters::from_form(b"scope=read%3Atickets+write%3Atickets&state=").unwrap();
        assert_eq!(parameters.get("scope"), Some("read:tickets write:tickets"));
        assert_eq!(parameters.get("state"), None);
        assert_eq!(parameters.iter().count(), 2);
    }

    #[test]
    fn a_parameter_that_comes_twice_is_refused() {
        let refused = Parameters::from_form(b"code=a&code=b").err();
        assert_eq!(refused, Some(Error::InvalidRequest("A parameter is present twice.")));
    }

    #[test]
    fn json_is_a_flat_object_of_strings() {
        assert_eq!(Parameters::from_json(br#"{"code": "a"}"#).unwrap().get("code"), Some("a"));
        for text in [&br#"{"code": 1}"#[..], b"[]", b"{", b""] {
            assert!(Parameters::from_json(text).is_err());
        }
    }
}
