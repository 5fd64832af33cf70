//! Where a credential goes in a request to a provider's API.

use std::sync::Arc;

use echo::Needles;
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};
use secret::AccessToken;
use zeroize::Zeroizing;

use crate::reserved;

/// Where a credential goes: into a header, behind a scheme or as half of a pair, or into the query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement(Place);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Header { name: HeaderName, scheme: String },
    Basic { name: HeaderName, pair: Pair },
    Query { name: String },
    Nowhere,
}

/// What the credential is in `user:password` (RFC 7617).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pair {
    /// The user name, with this as the password.
    User(String),
    /// The password, with this as the user name.
    Password(String),
    /// Both, with the colon between them.
    Both,
}

/// Why a credential cannot go there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlacementError {
    /// No name of a header, or one that means something else between two servers.
    #[error("no header that may carry a credential")]
    Header,
    /// Something that would end the header, or could not be told from the credential.
    #[error("no scheme: visible ASCII, at most one space between two words, 64 bytes at most")]
    Scheme,
    /// A colon in a user name would end it (RFC 7617 §2); control characters end everything.
    #[error("a user name has no colon, and neither half a control character")]
    Pair,
    /// Empty, or with characters that mean something in a query.
    #[error("no plain name of a parameter: letters, digits, `-`, `.`, `_` and `~`")]
    Query,
}

/// A credential, ready to be put into a request. It does not print.
#[derive(Clone)]
pub struct Credential {
    carrier: Carrier,
    needles: Arc<Needles>,
}

/// What carries it.
#[derive(Clone)]
pub enum Carrier {
    /// A header, which the credential alone may have; its value is marked sensitive.
    Header(HeaderName, HeaderValue),
    /// A parameter of the query, which the credential alone may have: its name, and the whole pair as it stands in the URL.
    Query(String, Zeroizing<String>),
    /// Nothing: the service asks for none.
    Nothing,
}

impl Placement {
    /// `Authorization: Bearer <token>` (RFC 6750 §2.1).
    #[must_use]
    pub fn bearer() -> Self {
        Self(Place::Header { name: AUTHORIZATION, scheme: "Bearer".to_owned() })
    }

    /// `Authorization: DPoP <token>` (RFC 9449 §7.1).
    #[must_use]
    pub fn dpop() -> Self {
        Self(Place::Header { name: AUTHORIZATION, scheme: "DPoP".to_owned() })
    }

    /// For a service that asks for no credential.
    #[must_use]
    pub fn nowhere() -> Self {
        Self(Place::Nowhere)
    }

    /// A header. Between the scheme and the credential stands a space, unless the scheme is empty or ends with `=`.
    pub fn header(name: &str, scheme: &str) -> Result<Self, PlacementError> {
        let words = scheme.split(' ').all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic()));
        if !scheme.is_empty() && (!words || scheme.len() > LONGEST_SCHEME) {
            return Err(PlacementError::Scheme);
        }
        Ok(Self(Place::Header { name: header_name(name)?, scheme: scheme.to_owned() }))
    }

    /// Whether the credential has to be a pair already: `user:password`.
    #[must_use]
    pub fn takes_a_pair(&self) -> bool {
        matches!(&self.0, Place::Basic { pair: Pair::Both, .. })
    }

    /// `Basic` with a pair (RFC 7617).
    pub fn basic(name: &str, pair: Pair) -> Result<Self, PlacementError> {
        let fits = match &pair {
            Pair::User(other) => !other.chars().any(char::is_control),
            Pair::Password(other) => !other.chars().any(|char| char.is_control() || char == ':'),
            Pair::Both => true,
        };
        if !fits {
            return Err(PlacementError::Pair);
        }
        Ok(Self(Place::Basic { name: header_name(name)?, pair }))
    }

    /// A parameter of the query. URLs are logged on their way: for services that take nothing else.
    pub fn query(name: &str) -> Result<Self, PlacementError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        if name.is_empty() || name.len() > LONGEST_PARAMETER || !name.bytes().all(plain) {
            return Err(PlacementError::Query);
        }
        Ok(Self(Place::Query { name: name.to_owned() }))
    }

    /// The header that the credential goes into, where it goes into one.
    #[must_use]
    pub fn header_name(&self) -> Option<&HeaderName> {
        match &self.0 {
            Place::Header { name, .. } | Place::Basic { name, .. } => Some(name),
            Place::Query { .. } | Place::Nowhere => None,
        }
    }

    /// The credential in its place; `None` where it does not fit: it is no legal value of a header, or a colon in it would shift a pair.
    /// `others` may no more come back than the credential may.
    #[must_use]
    pub fn prepare(&self, token: &AccessToken, others: &[&str]) -> Option<Credential> {
        let carrier = self.carrier(token.expose())?;
        let half = match &self.0 {
            Place::Basic { pair: Pair::Both, .. } => token.expose().split_once(':').map(|(_, half)| half),
            _ => None,
        };
        let secrets = [Some(token.expose()), half].into_iter().flatten().chain(others.iter().copied());
        let needles = Arc::new(Needles::new(secrets.map(str::as_bytes)));
        Some(Credential { carrier, needles })
    }

    fn carrier(&self, token: &str) -> Option<Carrier> {
        Some(match &self.0 {
            Place::Header { name, scheme } => {
                let space = if scheme.is_empty() || scheme.ends_with('=') { "" } else { " " };
                let value = Zeroizing::new(format!("{scheme}{space}{token}"));
                Carrier::Header(name.clone(), sensitive(&value)?)
            }
            Place::Basic { name, pair } => {
                let pair = Zeroizing::new(match pair {
                    Pair::User(password) if !token.contains(':') => format!("{token}:{password}"),
                    Pair::Password(user) => format!("{user}:{token}"),
                    Pair::Both if token.contains(':') => token.to_owned(),
                    Pair::User(_) | Pair::Both => return None,
                });
                let encoded = Zeroizing::new(data_encoding::BASE64.encode(pair.as_bytes()));
                Carrier::Header(name.clone(), sensitive(&Zeroizing::new(format!("Basic {}", encoded.as_str())))?)
            }
            Place::Query { name } => {
                let encoded = Zeroizing::new(percent_encoded(token));
                Carrier::Query(name.clone(), Zeroizing::new(format!("{name}={}", encoded.as_str())))
            }
            Place::Nowhere => Carrier::Nothing,
        })
    }
}

impl Credential {
    /// What carries it.
    #[must_use]
    pub fn carrier(&self) -> &Carrier {
        &self.carrier
    }

    /// The credential, and what else may not come back. Made ready to be looked for once, and not for each answer.
    #[must_use]
    pub fn needles(&self) -> &Needles {
        &self.needles
    }
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credential([redacted])")
    }
}

fn header_name(name: &str) -> Result<HeaderName, PlacementError> {
    let name = HeaderName::try_from(name).map_err(|_| PlacementError::Header)?;
    if reserved::is_reserved(&name) { Err(PlacementError::Header) } else { Ok(name) }
}

fn sensitive(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Everything but the unreserved characters (RFC 3986 §2.3): a space is `%20`, which every server reads alike.
fn percent_encoded(text: &str) -> String {
    use std::fmt::Write;
    let mut encoded = String::with_capacity(3 * text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

const LONGEST_SCHEME: usize = 64;
const LONGEST_PARAMETER: usize = 64;

#[cfg(test)]
#[path = "placement_tests.rs"]
mod tests;
