use http::{Response, header, response::Parts};
use secret::{AccessToken, IdToken, RefreshToken};
use serde::Deserialize;
use serde::de::value::MapDeserializer;
use serde_json::{Number, Value};
use zeroize::Zeroizing;

use crate::answer::{self, Verdict};
use crate::dpop::TokenBinding;
use crate::error::{ErrorCode, OAuthError};
use crate::habits::{self, AnswerForm, Meaning};
use crate::identity::Identity;
use crate::pointer::Pointer;
use crate::settings::Settings;

/// What a provider issued (RFC 6749 §5.1).
#[derive(Debug, Clone)]
pub struct TokenSet {
    /// Visible ASCII without spaces, so that it always fits a header.
    pub access: AccessToken,
    /// After a refresh that brought no new one, the old one.
    pub refresh: Option<RefreshToken>,
    /// When the access token ends, in Unix seconds; `None` where nobody knows.
    pub expires_at: Option<u64>,
    /// When the refresh token ends if nobody uses it, in Unix seconds; `None` where the provider does not say.
    pub refresh_expires_at: Option<u64>,
    /// The granted scopes. `None` where the provider does not say: those that were asked for, or after a refresh those of before.
    /// An empty list means that nothing was granted.
    pub scope: Option<Vec<String>>,
    /// Where the account's API is, as the answer has it: whoever uses it must check it.
    pub api_base: Option<String>,
    /// Who signed in, where the answer itself says so.
    pub identity: Option<Identity>,
    /// Who signed in, where the provider speaks OpenID Connect.
    pub id_token: Option<IdToken>,
}

/// A token endpoint's answer, successful or not, in the members that matter. One that is there twice is refused.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Body {
    access_token: Value,
    refresh_token: Value,
    id_token: Value,
    token_type: Value,
    issued_token_type: Value,
    expires_in: Value,
    expires_at: Value,
    refresh_token_expires_in: Value,
    refresh_expires_in: Value,
    scope: Value,
    error: Value,
    ok: Value,
    /// Who signed in, where the operator says that it stands here.
    #[serde(skip)]
    subject: Option<String>,
    #[serde(skip)]
    names: Vec<String>,
    #[serde(skip)]
    api_base: Option<String>,
    /// Whether what a success has is missing, by the operator's word.
    #[serde(skip)]
    fails: bool,
}

impl Body {
    /// Reads an answer as far as to know that it is a success.
    pub(crate) fn read(
        response: Response<Vec<u8>>,
        settings: &Settings,
        form: &AnswerForm,
    ) -> Result<Self, OAuthError> {
        let (head, bytes) = response.into_parts();
        let bytes = Zeroizing::new(bytes);
        if let Some(error) = ruled(&head, &bytes, settings, form) {
            return Err(error);
        }
        match answer::judge(&head, &[200, 201])? {
            Verdict::Refusal => Err(refusal(&head, &bytes, form)),
            Verdict::Success => {
                let body = Self::parse(&head, &bytes, form)?;
                body.failure(&head).map_or(Ok(body), Err)
            }
        }
    }

    /// Whether what came is of one of these kinds (RFC 8693 §2.2.1), as far as the answer says.
    pub(crate) fn check_issued_token_type(&self, wanted: &[&str]) -> Result<(), OAuthError> {
        match &self.issued_token_type {
            Value::Null => Ok(()),
            Value::String(kind) if wanted.contains(&kind.as_str()) => Ok(()),
            _ => Err(OAuthError::Nonsense("issued_token_type")),
        }
    }

    /// Takes the tokens out, `now` being when they were received.
    pub(crate) fn into_token_set(self, now: u64, settings: &Settings) -> Result<TokenSet, OAuthError> {
        let accepted = |kind: &str| settings.token_types.iter().any(|known| known.eq_ignore_ascii_case(kind));
        match (&self.token_type, settings.binding) {
            (Value::Null, TokenBinding::Bearer) => {}
            (Value::String(kind), TokenBinding::Bearer) if accepted(kind) => {}
            // One that is not bound to the key after all is what nobody asked for (RFC 9449 §5).
            (Value::String(kind), TokenBinding::Dpop) if kind.eq_ignore_ascii_case("dpop") => {}
            _ => return Err(OAuthError::Nonsense("token_type")),
        }
        let until = || moment(&self.expires_at).map(|end| end.saturating_sub(now)).filter(|left| *left > 0);
        let lifetime = seconds(&self.expires_in).or_else(until).or(settings.default_lifetime);
        let lifetime = lifetime.map(|lifetime| lifetime.min(TEN_YEARS));
        // Many have the first name, Keycloak the second. Nothing and zero alike mean that nobody knows an end.
        let refresh_lifetime = seconds(&self.refresh_token_expires_in).or_else(|| seconds(&self.refresh_expires_in));
        let refresh_lifetime = refresh_lifetime.map(|lifetime| lifetime.min(TEN_YEARS));
        Ok(TokenSet {
            access: access_token(self.access_token)?,
            refresh: refresh_token(self.refresh_token)?,
            expires_at: lifetime.map(|lifetime| now.saturating_add(lifetime)),
            refresh_expires_at: refresh_lifetime.map(|lifetime| now.saturating_add(lifetime)),
            scope: scope(&self.scope)?,
            api_base: self.api_base,
            identity: self
                .subject
                .and_then(|subject| Identity::new(subject, self.names.iter().map(String::as_str)).ok()),
            id_token: match self.id_token {
                Value::String(token) if !token.is_empty() => Some(IdToken::new(token)),
                _ => None,
            },
        })
    }

