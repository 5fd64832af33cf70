//! Tokens that are of no use to whoever finds them: bound to a key of the gateway's (RFC 9449).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use data_encoding::BASE64URL_NOPAD;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri};
use jwt::P256Key;
use secret::Entropy;
use serde_json::json;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::error::OAuthError;
use crate::http_client::{HttpClient, TransportError, TransportErrorKind};

/// What a token is bound to: a key that signs for it (RFC 9449 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenBinding {
    /// Nothing: whoever has it may use it (RFC 6750).
    Bearer,
    /// A key of the gateway's, another one for each connection.
    Dpop,
}

/// The key that one connection's tokens are bound to: P-256, for `ES256`.
pub struct DpopKey(P256Key);

impl DpopKey {
    /// Draws one; `None` where the entropy is none.
    pub fn draw(entropy: &dyn Entropy) -> Option<Self> {
        P256Key::draw(entropy).map(Self)
    }

    /// Reads what [`DpopKey::to_text`] wrote.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        P256Key::from_text(text).map(Self)
    }

    /// The private key, to be sealed: PKCS#8 in base64.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        self.0.to_text()
    }

    /// Names the key in an authorization request (RFC 9449 §10): `dpop_jkt`.
    #[must_use]
    pub fn thumbprint(&self) -> &str {
        self.0.thumbprint()
    }

    /// A proof for one request (RFC 9449 §4.2): good for this method and place, now; for this token, where one is sent along.
    pub(crate) fn proof(&self, asked: &Proven<'_>, nonce: Option<&str>) -> Result<HeaderValue, OAuthError> {
        let mut id = [0; 16];
        asked.entropy.fill(&mut id);
        let ath = asked.token.map(|token| BASE64URL_NOPAD.encode(&Sha256::digest(token)));
        let mut claims = json!({
            "jti": BASE64URL_NOPAD.encode(&id), "htm": asked.method.as_str(), "htu": place(asked.uri), "iat": asked.now,
            "ath": ath, "nonce": nonce,
        });
        if let Some(claims) = claims.as_object_mut() {
            claims.retain(|_, value| !value.is_null());
        }
        let header = json!({"typ": "dpop+jwt", "jwk": self.0.jwk()});
        let proof = self.0.sign(header, &claims).map_err(|_| OAuthError::Nonsense("signature"))?;
        HeaderValue::try_from(proof).map_err(|_| OAuthError::Nonsense("signature"))
    }
}

impl std::fmt::Debug for DpopKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DpopKey([redacted])")
    }
}

/// What a proof is for.
pub(crate) struct Proven<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) token: Option<&'a str>,
    pub(crate) now: u64,
    pub(crate) entropy: &'a dyn Entropy,
}

/// The nonces that servers wanted to see last (RFC 9449 §8), by origin.
#[derive(Default)]
pub(crate) struct Nonces(Mutex<HashMap<String, String>>);

impl Nonces {
    pub(crate) fn of(&self, uri: &Uri) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&origin(uri)).cloned()
    }

    /// Remembers the nonce of an answer, where it has one: the next proof has it, whatever the answer was.
    pub(crate) fn note(&self, uri: &Uri, headers: &HeaderMap) {
        let nonce = headers.get(NONCE).and_then(|nonce| nonce.to_str().ok());
        let Some(nonce) = nonce.filter(|nonce| !nonce.is_empty() && nonce.len() <= LONGEST_NONCE) else { return };
        let mut nonces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if nonces.len() >= MOST_ORIGINS {
            nonces.clear();
        }
        nonces.insert(origin(uri), nonce.to_owned());
    }
}

/// The way to a provider's OAuth server on which requests carry proofs: those that ask for tokens, and those that present one.
///
/// A request that presents a token is sent once more where the answer wants a nonce: nothing of it was looked at. One that asks for tokens
/// is not, here: it may hold what is good once.
pub struct Prover<'a> {
    pub(crate) http: &'a dyn HttpClient,
    pub(crate) key: Option<&'a DpopKey>,
    pub(crate) nonces: &'a Nonces,
    pub(crate) now: u64,
    pub(crate) entropy: &'a dyn Entropy,
}

impl Prover<'_> {
    async fn proven(&self, key: &DpopKey, mut request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, TransportError> {
        let uri = request.uri().clone();
        let authorization = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token =
            authorization.and_then(|value| value.strip_prefix("DPoP ")).map(|token| Zeroizing::new(token.to_owned()));
        let token = token.as_ref().map(|token| token.as_str());
        let asked = Proven { method: request.method(), uri: &uri, token, now: self.now, entropy: self.entropy };
        let proof = key.proof(&asked, self.nonces.of(&uri).as_deref());
        let proof = proof.map_err(|error| TransportError::new(TransportErrorKind::Connect, error))?;
        request.headers_mut().insert(PROOF, proof);
        let answer = self.http.send(request).await?;
        self.nonces.note(&uri, answer.headers());
        Ok(answer)
    }
}

#[async_trait]
impl HttpClient for Prover<'_> {
    async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, TransportError> {
        let presents = request.headers().get(AUTHORIZATION).is_some_and(|value| value.as_bytes().starts_with(b"DPoP "));
        let Some(key) = self.key.filter(|_| presents || request.method() == Method::POST) else {
            return self.http.send(request).await;
        };
        let again = presents.then(|| request.clone());
        let answer = self.proven(key, request).await?;
        match again {
            Some(again) if wants_nonce(answer.status().as_u16(), answer.headers()) => self.proven(key, again).await,
            _ => Ok(answer),
        }
    }
}

/// Whether an answer to a token that was presented says that the proof needs the nonce which stands beside (RFC 9449 §9).
#[must_use]
pub fn wants_nonce(status: u16, headers: &HeaderMap) -> bool {
    let says = |challenge: &HeaderValue| challenge.to_str().is_ok_and(|text| text.contains("\"use_dpop_nonce\""));
    status == 401 && headers.contains_key(NONCE) && headers.get_all(WWW_AUTHENTICATE).iter().any(says)
}

/// RFC 9449 §4.2: without query and fragment.
fn place(uri: &Uri) -> String {
    format!("{}{}", origin(uri), uri.path())
}

fn origin(uri: &Uri) -> String {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    format!("{}://{authority}", uri.scheme_str().unwrap_or("https"))
}

pub(crate) const PROOF: HeaderName = HeaderName::from_static("dpop");
const NONCE: HeaderName = HeaderName::from_static("dpop-nonce");
/// In bytes.
const LONGEST_NONCE: usize = 512;
const MOST_ORIGINS: usize = 1024;

#[cfg(test)]
#[path = "dpop_tests.rs"]
mod tests;
