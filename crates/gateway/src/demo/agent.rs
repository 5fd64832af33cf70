use std::sync::{Mutex, PoisonError};

use http::{HeaderMap, Method, StatusCode};
use protocol::{AgentId, AgentKey, Attestation, Clock, Loopback};
use secret::Opaque;
use serde_json::{Value, json};

use crate::demo::Failure;
use crate::demo::place::Ports;
use crate::egress;
use crate::system::{SystemClock, SystemEntropy};

/// An ATH agent as anybody could write one: a key, an identity document, and HTTP. It remembers every byte it was sent.
pub(crate) struct Agent {
    id: AgentId,
    key: AgentKey,
    gateway: String,
    own_url: String,
    http: reqwest::Client,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    client: Option<(String, String)>,
    session: Option<String>,
    token: Option<String>,
    received: Vec<u8>,
}

/// What the agent was answered.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// A text of the answer's JSON by its pointer (RFC 6901); empty where there is none.
    pub(crate) fn text(&self, pointer: &str) -> String {
        self.json().pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}

impl Agent {
    pub(crate) fn new(ports: &Ports) -> Result<Self, Failure> {
        let own_url = ports.agent_url();
        Ok(Self {
            id: AgentId::parse(&format!("{own_url}/agent.json"), Loopback::Allowed)?,
            key: AgentKey::generate()?,
            gateway: ports.gateway_url(),
            http: egress::loopback_client()?,
            state: Mutex::default(),
            own_url,
        })
    }

    pub(crate) fn id(&self) -> &AgentId {
        &self.id
    }

    /// What the agent calls instead of the helpdesk's API.
    pub(crate) fn proxy_url(&self) -> String {
        format!("{}/ath/proxy/helpdesk", self.gateway)
    }

    /// What the agent publishes about itself at its `agent_id`.
    pub(crate) fn identity_document(&self) -> Result<Value, Failure> {
        Ok(json!({
            "ath_version": "0.1", "agent_id": self.id.as_str(), "name": "Ticket Helper",
            "developer": {"name": "Example Works", "id": "example-works"},
            "capabilities": ["tickets"], "public_key": self.key.public_key()?.to_jwk(),
        }))
    }

    pub(crate) async fn discover(&self) -> Result<Answer, Failure> {
        self.send(self.http.get(format!("{}/.well-known/ath.json", self.gateway))).await
    }

    pub(crate) async fn register(&self) -> Result<Answer, Failure> {
        let answer = self
            .post(
                "/ath/agents/register",
                &json!({
                    "agent_id": self.id.as_str(), "agent_attestation": self.attest(&self.gateway)?,
                    "developer": {"name": "Example Works", "id": "example-works"},
                    "requested_providers": [{"provider_id": "helpdesk", "scopes": ["read:tickets", "write:tickets"]}],
                    "purpose": "Keeps an eye on your tickets", "redirect_uris": [self.redirect_uri()],
                }),
            )
            .await?;
        if answer.status == StatusCode::CREATED {
            self.state().client = Some((answer.text("/client_id"), answer.text("/client_secret")));
        }
        Ok(answer)
    }

    pub(crate) fn is_registered(&self) -> bool {
        self.state().client.is_some()
    }

    pub(crate) async fn authorize(&self, scopes: &[&str]) -> Result<Answer, Failure> {
        let (client_id, _) = self.client()?;
        let answer = self
            .post(
                "/ath/authorize",
                &json!({
                    "client_id": client_id, "agent_attestation": self.attest(&self.gateway)?, "provider_id": "helpdesk",
                    "scopes": scopes, "state": random(), "user_redirect_uri": self.redirect_uri(),
                }),
            )
            .await?;
        self.state().session = Some(answer.text("/ath_session_id"));
        Ok(answer)
    }

    pub(crate) async fn exchange(&self, code: &str) -> Result<Answer, Failure> {
        let (client_id, client_secret) = self.client()?;
        let session = self.state().session.clone().ok_or("no consent was begun")?;
        let attestation = self.attest(&format!("{}/ath/token", self.gateway))?;
        let answer = self
            .post(
                "/ath/token",
                &json!({
                    "grant_type": "authorization_code", "client_id": client_id, "client_secret": client_secret,
                    "agent_attestation": attestation, "code": code, "ath_session_id": session,
                }),
            )
            .await?;
        if answer.status == StatusCode::OK {
            self.state().token = Some(answer.text("/access_token"));
        }
        Ok(answer)
    }

    /// Calls the helpdesk's API, by the gateway's URL and with the ATH token.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, Failure> {
        let token = self.token().ok_or("the agent has no token")?;
        let mut request = self.http.request(method, format!("{}{path}", self.proxy_url()));
        request = request.bearer_auth(token).header("x-ath-agent-id", self.id.as_str());
        if let Some(body) = body {
            request = request.header(http::header::CONTENT_TYPE, "application/json").body(body.to_string());
        }
        self.send(request).await
    }

    pub(crate) async fn revoke(&self) -> Result<Answer, Failure> {
        let (client_id, client_secret) = self.client()?;
        let token = self.token().ok_or("the agent has no token")?;
        self.post("/ath/revoke", &json!({"client_id": client_id, "client_secret": client_secret, "token": token})).await
    }

    /// The ATH token, once there is one.
    pub(crate) fn token(&self) -> Option<String> {
        self.state().token.clone()
    }

    /// Every byte of every answer so far: status lines aside, headers and bodies.
    pub(crate) fn received(&self) -> Vec<u8> {
        self.state().received.clone()
    }

    fn redirect_uri(&self) -> String {
        format!("{}/callback", self.own_url)
    }

    fn attest(&self, audience: &str) -> Result<String, Failure> {
        Ok(Attestation::sign(&self.key, &self.id, audience, SystemClock.now(), &random())?)
    }

    fn client(&self) -> Result<(String, String), Failure> {
        self.state().client.clone().ok_or_else(|| "the agent is not registered".into())
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Answer, Failure> {
        let request = self.http.post(format!("{}{path}", self.gateway));
        self.send(request.header(http::header::CONTENT_TYPE, "application/json").body(body.to_string())).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Answer, Failure> {
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await?.to_vec();
        let mut state = self.state();
        for (name, value) in &headers {
            state.received.extend_from_slice(name.as_str().as_bytes());
            state.received.extend_from_slice(value.as_bytes());
        }
        state.received.extend_from_slice(&body);
        drop(state);
        Ok(Answer { status, headers, body })
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn random() -> String {
    Opaque::generate("", &SystemEntropy).expose().to_owned()
}