    fn parse(head: &Parts, bytes: &[u8], form: &AnswerForm) -> Result<Self, OAuthError> {
        let malformed = OAuthError::Nonsense("malformed");
        if is_form(head) {
            let pairs = form_urlencoded::parse(bytes);
            return Self::deserialize(MapDeserializer::<_, serde::de::value::Error>::new(pairs)).map_err(|_| malformed);
        }
        // Whatever the content type says: there are servers that call their JSON text.
        let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
        if !text.trim_ascii_start().starts_with(b"{") {
            return Err(malformed);
        }
        let body: Self = serde_json::from_slice(text).map_err(|_| OAuthError::Nonsense("malformed"))?;
        if *form == AnswerForm::default() {
            return Ok(body);
        }
        Ok(body.placed(&serde_json::from_slice(text).map_err(|_| malformed)?, form))
    }

    /// The members where the operator says that they lie.
    fn placed(self, answer: &Value, form: &AnswerForm) -> Self {
        let at = |pointer: &Pointer| pointer.find(answer).cloned().unwrap_or_default();
        let codes = form.error.iter().filter_map(|pointer| pointer.find(answer));
        let code = codes.filter(|code| !code.is_null()).max_by_key(|code| code.is_string());
        let names = form.name.iter().filter_map(|name| Some(name.find(answer)?.as_str()?.to_owned()));
        Self {
            access_token: at(&form.access_token),
            refresh_token: at(&form.refresh_token),
            expires_in: at(&form.expires_in),
            expires_at: at(&form.expires_at),
            scope: at(&form.scope),
            error: code.cloned().unwrap_or_default(),
            refresh_token_expires_in: form.refresh_expires_in.as_ref().map_or(self.refresh_token_expires_in, at),
            subject: subject(&form.subject, answer),
            names: names.collect(),
            api_base: form.api_base.as_ref().and_then(|place| base_in(place, answer)),
            fails: form.success.as_ref().is_some_and(|success| success.pointer.find(answer) != Some(&success.value)),
            ..self
        }
    }

    /// The error's code, as the provider writes it.
    fn code(&self) -> Option<&str> {
        self.error.as_str().filter(|code| !code.is_empty())
    }

    /// What the body says went wrong, whatever its status says: some servers answer 200 and put the error inside.
    fn failure(&self, head: &Parts) -> Option<OAuthError> {
        let error = match &self.error {
            Value::Null | Value::Bool(false) => None,
            Value::String(code) => Some(code.as_str()).filter(|code| !code.is_empty()),
            _ => Some(""),
        };
        let not_ok = match &self.ok {
            Value::Bool(ok) => !ok,
            Value::String(ok) => ok == "false",
            _ => false,
        };
        match error {
            Some("temporarily_unavailable" | "server_error") => Some(answer::retry(head)),
            Some(code) => Some(OAuthError::Refused { code: ErrorCode::parse(code) }),
            None if not_ok || self.fails => Some(OAuthError::Refused { code: ErrorCode::Other }),
            None => None,
        }
    }
}

/// Reads the answer of a revocation endpoint (RFC 7009 §2.2), whose body says nothing unless it speaks of an error.
pub(crate) fn confirmation(response: Response<Vec<u8>>, settings: &Settings) -> Result<(), OAuthError> {
    let (head, bytes) = response.into_parts();
    match answer::judge(&head, &[200, 201, 202, 204])? {
        Verdict::Refusal => Err(refusal(&head, &bytes, &settings.answer)),
        Verdict::Success => {
            let body = Body::parse(&head, &bytes, &settings.answer).ok();
            body.and_then(|body| body.failure(&head)).map_or(Ok(()), Err)
        }
    }
}

