//! ATH 0.1 as an agent speaks it: registration, the link for a consent, the token that comes of it, and its end.

use std::collections::BTreeMap;
use std::time::Duration;

use data_encoding::BASE64;
use protocol::{Problem, ProviderId, Timestamp};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request, StatusCode};
use secret::{AccessToken, ClientSecret};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Identity;
use super::kept::{Asked, Kept, Registration, Shelf, Token};
use crate::egress::Answer;
use crate::gateway::Gateway;
use crate::{Code, Failure};

/// An agent at a gateway.
pub(super) struct Agent<'a> {
    pub(super) identity: &'a Identity,
    pub(super) gateway: &'a Gateway,
    pub(super) shelf: Shelf,
}

/// A service as the gateway tells agents of it.
#[derive(Debug, Deserialize)]
pub(super) struct Offered {
    #[serde(rename = "provider_id")]
    pub(super) id: ProviderId,
    #[serde(rename = "display_name")]
    pub(super) name: String,
    #[serde(rename = "available_scopes")]
    pub(super) scopes: Vec<String>,
}

#[derive(Deserialize)]
struct Discovery {
    supported_providers: Vec<Offered>,
}

#[derive(Deserialize)]
struct Registered {
    client_id: String,
    client_secret: String,
    agent_status: String,
    approved_providers: Vec<Approved>,
}

/// What the gateway answers about a registration that is there.
#[derive(Deserialize)]
struct Found {
    approved_providers: Vec<Approved>,
}

#[derive(Deserialize)]
struct Approved {
    provider_id: String,
    approved_scopes: Vec<String>,
}

#[derive(Deserialize)]
struct Begun {
    authorization_url: String,
    ath_session_id: String,
}

#[derive(Deserialize)]
struct Exchanged {
    access_token: String,
    expires_in: u64,
    effective_scopes: Vec<String>,
}

impl<'a> Agent<'a> {
    pub(super) fn new(identity: &'a Identity, gateway: &'a Gateway) -> Self {
        Self { identity, gateway, shelf: Shelf::new(identity, gateway.url()) }
    }

    pub(super) fn kept(&self) -> Result<Kept, Failure> {
        self.shelf.read()
    }

    /// What the gateway offers to agents.
    pub(super) async fn offered(&self) -> Result<Vec<Offered>, Failure> {
        let request = Request::new(Method::GET, self.gateway.url().at("/.well-known/ath.json")?);
        let answer = self.gateway.egress().ask(request).await?;
        let found: Discovery = self.read(&answer)?;
        Ok(found.supported_providers)
    }

    /// Asks for a person's consent to these scopes of a service, or to all that the agent is approved for; registers first where it has to.
    pub(super) async fn ask(&self, service: &ProviderId, scopes: &[String]) -> Result<Asked, Failure> {
        let is_approved = |registration: &Registration| {
            registration.approved.get(service.as_str()).is_some_and(|scopes| !scopes.is_empty())
        };
        let registration = match self.kept()?.registration {
            Some(registration) if is_approved(&registration) => registration,
            // An operator may have approved it since.
            Some(registration) => self.looked_up(registration).await?,
            None => self.register().await?,
        };
        let approved = registration.approved.get(service.as_str()).filter(|scopes| !scopes.is_empty());
        let approved = approved.ok_or_else(|| not_approved(service))?;
        let scopes = if scopes.is_empty() { approved.clone() } else { scopes.to_vec() };
        let begun: Begun = self
            .post("/ath/authorize", &json!({
                "client_id": registration.client_id, "agent_attestation": self.attestation("")?, "provider_id": service.as_str(),
                "scopes": scopes, "state": service.as_str(),
            }))
            .await?;
        let link = self.gateway.link(&begun.authorization_url);
        let link = link.ok_or_else(|| self.gateway.is_none("its link for the person leads elsewhere"))?;
        let asked = Asked { session: begun.ath_session_id, link, scopes, ends: self.now().plus(SESSION) };
        let (id, kept) = (service.to_string(), asked.clone());
        self.shelf
            .change(move |all| {
                all.asked.insert(id, kept);
            })
            .await?;
        Ok(asked)
    }

    /// The token for the code that the person was shown at the end of their consent.
    pub(super) async fn exchange(&self, service: &ProviderId, code: &str) -> Result<Token, Failure> {
        let kept = self.kept()?;
        let (Some(registration), Some(asked)) = (kept.registration, kept.asked.get(service.as_str())) else {
            let hint = format!("`ath --agent connect {service}` prints the link at whose end the code is.");
            return Err(Failure::new(Code::Usage, format!("Nobody was asked about {service} here."), hint));
        };
        let exchanged: Exchanged = self
            .post(
                "/ath/token",
                &json!({
                    "grant_type": "authorization_code", "client_id": registration.client_id,
                    "client_secret": registration.client_secret.expose(), "code": code, "ath_session_id": asked.session,
                    "agent_attestation": self.attestation("/ath/token")?,
                }),
            )
            .await?;
        let now = self.now();
        let ends = now.plus(Duration::from_secs(exchanged.expires_in.min(LONGEST)));
        let access = AccessToken::new(exchanged.access_token);
        let token = Token { access, given: now, ends, scopes: exchanged.effective_scopes };
        let (id, kept) = (service.to_string(), token.clone());
        self.shelf
            .change(move |all| {
                all.asked.remove(&id);
                all.tokens.insert(id, kept);
            })
            .await?;
        Ok(token)
    }

