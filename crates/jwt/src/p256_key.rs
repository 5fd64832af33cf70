use aws_lc_rs::agreement::{self, ECDH_P256};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use secret::Entropy;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::signing_key::{SigningError, SigningKey};

/// A key pair of the gateway's own on P-256, for `ES256`.
pub struct P256Key {
    key: SigningKey,
    pkcs8: Zeroizing<Vec<u8>>,
    jwk: Value,
    thumbprint: String,
}

impl P256Key {
    /// Draws one; `None` where the entropy is none.
    pub fn draw(entropy: &dyn Entropy) -> Option<Self> {
        // All but a few of 2^256 numbers are private keys.
        (0..DRAWS).find_map(|_| {
            let mut scalar = Zeroizing::new([0; 32]);
            entropy.fill(&mut scalar[..]);
            let private = agreement::PrivateKey::from_private_key(&ECDH_P256, &scalar[..]).ok()?;
            let public = private.compute_public_key().ok()?;
            let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
            let pair = EcdsaKeyPair::from_private_key_and_public_key(algorithm, &scalar[..], public.as_ref()).ok()?;
            let pkcs8 = Zeroizing::new(pair.to_pkcs8v1().ok()?.as_ref().to_vec());
            Some(Self::new(pair, pkcs8))
        })
    }

    /// Reads what [`P256Key::to_text`] wrote.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let pkcs8 = Zeroizing::new(BASE64.decode(text.as_bytes()).ok()?);
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8).ok()?;
        Some(Self::new(pair, pkcs8))
    }

    /// The private key, to be sealed: PKCS#8 in base64.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE64.encode(&self.pkcs8))
    }

    /// The public half: `kty`, `crv`, `x` and `y` (RFC 7518 §6.2.1).
    #[must_use]
    pub fn jwk(&self) -> &Value {
        &self.jwk
    }

    /// What the public half is called after itself (RFC 7638).
    #[must_use]
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// The compact form of a statement under this header, to which `alg` is added.
    pub fn sign(&self, header: Value, claims: &Value) -> Result<String, SigningError> {
        self.key.sign(header, claims)
    }

    fn new(pair: EcdsaKeyPair, pkcs8: Zeroizing<Vec<u8>>) -> Self {
        // One byte that says that the point is whole, and its coordinates of 32 bytes each.
        let point = pair.public_key().as_ref().get(1..).unwrap_or_default();
        let (x, y) = point.split_at_checked(32).unwrap_or_default();
        let (x, y) = (BASE64URL_NOPAD.encode(x), BASE64URL_NOPAD.encode(y));
        // RFC 7638 §3: these members, in this order, without a space.
        let canonical = format!("{{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"{x}\",\"y\":\"{y}\"}}");
        let thumbprint = BASE64URL_NOPAD.encode(&Sha256::digest(canonical));
        Self {
            key: SigningKey::es256(pair),
            pkcs8,
            jwk: json!({"kty": "EC", "crv": "P-256", "x": x, "y": y}),
            thumbprint,
        }
    }
}

impl std::fmt::Debug for P256Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("P256Key([redacted])")
    }
}

const DRAWS: usize = 8;
