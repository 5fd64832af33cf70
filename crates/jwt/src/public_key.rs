use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value};

use crate::algorithm::Algorithm;
use crate::key_set::KeySetError;

/// A public key of a kind that is taken (RFC 7518 §6, RFC 8037 §2).
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum PublicKey {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl PublicKey {
    /// Reads a JWK; `None` for one of a kind that nothing here is signed with.
    pub(crate) fn parse(jwk: &Map<String, Value>) -> Result<Option<Self>, KeySetError> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let key = match (text("kty").ok_or(KeySetError::Key)?, text("crv")) {
            ("RSA", _) => rsa(bytes(jwk, "n")?, bytes(jwk, "e")?)?,
            ("EC", Some("P-256")) => Self::P256(point(jwk, 32)?).on_curve(&ECDSA_P256_SHA256_FIXED)?,
            ("EC", Some("P-384")) => Self::P384(point(jwk, 48)?).on_curve(&ECDSA_P384_SHA384_FIXED)?,
            ("OKP", Some("Ed25519")) => Self::Ed25519(sized(jwk, "x", 32)?).on_curve(&ED25519)?,
            _ => return Ok(None),
        };
        Ok(Some(key))
    }

    /// Whether it is a key for this algorithm.
    pub(crate) fn fits(&self, algorithm: Algorithm) -> bool {
        match self {
            Self::Rsa { .. } => matches!(algorithm, Algorithm::Rs256 | Algorithm::Ps256),
            Self::P256(_) => algorithm == Algorithm::Es256,
            Self::P384(_) => algorithm == Algorithm::Es384,
            Self::Ed25519(_) => algorithm == Algorithm::Ed25519,
        }
    }

    /// Whether `signature` is this key's over `message`, by this algorithm, which has to fit.
    pub(crate) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let by = |algorithm: &'static dyn VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(algorithm, key).verify(message, signature).is_ok()
        };
        match (self, algorithm) {
            (Self::Rsa { n, e }, Algorithm::Rs256 | Algorithm::Ps256) => {
                // A signature is as long as the modulus (RFC 8017 §8.1.2, §8.2.2).
                let how =
                    if algorithm == Algorithm::Ps256 { &RSA_PSS_2048_8192_SHA256 } else { &RSA_PKCS1_2048_8192_SHA256 };
                signature.len() == n.len() && RsaPublicKeyComponents { n, e }.verify(how, message, signature).is_ok()
            }
            (Self::P256(point), Algorithm::Es256) => by(&ECDSA_P256_SHA256_FIXED, point),
            (Self::P384(point), Algorithm::Es384) => by(&ECDSA_P384_SHA384_FIXED, point),
            (Self::Ed25519(key), Algorithm::Ed25519) => by(&ED25519, key),
            _ => false,
        }
    }

    fn on_curve(self, algorithm: &'static dyn VerificationAlgorithm) -> Result<Self, KeySetError> {
        let (Self::P256(bytes) | Self::P384(bytes) | Self::Ed25519(bytes)) = &self else {
            return Err(KeySetError::Key);
        };
        ParsedPublicKey::new(algorithm, bytes).map_err(|_| KeySetError::Key)?;
        Ok(self)
    }
}

fn rsa(n: Vec<u8>, e: Vec<u8>) -> Result<PublicKey, KeySetError> {
    let bits = |bytes: &[u8]| {
        let leading = bytes.first().map_or(0, |byte| byte.leading_zeros() as usize);
        (bytes.len() * 8).saturating_sub(leading)
    };
    // Minimal encoding (RFC 7518 §6.3.1): a zero in front says that whoever wrote it counts otherwise.
    if n.first() == Some(&0) || e.first() == Some(&0) {
        return Err(KeySetError::Key);
    }
    let odd = |bytes: &[u8]| bytes.last().is_some_and(|byte| byte & 1 == 1);
    if !(2048..=8192).contains(&bits(&n)) || !odd(&n) {
        return Err(KeySetError::Weak);
    }
    if !(2..=32).contains(&bits(&e)) || !odd(&e) {
        return Err(KeySetError::Weak);
    }
    Ok(PublicKey::Rsa { n, e })
}

fn point(jwk: &Map<String, Value>, size: usize) -> Result<Vec<u8>, KeySetError> {
    Ok([&[UNCOMPRESSED], sized(jwk, "x", size)?.as_slice(), sized(jwk, "y", size)?.as_slice()].concat())
}

fn sized(jwk: &Map<String, Value>, name: &str, size: usize) -> Result<Vec<u8>, KeySetError> {
    bytes(jwk, name).and_then(|bytes| if bytes.len() == size { Ok(bytes) } else { Err(KeySetError::Key) })
}

fn bytes(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, KeySetError> {
    let text = jwk.get(name).and_then(Value::as_str).ok_or(KeySetError::Key)?;
    BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| KeySetError::Key)
}

const UNCOMPRESSED: u8 = 4;
