use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256, RsaKeyPair,
};
use data_encoding::BASE64URL_NOPAD;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::Value;

/// A private key that signs, with the one algorithm it is used for (RFC 7518 §3.1, RFC 8037 §3.1).
pub struct SigningKey {
    pair: Pair,
    algorithm: &'static str,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Rsa(Box<RsaKeyPair>),
    Ed25519(Ed25519KeyPair),
}

/// Why a text is no key that signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SigningKeyError {
    /// No PEM, or no private key in it.
    #[error("is no private key in PEM")]
    Pem,
    /// A key of a kind that nobody signs statements with.
    #[error("is a key of another kind than RSA (2048 bits or more), P-256, P-384 and Ed25519")]
    Kind,
    /// Another algorithm than the key is for.
    #[error("is no key for this algorithm")]
    Algorithm,
}

/// The crypto library did not sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the statement could not be signed")]
pub struct SigningError;

impl SigningKey {
    /// Reads a PEM text: PKCS#8, PKCS#1 or SEC1. An RSA key signs by `RS256` unless `algorithm` is `PS256`; of other keys the algorithm
    /// follows.
    pub fn from_pem(pem: &str, algorithm: Option<&str>) -> Result<Self, SigningKeyError> {
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| SigningKeyError::Pem)?;
        let der = key.secret_der();
        let found = [
            EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, der)
                .ok()
                .map(|pair| (Pair::Ecdsa(pair), "ES256")),
            EcdsaKeyPair::from_private_key_der(&ECDSA_P384_SHA384_FIXED_SIGNING, der)
                .ok()
                .map(|pair| (Pair::Ecdsa(pair), "ES384")),
            Ed25519KeyPair::from_pkcs8(der).ok().map(|pair| (Pair::Ed25519(pair), "EdDSA")),
            rsa(&key)
                .map(|pair| (Pair::Rsa(Box::new(pair)), if algorithm == Some("PS256") { "PS256" } else { "RS256" })),
        ];
        let (pair, own) = found.into_iter().flatten().next().ok_or(SigningKeyError::Kind)?;
        if algorithm.is_some_and(|algorithm| algorithm != own) {
            return Err(SigningKeyError::Algorithm);
        }
        Ok(Self { pair, algorithm: own })
    }

    /// A key of P-256.
    pub(crate) fn es256(pair: EcdsaKeyPair) -> Self {
        Self { pair: Pair::Ecdsa(pair), algorithm: "ES256" }
    }

    /// The `alg` of what it signs.
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        self.algorithm
    }

    /// The compact form of a statement under this header, to which `alg` is added.
    pub fn sign(&self, mut header: Value, claims: &Value) -> Result<String, SigningError> {
        if let Some(header) = header.as_object_mut() {
            header.insert("alg".to_owned(), self.algorithm.into());
        }
        let encode = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let text = format!("{}.{}", encode(&header), encode(claims));
        let signature = self.signature(text.as_bytes()).ok_or(SigningError)?;
        Ok(format!("{text}.{}", BASE64URL_NOPAD.encode(&signature)))
    }

    pub(crate) fn signature(&self, text: &[u8]) -> Option<Vec<u8>> {
        #[expect(clippy::disallowed_methods, reason = "the library signs by randomness of its own, and takes no other")]
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ecdsa(pair) => Some(pair.sign(&random, text).ok()?.as_ref().to_vec()),
            Pair::Ed25519(pair) => Some(pair.sign(text).as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let padding = if self.algorithm == "PS256" { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, text, &mut signature).ok()?;
                Some(signature)
            }
        }
    }
}

fn rsa(key: &PrivateKeyDer<'_>) -> Option<RsaKeyPair> {
    let pair = match key {
        PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).ok()?,
        PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()).ok()?,
        _ => return None,
    };
    (pair.public_modulus_len() >= 256).then_some(pair)
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.algorithm)
    }
}
