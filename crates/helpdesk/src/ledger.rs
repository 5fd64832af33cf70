//! Codes, access tokens and refresh tokens: who holds what, until when.

use std::{collections::HashMap, time::Duration};

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};

use crate::{
    error::Error,
    presentation::Outcome,
    scope::Scopes,
    seed::User,
    settings::{Rotation, Successor},
};

/// Every credential ever issued. Spent and expired ones stay, so that the reasons for refusing them stay apart.
#[derive(Default)]
pub(crate) struct Ledger {
    codes: HashMap<String, Code>,
    access_tokens: HashMap<String, AccessToken>,
    refresh_tokens: HashMap<String, RefreshToken>,
    issued: Vec<String>,
    consents: u64,
}

/// What a user allowed in one consent. All credentials that come from it are one family.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) user: &'static User,
    pub(crate) scopes: Scopes,
    family: u64,
}

/// What a refresh gives.
pub(crate) struct Refreshed {
    /// With the scope that was asked for, for the access token.
    pub(crate) grant: Grant,
    /// Issued already, where the answer carries one.
    pub(crate) refresh_token: Option<String>,
    pub(crate) outcome: Outcome,
}

/// What a code is bound to (RFC 6749 §4.1.3, RFC 7636 §4.4).
pub(crate) struct Binding {
    pub(crate) redirect_uri: String,
    pub(crate) challenge: Option<Challenge>,
}

/// A PKCE challenge by S256 (RFC 7636 §4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Challenge(String);

impl Ledger {
    /// Records a consent and the code that stands for it.
    pub(crate) fn issue_code(
        &mut self,
        code: String,
        user: &'static User,
        scopes: Scopes,
        binding: Binding,
        expires_at: u64,
    ) {
        self.consents += 1;
        self.issued.push(code.clone());
        let grant = Grant { user, scopes, family: self.consents };
        self.codes.insert(code, Code { grant, binding, expires_at, spent: false });
    }

    /// Takes a code: any attempt spends it, and a second one revokes what came of the first (RFC 6749 §4.1.2).
    pub(crate) fn redeem(
        &mut self,
        code: &str,
        redirect_uri: &str,
        verifier: Option<&str>,
        now: u64,
    ) -> Result<Grant, Error> {
        let code = self.codes.get_mut(code).ok_or(Error::InvalidGrant("The code is unknown."))?;
        let grant = code.grant.clone();
        if std::mem::replace(&mut code.spent, true) {
            self.revoke_family(grant.family);
            return Err(Error::InvalidGrant("The code was used before."));
        }
        if now >= code.expires_at {
            return Err(Error::InvalidGrant("The code has expired."));
        }
        if code.binding.redirect_uri != redirect_uri {
            return Err(Error::InvalidGrant("The redirect_uri is not the one of the authorization request."));
        }
        match &code.binding.challenge {
            Some(challenge) if !verifier.is_some_and(|verifier| challenge.is_met_by(verifier)) => {
                Err(Error::InvalidGrant("The code_verifier does not match the code_challenge."))
            }
            _ => Ok(grant),
        }
    }

    /// Takes a refresh token: what becomes of it, and of its family if it comes back, is the rotation's matter. A
    /// request for more scopes than were granted leaves it as it is. `fresh` is what replaces it, where something does.
    pub(crate) fn refresh(
        &mut self,
        token: &str,
        scopes: Option<Scopes>,
        rotation: Rotation,
        fresh: String,
        now: Duration,
    ) -> Result<Refreshed, Error> {
        let held = self.refresh_tokens.get(token).ok_or(Error::InvalidGrant("The refresh token is unknown."))?;
        let granted = held.grant.clone();
        let outcome = match (&held.life, rotation) {
            (Life::Revoked, _) => return Err(Error::InvalidGrant("The refresh token was revoked.")),
            (Life::Live, _) => Outcome::Renewed,
            (Life::Replaced { at, by }, Rotation::RotatingWithGrace { window, successor })
                if now < *at + window && (successor == Successor::New || self.is_live(by)) =>
            {
                Outcome::RenewedAgain
            }
            (Life::Replaced { .. }, Rotation::None | Rotation::Rotating) => {
                return Err(Error::InvalidGrant("The refresh token was used before."));
            }
            (Life::Replaced { .. }, _) => {
                self.revoke_family(granted.family);
                return Err(Error::InvalidGrant(
                    "The refresh token was used before; everything that came of it is revoked.",
                ));
            }
        };
        let scopes = scopes.map_or_else(|| Ok(granted.scopes.clone()), |some| some.within(&granted.scopes))?;
        let refresh_token = self.successor(token, &granted, rotation, fresh, now);
        Ok(Refreshed { grant: Grant { scopes, ..granted }, refresh_token, outcome })
    }

