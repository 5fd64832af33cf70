use std::time::Duration;

use serde_json::{Map, Value};

use crate::JwtError;

/// What a statement has to say to be taken.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// What kind of statement it is.
    pub typ: Typ<'a>,
    /// `iss`, character for character.
    pub issuer: &'a str,
    /// `sub`, character for character; `None` where that is what one wants to know.
    pub subject: Option<&'a str>,
    /// `aud`.
    pub audience: Audience<'a>,
    /// How far `exp` may lie ahead.
    pub longest: Duration,
    /// Whether it needs a name of its own.
    pub jti: Name,
}

/// What `typ` (RFC 8725 §3.11) has to be. Compared without `application/`, and without regard to case.
#[derive(Debug, Clone, Copy)]
pub enum Typ<'a> {
    /// `JWT`, or nothing.
    Plain,
    /// This, or as with [`Typ::Plain`].
    PlainOr(&'a str),
    /// This alone.
    Only(&'a str),
}

/// What `aud` has to be. Always one audience: a statement that is for several can be used at one of them by another.
#[derive(Debug, Clone, Copy)]
pub enum Audience<'a> {
    /// One of these, as a string.
    Text(&'a [&'a str]),
    /// One of these, as a string or as an array of exactly that string.
    TextOrList(&'a [&'a str]),
}

/// Whether a statement needs a `jti`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// It does.
    Needed,
    /// It does not.
    Optional,
}

/// What a verified statement says.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims {
    subject: String,
    name: Option<String>,
    expires: u64,
    issued: Option<u64>,
    all: Map<String, Value>,
}

impl Claims {
    /// Checks the claims, believing nothing yet: `now` is in Unix seconds.
    pub(crate) fn check(claims: Map<String, Value>, expected: &Expected<'_>, now: u64) -> Result<Self, JwtError> {
        if text(&claims, "iss")?.ok_or(JwtError::Claim("iss"))? != expected.issuer {
            return Err(JwtError::Issuer);
        }
        let subject = bounded(&claims, "sub")?.ok_or(JwtError::Claim("sub"))?;
        if expected.subject.is_some_and(|wanted| wanted != subject) {
            return Err(JwtError::Subject);
        }
        expected.audience.check(claims.get("aud").ok_or(JwtError::Claim("aud"))?)?;
        let expires = seconds(&claims, "exp")?.ok_or(JwtError::Claim("exp"))?;
        let (issued, begins) = (seconds(&claims, "iat")?, seconds(&claims, "nbf")?);
        if expires <= now {
            return Err(JwtError::Expired);
        }
        if [issued, begins].into_iter().flatten().any(|time| time > now.saturating_add(SKEW)) {
            return Err(JwtError::NotYet);
        }
        if expires - now > expected.longest.as_secs() {
            return Err(JwtError::TooLong);
        }
        let name = bounded(&claims, "jti")?.map(str::to_owned);
        if name.is_none() && expected.jti == Name::Needed {
            return Err(JwtError::Claim("jti"));
        }
        Ok(Self { subject: subject.to_owned(), name, expires, issued, all: claims })
    }

    /// `sub`: not empty, and of 255 bytes at most.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// `jti`: not empty, and of 255 bytes at most.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// `exp`, in Unix seconds.
    #[must_use]
    pub fn expires(&self) -> u64 {
        self.expires
    }

    /// `iat`, in Unix seconds.
    #[must_use]
    pub fn issued(&self) -> Option<u64> {
        self.issued
    }

    /// All claims, as they stand there.
    #[must_use]
    pub fn all(&self) -> &Map<String, Value> {
        &self.all
    }

    /// A claim that is a text; an error where it is there and something else.
    pub fn text(&self, name: &'static str) -> Result<Option<&str>, JwtError> {
        text(&self.all, name)
    }
}

impl Audience<'_> {
    fn check(&self, aud: &Value) -> Result<(), JwtError> {
        let (accepted, aud) = match (self, aud) {
            (Self::Text(accepted) | Self::TextOrList(accepted), Value::String(aud)) => (accepted, aud),
            (Self::TextOrList(accepted), Value::Array(list)) => match list.as_slice() {
                [Value::String(aud)] => (accepted, aud),
                _ => return Err(JwtError::Audience),
            },
            _ => return Err(JwtError::Audience),
        };
        // The empty one would be whoever forgot to say its name.
        let one = !aud.is_empty() && accepted.iter().any(|accepted| accepted == aud);
        if one { Ok(()) } else { Err(JwtError::Audience) }
    }
}

impl Typ<'_> {
    pub(crate) fn check(self, typ: Option<&Value>) -> Result<(), JwtError> {
        let written = match typ {
            None => None,
            Some(Value::String(typ)) => Some(typ.as_str()),
            Some(_) => return Err(JwtError::Header("typ")),
        };
        let is = |wanted: &str| written.is_some_and(|typ| short(typ).eq_ignore_ascii_case(wanted));
        let plain = || written.is_none() || is("JWT");
        let fits = match self {
            Self::Plain => plain(),
            Self::PlainOr(wanted) => is(wanted) || plain(),
            Self::Only(wanted) => is(wanted),
        };
        if fits { Ok(()) } else { Err(JwtError::Typ) }
    }
}

/// RFC 7515 §4.1.9: `application/` may be left out where no other slash follows.
fn short(typ: &str) -> &str {
    let (prefix, rest) = typ.split_at_checked(APPLICATION.len()).unwrap_or(("", typ));
    if prefix.eq_ignore_ascii_case(APPLICATION) && !rest.contains('/') { rest } else { typ }
}

fn text<'a>(claims: &'a Map<String, Value>, name: &'static str) -> Result<Option<&'a str>, JwtError> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(JwtError::Claim(name)),
    }
}

fn bounded<'a>(claims: &'a Map<String, Value>, name: &'static str) -> Result<Option<&'a str>, JwtError> {
    match text(claims, name)? {
        Some(text) if text.is_empty() || text.len() > LONGEST_NAME => Err(JwtError::Claim(name)),
        text => Ok(text),
    }
}

fn seconds(claims: &Map<String, Value>, name: &'static str) -> Result<Option<u64>, JwtError> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    value.as_u64().filter(|secs| *secs < MAX_SECONDS).map(Some).ok_or(JwtError::Claim(name))
}

const APPLICATION: &str = "application/";
/// In seconds: how far another's clock may be ahead.
const SKEW: u64 = 60;
/// In bytes.
const LONGEST_NAME: usize = 255;
/// Beyond the year 9999 no clock is meant; this keeps arithmetic far from overflow.
const MAX_SECONDS: u64 = 253_402_300_800;
