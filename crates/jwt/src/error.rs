/// Why a statement is refused. Says what is wrong with it, never what stood there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// Not a compact JWS, or not strictly encoded.
    #[error("it is malformed: {0}")]
    Malformed(&'static str),
    /// `alg` is none that is taken.
    #[error("`alg` is none of RS256, PS256, ES256, ES384 and EdDSA")]
    Algorithm,
    /// The header has a member that is not taken, or one of the wrong type; names it.
    #[error("`{0}` in its header is not accepted")]
    Header(&'static str),
    /// `typ` says that it is something else.
    #[error("`typ` says that it is something else than is wanted here")]
    Typ,
    /// A claim is missing or of the wrong form; names it.
    #[error("the claim `{0}` is missing or of the wrong form")]
    Claim(&'static str),
    /// `iss` is somebody else.
    #[error("`iss` is not the issuer that is expected here")]
    Issuer,
    /// `sub` is somebody else.
    #[error("`sub` is not the subject that is expected here")]
    Subject,
    /// `aud` is not exactly what it must be.
    #[error("`aud` is not exactly the audience that is expected here")]
    Audience,
    /// Its time is over.
    #[error("`exp` has passed")]
    Expired,
    /// It is from the future.
    #[error("`iat` or `nbf` lies in the future")]
    NotYet,
    /// It is good for longer than is taken.
    #[error("`exp` lies too far in the future")]
    TooLong,
    /// None of the keys has this `kid`, or is for this `alg`. Fetching the keys again may help.
    #[error("none of the issuer's keys has its `kid` and fits its `alg`")]
    UnknownKey,
    /// The signature is not the issuer's.
    #[error("its signature does not verify with the issuer's key")]
    Signature,
}

impl JwtError {
    /// The fixed word for it.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Malformed(_) => "jwt_malformed",
            Self::Algorithm => "jwt_algorithm",
            Self::Header(_) => "jwt_header",
            Self::Typ => "jwt_type",
            Self::Claim(_) => "jwt_claim",
            Self::Issuer => "jwt_issuer",
            Self::Subject => "jwt_subject",
            Self::Audience => "jwt_audience",
            Self::Expired => "jwt_expired",
            Self::NotYet => "jwt_not_yet",
            Self::TooLong => "jwt_too_long",
            Self::UnknownKey => "jwt_unknown_key",
            Self::Signature => "jwt_signature",
        }
    }
}