    /// The refresh token for the answer: a new one keeps the scope of the old one (RFC 6749 §6).
    fn successor(
        &mut self,
        token: &str,
        granted: &Grant,
        rotation: Rotation,
        fresh: String,
        now: Duration,
    ) -> Option<String> {
        if rotation == Rotation::None {
            return None;
        }
        let held = self.refresh_tokens.get_mut(token)?;
        match (&held.life, rotation) {
            (Life::Replaced { by, .. }, Rotation::RotatingWithGrace { successor: Successor::Same, .. }) => {
                return Some(by.clone());
            }
            (Life::Live, _) => held.life = Life::Replaced { at: now, by: fresh.clone() },
            _ => {}
        }
        self.issue_refresh_token(fresh.clone(), granted.clone());
        Some(fresh)
    }

    fn is_live(&self, token: &str) -> bool {
        self.refresh_tokens.get(token).is_some_and(|token| matches!(token.life, Life::Live))
    }

    /// What is allowed without a code.
    pub(crate) fn grant(&mut self, user: &'static User, scopes: Scopes) -> Grant {
        self.consents += 1;
        Grant { user, scopes, family: self.consents }
    }

    pub(crate) fn issue_access_token(&mut self, token: String, grant: Grant, expires_at: u64) {
        self.issued.push(token.clone());
        self.access_tokens.insert(token, AccessToken { grant, expires_at });
    }

    pub(crate) fn issue_refresh_token(&mut self, token: String, grant: Grant) {
        self.issued.push(token.clone());
        self.refresh_tokens.insert(token, RefreshToken { grant, life: Life::Live });
    }

    /// What an access token that is alive stands for.
    pub(crate) fn authenticate(&self, token: &str, now: u64) -> Result<&Grant, Error> {
        let token = self.access_tokens.get(token).ok_or(Error::InvalidToken)?;
        if now < token.expires_at { Ok(&token.grant) } else { Err(Error::TokenExpired) }
    }

    /// Revokes an access token alone, or a refresh token with its family (RFC 7009 §2.1); unknown ones are no error.
    pub(crate) fn revoke(&mut self, token: &str) {
        self.access_tokens.remove(token);
        if let Some(family) = self.refresh_tokens.get(token).map(|token| token.grant.family) {
            self.revoke_family(family);
        }
    }

    pub(crate) fn expire_all_access_tokens(&mut self) {
        self.access_tokens.values_mut().for_each(|token| token.expires_at = 0);
    }

    pub(crate) fn revoke_all_refresh_tokens(&mut self) {
        self.refresh_tokens.values_mut().for_each(|token| token.life = Life::Revoked);
    }

    /// Every credential ever issued, oldest first.
    pub(crate) fn issued(&self) -> &[String] {
        &self.issued
    }

    fn revoke_family(&mut self, family: u64) {
        self.access_tokens.retain(|_, token| token.grant.family != family);
        let tokens = self.refresh_tokens.values_mut();
        tokens.filter(|token| token.grant.family == family).for_each(|token| token.life = Life::Revoked);
    }
}

impl Challenge {
    /// Checks the parameters of RFC 7636 §4.3; the plain method is not accepted.
    pub(crate) fn parse(challenge: Option<&str>, method: Option<&str>) -> Result<Self, Error> {
        let challenge = challenge.ok_or(Error::InvalidRequest("PKCE is required: code_challenge is missing."))?;
        if method != Some("S256") {
            return Err(Error::InvalidRequest("PKCE is required with code_challenge_method=S256."));
        }
        match BASE64URL_NOPAD.decode(challenge.as_bytes()) {
            Ok(hash) if hash.len() == 32 => Ok(Self(challenge.to_owned())),
            _ => Err(Error::InvalidRequest("The code_challenge is not a SHA-256 hash in base64url.")),
        }
    }

    fn is_met_by(&self, verifier: &str) -> bool {
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        (43..=128).contains(&verifier.len())
            && verifier.bytes().all(unreserved)
            && BASE64URL_NOPAD.encode(&Sha256::digest(verifier)) == self.0
    }
}

struct Code {
    grant: Grant,
    binding: Binding,
    expires_at: u64,
    spent: bool,
}

struct AccessToken {
    grant: Grant,
    expires_at: u64,
}

struct RefreshToken {
    grant: Grant,
    life: Life,
}

enum Life {
    Live,
    /// Since when, and by which refresh token.
    Replaced {
        at: Duration,
        by: String,
    },
    Revoked,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7636 appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn the_verifier_of_the_rfc_meets_its_challenge() {
        let challenge = Challenge::parse(Some(CHALLENGE), Some("S256")).unwrap();
        assert!(challenge.is_met_by(VERIFIER));
        assert!(!challenge.is_met_by(CHALLENGE));
        assert!(!challenge.is_met_by("short"));
    }

    #[test]
    fn only_s256_is_a_challenge() {
        for (challenge, method) in [
            (None, Some("S256")),
            (Some(CHALLENGE), None),
            (Some(CHALLENGE), Some("plain")),
            (Some("tooshort"), Some("S256")),
        ] {
            assert!(Challenge::parse(challenge, method).is_err(), "{challenge:?} {method:?}");
        }
    }
}
