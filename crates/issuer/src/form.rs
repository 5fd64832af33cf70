//! `application/x-www-form-urlencoded` as the OAuth endpoints take it (RFC 6749 appendix B), read in one way or not at all.

/// What a form has too much of, or wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FormProblem {
    /// Bytes that are no such form, or a control character in it.
    Encoding,
    /// This parameter is there twice; `None` where it is one that nobody knows here.
    Doubled(Option<&'static str>),
    /// This parameter is too long.
    TooLong(&'static str),
    /// More parameters than anybody needs.
    TooMany,
    /// More than eight resources.
    Resources,
}

/// The parameters of one request. Those that nobody knows are passed over (RFC 6749 §3.2), and an empty one is as good as absent
/// (§3.1).
#[derive(Default)]
pub(crate) struct Form {
    known: Vec<(&'static str, String)>,
    resources: Vec<String>,
}

impl Form {
    /// Reads a body.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, FormProblem> {
        let mut form = Self::default();
        let mut unknown: Vec<String> = Vec::new();
        for (number, pair) in body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).enumerate() {
            if number >= MOST_PARAMETERS {
                return Err(FormProblem::TooMany);
            }
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let name = halves.next().and_then(decode).ok_or(FormProblem::Encoding)?;
            let value = decode(halves.next().unwrap_or_default()).ok_or(FormProblem::Encoding)?;
            match KNOWN.iter().find(|(known, _)| *known == name) {
                Some((known, longest)) => form.take(known, value, *longest)?,
                None if unknown.contains(&name) => return Err(FormProblem::Doubled(None)),
                None => unknown.push(name),
            }
        }
        form.known.retain(|(_, value)| !value.is_empty());
        form.resources.retain(|resource| !resource.is_empty());
        Ok(form)
    }

    fn take(&mut self, name: &'static str, value: String, longest: usize) -> Result<(), FormProblem> {
        if value.len() > longest {
            return Err(FormProblem::TooLong(name));
        }
        if name == RESOURCE {
            self.resources.push(value);
            return if self.resources.len() > MOST_RESOURCES { Err(FormProblem::Resources) } else { Ok(()) };
        }
        if self.known.iter().any(|(known, _)| *known == name) {
            return Err(FormProblem::Doubled(Some(name)));
        }
        self.known.push((name, value));
        Ok(())
    }

    /// A parameter that is not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        debug_assert!(KNOWN.iter().any(|(known, _)| *known == name), "{name} is read and not listed");
        self.known.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// Which resources the token is for (RFC 8707 §2): the one parameter that there may be several of.
    pub(crate) fn resources(&self) -> &[String] {
        &self.resources
    }
}

impl std::fmt::Debug for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.known.iter().map(|(name, _)| name)).finish()
    }
}

/// Undoes the encoding of a name or a value. `None` for a bad escape, for what is no UTF-8, and for control characters, which nothing
/// here has a use for.
pub(crate) fn decode(text: &[u8]) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            // Not encoded as it should be, and still clear: `curl -d "scope=a b"`.
            b' ' | 0x21..=0x7e => byte,
            _ => return None,
        });
    }
    String::from_utf8(decoded).ok().filter(|text| !text.chars().any(char::is_control))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

const RESOURCE: &str = "resource";
const MOST_RESOURCES: usize = 8;
const MOST_PARAMETERS: usize = 64;
/// In bytes.
const USUAL: usize = 4 * 1024;
/// Of what may hold a JWT.
const LONG: usize = 16 * 1024;

/// Every parameter that an endpoint reads, and how long it may be.
const KNOWN: [(&str, usize); 20] = [
    ("grant_type", USUAL),
    ("client_id", USUAL),
    ("client_secret", USUAL),
    ("client_assertion_type", USUAL),
    ("client_assertion", LONG),
    ("code", USUAL),
    ("redirect_uri", USUAL),
    ("code_verifier", USUAL),
    ("refresh_token", USUAL),
    ("device_code", USUAL),
    ("scope", USUAL),
    (RESOURCE, USUAL),
    ("audience", USUAL),
    ("subject_token", LONG),
    ("subject_token_type", USUAL),
    ("requested_token_type", USUAL),
    ("actor_token", LONG),
    ("actor_token_type", USUAL),
    ("assertion", LONG),
    ("token", LONG),
];

#[cfg(test)]
#[path = "form_tests.rs"]
mod tests;
