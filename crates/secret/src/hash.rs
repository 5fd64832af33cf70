use aws_lc_rs::constant_time::verify_slices_are_equal;
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::Entropy;

/// A secret of the gateway's own, before it is handed to the party it is for: 256 random bits behind a prefix.
///
/// The gateway keeps only its [`SecretHash`].
#[derive(Clone)]
pub struct Opaque(Zeroizing<String>);

impl Opaque {
    /// Draws a new secret, `prefix` followed by 43 characters of base64url.
    #[must_use]
    pub fn generate(prefix: &str, entropy: &dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0u8; 32]);
        entropy.fill(bytes.as_mut());
        Self(Zeroizing::new(format!("{prefix}{}", BASE64URL_NOPAD.encode(bytes.as_ref()))))
    }

    /// A secret that follows from another one.
    #[must_use]
    pub fn new(secret: String) -> Self {
        Self(Zeroizing::new(secret))
    }

    /// The secret as its receiver gets it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What the gateway keeps of it.
    #[must_use]
    pub fn hash(&self) -> SecretHash {
        SecretHash::of(&self.0)
    }
}

impl std::fmt::Debug for Opaque {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Opaque([redacted])")
    }
}

/// SHA-256 of a secret that carries enough entropy of its own to need no salt.
///
/// Records are found by it, so a look-up never compares secrets; where two hashes are compared, it is in constant time.
#[derive(Clone, Copy)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// The hash of what a client presented.
    #[must_use]
    pub fn of(presented: &str) -> Self {
        Self(Sha256::digest(presented.as_bytes()).into())
    }

    /// The hash that a record holds in the form of [`SecretHash::to_hex`]; `None` where it is no such form.
    #[must_use]
    pub fn from_hex(hex: &str) -> Option<Self> {
        let bytes = HEXLOWER.decode(hex.as_bytes()).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }

    /// For tables that find a record by what was presented; not for comparing secrets.
    #[must_use]
    pub const fn bytes(&self) -> [u8; 32] {
        self.0
    }

    /// 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn to_hex(&self) -> String {
        HEXLOWER.encode(&self.0)
    }

    /// Whether both are hashes of the same; takes the same time whichever byte differs.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        verify_slices_are_equal(&self.0, &other.0).is_ok()
    }

    /// Whether `presented` is the secret behind this hash; takes the same time whichever byte differs.
    #[must_use]
    pub fn matches(&self, presented: &str) -> bool {
        verify_slices_are_equal(&self.0, &Self::of(presented).0).is_ok()
    }
}

impl std::fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretHash([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeededEntropy;

    #[test]
    fn a_generated_secret_follows_from_the_seed() {
        let secret = Opaque::generate("ath_tk_", &SeededEntropy::new(7));
        assert_eq!(secret.expose(), "ath_tk_6N2UPTZsque-twbGrmaO_wolf8Vu3CfXsvocMb3y7sE");
        assert_eq!(secret.expose().len(), "ath_tk_".len() + 43);
        assert_eq!(format!("{secret:?}"), "Opaque([redacted])");
    }

    #[test]
    fn a_hash_is_sha256_and_survives_its_written_form() {
        let hash = SecretHash::of("abc");
        assert_eq!(hash.to_hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let read = SecretHash::from_hex(&hash.to_hex()).expect("written by to_hex");
        assert!(read.matches("abc"));
        assert!(!read.matches("abd"));
        assert!(SecretHash::from_hex("ba78").is_none());
        assert!(SecretHash::from_hex("zz").is_none());
    }
}
