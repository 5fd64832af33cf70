use std::sync::Arc;

use audit::Audit;
use broker::Broker;
use http::Response;
use http::request::Parts;
use protocol::ProviderId;
use secret::Entropy;
use url::Url;

use crate::body::ProxyBody;
use crate::challenge::{Challenge, Challenges, Discovery};
use crate::error::{Asked, ProxyError, Standing, refuse};
use crate::gate::GateError;
use crate::hosts::Hosts;
use crate::origin::{McpDoor, Origins};
use crate::pace::Pace;
use crate::route::{Entrance, Proxied, Route, Routes};
use crate::upstream::Upstream;

/// What all cores share, and none changes: another configuration is another one.
pub struct DataPlane {
    pub(crate) broker: Broker,
    pub(crate) audit: Audit,
    pub(crate) upstreams: Vec<Arc<Upstream>>,
    routes: Routes,
    pub(crate) public_url: String,
    /// Of each upstream.
    challenges: Vec<Challenges>,
    challenge_for_all: Challenge,
    pub(crate) origins: Origins,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) pace: Pace,
}

impl DataPlane {
    /// From the configured upstreams, with the gateway's public URL for links that lead back to it, the names it answers to, and whether
    /// clients are told where its authorization server is.
    #[must_use]
    pub fn new(
        broker: Broker,
        audit: Audit,
        upstreams: Vec<Arc<Upstream>>,
        (public_url, hosts, discovery): (&Url, Hosts, Discovery),
        door: &McpDoor,
        entropy: Arc<dyn Entropy>,
        pace: Pace,
    ) -> Self {
        let origins = match door {
            McpDoor::Open(origins) => origins.clone(),
            McpDoor::Closed => Origins::none(),
        };
        let routes = Routes::new(&upstreams, hosts, door);
        let public_url = public_url.origin().ascii_serialization();
        let challenges = upstreams.iter().map(|upstream| Challenges::new(upstream, &public_url, discovery)).collect();
        let challenge_for_all = Challenge::for_all(&public_url, discovery);
        Self { broker, audit, upstreams, routes, public_url, challenges, challenge_for_all, origins, entropy, pace }
    }

    /// Whether a request is to be forwarded, and where; refused where it is for a host that is none of the gateway's.
    pub fn route(&self, parts: &Parts) -> Result<Route, GateError> {
        self.routes.find(parts)
    }

    /// Where a route leads.
    pub(crate) fn upstream(&self, route: &Proxied) -> Option<&Upstream> {
        self.upstreams.get(route.upstream?).map(Arc::as_ref)
    }

    /// The number of an upstream, where it is this very one.
    pub(crate) fn number_of(&self, upstream: &Arc<Upstream>) -> Option<usize> {
        let number = self.routes.by_id(&upstream.provider_id)?;
        self.upstreams.get(number).is_some_and(|known| Arc::ptr_eq(known, upstream)).then_some(number)
    }

    /// The web pages that may use the door for MCP clients.
    #[must_use]
    pub fn origins(&self) -> &Origins {
        &self.origins
    }

    /// The way of a call that a tool makes for somebody who came by the door for MCP clients; `None` where there is no such provider.
    #[must_use]
    pub fn route_of_tool(&self, provider: &ProviderId) -> Option<Proxied> {
        self.routes.by_id(provider).map(Proxied::of_tool)
    }

    /// The answer to a refusal, in the form that the client's entrance has for it. What caused it goes to the log, with the request id.
    #[must_use]
    pub fn refuse(&self, error: &ProxyError, asked: &Asked) -> Response<ProxyBody> {
        let challenges = asked.route.and_then(|route| Some((self.challenges.get(route.upstream?)?, route.entrance)));
        let challenge = match (challenges, asked.route) {
            (Some((challenges, entrance)), _) => challenges.at(entrance),
            (None, Some(Proxied { entrance: Entrance::Mcp, .. })) => Some(&self.challenge_for_all),
            (None, _) => None,
        };
        refuse(error, asked, &Standing { public_url: &self.public_url, challenge })
    }
}
