use url::Url;

use super::messages::{KeyValue, Resource, Scope};
use crate::config::CollectorConfig;

/// What is the same for everything that is sent.
#[derive(Debug, Clone)]
pub(crate) struct About {
    resource: Resource,
    /// Where the gateway is reached, by its configuration.
    pub(super) scheme: String,
    pub(super) host: String,
    pub(super) port: u16,
}

impl About {
    /// `instance` tells this run from all others.
    pub(crate) fn new(config: &CollectorConfig, public_url: &Url, instance: &str) -> Self {
        let mut attributes = vec![
            KeyValue::text("service.name", config.service_name.as_str()),
            KeyValue::text("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::text("service.instance.id", instance),
        ];
        for (key, value) in &config.resource_attributes {
            attributes.retain(|attribute| attribute.key != *key);
            attributes.push(KeyValue::text(key, value.as_str()));
        }
        Self {
            resource: Resource { attributes },
            scheme: public_url.scheme().to_owned(),
            host: public_url.host_str().unwrap_or_default().to_owned(),
            port: public_url.port_or_known_default().unwrap_or_default(),
        }
    }

    pub(super) fn resource(&self) -> Resource {
        self.resource.clone()
    }

    pub(super) fn scope() -> Scope {
        Scope { name: "ath-gateway".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
    }
}
