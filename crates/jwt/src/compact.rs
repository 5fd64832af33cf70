use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value};

use crate::json;

/// A JWS in compact serialization (RFC 7515 §3.1), taken apart and not yet verified.
#[derive(Debug)]
pub struct Compact {
    /// The protected header: an object without doubled names.
    pub header: Map<String, Value>,
    /// The payload: an object without doubled names.
    pub claims: Map<String, Value>,
    signing_input: String,
    signature: Vec<u8>,
}

/// The text is no compact JWS, or not strictly encoded; says what is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

impl Compact {
    /// Reads strictly: three parts, canonical base64url without padding, JSON objects without doubled names, a signature that is not empty.
    ///
    /// `longest` is in bytes.
    pub fn parse(text: &str, longest: usize) -> Result<Self, Malformed> {
        if text.len() > longest {
            return Err(Malformed("too long"));
        }
        let (signing_input, signature) = text.rsplit_once('.').ok_or(Malformed("not three parts"))?;
        let (header, payload) = signing_input.split_once('.').ok_or(Malformed("not three parts"))?;
        if payload.contains('.') {
            return Err(Malformed("not three parts"));
        }
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).map_err(|_| Malformed("not base64url"))?;
        if signature.is_empty() {
            return Err(Malformed("not signed"));
        }
        let (header, claims) = (part(header)?, part(payload)?);
        Ok(Self { header, claims, signing_input: signing_input.to_owned(), signature })
    }

    /// What the signature is over.
    #[must_use]
    pub fn signing_input(&self) -> &[u8] {
        self.signing_input.as_bytes()
    }

    /// The signature's bytes.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }
}

fn part(encoded: &str) -> Result<Map<String, Value>, Malformed> {
    let bytes = BASE64URL_NOPAD.decode(encoded.as_bytes()).map_err(|_| Malformed("not base64url"))?;
    json::object(&bytes).map_err(|_| Malformed("not a JSON object without doubled names"))
}