    /// Ends the agent's token for a service; `false` where it has none.
    pub(super) async fn revoke(&self, service: &ProviderId) -> Result<u64, Failure> {
        let kept = self.kept()?;
        let (Some(registration), Some(held)) = (kept.registration, kept.tokens.get(service.as_str())) else {
            return Ok(0);
        };
        let _: Value = self
            .post(
                "/ath/revoke",
                &json!({
                    "token": held.access.expose(), "client_id": registration.client_id,
                    "client_secret": registration.client_secret.expose(),
                }),
            )
            .await?;
        self.forget(service).await?;
        Ok(1)
    }

    /// Keeps the agent's token for a service no longer.
    pub(super) async fn forget(&self, service: &ProviderId) -> Result<(), Failure> {
        let id = service.to_string();
        self.shelf
            .change(move |all| {
                all.tokens.remove(&id);
            })
            .await
    }

    async fn register(&self) -> Result<Registration, Failure> {
        let offered = self.offered().await?;
        let wanted: Vec<Value> = offered
            .iter()
            .map(|offered| json!({"provider_id": offered.id.as_str(), "scopes": offered.scopes}))
            .collect();
        let registered: Registered = self
            .post(
                "/ath/agents/register",
                &json!({
                    "agent_id": self.identity.id().as_str(), "agent_attestation": self.attestation("")?,
                    "developer": self.identity.document().get("developer"), "requested_providers": wanted,
                }),
            )
            .await?;
        let (client_secret, approved) =
            (ClientSecret::new(registered.client_secret), by_service(registered.approved_providers));
        let registration = Registration { client_id: registered.client_id, client_secret, approved };
        self.keep(&registration).await?;
        match registered.agent_status.as_str() {
            "approved" => Ok(registration),
            status => Err(unapproved(&format!("The gateway knows the agent now; its approval is {status}."))),
        }
    }

    /// The same registration with what is approved now.
    async fn looked_up(&self, registration: Registration) -> Result<Registration, Failure> {
        let url = self.gateway.url().at(&format!("/ath/agents/{}", registration.client_id))?;
        let mut request = Request::new(Method::GET, url);
        let basic = format!("{}:{}", registration.client_id, registration.client_secret.expose());
        let basic = HeaderValue::from_str(&format!("Basic {}", BASE64.encode(basic.as_bytes())));
        let mut basic = basic.map_err(|_| self.gateway.is_none("its registration is none"))?;
        basic.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, basic);
        let found: Found = self.read(&self.gateway.egress().ask(request).await?)?;
        let registration = Registration { approved: by_service(found.approved_providers), ..registration };
        self.keep(&registration).await?;
        Ok(registration)
    }

    async fn keep(&self, registration: &Registration) -> Result<(), Failure> {
        let kept = registration.clone();
        self.shelf.change(move |all| all.registration = Some(kept)).await
    }

    fn attestation(&self, path: &str) -> Result<String, Failure> {
        self.identity.attestation(&format!("{}{path}", self.gateway.url()), self.gateway.machine())
    }

    fn now(&self) -> Timestamp {
        self.gateway.machine().clock.now()
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Failure> {
        let mut request = Request::new(Method::POST, self.gateway.url().at(path)?);
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *request.body_mut() = Some(body.to_string().into());
        self.read(&self.gateway.egress().ask(request).await?)
    }

    fn read<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, Failure> {
        if answer.status.is_success() {
            return serde_json::from_slice(&answer.body)
                .map_err(|_| self.gateway.is_none("it does not answer as ATH 0.1 says"));
        }
        Err(refused(answer))
    }
}

/// A refusal in ATH's own form: `{code, message, details}`.
fn refused(answer: &Answer) -> Failure {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let (code, retryable) = match (text("/code").unwrap_or_default().as_str(), answer.status) {
        (_, StatusCode::TOO_MANY_REQUESTS) => (Code::Gateway(Problem::RateLimited), true),
        ("USER_DENIED", _) => (Code::AccessDenied, false),
        ("SESSION_NOT_FOUND" | "SESSION_EXPIRED" | "TOKEN_INVALID" | "TOKEN_EXPIRED" | "TOKEN_REVOKED", _) => {
            (Code::Gateway(Problem::ConnectRequired), false)
        }
        (
            "INVALID_ATTESTATION"
            | "AGENT_NOT_REGISTERED"
            | "AGENT_UNAPPROVED"
            | "PROVIDER_NOT_APPROVED"
            | "SCOPE_NOT_APPROVED"
            | "CONFLICT",
            _,
        ) => (Code::Gateway(Problem::AgentUnapproved), false),
        ("OAUTH_ERROR", _) => (Code::Gateway(Problem::UpstreamFailed), true),
        (_, status) if status.is_client_error() => (Code::Gateway(Problem::BadRequest), false),
        _ => (Code::Gateway(Problem::InternalError), true),
    };
    let message = text("/message").unwrap_or_else(|| format!("The gateway answers {}.", answer.status.as_u16()));
    let hint = text("/details/hint").unwrap_or_else(|| {
        "Check that the identity document stands at the agent's id, and ask the gateway's operator.".to_owned()
    });
    Failure { retryable, request_id: answer.request_id(), ..Failure::new(code, message, hint) }
}

fn by_service(approved: Vec<Approved>) -> BTreeMap<String, Vec<String>> {
    approved.into_iter().map(|one| (one.provider_id, one.approved_scopes)).collect()
}

fn not_approved(service: &ProviderId) -> Failure {
    unapproved(&format!("The agent is not approved for {service}."))
}

fn unapproved(message: &str) -> Failure {
    let hint = "Ask the gateway's operator to approve the agent; a repetition changes nothing.";
    Failure::new(Code::Gateway(Problem::AgentUnapproved), message, hint)
}

/// A consent may take so long (ATH 0.1, conformance line 48).
const SESSION: Duration = Duration::from_secs(600);
/// In seconds.
const LONGEST: u64 = 365 * 24 * 3600;
