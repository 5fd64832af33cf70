use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use serde_json::Value;

/// What an answer looks like by which an upstream refuses a token that it took before. All that is named must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpirySign {
    /// The answer's status.
    pub status: StatusCode,
    /// The error code of its challenge (RFC 6750 §3).
    pub www_authenticate: Option<String>,
    /// What its body says.
    pub member: Option<ExpiryMember>,
}

/// A member of a JSON answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpiryMember {
    /// Where (RFC 6901).
    pub pointer: String,
    /// What stands there, one of these; a number or a boolean as it is written.
    pub values: Vec<String>,
}

impl ExpirySign {
    /// Any answer with status 401.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self { status: StatusCode::UNAUTHORIZED, www_authenticate: None, member: None }
    }

    fn fits(&self, status: StatusCode, headers: &HeaderMap) -> bool {
        let challenged = |error: &String| {
            let mut challenges = headers.get_all(WWW_AUTHENTICATE).iter();
            challenges.any(|challenge| says_error(challenge.as_bytes(), error))
        };
        self.status == status && self.www_authenticate.as_ref().is_none_or(challenged)
    }
}

impl ExpiryMember {
    fn fits(&self, body: &Value) -> bool {
        let is = |text: &str| self.values.iter().any(|value| value == text);
        match body.pointer(&self.pointer) {
            Some(Value::String(text)) => is(text),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => is(&value.to_string()),
            _ => false,
        }
    }
}

/// What the head of an answer tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The token was taken, or refused for another reason than its age.
    Taken,
    /// The token was refused.
    Refused,
    /// Only the body tells.
    Unread,
}

/// Judges an answer by its head.
pub(crate) fn by_head(signs: &[ExpirySign], status: StatusCode, headers: &HeaderMap) -> Verdict {
    let mut verdict = Verdict::Taken;
    for sign in signs.iter().filter(|sign| sign.fits(status, headers)) {
        if sign.member.is_none() {
            return Verdict::Refused;
        }
        verdict = if is_json(headers) { Verdict::Unread } else { verdict };
    }
    verdict
}

/// Judges an answer by its body, where the head does not tell.
pub(crate) fn by_body(signs: &[ExpirySign], status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Verdict {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return Verdict::Taken };
    let mut fitting = signs.iter().filter(|sign| sign.fits(status, headers));
    let refused = fitting.any(|sign| sign.member.as_ref().is_some_and(|member| member.fits(&body)));
    if refused { Verdict::Refused } else { Verdict::Taken }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || kind == "text/json" || kind.ends_with("+json")
}

/// Whether a challenge (RFC 9110 §11.6.1) has the parameter `error` with this value, quoted or not.
pub(crate) fn says_error(challenge: &[u8], error: &str) -> bool {
    let mut rest = challenge;
    while let Some((name, after)) = next_name(rest) {
        let Some((value, after)) = next_value(after) else {
            rest = after;
            continue;
        };
        if name.eq_ignore_ascii_case(b"error") && value == error.as_bytes() {
            return true;
        }
        rest = after;
    }
    false
}

/// The next token, and what follows it.
fn next_name(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let start = text.iter().position(|byte| is_token(*byte))?;
    let text = text.get(start..)?;
    let end = text.iter().position(|byte| !is_token(*byte)).unwrap_or(text.len());
    text.split_at_checked(end)
}

/// The value behind `=`, if one follows, without its quotes; and what follows it.
fn next_value(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let text = text.trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let (value, rest) = next_name(text).filter(|_| text.first().is_some_and(|byte| is_token(*byte)))?;
        return Some((value.to_vec(), rest));
    };
    let mut value = Vec::new();
    let mut bytes = quoted.iter().enumerate();
    while let Some((place, byte)) = bytes.next() {
        match byte {
            b'"' => return Some((value, quoted.get(place + 1..).unwrap_or_default())),
            b'\\' => value.extend(bytes.next().map(|(_, escaped)| *escaped)),
            byte => value.push(*byte),
        }
    }
    // Never closed: nothing in it can be told from its surroundings.
    Some((Vec::new(), &[]))
}

