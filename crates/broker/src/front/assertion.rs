use serde_json::Value;
use url::Url;

use super::FrontError;
use crate::Broker;

pub(crate) enum ClientKeys<'a> {
    Given(&'a Value),
    At(&'a Url),
}

pub(crate) struct Subject {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) label: Option<String>,
}

impl Broker {
    pub(crate) async fn verify_client_assertion(&self, _: &str, _: &str, _: ClientKeys<'_>) -> Result<(), FrontError> {
        todo!()
    }

    pub(crate) async fn verify_id_token(&self, _: &str, _: &[String]) -> Result<Subject, FrontError> {
        todo!()
    }

    pub(crate) async fn verify_identity_assertion(
        &self,
        _: &str,
        _: &str,
    ) -> Result<(Subject, Option<String>, Option<String>), FrontError> {
        todo!()
    }
}
