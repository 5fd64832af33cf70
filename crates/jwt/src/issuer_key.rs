use secret::Entropy;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::{P256Key, SigningError};

/// A key that the gateway signs its ID tokens with: `ES256`.
#[derive(Debug)]
pub struct IssuerKey(P256Key);

impl IssuerKey {
    /// Draws one; `None` where the entropy is none.
    pub fn draw(entropy: &dyn Entropy) -> Option<Self> {
        P256Key::draw(entropy).map(Self)
    }

    /// Reads what [`IssuerKey::to_text`] wrote.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        P256Key::from_text(text).map(Self)
    }

    /// The private key, to be sealed: PKCS#8 in base64.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        self.0.to_text()
    }

    /// What statements name it by: the thumbprint of its public half (RFC 7638).
    #[must_use]
    pub fn id(&self) -> &str {
        self.0.thumbprint()
    }

    /// The public half, as others verify with it.
    #[must_use]
    pub fn public_jwk(&self) -> Value {
        let mut jwk = self.0.jwk().clone();
        if let Some(jwk) = jwk.as_object_mut() {
            jwk.extend(
                [("kid", self.id()), ("alg", "ES256"), ("use", "sig")]
                    .map(|(name, value)| (name.to_owned(), json!(value))),
            );
        }
        jwk
    }

    /// Signs a statement of this type: `JWT`.
    pub fn sign(&self, typ: &str, claims: &Value) -> Result<String, SigningError> {
        self.0.sign(json!({"typ": typ, "kid": self.id()}), claims)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use secret::SeededEntropy;

    use super::*;
    use crate::{Audience, Expected, KeySet, Name, Typ, verify};

    #[test]
    fn what_it_signs_verifies_with_what_it_publishes() {
        let key = IssuerKey::draw(&SeededEntropy::new(1)).expect("a key");
        let again = IssuerKey::from_text(&key.to_text()).expect("the same key");
        assert_eq!(key.public_jwk(), again.public_jwk());
        let jwk = key.public_jwk();
        assert_eq!((&jwk["kid"], &jwk["alg"], &jwk["use"]), (&json!(key.id()), &json!("ES256"), &json!("sig")));
        assert!(jwk.get("d").is_none());
        let claims = json!({"iss": "https://gateway.example", "sub": "u", "aud": "c", "iat": 1000, "exp": 1300});
        let token = again.sign("JWT", &claims).expect("signed");
        let expected = Expected {
            typ: Typ::Plain,
            issuer: "https://gateway.example",
            subject: None,
            audience: Audience::Text(&["c"]),
            longest: Duration::from_secs(600),
            jti: Name::Optional,
        };
        let keys = KeySet::parse(&json!({"keys": [jwk]})).expect("a key set");
        assert_eq!(
            verify(&token, &keys, &expected, 1000).expect("verified").all(),
            claims.as_object().expect("claims")
        );
        let other = IssuerKey::draw(&SeededEntropy::new(2)).expect("a key");
        let others = KeySet::parse(&json!({"keys": [other.public_jwk()]})).expect("a key set");
        assert_eq!(verify(&token, &others, &expected, 1000), Err(crate::JwtError::UnknownKey));
    }

    #[test]
    fn it_does_not_print_and_is_not_read_from_anything() {
        let key = IssuerKey::draw(&SeededEntropy::new(1)).expect("a key");
        assert!(!format!("{key:?}").contains(key.id()));
        for text in ["", "AAAA", "not base64!", "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g"] {
            assert!(IssuerKey::from_text(text).is_none(), "{text}");
        }
    }
}
