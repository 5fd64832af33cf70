use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use data_encoding::HEXLOWER;
use protocol::{AgentId, AgentKey, Attestation, Loopback, Timestamp};
use secret::{Entropy, SeededEntropy};
use serde_json::{Value, json};

use crate::{Answer, CANARY, Gateway, Request};

/// An ATH agent that serves its own identity document, and remembers every byte it was sent.
pub struct Agent {
    /// The URL of its identity document.
    pub id: AgentId,
    /// What it signs with.
    pub key: AgentKey,
    /// From its registration.
    pub client: Option<(String, String)>,
    entropy: SeededEntropy,
    received: Mutex<Vec<u8>>,
}

impl Agent {
    /// An agent that nobody knows yet.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let id =
            AgentId::parse(&format!("http://127.0.0.1:{port}/agent.json"), Loopback::Allowed).expect("an agent id");
        let key = AgentKey::generate().expect("a key");
        let document = json!({
            "ath_version": "0.1", "agent_id": id.as_str(), "name": name, "developer": {"name": "Example Works", "id": "works"},
            "capabilities": [], "public_key": key.public_key().expect("a key").to_jwk(),
        });
        std::thread::spawn(move || publish(&listener, &document.to_string()));
        Self { id, key, client: None, entropy: SeededEntropy::new(u64::from(port)), received: Mutex::default() }
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
        #[expect(clippy::disallowed_methods, reason = "this is where the clock of the acting agent enters")]
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after the epoch").as_secs();
        let now = now.saturating_add_signed(offset);
        Attestation::sign(&self.key, &self.id, audience, Timestamp::from_secs(now), &self.random()).expect("signs")
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
        let answer = self.post(gateway, "/ath/agents/register", &self.registration(gateway));
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

/// Answers every request with the document, until the test's process ends.
fn publish(listener: &TcpListener, document: &str) {
    for stream in listener.incoming().filter_map(Result::ok) {
        let mut reader = BufReader::new(&stream);
        let mut line = String::new();
        while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
            line.clear();
        }
        let length = document.len();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
        );
        let _ = (&stream).write_all([head.as_bytes(), document.as_bytes()].concat().as_slice());
    }
}
