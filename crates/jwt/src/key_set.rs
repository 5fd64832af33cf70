use serde_json::{Map, Value};

use crate::algorithm::Algorithm;
use crate::public_key::PublicKey;

/// Public keys that statements are verified with: a JWK set (RFC 7517 §5).
#[derive(Clone)]
pub struct KeySet(Vec<Listed>);

#[derive(Clone)]
struct Listed {
    id: Option<String>,
    algorithm: Option<Algorithm>,
    key: PublicKey,
}

/// Why a JWK set is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// No object with a list `keys` of objects.
    #[error("is no JWK set: an object with a list `keys`")]
    Form,
    /// More than 32 keys.
    #[error("has more than 32 keys")]
    TooMany,
    /// A key is malformed, or no point on its curve.
    #[error("has a malformed key")]
    Key,
    /// An RSA key of fewer than 2048 bits or more than 8192, or with an exponent that nobody uses.
    #[error("has an RSA key of fewer than 2048 or more than 8192 bits, or with an unusual exponent")]
    Weak,
    /// The private half of a key, or a shared secret.
    #[error(
        "holds a private key, which whoever reads it could sign with: make a new one, and publish its public half alone"
    )]
    Private,
    /// None that signatures are verified with.
    #[error("has no key for signatures: RSA, EC on P-256 or P-384, or OKP on Ed25519")]
    Empty,
}

impl KeySet {
    /// Reads a JWK set. Keys for something else than signatures, and of kinds that are not taken, are passed over (RFC 7517 §5).
    pub fn parse(set: &Value) -> Result<Self, KeySetError> {
        let keys = set.get("keys").and_then(Value::as_array).ok_or(KeySetError::Form)?;
        if keys.len() > MOST_KEYS {
            return Err(KeySetError::TooMany);
        }
        let mut listed = Vec::new();
        for jwk in keys {
            listed.extend(read(jwk.as_object().ok_or(KeySetError::Form)?)?);
        }
        if listed.is_empty() {
            return Err(KeySetError::Empty);
        }
        Ok(Self(listed))
    }

    /// The keys that a statement with this `kid` may be signed with. A key without an id fits any.
    pub(crate) fn fitting(&self, id: Option<&str>, algorithm: Algorithm) -> impl Iterator<Item = &PublicKey> {
        let named = move |listed: &&Listed| match (id, &listed.id) {
            (Some(id), Some(own)) => id == own,
            _ => true,
        };
        let meant =
            move |listed: &&Listed| listed.key.fits(algorithm) && listed.algorithm.is_none_or(|own| own == algorithm);
        self.0.iter().filter(named).filter(meant).map(|listed| &listed.key)
    }
}

impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeySet({})", self.0.len())
    }
}

fn read(jwk: &Map<String, Value>) -> Result<Option<Listed>, KeySetError> {
    if PRIVATE.iter().any(|name| jwk.contains_key(*name)) {
        return Err(KeySetError::Private);
    }
    let text = |name: &str| match jwk.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(KeySetError::Key),
    };
    let operations = match jwk.get("key_ops") {
        None => true,
        Some(Value::Array(operations)) => operations.iter().any(|operation| operation == "verify"),
        Some(_) => return Err(KeySetError::Key),
    };
    if text("use")?.is_some_and(|usage| usage != "sig") || !operations {
        return Ok(None);
    }
    let id = text("kid")?.map(str::to_owned);
    let algorithm = match text("alg")?.map(Algorithm::parse) {
        Some(None) => return Ok(None),
        algorithm => algorithm.flatten(),
    };
    Ok(PublicKey::parse(jwk)?.map(|key| Listed { id, algorithm, key }))
}

const MOST_KEYS: usize = 32;
/// RFC 7518 §6.2.2, §6.3.2, §6.4.
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
