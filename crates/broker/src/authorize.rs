use std::time::Duration;

use protocol::wire::AuthorizationResponse;
use protocol::{Audience, ClientId, ProviderId, Scope, ScopeSet, SessionId};
use serde_json::{Map, Value};
use store::Life;

use crate::consent::about;
use crate::records::{Agent, Kept, Later, Session, Stage};
use crate::{Broker, BrokerError};

impl Broker {
    /// Begins a consent (ATH 0.1, phase B): the agent gets a URL of the gateway's for its user's browser.
    pub async fn authorize(&self, request: Map<String, Value>) -> Result<AuthorizationResponse, BrokerError> {
        self.admit_handshake()?;
        let wanted = Wanted::read(&request)?;
        let client = ClientId::parse(&wanted.client_id).map_err(|_| BrokerError::AgentNotRegistered)?;
        let held = self.ath_agent(&client).await?.ok_or(BrokerError::AgentNotRegistered)?;
        let audience = Audience::handshake(self.urls.public(), &self.urls.authorize());
        let (_, identity) = self.attested(&held.body.agent_id, &wanted.attestation, &audience).await?;
        self.recognise(&held, &identity).await?;
        let agent = held.body;

        self.check_approval(&agent)?;
        let provider = ProviderId::parse(&wanted.provider_id).map_err(|_| BrokerError::ProviderNotApproved)?;
        self.provider(&provider)?;
        self.check_switch(&provider).await?;
        let scopes = approved_scopes(&agent, &provider, &wanted.scopes)?;
        let redirect_uri = self.redirect(&agent, wanted.redirect_uri)?;
        let (session, key, record) =
            self.new_session(&agent, provider, scopes, wanted.state, redirect_uri, wanted.resource);
        let event = about(self.event("authorization_started"), &record);
        self.decide(event, self.vault.insert(&key, &record, Life::For(TOMBSTONE))).await?;
        let challenge = oauth::pkce::challenge(&secret::CodeVerifier::new(record.verifier.expose()));
        let authorization_url = self.urls.consent(&session, &challenge, record.resource.as_deref());
        Ok(AuthorizationResponse { authorization_url, ath_session_id: session })
    }

    /// `None` where the flow ends on the gateway's own page: no URI was named, or the gateway's own callback, which means the same.
    fn redirect(&self, agent: &Agent, wanted: Option<String>) -> Result<Option<String>, BrokerError> {
        match wanted {
            None => Ok(None),
            Some(uri) if uri == self.urls.callback() => Ok(None),
            Some(uri) if agent.may_redirect_to(&uri) => Ok(Some(uri)),
            Some(_) => Err(BrokerError::RedirectMismatch),
        }
    }

    pub(crate) fn new_session(
        &self,
        agent: &Agent,
        provider: ProviderId,
        scopes: ScopeSet,
        state: String,
        redirect_uri: Option<String>,
        resource: Option<String>,
    ) -> (SessionId, store::Key, Session) {
        let session = SessionId::generate(self.entropy.as_ref());
        let record = Session {
            client_id: agent.client_id.clone(),
            agent_id: agent.agent_id.clone(),
            provider,
            scopes,
            state,
            redirect_uri,
            resource,
            verifier: Kept::new(oauth::pkce::verifier(self.entropy.as_ref()).expose()),
            expires: self.now().plus(SESSION),
            stage: Stage::Pending,
            renews: None,
            era: None,
            dpop: None,
            front: None,
            later: Later::default(),
        };
        let key = Session::key(&session);
        (session, key, record)
    }
}

struct Wanted {
    client_id: String,
    attestation: String,
    provider_id: String,
    scopes: Vec<String>,
    state: String,
    redirect_uri: Option<String>,
    resource: Option<String>,
}

impl Wanted {
    fn read(request: &Map<String, Value>) -> Result<Self, BrokerError> {
        let text = |name: &'static str| match request.get(name) {
            Some(Value::String(text)) => Ok(text.clone()),
            _ => Err(BrokerError::Field(name)),
        };
        let optional = |name: &'static str| match request.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.len() <= 2048 => Ok(Some(text.clone())),
            Some(_) => Err(BrokerError::Field(name)),
        };
        let attestation = attestation(request)?.to_owned();
        let state = text("state").map_err(|_| BrokerError::StateMissing)?;
        if state.is_empty() || state.len() > MAX_STATE {
            return Err(BrokerError::StateMissing);
        }
        let Some(Value::Array(scopes)) = request.get("scopes") else { return Err(BrokerError::Field("scopes")) };
        let scopes: Option<Vec<String>> = scopes.iter().map(|scope| scope.as_str().map(str::to_owned)).collect();
        let scopes = scopes.filter(|scopes| !scopes.is_empty() && scopes.len() <= MAX_SCOPES);
        Ok(Self {
            client_id: text("client_id")?,
            attestation,
            provider_id: text("provider_id")?,
            scopes: scopes.ok_or(BrokerError::Field("scopes"))?,
            state,
            redirect_uri: optional("user_redirect_uri")?,
            resource: optional("resource")?,
        })
    }
}

/// The attestation of a request at authorize and token: absent is a malformed request, anything but a string a bad attestation.
pub(crate) fn attestation(request: &Map<String, Value>) -> Result<&str, BrokerError> {
    let value = request.get("agent_attestation").ok_or(BrokerError::Field("agent_attestation"))?;
    value.as_str().ok_or(BrokerError::AttestationMissing)
}

fn approved_scopes(agent: &Agent, provider: &ProviderId, wanted: &[String]) -> Result<ScopeSet, BrokerError> {
    let approved = agent.approved(provider);
    if approved.is_empty() {
        return Err(BrokerError::ProviderNotApproved);
    }
    let parsed: Result<ScopeSet, _> = wanted.iter().map(|scope| Scope::parse(scope)).collect();
    let scopes = parsed.map_err(|_| BrokerError::Field("scopes"))?;
    let denied = scopes.difference(&approved);
    if !denied.is_empty() {
        return Err(BrokerError::ScopesNotApproved { denied });
    }
    Ok(scopes)
}

/// How long a consent may take (ATH 0.1, conformance line 48).
pub(crate) const SESSION: Duration = Duration::from_secs(10 * 60);
/// How long an old session is still told from one that never was (conformance line 76).
pub(crate) const TOMBSTONE: Duration = Duration::from_secs(24 * 60 * 60);
const MAX_STATE: usize = 1024;
const MAX_SCOPES: usize = 256;
