//! Statements of others that are believed: of clients about themselves (RFC 7523 §2.2), and of an enterprise about its people.

use std::time::Duration;

use jwt::{Audience, Claims, Expected, JwtError, Name, Typ};
use protocol::Timestamp;
use secret::SecretHash;
use serde_json::Value;
use store::{Life, Written};

use super::documents::LATER;
use super::keys::{KeysOf, KeysProblem};
use super::{Enterprise, EnterpriseKeys, FrontError, GrantProblem, IdentityAssertions};
use crate::Broker;
use crate::fetches::FetchError;
use crate::records::Jti;

/// Whom an enterprise speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Somebody {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    /// What the person would know themselves by.
    pub(crate) label: Option<String>,
}

impl Broker {
    /// Whether `assertion` proves that its bearer is the client that calls itself `client`: once.
    pub(crate) async fn verify_client_assertion(
        &self,
        assertion: &str,
        client: &str,
        keys: KeysOf<'_>,
    ) -> Result<(), FrontError> {
        let endpoint = self.urls.oauth_token();
        let expected = Expected {
            typ: Typ::PlainOr("client-authentication+jwt"),
            issuer: client,
            subject: Some(client),
            audience: Audience::Text(&[self.urls.public(), &endpoint]),
            longest: LONGEST_ASSERTION,
            jti: Name::Needed,
        };
        let claims = self.statement(assertion, keys, &expected).await?;
        self.spend("client assertion", client, &claims).await
    }

    /// Whom an ID token of the enterprise's is about, that was issued to one of `audiences` (OpenID Connect Core §3.1.3.7).
    pub(crate) async fn verify_id_token(&self, token: &str, audiences: &[String]) -> Result<Somebody, FrontError> {
        let enterprise = self.front.enterprise.as_ref().ok_or(FrontError::GrantType)?;
        let audiences: Vec<&str> = audiences.iter().map(String::as_str).collect();
        let expected = Expected {
            typ: Typ::Plain,
            issuer: &enterprise.issuer,
            subject: None,
            audience: Audience::TextOrList(&audiences),
            longest: LONGEST_ID_TOKEN,
            jti: Name::Optional,
        };
        let claims = self.statement(token, keys_of(enterprise), &expected).await?;
        let told = |name: &str| claims.all().contains_key(name);
        // Access and logout tokens of the same issuer are statements too, with much the same claims.
        if ["scope", "scp", "events"].into_iter().any(told) || !is_one_of(&claims, "typ", &["ID"]) {
            return Err(refused("is no ID token"));
        }
        // Issued to somebody else, for this audience.
        if !is_one_of(&claims, "azp", &audiences) {
            return Err(refused("`azp` is not the client that it was issued to"));
        }
        Ok(subject(enterprise, &claims))
    }

    /// Whom an identity assertion of the enterprise's is about (ID-JAG), with the resource and the scope that it is for: once, for the
    /// client that calls itself `client`.
    pub(crate) async fn verify_identity_assertion(
        &self,
        assertion: &str,
        client: &str,
    ) -> Result<(Somebody, Option<String>, Option<String>), FrontError> {
        let enterprise = self.front.enterprise.as_ref();
        let taken = enterprise.filter(|enterprise| enterprise.identity_assertions == IdentityAssertions::Taken);
        let enterprise = taken.ok_or(FrontError::GrantType)?;
        let expected = Expected {
            typ: Typ::Only("oauth-id-jag+jwt"),
            issuer: &enterprise.issuer,
            subject: None,
            audience: Audience::Text(&[self.urls.public()]),
            longest: LONGEST_ASSERTION,
            jti: Name::Needed,
        };
        let claims = self.statement(assertion, keys_of(enterprise), &expected).await?;
        if claims.text("client_id") != Ok(Some(client)) {
            return Err(refused("`client_id` is not the client that presents it"));
        }
        let scope = claims.text("scope").map_err(disbelieved)?.map(str::to_owned);
        let resource = match claims.all().get("resource") {
            None => None,
            Some(Value::String(resource)) => Some(resource.clone()),
            Some(_) => return Err(refused("`resource` is not one text")),
        };
        self.spend("identity assertion", &enterprise.issuer, &claims).await?;
        Ok((subject(enterprise, &claims), resource, scope))
    }

