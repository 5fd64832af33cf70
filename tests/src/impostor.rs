use data_encoding::{BASE64, BASE64URL_NOPAD};
use protocol::AgentKey;
use serde_json::{Value, json};

use crate::{Agent, Answer, Gateway, Reply, Request, now};

/// An agent that says whatever a test wants: its id, every claim and its document can be other than they should be.
pub struct Impostor {
    /// What it calls itself; where its document is, unless a test says otherwise.
    pub id: String,
    /// From its registration.
    pub client: Option<(String, String)>,
    agent: Agent,
}

impl Impostor {
    /// An agent that is honest until told otherwise.
    #[must_use]
    pub fn new() -> Self {
        let agent = Agent::new("Impostor");
        Self { id: agent.id.as_str().to_owned(), client: None, agent }
    }

    /// Another key from now on, in its document too.
    pub fn change_key(&mut self) {
        self.lose_key();
        self.publish(&self.document());
    }

    /// Signs with another key from now on; the document stays as it is.
    pub fn lose_key(&mut self) {
        self.agent.key = AgentKey::generate().expect("a key");
    }

    /// Its identity document, with the key as a JWK.
    #[must_use]
    pub fn document(&self) -> Value {
        let mut document = self.agent.document();
        document["agent_id"] = json!(self.id);
        document
    }

    /// Its public key as PEM: the point behind the DER of a P-256 key's algorithm (RFC 5480 §2).
    #[must_use]
    pub fn pem(&self) -> String {
        let jwk = self.document()["public_key"].clone();
        let coordinate =
            |name: &str| BASE64URL_NOPAD.decode(jwk[name].as_str().expect("text").as_bytes()).expect("base64url");
        let der = [&SPKI_P256[..], &[4], &coordinate("x"), &coordinate("y")].concat();
        let text = BASE64.encode(&der);
        let (first, second) = text.split_at(64);
        format!("-----BEGIN PUBLIC KEY-----\n{first}\n{second}\n-----END PUBLIC KEY-----\n")
    }

    /// Serves this as its document.
    pub fn publish(&self, document: &Value) {
        self.serve(Reply::json(document));
    }

    /// Serves this in place of a document.
    pub fn serve(&self, reply: Reply) {
        self.agent.publish(reply);
    }

    /// How often somebody asked for its document.
    #[must_use]
    pub fn fetches(&self) -> usize {
        self.agent.fetches()
    }

    /// What an honest attestation claims, as the official clients write it.
    #[must_use]
    pub fn claims(&self, audience: &str) -> Value {
        let mut claims = self.agent.claims(audience);
        claims["iss"] = json!(self.id);
        claims["sub"] = json!(self.id);
        claims["exp"] = json!(claims["iat"].as_u64().expect("a number") + 3600);
        claims
    }

    /// Signs with its own key.
    #[must_use]
    pub fn sign(&self, claims: &Value) -> String {
        self.sign_as(&json!({"alg": "ES256", "typ": "JWT", "kid": "default"}), claims)
    }

    /// Signs with its own key, under whatever header.
    #[must_use]
    pub fn sign_as(&self, header: &Value, claims: &Value) -> String {
        self.agent.seal(header.to_string().as_bytes(), claims.to_string().as_bytes())
    }

    /// An honest attestation.
    #[must_use]
    pub fn attest(&self, audience: &str) -> String {
        self.attest_at(audience, 0)
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

fn post(gateway: &Gateway, path: &str, body: &Value) -> Answer {
    Request::new("POST", &format!("{}{path}", gateway.url())).json(body).send()
}

const SPKI_P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
