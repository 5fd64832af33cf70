use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use limits::Limit;
use protocol::wire::AgentIdentityDocument;
use protocol::{AgentId, AgentPublicKey, Clock};

use crate::DocumentError;
use crate::fetches::{Busy, Fetches, Named};

/// Fetches identity documents. The implementation bounds time and size, follows no redirect, and connects to no address that is
/// private, loopback or link-local unless a development setting says so.
#[async_trait]
pub trait DocumentFetcher: Send + Sync {
    /// The body that is served at the agent's URI with status 200.
    async fn fetch(&self, agent: &AgentId) -> Result<Vec<u8>, DocumentError>;
}

/// Who an agent is, by its own document or by the configuration.
#[derive(Debug, Clone)]
pub struct AgentIdentity {
    /// The name that people are shown.
    pub name: String,
    /// Who made it.
    pub developer: String,
    /// What it signs with.
    pub key: AgentPublicKey,
}

/// Identity documents, remembered for five minutes; failures for one. One fetch at a time for each agent.
pub(crate) struct Documents {
    fetcher: Arc<dyn DocumentFetcher>,
    pinned: HashMap<AgentId, AgentIdentity>,
    fetches: Fetches<AgentIdentity, DocumentError>,
}

impl Documents {
    pub(crate) fn new(
        fetcher: Arc<dyn DocumentFetcher>,
        clock: Arc<dyn Clock>,
        pinned: HashMap<AgentId, AgentIdentity>,
        per_host: Limit,
    ) -> Self {
        Self { fetcher, pinned, fetches: Fetches::new(clock, per_host, MAX_ENTRIES) }
    }

    /// Whether the configuration vouches for the agent.
    pub(crate) fn is_pinned(&self, agent: &AgentId) -> bool {
        self.pinned.contains_key(agent)
    }

    /// The agent's identity: pinned, remembered, or fetched.
    pub(crate) async fn identity(&self, agent: &AgentId) -> Result<AgentIdentity, DocumentError> {
        if let Some(identity) = self.pinned.get(agent) {
            return Ok(identity.clone());
        }
        let named = Named { name: agent.as_str(), origin: &agent.origin() };
        self.fetches.get(named, self.fetch(agent)).await
    }

    /// The identity past the cache, for a signature that did not verify: at most once a minute for each agent, otherwise `None`.
    pub(crate) async fn identity_anew(&self, agent: &AgentId) -> Option<Result<AgentIdentity, DocumentError>> {
        if self.pinned.contains_key(agent) {
            return None;
        }
        let named = Named { name: agent.as_str(), origin: &agent.origin() };
        self.fetches.anew(named, self.fetch(agent)).await
    }

    async fn fetch(&self, agent: &AgentId) -> Result<(AgentIdentity, Duration), DocumentError> {
        let body = self.fetcher.fetch(agent).await?;
        Ok((read(agent, &body)?, KEEP))
    }
}

impl From<Busy> for DocumentError {
    fn from(_: Busy) -> Self {
        Self::Busy
    }
}

fn read(agent: &AgentId, body: &[u8]) -> Result<AgentIdentity, DocumentError> {
    let object = protocol::wire::object(body).map_err(|_| DocumentError::Form)?;
    let document: AgentIdentityDocument =
        serde_json::from_value(serde_json::Value::Object(object)).map_err(|_| DocumentError::Form)?;
    if document.agent_id != agent.as_str() {
        return Err(DocumentError::OtherAgent);
    }
    let key = AgentPublicKey::from_document(&document.public_key).map_err(|_| DocumentError::Key)?;
    // Bounded: ten thousand of them are remembered, and each becomes part of a registration.
    let bounded = |text: String| text.chars().take(MAX_NAME).collect();
    Ok(AgentIdentity { name: bounded(document.name), developer: bounded(document.developer.name), key })
}

const KEEP: Duration = Duration::from_secs(5 * 60);
/// In characters.
const MAX_NAME: usize = 200;
const MAX_ENTRIES: usize = 10_000;
