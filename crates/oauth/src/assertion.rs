use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use jwt::SigningKey;
use serde_json::json;

use crate::error::OAuthError;
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
        self.key.sign(header, &claims).map_err(|_| OAuthError::Nonsense("signature"))
    }
}

/// In seconds: enough for a clock that is a little off, and too little for whoever finds it in a log.
const LIFETIME: u64 = 60;

/// RFC 7523 §2.2.
pub(crate) const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SigningKeyError;
    use crate::testing::{FakeClient, outside};

    /// That of RFC 8037 appendix A.1.
    const ED25519: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
";

    #[test]
    fn a_statement_is_for_one_server_for_a_minute_and_once() {
        let key = SigningKey::from_pem(ED25519, None).expect("a key");
        let key = ClientKey {
            key: Arc::new(key),
            id: Some("k1".to_owned()),
            audience: Some("https://id.example".to_owned()),
        };
        let http = FakeClient::silent();
        let statement = key.assertion("gateway", "https://id.example/token", &outside(&http)).expect("signed");
        // Signed by openssl over the same text.
        assert_eq!(
            statement,
            "eyJhbGciOiJFZERTQSIsImtpZCI6ImsxIiwidHlwIjoiSldUIn0.\
             eyJhdWQiOiJodHRwczovL2lkLmV4YW1wbGUiLCJleHAiOjE3OTAwMDAwNjAsImlhdCI6MTc5MDAwMDAwMCwiaXNzIjoiZ2F0ZXdheSIsImp0aSI6\
             IkJ3Y0hCd2NIQndjSEJ3Y0hCd2NIQnciLCJzdWIiOiJnYXRld2F5In0.\
             WRry9RgQSB4txG_rZ_XtGfniLD-MTQ8C0IAGu-vRdDBYkowc4rggCSPTIZNJYWXtTp5GHTUl_gKCr2HJ4We0DQ"
        );
    }

    #[test]
    fn a_key_is_of_a_kind_that_signs() {
        let ed25519 = |algorithm| SigningKey::from_pem(ED25519, algorithm).map(|key| key.algorithm());
        assert_eq!((ed25519(None), ed25519(Some("EdDSA"))), (Ok("EdDSA"), Ok("EdDSA")));
        assert_eq!(ed25519(Some("RS256")), Err(SigningKeyError::Algorithm));
        for (text, error) in [
            ("", SigningKeyError::Pem),
            ("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", SigningKeyError::Pem),
            (SECP256K1, SigningKeyError::Kind),
            (RSA_1024, SigningKeyError::Kind),
        ] {
            assert_eq!(SigningKey::from_pem(text, None).map(|key| key.algorithm()), Err(error));
        }
        assert!(!format!("{:?}", SigningKey::from_pem(ED25519, None)).contains("nWGx"));
    }

    const SECP256K1: &str = "-----BEGIN PRIVATE KEY-----
MIGEAgEAMBAGByqGSM49AgEGBSuBBAAKBG0wawIBAQQgDgeg2cjx2/luwUeoyuqB
baX/KcHb1rqCNAivmN7MpsyhRANCAARD7nTD+om7zv2nCi7+vUlUNunr+mW36uyX
eExD+qFgFdaRN/vr6kvoBGUOW499i1FbAQ8gh4lvuAs93vx3grTF
-----END PRIVATE KEY-----
";
    const RSA_1024: &str = "-----BEGIN PRIVATE KEY-----
MIICdwIBADANBgkqhkiG9w0BAQEFAASCAmEwggJdAgEAAoGBAM2c0q29yMTC8z0w
jWA1F0xEkoHuWQqjhY/pfQoQDPrwAcWGd+MYpgdTRZ30Z1qaHHveq4535U4kvqS5
sczyLPhvgRw4I0+QXV7j+8uqht8Awm0TDLmmQ/KWay1HU0WpIc4YDze1ZV+MFHkS
/w3hsCU+lbxBnFLVw5gFYd4V8gGJAgMBAAECgYBNrxemTxMgzCtMjiCMHeL8jNfx
wVThASFAW05D1AajdLSmpYR8R97K27ps0F+QSrPCVUHqJQB9AsMIx6QWs9UrJrrQ
4Gfb23r00d9KOUzipZw4uvAGHMr2SFLzWCMcBIwArPms0Psrxqi0OSG5sf4rrI5a
mZ8W8rE9HZQgDZQa9QJBAOyqqDuBtvN/DGB1SG7IWdjPwybuvBxNEY3t7u7AsQdl
b5CMYf5+BbqDVAfCo6ZLbLchj5+Qd5Ogcemee5vxeY8CQQDeaL3LJFagdTw5mgK8
di4JLk4UrdA/Ea0w9p/8LhXhk/PSiVHGFM2LAoA+luxG3vXaAleUrnBt65xQdTIi
nddnAkAg+yNYr5n8Uu85nf6LGbaTpVhv24MxengAzHCoqwfAnR0wCrA5U/yeYmDa
eABwU0CCQNYQCYTweMKHKQPW1o73AkEAqXVI1tTzJALvRjwwRYQOA3TCjUL53nQL
b7kZoL1EcsGWDx4Nrkz/ZyEasZWwpTcQP3F1ZZWbmETirvL8ph95lQJBAODz/NYB
WC7s67WpZLwHypd4veuwlmyQ1OCj3B6CzMUFWFp/N2DWv0/AGDQ93CISqhlaMb05
kKRbziGJ11UYMNw=
-----END PRIVATE KEY-----
";
}
