use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use secret::SecretHash;
use serde_json::{Map, Value, json};

use crate::jws::Compact;
use crate::{AgentId, AgentKey, AgentPublicKey, KeyError, Timestamp};

/// The URLs that an attestation may name as its audience at one endpoint. Compared as whole strings.
#[derive(Debug, Clone)]
pub struct Audience(Vec<String>);

impl Audience {
    /// Register and authorize: the gateway's public URL, with or without a trailing slash, or the endpoint's own URL.
    #[must_use]
    pub fn handshake(public_url: &str, endpoint: &str) -> Self {
        Self(vec![public_url.to_owned(), format!("{public_url}/"), endpoint.to_owned()])
    }

    /// Token: the token endpoint's URL alone (ATH 0.1, conformance line 25).
    #[must_use]
    pub fn token(endpoint: &str) -> Self {
        Self(vec![endpoint.to_owned()])
    }

    fn contains(&self, aud: &str) -> bool {
        self.0.iter().any(|expected| expected == aud)
    }
}

/// Why an attestation is refused. [`AttestationError::reason`] is what the agent reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AttestationError {
    /// Not a compact ES256 JWS, or not strictly encoded.
    #[error("the attestation is malformed: {0}")]
    Malformed(&'static str),
    /// A claim is missing or of the wrong type.
    #[error("the claim `{0}` is missing or of the wrong type")]
    Claim(&'static str),
    /// `sub` is not the agent that the request is about.
    #[error("`sub` is not the agent_id of this request")]
    Subject,
    /// `iss` is neither the `agent_id` nor its origin.
    #[error("`iss` is neither the agent_id nor its origin")]
    Issuer,
    /// `aud` is not this endpoint.
    #[error("`aud` is not an audience of this endpoint")]
    Audience,
    /// `iat` is more than five minutes from now.
    #[error("`iat` is more than five minutes from the gateway's clock")]
    IssuedAt,
    /// `exp` is over, or more than an hour after `iat`.
    #[error("`exp` has passed, or lies more than an hour after `iat`")]
    Expired,
    /// The signature is not the agent's.
    #[error("the signature does not verify with the agent's public key")]
    Signature,
}

crate::each!(AttestationError {
    Malformed(_) => [Malformed("three parts")],
    Claim(_) => [Claim("sub")],
    Subject => [Subject],
    Issuer => [Issuer],
    Audience => [Audience],
    IssuedAt => [IssuedAt],
    Expired => [Expired],
    Signature => [Signature],
});

impl AttestationError {
    /// The fixed word for `details.reason`.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Malformed(_) => "attestation_malformed",
            Self::Claim(_) => "attestation_claim",
            Self::Subject => "subject_mismatch",
            Self::Issuer => "issuer_mismatch",
            Self::Audience => "audience_mismatch",
            Self::IssuedAt => "issued_at_out_of_range",
            Self::Expired => "attestation_expired",
            Self::Signature => "signature_mismatch",
        }
    }
}

/// An attestation JWT, taken apart and not yet believed.
pub struct Attestation {
    jws: Compact,
    claims: Claims,
}

impl Attestation {
    /// Takes a compact JWS apart, strictly: every claim of ATH 0.1 present and of its exact type.
    pub fn parse(text: &str) -> Result<Self, AttestationError> {
        let jws = Compact::parse(text).map_err(|malformed| AttestationError::Malformed(malformed.0))?;
        let claims = Claims::read(&jws.claims)?;
        Ok(Self { jws, claims })
    }

    /// Signs a fresh attestation, valid for `lifetime`: what agents do.
    pub fn sign(
        key: &AgentKey,
        agent: &AgentId,
        audience: &str,
        now: Timestamp,
        jti: &str,
    ) -> Result<String, KeyError> {
        let header = json!({"alg": "ES256", "typ": "JWT", "kid": "default"});
        let exp = now.plus(MAX_LIFETIME).as_secs();
        let claims = json!({
            "iss": agent.as_str(), "sub": agent.as_str(), "aud": audience,
            "iat": now.as_secs(), "exp": exp, "jti": jti, "capabilities": [],
        });
        let encode = |value: Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let input = format!("{}.{}", encode(header), encode(claims));
        let signature = BASE64URL_NOPAD.encode(&key.sign(input.as_bytes())?);
        Ok(format!("{input}.{signature}"))
    }

