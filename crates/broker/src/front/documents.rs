use url::Url;

use super::FrontError;
use super::metadata::ClientMetadata;
use crate::Broker;

impl Broker {
    pub(crate) async fn client_document(&self, _: &str) -> Result<(Url, ClientMetadata), FrontError> {
        todo!()
    }
}
