//! Client ID metadata documents (draft-ietf-oauth-client-id-metadata-document): clients whose id is a URL, where they say of themselves
//! what others say at a registration.

use std::sync::Arc;
use std::time::Duration;

use limits::Limit;
use protocol::{Clock, Loopback};
use serde_json::{Map, Value};
use url::Url;

use super::metadata::{ClientMetadata, MetadataProblem, MetadataProof};
use super::{ClientDocuments, FrontError};
use crate::Broker;
use crate::fetches::{Busy, FetchError, Fetches, Named, StrangerFetcher};

/// Why a client's metadata document is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClientDocumentError {
    /// The client's id is no URL that a document can be at.
    #[error(
        "is no https URL with a path, in its plain spelling, of 512 characters at most, without credentials and fragment"
    )]
    Url,
    /// It cannot be had.
    #[error("{0}")]
    Fetch(#[source] FetchError),
    /// Not a JSON object, or one with a name twice.
    #[error("it is no JSON object, or has a name twice")]
    Form,
    /// Its `client_id` is not the URL that it is at.
    #[error("its client_id is not the URL that it is at, character for character")]
    OtherClient,
    /// A field is not acceptable; names it.
    #[error("its `{0}` is not acceptable")]
    Metadata(&'static str),
}

impl ClientDocumentError {
    /// Whether the URL itself is wrong, and not what is there.
    #[must_use]
    pub fn is_of_url(self) -> bool {
        self == Self::Url
    }
}

/// Whether a document that an operator vouches for can be read as what would be at `url`.
pub fn check_client_document(
    url: &str,
    document: &Map<String, Value>,
    schemes: &[String],
    loopback: Loopback,
) -> Result<(), ClientDocumentError> {
    let url = document_url(url, loopback).ok_or(ClientDocumentError::Url)?;
    read(&url, document, schemes).map(|_| ())
}

/// A client id that is the URL of a document: https, or http on loopback in development; a path; nothing that two readers spell
/// differently.
pub(crate) fn document_url(text: &str, loopback: Loopback) -> Option<Url> {
    let url = protocol::AgentId::parse(text, loopback).ok()?.url()?;
    // What stands where a URL ends in its host may be anybody's home page.
    (url.path() != "/" && url.as_str() == text).then_some(url)
}

/// A client that has published everything it knows has no secret.
fn read(url: &Url, document: &Map<String, Value>, schemes: &[String]) -> Result<ClientMetadata, ClientDocumentError> {
    if document.get("client_id").and_then(Value::as_str) != Some(url.as_str()) {
        return Err(ClientDocumentError::OtherClient);
    }
    if ["client_secret", "client_secret_expires_at"].iter().any(|name| document.contains_key(*name)) {
        return Err(ClientDocumentError::Metadata("client_secret"));
    }
    let mut document = document.clone();
    if document.get("token_endpoint_auth_method").is_none_or(Value::is_null) {
        document.insert("token_endpoint_auth_method".to_owned(), "none".into());
    }
    let metadata = ClientMetadata::read(&document, schemes).map_err(|problem| match problem {
        MetadataProblem::Redirect => ClientDocumentError::Metadata("redirect_uris"),
        MetadataProblem::Field(field) => ClientDocumentError::Metadata(field),
    })?;
    match metadata.proof {
        MetadataProof::Basic | MetadataProof::Post => Err(ClientDocumentError::Metadata("token_endpoint_auth_method")),
        MetadataProof::None | MetadataProof::Keys(_) | MetadataProof::KeysAt(_) => Ok(metadata),
    }
}

/// Metadata documents as they were fetched.
pub(crate) struct ClientDocumentCache {
    fetcher: Arc<dyn StrangerFetcher>,
    fetches: Fetches<ClientMetadata, ClientDocumentError>,
}

impl ClientDocumentCache {
    pub(crate) fn new(fetcher: Arc<dyn StrangerFetcher>, clock: Arc<dyn Clock>, per_host: Limit) -> Self {
        Self { fetcher, fetches: Fetches::new(clock, per_host, MOST_DOCUMENTS) }
    }

    async fn get(&self, url: &Url, schemes: &[String]) -> Result<ClientMetadata, ClientDocumentError> {
        let origin = url.origin().ascii_serialization();
        self.fetches.get(Named { name: url.as_str(), origin: &origin }, self.fetch(url, schemes)).await
    }

    async fn fetch(&self, url: &Url, schemes: &[String]) -> Result<(ClientMetadata, Duration), ClientDocumentError> {
        let fetched = self.fetcher.fetch(url, LARGEST).await.map_err(ClientDocumentError::Fetch)?;
        let document = jwt::object(&fetched.body).map_err(|_| ClientDocumentError::Form)?;
        let life = fetched.max_age.unwrap_or(USUAL_LIFE).clamp(SHORTEST_LIFE, LONGEST_LIFE);
        Ok((read(url, &document, schemes)?, life))
    }
}

impl From<Busy> for ClientDocumentError {
    fn from(_: Busy) -> Self {
        Self::Fetch(FetchError::Busy)
    }
}

impl Broker {
    /// Whether a client may be one by a document at this URL, as the configuration is now.
    pub(crate) fn is_document_taken(&self, name: &str) -> bool {
        let loopback = self.development.loopback;
        let listed = |url: Url| is_wanted(&url, &self.front.documents, loopback);
        self.front.pinned.contains_key(name) || document_url(name, loopback).is_some_and(listed)
    }

    /// The client whose id is this URL: as the configuration vouches for it, or as its own document has it, which may be fetched.
    pub(crate) async fn client_document(&self, name: &str) -> Result<(Url, ClientMetadata), FrontError> {
        let loopback = self.development.loopback;
        let url = document_url(name, loopback).ok_or(FrontError::ClientDocument(ClientDocumentError::Url))?;
        let schemes = &self.front.redirect_schemes;
        if let Some(document) = self.front.pinned.get(name) {
            return Ok((url.clone(), read(&url, document, schemes).map_err(FrontError::ClientDocument)?));
        }
        if !is_wanted(&url, &self.front.documents, loopback) {
            return Err(FrontError::DocumentHost);
        }
        match self.client_documents.get(&url, schemes).await {
            Ok(metadata) => Ok((url, metadata)),
            Err(ClientDocumentError::Fetch(FetchError::Busy)) => Err(FrontError::TooMany { retry_after: LATER }),
            Err(error) => {
                tracing::debug!(client_id = %url, %error, "a client's metadata document is of no use");
                Err(FrontError::ClientDocument(error))
            }
        }
    }
}

/// Whether documents there are fetched at all. Where a list says whose are, this machine's own are taken too in development.
fn is_wanted(url: &Url, documents: &ClientDocuments, loopback: Loopback) -> bool {
    let here = url.scheme() == "http" && loopback == Loopback::Allowed;
    match documents {
        ClientDocuments::Off => false,
        ClientDocuments::Everywhere => true,
        ClientDocuments::At(hosts) => {
            let listed = |host: &str| hosts.iter().any(|pattern| pattern.matches(host));
            here || url.port().is_none() && url.host_str().is_some_and(listed)
        }
    }
}

/// In bytes.
const LARGEST: usize = 5 * 1024;
const MOST_DOCUMENTS: usize = 2000;
const USUAL_LIFE: Duration = Duration::from_secs(60 * 60);
const SHORTEST_LIFE: Duration = Duration::from_secs(5 * 60);
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
pub(super) const LATER: Duration = Duration::from_secs(5);

#[cfg(test)]
#[path = "documents_tests.rs"]
mod tests;
