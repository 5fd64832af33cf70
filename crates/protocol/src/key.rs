use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use secret::Opaque;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Why a key is of no use for attestations.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyError {
    /// Neither a JWK of an EC P-256 key nor a PEM `PUBLIC KEY` of one.
    #[error("the key must be an EC P-256 public key: a JWK with kty, crv, x and y, or a PEM `PUBLIC KEY`")]
    Form,
    /// The signing key could not be made or used.
    #[error("the signing key could not be used")]
    Signing,
}

/// An agent's public key: a point on P-256 (RFC 7518 §3.4).
#[derive(Clone, PartialEq, Eq)]
pub struct AgentPublicKey([u8; 65]);

impl AgentPublicKey {
    /// Reads `public_key` of an identity document: a JWK object or a PEM string.
    pub fn from_document(value: &Value) -> Result<Self, KeyError> {
        match value {
            Value::String(pem) => Self::from_pem(pem),
            Value::Object(_) => Self::from_jwk(value),
            _ => Err(KeyError::Form),
        }
    }

    /// Reads a PEM `PUBLIC KEY` (RFC 7468 §13) that holds an uncompressed P-256 point.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let body = pem.trim().strip_prefix("-----BEGIN PUBLIC KEY-----").ok_or(KeyError::Form)?;
        let body = body.strip_suffix("-----END PUBLIC KEY-----").ok_or(KeyError::Form)?;
        let text: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let der = BASE64.decode(text.as_bytes()).map_err(|_| KeyError::Form)?;
        Self::from_point(der.strip_prefix(&SPKI_P256).ok_or(KeyError::Form)?)
    }

    /// The key as a JWK (RFC 7518 §6.2.1).
    #[must_use]
    pub fn to_jwk(&self) -> Value {
        let (x, y) = self.0.split_at(33);
        let x = BASE64URL_NOPAD.encode(x.get(1..).unwrap_or_default());
        json!({"kty": "EC", "crv": "P-256", "x": x, "y": BASE64URL_NOPAD.encode(y), "alg": "ES256", "use": "sig"})
    }

    /// SHA-256 over the point, in hexadecimal: tells whether a key is still the one that was approved.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        HEXLOWER.encode(&Sha256::digest(self.0))
    }

    /// Whether `signature` (64 bytes, r ‖ s) is this key's over `message`.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.0).verify(message, signature).is_ok()
    }

    fn from_jwk(jwk: &Value) -> Result<Self, KeyError> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let coordinate = |name: &str| {
            let bytes = BASE64URL_NOPAD.decode(text(name)?.as_bytes()).ok()?;
            <[u8; 32]>::try_from(bytes).ok()
        };
        let curve = text("kty") == Some("EC") && text("crv") == Some("P-256");
        let usage = text("use").is_none_or(|usage| usage == "sig") && text("alg").is_none_or(|alg| alg == "ES256");
        if !curve || !usage {
            return Err(KeyError::Form);
        }
        let (x, y) = coordinate("x").zip(coordinate("y")).ok_or(KeyError::Form)?;
        Self::from_point(&[&[UNCOMPRESSED], x.as_slice(), y.as_slice()].concat())
    }

    fn from_point(point: &[u8]) -> Result<Self, KeyError> {
        let point: [u8; 65] = point.try_into().map_err(|_| KeyError::Form)?;
        let on_curve = aws_lc_rs::signature::ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).is_ok();
        if point.first() != Some(&UNCOMPRESSED) || !on_curve {
            return Err(KeyError::Form);
        }
        Ok(Self(point))
    }
}

impl std::fmt::Debug for AgentPublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AgentPublicKey({})", self.fingerprint().get(..16).unwrap_or_default())
    }
}

/// An agent's own key pair, for programs that are agents.
pub struct AgentKey(EcdsaKeyPair);

