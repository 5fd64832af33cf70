use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair};
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use serde_json::{Value, json};

use crate::{Answer, Gateway, Manner, Request, Site};

/// An agent that says and signs whatever a test wants: every header, claim and document can be another.
pub struct Impostor {
    /// The URL of its identity document.
    pub id: String,
    /// Serves the document.
    pub site: Site,
    /// From its registration.
    pub client: Option<(String, String)>,
    key: EcdsaKeyPair,
}

impl Impostor {
    /// An agent that is honest until told otherwise.
    #[must_use]
    pub fn new() -> Self {
        let site = Site::start(Manner::Silent);
        let impostor = Self { id: site.url(), site, client: None, key: key(&ECDSA_P256_SHA256_FIXED_SIGNING) };
        impostor.publish(impostor.document());
        impostor
    }

    /// Another agent at the same place: its document has another key from now on.
    pub fn change_key(&mut self) {
        self.key = key(&ECDSA_P256_SHA256_FIXED_SIGNING);
        self.publish(self.document());
    }

    /// Signs with another key from now on; the document stays as it is.
    pub fn lose_key(&mut self) {
        self.key = key(&ECDSA_P256_SHA256_FIXED_SIGNING);
    }

    /// Its identity document, with the key as a JWK.
    #[must_use]
    pub fn document(&self) -> Value {
        let (_, point) = self.key.public_key().as_ref().split_at(1);
        let (x, y) = point.split_at(32);
        let jwk = json!({"kty": "EC", "crv": "P-256", "x": BASE64URL_NOPAD.encode(x), "y": BASE64URL_NOPAD.encode(y)});
        json!({
            "ath_version": "0.1", "agent_id": self.id, "name": "Impostor", "capabilities": [], "public_key": jwk,
            "developer": {"name": "Example Works", "id": "works"},
        })
    }

    /// Its public key as PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        let der: PublicKeyX509Der<'_> = self.key.public_key().as_der().expect("a key");
        let text = BASE64.encode(der.as_ref());
        let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
    }

    /// Serves this as its document.
    pub fn publish(&self, document: Value) {
        self.site.change(Manner::Json(document));
    }

    /// What an honest attestation claims, as the official clients write it.
    #[must_use]
    pub fn claims(&self, audience: &str) -> Value {
        let now = now();
        let mut jti = [0; 16];
        system_random().fill(&mut jti).expect("randomness");
        json!({
            "iss": self.id, "sub": self.id, "aud": audience, "iat": now, "exp": now + 3600,
            "jti": HEXLOWER.encode(&jti), "capabilities": [],
        })
    }

    /// Signs with its own key.
    #[must_use]
    pub fn sign(&self, claims: &Value) -> String {
        self.sign_as(&json!({"alg": "ES256", "typ": "JWT", "kid": "default"}), claims)
    }

    /// Signs with its own key, under whatever header.
    #[must_use]
    pub fn sign_as(&self, header: &Value, claims: &Value) -> String {
        jwt_signed_by(header, claims, |input| self.key.sign(&system_random(), input).expect("signs").as_ref().to_vec())
    }

    /// An honest attestation.
    #[must_use]
    pub fn attest(&self, audience: &str) -> String {
        self.sign(&self.claims(audience))
    }

    /// An honest attestation of so many seconds from now; negative is in the past.
    #[must_use]
    pub fn attest_at(&self, audience: &str, offset: i64) -> String {
        let issued = now().saturating_add_signed(offset);
        let mut claims = self.claims(audience);
        claims["iat"] = json!(issued);
        claims["exp"] = json!(issued + 3600);
        self.sign(&claims)
    }

    /// Registers with this attestation.
    pub fn register_with(&mut self, gateway: &Gateway, attestation: &str) -> Answer {
        let answer = post(gateway, "/ath/agents/register", &self.registration(attestation));
        if answer.status == 201 {
            self.client = Some((answer.text("/client_id"), answer.text("/client_secret")));
        }
        answer
    }

    /// Registers honestly.
    pub fn register(&mut self, gateway: &Gateway) -> Answer {
        self.register_with(gateway, &self.attest(&gateway.public_url()))
    }

    /// What it sends to register.
    #[must_use]
    pub fn registration(&self, attestation: &str) -> Value {
        json!({
            "agent_id": self.id, "agent_attestation": attestation, "developer": {"name": "Example Works", "id": "works"},
            "requested_providers": [{"provider_id": "helpdesk", "scopes": ["read:tickets"]}],
        })
    }

    /// Begins a consent with this attestation; without a redirect URI, since it has none.
    #[must_use]
    pub fn authorize_with(&self, gateway: &Gateway, attestation: &str) -> Answer {
        let body = json!({
            "client_id": self.client().0, "agent_attestation": attestation, "provider_id": "helpdesk",
            "scopes": ["read:tickets"], "state": "state-of-the-agent",
        });
        post(gateway, "/ath/authorize", &body)
    }

    /// Begins a consent honestly.
    #[must_use]
    pub fn authorize(&self, gateway: &Gateway) -> Answer {
        self.authorize_with(gateway, &self.attest(&gateway.public_url()))
    }

    /// Asks for a token with this attestation.
    #[must_use]
    pub fn exchange_with(&self, gateway: &Gateway, attestation: &str, session: &str, code: &str) -> Answer {
        let (id, secret) = self.client();
        let body = json!({
            "grant_type": "authorization_code", "client_id": id, "client_secret": secret, "code": code,
            "ath_session_id": session, "agent_attestation": attestation,
        });
        post(gateway, "/ath/token", &body)
    }

    /// Client id and secret.
    #[must_use]
    pub fn client(&self) -> (String, String) {
        self.client.clone().expect("registered")
    }
}

impl Default for Impostor {
    fn default() -> Self {
        Self::new()
    }
}

/// A JWT in compact form whose signature is what `sign` makes of the signing input.
#[must_use]
pub fn jwt_signed_by(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let encode = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let input = format!("{}.{}", encode(header), encode(claims));
    let signature = sign(input.as_bytes());
    format!("{input}.{}", BASE64URL_NOPAD.encode(&signature))
}

/// Seconds since the epoch.
#[must_use]
pub fn now() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "this is where the clock of the acting agent enters")]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).expect("after the epoch").as_secs()
}

fn post(gateway: &Gateway, path: &str, body: &Value) -> Answer {
    Request::new("POST", &format!("{}{path}", gateway.url())).json(body).send()
}

fn key(algorithm: &'static EcdsaSigningAlgorithm) -> EcdsaKeyPair {
    EcdsaKeyPair::generate(algorithm).expect("a key")
}

/// The randomness of acting agents.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is where the randomness of the acting agent enters")]
pub fn system_random() -> SystemRandom {
    SystemRandom::new()
}
