//! Who a client says it is, and how it proves it (RFC 6749 §2.3, RFC 7521 §4.2).

use broker::{Broker, ClientCredential, Presented, ProvenClient};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use http::{HeaderMap, header};
use secret::ClientSecret;
use serde_json::Value;

use crate::form::{Form, decode};
use crate::own::Unread;
use crate::refusal::Refusal;
use crate::table::parameter;

/// What a client presented, in one way alone.
#[derive(Debug)]
pub(crate) struct Claim<'a> {
    client_id: String,
    proof: Proof<'a>,
}

#[derive(Debug)]
enum Proof<'a> {
    None,
    Basic(ClientSecret),
    Post(ClientSecret),
    Assertion(Assertion<'a>),
}

/// A JWT that proves who a client is.
struct Assertion<'a>(&'a str);

impl std::fmt::Debug for Assertion<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Establishes who calls.
pub(crate) async fn prove(broker: &Broker, headers: &HeaderMap, form: &Form) -> Result<ProvenClient, Refusal> {
    let claim = Claim::read(headers, form)?;
    let proven = broker.prove_client(&claim.presented()).await.map_err(Refusal::from);
    proven.map_err(|refusal| match claim.proof {
        Proof::Basic(_) => refusal.answering_basic(),
        _ => refusal,
    })
}

/// The same, where a client that proves nothing learns nothing (RFC 7662 §2.1).
pub(crate) async fn prove_by_secret(
    broker: &Broker,
    headers: &HeaderMap,
    form: &Form,
) -> Result<ProvenClient, Refusal> {
    if matches!(Claim::read(headers, form)?.proof, Proof::None) {
        return Err(Unread::Proof.into());
    }
    prove(broker, headers, form).await
}

impl<'a> Claim<'a> {
    /// Reads header and form. More than one way at once is refused: which of them would count?
    pub(crate) fn read(headers: &HeaderMap, form: &'a Form) -> Result<Self, Refusal> {
        let basic = basic(headers)?;
        let (secret, assertion) = (form.get("client_secret"), assertion(form)?);
        if usize::from(basic.is_some()) + usize::from(secret.is_some()) + usize::from(assertion.is_some()) > 1 {
            return Err(Unread::SeveralProofs.into());
        }
        let named = form.get("client_id");
        if let Some((client_id, secret)) = basic {
            let claim = Self { client_id, proof: Proof::Basic(secret) }.agreeing(named);
            return claim.map_err(Refusal::answering_basic);
        }
        if let Some(assertion) = assertion {
            let client_id = subject(assertion).ok_or(Unread::Proof)?;
            return Self { client_id, proof: Proof::Assertion(Assertion(assertion)) }.agreeing(named);
        }
        let client_id = named.ok_or(Unread::Nameless)?.to_owned();
        let proof = secret.map_or(Proof::None, |secret| Proof::Post(ClientSecret::new(secret)));
        Ok(Self { client_id, proof })
    }

    /// The parameter may say the same once more, and nothing else (RFC 7521 §4.2).
    fn agreeing(self, named: Option<&str>) -> Result<Self, Refusal> {
        if named.is_none_or(|named| named == self.client_id) { Ok(self) } else { Err(Unread::OtherClient.into()) }
    }

    /// As the broker takes it.
    pub(crate) fn presented(&self) -> Presented<'_> {
        let credential = match &self.proof {
            Proof::None => ClientCredential::None,
            Proof::Basic(secret) => ClientCredential::Basic(secret.expose()),
            Proof::Post(secret) => ClientCredential::Post(secret.expose()),
            Proof::Assertion(assertion) => ClientCredential::Assertion(assertion.0),
        };
        Presented { client_id: &self.client_id, credential }
    }
}

/// `client_secret_basic`: both halves are encoded as in a form (RFC 6749 §2.3.1). Any other scheme is none of a client's here.
fn basic(headers: &HeaderMap) -> Result<Option<(String, ClientSecret)>, Refusal> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Unread::SeveralProofs.into());
    }
    let refused = || Refusal::from(Unread::Proof).answering_basic();
    let (scheme, credentials) = value.to_str().ok().and_then(|value| value.split_once(' ')).ok_or_else(refused)?;
    let pair = BASE64.decode(credentials.trim_matches(' ').as_bytes()).ok();
    let pair = pair.filter(|pair| scheme.eq_ignore_ascii_case("basic") && pair.len() <= LONGEST).ok_or_else(refused)?;
    let colon = pair.iter().position(|byte| *byte == b':').ok_or_else(refused)?;
    let (id, secret) = pair.split_at(colon);
    let id = decode(id).filter(|id| !id.is_empty()).ok_or_else(refused)?;
    let secret = secret.get(1..).and_then(decode).ok_or_else(refused)?;
    Ok(Some((id, ClientSecret::new(secret))))
}

/// `private_key_jwt` (RFC 7523 §2.2).
fn assertion(form: &Form) -> Result<Option<&str>, Refusal> {
    match (form.get("client_assertion_type"), form.get("client_assertion")) {
        (None, None) => Ok(None),
        (Some(JWT_BEARER), Some(assertion)) => Ok(Some(assertion)),
        (_, None) => Err(parameter("client_assertion")),
        (_, Some(_)) => Err(parameter("client_assertion_type")),
    }
}

/// Whom a JWT speaks of; nothing of it is believed yet.
fn subject(jwt: &str) -> Option<String> {
    let payload = BASE64URL_NOPAD.decode(jwt.split('.').nth(1)?.as_bytes()).ok()?;
    let claims = protocol::wire::object(&payload).ok()?;
    claims.get("sub").and_then(Value::as_str).filter(|sub| !sub.is_empty() && sub.len() <= LONGEST).map(str::to_owned)
}

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Of a name, or of a name with its secret, in bytes.
const LONGEST: usize = 8 * 1024;

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