impl AgentKey {
    /// Makes a key pair; the randomness is the crypto library's.
    pub fn generate() -> Result<Self, KeyError> {
        EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Self).map_err(|_| KeyError::Signing)
    }

    /// Takes up a key pair that was kept as a PEM `PRIVATE KEY` (RFC 7468 §10).
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let body = pem.trim().strip_prefix(BEGIN_PRIVATE).ok_or(KeyError::Form)?;
        let body = body.strip_suffix(END_PRIVATE).ok_or(KeyError::Form)?;
        let text: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let der = BASE64.decode(text.as_bytes()).map_err(|_| KeyError::Form)?;
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der).map(Self).map_err(|_| KeyError::Form)
    }

    /// The pair as a PEM `PRIVATE KEY`, to be kept where nobody else reads it.
    pub fn to_pem(&self) -> Result<Opaque, KeyError> {
        let document = self.0.to_pkcs8v1().map_err(|_| KeyError::Signing)?;
        let mut lines = format!("{BEGIN_PRIVATE}\n");
        for line in document.as_ref().chunks(BYTES_OF_A_LINE) {
            lines.push_str(&BASE64.encode(line));
            lines.push('\n');
        }
        lines.push_str(END_PRIVATE);
        lines.push('\n');
        Ok(Opaque::new(lines))
    }

    /// The half that the identity document publishes.
    pub fn public_key(&self) -> Result<AgentPublicKey, KeyError> {
        AgentPublicKey::from_point(self.0.public_key().as_ref())
    }

    /// Signs with ES256: r and s, 32 bytes each (RFC 7518 §3.4).
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        #[expect(clippy::disallowed_methods, reason = "an ECDSA nonce is drawn inside the crypto library, never by us")]
        let signature = self.0.sign(&SystemRandom::new(), message).map_err(|_| KeyError::Signing)?;
        Ok(signature.as_ref().to_vec())
    }
}

impl std::fmt::Debug for AgentKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AgentKey([redacted])")
    }
}

const UNCOMPRESSED: u8 = 4;

const BEGIN_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----";
const END_PRIVATE: &str = "-----END PRIVATE KEY-----";
/// 64 characters of base64.
const BYTES_OF_A_LINE: usize = 48;

/// DER of a `SubjectPublicKeyInfo` for P-256, up to the point (RFC 5480 §2).
const SPKI_P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7515, appendix A.3.
    fn example() -> Value {
        json!({"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})
    }

    #[test]
    fn jwk_and_pem_are_the_same_key() {
        let jwk = AgentPublicKey::from_document(&example()).expect("a JWK");
        let pem = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n-----END PUBLIC KEY-----\n";
        assert_eq!(AgentPublicKey::from_document(&json!(pem)), Ok(jwk.clone()));
        assert_eq!(AgentPublicKey::from_document(&jwk.to_jwk()), Ok(jwk));
    }

    #[test]
    fn a_pair_is_kept_and_taken_up_again() {
        let pair = AgentKey::generate().expect("a key");
        let pem = pair.to_pem().expect("PEM");
        assert!(pem.expose().lines().all(|line| line.len() <= 64));
        let again = AgentKey::from_pem(pem.expose()).expect("the same");
        assert_eq!(again.public_key(), pair.public_key());
        let signature = again.sign(b"message").expect("signs");
        assert!(pair.public_key().expect("a key").verifies(b"message", &signature));
        for other in ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"] {
            assert_eq!(AgentKey::from_pem(other).err(), Some(KeyError::Form), "{other}");
        }
    }

    #[test]
    fn other_keys_are_refused() {
        let with = |name: &str, value: Value| {
            let mut jwk = example();
            jwk[name] = value;
            jwk
        };
        for value in [
            with("crv", json!("P-384")),
            with("kty", json!("RSA")),
            with("alg", json!("ES384")),
            with("use", json!("enc")),
            with("x", json!("AAAA")),
            with("y", json!("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU")),
            json!(null),
            json!("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"),
            json!("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----"),
        ] {
            assert_eq!(AgentPublicKey::from_document(&value), Err(KeyError::Form), "{value}");
        }
    }
}
