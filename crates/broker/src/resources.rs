//! The providers as OAuth clients name them (RFC 8707 §2): by the URL that calls go to.

use protocol::ProviderId;

use crate::{Broker, Provider};

impl Broker {
    /// A provider's names, all equally good. The first is the one to hand out: its own host or path where it has one, and ATH's entrance
    /// otherwise.
    #[must_use]
    pub fn resources(&self, provider: &Provider) -> Vec<String> {
        let urls = self.urls();
        let path = provider.path_prefix.as_ref().map(|path| urls.at_path(path));
        let host = provider.host.as_ref().map(|host| urls.at_own_host(host));
        let others = [urls.proxied(&provider.id), urls.mcp(&provider.id)];
        path.into_iter().chain(host).chain(others).collect()
    }

    /// The provider that a resource names, character for character; a slash at the end is forgiven, since clients add and drop it. At a
    /// host of its own the port counts for nothing, as in every request there.
    #[must_use]
    pub fn provider_at_resource(&self, resource: &str) -> Option<&Provider> {
        let resource = resource.strip_suffix('/').unwrap_or(resource);
        if let Some(path) = resource.strip_prefix(self.urls().public()) {
            return self.provider_under(path);
        }
        let scheme = if self.urls().is_https() { "https://" } else { "http://" };
        let host = resource.strip_prefix(scheme)?;
        let port = host.split_once(':').is_none_or(|(_, port)| port.parse::<u16>().is_ok());
        self.provider_at(host).filter(|_| port)
    }

    /// The provider whose entrance at the public host this very path is, as it stands in URLs.
    #[must_use]
    pub fn provider_under(&self, path: &str) -> Option<&Provider> {
        match path.strip_prefix("/ath/proxy/") {
            Some(id) => self.providers.get(&ProviderId::parse(id).ok()?),
            None => match path.strip_suffix("/mcp").and_then(|path| path.strip_prefix('/')) {
                // The door for MCP clients comes before a path of that name.
                Some(id) if self.knows(id) => self.providers.get(&ProviderId::parse(id).ok()?),
                _ => self.providers.under(path),
            },
        }
    }

    /// Whether a resource is every service: the gateway itself, by its public URL, or its door for MCP clients to all of them. A slash at the
    /// end is forgiven.
    #[must_use]
    pub fn is_every_service(&self, resource: &str) -> bool {
        let resource = resource.strip_suffix('/').unwrap_or(resource);
        resource == self.urls().public() || resource == self.urls().mcp_for_all()
    }

    fn knows(&self, id: &str) -> bool {
        ProviderId::parse(id).is_ok_and(|id| self.providers.get(&id).is_some())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use protocol::ManualClock;
    use store::MemoryStore;

    use super::*;
    use crate::tests::{ActingProvider, NOW, crm, parts};

    #[tokio::test]
    async fn a_resource_is_one_of_four_urls() {
        let broker = broker();
        let crm = broker.providers().next().expect("a provider");
        let own = [
            "https://gateway.example/teams/crm",
            "https://crm.gateway.example",
            "https://gateway.example/ath/proxy/crm",
            "https://gateway.example/crm/mcp",
        ];
        assert_eq!(broker.resources(crm), own);
        for resource in own {
            assert!(broker.provider_at_resource(resource).is_some(), "{resource}");
            assert!(broker.provider_at_resource(&format!("{resource}/")).is_some(), "{resource}/");
        }
        assert!(broker.provider_at_resource("https://crm.gateway.example:8443").is_some());
    }

    #[tokio::test]
    async fn nothing_else_is_a_resource() {
        let broker = broker();
        for resource in [
            "",
            "/",
            "crm",
            "https://gateway.example",
            "https://gateway.example/",
            "https://gateway.example/ath/proxy/",
            "https://gateway.example/ath/proxy/CRM",
            "https://gateway.example/ath/proxy/crm//",
            "https://gateway.example/ath/proxy/crm/x",
            "https://gateway.example/ath/proxy/crm?x",
            "https://gateway.example/ath/proxy/crm#x",
            "https://gateway.example/teams",
            "https://gateway.example/teams/crm/v1",
            "https://gateway.example/teams/crmx",
            "https://gateway.example.evil.test/teams/crm",
            "http://gateway.example/teams/crm",
            "http://crm.gateway.example",
            "https://crm.gateway.example/x",
            "https://crm.gateway.example:x",
            "https://crm.gateway.example:1:2",
            "https://user@crm.gateway.example",
            "https://evil.test",
        ] {
            assert!(broker.provider_at_resource(resource).is_none(), "{resource}");
        }
    }

    #[tokio::test]
    async fn two_names_are_for_all_services() {
        let broker = broker();
        for door in [
            "https://gateway.example",
            "https://gateway.example/",
            "https://gateway.example/mcp",
            "https://gateway.example/mcp/",
        ] {
            assert!(broker.is_every_service(door) && broker.provider_at_resource(door).is_none(), "{door}");
        }
        for other in ["https://gateway.example/crm/mcp", "https://gateway.example/mcp//", "https://x.test/mcp", "/mcp"]
        {
            assert!(!broker.is_every_service(other), "{other}");
        }
    }

    fn broker() -> Broker {
        let clock = Arc::new(ManualClock::at(NOW));
        let path_prefix = Some("/teams/crm".to_owned());
        let host = Some("crm.gateway.example".to_owned());
        let provider = Provider { host, path_prefix, ..crm(Arc::new(ActingProvider::default())) };
        let parts = parts(Arc::new(MemoryStore::new(clock.clone())), &clock, Arc::new(ActingProvider::default()));
        let settings = crate::Settings { providers: vec![Arc::new(provider)], ..parts.settings };
        Broker::new(crate::Parts { settings, ..parts })
    }
}