/// What the operator says that the answer means, if anything.
fn ruled(head: &Parts, bytes: &[u8], settings: &Settings, form: &AnswerForm) -> Option<OAuthError> {
    if settings.errors.is_empty() {
        return None;
    }
    let body = Body::parse(head, bytes, form).ok();
    let code = body.as_ref().and_then(Body::code);
    // What looks like a success is one, unless a rule names its code.
    let refused = !head.status.is_success() || code.is_some();
    let meaning = refused.then(|| habits::meaning(&settings.errors, head.status.as_u16(), code)).flatten()?;
    Some(match meaning {
        Meaning::Reconnect => OAuthError::Refused { code: ErrorCode::InvalidGrant },
        Meaning::Operator => OAuthError::Refused { code: ErrorCode::Operator },
        Meaning::Retry => answer::retry(head),
    })
}

/// The one part, or all of them as a JSON list, so that no two lists of parts become one name.
fn subject(parts: &[Pointer], answer: &Value) -> Option<String> {
    let parts: Option<Vec<String>> = parts.iter().map(|part| subject_in(part.find(answer)?)).collect();
    match parts?.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        several => serde_json::to_string(several).ok(),
    }
}

/// A string, or a whole number as it is written.
pub(crate) fn subject_in(value: &Value) -> Option<String> {
    match value {
        Value::String(subject) => Some(subject.clone()),
        Value::Number(subject) if !subject.is_f64() => Some(subject.to_string()),
        _ => None,
    }
}

/// A text of bounded length where the account's API may be named.
pub(crate) fn base_in(place: &Pointer, answer: &Value) -> Option<String> {
    let text = place.find(answer)?.as_str()?;
    (!text.is_empty() && text.len() <= LONGEST_BASE).then(|| text.to_owned())
}

/// A moment in Unix seconds: a number, a string that reads like one, or a date (RFC 3339).
fn moment(value: &Value) -> Option<u64> {
    let date = |text: &str| {
        let end = humantime::parse_rfc3339_weak(text.trim()).ok()?;
        end.duration_since(std::time::UNIX_EPOCH).ok().map(|since| since.as_secs())
    };
    seconds(value).or_else(|| date(value.as_str()?))
}

/// The value as a positive number of whole seconds: a number, or a string that reads like one.
pub(crate) fn seconds(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => whole(number),
        Value::String(text) => whole(&text.trim().parse().ok()?),
        _ => None,
    }
}

fn whole(number: &Number) -> Option<u64> {
    let whole = match number.as_u64() {
        Some(whole) => whole,
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the cast rounds towards the range of u64"
        )]
        None => number.as_f64()? as u64,
    };
    // A token that was issued this moment is not over. A provider that says so means that it does not end, or means nothing; a
    // token taken for expired would be refreshed with every request, or its owner asked to sign in with every request.
    (whole > 0).then_some(whole)
}

/// An answer with a 4xx status: its code where it has one. Nothing but the code `invalid_grant` itself ends a grant.
pub(crate) fn refusal(head: &Parts, bytes: &[u8], form: &AnswerForm) -> OAuthError {
    Body::parse(head, bytes, form)
        .ok()
        .and_then(|body| body.failure(head))
        .unwrap_or(OAuthError::Refused { code: ErrorCode::Other })
}

fn is_form(head: &Parts) -> bool {
    let value = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// RFC 6750 §2.1 has a narrower alphabet; providers keep to a wider one.
fn access_token(value: Value) -> Result<AccessToken, OAuthError> {
    match value {
        Value::String(token) if !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Ok(AccessToken::new(token))
        }
        _ => Err(OAuthError::Nonsense("access_token")),
    }
}

/// RFC 6749 appendix A.17: visible ASCII and space.
fn refresh_token(value: Value) -> Result<Option<RefreshToken>, OAuthError> {
    match value {
        Value::Null | Value::Bool(false) => Ok(None),
        Value::String(token) if token.is_empty() => Ok(None),
        Value::String(token) if token.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) => {
            Ok(Some(RefreshToken::new(token)))
        }
        _ => Err(OAuthError::Nonsense("refresh_token")),
    }
}

fn scope(value: &Value) -> Result<Option<Vec<String>>, OAuthError> {
    let nonsense = || OAuthError::Nonsense("scope");
    let texts = match value {
        Value::Null => return Ok(None),
        Value::String(text) => vec![text.as_str()],
        Value::Array(items) => {
            items.iter().map(|item| item.as_str().ok_or_else(nonsense)).collect::<Result<Vec<_>, _>>()?
        }
        _ => return Err(nonsense()),
    };
    let scopes = texts.into_iter().flat_map(|text| text.split([' ', ','])).filter(|scope| !scope.is_empty());
    Ok(Some(scopes.map(str::to_owned).collect()))
}

/// In seconds. No access token lives longer; a time far off would overflow somewhere else.
const TEN_YEARS: u64 = 10 * 365 * 24 * 60 * 60;

/// In bytes.
const LONGEST_BASE: usize = 2048;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

#[cfg(test)]
#[path = "token_response_tests.rs"]
mod tests;
