use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use serde_json::json;

use crate::error::OAuthError;
use crate::jws::SigningKey;
use crate::outside::Outside;

/// The key by which the gateway's client proves who it is (`private_key_jwt`, RFC 7523 §2.2), and how the statement looks.
#[derive(Debug, Clone)]
pub struct ClientKey {
    /// What signs.
    pub key: Arc<SigningKey>,
    /// The `kid` of its public half, as the provider knows it.
    pub id: Option<String>,
    /// Whom the statement is for; the token endpoint if nothing is said. Better the issuer: a server whose endpoint is another's could pass
    /// the statement on.
    pub audience: Option<String>,
}

impl ClientKey {
    /// A statement for one request: good for a minute, once.
    pub(crate) fn assertion(
        &self,
        client_id: &str,
        endpoint: &str,
        outside: &Outside<'_>,
    ) -> Result<String, OAuthError> {
        let mut id = [0; 16];
        outside.entropy.fill(&mut id);
        let header = match &self.id {
            Some(id) => json!({ "typ": "JWT", "kid": id }),
            None => json!({ "typ": "JWT" }),
        };
        let claims = json!({
            "iss": client_id,
            "sub": client_id,
            "aud": self.audience.as_deref().unwrap_or(endpoint),
            "jti": BASE64URL_NOPAD.encode(&id),
            "iat": outside.now,
            "exp": outside.now + LIFETIME,
        });
        self.key.sign(header, &claims)
    }
}

/// In seconds: enough for a clock that is a little off, and too little for whoever finds it in a log.
const LIFETIME: u64 = 60;

/// RFC 7523 §2.2.
pub(crate) const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
