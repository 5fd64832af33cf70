use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use limits::{Limit, Wait};
use protocol::wire::AgentIdentityDocument;
use protocol::{AgentId, AgentPublicKey, Clock, Timestamp};
use tokio::sync::Semaphore;

use crate::DocumentError;

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
    clock: Arc<dyn Clock>,
    pinned: HashMap<AgentId, AgentIdentity>,
    /// What one host may be asked for, whichever agents somebody names there.
    per_host: Limit,
    /// What all hosts together may be asked for at once.
    at_once: Semaphore,
    entries: Mutex<HashMap<AgentId, Arc<tokio::sync::Mutex<Entry>>>>,
}

#[derive(Default)]
struct Entry {
    /// What was found, and when.
    found: Option<(Timestamp, Result<AgentIdentity, DocumentError>)>,
    /// When the cache was last passed by because a signature did not verify.
    forced: Option<Timestamp>,
}

impl Documents {
    pub(crate) fn new(
        fetcher: Arc<dyn DocumentFetcher>,
        clock: Arc<dyn Clock>,
        pinned: HashMap<AgentId, AgentIdentity>,
        per_host: Limit,
    ) -> Self {
        let at_once = Semaphore::new(AT_ONCE);
        Self { fetcher, clock, pinned, per_host, at_once, entries: Mutex::default() }
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
        let entry = self.entry(agent);
        let mut entry = entry.lock().await;
        let now = self.clock.now();
        match &entry.found {
            Some((at, found)) if now.since(*at) < lifetime(found) => found.clone(),
            _ => self.fetch(agent, &mut entry).await,
        }
    }

    /// The identity past the cache, for a signature that did not verify: at most once a minute for each agent, otherwise `None`.
    pub(crate) async fn identity_anew(&self, agent: &AgentId) -> Option<Result<AgentIdentity, DocumentError>> {
        if self.pinned.contains_key(agent) {
            return None;
        }
        let entry = self.entry(agent);
        let mut entry = entry.lock().await;
        let now = self.clock.now();
        if entry.forced.is_some_and(|forced| now.since(forced) < FORCE_PAUSE) {
            return None;
        }
        entry.forced = Some(now);
        let found = self.fetched(agent).await;
        // Anybody can bring a signature that does not verify: a failure at that moment is no reason to forget what was found.
        if found.is_ok() {
            entry.found = Some((self.clock.now(), found.clone()));
        }
        Some(found)
    }

    async fn fetch(&self, agent: &AgentId, entry: &mut Entry) -> Result<AgentIdentity, DocumentError> {
        let found = self.fetched(agent).await;
        if matches!(found, Err(DocumentError::Busy)) {
            // Says nothing about the document.
            return found;
        }
        entry.found = Some((self.clock.now(), found.clone()));
        found
    }

    async fn fetched(&self, agent: &AgentId) -> Result<AgentIdentity, DocumentError> {
        if let Err(Wait(_)) = self.per_host.take(&agent.origin(), self.clock.now()) {
            return Err(DocumentError::Busy);
        }
        let Ok(Ok(_turn)) = tokio::time::timeout(PATIENCE, self.at_once.acquire()).await else {
            return Err(DocumentError::Busy);
        };
        self.fetcher.fetch(agent).await.and_then(|body| read(agent, &body))
    }

    fn entry(&self, agent: &AgentId) -> Arc<tokio::sync::Mutex<Entry>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= MAX_ENTRIES && !entries.contains_key(agent) {
            self.make_room(&mut entries);
        }
        entries.entry(agent.clone()).or_default().clone()
    }

    /// Forgets what is over; where that frees nothing, everything that nobody is using: documents can be fetched again.
    fn make_room(&self, entries: &mut HashMap<AgentId, Arc<tokio::sync::Mutex<Entry>>>) {
        let now = self.clock.now();
        let live = |entry: &Entry| entry.found.as_ref().is_some_and(|(at, found)| now.since(*at) < lifetime(found));
        entries.retain(|_, entry| entry.try_lock().is_ok_and(|entry| live(&entry)));
        if entries.len() >= MAX_ENTRIES {
            entries.retain(|_, entry| entry.try_lock().is_err());
        }
    }
}

fn lifetime(found: &Result<AgentIdentity, DocumentError>) -> Duration {
    if found.is_ok() { KEEP } else { KEEP_FAILURE }
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
const KEEP_FAILURE: Duration = Duration::from_secs(60);
const FORCE_PAUSE: Duration = Duration::from_secs(60);
/// In characters.
const MAX_NAME: usize = 200;
/// Fetches under way, and how long another waits for its turn.
const AT_ONCE: usize = 64;
const PATIENCE: Duration = Duration::from_secs(5);
const MAX_ENTRIES: usize = 10_000;
