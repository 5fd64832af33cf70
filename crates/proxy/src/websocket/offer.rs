use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::error::ProxyError;
use crate::websocket::NAME;
use crate::websocket::key::Key;

/// What one handshake offered to the upstream.
pub(crate) struct Offer {
    accept: String,
    protocols: Vec<String>,
    extensions: Vec<String>,
}

impl Offer {
    pub(crate) fn new(key: &Key, protocols: &[HeaderValue], extensions: &[HeaderValue]) -> Self {
        let (protocols, extensions) = (tokens(protocols), names(extensions));
        Self {
            accept: key.accept(),
            protocols: protocols.unwrap_or_default(),
            extensions: extensions.unwrap_or_default(),
        }
    }

    /// RFC 6455 §4.1: an answer that switches, and to nothing but what was offered.
    pub(crate) fn check(&self, status: StatusCode, headers: &HeaderMap) -> Result<(), ProxyError> {
        let all = |name: HeaderName| headers.get_all(name).iter().cloned().collect::<Vec<_>>();
        let to_websocket = |values: &[HeaderValue]| matches!(values, [value] if value.as_bytes().eq_ignore_ascii_case(NAME.as_bytes()));
        let upgrades = tokens(&all(CONNECTION))
            .is_some_and(|options| options.iter().any(|option| option.eq_ignore_ascii_case("upgrade")));
        let proved = matches!(&all(SEC_WEBSOCKET_ACCEPT)[..], [accept] if accept.as_bytes() == self.accept.as_bytes());
        let protocol = match &all(SEC_WEBSOCKET_PROTOCOL)[..] {
            [] => true,
            [one] => self.protocols.iter().any(|offered| one.as_bytes() == offered.as_bytes()),
            _ => false,
        };
        let extensions = names(&all(SEC_WEBSOCKET_EXTENSIONS))
            .is_some_and(|agreed| agreed.iter().all(|name| self.extensions.contains(name)));
        let switched = status == StatusCode::SWITCHING_PROTOCOLS && to_websocket(&all(UPGRADE)) && upgrades;
        if switched && proved && protocol && extensions { Ok(()) } else { Err(ProxyError::Switched) }
    }
}

/// The elements of a list (RFC 9110 §5.6.1); `None` where one is no token.
pub(crate) fn tokens(values: &[HeaderValue]) -> Option<Vec<String>> {
    elements(values, |element| element)
}

/// The names of extensions (RFC 6455 §9.1), without their parameters.
fn names(values: &[HeaderValue]) -> Option<Vec<String>> {
    elements(values, |element| element.split(';').next().unwrap_or_default().trim())
}

fn elements(values: &[HeaderValue], name: impl Fn(&str) -> &str) -> Option<Vec<String>> {
    let mut all = Vec::new();
    for value in values {
        let elements = value.to_str().ok()?.split(',').map(|element| name(element.trim()));
        for element in elements.filter(|element| !element.is_empty()) {
            if !element.bytes().all(is_token) {
                return None;
            }
            all.push(element.to_owned());
        }
    }
    Some(all)
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