/// RFC 9110 §5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs.map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    fn sign(status: u16, www_authenticate: Option<&str>, member: Option<(&str, &[&str])>) -> ExpirySign {
        ExpirySign {
            status: StatusCode::from_u16(status).expect("a status"),
            www_authenticate: www_authenticate.map(str::to_owned),
            member: member.map(|(pointer, values)| ExpiryMember {
                pointer: pointer.to_owned(),
                values: values.iter().map(|value| (*value).to_owned()).collect(),
            }),
        }
    }

    #[test]
    fn the_error_of_a_challenge_is_found_wherever_it_stands() {
        for challenge in [
            "Bearer error=\"invalid_token\"",
            "Bearer realm=\"a, error=\\\"x\\\"\", error=\"invalid_token\"",
            "Basic realm=\"b\", Bearer ERROR = invalid_token, scope=\"a\"",
            "Bearer error_description=\"no\", error=\"invalid\\_token\"",
            "Negotiate, DPoP algs=\"ES256\",error=\"invalid_token\"",
        ] {
            assert!(says_error(challenge.as_bytes(), "invalid_token"), "{challenge}");
        }
        for challenge in [
            "",
            "Bearer",
            "Bearer error=\"insufficient_scope\"",
            "Bearer error_description=\"invalid_token\"",
            "Bearer realm=\"error=invalid_token\"",
            "Bearer realm=\"never closed, error=invalid_token",
            "Bearer x-error=\"invalid_token\"",
            "Bearer error==invalid_token",
        ] {
            assert!(!says_error(challenge.as_bytes(), "invalid_token"), "{challenge}");
        }
    }

    #[test]
    fn by_default_any_401_is_one() {
        let signs = [ExpirySign::unauthorized()];
        assert_eq!(by_head(&signs, StatusCode::UNAUTHORIZED, &HeaderMap::new()), Verdict::Refused);
        assert_eq!(by_head(&signs, StatusCode::FORBIDDEN, &HeaderMap::new()), Verdict::Taken);
        assert_eq!(by_head(&[], StatusCode::UNAUTHORIZED, &HeaderMap::new()), Verdict::Taken);
    }

    #[test]
    fn a_body_is_read_only_where_it_can_tell() {
        let signs =
            [sign(401, Some("invalid_token"), None), sign(200, None, Some(("/error/code", &["190", "expired"])))];
        let json = headers(&[("content-type", "application/problem+json; charset=utf-8")]);
        let ok = StatusCode::OK;
        assert_eq!(by_head(&signs, ok, &json), Verdict::Unread);
        assert_eq!(by_head(&signs, ok, &headers(&[("content-type", "text/plain")])), Verdict::Taken);
        assert_eq!(by_head(&signs, StatusCode::CREATED, &json), Verdict::Taken);
        assert_eq!(by_head(&signs, StatusCode::UNAUTHORIZED, &json), Verdict::Taken);
        let challenged = headers(&[("www-authenticate", "Bearer error=\"invalid_token\"")]);
        assert_eq!(by_head(&signs, StatusCode::UNAUTHORIZED, &challenged), Verdict::Refused);
        for (body, verdict) in [
            (r#"{"error":{"code":"expired"}}"#, Verdict::Refused),
            (r#"{"error":{"code":190}}"#, Verdict::Refused),
            (r#"{"error":{"code":"other"}}"#, Verdict::Taken),
            (r#"{"error":"expired"}"#, Verdict::Taken),
            (r#"{"error":{"code":["expired"]}}"#, Verdict::Taken),
            ("not JSON", Verdict::Taken),
        ] {
            assert_eq!(by_body(&signs, ok, &json, body.as_bytes()), verdict, "{body}");
        }
    }
}
