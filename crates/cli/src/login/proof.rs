use data_encoding::BASE64URL_NOPAD;
use secret::{CodeVerifier, Entropy, Opaque, SecretHash};

/// What shows that whoever presents a code asked for it (RFC 7636), and that an answer belongs to the request (RFC 6749 §10.12).
pub(super) struct Proof {
    pub(super) verifier: CodeVerifier,
    state: Opaque,
}

impl Proof {
    pub(super) fn new(entropy: &dyn Entropy) -> Self {
        let verifier = CodeVerifier::new(Opaque::generate("", entropy).expose());
        Self { verifier, state: Opaque::generate("", entropy) }
    }

    /// S256.
    pub(super) fn challenge(&self) -> String {
        BASE64URL_NOPAD.encode(&SecretHash::of(self.verifier.expose()).bytes())
    }

    pub(super) fn state(&self) -> &str {
        self.state.expose()
    }

    /// Whether an answer has this state; takes the same time wherever it differs.
    pub(super) fn is_answered_by(&self, state: &str) -> bool {
        self.state.hash().matches(state)
    }
}

#[cfg(test)]
mod tests {
    use secret::SeededEntropy;

    use super::*;

    #[test]
    fn the_challenge_is_the_one_of_rfc_7636() {
        // Appendix B.
        let verifier = CodeVerifier::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        let proof = Proof { verifier, state: Opaque::new("x".to_owned()) };
        assert_eq!(proof.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn verifier_and_state_are_drawn_apart() {
        let proof = Proof::new(&SeededEntropy::new(1));
        assert_ne!(proof.verifier.expose(), proof.state());
        assert!(proof.verifier.expose().len() == 43 && proof.is_answered_by(proof.state()));
        assert!(!proof.is_answered_by("") && !proof.is_answered_by("x"));
    }
}