    /// Believes a statement by these keys; where it does not verify, by the keys as they are now.
    async fn statement(&self, token: &str, keys: KeysOf<'_>, expected: &Expected<'_>) -> Result<Claims, FrontError> {
        let known = self.key_sets.get(keys).await.map_err(|problem| unavailable(&problem))?;
        let now = self.now().as_secs();
        let verified = jwt::verify(token, &known, expected, now);
        if !matches!(verified, Err(JwtError::UnknownKey | JwtError::Signature)) {
            return verified.map_err(disbelieved);
        }
        let Some(fetched) = self.key_sets.anew(keys).await else { return verified.map_err(disbelieved) };
        let fetched = fetched.map_err(|problem| unavailable(&problem))?;
        jwt::verify(token, &fetched, expected, now).map_err(disbelieved)
    }

    /// Writes the statement's name down, until it would be refused as expired; refuses it where it stands there already.
    async fn spend(&self, kind: &str, issuer: &str, claims: &Claims) -> Result<(), FrontError> {
        let name = claims.name().ok_or(FrontError::Grant(GrantProblem::Assertion))?;
        let hash = SecretHash::of(&format!("{kind}\n{issuer}\n{name}"));
        let now = self.now();
        let life = Life::For(Timestamp::from_secs(claims.expires()).since(now) + CLOCK_SKEW);
        let written = self.vault.insert(&Jti::key(hash), &Jti { seen: now }, life).await.map_err(FrontError::from)?;
        match written {
            Written::Done => Ok(()),
            Written::Refused => Err(FrontError::Grant(GrantProblem::AssertionReplayed)),
        }
    }
}

fn keys_of(enterprise: &Enterprise) -> KeysOf<'_> {
    match &enterprise.keys {
        EnterpriseKeys::Given(set) => KeysOf::Given(set),
        EnterpriseKeys::At(url) => KeysOf::Operator(url),
    }
}

/// Best first, as where people sign in.
fn subject(enterprise: &Enterprise, claims: &Claims) -> Somebody {
    let names = ["email", "name", "preferred_username"].into_iter();
    let label =
        names.filter_map(|name| claims.text(name).ok().flatten()).find_map(|name| crate::text::named(name, 120));
    Somebody { issuer: enterprise.issuer.clone(), subject: claims.subject().to_owned(), label }
}

/// Whether a claim is one of these, where it is there.
fn is_one_of(claims: &Claims, name: &str, allowed: &[&str]) -> bool {
    claims.all().get(name).is_none_or(|value| value.as_str().is_some_and(|value| allowed.contains(&value)))
}

fn disbelieved(error: JwtError) -> FrontError {
    tracing::debug!(reason = error.reason(), "a statement is not believed: {error}");
    FrontError::Grant(GrantProblem::Assertion)
}

fn refused(why: &str) -> FrontError {
    tracing::debug!(why, "a statement is not believed");
    FrontError::Grant(GrantProblem::Assertion)
}

fn unavailable(problem: &KeysProblem) -> FrontError {
    if matches!(problem, KeysProblem::Fetch(FetchError::Busy)) {
        return FrontError::TooMany { retry_after: LATER };
    }
    if matches!(problem, KeysProblem::Fetch(FetchError::Unreachable) | KeysProblem::Transport(_)) {
        tracing::warn!("the keys that a statement is to be verified with cannot be had: {problem}");
        return FrontError::KeysUnreachable;
    }
    let cause = std::error::Error::source(problem).map(|cause| format!(": {cause}")).unwrap_or_default();
    tracing::warn!("the keys that a statement is to be verified with cannot be had: {problem}{cause}");
    FrontError::Grant(GrantProblem::Assertion)
}

/// What libraries sign by default is good for an hour; it is taken once in any case.
const LONGEST_ASSERTION: Duration = Duration::from_secs(60 * 60 + 60);
/// Those of some identity providers last for a working day.
const LONGEST_ID_TOKEN: Duration = Duration::from_secs(24 * 60 * 60);
/// Replicas' clocks may differ; one that is behind still accepts what another has forgotten.
const CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);

#[cfg(test)]
#[path = "assertion_tests.rs"]
mod tests;
