/// The signature algorithms that are taken (RFC 7518 §3.1, RFC 8037 §3.1). None is symmetric, and `none` is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Rs256,
    Ps256,
    Es256,
    Es384,
    Ed25519,
}

impl Algorithm {
    /// Reads `alg`. `Ed25519` is the newer name (RFC 9864) of what `EdDSA` means with such a key.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "PS256" => Some(Self::Ps256),
            "ES256" => Some(Self::Es256),
            "ES384" => Some(Self::Es384),
            "EdDSA" | "Ed25519" => Some(Self::Ed25519),
            _ => None,
        }
    }
}
