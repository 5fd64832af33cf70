use std::borrow::Cow;
use std::fmt;

use secret::AuthorizationCode;

/// What the browser brought back from the provider: the query of the redirect (RFC 6749 §4.1.2, RFC 9207 §2).
///
/// Anybody can make a browser come with any query. Nothing of it is believed before its state was found to be the one that was sent.
pub enum Callback {
    /// The person agreed.
    Code {
        /// To be exchanged at once.
        code: AuthorizationCode,
        /// As it was sent.
        state: String,
        /// Who issued the code, where the provider says so.
        iss: Option<String>,
    },
    /// The person refused, or the provider did.
    Error {
        /// Which of the two.
        code: CallbackError,
        /// As it was sent.
        state: String,
        /// Who refused, where the provider says so.
        iss: Option<String>,
    },
}

/// Why there is no code (RFC 6749 §4.1.2.1). What the provider said beyond that is not carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallbackError {
    /// `access_denied`: the person said no.
    AccessDenied,
    /// Any other code.
    Other,
}

/// Why a query is no [`Callback`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallbackFormError {
    /// Longer than 16 KiB, or one of its parameters is longer than it ever should be.
    #[error("the callback is too long")]
    TooLong,
    /// A parameter that matters is there twice.
    #[error("`{0}` is there twice")]
    Twice(&'static str),
    /// A parameter is missing or empty.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A parameter has characters outside of visible ASCII and space (RFC 6749 appendix A).
    #[error("`{0}` has characters that are not allowed")]
    Characters(&'static str),
    /// A code and an error at once.
    #[error("a code and an error at once")]
    CodeAndError,
}

/// Why the callback is not from the issuer that was asked (RFC 9207 §2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    /// The callback names no issuer.
    #[error("the callback names no issuer")]
    Missing,
    /// The callback names another issuer: the code was made for, or by, somebody else.
    #[error("the callback names another issuer")]
    Other,
}

impl Callback {
    /// Reads a query, without its `?`. Parameters that OAuth does not know are passed over; those it knows must be there once.
    pub fn parse(query: &str) -> Result<Self, CallbackFormError> {
        let parameters = Parameters::read(query)?;
        let state = required(parameters.state, "state")?;
        let iss = parameters.iss;
        match (parameters.code, parameters.error) {
            (Some(_), Some(_)) => Err(CallbackFormError::CodeAndError),
            (None, Some(error)) if error == "access_denied" => {
                Ok(Self::Error { code: CallbackError::AccessDenied, state, iss })
            }
            (None, Some(_)) => Ok(Self::Error { code: CallbackError::Other, state, iss }),
            (code, None) => Ok(Self::Code { code: AuthorizationCode::new(required(code, "code")?), state, iss }),
        }
    }

    /// The state, whatever came with it.
    #[must_use]
    pub fn state(&self) -> &str {
        match self {
            Self::Code { state, .. } | Self::Error { state, .. } => state,
        }
    }

    /// The issuer that the callback names.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        match self {
            Self::Code { iss, .. } | Self::Error { iss, .. } => iss.as_deref(),
        }
    }

    /// Compares `iss` with the issuer that the request was sent to, character for character (RFC 9207 §2.4). `None` stands for a
    /// provider that is not known to send `iss`: there is nothing to compare with.
    pub fn check_issuer(&self, configured: Option<&str>) -> Result<(), IssuerError> {
        let (Self::Code { iss, .. } | Self::Error { iss, .. }) = self;
        match (configured, iss) {
            (None, _) => Ok(()),
            (Some(_), None) => Err(IssuerError::Missing),
            (Some(expected), Some(iss)) if expected == iss => Ok(()),
            (Some(_), Some(_)) => Err(IssuerError::Other),
        }
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code { .. } => f.write_str("Code([redacted])"),
            Self::Error { code, .. } => write!(f, "Error({code:?})"),
        }
    }
}

#[derive(Default)]
struct Parameters {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
}

impl Parameters {
    fn read(query: &str) -> Result<Self, CallbackFormError> {
        if query.len() > MAX_QUERY {
            return Err(CallbackFormError::TooLong);
        }
        let mut found = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "code" => put(&mut found.code, "code", value, MAX_CODE)?,
                "state" => put(&mut found.state, "state", value, MAX_STATE)?,
                "iss" => put(&mut found.iss, "iss", value, MAX_ISSUER)?,
                "error" => put(&mut found.error, "error", value, MAX_ERROR)?,
                _ => {}
            }
        }
        Ok(found)
    }
}

fn put(
    place: &mut Option<String>,
    name: &'static str,
    value: Cow<'_, str>,
    longest: usize,
) -> Result<(), CallbackFormError> {
    if value.len() > longest {
        return Err(CallbackFormError::TooLong);
    }
    if !value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return Err(CallbackFormError::Characters(name));
    }
    if place.replace(value.into_owned()).is_some() {
        return Err(CallbackFormError::Twice(name));
    }
    Ok(())
}

