use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use protocol::{AgentId, AgentKey, Attestation, Loopback, Timestamp};
use secret::{Entropy, SeededEntropy};
use serde_json::{Value, json};

use crate::{Answer, CANARY, Gateway, Received, Reply, Request, Served};

/// An ATH agent that serves its own identity document, and remembers every byte it was sent.
pub struct Agent {
    /// The URL of its identity document.
    pub id: AgentId,
    /// What it signs with.
    pub key: AgentKey,
    /// From its registration.
    pub client: Option<(String, String)>,
    name: String,
    published: Arc<Mutex<Reply>>,
    server: Served,
    entropy: SeededEntropy,
    received: Mutex<Vec<u8>>,
}

impl Agent {
    /// An agent that nobody knows yet.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let published = Arc::new(Mutex::new(Reply::Bytes(Vec::new())));
        let reply = published.clone();
        let server = Served::start(move |_| reply.lock().unwrap_or_else(PoisonError::into_inner).clone());
        let id = format!("{}/agent.json", server.url());
        let id = AgentId::parse(&id, Loopback::Allowed).expect("an agent id");
        let key = AgentKey::generate().expect("a key");
        let entropy = SeededEntropy::new(u64::from(server.port()));
        let agent = Self {
            id,
            key,
            client: None,
            name: name.to_owned(),
            published,
            server,
            entropy,
            received: Mutex::default(),
        };
        agent.publish(Reply::json(&agent.document()));
        agent
    }

    /// The identity document that fits its id and its key.
    #[must_use]
    pub fn document(&self) -> Value {
        json!({
            "ath_version": "0.1", "agent_id": self.id.as_str(), "name": self.name,
            "developer": {"name": "Example Works", "id": "works"}, "capabilities": [],
            "public_key": self.key.public_key().expect("a key").to_jwk(),
        })
    }

    /// From now on this is what stands at its URL.
    pub fn publish(&self, reply: Reply) {
        *self.published.lock().unwrap_or_else(PoisonError::into_inner) = reply;
    }

    /// How its URL was asked for, each time.
    #[must_use]
    pub fn asked(&self) -> Vec<Received> {
        self.server.received()
    }

    /// How often its URL was asked for.
    #[must_use]
    pub fn fetches(&self) -> usize {
        self.asked().len()
    }

    /// Where the tests let browsers come back to; nobody listens there.
    #[must_use]
    pub fn redirect_uri(&self) -> String {
        format!("{}/callback", self.id.origin())
    }

    /// A fresh attestation.
    #[must_use]
    pub fn attest(&self, audience: &str) -> String {
        self.attest_at(audience, 0)
    }

    /// An attestation issued so many seconds from now; negative is in the past.
    #[must_use]
    pub fn attest_at(&self, audience: &str, offset: i64) -> String {
        let now = Timestamp::from_secs(now().saturating_add_signed(offset));
        Attestation::sign(&self.key, &self.id, audience, now, &self.random()).expect("signs")
    }

    /// The claims of a good attestation, to be made worse.
    #[must_use]
    pub fn claims(&self, audience: &str) -> Value {
        let now = now();
        json!({
            "iss": self.id.as_str(), "sub": self.id.as_str(), "aud": audience, "iat": now, "exp": now + 600,
            "jti": self.random(), "capabilities": [],
        })
    }

    /// A compact JWS over any header and claims, signed with the agent's own key.
    #[must_use]
    pub fn seal(&self, header: &[u8], claims: &[u8]) -> String {
        let input = format!("{}.{}", BASE64URL_NOPAD.encode(header), BASE64URL_NOPAD.encode(claims));
        format!("{input}.{}", BASE64URL_NOPAD.encode(&self.signature(&input)))
    }

    /// Its signature over anything: 64 bytes, r and s.
    #[must_use]
    pub fn signature(&self, input: &str) -> Vec<u8> {
        self.key.sign(input.as_bytes()).expect("signs")
    }

    /// What it sends to register.
    #[must_use]
    pub fn registration(&self, gateway: &Gateway) -> Value {
        json!({
            "agent_id": self.id.as_str(), "agent_attestation": self.attest(&gateway.public_url()),
            "developer": {"name": "Example Works", "id": "works"}, "purpose": "Looks after tickets",
            "requested_providers": [
                {"provider_id": "helpdesk", "scopes": ["read:tickets", "write:tickets"]},
                {"provider_id": "other", "scopes": ["read:tickets"]},
            ],
            "redirect_uris": [self.redirect_uri()],
        })
    }

    /// Registers, and keeps client id and secret.
    pub fn register(&mut self, gateway: &Gateway) -> Answer {
        self.register_with(gateway, &self.registration(gateway))
    }

    /// The same for other scopes than those of tickets.
    pub fn register_for(&mut self, gateway: &Gateway, scopes: &[&str]) -> Answer {
        let mut registration = self.registration(gateway);
        registration["requested_providers"] = json!([{"provider_id": "helpdesk", "scopes": scopes}]);
        self.register_with(gateway, &registration)
    }

    fn register_with(&mut self, gateway: &Gateway, registration: &Value) -> Answer {
        let answer = self.post(gateway, "/ath/agents/register", registration);
        if answer.status == 201 {
            self.client = Some((answer.text("/client_id"), answer.text("/client_secret")));
        }
        answer
    }

    /// What it sends to begin a consent that ends at its redirect URI.
    #[must_use]
    pub fn authorization(&self, gateway: &Gateway, scopes: &[&str]) -> Value {
        json!({
            "client_id": self.client().0, "agent_attestation": self.attest(&gateway.public_url()), "provider_id": "helpdesk",
            "scopes": scopes, "state": "state-of-the-agent", "user_redirect_uri": self.redirect_uri(),
        })
    }

    /// Begins a consent: the link, and the session.
    #[must_use]
    pub fn authorize(&self, gateway: &Gateway, scopes: &[&str]) -> (String, String) {
        let answer = self.post(gateway, "/ath/authorize", &self.authorization(gateway, scopes));
        assert_eq!(answer.status, 200, "{}", answer.body_text());
        (answer.text("/authorization_url"), answer.text("/ath_session_id"))
    }

    /// What it sends for a token.
    #[must_use]
    pub fn exchange_request(&self, gateway: &Gateway, session: &str, code: &str) -> Value {
        let (id, secret) = self.client();
        json!({
            "grant_type": "authorization_code", "client_id": id, "client_secret": secret, "code": code, "ath_session_id": session,
            "agent_attestation": self.attest(&format!("{}/ath/token", gateway.public_url())),
        })
    }

    /// Exchanges a code.
    pub fn exchange(&self, gateway: &Gateway, session: &str, code: &str) -> Answer {
        self.post(gateway, "/ath/token", &self.exchange_request(gateway, session, code))
    }

    /// A call of the helpdesk's API, ready to be sent.
    #[must_use]
    pub fn call(&self, gateway: &Gateway, token: &str, method: &str, path: &str) -> Request {
        let request = Request::new(method, &format!("{}/ath/proxy/helpdesk{path}", gateway.url()));
        request.header("authorization", &format!("Bearer {token}")).header("x-ath-agent-id", self.id.as_str())
    }

    /// Sends a call, and remembers what came back.
    pub fn send(&self, request: &Request) -> Answer {
        self.remember(request.send())
    }

    /// Posts JSON.
    pub fn post(&self, gateway: &Gateway, path: &str, body: &Value) -> Answer {
        self.remember(Request::new("POST", &format!("{}{path}", gateway.url())).json(body).send())
    }

    /// Ends a token.
    pub fn revoke(&self, gateway: &Gateway, token: &str) -> Answer {
        let (id, secret) = self.client();
        self.post(gateway, "/ath/revoke", &json!({"client_id": id, "client_secret": secret, "token": token}))
    }

    /// Client id and secret.
    #[must_use]
    pub fn client(&self) -> (String, String) {
        self.client.clone().expect("registered")
    }

    fn remember(&self, answer: Answer) -> Answer {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&answer.bytes);
        answer
    }

    fn random(&self) -> String {
        let mut bytes = [0; 16];
        self.entropy.fill(&mut bytes);
        HEXLOWER.encode(&bytes)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
            let found = received.windows(CANARY.len()).any(|window| window == CANARY.as_bytes());
            assert!(!found, "the agent received a token of the upstream's");
        }
    }
}

/// The clock of the acting agent, in seconds since the epoch.
#[must_use]
pub fn now() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "this is where the clock of the acting agent enters")]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).expect("after the epoch").as_secs()
}
