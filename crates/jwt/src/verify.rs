use serde_json::{Map, Value};

use crate::algorithm::Algorithm;
use crate::{Claims, Compact, Expected, JwtError, KeySet};

/// Believes a statement, or says why not: form, header and claims first, which cost nothing; then its signature.
///
/// `now` is in Unix seconds. What comes out is what the holder of one of `keys` said.
pub fn verify(token: &str, keys: &KeySet, expected: &Expected<'_>, now: u64) -> Result<Claims, JwtError> {
    let jws = Compact::parse(token, LONGEST).map_err(|malformed| JwtError::Malformed(malformed.0))?;
    let (algorithm, id) = header(&jws.header)?;
    expected.typ.check(jws.header.get("typ"))?;
    let (input, signature) = (jws.signing_input().to_vec(), jws.signature().to_vec());
    let claims = Claims::check(jws.claims, expected, now)?;
    let mut keys = keys.fitting(id.as_deref(), algorithm).peekable();
    if keys.peek().is_none() {
        return Err(JwtError::UnknownKey);
    }
    if !keys.any(|key| key.verifies(algorithm, &input, &signature)) {
        return Err(JwtError::Signature);
    }
    Ok(claims)
}

/// `alg` and `kid`. What would bring a key along, or change how the rest is read, is refused.
fn header(header: &Map<String, Value>) -> Result<(Algorithm, Option<String>), JwtError> {
    if let Some(name) = REFUSED.into_iter().find(|name| header.contains_key(*name)) {
        return Err(JwtError::Header(name));
    }
    let algorithm = header.get("alg").and_then(Value::as_str).and_then(Algorithm::parse).ok_or(JwtError::Algorithm)?;
    match header.get("kid") {
        None => Ok((algorithm, None)),
        Some(Value::String(id)) if id.len() <= LONGEST_ID => Ok((algorithm, Some(id.clone()))),
        Some(_) => Err(JwtError::Header("kid")),
    }
}

const REFUSED: [&str; 6] = ["jwk", "jku", "x5u", "crit", "b64", "zip"];
/// In bytes.
const LONGEST: usize = 16 * 1024;
/// In bytes.
const LONGEST_ID: usize = 255;

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
