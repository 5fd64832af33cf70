use serde_json::{Map, Value};

/// An attestation's JWS in compact serialization (RFC 7515 §3.1), taken apart and not yet verified. ES256 alone.
pub(crate) struct Compact {
    pub(crate) claims: Map<String, Value>,
    signing_input: Vec<u8>,
    signature: Vec<u8>,
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
        let jws = jwt::Compact::parse(text, MAX_LENGTH).map_err(|malformed| Malformed(malformed.0))?;
        check_header(&jws.header)?;
        let (signing_input, signature) = (jws.signing_input().to_vec(), jws.signature().to_vec());
        if signature.len() != 64 {
            return Err(Malformed("the signature is not 64 bytes"));
        }
        Ok(Self { claims: jws.claims, signing_input, signature })
    }

    pub(crate) fn signing_input(&self) -> &[u8] {
        &self.signing_input
    }

    pub(crate) fn signature(&self) -> &[u8] {
        &self.signature
    }
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
