use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value};

use crate::json;

/// A JWS in compact serialization (RFC 7515 §3.1), taken apart and not yet verified. ES256 alone.
pub(crate) struct Compact {
    pub(crate) claims: Map<String, Value>,
    signing_input: String,
    signature: [u8; 64],
}

/// The token is not a compact ES256 JWS.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

impl Compact {
    /// Reads strictly: three parts, canonical base64url, JSON objects without doubled names, `alg` ES256, no `crit`, `b64` or `zip`.
    ///
    /// Keys that a header brings along (`jwk`, `jku`, `x5u`, `x5c`) are never looked at, and `kid` chooses nothing.
    pub(crate) fn parse(text: &str) -> Result<Self, Malformed> {
        if text.len() > MAX_LENGTH {
            return Err(Malformed("longer than 8 KiB"));
        }
        let (signing_input, signature) = text.rsplit_once('.').ok_or(Malformed("not three parts"))?;
        let (header, payload) = signing_input.split_once('.').ok_or(Malformed("not three parts"))?;
        if payload.contains('.') {
            return Err(Malformed("not three parts"));
        }
        check_header(&part(header)?)?;
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).map_err(|_| Malformed("not base64url"))?;
        let signature = signature.try_into().map_err(|_| Malformed("the signature is not 64 bytes"))?;
        Ok(Self { claims: part(payload)?, signing_input: signing_input.to_owned(), signature })
    }

    pub(crate) fn signing_input(&self) -> &[u8] {
        self.signing_input.as_bytes()
    }

    pub(crate) fn signature(&self) -> &[u8] {
        &self.signature
    }
}

fn part(encoded: &str) -> Result<Map<String, Value>, Malformed> {
    let bytes = BASE64URL_NOPAD.decode(encoded.as_bytes()).map_err(|_| Malformed("not base64url"))?;
    json::object(&bytes).map_err(|_| Malformed("not a JSON object without doubled names"))
}

fn check_header(header: &Map<String, Value>) -> Result<(), Malformed> {
    if header.get("alg").and_then(Value::as_str) != Some("ES256") {
        return Err(Malformed("alg is not ES256"));
    }
    if ["crit", "b64", "zip"].iter().any(|name| header.contains_key(*name)) {
        return Err(Malformed("crit, b64 and zip are not accepted"));
    }
    match header.get("typ") {
        None | Some(Value::String(_)) => Ok(()),
        Some(_) => Err(Malformed("typ is not a string")),
    }
}

const MAX_LENGTH: usize = 8192;
