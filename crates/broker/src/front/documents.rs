//! Client ID metadata documents (draft-ietf-oauth-client-id-metadata-document): clients whose id is a URL, where they say of themselves
//! what others say at a registration.

use protocol::Loopback;
use serde_json::{Map, Value};
use url::Url;

use super::metadata::{ClientMetadata, MetadataProblem, MetadataProof};
use crate::DocumentError;

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
    Fetch(#[source] DocumentError),
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

impl crate::Broker {
    pub(crate) async fn client_document(&self, _: &str) -> Result<(Url, ClientMetadata), super::FrontError> {
        todo!()
    }
}
