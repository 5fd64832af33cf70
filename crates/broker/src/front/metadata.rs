use serde_json::{Map, Value};
use url::Url;

use super::{FrontError, GrantType};

pub(crate) struct ClientMetadata {
    pub(crate) name: Option<String>,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) grants: Vec<GrantType>,
    pub(crate) proof: MetadataProof,
    pub(crate) scope: Option<String>,
    pub(crate) client_uri: Option<String>,
}

pub(crate) enum MetadataProof {
    None,
    Basic,
    Post,
    Keys(Value),
    KeysAt(Url),
}

impl ClientMetadata {
    pub(crate) fn parse(_: &Map<String, Value>, _: &[String]) -> Result<Self, FrontError> {
        todo!()
    }
}