    /// Checks what costs nothing, before any key is fetched: whom it is about, whom it is for, and when it was made.
    pub fn check(&self, agent: &AgentId, audience: &Audience, now: Timestamp) -> Result<(), AttestationError> {
        let claims = &self.claims;
        if claims.sub != agent.as_str() {
            return Err(AttestationError::Subject);
        }
        if claims.iss != agent.as_str() && claims.iss != agent.origin() {
            return Err(AttestationError::Issuer);
        }
        if !audience.contains(&claims.aud) {
            return Err(AttestationError::Audience);
        }
        let issued = Timestamp::from_secs(claims.iat);
        if now.since(issued) > MAX_SKEW || issued.since(now) > MAX_SKEW {
            return Err(AttestationError::IssuedAt);
        }
        let lifetime = claims.exp.checked_sub(claims.iat).ok_or(AttestationError::Expired)?;
        if claims.exp <= now.as_secs() || lifetime > MAX_LIFETIME.as_secs() {
            return Err(AttestationError::Expired);
        }
        if claims.nbf.is_some_and(|nbf| Timestamp::from_secs(nbf).since(now) > MAX_SKEW) {
            return Err(AttestationError::IssuedAt);
        }
        Ok(())
    }

    /// The last step: the claims once more, then the signature. What comes out is a fact.
    pub fn verify(
        &self,
        agent: &AgentId,
        audience: &Audience,
        key: &AgentPublicKey,
        now: Timestamp,
    ) -> Result<Attested, AttestationError> {
        self.check(agent, audience, now)?;
        if !key.verifies(self.jws.signing_input(), self.jws.signature()) {
            return Err(AttestationError::Signature);
        }
        Ok(Attested {
            agent_id: agent.clone(),
            jti: SecretHash::of(&format!("{}\n{}", agent, self.claims.jti)),
            // A replay is possible as long as the token is accepted, that is until `exp`.
            expires: Timestamp::from_secs(self.claims.exp),
        })
    }
}

/// The proof that an agent signed this request, now, for this endpoint. Whether it did so before is for the replay cache to say.
#[derive(Debug)]
pub struct Attested {
    agent_id: AgentId,
    jti: SecretHash,
    expires: Timestamp,
}

impl Attested {
    /// Who signed.
    #[must_use]
    pub fn agent_id(&self) -> &AgentId {
        &self.agent_id
    }

    /// Names this one attestation among all of all agents.
    #[must_use]
    pub fn jti(&self) -> SecretHash {
        self.jti
    }

    /// Until when a replay has to be remembered.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.expires
    }
}

struct Claims {
    iss: String,
    sub: String,
    aud: String,
    iat: u64,
    exp: u64,
    nbf: Option<u64>,
    jti: String,
}

impl Claims {
    fn read(claims: &Map<String, Value>) -> Result<Self, AttestationError> {
        let text = |name: &'static str| {
            claims.get(name).and_then(Value::as_str).map(str::to_owned).ok_or(AttestationError::Claim(name))
        };
        let seconds = |name: &'static str| {
            claims
                .get(name)
                .and_then(Value::as_u64)
                .filter(|secs| *secs < MAX_SECONDS)
                .ok_or(AttestationError::Claim(name))
        };
        let jti = text("jti")?;
        if jti.is_empty() || jti.chars().count() > 128 {
            return Err(AttestationError::Claim("jti"));
        }
        let nbf = if claims.contains_key("nbf") { Some(seconds("nbf")?) } else { None };
        match claims.get("capabilities") {
            None => {}
            Some(Value::Array(list)) if list.iter().all(Value::is_string) => {}
            Some(_) => return Err(AttestationError::Claim("capabilities")),
        }
        Ok(Self {
            iss: text("iss")?,
            sub: text("sub")?,
            aud: text("aud")?,
            iat: seconds("iat")?,
            exp: seconds("exp")?,
            nbf,
            jti,
        })
    }
}

const MAX_SKEW: Duration = Duration::from_secs(5 * 60);
const MAX_LIFETIME: Duration = Duration::from_secs(60 * 60);
/// Beyond the year 9999 no clock is meant; this keeps arithmetic far from overflow.
const MAX_SECONDS: u64 = 253_402_300_800;

#[cfg(test)]
#[path = "attestation_tests.rs"]
mod tests;