fn required(value: Option<String>, name: &'static str) -> Result<String, CallbackFormError> {
    value.filter(|value| !value.is_empty()).ok_or(CallbackFormError::Missing(name))
}

const MAX_QUERY: usize = 16 * 1024;
/// Some providers' codes are encrypted tokens of several thousand characters.
const MAX_CODE: usize = 8 * 1024;
const MAX_STATE: usize = 1024;
const MAX_ISSUER: usize = 1024;
const MAX_ERROR: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read() {
        let query = "code=4%2F0Ab+c&state=s1&iss=https%3A%2F%2Fid.example&scope=a&scope=b&session_state=x";
        let Ok(Callback::Code { code, state, iss }) = Callback::parse(query) else { panic!("no code") };
        assert_eq!(code.expose(), "4/0Ab c");
        assert_eq!(state, "s1");
        assert_eq!(iss.as_deref(), Some("https://id.example"));
    }

    #[test]
    fn an_error_is_read() {
        for (query, expected) in [
            ("error=access_denied&state=s1", CallbackError::AccessDenied),
            ("error=server_error&state=s1&error_description=%00canary", CallbackError::Other),
            ("state=s1&error=", CallbackError::Other),
            ("state=s1&error=Access_Denied", CallbackError::Other),
        ] {
            let Ok(Callback::Error { code, state, iss: None }) = Callback::parse(query) else { panic!("{query}") };
            assert_eq!((code, state.as_str()), (expected, "s1"), "{query}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        use CallbackFormError::{Characters, CodeAndError, Missing, TooLong, Twice};
        let long = |name: &str, length: usize| format!("code=c&state=s&{name}={}", "x".repeat(length));
        for (query, error) in [
            ("", Missing("state")),
            ("code=c", Missing("state")),
            ("code=c&state=", Missing("state")),
            ("state=s", Missing("code")),
            ("state=s&code=", Missing("code")),
            ("Code=c&state=s", Missing("code")),
            ("code=c&code=c&state=s", Twice("code")),
            ("code=&code=c&state=s", Twice("code")),
            ("code=c&c%6fde=d&state=s", Twice("code")),
            ("code=c&state=s&state=s", Twice("state")),
            ("code=c&state=s&iss=a&iss=a", Twice("iss")),
            ("error=a&error=a&state=s", Twice("error")),
            ("code=c&error=access_denied&state=s", CodeAndError),
            ("code=c&error=&state=s", CodeAndError),
            ("code=c%0D%0AX&state=s", Characters("code")),
            ("code=c&state=%00", Characters("state")),
            ("code=c&state=%FF", Characters("state")),
            ("code=c&state=s&iss=https%3A%2F%2Fid%E2%80%8B.example", Characters("iss")),
            (&format!("state=s&code={}", "x".repeat(8193)), TooLong),
            (&format!("code=c&state={}", "x".repeat(1025)), TooLong),
            (&long("iss", 1025), TooLong),
            (&long("error", 257), TooLong),
            (&long("unknown", 16 * 1024), TooLong),
        ] {
            assert_eq!(Callback::parse(query).expect_err(query), error, "{query}");
        }
        assert!(Callback::parse(&format!("state=s&code={}", "x".repeat(8192))).is_ok());
        assert!(Callback::parse(&long("unknown", 8192)).is_ok());
    }

    #[test]
    fn the_issuer_is_compared_character_for_character() {
        let issuer = Some("https://id.example/tenant");
        for (iss, expected) in [
            ("&iss=https%3A%2F%2Fid.example%2Ftenant", Ok(())),
            ("", Err(IssuerError::Missing)),
            ("&iss=", Err(IssuerError::Other)),
            ("&iss=https%3A%2F%2Fid.example%2Ftenant%2F", Err(IssuerError::Other)),
            ("&iss=https%3A%2F%2FID.example%2Ftenant", Err(IssuerError::Other)),
            ("&iss=https%3A%2F%2Fid.example%2Ft%2565nant", Err(IssuerError::Other)),
            ("&iss=https%3A%2F%2Fid.example%3A443%2Ftenant", Err(IssuerError::Other)),
            ("&iss=http%3A%2F%2Fid.example%2Ftenant", Err(IssuerError::Other)),
            ("&iss=https%3A%2F%2Fevil.example", Err(IssuerError::Other)),
        ] {
            for outcome in ["code=c", "error=access_denied"] {
                let callback = Callback::parse(&format!("{outcome}&state=s{iss}")).expect("a callback");
                assert_eq!(callback.check_issuer(issuer), expected, "{outcome}{iss}");
                assert_eq!(callback.check_issuer(None), Ok(()));
                assert_eq!(callback.state(), "s");
            }
        }
    }

    #[test]
    fn debug_shows_neither_code_nor_state() {
        let shown = |query| format!("{:?}", Callback::parse(query).expect("a callback"));
        assert_eq!(shown("code=canary&state=canary"), "Code([redacted])");
        assert_eq!(shown("error=access_denied&state=canary"), "Error(AccessDenied)");
    }
}
