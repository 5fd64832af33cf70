//! Where a credential goes in a request to a provider's API.

use std::sync::Arc;

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD};
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};
use memchr::memmem::Finder;
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
    needles: Arc<[Finder<'static>]>,
}

/// What carries it.
#[derive(Clone)]
pub enum Carrier {
    /// A header, which the credential alone may have; its value is marked sensitive.
    Header(HeaderName, HeaderValue),
    /// A parameter of the query, which the credential alone may have: its name, and the whole pair as it stands in the URL.
    Query(String, Zeroizing<String>),
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
            Place::Query { .. } => None,
        }
    }

    /// The credential in its place; `None` where it does not fit: it is no legal value of a header, or a colon in it would shift a pair.
    #[must_use]
    pub fn prepare(&self, token: &AccessToken) -> Option<Credential> {
        let (carrier, forms) = self.carried(token)?;
        // One of a few bytes is no secret, and would mask half of every body.
        let needles = forms.iter().filter(|form| form.len() >= SHORTEST_NEEDLE);
        let needles = needles.map(|form| Finder::new(form.as_slice()).into_owned()).collect();
        Some(Credential { carrier, needles })
    }

    /// What carries the token, and every form that it has or had.
    fn carried(&self, token: &AccessToken) -> Option<(Carrier, Vec<Zeroizing<Vec<u8>>>)> {
        let token = token.expose();
        let mut needles = vec![needle(token)];
        let carrier = match &self.0 {
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
                // Where a server repeats them without the padding, or in the alphabet of URLs, too.
                needles.push(needle(&BASE64_NOPAD.encode(pair.as_bytes())));
                needles.push(needle(&BASE64URL_NOPAD.encode(pair.as_bytes())));
                needles.extend(pair.split_once(':').filter(|_| pair.as_str() == token).map(|(_, half)| needle(half)));
                Carrier::Header(name.clone(), sensitive(&Zeroizing::new(format!("Basic {}", encoded.as_str())))?)
            }
            Place::Query { name } => {
                let encoded = Zeroizing::new(percent_encoded(token));
                let form: String = form_urlencoded::byte_serialize(token.as_bytes()).collect();
                needles.extend([
                    needle(&encoded),
                    needle(&lower_case(&encoded)),
                    needle(&form),
                    needle(&lower_case(&form)),
                ]);
                Carrier::Query(name.clone(), Zeroizing::new(format!("{name}={}", encoded.as_str())))
            }
        };
        // JSON may write `/` as `\/` (RFC 8259 §7), and some libraries escape what means something in HTML.
        let escaped: Vec<_> =
            needles.iter().flat_map(|needle| [escaped(needle, b"/\"\\"), escaped(needle, HTML)]).collect();
        needles.extend(escaped);
        needles.sort_by(|one, other| one.as_slice().cmp(other.as_slice()));
        needles.dedup();
        Some((carrier, needles))
    }
}

impl Credential {
    /// What carries it.
    #[must_use]
    pub fn carrier(&self) -> &Carrier {
        &self.carrier
    }

    /// The credential, and whatever it was turned into on its way: none of it may come back. Made ready to be looked for once, and not
    /// for each answer.
    #[must_use]
    pub fn needles(&self) -> &Arc<[Finder<'static>]> {
        &self.needles
    }
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credential([redacted])")
    }
}

/// In bytes.
const SHORTEST_NEEDLE: usize = 8;

fn header_name(name: &str) -> Result<HeaderName, PlacementError> {
    let name = HeaderName::try_from(name).map_err(|_| PlacementError::Header)?;
    if reserved::is_reserved(&name) { Err(PlacementError::Header) } else { Ok(name) }
}

fn sensitive(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn needle(text: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(text.as_bytes().to_vec())
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

/// The escapes in lower case, as some servers write them.
fn lower_case(encoded: &str) -> String {
    let mut rest = encoded.split('%');
    let first = rest.next().unwrap_or_default().to_owned();
    rest.fold(first, |mut text, piece| {
        let (escape, tail) = piece.split_at_checked(2).unwrap_or((piece, ""));
        text.push('%');
        text.push_str(&escape.to_ascii_lowercase());
        text.push_str(tail);
        text
    })
}

/// The text as JSON may have it: some characters behind a backslash, or as their numbers where HTML knows them.
fn escaped(text: &[u8], characters: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(6 * text.len()));
    for byte in text {
        match byte {
            byte if !characters.contains(byte) => out.push(*byte),
            b'/' | b'"' | b'\\' => out.extend([b'\\', *byte]),
            byte => out.extend(format!("\\u{byte:04x}").into_bytes()),
        }
    }
    out
}

const HTML: &[u8] = b"<>&'=+\"\\";
const LONGEST_SCHEME: usize = 64;
const LONGEST_PARAMETER: usize = 64;

#[cfg(test)]
#[path = "placement_tests.rs"]
mod tests;
