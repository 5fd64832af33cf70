//! Proof Key for Code Exchange (RFC 7636), with the method S256 alone.

use data_encoding::BASE64URL_NOPAD;
use secret::{CodeVerifier, Entropy};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Draws a verifier: 32 random octets as 43 characters of base64url (RFC 7636 §4.1).
#[must_use]
pub fn verifier(entropy: &dyn Entropy) -> CodeVerifier {
    let mut octets = Zeroizing::new([0u8; 32]);
    entropy.fill(octets.as_mut());
    CodeVerifier::new(BASE64URL_NOPAD.encode(octets.as_ref()))
}

/// The challenge that goes into the authorization URL (RFC 7636 §4.2).
#[must_use]
pub fn challenge(verifier: &CodeVerifier) -> String {
    BASE64URL_NOPAD.encode(&Sha256::digest(verifier.expose()))
}

#[cfg(test)]
mod tests {
    use secret::SeededEntropy;

    use super::*;

    /// The octets of RFC 7636, appendix B.
    struct AppendixB;

    impl Entropy for AppendixB {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.copy_from_slice(&[
                116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186, 22, 212, 37, 77, 105, 214,
                191, 240, 91, 88, 5, 88, 83, 132, 141, 121,
            ]);
        }
    }

    #[test]
    fn appendix_b() {
        let verifier = verifier(&AppendixB);
        assert_eq!(verifier.expose(), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(challenge(&verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn every_verifier_is_another() {
        let entropy = SeededEntropy::new(1);
        let (one, other) = (verifier(&entropy), verifier(&entropy));
        assert_eq!(one.expose().len(), 43);
        assert_ne!(one.expose(), other.expose());
    }
}
